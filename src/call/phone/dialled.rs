//! What a Request-URI asks for: the prompt, a meeting id, or nothing of ours.

use std::net::IpAddr;

use wire::sip::{Host, Message, Scheme, Uri};

use super::border::{Config, Dialled};
use crate::ending::Cause;
use crate::transaction::{Flow, Transport};

/// Reads what a request is for.
///
/// A host that is none of ours is 404, as a user agent answers an address that it does not serve (RFC 3261
/// §8.2.2.1): nothing is relayed. With Max-Forwards 0 it is 483; for ourselves that value means nothing (RFC 4475
/// §3.3.11). `sips:` over a clear transport is 416, as is any scheme but `sip:` and `sips:`.
pub(super) fn dialled(config: &Config, flow: Flow, request: &Message) -> Result<Dialled, Cause> {
    let text = request.request_uri().ok_or(Cause::BadRequest)?;
    let uri = Uri::parse(text).map_err(|_| Cause::BadRequest)?;
    match uri.scheme {
        Scheme::Sip => {}
        Scheme::Sips if flow.transport == Transport::Tls => {}
        _ => return Err(Cause::BadScheme),
    }
    if !is_ours(config, flow, &uri.host) {
        let spent = matches!(request.headers.max_forwards(), Ok(Some(0)));
        return Err(if spent {
            Cause::TooManyHops
        } else {
            Cause::RelayDenied
        });
    }
    if let Some(user) = user_of(&uri) {
        return of_user(&user);
    }
    // Some devices dial the host and leave what was keyed in To.
    let to = request.headers.to().map_err(|_| Cause::BadRequest)?.uri;
    match user_of(&to).filter(|_| to.scheme.is_sip() && is_ours(config, flow, &to.host)) {
        Some(user) => of_user(&user),
        None => Ok(Dialled::Prompt),
    }
}

fn of_user(user: &str) -> Result<Dialled, Cause> {
    if user.eq_ignore_ascii_case("u") {
        return Ok(Dialled::Prompt);
    }
    let digits = user.bytes().all(|byte| byte.is_ascii_digit());
    if digits && matches!(user.len(), 10 | 13) {
        return Ok(Dialled::MeetingId(user.to_owned()));
    }
    Err(Cause::UnknownTarget)
}

/// The user, without user parameters (`;phone-context=…`); `None` when absent or empty.
fn user_of(uri: &Uri) -> Option<String> {
    let user = uri.user_plain()?;
    let user = user.split(';').next().unwrap_or_default();
    (!user.is_empty()).then(|| user.to_owned())
}

/// Whether a host is this node.
pub(super) fn is_ours(config: &Config, flow: Flow, host: &Host) -> bool {
    // Nobody but this machine can mean this machine by that name.
    let local = matches!(host, Host::Name(name) if name.eq_ignore_ascii_case("localhost"));
    if local && flow.peer.ip().to_canonical().is_loopback() {
        return true;
    }
    let same = |ip: &IpAddr, other: IpAddr| ip.to_canonical() == other.to_canonical();
    config.domains.iter().any(|domain| domain.matches(host))
        || host.ip().is_some_and(|ip| {
            same(&flow.local.ip(), ip) || config.addresses.iter().any(|own| same(own, ip))
        })
}
