//! The signed API: rest-json, SigV4, errors as the AWS SDKs read them.

mod accounts;
mod cbor;
mod connectors;
mod dispatch;
mod error;
mod events;
mod figures;
mod input;
mod json;
mod logs;
pub(crate) mod meetings;
mod model;
mod numbers;
mod openapi;
mod ours;
mod page;
mod query;
mod rooms;
mod service;
pub mod sigv4;
mod understand;
mod users;

use std::time::Instant;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) use cbor::{answer as answer_cbor, is_meant as is_cbor};
use dispatch::Call;
pub use error::ApiError;
use input::Input;
pub(super) use json::answer as answer_targeted;
pub(super) use json::is_meant as is_targeted;
pub(crate) use model::HIDDEN;
use model::{MODEL, Operation, Routed, told};
use ours::Ours;
pub(super) use ours::shape as domain_shape;
use page::Pager;
pub(super) use query::{CLOUDWATCH, answer as answer_query};
use sigv4::BadSignature;
pub use understand::{Understood, understand};

use super::audit::{self, Asked, Known};
use super::caller::{context, identify};
use crate::control::{Caller, Control, Refusal};
use crate::store::Meeting;

/// The signing name of all the services whose shapes we answer in.
const SERVICE: &str = "chime";

/// What a request means that means nothing.
const UNKNOWN: &str = "unknown";

/// The header by which clients quote a request to support.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Answers one request of the API, whose body was read already.
pub(super) async fn answer(control: &Control, parts: &Parts, body: &Bytes) -> Response {
    let begun = Instant::now();
    if parts.method == "GET" && parts.uri.path() == openapi::PATH {
        return axum::Json(openapi::describe()).into_response();
    }
    let request_id = control.store.request_token().unwrap_or_default();
    let ours = Ours::route(parts);
    let routed = MODEL.route(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
    );
    let name = match (&ours, &routed) {
        (Some(ours), _) => ours.name(),
        (None, Some(routed)) => routed.operation.name.as_str(),
        (None, None) => UNKNOWN,
    };
    let mut known = Known::default();
    let done = perform(control, parts, body, (ours, routed), &mut known).await;
    let done = match name {
        UNKNOWN => done,
        name => kept(control, parts, (SERVICE, name, &request_id), known, done).await,
    };
    let mut response = match done {
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
    number(&mut response, &request_id);
    let status = response.status().as_u16();
    tracing::info!(operation = name, status, request_id, "api");
    metrics::counter!("campanile_api_requests_total", "operation" => name, "status" => status.to_string()).increment(1);
    metrics::histogram!("campanile_api_request_seconds", "operation" => name)
        .record(begun.elapsed());
    response
}

/// The same answer once the call is in the audit trail; without that there is no success.
async fn kept<T>(
    control: &Control,
    parts: &Parts,
    (service, name, request_id): (&str, &str, &str),
    known: Known,
    done: Result<T, ApiError>,
) -> Result<T, ApiError> {
    let refused = done.as_ref().err();
    let refused = refused.map(|error| (error.exception, error.message.as_str()));
    let asked = Asked {
        service,
        name,
        request_id,
    };
    audit::keep(control, parts, asked, known, refused).await?;
    done
}

/// An answer for a request whose body cannot be read.
pub(super) async fn refuse_body(control: &Control, parts: &Parts, error: ApiError) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let routed = MODEL.route(parts.method.as_str(), parts.uri.path(), query);
    let Some(routed) = routed else {
        return refuse(control, error);
    };
    let request_id = control.store.request_token().unwrap_or_default();
    let call = (SERVICE, routed.operation.name.as_str(), request_id.as_str());
    let done: Result<(), _> = kept(control, parts, call, Known::default(), Err(error)).await;
    let mut response = match done {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => error.into_response(&request_id),
    };
    number(&mut response, &request_id);
    response
}

/// Says the request's id.
fn number(response: &mut Response, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// An answer for what cannot be read so far as to be performed.
pub(super) fn refuse(control: &Control, error: ApiError) -> Response {
    let request_id = control.store.request_token().unwrap_or_default();
    let mut response = error.into_response(&request_id);
    number(&mut response, &request_id);
    response
}

async fn perform(
    control: &Control,
    parts: &Parts,
    body: &Bytes,
    (ours, routed): (Option<Ours>, Option<Routed<'_>>),
    known: &mut Known,
) -> Result<(StatusCode, Option<Value>), ApiError> {
    let caller = match authenticate(control, parts, body).await {
        Ok(caller) => caller,
        // A path that means nothing is told so even to a stranger.
        Err(error)
            if ours.is_none() && routed.is_none() && error == BadSignature::Missing.into() =>
        {
            return Err(unknown(parts));
        }
        Err(error) => return Err(error),
    };
    known.caller = Some(caller.clone());
    if !caller.may_ask_now(control) {
        let service = routed.as_ref().map_or(SERVICE, |r| &r.operation.service);
        return Err(ApiError::of(&Refusal::Throttled, service));
    }
    let host = control.place.host(host(parts));
    let allow = |name: &str, resource: &str| {
        let action = format!("{SERVICE}:{name}");
        control.authorize(&caller, &action, resource, &context(control, parts))
    };
    if let Some(ours) = ours {
        let name = ours.name();
        let resource = ours
            .resource()
            .map_or_else(|| "*".to_owned(), |named| arn(control, &caller, &named));
        let said = read_json(body);
        known.parameters = ours.told(said.as_ref().ok());
        known.resource = Some(resource.clone());
        allow(name, &resource)?;
        let answer = ours.perform(control, &caller, &said?, &host).await?;
        if !audit::reads(name) {
            known.elements = ours::told_answer(&answer);
        }
        return Ok((StatusCode::OK, Some(answer)));
    }
    let routed = routed.ok_or_else(|| unknown(parts))?;
    let operation = routed.operation;
    let query = parts.uri.query().unwrap_or_default();
    let body = read_json(body);
    let nothing = Value::Null;
    let said = body.as_ref().unwrap_or(&nothing);
    known.parameters = routed.told(query, &parts.headers, said);
    let offered = dispatch::noun(operation).zip(operation.status);
    let Some((noun, status)) = offered else {
        return Err(not_offered(operation));
    };
    let named = routed.resource().map(|named| arn(control, &caller, &named));
    let resource = named
        .or_else(|| routed.arn(query, &parts.headers, said))
        .unwrap_or_else(|| "*".to_owned());
    known.resource = Some(resource.clone());
    // Before its members are checked: who may not ask is not told what a good question would be.
    allow(&operation.name, &resource)?;
    let refused = |refusal: Refusal| match operation.path.as_str() {
        "/tags" => ApiError::of_tags(&refusal, &resource),
        _ => ApiError::of(&refusal, &operation.service),
    };
    let said = routed
        .read(query, &parts.headers, &body?)
        .map_err(refused)?;
    let (name, arn) = (operation.name.as_str(), caller.arn());
    tracing::debug!(operation = name, caller = arn, parameters = %known.parameters, "asked");
    let call = Call {
        control,
        caller: &caller,
        name: &operation.name,
        input: Input::new(&said),
        pager: Pager::new(
            &control.page_key,
            &caller.account_id,
            &operation.name,
            parts.uri.path(),
        ),
        host: &host,
    };
    let answer = call.perform(noun).await.map_err(refused)?;
    if !audit::reads(name) {
        known.elements = told(operation.output.as_deref(), &answer);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if status == StatusCode::NO_CONTENT {
        return Ok((status, None));
    }
    hold_to_model(operation, &answer);
    Ok((status, Some(answer)))
}

/// Says so where an answer is not what clients expect; in development builds.
fn hold_to_model(operation: &Operation, answer: &Value) {
    if cfg!(debug_assertions)
        && let Some(fault) = operation
            .output
            .as_deref()
            .and_then(|output| MODEL.fault(output, "", answer))
    {
        tracing::error!(
            operation = operation.name,
            fault,
            "an answer breaks the API's model"
        );
    }
}

fn not_offered(operation: &Operation) -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "UnsupportedOperationException",
        format!("{} is not offered by this server", operation.name),
    )
}

/// The ARN of a thing of the caller's account, as policies name it.
fn arn(control: &Control, caller: &Caller, named: &str) -> String {
    let region = &control.place.region;
    format!("arn:aws:{SERVICE}:{region}:{}:{named}", caller.account_id)
}

fn read_json(body: &Bytes) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))
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
    let routed = MODEL
        .route("POST", "/meetings", "")
        .ok_or_else(|| Refusal::Failed("the model has no CreateMeeting".to_owned()))?;
    let said = routed.read("", &HeaderMap::new(), &full)?;
    let asked = meetings::new_meeting(caller, &Input::new(&said))?;
    let (meeting, _) = control.create_meeting(asked, &[]).await?;
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
