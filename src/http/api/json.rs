//! Services in JSON 1.1: everything is a POST, a header names the operation, the body has all members.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{ApiError, service};
use crate::control::Control;
use crate::http::Came;

/// Whether a request is one of these.
pub(crate) fn is_meant(parts: &Parts) -> bool {
    parts.method == Method::POST && parts.headers.contains_key(TARGET)
}

/// Answers one.
pub(crate) async fn answer(control: &Control, came: Came<'_>) -> Response {
    let body = came.body;
    let target = came.parts.headers.get(TARGET);
    let target = target.and_then(|target| target.to_str().ok());
    let found = target.and_then(service::find).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "X-Amz-Target names no operation of this API",
        )
    });
    let answered = service::answered(control, came, found, |_| read(body)).await;
    let (status, body) = answered.body();
    let kind = HeaderValue::from_static("application/x-amz-json-1.1");
    let response = (status, [(CONTENT_TYPE, kind)], body.to_string()).into_response();
    answered.sent(response)
}

fn read(body: &Bytes) -> Result<Value, ApiError> {
    let wrong = |why: String| ApiError::new(StatusCode::BAD_REQUEST, "SerializationException", why);
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|error| wrong(format!("the body is not JSON: {error}")))
}

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
