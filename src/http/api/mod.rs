//! The signed API: rest-json, SigV4, errors as the AWS SDKs read them.

mod access;
mod accounts;
mod beside;
mod cbor;
mod connectors;
mod dispatch;
mod error;
mod events;
mod facts;
mod figures;
mod input;
mod json;
mod logs;
pub(crate) mod meetings;
mod model;
mod numbers;
mod objects;
mod openapi;
mod ours;
mod owners;
mod page;
mod query;
mod rooms;
mod service;
pub mod sigv4;
mod understand;
mod users;

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
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
use page::Pager;
pub(super) use query::{CLOUDWATCH, answer as answer_query};
use sigv4::BadSignature;
pub use understand::{Understood, read_cbor, understand, understand_form, write_cbor};

use super::audit::{self, Asked, Known};
use super::caller::{Local, acting, context, identify, local};
use super::{Came, in_time};
use crate::control::{Caller, Control, Refusal};
use crate::store::PrincipalKind;

/// The signing name of all the services whose shapes we answer in.
const SERVICE: &str = "chime";

/// What a request means that means nothing.
const UNKNOWN: &str = "unknown";

/// The header by which clients quote a request to support.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const JSON: (HeaderName, HeaderValue) = typed("application/json");
const OCTETS: (HeaderName, HeaderValue) = typed("application/octet-stream");

const fn typed(kind: &'static str) -> (HeaderName, HeaderValue) {
    (header::CONTENT_TYPE, HeaderValue::from_static(kind))
}

/// What an operation has to say.
enum Answer {
    /// A status alone.
    Nothing(StatusCode),
    Json(StatusCode, Value),
    Octets(Body),
}

/// Answers one request of the API, whose body was read already.
pub(super) async fn answer(control: &Control, came: Came<'_>) -> Response {
    let (parts, body) = (came.parts, came.body);
    let begun = Instant::now();
    if parts.method == "GET" && parts.uri.path() == openapi::PATH {
        return ([JSON], openapi::document()).into_response();
    }
    let request_id = control.store.request_token().unwrap_or_default();
    let routed = MODEL.route(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
    );
    let operation = routed.as_ref().map(|routed| routed.operation);
    let name = operation.map_or(UNKNOWN, |operation| operation.name.as_str());
    let mut known = Known::default();
    let done = match came.broken {
        None => in_time(perform(control, parts, body, routed, &mut known)).await,
        Some(error) => {
            known.caller = local(control, parts);
            Err(error)
        }
    };
    let done = match operation.map(Operation::action) {
        None => done,
        Some((service, called)) => {
            let call = (service, called, request_id.as_str());
            kept(control, parts, call, known, done).await
        }
    };
    let mut response = match done {
        Ok(Answer::Json(status, body)) => (status, [JSON], body.to_string()).into_response(),
        Ok(Answer::Octets(body)) => ([OCTETS], body).into_response(),
        Ok(Answer::Nothing(status)) => status.into_response(),
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
    routed: Option<Routed<'_>>,
    known: &mut Known,
) -> Result<Answer, ApiError> {
    let caller = match identify(control, parts, body, SERVICE).await {
        Ok(caller) => caller,
        Err(error) => {
            let error = ApiError::from(error);
            // A path that means nothing is told so even to a stranger.
            return Err(
                match routed.is_none() && error == BadSignature::Missing.into() {
                    true => unknown(parts),
                    false => error,
                },
            );
        }
    };
    known.caller = Some(caller.clone());
    let service = routed.as_ref().map(|routed| &routed.operation.service);
    let service = service.map_or(SERVICE, String::as_str);
    let refused = |refusal: Refusal| ApiError::of(&refusal, service);
    if !caller.may_ask_now(control) {
        return Err(refused(Refusal::Throttled));
    }
    let caller = acting(control, parts, caller).await.map_err(refused)?;
    known.caller = Some(caller.clone());
    let host = control.place.host(host(parts));
    let routed = routed.as_ref().ok_or_else(|| unknown(parts))?;
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
    let resource = match routed.arn(query, &parts.headers, said) {
        Some(named) => named,
        None => resource(control, &caller, routed).await.map_err(refused)?,
    };
    known.resource = Some(resource.clone());
    // Before its members are checked: who may not ask is not told what a good question would be.
    let (service, called) = operation.action();
    let action = format!("{service}:{called}");
    let members = routed.said(query, &parts.headers, said);
    let of_all = context(control, parts);
    let context = facts::known(control, &caller, &members, &resource, of_all.clone());
    let context = context.await.map_err(refused)?;
    match operation.deployment {
        true => control.authorize_for_all(&caller, &action, &resource, &context),
        false => control.authorize(&caller, &action, &resource, &context),
    }
    .map_err(refused)?;
    let refused = |refusal: Refusal| match operation.path.as_str() {
        "/tags" => ApiError::of_tags(&refusal, &resource),
        _ => refused(refusal),
    };
    let said = routed
        .read(query, &parts.headers, &body?)
        .map_err(refused)?;
    let asked = beside::Asked {
        action: &action,
        resource: &resource,
        members: &members,
        context: &of_all,
    };
    let beside = beside::judge(control, &caller, routed, asked, &said);
    beside.await.map_err(refused)?;
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
    if !audit::reads(called) {
        audit::reserve(control, called).await.map_err(refused)?;
    }
    if operation.octets {
        return objects::octets(&call)
            .await
            .map(Answer::Octets)
            .map_err(refused);
    }
    let answer = call.perform(noun).await.map_err(refused)?;
    if !audit::reads(called) {
        known.elements = told(operation.output.as_deref(), &answer);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if status == StatusCode::NO_CONTENT {
        return Ok(Answer::Nothing(status));
    }
    hold_to_model(operation, &answer);
    Ok(Answer::Json(status, answer))
}

/// What a request is about, as policies name it: an ARN, or `*` for nothing in particular.
async fn resource(
    control: &Control,
    caller: &Caller,
    routed: &Routed<'_>,
) -> Result<String, Refusal> {
    let account = caller.account_id.as_str();
    let Some(template) = &routed.operation.resource else {
        let named = routed.resource();
        return Ok(named.map_or_else(|| "*".to_owned(), |named| arn(control, caller, &named)));
    };
    let mut arn = template.replace("{account}", account);
    if let Some(key) = routed.path.get("AccessKeyId") {
        // What is done to a key is done to its user.
        match control.own_key(account, key).await {
            Ok(key) => arn = arn.replace("{UserName}", &key.user_name),
            Err(Refusal::NotFound(_)) => return Ok("*".to_owned()),
            Err(error) => return Err(error),
        }
    }
    for (name, value) in &routed.path {
        let kind = match *name {
            "UserName" => Some(PrincipalKind::User),
            "RoleName" => Some(PrincipalKind::Role),
            _ => None,
        };
        // Names are found in any letters; policies tell them apart, and mean those that were given.
        let found = match kind {
            Some(kind) => control.store.principal(account, kind, value).await?,
            None => None,
        };
        let value = found.as_ref().map_or(value, |found| &found.name);
        arn = arn.replace(&format!("{{{name}}}"), value);
    }
    Ok(arn)
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

/// The Host of a request; one over the administration socket names none that anybody else could follow.
pub(super) fn host(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(header::HOST);
    host.filter(|_| parts.extensions.get::<Local>().is_none())
        .and_then(|value| value.to_str().ok())
}
