//! The API described for machines (OpenAPI 3.1): what is offered, from the same model that requests are read by.

use std::sync::LazyLock;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use super::dispatch;
use super::model::{Kind, MODEL, Member, Operation, Shape, Where};

/// Where it is served, to anybody.
pub(super) const PATH: &str = "/campanile/openapi.json";

/// The description as it is served, made once: whoever asks for it need not be known.
pub(super) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| describe().to_string().into());
    DOCUMENT.clone()
}

/// The description. Operations that differ in their query or target only are told apart by it after a `#`.
fn describe() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut used = Vec::new();
    for operation in MODEL.operations() {
        if dispatch::noun(operation).is_none() {
            continue;
        }
        let mut path = operation.path.replace("+}", "}");
        if let Some(query) = &operation.query {
            path.push('#');
            path.push_str(query);
        }
        if let Some(target) = &operation.target {
            path.push('#');
            path.push_str(target);
        }
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(
                operation.method.to_ascii_lowercase(),
                described(operation, &mut used),
            );
        }
    }
    let mut schemas: Map<String, Value> = Map::new();
    while let Some(name) = used.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        if let Some(shape) = MODEL.shape(&name) {
            schemas.insert(name, schema(shape, &mut used));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "campanile",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The signed API (AWS Signature Version 4). The service name to sign for is \"chime\", and for operations with an X-Amz-Target that of their tag. Policies call an operation what its x-action says, or else \"chime:\" and its name. The signed header X-Campanile-Account names another account to act in; only callers of the deployment's own account may, whose policies allow sts:AssumeRoot on it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header"},
            },
        },
        "security": [{"sigv4": []}],
    })
}

fn described(operation: &Operation, used: &mut Vec<String>) -> Value {
    let mut parameters = Vec::new();
    let mut body = Map::new();
    let mut needed = Vec::new();
    let input = operation
        .input
        .as_deref()
        .and_then(|name| MODEL.shape(name));
    if let Some(input) = input {
        for (name, member) in &input.members {
            let required = input.required.contains(name);
            match member.place {
                Some(place) => parameters.push(parameter(name, member, place, required, used)),
                None => {
                    body.insert(name.clone(), reference(&member.shape, used));
                    if required {
                        needed.push(name.clone());
                    }
                }
            }
        }
    }
    if let Some((name, value)) = operation
        .query
        .as_deref()
        .and_then(|query| query.split_once('='))
    {
        parameters.push(json!({
            "name": name, "in": "query", "required": true, "schema": {"const": value},
        }));
    }
    if let Some(target) = &operation.target {
        parameters.push(json!({
            "name": "X-Amz-Target", "in": "header", "required": true, "schema": {"const": target},
        }));
    }
    let status = operation.status.unwrap_or(200);
    let mut good = json!({"description": "done"});
    if let Some(output) = operation.output.as_deref().filter(|_| status != 204)
        && let Some(good) = good.as_object_mut()
    {
        let content = json!({"application/json": {"schema": reference(output, used)}});
        good.insert("content".to_owned(), content);
    }
    if operation.octets {
        good["content"] = json!({"application/octet-stream": {}});
    }
    let mut described = json!({
        "operationId": operation.name,
        "tags": [operation.service],
        "responses": {status.to_string(): good, "default": {"description": "an error, named in x-amzn-ErrorType"}},
    });
    if let Some(action) = &operation.action {
        described["x-action"] = json!(action);
    }
    if operation.deployment {
        described["description"] = json!("For callers of the deployment's own account alone.");
    }
    if let Some(described) = described.as_object_mut() {
        if !parameters.is_empty() {
            described.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if !body.is_empty() {
            let mut object = json!({"type": "object", "properties": body});
            if let Some(object) = object.as_object_mut().filter(|_| !needed.is_empty()) {
                object.insert("required".to_owned(), json!(needed));
            }
            let content = json!({"content": {"application/json": {"schema": object}}});
            described.insert("requestBody".to_owned(), content);
        }
    }
    described
}

fn parameter(
    name: &str,
    member: &Member,
    place: Where,
    required: bool,
    used: &mut Vec<String>,
) -> Value {
    let place = match place {
        Where::Path => "path",
        Where::Query => "query",
        Where::Header => "header",
    };
    json!({
        "name": member.called.as_deref().unwrap_or(name),
        "in": place,
        "required": required,
        "schema": reference(&member.shape, used),
    })
}

fn reference(shape: &str, used: &mut Vec<String>) -> Value {
    used.push(shape.to_owned());
    json!({"$ref": format!("#/components/schemas/{shape}")})
}

fn schema(shape: &Shape, used: &mut Vec<String>) -> Value {
    let mut schema = Map::new();
    let mut put = |name: &str, value: Value| {
        schema.insert(name.to_owned(), value);
    };
    let kind = match shape.kind {
        Kind::Structure | Kind::Map => "object",
        Kind::List => "array",
        Kind::Timestamp if shape.epoch => "number",
        Kind::String | Kind::Timestamp => "string",
        Kind::Integer => "integer",
        Kind::Float => "number",
        Kind::Boolean => "boolean",
    };
    put("type", json!(kind));
    let (low, high) = match shape.kind {
        Kind::List => ("minItems", "maxItems"),
        Kind::String => ("minLength", "maxLength"),
        _ => ("minimum", "maximum"),
    };
    #[allow(clippy::cast_possible_truncation)] // bounds are whole numbers
    for (name, bound) in [(low, shape.min), (high, shape.max)] {
        if let Some(bound) = bound {
            put(name, json!(bound as i64));
        }
    }
    if !shape.words.is_empty() {
        put("enum", json!(shape.words));
    }
    if let Some(pattern) = &shape.pattern {
        put("pattern", json!(pattern.as_str()));
    }
    match shape.kind {
        Kind::Timestamp if !shape.epoch => put("format", json!("date-time")),
        Kind::List => {
            if let Some(member) = &shape.member {
                put("items", reference(member, used));
            }
        }
        Kind::Map => {
            if let Some(value) = &shape.value {
                put("additionalProperties", reference(value, used));
            }
        }
        Kind::Structure => {
            let members: Map<String, Value> = shape
                .members
                .iter()
                .map(|(name, member)| (name.clone(), reference(&member.shape, used)))
                .collect();
            put("properties", Value::Object(members));
            if !shape.required.is_empty() {
                put("required", json!(shape.required));
            }
        }
        _ => {}
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CAMPANILE_WRITE=1 cargo nextest run the_description` writes it anew.
    #[test]
    fn the_description_that_is_checked_in_is_the_one_that_is_served() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        let described = serde_json::to_string_pretty(&describe()).unwrap() + "\n";
        if std::env::var_os("CAMPANILE_WRITE").is_some() {
            std::fs::write(file, &described).unwrap();
        }
        let known = std::fs::read_to_string(file).unwrap();
        assert!(known == described, "docs/openapi.json is out of date");
    }

    #[test]
    fn the_description_is_made_once_however_often_it_is_asked_for() {
        let (one, other) = (document(), document());
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(serde_json::from_slice::<Value>(&one).unwrap(), describe());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let described = describe();
        let schemas = &described["components"]["schemas"];
        fn walk(value: &Value, schemas: &Value) {
            match value {
                Value::Object(object) => {
                    if let Some(name) = object.get("$ref").and_then(Value::as_str) {
                        let name = name.rsplit_once('/').unwrap().1;
                        assert!(schemas.get(name).is_some(), "{name}");
                    }
                    object.values().for_each(|value| walk(value, schemas));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(value, schemas)),
                _ => {}
            }
        }
        walk(&described, schemas);
    }
}
