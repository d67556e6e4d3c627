//! Answers and errors as clients of the query protocol read them.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use super::xml::Xml;
use crate::control::Refusal;
use crate::http::api::sigv4::BadSignature;

/// An answer that is not the one asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StsError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl StsError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

impl From<Refusal> for StsError {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::Forbidden { .. } => (StatusCode::FORBIDDEN, "AccessDenied"),
            Refusal::BadPolicy(_) => (StatusCode::BAD_REQUEST, "MalformedPolicyDocument"),
            Refusal::Throttled => (StatusCode::BAD_REQUEST, "Throttling"),
            Refusal::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Refusal::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
            _ => (StatusCode::BAD_REQUEST, "ValidationError"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

impl From<BadSignature> for StsError {
    fn from(bad: BadSignature) -> Self {
        let (status, code) = match &bad {
            BadSignature::Missing => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            BadSignature::Incomplete(_) => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
            BadSignature::UnknownKey => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            _ => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        };
        Self::new(status, code, bad.to_string())
    }
}

/// The answer of that action.
pub(super) fn response(action: &str, done: Result<Xml, StsError>, request_id: &str) -> Response {
    let (status, document) = match done {
        Ok(result) => {
            let about = Xml::new().leaf("RequestId", request_id);
            let answer = Xml::new()
                .within(&format!("{action}Result"), &result)
                .within("ResponseMetadata", &about);
            let name = format!("{action}Response");
            (StatusCode::OK, answer.document(&name, NAMESPACE))
        }
        Err(error) => {
            let whose = if error.status.is_server_error() {
                "Receiver"
            } else {
                "Sender"
            };
            let told = Xml::new()
                .leaf("Type", whose)
                .leaf("Code", error.code)
                .leaf("Message", &error.message);
            let answer = Xml::new()
                .within("Error", &told)
                .leaf("RequestId", request_id);
            (error.status, answer.document("ErrorResponse", NAMESPACE))
        }
    };
    let mut response = (status, document).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
