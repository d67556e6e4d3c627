//! Operations of services whose requests name them: what is the same whether they are written in JSON, CBOR or XML.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::dispatch::{self, Call};
use super::input::Input;
use super::model::{MODEL, Operation, told};
use super::page::Pager;
use super::{ApiError, Known, UNKNOWN, hold_to_model, host, kept, logs, not_offered, number};
use crate::control::{Caller, Control, Refusal};
use crate::http::caller::{acting, context, identify};
use crate::http::{Came, audit, in_time};

/// A service by its name in the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// In the scope of signatures, and before `.amazonaws.com` in the audit trail.
    pub(super) signing: &'static str,
    /// Whether it spoke the query protocol once, whose clients know errors by other names.
    pub(super) was_query: bool,
}

const SERVICES: [Service; 3] = [
    Service {
        name: "cloudtrail",
        signing: "cloudtrail",
        was_query: false,
    },
    Service {
        name: "logs",
        signing: "logs",
        was_query: false,
    },
    Service {
        name: "cloudwatch",
        signing: "monitoring",
        was_query: true,
    },
];

impl Service {
    pub(super) fn named(name: &str) -> Option<Self> {
        SERVICES.into_iter().find(|service| service.name == name)
    }
}

/// A request and what came of it, before that is written as its client reads it.
#[derive(Debug)]
pub(super) struct Answered {
    begun: Instant,
    pub(super) request_id: String,
    /// The operation's.
    pub(super) name: &'static str,
    /// The name of the answer's shape, if the operation is known.
    pub(super) output: Option<&'static str>,
    was_query: bool,
    pub(super) done: Result<Value, ApiError>,
}

/// Answers one request: that operation if it is known, with the members that `read` finds once it is known who asks;
/// else the error.
pub(super) async fn answered(
    control: &Control,
    came: Came<'_>,
    operation: Result<(Service, &'static Operation), ApiError>,
    read: impl FnOnce(&Operation) -> Result<Value, ApiError>,
) -> Answered {
    let begun = Instant::now();
    let request_id = control.store.request_token().unwrap_or_default();
    let found = operation.as_ref().ok().copied();
    let name = found.map_or(UNKNOWN, |(_, operation)| operation.name.as_str());
    let done = match operation {
        Ok((service, operation)) => {
            let mut known = Known::default();
            let asked = (service, operation);
            let request = (came.parts, came.body);
            let done = match came.broken {
                None => in_time(perform(control, request, asked, read, &mut known)).await,
                Some(error) => Err(error),
            };
            let call = (service.signing, name, request_id.as_str());
            kept(control, came.parts, call, known, done).await
        }
        Err(unknown) => Err(unknown),
    };
    if let Err(error) = &done {
        tracing::debug!(operation = name, error = error.exception, message = %error.message, request_id, "refused");
    }
    Answered {
        begun,
        request_id,
        name,
        output: found.and_then(|(_, operation)| operation.output.as_deref()),
        was_query: found.is_some_and(|(service, _)| service.was_query),
        done,
    }
}

impl Answered {
    /// The answer's body as JSON has it, whether it went well or not.
    pub(super) fn body(&self) -> (StatusCode, Value) {
        match &self.done {
            Ok(answer) => (StatusCode::OK, answer.clone()),
            Err(error) => {
                let body = json!({"__type": error.exception, "message": error.message});
                (error.status, body)
            }
        }
    }

    /// Sends the answer off as it was written: with the request's number, counted and said.
    pub(super) fn sent(self, mut response: Response) -> Response {
        if let Err(error) = &self.done
            && self.was_query
        {
            name_as_query(response.headers_mut(), error);
        }
        number(&mut response, &self.request_id);
        measure(self.name, response.status(), &self.request_id, self.begun);
        response
    }
}

/// Performs one request. Its body is read once it is known who sends it: a stranger's costs no memory.
async fn perform(
    control: &Control,
    (parts, body): (&Parts, &Bytes),
    (service, operation): (Service, &Operation),
    read: impl FnOnce(&Operation) -> Result<Value, ApiError>,
    known: &mut Known,
) -> Result<Value, ApiError> {
    let refused = |refusal: Refusal| of(&refusal, service);
    let caller = identify(control, parts, body, service.signing)
        .await
        .map_err(|why| client_fault(why.into()))?;
    known.caller = Some(caller.clone());
    if !caller.may_ask_now(control) {
        return Err(refused(Refusal::Throttled));
    }
    let caller = acting(control, parts, caller).await.map_err(refused)?;
    known.caller = Some(caller.clone());
    let said = read(operation);
    if let Ok(said) = &said {
        known.parameters = told(operation.input.as_deref(), said);
    }
    let Some(noun) = dispatch::noun(operation) else {
        return Err(not_offered(operation));
    };
    let resource = resource(control, &caller, service, said.as_ref().ok());
    let action = format!("{}:{}", service.name, operation.name);
    control
        .authorize(&caller, &action, &resource, &context(control, parts))
        .map_err(refused)?;
    let said = operation.read_body(said?).map_err(refused)?;
    let list = list(&said);
    let host = control.place.host(host(parts));
    let call = Call {
        control,
        caller: &caller,
        name: &operation.name,
        input: Input::new(&said),
        pager: Pager::new(
            &control.page_key,
            &caller.account_id,
            &operation.name,
            &list,
        ),
        host: &host,
    };
    let answer = call.perform(noun).await.map_err(refused)?;
    if !audit::reads(&operation.name) {
        known.elements = told(operation.output.as_deref(), &answer);
    }
    hold_to_model(operation, &answer);
    Ok(answer)
}

/// What is asked, but for where its page begins and how long it is: a page's token is good for the same question only.
fn list(said: &Value) -> String {
    let mut said = said.clone();
    if let Some(said) = said.as_object_mut() {
        for name in [
            "NextToken",
            "nextToken",
            "MaxResults",
            "MaxDatapoints",
            "limit",
            "startFromHead",
        ] {
            said.remove(name);
        }
    }
    said.to_string()
}

/// What the operation is about, as policies name it.
fn resource(control: &Control, caller: &Caller, service: Service, said: Option<&Value>) -> String {
    if service.name != "logs" {
        return "*".to_owned();
    }
    let region = &control.place.region;
    let text = |name| said.and_then(|said| said.get(name)).and_then(Value::as_str);
    let group = said.and_then(logs::named).unwrap_or_default();
    let stream = text("logStreamName").unwrap_or_default();
    let account = &caller.account_id;
    format!("arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}")
}

/// The operation that a target names, and its service.
pub(super) fn find(target: &str) -> Option<(Service, &'static Operation)> {
    let operation = MODEL.targeted(target)?;
    Some((Service::named(&operation.service)?, operation))
}

/// A refusal under the names that a service has for it.
fn of(refusal: &Refusal, service: Service) -> ApiError {
    let (status, exception) = match refusal {
        Refusal::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
        ),
        Refusal::Failed(_) if service.name == "logs" => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServiceUnavailableException",
        ),
        Refusal::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        Refusal::LimitExceeded(_) if service.name == "cloudwatch" => (
            StatusCode::BAD_REQUEST,
            "InvalidParameterCombinationException",
        ),
        Refusal::Throttled => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        Refusal::Forbidden { .. } => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
        Refusal::Invalid { field, .. } => (StatusCode::BAD_REQUEST, invalid(service, field)),
        Refusal::NotFound(_) => (StatusCode::BAD_REQUEST, "ResourceNotFoundException"),
        Refusal::NotOffered(_) => (StatusCode::BAD_REQUEST, "UnsupportedOperationException"),
        _ => (StatusCode::BAD_REQUEST, "ValidationException"),
    };
    ApiError::new(status, exception, refusal.to_string())
}

fn invalid(service: Service, field: &str) -> &'static str {
    let field = field.split('.').next().unwrap_or_default();
    match (service.name, field) {
        ("cloudtrail", "LookupAttributes") => "InvalidLookupAttributesException",
        ("cloudtrail", "StartTime" | "EndTime") => "InvalidTimeRangeException",
        ("cloudtrail", "MaxResults") => "InvalidMaxResultsException",
        ("cloudtrail", "NextToken") => "InvalidNextTokenException",
        ("cloudtrail", "EventCategory") => "InvalidEventCategoryException",
        ("logs", _) => "InvalidParameterException",
        ("cloudwatch", _) => "InvalidParameterValueException",
        _ => "ValidationException",
    }
}

/// These services answer 400 where it is the signature as well.
fn client_fault(error: ApiError) -> ApiError {
    match error.status.is_client_error() {
        true => ApiError {
            status: StatusCode::BAD_REQUEST,
            ..error
        },
        false => error,
    }
}

/// Counts an answer and says that there was one.
fn measure(name: &'static str, status: StatusCode, request_id: &str, begun: Instant) {
    let status = status.as_u16();
    tracing::info!(operation = name, status, request_id, "api");
    metrics::counter!("campanile_api_requests_total", "operation" => name, "status" => status.to_string()).increment(1);
    metrics::histogram!("campanile_api_request_seconds", "operation" => name)
        .record(begun.elapsed());
}

/// Names an error as clients of the query protocol know it, too.
fn name_as_query(headers: &mut HeaderMap, error: &ApiError) {
    let whose = match error.status.is_server_error() {
        true => "Receiver",
        false => "Sender",
    };
    if let Ok(value) = HeaderValue::from_str(&format!("{};{whose}", query_code(error))) {
        headers.insert(QUERY_ERROR, value);
    }
}

/// An error's name in the query protocol.
pub(super) fn query_code(error: &ApiError) -> &'static str {
    let name = error.exception;
    name.strip_suffix("Exception").unwrap_or(name)
}

const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
