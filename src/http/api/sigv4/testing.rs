//! Signed requests, for tests of what lies behind the signature.

use axum::body::Body;
use axum::http::Request;

use super::Signer;
use crate::store::AccessKey;

/// A request as a client of `key` would send it at `now` (seconds since the epoch).
pub(crate) fn sign(
    key: &AccessKey,
    now: i64,
    method: &str,
    path_and_query: &str,
    body: &str,
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path_and_query)
        .header("host", "localhost")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let signer = Signer {
        access_key_id: &key.access_key_id,
        secret_access_key: key.secret_access_key.expose(),
        session_token: None,
        region: "us-east-1",
        service: "chime",
    };
    signer.sign(now, &mut request, body.as_bytes()).unwrap();
    request
}
