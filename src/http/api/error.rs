//! Errors as API clients read them: a status, the exception's name in a header, code and text in the body.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::sigv4::BadSignature;
use crate::control::Refusal;
use crate::control::access::NoKey;
use crate::http::caller::Unidentified;

/// An answer that is not the one asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The exception's name; the body's `Code` is the same without `Exception`.
    pub exception: &'static str,
    /// For people.
    pub message: String,
}

impl ApiError {
    /// An error of that status and name.
    pub fn new(status: StatusCode, exception: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            exception,
            message: message.into(),
        }
    }

    /// A request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    /// The answer, with the request's id in header and body. Name and text stand there twice: as the services of this
    /// API write them, and as those in JSON 1.1 do, for clients that know the other form.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Response {
        let code = self
            .exception
            .strip_suffix("Exception")
            .unwrap_or(self.exception);
        let body = json!({
            "Code": code,
            "Message": self.message,
            "RequestId": request_id,
            "__type": self.exception,
            "message": self.message,
        })
        .to_string();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.exception));
        response
    }
}

impl ApiError {
    /// A refusal under the names that a service has for it.
    #[must_use]
    pub fn of(refusal: &Refusal, service: &str) -> Self {
        let meetings = service == "chime-sdk-meetings";
        let (status, exception) = match refusal {
            Refusal::Invalid { .. } | Refusal::NotOffered(_) | Refusal::BadPolicy(_) => {
                (StatusCode::BAD_REQUEST, "BadRequestException")
            }
            Refusal::Forbidden { .. } => (StatusCode::FORBIDDEN, "AccessDeniedException"),
            Refusal::NotFound(_) => (StatusCode::NOT_FOUND, "NotFoundException"),
            Refusal::Ended => (StatusCode::GONE, "NotFoundException"),
            Refusal::Conflict(_) => (StatusCode::CONFLICT, "ConflictException"),
            Refusal::NotAllowed(_) => (StatusCode::FORBIDDEN, "ForbiddenException"),
            Refusal::Unprocessable(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "UnprocessableEntityException",
            ),
            Refusal::LimitExceeded(_) if meetings => {
                (StatusCode::BAD_REQUEST, "LimitExceededException")
            }
            Refusal::LimitExceeded(_) => {
                (StatusCode::BAD_REQUEST, "ResourceLimitExceededException")
            }
            Refusal::Throttled if meetings => {
                (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException")
            }
            Refusal::Throttled => (StatusCode::TOO_MANY_REQUESTS, "ThrottledClientException"),
            Refusal::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
            ),
            Refusal::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailureException"),
        };
        Self::new(status, exception, refusal.to_string())
    }
}

impl ApiError {
    /// A refusal of an operation on the tags of what that ARN names: one operation here, but that of several services
    /// to their clients, whose errors they know.
    #[must_use]
    pub fn of_tags(refusal: &Refusal, arn: &str) -> Self {
        if arn.contains(":vc/") {
            return Self::of(refusal, "chime-sdk-voice");
        }
        let error = Self::of(refusal, "chime-sdk-meetings");
        let exception = match refusal {
            Refusal::NotFound(_) | Refusal::Ended => "ResourceNotFoundException",
            Refusal::LimitExceeded(_) => "TooManyTagsException",
            _ => error.exception,
        };
        Self { exception, ..error }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::of(&refusal, "chime-sdk-meetings")
    }
}

impl From<BadSignature> for ApiError {
    fn from(bad: BadSignature) -> Self {
        Self::new(StatusCode::FORBIDDEN, bad.exception(), bad.to_string())
    }
}

impl From<Unidentified> for ApiError {
    fn from(why: Unidentified) -> Self {
        match why {
            Unidentified::Signature(bad) => bad.into(),
            Unidentified::Expired => Self::new(
                StatusCode::FORBIDDEN,
                "ExpiredTokenException",
                NoKey::Expired.to_string(),
            ),
            Unidentified::Failed(refusal) => refusal.into(),
        }
    }
}

/// The header by which clients find the exception's class.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
