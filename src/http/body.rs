//! Reading a request's body within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::api::ApiError;

/// The whole body.
///
/// # Errors
/// 413 above `most` octets, 408 when it takes too long, 400 when it breaks off.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            format!("the body has more than {most} octets"),
        )
    };
    // What its head announces as too large is not waited for.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let reading = Limited::new(body, most).collect();
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::bad_request(format!(
            "the body broke off: {error}"
        ))),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "RequestTimeoutException",
            "the body did not come in time",
        )),
    }
}

/// The whole body, or none and why not.
pub(super) async fn read_or_why(body: Body, most: usize) -> (Bytes, Option<ApiError>) {
    match read(body, most).await {
        Ok(body) => (body, None),
        Err(error) => (Bytes::new(), Some(error)),
    }
}

/// For a whole body to come.
const PATIENCE: Duration = Duration::from_secs(30);
