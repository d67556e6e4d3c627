//! Local administration over a Unix socket: whoever may open the socket is the administrator.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::body::Bytes;
use axum::extract::{Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::Shared;
use super::api::{self, meetings};
use crate::control::{Caller, Refusal};
use crate::store::{AccessKey, Meeting};

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
        .route("/keys", get(keys))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                Json(json!({"Message": "no such operation"})),
            )
        })
        .with_state(shared)
}

async fn create(State(shared): State<Shared>, body: Bytes) -> Response {
    let said = match body.as_ref() {
        [] => Ok(json!({})),
        bytes => serde_json::from_slice::<Value>(bytes),
    };
    let Ok(said) = said else {
        return answer(Err(Refusal::Invalid {
            field: "the body".to_owned(),
            rule: "must be JSON".to_owned(),
        }));
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

async fn keys(State(shared): State<Shared>) -> Response {
    let control = &shared.control;
    let found = control
        .store
        .access_keys(&control.deployment.account_id)
        .await;
    answer(found.map_err(Refusal::from).map(|keys| {
        let listed: Vec<Value> = keys.iter().map(key).collect();
        json!({"AccessKeys": listed})
    }))
}

/// A key without its secret: that is given out once, when it is made.
fn key(key: &AccessKey) -> Value {
    let stamp = |ms: i64| {
        jiff::Timestamp::from_millisecond(ms)
            .unwrap_or_default()
            .to_string()
    };
    json!({
        "AccessKeyId": key.access_key_id,
        "UserName": key.user_name,
        "Status": if key.revoked_ms.is_some() { "Inactive" } else { "Active" },
        "CreateDate": stamp(key.created_ms),
    })
}

fn administrator(shared: &Shared) -> Caller {
    Caller {
        account_id: shared.control.deployment.account_id.clone(),
        user_name: "administrator".to_owned(),
    }
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
