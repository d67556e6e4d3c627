//! SIP listeners: TLS, TCP and UDP sockets whose bytes become messages for the desk.
//!
//! A connection is a task that reads, and a task that writes from a bounded queue; a peer that does
//! not read its answers is disconnected rather than waited for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use call::exchange::{Flow, FlowId, Transport};
use call::transaction::{Due, KeepAlive};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use wire::sip::{Limits, Message, StreamItem, StreamReader};

use super::certificate::TlsSettings;
use super::desk::ToDesk;
use super::door::Door;

/// What a connection is told by the desk: what to write, how often to ping, and when to end.
struct Told {
    outgoing: mpsc::Sender<Vec<u8>>,
    queue: mpsc::Receiver<Vec<u8>>,
    keep: watch::Receiver<Option<Duration>>,
    closed: CancellationToken,
}

/// Where accepted SIP goes, and what all listeners share.
#[derive(Clone)]
pub(crate) struct Listeners {
    desk: mpsc::Sender<ToDesk>,
    stop: CancellationToken,
    door: Door,
    next_flow: Arc<AtomicU64>,
    patience: Patience,
}

impl Listeners {
    /// TCP and TLS connections come in by `door`.
    pub(crate) fn new(desk: mpsc::Sender<ToDesk>, stop: CancellationToken, door: Door) -> Self {
        Self {
            desk,
            stop,
            door,
            next_flow: Arc::new(AtomicU64::new(1)),
            patience: Patience::default(),
        }
    }

    /// Accepts connections until the node stops.
    pub(crate) async fn serve_stream(self, listener: TcpListener, tls: Option<TlsSettings>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to be freed instead of spinning.
                    tracing::warn!(%error, "cannot accept a SIP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let pass = match self.door.enter(peer.ip()) {
                Ok(pass) => pass,
                Err(full) => {
                    metrics::counter!("campanile_sip_connections_refused_total").increment(1);
                    tracing::warn!(%peer, %full, "the SIP connection is closed");
                    continue;
                }
            };
            let listeners = self.clone();
            let tls = tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(tls.borrow().clone()));
            tokio::spawn(async move {
                let _pass = pass;
                let Ok(local) = stream.local_addr() else {
                    return;
                };
                prepare(&stream);
                let transport = if tls.is_some() {
                    Transport::Tls
                } else {
                    Transport::Tcp
                };
                let flow = listeners.flow(transport, local, peer);
                match tls {
                    None => listeners.connection(flow, stream).await,
                    Some(acceptor) => {
                        match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
                            Ok(Ok(stream)) => listeners.connection(flow, stream).await,
                            Ok(Err(error)) => tracing::info!(%peer, %error, "TLS handshake failed"),
                            Err(_) => tracing::info!(%peer, "TLS handshake took too long"),
                        }
                    }
                }
            });
        }
    }

    /// Receives datagrams until the node stops. The listener is one flow: answers name their peer.
    pub(crate) async fn serve_datagrams(self, socket: UdpSocket) {
        let Ok(local) = socket.local_addr() else {
            return;
        };
        let listener = self.flow(Transport::Udp, local, local);
        let socket = Arc::new(socket);
        if self.announce_datagrams(listener, &socket).await {
            self.receive_datagrams(listener, &socket).await;
        }
    }

    /// Serves a UDP socket that we opened to call somebody. The desk knows it when this returns.
    pub(crate) async fn take_datagrams(&self, flow: Flow, socket: UdpSocket) {
        let socket = Arc::new(socket);
        if self.announce_datagrams(flow, &socket).await {
            let listeners = self.clone();
            tokio::spawn(async move { listeners.receive_datagrams(flow, &socket).await });
        }
    }

    async fn announce_datagrams(&self, listener: Flow, socket: &Arc<UdpSocket>) -> bool {
        let opened = ToDesk::DatagramsOpened {
            flow: listener.id,
            socket: socket.clone(),
        };
        self.desk.send(opened).await.is_ok()
    }

    async fn receive_datagrams(&self, listener: Flow, socket: &UdpSocket) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let received = tokio::select! {
                received = socket.recv_from(&mut buffer) => received,
                () = self.stop.cancelled() => return,
            };
            match received {
                Ok((len, peer)) => {
                    let datagram = &buffer[..len];
                    if datagram.iter().all(u8::is_ascii_whitespace) {
                        continue; // a keep-alive (RFC 5626 §3.5.1 and what phones do on UDP)
                    }
                    let flow = Flow { peer, ..listener };
                    let sip = ToDesk::Sip {
                        flow,
                        message: Message::parse(datagram),
                        bytes: datagram.to_vec(),
                    };
                    // A full desk drops datagrams, which the sender repeats; waiting would only delay all.
                    if self.desk.try_send(sip).is_err() {
                        tracing::warn!(%peer, "the desk is busy; a SIP datagram is dropped");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot receive SIP datagrams");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A new way, with a number of its own.
    pub(crate) fn flow(&self, transport: Transport, local: SocketAddr, peer: SocketAddr) -> Flow {
        Flow {
            id: FlowId(self.next_flow.fetch_add(1, Ordering::Relaxed)),
            transport,
            local,
            peer,
        }
    }

    /// One connection from its first octet to its last.
    async fn connection<S>(&self, flow: Flow, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        if let Some(told) = self.announce(flow).await {
            self.carry(flow, stream, told, Waiting::First).await;
        }
    }

    /// Serves a connection that we opened. The desk knows it when this returns.
    pub(crate) async fn take<S>(&self, flow: Flow, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        if let Some(told) = self.announce(flow).await {
            let listeners = self.clone();
            // It is for us to speak first: the other side may stay silent.
            tokio::spawn(async move { listeners.carry(flow, stream, told, Waiting::Rest).await });
        }
    }

    /// Tells the desk of a connection; `None` when the desk has left.
    async fn announce(&self, flow: Flow) -> Option<Told> {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let (keep_alive, keep) = watch::channel(None);
        let closed = self.stop.child_token();
        let opened = ToDesk::FlowOpened {
            flow,
            outgoing: outgoing.clone(),
            keep_alive,
            close: closed.clone(),
        };
        self.desk.send(opened).await.ok()?;
        Some(Told {
            outgoing,
            queue,
            keep,
            closed,
        })
    }

    async fn carry<S>(&self, flow: Flow, stream: S, told: Told, waiting: Waiting)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Told {
            outgoing,
            queue,
            keep,
            closed,
        } = told;
        let (mut reader, writer) = tokio::io::split(stream);
        let mut writing = tokio::spawn(write_all(writer, queue, closed.clone()));
        let reading = Reading {
            waiting,
            keep,
            outgoing,
        };
        let why = tokio::select! {
            why = self.read_all(flow, &mut reader, reading) => why,
            () = closed.cancelled() => "closed by us",
        };
        tracing::debug!(peer = %flow.peer, why, "SIP connection ended");
        // The desk answers what came before this, then lets go of the queue: so the writer ends after the last
        // answer, however busy the desk is. The desk may have stopped first.
        let _ = self.desk.send(ToDesk::FlowClosed { flow: flow.id }).await;
        // Each message has its own patience; a full queue of them must not hold up the node's end.
        if tokio::time::timeout(LAST_WORDS, &mut writing)
            .await
            .is_err()
        {
            writing.abort();
        }
        closed.cancel();
        if why == NOT_SIP {
            // Closing with octets unread would reset the connection, and the answers might never be seen.
            let _ = tokio::time::timeout(LINGER, discard(&mut reader)).await;
        }
    }

    async fn read_all<S>(
        &self,
        flow: Flow,
        reader: &mut ReadHalf<S>,
        reading: Reading,
    ) -> &'static str
    where
        S: AsyncRead,
    {
        let Reading {
            mut waiting,
            mut keep,
            outgoing,
        } = reading;
        let mut framing = StreamReader::new(Limits::default());
        let mut buffer = vec![0; READ];
        let mut until = waiting.until(&self.patience);
        let mut pings: Option<KeepAlive> = None;
        loop {
            let ping = pings.as_ref().map(|pings| pings.next_timeout().into());
            let alarm = ping.map_or(until, |ping| until.min(ping));
            let read = tokio::select! {
                read = reader.read(&mut buffer) => read,
                () = tokio::time::sleep_until(alarm) => {
                    let now = Instant::now();
                    if now >= until {
                        return waiting.ended();
                    }
                    let due = pings
                        .as_mut()
                        .and_then(|pings| pings.timeout(now.into(), &mut rand::rng()));
                    match due {
                        Some(Due::Failed) => return "a ping was not answered",
                        Some(Due::Ping) if outgoing.try_send(PING.to_vec()).is_err() => {
                            return "not reading its pings";
                        }
                        Some(Due::Ping) | None => {}
                    }
                    continue;
                }
                Ok(()) = keep.changed(), if pings.is_none() => {
                    pings = keep
                        .borrow()
                        .map(|every| KeepAlive::new(Instant::now().into(), every, &mut rand::rng()));
                    continue;
                }
            };
            let len = match read {
                Ok(0) => return "closed by the peer",
                Ok(len) => len,
                Err(_) => return "broken",
            };
            if let Some(pings) = &mut pings {
                pings.alive();
            }
            framing.push(&buffer[..len]);
            loop {
                let item = framing.next();
                if let Ok(Some(_)) = &item {
                    waiting = Waiting::Rest;
                    until = waiting.until(&self.patience);
                }
                let message = match item {
                    Ok(None) => break,
                    Ok(Some(StreamItem::Ping)) => {
                        // RFC 5626 §4.4.1: a double CRLF is answered by a single one.
                        if outgoing.try_send(b"\r\n".to_vec()).is_err() {
                            return "not reading its answers";
                        }
                        continue;
                    }
                    Ok(Some(StreamItem::Pong)) => continue,
                    Ok(Some(StreamItem::Message(message))) => Ok(message),
                    Ok(Some(StreamItem::Invalid(error))) => Err(error),
                    Err(error) => {
                        tracing::info!(peer = %flow.peer, %error, "the SIP connection is closed");
                        if let Some(answerable) = error.error {
                            let sip = ToDesk::Sip {
                                flow,
                                message: Err(answerable),
                                bytes: Vec::new(),
                            };
                            let _ = self.desk.send(sip).await;
                        }
                        return NOT_SIP;
                    }
                };
                // What was read without loss need not be kept twice; the log writes it as it came.
                let sip = ToDesk::Sip {
                    flow,
                    message,
                    bytes: Vec::new(),
                };
                if self.desk.send(sip).await.is_err() {
                    return "shutting down";
                }
            }
            // The time of a message runs from its first piece, however many more it comes in.
            if framing.is_within_message() && waiting != Waiting::Message {
                waiting = Waiting::Message;
                until = waiting.until(&self.patience);
            }
        }
    }
}

/// Reads until the peer closes, or has sent too much.
async fn discard(reader: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 4096];
    let mut octets = 0;
    while octets < LINGER_OCTETS {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(len) => octets += len,
        }
    }
}

/// How long a connection is waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For a sign that it speaks SIP at all.
    first: Duration,
    /// For a message, from its first piece to its last.
    message: Duration,
    /// For the next message: PBXs hold trunks open between calls.
    rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(60),
            message: MESSAGE_TIME,
            rest: Duration::from_secs(3 * 3600),
        }
    }
}

/// How a connection is read.
struct Reading {
    waiting: Waiting,
    keep: watch::Receiver<Option<Duration>>,
    /// For pings and their answers.
    outgoing: mpsc::Sender<Vec<u8>>,
}

/// What a connection is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    First,
    Message,
    Rest,
}

impl Waiting {
    /// Until when, from now on.
    fn until(self, patience: &Patience) -> Instant {
        Instant::now()
            + match self {
                Self::First => patience.first,
                Self::Message => patience.message,
                Self::Rest => patience.rest,
            }
    }

    /// How the connection ends when it does not come.
    fn ended(self) -> &'static str {
        match self {
            Self::First => "nothing was said",
            Self::Message => "a message took too long",
            Self::Rest => "idle",
        }
    }
}

/// Small messages that someone waits for must not be held back, and a peer that vanished without a word must
/// be noticed, even when nobody calls for hours.
pub(super) fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let alive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    // Where the system has none of these, the connection works all the same.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&alive);
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(60)));
}

async fn write_all<S>(
    mut writer: WriteHalf<S>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    closed: CancellationToken,
) where
    S: AsyncWrite,
{
    loop {
        let message = tokio::select! {
            biased;
            message = queue.recv() => message,
            () = closed.cancelled() => break,
        };
        let Some(message) = message else { break };
        let patience = if closed.is_cancelled() {
            LAST_WORD
        } else {
            MESSAGE_TIME
        };
        // Without the flush, TLS may keep the end of a message until the next one.
        let sending = async {
            writer.write_all(&message).await?;
            writer.flush().await
        };
        match tokio::time::timeout(patience, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    closed.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), writer.shutdown()).await;
}

/// Time for a TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Time from the first piece of a message to its last, and for the kernel to take one of ours.
const MESSAGE_TIME: Duration = Duration::from_secs(20);
/// Time for the kernel to take a message once the connection is to be closed.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Time for everything that waits to be written once the connection is to be closed.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Time for a peer whose octets are no SIP to read its answers and close.
const LINGER: Duration = Duration::from_secs(1);
/// Octets that such a peer may still send.
const LINGER_OCTETS: usize = 1024 * 1024;
/// Why the connection of such a peer ends.
const NOT_SIP: &str = "not SIP";
/// RFC 5626 §4.4.1.
const PING: &[u8] = b"\r\n\r\n";
/// Messages waiting to be written before a connection counts as stuck.
const QUEUE: usize = 256;
const READ: usize = 16 * 1024;
const DATAGRAM: usize = 65_535;

#[cfg(test)]
mod tests;
