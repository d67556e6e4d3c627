//! A request as one object: what stands in its path, query and headers beside what its body says.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use super::check::refuse;
use super::route::pairs;
use super::{Kind, MODEL, Member, Model, Routed, Where};
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
        let model: &Model = &MODEL;
        let Some(shape) = self
            .operation
            .input
            .as_deref()
            .and_then(|name| model.shape(name))
        else {
            return Ok(Value::Object(Map::new()));
        };
        let body = body
            .as_object()
            .ok_or_else(|| refuse("", "must be a JSON object"))?;
        let query = pairs(query);
        let mut said = Map::new();
        for (name, member) in &shape.members {
            let called = member.called.as_deref().unwrap_or(name);
            let value = match member.place {
                None => body.get(name).cloned(),
                Some(Where::Path) => self.path.get(called).cloned().map(Value::String),
                Some(Where::Header) => match headers.get(called).map(|value| value.to_str()) {
                    None => None,
                    Some(Ok(text)) => Some(Value::String(text.to_owned())),
                    Some(Err(_)) => return Err(refuse(name, "must be a header of plain text")),
                },
                Some(Where::Query) => {
                    asked(model, member, called, &query).map_err(|rule| refuse(name, rule))?
                }
            };
            if let Some(value) = value {
                said.insert(name.clone(), value);
            }
        }
        model.check(shape, "", Value::Object(said))
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
