//! Local administration over a Unix socket: whoever may open the socket is the administrator.

mod access;
mod domains;
mod objects;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::body::Bytes;
use axum::extract::{Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::Shared;
use super::api::{self, meetings};
use crate::control::{Caller, Refusal};
use crate::store::Meeting;

/// The socket's name in the run folder.
pub const SOCKET: &str = "admin.sock";

/// Binds the socket, mode 0600, in place of one that a dead server left. The folder must be the
/// server's alone, for otherwise somebody could open the socket before its mode is set.
///
/// # Errors
/// What the file system says.
pub fn bind(run_folder: &Path) -> io::Result<UnixListener> {
    let path = run_folder.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The operations of `campanile admin`.
pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/meetings", get(list).post(create))
        .route("/meetings/{meeting}", delete(end))
        .route("/access/{operation}", post(access))
        .route("/domains/{operation}", post(domains))
        .route("/buckets", get(objects::buckets))
        .route("/objects", get(objects::list))
        .route("/object", get(objects::get))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                Json(json!({"Message": "no such operation"})),
            )
        })
        .with_state(shared)
}

async fn create(State(shared): State<Shared>, body: Bytes) -> Response {
    let said = match read(&body) {
        Ok(said) => said,
        Err(refusal) => return answer(Err(refusal)),
    };
    let host = shared.control.place.host(None);
    answer(api::open_meeting(&shared.control, &administrator(&shared), &said, &host).await)
}

async fn list(State(shared): State<Shared>) -> Response {
    let host = shared.control.place.host(None);
    let found = shared.control.list_meetings(&administrator(&shared)).await;
    answer(found.map(|found| {
        let listed: Vec<Value> = found
            .iter()
            .map(|meeting: &Meeting| api::invitation(&shared.control, meeting, &host))
            .collect();
        json!({"Meetings": listed})
    }))
}

async fn end(
    State(shared): State<Shared>,
    PathParameter(meeting): PathParameter<String>,
) -> Response {
    let ended = match meetings::meeting_id(&meeting) {
        Ok(id) => {
            shared
                .control
                .end_meeting(&administrator(&shared), &id)
                .await
        }
        Err(refusal) => Err(refusal),
    };
    answer(ended.map(|()| json!({"MeetingId": meeting})))
}

async fn access(
    State(shared): State<Shared>,
    PathParameter(operation): PathParameter<String>,
    body: Bytes,
) -> Response {
    answer(match read(&body) {
        Ok(said) => access::perform(&shared.control, &operation, &said).await,
        Err(refusal) => Err(refusal),
    })
}

async fn domains(
    State(shared): State<Shared>,
    PathParameter(operation): PathParameter<String>,
    body: Bytes,
) -> Response {
    answer(match read(&body) {
        Ok(said) => domains::perform(&shared.control, &operation, &said).await,
        Err(refusal) => Err(refusal),
    })
}

/// The parameters of an operation; none where nothing was sent.
fn read(body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| Refusal::Invalid {
        field: "the body".to_owned(),
        rule: "must be JSON".to_owned(),
    })
}

fn administrator(shared: &Shared) -> Caller {
    Caller::administrator(&shared.control.deployment.account_id)
}

fn answer(done: Result<Value, Refusal>) -> Response {
    match done {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => {
            let error = api::ApiError::from(refusal);
            (error.status, Json(json!({"Message": error.message}))).into_response()
        }
    }
}
