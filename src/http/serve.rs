//! Accepting connections: TLS, HTTP/1, bounds on numbers, sizes and times, and leaving in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::caller::Local;

/// What a listener puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Open connections; more are closed as they come.
    pub connections: usize,
    /// For the TLS handshake, and again for the head of each request.
    pub head: Duration,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Remote(SocketAddr),
    Local(Local),
}

/// Serves HTTPS with the TLS settings of each moment until `shutdown`, then lets running requests end for a few seconds.
///
/// Connections that became WebSockets are not waited for: their owner ends them.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    let connections = Arc::new(Semaphore::new(patience.connections));
    let tasks = TaskTracker::new();
    while let Some((stream, peer)) = next(&shutdown, || listener.accept()).await {
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            metrics::counter!("campanile_http_connections_refused_total").increment(1);
            continue;
        };
        // Signaling frames are small and urgent.
        let _ = stream.set_nodelay(true);
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        let (router, shutdown) = (router.clone(), shutdown.clone());
        tasks.spawn(async move {
            match tokio::time::timeout(patience.head, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    converse(stream, router, patience, Peer::Remote(peer), &shutdown).await;
                }
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
            drop(permit);
        });
    }
    finish(&tasks).await;
}

/// Serves plain HTTP: liveness, readiness, metrics.
pub async fn serve_plain(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    while let Some((stream, peer)) = next(&shutdown, || listener.accept()).await {
        if tasks.len() >= patience.connections {
            continue;
        }
        let (router, shutdown) = (router.clone(), shutdown.clone());
        tasks.spawn(async move {
            converse(stream, router, patience, Peer::Remote(peer), &shutdown).await;
        });
    }
    finish(&tasks).await;
}

/// Serves HTTP on a Unix socket: local administration.
pub async fn serve_unix(
    listener: UnixListener,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    while let Some((stream, _)) = next(&shutdown, || listener.accept()).await {
        let uid = match stream.peer_cred() {
            Ok(peer) => peer.uid(),
            Err(error) => {
                tracing::warn!(%error, "nobody knows who opened the administration socket");
                continue;
            }
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        let peer = Peer::Local(Local { uid });
        tasks.spawn(async move { converse(stream, router, patience, peer, &shutdown).await });
    }
    finish(&tasks).await;
}

/// The next connection; `None` when it is time to go. A failure to accept, such as too many open
/// files, passes: it is no reason to stop listening.
async fn next<T, A>(shutdown: &CancellationToken, mut accept: impl FnMut() -> A) -> Option<T>
where
    A: Future<Output = std::io::Result<T>>,
{
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return None,
            accepted = accept() => accepted,
        };
        match accepted {
            Ok(connection) => return Some(connection),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse<S>(
    stream: S,
    router: Router,
    patience: Patience,
    peer: Peer,
    shutdown: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        match peer {
            Peer::Remote(peer) => drop(extensions.insert(ConnectInfo(peer))),
            Peer::Local(local) => drop(extensions.insert(local)),
        }
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router
                    .oneshot(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Garbage was answered 400 where an answer was possible.
        metrics::counter!("campanile_http_connections_broken_total").increment(1);
        tracing::debug!(?peer, %error, "connection");
    }
}

async fn finish(tasks: &TaskTracker) {
    tasks.close();
    if tokio::time::timeout(LAST_REQUESTS, tasks.wait())
        .await
        .is_err()
    {
        tracing::debug!(open = tasks.len(), "connections were left open");
    }
}

/// Headers of one request.
const MAX_HEADERS: usize = 100;

/// Octets of a request's head.
const MAX_HEAD: usize = 32 * 1024;

/// Octets of a connection's read buffer, at most.
const MAX_BUFFER: usize = 64 * 1024;

/// For requests that run when it is time to go.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
