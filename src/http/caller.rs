//! Who sends a request, by its signature, and what else is known of it for policies to look at.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};

use super::api::sigv4::{self, BadSignature, Received};
use crate::control::access::{self, Context, NoKey};
use crate::control::{Caller, Control, Refusal, now_ms};

/// Why it is not known who sends a request.
#[derive(Debug)]
pub(super) enum Unidentified {
    /// The signature, or the key that it names.
    Signature(BadSignature),
    /// The temporary credentials have ended.
    Expired,
    /// Ours.
    Failed(Refusal),
}

impl From<BadSignature> for Unidentified {
    fn from(bad: BadSignature) -> Self {
        Self::Signature(bad)
    }
}

/// The process at the other end of the administration socket, in the extensions of its requests. Nothing that a request
/// says makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    /// Whose process it is.
    pub(super) uid: u32,
}

/// Who signed the request for that service, or asks by the administration socket.
pub(super) async fn identify(
    control: &Control,
    parts: &Parts,
    body: &Bytes,
    service: &str,
) -> Result<Caller, Unidentified> {
    if let Some(caller) = local(control, parts) {
        return Ok(caller);
    }
    // A signature in a header goes before one in the query, which then is no more than a parameter.
    let query = parts.uri.query().unwrap_or_default();
    let presigned = match parts.headers.contains_key(header::AUTHORIZATION) {
        true => None,
        false => sigv4::claim_of_query(query),
    };
    let claim = presigned.unwrap_or_else(|| sigv4::claim(&parts.headers))?;
    let token = match parts.headers.get(SESSION_TOKEN) {
        None => claim.token(),
        Some(token) => Some(token.to_str().map_err(|_| BadSignature::UnknownKey)?),
    };
    let now = now_ms();
    let key = access::usable_key(&control.store, &claim.access_key_id, token, now)
        .await
        .map_err(|error| Unidentified::Failed(error.into()))?
        .map_err(|why| match why {
            NoKey::Unknown => BadSignature::UnknownKey.into(),
            NoKey::Expired => Unidentified::Expired,
        })?;
    let received = Received {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    claim.verify(
        received,
        key.secret_access_key().expose(),
        service,
        now / 1000,
    )?;
    if key.unnoted {
        control.note_access_key_used(claim.access_key_id, now);
    }
    key.caller()
        .map_err(|error| Unidentified::Failed(error.into()))
}

/// Who asks by the administration socket.
pub(super) fn local(control: &Control, parts: &Parts) -> Option<Caller> {
    let local = parts.extensions.get::<Local>()?;
    Some(Caller::local(&control.deployment.account_id, local.uid))
}

/// The caller in the account that its request names, which is its own where it names none.
pub(super) async fn acting(
    control: &Control,
    parts: &Parts,
    caller: Caller,
) -> Result<Caller, Refusal> {
    let mut named = parts.headers.get_all(ACCOUNT).iter();
    let Some(account) = named.next() else {
        return Ok(caller);
    };
    let account = account.to_str().ok().filter(|_| named.next().is_none());
    let account =
        account.ok_or_else(|| Refusal::invalid(ACCOUNT.as_str(), "must be one account's id"))?;
    control
        .act_in(&caller, account, &context(control, parts))
        .await
}

/// What conditions of policies may ask about a request.
pub(super) fn context(control: &Control, parts: &Parts) -> Context {
    let mut context = Context::new()
        .with("aws:SecureTransport", "true")
        .with("aws:RequestedRegion", control.place.region.clone());
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        context = context.with("aws:SourceIp", peer.ip().to_canonical().to_string());
    }
    for (key, name) in [
        ("aws:UserAgent", header::USER_AGENT),
        ("aws:Referer", header::REFERER),
    ] {
        if let Some(Ok(value)) = parts.headers.get(name).map(|value| value.to_str()) {
            context = context.with(key, value);
        }
    }
    context
}

/// Names the account that a request acts in, where that is not its caller's.
pub(crate) const ACCOUNT: HeaderName = HeaderName::from_static("x-campanile-account");

const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
