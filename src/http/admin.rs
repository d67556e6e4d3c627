//! Local administration over a Unix socket: the operations of the API, unsigned, because whoever may open the socket is
//! the deployment's administrator.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::UnixListener;

use super::{Came, Shared, api, body, finished};

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

/// The operations of `campanile admin`. Serve it with [`super::serve_unix()`], which tells it whose process asks.
pub fn router(shared: Shared) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, rest) = request.into_parts();
    let (body, broken) = body::read_or_why(rest, shared.most_body).await;
    finished(async move {
        let came = Came {
            parts: &parts,
            body: &body,
            broken,
        };
        api::answer(&shared.control, came).await
    })
    .await
}
