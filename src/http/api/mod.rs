//! The signed API: rest-json, SigV4, errors as the AWS SDKs read them.

mod error;
mod fields;
pub(crate) mod meetings;
mod route;
pub mod sigv4;

use std::time::Instant;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use error::ApiError;
use route::Operation;
use sigv4::BadSignature;

use super::caller::{context, identify};
use crate::control::{Caller, Control, Refusal};
use crate::store::Meeting;

/// The signing name of all the services whose shapes we answer in.
const SERVICE: &str = "chime";

/// The header by which clients quote a request to support.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers one request of the API, whose body was read already.
pub(super) async fn answer(control: &Control, parts: &Parts, body: &Bytes) -> Response {
    let begun = Instant::now();
    let request_id = control.store.request_token().unwrap_or_default();
    let operation = route::route(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
    );
    let name = operation.as_ref().map_or("unknown", Operation::name);
    let mut response = match perform(control, parts, body, operation).await {
        Ok((status, Some(body))) => {
            let json = (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            (status, [json], body.to_string()).into_response()
        }
        Ok((status, None)) => status.into_response(),
        Err(error) => {
            tracing::debug!(operation = name, error = error.exception, message = %error.message, request_id, "refused");
            error.into_response(&request_id)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    tracing::info!(operation = name, status, request_id, "api");
    metrics::counter!("campanile_api_requests_total", "operation" => name, "status" => status.to_string()).increment(1);
    metrics::histogram!("campanile_api_request_seconds", "operation" => name)
        .record(begun.elapsed());
    response
}

/// An answer for what cannot be read so far as to be performed.
pub(super) fn refuse(control: &Control, error: ApiError) -> Response {
    let request_id = control.store.request_token().unwrap_or_default();
    let mut response = error.into_response(&request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn perform(
    control: &Control,
    parts: &Parts,
    body: &Bytes,
    operation: Option<Operation>,
) -> Result<(StatusCode, Option<Value>), ApiError> {
    let caller = match (authenticate(control, parts, body).await, &operation) {
        (Ok(caller), _) => caller,
        // A path that means nothing is told so even to a stranger.
        (Err(error), None) if error == BadSignature::Missing.into() => return Err(unknown(parts)),
        (Err(error), _) => return Err(error),
    };
    let operation = operation.ok_or_else(|| unknown(parts))?;
    if let Operation::NotOffered(name) = operation {
        return Err(ApiError::new(
            StatusCode::NOT_IMPLEMENTED,
            "UnsupportedOperationException",
            format!("{name} is not offered by this server"),
        ));
    }
    let action = format!("{SERVICE}:{}", operation.name());
    let resource = operation.meeting().map_or("*".to_owned(), |meeting| {
        let region = &control.place.region;
        format!(
            "arn:aws:chime:{region}:{}:meeting/{meeting}",
            caller.account_id
        )
    });
    control.authorize(&caller, &action, &resource, &context(control, parts))?;
    let json: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))?
    };
    Ok(carry_out(control, &caller, parts, operation, &json).await?)
}

async fn carry_out(
    control: &Control,
    caller: &Caller,
    parts: &Parts,
    operation: Operation,
    body: &Value,
) -> Result<(StatusCode, Option<Value>), Refusal> {
    let host = control.place.host(host(parts));
    let shape = |meeting: &Meeting| meetings::meeting(meeting, &control.place, &host);
    let ok = |body: Value| Ok((StatusCode::OK, Some(body)));
    match operation {
        Operation::CreateMeeting => {
            let asked = meetings::new_meeting(caller, body)?;
            let (meeting, _) = control.create_meeting(asked, &[]).await?;
            ok(json!({"Meeting": shape(&meeting)}))
        }
        Operation::CreateMeetingWithAttendees => {
            let asked = meetings::new_meeting(caller, body)?;
            let wanted = meetings::new_attendees(body)?;
            let (meeting, attendees) = control.create_meeting(asked, &wanted).await?;
            let attendees: Vec<Value> = attendees.iter().map(meetings::attendee).collect();
            ok(json!({"Meeting": shape(&meeting), "Attendees": attendees, "Errors": []}))
        }
        Operation::GetMeeting { meeting } => {
            let meeting = control
                .get_meeting(caller, &meetings::meeting_id(&meeting)?)
                .await?;
            ok(json!({"Meeting": shape(&meeting)}))
        }
        Operation::DeleteMeeting { meeting } => {
            control
                .end_meeting(caller, &meetings::meeting_id(&meeting)?)
                .await?;
            Ok((StatusCode::NO_CONTENT, None))
        }
        Operation::CreateAttendee { meeting } => {
            let id = meetings::meeting_id(&meeting)?;
            let attendee = control
                .create_attendee(caller, &id, &meetings::new_attendee(body)?)
                .await?;
            ok(json!({"Attendee": meetings::attendee(&attendee)}))
        }
        Operation::OpenMeeting => ok(open_meeting(control, caller, body, &host).await?),
        Operation::ListMeetings => {
            let found = control.list_meetings(caller).await?;
            let listed: Vec<Value> = found
                .iter()
                .map(|meeting| invitation(control, meeting, &host))
                .collect();
            ok(json!({"Meetings": listed}))
        }
        Operation::ShowMeeting { meeting } => {
            let meeting = control
                .get_meeting(caller, &meetings::meeting_id(&meeting)?)
                .await?;
            ok(invitation(control, &meeting, &host))
        }
        Operation::NotOffered(name) => Err(Refusal::NotOffered(name.to_owned())),
    }
}

/// Makes a meeting from nothing but a name, and that may be missing too.
pub(super) async fn open_meeting(
    control: &Control,
    caller: &Caller,
    body: &Value,
    host: &str,
) -> Result<Value, Refusal> {
    let mut full = json!({
        "ClientRequestToken": control.store.request_token()?,
        "MediaRegion": control.place.region,
        "ExternalMeetingId": "meeting",
    });
    if let (Some(full), Some(said)) = (full.as_object_mut(), body.as_object()) {
        full.extend(
            said.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(k, v)| (k.clone(), v.clone())),
        );
    }
    let (meeting, _) = control
        .create_meeting(meetings::new_meeting(caller, &full)?, &[])
        .await?;
    Ok(invitation(control, &meeting, host))
}

/// How people come into a meeting.
pub(super) fn invitation(control: &Control, meeting: &Meeting, host: &str) -> Value {
    json!({
        "MeetingId": meeting.meeting_id,
        "ExternalMeetingId": meeting.asked.external_meeting_id,
        "Pin": meeting.pin,
        "DialString": control.place.dial_string(meeting),
        "JoinUrl": control.place.join_url(meeting, host),
        "CreatedTimestamp": jiff::Timestamp::from_millisecond(meeting.created_ms).unwrap_or_default().to_string(),
    })
}

async fn authenticate(control: &Control, parts: &Parts, body: &Bytes) -> Result<Caller, ApiError> {
    Ok(identify(control, parts, body, SERVICE).await?)
}

fn unknown(parts: &Parts) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "UnknownOperationException",
        format!(
            "{} {} is no operation of this API",
            parts.method,
            parts.uri.path()
        ),
    )
}

/// The Host of a request.
pub(super) fn host(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
}
