//! Browser signaling: one WebSocket per browser, between it and the node's desk.
//!
//! The join token comes as a second WebSocket sub-protocol, for a browser cannot set headers. A bad
//! token is let through the upgrade: only the exchange can tell the SDK, in a frame it understands.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use call::admit::SignalRefusal;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};

use super::Shared;
use super::api::{self, ApiError};
use crate::node::desk::{Handle, SignalLink, SignalOut};

/// The sub-protocol of the SDK; what else is offered beside it is the join token.
const PROTOCOL: &str = "_aws_wt_session";

/// Octets of one frame. An offer with 25 videos has some 40 KiB.
const MAX_FRAME: usize = 128 * 1024;

/// A browser sends a ping every 10 s; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// For one frame to be taken by a slow browser's connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The close code for "come again" (the SDK reconnects on 4500 to 4599).
const TRY_AGAIN: u16 = 4503;

pub(super) async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(meeting): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let error = ApiError::new(
                StatusCode::BAD_REQUEST,
                "BadRequestException",
                format!("this is a WebSocket: {}", rejection.body_text()),
            );
            return api::refuse(&shared.control, error);
        }
    };
    let token = token(&headers);
    let admission = match &token {
        Some(token) => shared.control.admit(&meeting, token).await,
        None => Err(SignalRefusal::BadToken),
    };
    let result = if admission.is_ok() {
        "admitted"
    } else {
        "refused"
    };
    metrics::counter!("campanile_signaling_connections_total", "result" => result).increment(1);
    let desk = shared.control.desk.clone();
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |socket| async move {
            match desk.open_signal(peer, admission).await {
                Ok(link) => converse(socket, link, desk).await,
                Err(_gone) => {
                    let (sink, _) = socket.split();
                    close(sink, TRY_AGAIN, "the server is going down").await;
                }
            }
        })
}

/// The offered sub-protocol that is not the SDK's own.
fn token(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .find(|offered| !offered.is_empty() && *offered != PROTOCOL)
        .map(str::to_owned)
}

async fn converse(socket: WebSocket, link: SignalLink, desk: Handle) {
    let SignalLink { conn, outgoing } = link;
    let (sink, stream) = socket.split();
    // When either side is done the connection is.
    tokio::select! {
        () = listen(stream, conn, &desk) => {}
        () = speak(sink, outgoing) => {}
    }
    // A desk that is gone needs no word.
    let _ = desk.signal_closed(conn).await;
}

async fn listen(mut stream: SplitStream<WebSocket>, conn: call::exchange::ConnId, desk: &Handle) {
    loop {
        let bytes = match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(Message::Binary(bytes)))) => Vec::from(bytes),
            // Text is no frame; the desk finds nothing readable in it, and says so.
            Ok(Some(Ok(Message::Text(text)))) => Vec::from(Bytes::from(text)),
            // Pings are answered by the reader itself.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Close(_))) | None) => return,
            Ok(Some(Err(error))) => {
                tracing::debug!(?conn, %error, "signaling connection");
                return;
            }
            Err(_) => {
                tracing::debug!(?conn, "the browser has gone silent");
                return;
            }
        };
        if desk.signal_frame(conn, bytes).await.is_err() {
            return;
        }
    }
}

async fn speak(
    mut sink: SplitSink<WebSocket, Message>,
    mut outgoing: tokio::sync::mpsc::Receiver<SignalOut>,
) {
    while let Some(out) = outgoing.recv().await {
        match out {
            SignalOut::Frame(bytes) => {
                let sending = sink.send(Message::Binary(bytes.into()));
                if !matches!(tokio::time::timeout(PATIENCE, sending).await, Ok(Ok(()))) {
                    return;
                }
            }
            SignalOut::Close { code, reason } => return close(sink, code, &reason).await,
        }
    }
    // The desk let go without a word: the browser did not read fast enough, or the node goes down.
    close(sink, TRY_AGAIN, "try again").await;
}

async fn close(mut sink: SplitSink<WebSocket, Message>, code: u16, reason: &str) {
    // RFC 6455 §5.5: a control frame holds 125 octets, two of them the code.
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let frame = CloseFrame {
        code,
        reason: reason.get(..end).unwrap_or_default().into(),
    };
    let closing = async {
        sink.send(Message::Close(Some(frame))).await?;
        sink.flush().await
    };
    // A browser that does not take it loses the connection all the same.
    let _ = tokio::time::timeout(PATIENCE, closing).await;
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_token_is_the_protocol_that_is_not_the_sdks() {
        let mut headers = HeaderMap::new();
        assert_eq!(token(&headers), None);
        headers.insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("_aws_wt_session"),
        );
        assert_eq!(token(&headers), None);
        headers.append(
            "sec-websocket-protocol",
            HeaderValue::from_static(" abc#content"),
        );
        assert_eq!(token(&headers).as_deref(), Some("abc#content"));
        headers.insert(
            "sec-websocket-protocol",
            HeaderValue::from_static("_aws_wt_session, abc"),
        );
        assert_eq!(token(&headers).as_deref(), Some("abc"));
    }
}
