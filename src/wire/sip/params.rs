//! Parameters of header values and URIs: `;name=value`, in order, names without regard to case.

use std::borrow::Cow;
use std::fmt;

use super::scan::{self, Cursor};

/// Ordered parameters. Values are kept as written: escaped in URIs, with quotes in headers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter of that name, as written; `None` when absent or without a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .and_then(|(_, v)| v.as_deref())
    }

    /// Like [`Params::get`], without the quotes and escapes of a quoted string.
    #[must_use]
    pub fn get_unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.get(name)?;
        Some(if raw.starts_with('"') {
            Cow::Owned(scan::unquote(raw))
        } else {
            Cow::Borrowed(raw)
        })
    }

    /// Sets the first parameter of that name, or adds it at the end.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self
            .0
            .iter_mut()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Removes every parameter of that name and says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_deref()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads header parameters up to the end of the value; `None` when one is malformed.
    pub(super) fn read(mut cursor: Cursor<'_>) -> Option<Self> {
        let mut params = Vec::new();
        while let Some(param) = scan::param(&mut cursor) {
            let param = param?;
            params.push((
                scan::text(param.name).into_owned(),
                param.value.map(|v| scan::text(v).into_owned()),
            ));
        }
        Some(Self(params))
    }

    /// Reads URI parameters, already without the leading `;`.
    pub(super) fn read_uri(text: &str) -> Self {
        Self(
            text.split(';')
                .filter(|p| !p.is_empty())
                .map(|p| match p.split_once('=') {
                    Some((n, v)) => (n.to_owned(), Some(v.to_owned())),
                    None => (p.to_owned(), None),
                })
                .collect(),
        )
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
