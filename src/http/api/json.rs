//! Services in JSON 1.1: everything is a POST, a header names the operation, the body has all members.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::service;
use super::{ApiError, Known, UNKNOWN, kept, number};
use crate::control::Control;

/// Whether a request is one of these.
pub(crate) fn is_meant(parts: &Parts) -> bool {
    parts.method == Method::POST && parts.headers.contains_key(TARGET)
}

/// Answers one.
pub(crate) async fn answer(control: &Control, parts: &Parts, body: &Bytes) -> Response {
    let begun = Instant::now();
    let request_id = control.store.request_token().unwrap_or_default();
    let target = parts
        .headers
        .get(TARGET)
        .and_then(|target| target.to_str().ok());
    let target = target.unwrap_or_default();
    let found = service::find(target);
    let name = found.map_or(UNKNOWN, |(_, operation)| operation.name.as_str());
    let done = match found {
        Some((service, operation)) => {
            let mut known = Known::default();
            let done = service::perform(
                control,
                (parts, body),
                (service, operation),
                read(body),
                &mut known,
            )
            .await;
            let call = (service.signing, name, request_id.as_str());
            kept(control, parts, call, known, done).await
        }
        None => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            "X-Amz-Target names no operation of this API",
        )),
    };
    let mut headers = HeaderMap::new();
    let (status, body) = match done {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => {
            tracing::debug!(operation = name, error = error.exception, message = %error.message, request_id, "refused");
            if found.is_some_and(|(service, _)| service.was_query) {
                service::name_as_query(&mut headers, &error);
            }
            let body = json!({"__type": error.exception, "message": error.message});
            (error.status, body)
        }
    };
    let kind = (
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    let mut response = (status, [kind], body.to_string()).into_response();
    response.headers_mut().extend(headers);
    number(&mut response, &request_id);
    service::measure(name, status, &request_id, begun);
    response
}

fn read(body: &Bytes) -> Result<Value, ApiError> {
    let wrong = |why: String| ApiError::new(StatusCode::BAD_REQUEST, "SerializationException", why);
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|error| wrong(format!("the body is not JSON: {error}")))
}

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
