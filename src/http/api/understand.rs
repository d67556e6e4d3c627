//! Reading a request without performing it.

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::Value;

use super::model::{MODEL, told};
use super::{ApiError, cbor, query, read_json};
use crate::control::Refusal;

/// A request as it was understood.
#[derive(Clone, PartialEq, Debug)]
pub struct Understood {
    /// The operation's name.
    pub operation: String,
    /// Its members, each within the bounds of the API's model.
    pub members: Value,
    /// The same without secrets, as logs and the audit trail tell it.
    pub masked: Value,
}

/// What a request asks for; `None` where method and path mean nothing. Nobody is asked who sends it, and nothing
/// is done.
///
/// # Errors
/// The body is no JSON, or the first member that breaks a rule.
pub fn understand(
    method: &str,
    path: &str,
    query: &str,
    body: &[u8],
) -> Option<Result<Understood, Refusal>> {
    let routed = MODEL.route(method, path, query)?;
    let body = match read_json(&Bytes::copy_from_slice(body)) {
        Ok(body) => body,
        Err(error) => {
            return Some(Err(Refusal::Invalid {
                field: String::new(),
                rule: error.message,
            }));
        }
    };
    let members = match routed.read(query, &HeaderMap::new(), &body) {
        Ok(members) => members,
        Err(refusal) => return Some(Err(refusal)),
    };
    let masked = told(routed.operation.input.as_deref(), &members);
    Some(Ok(Understood {
        operation: routed.operation.name.clone(),
        members,
        masked,
    }))
}

/// What a form in the query protocol asks CloudWatch for: the operation's name, and its members as JSON has them, not yet
/// held against the model.
///
/// # Errors
/// It names no operation, or has a parameter twice or one of another operation.
pub fn understand_form(form: &[u8]) -> Result<(&'static str, Value), ApiError> {
    query::understand(form)
}

/// A body in CBOR (Smithy RPC v2) as JSON.
///
/// # Errors
/// It is no CBOR, or has what JSON has not.
pub fn read_cbor(body: &[u8]) -> Result<Value, ApiError> {
    cbor::read(body)
}

/// JSON as an answer in CBOR says it where the model says nothing else.
#[must_use]
pub fn write_cbor(value: &Value) -> Vec<u8> {
    cbor::octets(None, value)
}
