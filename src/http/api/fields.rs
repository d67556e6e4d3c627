//! Reading a request's JSON by the bounds of the API's model; every refusal names the field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::control::Refusal;

/// An object of a request, and where it stands in it. A null counts as absent; unknown fields are
/// ignored, as clients newer than we are expect.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    path: String,
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The request itself.
    pub(super) fn of(body: &'a Value) -> Result<Self, Refusal> {
        let object = body
            .as_object()
            .ok_or_else(|| refuse("the body", "must be a JSON object"))?;
        Ok(Self {
            path: String::new(),
            object,
        })
    }

    /// The full name of a field.
    pub(super) fn name(&self, field: impl Display) -> String {
        if self.path.is_empty() {
            field.to_string()
        } else {
            format!("{}.{field}", self.path)
        }
    }

    pub(super) fn refuse(&self, field: impl Display, rule: impl Into<String>) -> Refusal {
        refuse(self.name(field), rule)
    }

    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// A text whose length in characters is within bounds.
    pub(super) fn text(
        &self,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let text = value
            .as_str()
            .ok_or_else(|| self.refuse(field, "must be a string"))?;
        if length.contains(&text.chars().count()) {
            Ok(Some(text))
        } else {
            Err(self.refuse(
                field,
                format!(
                    "must have {} to {} characters",
                    length.start(),
                    length.end()
                ),
            ))
        }
    }

    pub(super) fn required_text(
        &self,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Result<&'a str, Refusal> {
        self.text(field, length)?
            .ok_or_else(|| self.refuse(field, "is required"))
    }

    /// One of a few words.
    pub(super) fn choice(&self, field: &str, words: &[&str]) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        match value.as_str() {
            Some(text) if words.contains(&text) => Ok(Some(text)),
            _ => Err(self.refuse(field, format!("must be one of {}", words.join(", ")))),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &self,
        field: &str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if bounds.contains(&number) => Ok(Some(number)),
            _ => Err(self.refuse(
                field,
                format!(
                    "must be a whole number from {} to {}",
                    bounds.start(),
                    bounds.end()
                ),
            )),
        }
    }

    pub(super) fn object(&self, field: &str) -> Result<Option<Fields<'a>>, Refusal> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let object = value
            .as_object()
            .ok_or_else(|| self.refuse(field, "must be an object"))?;
        Ok(Some(Fields {
            path: self.name(field),
            object,
        }))
    }

    /// A list whose length is within bounds.
    pub(super) fn list(
        &self,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<&'a [Value]>, Refusal> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let items = value
            .as_array()
            .ok_or_else(|| self.refuse(field, "must be a list"))?;
        if length.contains(&items.len()) {
            Ok(Some(items))
        } else {
            Err(self.refuse(
                field,
                format!("must have {} to {} members", length.start(), length.end()),
            ))
        }
    }

    /// A list of objects whose length is within bounds.
    pub(super) fn objects(
        &self,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<Vec<Fields<'a>>>, Refusal> {
        let Some(items) = self.list(field, length)? else {
            return Ok(None);
        };
        items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                let path = self.name(format!("{field}.{}", at + 1));
                let object = item
                    .as_object()
                    .ok_or_else(|| refuse(&path, "must be an object"))?;
                Ok(Fields { path, object })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }
}

pub(super) fn refuse(field: impl Display, rule: impl Into<String>) -> Refusal {
    Refusal::Invalid {
        field: field.to_string(),
        rule: rule.into(),
    }
}
