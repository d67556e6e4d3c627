//! A request as one object: what stands in its path, query and headers beside what its body says.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::check::refuse;
use super::route::{pairs, spelt_arn};
use super::{Kind, MODEL, Member, Model, Operation, Routed, Shape, Where};
use crate::control::Refusal;

impl Routed<'_> {
    /// The request's members, each within its bounds.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub(crate) fn read(
        &self,
        query: &str,
        headers: &HeaderMap,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let Some(shape) = self.operation.input_shape() else {
            return Ok(Value::Object(Map::new()));
        };
        if !body.is_object() {
            return Err(refuse("", "must be a JSON object"));
        }
        let (said, fault) = self.gather(shape, query, headers, body);
        match fault {
            Some(fault) => Err(fault),
            None => MODEL.check(shape, "", Value::Object(said)),
        }
    }

    /// What the request says, as the audit trail tells it: good or not, and without secrets.
    pub(crate) fn told(&self, query: &str, headers: &HeaderMap, body: &Value) -> Value {
        let Some(shape) = self.operation.input_shape() else {
            return Value::Null;
        };
        let (said, _) = self.gather(shape, query, headers, body);
        match said.is_empty() {
            true => Value::Null,
            false => MODEL.told(shape, &Value::Object(said)),
        }
    }

    /// The ARN of what the request is about, where one of its members says that instead of its path.
    pub(crate) fn arn(&self, query: &str, headers: &HeaderMap, body: &Value) -> Option<String> {
        let shape = self.operation.input_shape()?;
        shape.members.get(RESOURCE)?;
        let (said, _) = self.gather(shape, query, headers, body);
        Some(spelt_arn(said.get(RESOURCE)?.as_str()?))
    }

    /// The request's members as they were given, within bounds or not.
    pub(crate) fn said(
        &self,
        query: &str,
        headers: &HeaderMap,
        body: &Value,
    ) -> Map<String, Value> {
        let shape = self.operation.input_shape();
        shape.map_or_else(Map::new, |shape| self.gather(shape, query, headers, body).0)
    }

    /// The members from where they stand, and what is wrong with the first that cannot be read.
    fn gather(
        &self,
        shape: &Shape,
        query: &str,
        headers: &HeaderMap,
        body: &Value,
    ) -> (Map<String, Value>, Option<Refusal>) {
        let query = pairs(query);
        let mut said = Map::new();
        let mut fault = None;
        for (name, member) in &shape.members {
            let called = member.called.as_deref().unwrap_or(name);
            let value = match member.place {
                None => Ok(body.get(name).cloned()),
                Some(Where::Path) => Ok(self.path.get(called).cloned().map(Value::String)),
                Some(Where::Header) => match headers.get(called).map(|value| value.to_str()) {
                    None => Ok(None),
                    Some(Ok(text)) => Ok(Some(Value::String(text.to_owned()))),
                    Some(Err(_)) => Err("must be a header of plain text"),
                },
                Some(Where::Query) => asked(&MODEL, member, called, &query),
            };
            match value {
                Ok(Some(value)) => {
                    said.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(rule) => fault = fault.or_else(|| Some(refuse(name, rule))),
            }
        }
        (said, fault)
    }
}

/// The member that names what bears tags.
const RESOURCE: &str = "ResourceARN";

impl Operation {
    /// What a request of it may say.
    pub(crate) fn input_shape(&self) -> Option<&'static Shape> {
        MODEL.shape(self.input.as_deref()?)
    }

    /// The members of a request that has them all in its body, each within its bounds.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub(crate) fn read_body(&self, body: Value) -> Result<Value, Refusal> {
        match self.input_shape() {
            Some(shape) => MODEL.check(shape, "", body),
            None => Ok(Value::Object(Map::new())),
        }
    }
}

/// A member that stands in the query: once, or as often as its list has members.
fn asked(
    model: &Model,
    member: &Member,
    called: &str,
    query: &[(String, String)],
) -> Result<Option<Value>, &'static str> {
    let mut given = query
        .iter()
        .filter(|(name, _)| name == called)
        .map(|(_, value)| value.as_str());
    let kind = model.shape(&member.shape).map(|shape| shape.kind);
    if kind == Some(Kind::List) {
        let all: Vec<Value> = given.map(|text| Value::String(text.to_owned())).collect();
        return Ok((!all.is_empty()).then_some(Value::Array(all)));
    }
    let Some(text) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err("is there twice");
    }
    Ok(Some(match kind {
        Some(Kind::Integer) => text
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| "must be a whole number")?,
        Some(Kind::Boolean) => text
            .parse::<bool>()
            .map(Value::Bool)
            .map_err(|_| "must be true or false")?,
        _ => Value::String(text.to_owned()),
    }))
}
