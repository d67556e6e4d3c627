//! The way to the desk: what may be told to the one task that drives every call, and the handle by
//! which the HTTP side tells it.

mod placement;
mod shards;
mod task;
mod telemetry;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use call::exchange::{Admission, Allowed, ConnId, Flow, FlowId, Lookup, Strangers};
use call::transaction::ClientId;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use wire::sip::{Message, SipError};

pub(crate) use shards::Shards;
pub(crate) use task::{Desk, Library, media_channel};

/// What comes to the desk.
pub(crate) enum ToDesk {
    /// A SIP connection stands; `keep_alive` has it pinged that often, `close` ends it.
    FlowOpened {
        flow: Flow,
        outgoing: mpsc::Sender<Vec<u8>>,
        keep_alive: watch::Sender<Option<Duration>>,
        close: CancellationToken,
    },
    /// A UDP listener stands.
    DatagramsOpened {
        flow: FlowId,
        socket: Arc<UdpSocket>,
    },
    /// A SIP message, or what was wrong with it; `bytes` as it came, empty where the message tells them.
    Sip {
        flow: Flow,
        message: Result<Message, SipError>,
        bytes: Vec<u8>,
    },
    /// A SIP connection is gone.
    FlowClosed { flow: FlowId },
    /// How opening a connection for a request of ours went.
    Connected { id: ClientId, flow: Option<Flow> },
    /// Where else a call of ours is to be tried, if anywhere.
    Way(Option<Flow>),
    /// A browser opened its signaling connection.
    SignalOpened {
        conn: ConnId,
        peer: SocketAddr,
        admission: Admission,
        outgoing: mpsc::Sender<SignalOut>,
    },
    /// A browser sent a frame.
    SignalFrame { conn: ConnId, bytes: Vec<u8> },
    /// A browser's signaling connection is gone.
    SignalClosed { conn: ConnId },
    /// The answer to a look-up.
    Found { query: u64, found: Lookup },
    /// A meeting was deleted.
    EndMeeting { meeting: String },
    /// An attendee was deleted.
    RemoveAttendee { meeting: String, attendee: String },
    /// Somebody was in these meetings when this server ran before.
    Resume { meetings: Vec<String> },
    /// What attendees may do was changed.
    Allow {
        meeting: String,
        attendees: Vec<Allowed>,
        strangers: Option<Strangers>,
    },
    /// Take no new calls; end the others when `deadline` passes; answer when none is left.
    Drain {
        deadline: Duration,
        done: oneshot::Sender<()>,
    },
    /// Tell how much is going on.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Leave, whatever goes on.
    Leave,
}

/// To a browser's signaling connection.
#[derive(Debug)]
pub enum SignalOut {
    /// A binary message.
    Frame(Vec<u8>),
    /// Close with this code.
    Close {
        /// WebSocket close code.
        code: u16,
        /// One line.
        reason: String,
    },
}

/// A browser's signaling connection as the desk knows it.
#[derive(Debug)]
pub struct SignalLink {
    /// Its number.
    pub conn: ConnId,
    /// What must be sent to it; the end of this channel means close.
    pub outgoing: mpsc::Receiver<SignalOut>,
}

/// How much is going on.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Snapshot {
    /// Calls by SIP.
    pub phones: usize,
    /// Browsers with a signaling connection.
    pub browsers: usize,
    /// Meetings with somebody in them.
    pub meetings: usize,
}

/// The node is going down: the desk takes nothing any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the node is shutting down")]
pub struct Gone;

/// The way to the desk for everything that is not media.
#[derive(Clone, Debug)]
pub struct Handle {
    desk: mpsc::Sender<ToDesk>,
    next_conn: Arc<AtomicU64>,
}

impl Handle {
    pub(crate) fn new(desk: mpsc::Sender<ToDesk>) -> Self {
        Self {
            desk,
            next_conn: Arc::default(),
        }
    }

    /// Announces a browser's signaling connection. A refused `admission` is told to the browser by the
    /// exchange, in the form that its SDK understands.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn open_signal(
        &self,
        peer: SocketAddr,
        admission: Admission,
    ) -> Result<SignalLink, Gone> {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let (outgoing, receiver) = mpsc::channel(SIGNAL_QUEUE);
        self.send(ToDesk::SignalOpened {
            conn,
            peer,
            admission,
            outgoing,
        })
        .await?;
        Ok(SignalLink {
            conn,
            outgoing: receiver,
        })
    }

    /// Passes on a binary message from a browser.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn signal_frame(&self, conn: ConnId, bytes: Vec<u8>) -> Result<(), Gone> {
        self.send(ToDesk::SignalFrame { conn, bytes }).await
    }

    /// Tells that a browser's signaling connection is gone.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn signal_closed(&self, conn: ConnId) -> Result<(), Gone> {
        self.send(ToDesk::SignalClosed { conn }).await
    }

    /// Ends a meeting for everybody in it; one that nobody is in is left alone.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn end_meeting(&self, meeting: String) -> Result<(), Gone> {
        self.send(ToDesk::EndMeeting { meeting }).await
    }

    /// Takes an attendee out of a meeting.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn remove_attendee(&self, meeting: String, attendee: String) -> Result<(), Gone> {
        self.send(ToDesk::RemoveAttendee { meeting, attendee })
            .await
    }

    /// Tells of meetings that somebody was in when this server ran before.
    pub(crate) async fn resume(&self, meetings: Vec<String>) -> Result<(), Gone> {
        self.send(ToDesk::Resume { meetings }).await
    }

    /// Tells what attendees of a meeting may do from now on, and (`strangers`) what those may whom nobody has stored.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn allow(
        &self,
        meeting: String,
        attendees: Vec<Allowed>,
        strangers: Option<Strangers>,
    ) -> Result<(), Gone> {
        self.send(ToDesk::Allow {
            meeting,
            attendees,
            strangers,
        })
        .await
    }

    /// How much is going on.
    ///
    /// # Errors
    /// [`Gone`] when the node is shutting down.
    pub async fn snapshot(&self) -> Result<Snapshot, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(ToDesk::Snapshot(reply)).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Takes no new calls and returns when the last one has ended, or was ended at the deadline.
    pub(crate) async fn drain(&self, deadline: Duration) -> Result<(), Gone> {
        let (done, answer) = oneshot::channel();
        self.send(ToDesk::Drain { deadline, done }).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Tells the desk to leave, whatever goes on.
    pub(crate) async fn leave(&self) {
        // One that has left already need not be told.
        let _ = self.send(ToDesk::Leave).await;
    }

    /// Returns when the desk has left.
    pub(crate) async fn gone(&self) {
        self.desk.closed().await;
    }

    async fn send(&self, message: ToDesk) -> Result<(), Gone> {
        self.desk.send(message).await.map_err(|_| Gone)
    }
}

/// Makes the channel to the desk; its bound is what one busy moment may bring.
pub(crate) fn channel() -> (mpsc::Sender<ToDesk>, mpsc::Receiver<ToDesk>) {
    mpsc::channel(4096)
}

/// Frames waiting for a browser before it counts as stuck.
const SIGNAL_QUEUE: usize = 256;
