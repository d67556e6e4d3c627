//! The HTTPS listener: API operations, browser signaling, the page; and the admin and health listeners.
//!
//! One host serves all: `/signal/…` is a WebSocket, `/join` and `/client-events` are the page's, `/`
//! and `/meet/…` the page itself; everything else is the signed API, or the token service, or nothing.

#[cfg(test)]
mod access_tests;
pub mod admin;
pub mod api;
mod audit;
mod body;
mod caller;
mod client_events;
pub mod health;
mod join;
mod page;
mod query;
mod serve;
mod signal;
#[cfg(test)]
mod socket_tests;
mod sts;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::ApiError;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use call::admit::GuessLimiter;

pub(crate) use caller::ACCOUNT;
pub use serve::{Patience, serve, serve_plain, serve_unix};

use crate::config::Limits;
use crate::control::{Control, Refusal};

/// What all requests share. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Shared {
    control: Control,
    guesses: Arc<Mutex<GuessLimiter>>,
    page_policy: HeaderValue,
    most_body: usize,
}

impl Shared {
    /// What requests to this control plane share, within these limits.
    #[must_use]
    pub fn new(control: Control, limits: &Limits) -> Self {
        let allowed = usize::try_from(limits.joins_per_minute).unwrap_or(usize::MAX);
        Self {
            guesses: Arc::new(Mutex::new(GuessLimiter::new(allowed, MINUTE, MOST_SOURCES))),
            page_policy: page::content_security_policy(control.place.public.as_deref()),
            most_body: limits.http_body,
            control,
        }
    }

    fn guesses(&self) -> MutexGuard<'_, GuessLimiter> {
        // Its state is whole even if a thread died holding it.
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came<'a> {
    pub(crate) parts: &'a Parts,
    /// Nothing where it is `broken`.
    pub(crate) body: &'a Bytes,
    /// Why its body cannot be had: too large, too slow, cut off. There is no telling who sent it then.
    pub(crate) broken: Option<ApiError>,
}

/// Everything on the HTTPS listener. Serve it with [`serve()`], which tells it who asks.
pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/signal/{meeting}", get(signal::answer))
        .route("/join", post(join::answer))
        .route(
            "/client-events",
            post(client_events::answer).options(client_events::preflight),
        )
        .method_not_allowed_fallback(everything_else)
        .fallback(everything_else)
        .with_state(shared)
        .layer(axum::middleware::map_response(said_when))
}

/// Tells clients that are asked to come back when that is (RFC 9110 §10.2.3), where nobody has.
async fn said_when(mut response: Response) -> Response {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let headers = response.headers_mut();
        headers.entry(header::RETRY_AFTER).or_insert(SOON);
    }
    response
}

/// Seconds: tokens of who asks too fast come back every second, and a database that restarts may do so any moment.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// The page's files for browsers, the API for everybody else.
async fn everything_else(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, rest) = request.into_parts();
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    // Whoever signs means the API, and a signature may stand in the query as well.
    let query = parts.uri.query().unwrap_or_default();
    let signed =
        header(header::AUTHORIZATION).is_some() || api::sigv4::claim_of_query(query).is_some();
    if !signed {
        let known = header(header::IF_NONE_MATCH);
        if let Some(file) =
            page::answer(&parts.method, parts.uri.path(), known, &shared.page_policy)
        {
            return file;
        }
    }
    let (body, broken) = body::read_or_why(rest, shared.most_body).await;
    finished(async move {
        let control = &shared.control;
        // Without a body a request still shows whose clients' errors it is to be answered with.
        let came = Came {
            parts: &parts,
            body: &body,
            broken,
        };
        if sts::SERVICE.is_meant(&parts, &body) {
            sts::answer(control, came).await
        } else if api::CLOUDWATCH.is_meant(&parts, &body) {
            api::answer_query(control, came).await
        } else if api::is_cbor(&parts) {
            api::answer_cbor(control, came).await
        } else if api::is_targeted(&parts) {
            api::answer_targeted(control, came).await
        } else {
            api::answer(control, came).await
        }
    })
    .await
}

/// Answers in a task of its own: a client that hangs up must not leave a call half done, or done and not in the audit
/// trail.
async fn finished(answering: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(answering).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request was not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is performed, or that it took too long: then others have waited long enough for the connection that it holds.
async fn in_time<T, E: From<Refusal>>(
    performing: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(LONGEST, performing).await {
        Ok(done) => done,
        Err(_) => {
            let why = "the request took too long; parts of it may have been done";
            Err(Refusal::Unavailable(why.to_owned()).into())
        }
    }
}

/// How long a request may take: shorter than the minute that most clients wait for their answer.
const LONGEST: Duration = Duration::from_secs(40);

/// The window in which wrong PINs are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// Sources whose wrong PINs are remembered at once.
const MOST_SOURCES: usize = 10_000;
