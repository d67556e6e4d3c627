//! Whether a value is what its shape says; the first rule that it breaks is told with the field's full name.

use serde_json::{Map, Value};

use regex_lite::Regex;

use super::{Kind, Model, Shape};
use crate::control::Refusal;

/// Nothing of ours is deeper; what is must be meant to be a burden.
const DEEPEST: usize = 16;

/// Of a list or map that the model does not bound: more than any real request has.
const MOST_MEMBERS: f64 = 500.0;

/// Of a text that the model does not bound.
const MOST_CHARACTERS: f64 = 4096.0;

impl Model {
    /// Checks a request's value. Unknown members are dropped, as clients newer than we are expect; a null counts as
    /// absent.
    pub(super) fn check(&self, shape: &Shape, name: &str, value: Value) -> Result<Value, Refusal> {
        self.within(shape, name, value, 0)
    }

    fn within(
        &self,
        shape: &Shape,
        name: &str,
        value: Value,
        depth: usize,
    ) -> Result<Value, Refusal> {
        if depth > DEEPEST {
            return Err(refuse(name, "is nested too deeply"));
        }
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(object)) => self.structure(shape, name, object, depth),
            (Kind::Structure, _) => Err(refuse(name, "must be an object")),
            (Kind::List, Value::Array(items)) => {
                counted(shape, name, items.len(), "members")?;
                let inner = shape.member.as_deref().and_then(|inner| self.shape(inner));
                let items = items.into_iter().enumerate().map(|(at, item)| match inner {
                    Some(inner) => {
                        self.within(inner, &format!("{name}.{}", at + 1), item, depth + 1)
                    }
                    None => Ok(item),
                });
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            (Kind::List, _) => Err(refuse(name, "must be a list")),
            (Kind::Map, Value::Object(object)) => {
                counted(shape, name, object.len(), "members")?;
                let inner = shape.value.as_deref().and_then(|inner| self.shape(inner));
                let entries = object.into_iter().map(|(key, value)| match inner {
                    Some(inner) => {
                        let value = self.within(inner, &join(name, &key), value, depth + 1)?;
                        Ok((key, value))
                    }
                    None => Ok((key, value)),
                });
                entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            (Kind::Map, _) => Err(refuse(name, "must be an object")),
            (Kind::String, Value::String(text)) => {
                words(shape, name, &text)?;
                Ok(Value::String(text))
            }
            (Kind::String, _) => Err(refuse(name, "must be a string")),
            (Kind::Integer, value) => {
                let number = value
                    .as_i64()
                    .ok_or_else(|| refuse(name, "must be a whole number"))?;
                #[allow(clippy::cast_precision_loss)] // the bounds are small
                ranged(shape, name, number as f64)?;
                Ok(value)
            }
            (Kind::Float, value) => {
                let number = value
                    .as_f64()
                    .ok_or_else(|| refuse(name, "must be a number"))?;
                ranged(shape, name, number)?;
                Ok(value)
            }
            (Kind::Boolean, value @ Value::Bool(_)) => Ok(value),
            (Kind::Boolean, _) => Err(refuse(name, "must be true or false")),
            (Kind::Timestamp, value) => {
                let read = value
                    .as_str()
                    .and_then(|text| text.parse::<jiff::Timestamp>().ok());
                // Clients write whole seconds of the epoch as numbers in some protocols.
                if read.is_some() || value.is_number() {
                    Ok(value)
                } else {
                    Err(refuse(name, "must be a time such as 2026-01-31T12:00:00Z"))
                }
            }
        }
    }

    fn structure(
        &self,
        shape: &Shape,
        name: &str,
        mut object: Map<String, Value>,
        depth: usize,
    ) -> Result<Value, Refusal> {
        let mut kept = Map::new();
        for (member, known) in &shape.members {
            let full = join(name, member);
            match object.remove(member).filter(|value| !value.is_null()) {
                Some(value) => {
                    let value = match self.shape(&known.shape) {
                        Some(inner) => self.within(inner, &full, value, depth + 1)?,
                        None => value,
                    };
                    kept.insert(member.clone(), value);
                }
                None if shape.required.contains(member) => {
                    return Err(refuse(&full, "is required"));
                }
                None => {}
            }
        }
        Ok(Value::Object(kept))
    }

    /// Whether an answer of ours is one that clients can read: no member that the model does not know, every one of
    /// the right kind. Returns what is wrong.
    pub(crate) fn fault(&self, shape: &str, name: &str, value: &Value) -> Option<String> {
        let known = self.shape(shape)?;
        let wrong = |what: &str| Some(format!("{name} {what}: {value}"));
        match (known.kind, value) {
            (_, Value::Null) => wrong("is null"),
            (Kind::Structure, Value::Object(object)) => {
                object.iter().find_map(|(member, value)| {
                    let full = join(name, member);
                    match known.members.get(member) {
                        Some(inner) => self.fault(&inner.shape, &full, value),
                        None => Some(format!("{full} is unknown")),
                    }
                })
            }
            (Kind::List, Value::Array(items)) => {
                let inner = known.member.as_deref()?;
                items
                    .iter()
                    .enumerate()
                    .find_map(|(at, item)| self.fault(inner, &format!("{name}.{at}"), item))
            }
            (Kind::Map, Value::Object(_))
            | (Kind::Integer | Kind::Float, Value::Number(_))
            | (Kind::Boolean, Value::Bool(_)) => None,
            (Kind::String, Value::String(text)) => {
                let word = known.words.is_empty() || known.words.contains(text);
                (!word).then(|| format!("{name} is no word of its list: {text}"))
            }
            (Kind::Timestamp, Value::Number(_)) if known.epoch => None,
            (Kind::Timestamp, Value::String(text)) if !known.epoch => {
                match text.parse::<jiff::Timestamp>() {
                    Ok(_) => None,
                    Err(_) => wrong("is no time"),
                }
            }
            _ => wrong("is of the wrong kind"),
        }
    }
}

fn words(shape: &Shape, name: &str, text: &str) -> Result<(), Refusal> {
    counted(shape, name, text.chars().count(), "characters")?;
    // PostgreSQL cannot keep it, and nobody's name has it.
    if text.contains('\0') {
        return Err(refuse(name, "must not have the character U+0000"));
    }
    if !shape.words.is_empty() && !shape.words.iter().any(|word| word == text) {
        let all = shape.words.join(", ");
        return Err(refuse(name, format!("must be one of {all}")));
    }
    let fits = shape
        .pattern
        .as_ref()
        .is_none_or(|pattern| pattern.is_match(text))
        && !shape.never.iter().any(|never| never.is_match(text));
    if !fits {
        let pattern = shape.pattern.as_ref().map_or("", Regex::as_str);
        return Err(refuse(name, format!("must match {pattern}")));
    }
    if shape.run.is_some_and(|run| longest_run(text) > run) {
        let run = shape.run.unwrap_or_default();
        return Err(refuse(
            name,
            format!("must not have more than {run} equal characters in a row"),
        ));
    }
    Ok(())
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    let mut last = None;
    for character in text.chars() {
        run = if last == Some(character) { run + 1 } else { 1 };
        last = Some(character);
        longest = longest.max(run);
    }
    longest
}

/// Where the model leaves a length open there is one of ours: nobody's single request may be as much work as it likes.
#[allow(clippy::cast_precision_loss)] // a body is far smaller
fn counted(shape: &Shape, name: &str, count: usize, what: &str) -> Result<(), Refusal> {
    let most = shape.max.unwrap_or(match shape.kind {
        Kind::String => MOST_CHARACTERS,
        _ => MOST_MEMBERS,
    });
    let low = shape.min.is_some_and(|min| (count as f64) < min);
    if low || count as f64 > most {
        let bounds = bounds(shape.min, Some(most));
        return Err(refuse(name, format!("must have {bounds} {what}")));
    }
    Ok(())
}

fn ranged(shape: &Shape, name: &str, number: f64) -> Result<(), Refusal> {
    let low = shape.min.is_some_and(|min| number < min);
    let high = shape.max.is_some_and(|max| number > max);
    if low || high {
        let bounds = bounds(shape.min, shape.max);
        return Err(refuse(name, format!("must be {bounds}")));
    }
    Ok(())
}

fn bounds(least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => String::new(),
    }
}

fn join(name: &str, member: &str) -> String {
    if name.is_empty() {
        member.to_owned()
    } else {
        format!("{name}.{member}")
    }
}

pub(super) fn refuse(field: &str, rule: impl Into<String>) -> Refusal {
    let field = if field.is_empty() { "the body" } else { field };
    Refusal::Invalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}
