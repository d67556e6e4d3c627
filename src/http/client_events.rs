//! The browser SDK's own reports: `POST /client-events` with a join token; counted by name.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::api::{self, ApiError};
use super::{Shared, body};

/// A browser asks whether another page's script may report here. Anyone's may: the token decides.
pub(super) async fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow(response.headers_mut());
    response
}

pub(super) async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, rest) = request.into_parts();
    let mut response = match receive(&shared, &parts.headers, rest).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => api::refuse(&shared.control, error),
    };
    allow(response.headers_mut());
    response
}

async fn receive(
    shared: &Shared,
    headers: &HeaderMap,
    rest: axum::body::Body,
) -> Result<(), ApiError> {
    let forbidden = || {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            "the join token is not valid",
        )
    };
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(forbidden)?;
    let token = token.strip_suffix("#content").unwrap_or(token);
    let found = shared.control.store.attendee_by_token(token).await;
    let attendee = found
        .map_err(crate::control::Refusal::from)?
        .ok_or_else(forbidden)?;
    let bytes = body::read(rest, MOST).await?;
    let report: Value = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))?;
    for name in names(&report) {
        // Names come from outside: only known ones may become labels.
        let label = KNOWN
            .iter()
            .find(|known| **known == name)
            .copied()
            .unwrap_or("other");
        metrics::counter!("campanile_client_events_total", "name" => label).increment(1);
        tracing::debug!(
            attendee_id = attendee.attendee_id,
            meeting_id = attendee.meeting_id,
            name = label,
            "client event"
        );
    }
    Ok(())
}

/// The names of the events in a report.
fn names(report: &Value) -> impl Iterator<Item = &str> {
    let events = report.get("events").and_then(Value::as_array);
    events
        .into_iter()
        .flatten()
        .filter_map(|event| event.get("payloads").and_then(Value::as_array))
        .flatten()
        .filter_map(|payload| payload.get("name").and_then(Value::as_str))
        .take(MOST_EVENTS)
}

fn allow(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Octets of one report.
const MOST: usize = 256 * 1024;

/// Events counted of one report.
const MOST_EVENTS: usize = 1000;

/// The events of the SDK.
const KNOWN: [&str; 18] = [
    "appStateChanged",
    "attendeePresenceReceived",
    "audioInputFailed",
    "audioInputSelected",
    "audioInputUnselected",
    "deviceLabelTriggerFailed",
    "meetingEnded",
    "meetingFailed",
    "meetingReconnected",
    "meetingStartFailed",
    "meetingStartRequested",
    "meetingStartSucceeded",
    "receivingAudioDropped",
    "sendingAudioFailed",
    "sendingAudioRecovered",
    "signalingDropped",
    "videoInputFailed",
    "videoInputSelected",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_names_of_a_report_are_found_and_rubbish_has_none() {
        let report = json!({"events": [{"type": "Meet", "payloads": [{"name": "meetingEnded", "ts": 1}, {"x": 1}]}, 7]});
        assert_eq!(names(&report).collect::<Vec<_>>(), ["meetingEnded"]);
        assert_eq!(names(&json!([1, 2])).count(), 0);
    }
}
