//! From a JSON text to a [`Policy`]; what is not understood is refused and named, never passed over.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::condition::Condition;
use super::pattern::{Pattern, Syntax};
use super::principal::Principal;
use super::{Effect, Fault, Matched, Policy, PolicyError, Statement};

/// What a policy is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// What its bearer may do: names resources and no principals.
    Identity,
    /// Who may take a role: names principals and no resources.
    Trust,
}

pub(super) fn parse(text: &str, kind: Kind) -> Result<Policy, PolicyError> {
    if text.len() > MOST_OCTETS {
        return Err(PolicyError::TooLong(text.len()));
    }
    let Once(document) =
        serde_json::from_str(text).map_err(|error| PolicyError::NotJson(error.to_string()))?;
    let fields = Fields::of("the policy", &document, &["Version", "Id", "Statement"])?;
    // Before 2012 "${" was a text like any other.
    let variables = match fields.get("Version") {
        None => false,
        Some(Value::String(version)) if version == "2008-10-17" => false,
        Some(Value::String(version)) if version == "2012-10-17" => true,
        Some(_) => return Err(fields.bad("Version", Fault::NotA(r#""2012-10-17""#))),
    };
    if fields.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(fields.bad("Id", Fault::NotA("a text")));
    }
    let statements = match fields.required("Statement")? {
        Value::Array(statements) if statements.is_empty() => {
            return Err(fields.bad("Statement", Fault::Empty));
        }
        Value::Array(statements) => statements.iter().collect(),
        one => vec![one],
    };
    let statements = statements
        .into_iter()
        .enumerate()
        .map(|(at, value)| statement(&format!("Statement[{at}]"), value, kind, variables))
        .collect::<Result<Vec<_>, _>>()?;
    for (at, later) in statements.iter().enumerate() {
        let earlier = statements.iter().take(at);
        if later.sid.is_some() && earlier.into_iter().any(|other| other.sid == later.sid) {
            return Err(PolicyError::Bad {
                at: format!("Statement[{at}].Sid"),
                fault: Fault::Twice,
            });
        }
    }
    Ok(Policy { statements })
}

fn statement(
    at: &str,
    value: &Value,
    kind: Kind,
    variables: bool,
) -> Result<Statement, PolicyError> {
    let known: &[&str] = match kind {
        Kind::Identity => &[
            "Sid",
            "Effect",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ],
        Kind::Trust => &[
            "Sid",
            "Effect",
            "Principal",
            "Action",
            "NotAction",
            "Condition",
        ],
    };
    let fields = Fields::of(at, value, known)?;
    let sid = match fields.get("Sid") {
        None => None,
        Some(Value::String(sid)) if sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Some(sid.clone())
        }
        Some(_) => return Err(fields.bad("Sid", Fault::NotA("a text of letters and digits"))),
    };
    let effect = match fields.required("Effect")? {
        Value::String(effect) if effect == "Allow" => Effect::Allow,
        Value::String(effect) if effect == "Deny" => Effect::Deny,
        _ => return Err(fields.bad("Effect", Fault::NotA(r#""Allow" or "Deny""#))),
    };
    let actions = matched(&fields, "Action", "NotAction", |text| {
        if text != "*" && !text.contains(':') {
            return Err(Fault::NotA("an action such as chime:GetMeeting, or *"));
        }
        let syntax = Syntax {
            wildcards: true,
            variables: false,
            ignore_case: true,
        };
        Pattern::parse(text, syntax)
    })?;
    let (resources, principals) = match kind {
        Kind::Identity => {
            let resources = matched(&fields, "Resource", "NotResource", |text| {
                let syntax = Syntax {
                    wildcards: true,
                    variables,
                    ignore_case: false,
                };
                let pattern = Pattern::parse(text, syntax)?;
                if pattern.is_arn() {
                    Ok(pattern)
                } else {
                    Err(Fault::NotA("an ARN of six parts, or *"))
                }
            })?;
            (Some(resources), None)
        }
        Kind::Trust => {
            let said = fields.required("Principal")?;
            let principals = Principal::read(&format!("{at}.Principal"), said)?;
            (None, Some(principals))
        }
    };
    let conditions = match fields.get("Condition") {
        None => Vec::new(),
        Some(said) => Condition::read(&format!("{at}.Condition"), said, variables)?,
    };
    Ok(Statement {
        sid,
        effect,
        principals,
        actions,
        resources,
        conditions,
    })
}

/// Reads the one of two elements that is there: the patterns that count, or those that do not.
fn matched(
    fields: &Fields<'_>,
    name: &'static str,
    not_name: &'static str,
    read: impl Fn(&str) -> Result<Pattern, Fault>,
) -> Result<Matched, PolicyError> {
    let (name, value, but) = match (fields.get(name), fields.get(not_name)) {
        (Some(value), None) => (name, value, false),
        (None, Some(value)) => (not_name, value, true),
        (Some(_), Some(_)) => return Err(fields.bad(not_name, Fault::Beside(name))),
        (None, None) => return Err(fields.bad(name, Fault::Missing)),
    };
    let patterns = texts(&format!("{}.{name}", fields.at), value)?
        .into_iter()
        .map(|(at, text)| read(text).map_err(|fault| PolicyError::Bad { at, fault }))
        .collect::<Result<_, _>>()?;
    Ok(Matched { patterns, but })
}

/// A text or a list of texts, each with where it stands.
pub(super) fn texts<'a>(at: &str, value: &'a Value) -> Result<Vec<(String, &'a str)>, PolicyError> {
    let bad = |at: String, fault| PolicyError::Bad { at, fault };
    match value {
        Value::String(text) => Ok(vec![(at.to_owned(), text)]),
        Value::Array(items) if items.is_empty() => Err(bad(at.to_owned(), Fault::Empty)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(number, item)| {
                let at = format!("{at}[{number}]");
                match item.as_str() {
                    Some(text) => Ok((at, text)),
                    None => Err(bad(at, Fault::NotA("a text"))),
                }
            })
            .collect(),
        _ => Err(bad(at.to_owned(), Fault::NotA("a text or a list of texts"))),
    }
}

/// The elements of an object, all of them known.
struct Fields<'a> {
    at: &'a str,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn of(at: &'a str, value: &'a Value, known: &[&str]) -> Result<Self, PolicyError> {
        let Some(map) = value.as_object() else {
            return Err(PolicyError::Bad {
                at: at.to_owned(),
                fault: Fault::NotA("an object"),
            });
        };
        let fields = Self { at, map };
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(fields.bad(unknown, Fault::NotHere)),
            None => Ok(fields),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    fn required(&self, name: &str) -> Result<&'a Value, PolicyError> {
        self.get(name).ok_or_else(|| self.bad(name, Fault::Missing))
    }

    fn bad(&self, name: &str, fault: Fault) -> PolicyError {
        let at = if self.at.starts_with("Statement") {
            format!("{}.{name}", self.at)
        } else {
            name.to_owned()
        };
        PolicyError::Bad { at, fault }
    }
}

/// JSON in which no object names a thing twice: two readers might take it differently.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
            let Once(value) = entries.next_value()?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

/// Octets of one policy.
pub(crate) const MOST_OCTETS: usize = 10_240;
