//! Errors under the names that the service has for them.

use axum::http::StatusCode;

use crate::control::Refusal;
use crate::http::api::ApiError;
use crate::http::api::sigv4::BadSignature;
use crate::http::query::Fault;

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

    pub(super) fn fault(&self) -> Fault<'_> {
        Fault {
            status: self.status,
            code: self.code,
            message: &self.message,
        }
    }
}

impl From<ApiError> for StsError {
    fn from(error: ApiError) -> Self {
        let code = error.exception.strip_suffix("Exception");
        Self::new(error.status, code.unwrap_or(error.exception), error.message)
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
