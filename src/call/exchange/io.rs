//! What goes into the exchange and what comes out.

use std::net::SocketAddr;
use std::time::Duration;

use wire::plan::{MediaCommand, MediaEvent};
use wire::signal::{SdkSignalFrame, SignalError};
use wire::sip::{Message, SipError};

use super::allow::{Allowed, Strangers};
use crate::admit::SignalRefusal;
use crate::meeting::{AttendeeInfo, ConnId, MeetingInfo};
use crate::note::{Note, TransactionId};
use crate::transaction::{ClientId, Destination, Flow, FlowId};

/// Who is on a signaling connection, or why it may not come in.
pub type Admission = Result<Box<Admitted>, SignalRefusal>;

/// Who is on a signaling connection, as found from its join token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// The meeting.
    pub meeting: MeetingInfo,
    /// The attendee whose token it is (the base one, also for a content share).
    pub attendee: AttendeeInfo,
    /// Whether the token ended in `#content`: a content share's own session.
    pub content: bool,
}

/// What was found by a dialled meeting id.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "made once, taken apart at once, never stored"
)]
pub enum Lookup {
    /// A running meeting.
    Meeting {
        /// What is stored of it.
        info: MeetingInfo,
        /// Who dialled, where the id says so.
        who: Option<DialIn>,
    },
    /// The meeting was there and has ended.
    Ended,
    /// No meeting, or nobody in it, has the id.
    Unknown,
    /// It could not be looked up.
    Failed,
}

/// Who is meant by the last three of thirteen digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DialIn {
    /// The attendee.
    pub attendee: AttendeeInfo,
    /// Whether it is the meeting's host.
    pub moderator: bool,
}

/// Something that happened outside.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "made once, taken apart at once, never stored"
)]
pub enum Input {
    /// A SIP message came, or bytes that could not be read as one.
    Sip {
        /// Where it came from.
        flow: Flow,
        /// The message, or what was wrong with it.
        message: Result<Message, SipError>,
        /// The bytes as they came, for the log. May be empty: then the log shows the message as it would be written.
        bytes: Vec<u8>,
    },
    /// A TCP or TLS connection broke or was closed.
    FlowClosed {
        /// Which.
        flow: FlowId,
    },
    /// How [`Output::Connect`] went.
    Connected {
        /// The request that wanted it.
        id: ClientId,
        /// The way that was opened, if any.
        flow: Option<Flow>,
    },
    /// A browser opened a signaling WebSocket.
    SignalOpened {
        /// Its number, new.
        conn: ConnId,
        /// Where it comes from.
        peer: SocketAddr,
        /// Who it is, or why it may not come in: that is told after its JOIN.
        admission: Admission,
    },
    /// A message came on a signaling WebSocket, or bytes that could not be read as one.
    SignalFrame {
        /// Which.
        conn: ConnId,
        /// The frame.
        frame: Result<SdkSignalFrame, SignalError>,
    },
    /// A signaling WebSocket is gone, for whatever reason. Not told after [`Output::CloseSignal`]
    /// necessarily; harmless when it is.
    SignalClosed {
        /// Which.
        conn: ConnId,
    },
    /// Media tells something.
    Media(MediaEvent),
    /// The answer to [`Output::Find`].
    Found {
        /// The question's number.
        query: u64,
        /// What was found.
        found: Lookup,
    },
    /// The meeting was deleted: everybody out.
    EndMeeting {
        /// Its id.
        meeting: String,
    },
    /// The attendee was deleted: out with it, its content share and the phones that dialled in as it.
    RemoveAttendee {
        /// The meeting's id.
        meeting: String,
        /// The attendee's id.
        attendee: String,
    },
    /// Somebody was in these meetings when this server ran before, and they did not end: as long as nobody comes
    /// back, they are as empty as one that the last one has just left.
    Resume {
        /// Their ids.
        meetings: Vec<String>,
    },
    /// What attendees of a meeting may do was changed.
    Allow {
        /// The meeting's id.
        meeting: String,
        /// Those who are stored.
        attendees: Vec<Allowed>,
        /// The others, if they are meant.
        strangers: Option<Strangers>,
    },
    /// No new calls or sessions from now on; those that there are go on.
    Drain,
    /// The drain's deadline: everything that is left ends now.
    DrainDeadline,
}

/// Something to do outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send a SIP message.
    Sip {
        /// On which connection, or behind which UDP listener.
        flow: FlowId,
        /// Where to (UDP).
        to: SocketAddr,
        /// The message's bytes.
        message: Vec<u8>,
        /// The call it belongs to, if any.
        call: Option<TransactionId>,
    },
    /// Open a TCP or TLS connection, and say by [`Input::Connected`] how that went.
    Connect {
        /// The request that wants it.
        id: ClientId,
        /// Where to.
        to: Destination,
    },
    /// Keep a connection that we opened alive.
    KeepAlive {
        /// Which.
        flow: FlowId,
        /// The longest time between two pings.
        every: Duration,
    },
    /// Close a TCP or TLS connection.
    CloseFlow {
        /// Which.
        flow: FlowId,
    },
    /// Send a frame to a browser.
    Signal {
        /// Which.
        conn: ConnId,
        /// The frame.
        frame: Box<SdkSignalFrame>,
    },
    /// Close a signaling WebSocket, after what was sent before.
    CloseSignal {
        /// Which.
        conn: ConnId,
        /// WebSocket close code.
        code: u16,
        /// One line, at most 123 octets.
        reason: String,
    },
    /// A command for the shard that has the leg.
    Media(MediaCommand),
    /// Look a meeting up by the id that was dialled; answered by [`Input::Found`], always.
    Find {
        /// The question's number.
        query: u64,
        /// Its ten digits; or thirteen, the last three of which say who dials.
        digits: String,
    },
    /// A moderator ended the meeting, or it ended because nobody was in it any more: nobody may come in again.
    EndMeeting {
        /// Its id.
        meeting: String,
    },
    /// Somebody is in the meeting for the first time since it was [resumed](Input::Resume) or made: from now on it
    /// is one to be ended when it is empty.
    HoldMeeting {
        /// Its id.
        meeting: String,
    },
    /// Something happened that the record, the metrics and the events want to know.
    Note(Note),
}

/// How the exchange behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of every id, SSRC and tag that the exchange draws.
    pub seed: [u8; 32],
    /// What the phones need to know. Its `legs` are set by the exchange.
    pub phones: crate::phone::Config,
    /// How long an attendee whose signaling connection broke without LEAVE stays in the roster before it
    /// is shown as dropped.
    pub reconnect_grace: Duration,
    /// How long after its last attendee left a meeting ends by itself.
    pub empty_meeting: Duration,
    /// Signaling connections at once.
    pub max_connections: usize,
    /// What a browser session may do.
    pub browser: crate::browser::Limits,
    /// What the prompt for a meeting id may cost a caller.
    pub ivr: crate::ivr::Limits,
    /// Unknown meeting ids that one source address may name within `guess_window`.
    pub guesses: usize,
    /// See `guesses`.
    pub guess_window: Duration,
}

impl Config {
    /// The defaults, with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            phones: crate::phone::Config::default(),
            reconnect_grace: Duration::from_secs(15),
            empty_meeting: Duration::from_secs(300),
            max_connections: 10_000,
            browser: crate::browser::Limits::default(),
            ivr: crate::ivr::Limits::default(),
            guesses: 10,
            guess_window: Duration::from_secs(600),
        }
    }
}

/// How much is going on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// SIP calls that are not over.
    pub phones: usize,
    /// Everything that is held for SIP, ended calls and transactions included: 0 when all is quiet.
    pub sip_held: usize,
    /// Browsers that are in a meeting, content shares included.
    pub browsers: usize,
    /// Meetings with somebody in them.
    pub meetings: usize,
}
