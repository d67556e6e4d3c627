//! `POST /join`: a visitor of the page gets a place in a meeting, by PIN or id, without signing anything.
//!
//! Knowing the PIN is the permission, so wrong ones are counted per source and soon refused.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use call::admit::Turn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, ApiError, meetings};
use super::{Shared, body, in_time};
use crate::control::Refusal;

/// What the page sends.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Join {
    /// PIN or meeting id.
    meeting: String,
    /// The visitor's name.
    name: String,
}

pub(super) async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> Response {
    let (parts, rest) = request.into_parts();
    let bytes = match body::read(rest, MOST).await {
        Ok(bytes) => bytes,
        Err(error) => return api::refuse(&shared.control, error),
    };
    let answer = match serde_json::from_slice::<Join>(&bytes) {
        Ok(join) => take_in(&shared, &parts, peer.ip(), &join)
            .await
            .map_err(ApiError::from),
        Err(error) => Err(ApiError::bad_request(format!(
            "the body must be {{\"Meeting\", \"Name\"}}: {error}"
        ))),
    };
    match answer {
        Ok(place) => (StatusCode::OK, [("cache-control", "no-store")], Json(place)).into_response(),
        // Wrong tries are forgotten a minute after the first.
        Err(error) if error.status == StatusCode::TOO_MANY_REQUESTS => {
            let refused = api::refuse(&shared.control, error);
            ([(header::RETRY_AFTER, "60")], refused).into_response()
        }
        Err(error) => api::refuse(&shared.control, error),
    }
}

async fn take_in(
    shared: &Shared,
    parts: &Parts,
    source: IpAddr,
    join: &Join,
) -> Result<Value, Refusal> {
    let source = network(source);
    if !may_try(shared, source).await {
        metrics::counter!("campanile_joins_total", "result" => "throttled").increment(1);
        return Err(Refusal::Throttled);
    }
    let control = &shared.control;
    // On its own, so that a request that is taken back before its answer has counted all the same.
    let found = tokio::spawn({
        let (shared, join) = (shared.clone(), join.clone());
        async move {
            let found = in_time(shared.control.visit(&join.meeting, &join.name)).await;
            let missed = matches!(found, Err(Refusal::NotFound(_) | Refusal::Ended));
            shared.guesses().answered(Instant::now(), source, missed);
            if missed {
                metrics::counter!("campanile_joins_total", "result" => "unknown").increment(1);
            }
            found
        }
    });
    let (meeting, attendee) = found
        .await
        .map_err(|error| Refusal::Failed(error.to_string()))??;
    metrics::counter!("campanile_joins_total", "result" => "ok").increment(1);
    let host = control.place.host(api::host(parts));
    Ok(json!({
        "JoinInfo": {
            "Meeting": meetings::meeting(&meeting, &control.place, &host),
            "Attendee": meetings::attendee(&attendee),
        },
        "DialIn": {
            "DialString": control.place.dial_string(&meeting),
            "Pin": meeting.pin,
            // With these, a phone bears the visitor's name.
            "PersonalId": attendee
                .dial_suffix
                .as_ref()
                .map(|suffix| format!("{}{suffix}", meeting.pin)),
        },
    }))
}

/// Whether the source may name a meeting now. Where its tries are all under way it waits for one to be answered.
async fn may_try(shared: &Shared, source: IpAddr) -> bool {
    for _ in 0..LOOKS {
        let turn = shared.guesses().ask(Instant::now(), source);
        match turn {
            Turn::Now => return true,
            Turn::Later => tokio::time::sleep(BETWEEN_LOOKS).await,
            Turn::Never => return false,
        }
    }
    false
}

/// One household or host has a whole /64 of IPv6 addresses.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// How often, and how far apart, who waits for its turn looks.
const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Octets of a request to join.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one_source() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
