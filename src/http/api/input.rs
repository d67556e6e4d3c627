//! A request's members, which the model has checked already.

use serde_json::{Map, Value};

use crate::control::Refusal;

/// What a request says. A member that the model requires is there; asking for one of another kind finds none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(&'a Value);

impl<'a> Input<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        Self(value)
    }

    /// The member itself.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Input<'a>> {
        self.value(name)
            .filter(|value| value.is_object())
            .map(Input)
    }

    pub(super) fn map(&self) -> Option<&'a Map<String, Value>> {
        self.0.as_object()
    }

    /// A text that may be missing.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    /// A text that the model requires.
    pub(super) fn required(&self, name: &str) -> &'a str {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.as_i64()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    /// A time in whole seconds since the epoch, however it is written.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let wrong = || Refusal::invalid(name, "is no time that this server knows");
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let time: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
                Ok(Some(time.as_second()))
            }
            Some(number) => {
                let seconds = number.as_f64().map(f64::floor).ok_or_else(wrong)?;
                #[allow(clippy::cast_possible_truncation)] // within what the epoch's calendar has
                match (-MOST_SECONDS..=MOST_SECONDS).contains(&seconds) {
                    true => Ok(Some(seconds as i64)),
                    false => Err(wrong()),
                }
            }
        }
    }

    /// A list's members; none where it is missing.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = Input<'a>> + use<'a> {
        let items = self.value(name).and_then(Value::as_array);
        items.into_iter().flatten().map(Input)
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.list(name)
            .filter_map(|item| item.0.as_str().map(str::to_owned))
            .collect()
    }
}

/// To the year 9999.
const MOST_SECONDS: f64 = 253_402_300_799.0;
