//! The parameters of challenges and credentials: `Digest name=value, name="value"`.

use std::fmt::{self, Write as _};

use super::DigestError;
use crate::sip::scan::{self, Cursor};

/// Parameters as they came, values without quotes and escapes.
pub(super) struct Values(Vec<(String, String)>);

impl Values {
    /// Reads a value of the `Digest` scheme.
    pub(super) fn read(value: &[u8]) -> Result<Self, DigestError> {
        let mut cursor = Cursor::new(scan::trim(value));
        let scheme = cursor.token().ok_or(DigestError::Syntax)?;
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(DigestError::Scheme);
        }
        if !cursor.skip_lws() {
            return Err(DigestError::Syntax);
        }
        let mut values = Vec::new();
        loop {
            // Empty elements of a list are let through (RFC 7230 §7).
            while cursor.eat_spaced(b',') {}
            cursor.skip_lws();
            if cursor.is_empty() {
                return Ok(Self(values));
            }
            let name = cursor.token().ok_or(DigestError::Syntax)?;
            if !cursor.eat_spaced(b'=') {
                return Err(DigestError::Syntax);
            }
            let text = if cursor.peek() == Some(b'"') {
                let quoted = cursor.quoted().ok_or(DigestError::Syntax)?;
                scan::unquote(&scan::text(quoted))
            } else {
                let bare = cursor.take_while(|b| !scan::is_lws(b) && !b",\"".contains(&b));
                if bare.is_empty() {
                    return Err(DigestError::Syntax);
                }
                scan::text(bare).into_owned()
            };
            values.push((scan::text(name).to_ascii_lowercase(), text));
            cursor.skip_lws();
            if !cursor.is_empty() && cursor.peek() != Some(b',') {
                return Err(DigestError::Syntax);
            }
        }
    }

    /// The value of that name, which must not be there twice.
    pub(super) fn get(&self, name: &'static str) -> Result<Option<&str>, DigestError> {
        let mut found = self.0.iter().filter(|(n, _)| n == name);
        let first = found.next().map(|(_, value)| value.as_str());
        match found.next() {
            Some(_) => Err(DigestError::Repeated(name)),
            None => Ok(first),
        }
    }

    /// The same, and it must be there.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, DigestError> {
        self.get(name)?.ok_or(DigestError::Missing(name))
    }

    /// The same as a value of its own.
    pub(super) fn own(&self, name: &'static str) -> Result<Option<String>, DigestError> {
        Ok(self.get(name)?.map(str::to_owned))
    }
}

/// Writes `name="value"` with what needs an escape escaped; control characters are left out.
pub(super) fn quoted(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    write!(f, "{name}=\"")?;
    for c in value.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}
