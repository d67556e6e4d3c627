//! The HTTPS listener on a real socket: TLS, garbage, bounds, WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_util::sync::CancellationToken;

use super::tests::{Server, server};
use super::*;
use crate::node::desk::{SignalOut, ToDesk};

struct Listening {
    port: u16,
    client: Arc<rustls::ClientConfig>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn listen(server: &Server, patience: Patience) -> Listening {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = CancellationToken::new();
    let serving = serve(
        listener,
        watch::Sender::new(Arc::new(tls)).subscribe(),
        server.router.clone(),
        patience,
        shutdown.clone(),
    );
    Listening {
        port,
        client: Arc::new(client),
        shutdown,
        task: tokio::spawn(serving),
    }
}

impl Listening {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.client))
            .connect(name, tcp)
            .await
            .unwrap()
    }

    /// What comes back for these octets until the server closes.
    async fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(octets).await.unwrap();
        let _ = stream.flush().await;
        let mut answer = Vec::new();
        // A server that closes without saying so in TLS is still one that answered.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn websocket(
        &self,
        meeting: &str,
        protocols: &str,
    ) -> (WebSocketStream<TlsStream<TcpStream>>, Option<HeaderValue>) {
        let mut request =
            format!("wss://localhost/signal/{meeting}?X-Chime-Control-Protocol-Version=3")
                .into_client_request()
                .unwrap();
        let offered = HeaderValue::from_str(protocols).unwrap();
        request
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
        let (socket, response) = tokio_tungstenite::client_async(request, self.connect().await)
            .await
            .unwrap();
        (
            socket,
            response
                .headers()
                .get(header::SEC_WEBSOCKET_PROTOCOL)
                .cloned(),
        )
    }
}

const PATIENCE: Patience = Patience {
    connections: 16,
    head: Duration::from_secs(5),
};

#[tokio::test]
async fn garbage_is_answered_400_or_closed_and_the_next_request_served() {
    let server = server().await;
    let listening = listen(&server, PATIENCE).await;
    for garbage in [
        "\0\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        let answer = listening.exchange(garbage.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 "),
            "{garbage:?}: {answer:?}"
        );
    }
    // Not even TLS.
    let mut plain = TcpStream::connect(("127.0.0.1", listening.port))
        .await
        .unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = plain.read_to_end(&mut Vec::new()).await;
    let answer = listening
        .exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.contains("content-security-policy"), "{answer}");
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_refused() {
    let server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "a: b\r\n".repeat(200)
    );
    assert!(
        listening
            .exchange(many.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let large = format!(
        "GET / HTTP/1.1\r\nHost: a\r\na: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(
        listening
            .exchange(large.as_bytes())
            .await
            .starts_with("HTTP/1.1 431 ")
    );
}

/// Not after the patience for bodies, in which the test would end.
#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_not_waited_for() {
    let server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let head = b"POST /accounts HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\nContent-Length: 999999999\r\n\r\n";
    let mut stream = listening.connect().await;
    stream.write_all(head).await.unwrap();
    let mut answer = [0; 12];
    let reading = stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("an answer before the body")
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    let server = server().await;
    let short = Patience {
        head: Duration::from_millis(100),
        ..PATIENCE
    };
    let listening = listen(&server, short).await;
    // The answer ends although nothing more is sent.
    listening.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n").await;
    let mut silent = TcpStream::connect(("127.0.0.1", listening.port))
        .await
        .unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let server = server().await;
    let one = Patience {
        connections: 1,
        ..PATIENCE
    };
    let listening = listen(&server, one).await;
    let first = listening.connect().await;
    let mut second = TcpStream::connect(("127.0.0.1", listening.port))
        .await
        .unwrap();
    assert_eq!(
        second
            .read_to_end(&mut Vec::new())
            .await
            .unwrap_or_default(),
        0
    );
    drop(first);
}

#[tokio::test]
async fn signaling_frames_pass_in_both_directions_and_the_desk_can_close() {
    let mut server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let (id, token) = server.place().await;
    let (mut browser, selected) = listening
        .websocket(&id, &format!("_aws_wt_session, {token}"))
        .await;
    assert_eq!(selected.unwrap(), "_aws_wt_session");
    let Some(ToDesk::SignalOpened {
        conn,
        admission,
        outgoing,
        ..
    }) = server.desk.recv().await
    else {
        panic!()
    };
    let admitted = admission.unwrap();
    assert_eq!(
        (admitted.meeting.id.as_str(), admitted.content),
        (id.as_str(), false)
    );
    browser.send(Message::binary(vec![5, 1, 2])).await.unwrap();
    let Some(ToDesk::SignalFrame { conn: from, bytes }) = server.desk.recv().await else {
        panic!()
    };
    assert_eq!((from, bytes), (conn, vec![5, 1, 2]));
    outgoing.send(SignalOut::Frame(vec![5, 9])).await.unwrap();
    assert_eq!(
        browser.next().await.unwrap().unwrap(),
        Message::binary(vec![5, 9])
    );
    let reason = "ended".to_owned();
    outgoing
        .send(SignalOut::Close { code: 4410, reason })
        .await
        .unwrap();
    let Message::Close(Some(close)) = browser.next().await.unwrap().unwrap() else {
        panic!()
    };
    assert_eq!(
        (u16::from(close.code), close.reason.as_str()),
        (4410, "ended")
    );
    assert!(
        matches!(server.desk.recv().await, Some(ToDesk::SignalClosed { conn: gone }) if gone == conn)
    );
}

#[tokio::test]
async fn a_wrong_token_passes_the_upgrade_and_reaches_the_desk_as_a_refusal() {
    let mut server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let (id, token) = server.place().await;
    for (protocols, meeting) in [
        ("_aws_wt_session, wrong".to_owned(), id.as_str()),
        (format!("_aws_wt_session, {token}"), "another"),
    ] {
        let (_browser, selected) = listening.websocket(meeting, &protocols).await;
        assert_eq!(selected.unwrap(), "_aws_wt_session");
        let opened = loop {
            match server.desk.recv().await {
                Some(ToDesk::SignalOpened { admission, .. }) => break admission,
                Some(_) => {}
                None => panic!(),
            }
        };
        assert_eq!(opened, Err(call::admit::SignalRefusal::BadToken));
    }
}

#[tokio::test]
async fn an_oversized_frame_ends_its_connection_only() {
    let mut server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let (id, token) = server.place().await;
    let protocols = format!("_aws_wt_session, {token}");
    let (mut browser, _) = listening.websocket(&id, &protocols).await;
    assert!(matches!(
        server.desk.recv().await,
        Some(ToDesk::SignalOpened { .. })
    ));
    let _ = browser.send(Message::binary(vec![5; 200_000])).await;
    assert!(matches!(
        server.desk.recv().await,
        Some(ToDesk::SignalClosed { .. })
    ));
    let (_next, _) = listening.websocket(&id, &protocols).await;
    assert!(matches!(
        server.desk.recv().await,
        Some(ToDesk::SignalOpened { .. })
    ));
}

#[tokio::test]
async fn a_browser_whose_queue_the_desk_gave_up_is_told_to_come_again() {
    let mut server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let (id, token) = server.place().await;
    let (mut browser, _) = listening
        .websocket(&id, &format!("_aws_wt_session, {token}"))
        .await;
    let Some(ToDesk::SignalOpened { outgoing, .. }) = server.desk.recv().await else {
        panic!()
    };
    drop(outgoing);
    let Message::Close(Some(close)) = browser.next().await.unwrap().unwrap() else {
        panic!()
    };
    assert!((4500..4600).contains(&u16::from(close.code)));
}

#[tokio::test]
async fn a_plain_request_for_signaling_is_told_that_it_is_a_websocket() {
    let server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let answer = listening
        .exchange(b"GET /signal/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("this is a WebSocket"),
        "{answer}"
    );
}

#[tokio::test]
async fn shutting_down_closes_idle_connections_and_returns() {
    let server = server().await;
    let listening = listen(&server, PATIENCE).await;
    let mut idle = listening.connect().await;
    idle.write_all(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 16];
    idle.read_exact(&mut some).await.unwrap();
    listening.shutdown.cancel();
    listening.task.await.unwrap();
    assert!(
        TcpStream::connect(("127.0.0.1", listening.port))
            .await
            .is_err()
    );
}
