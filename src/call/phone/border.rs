//! What goes into [`super::Phones`] and comes out of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use wire::plan::{LegId, MediaCommand, MediaEvent};
use wire::sip::{Host, Message, SipError};

use crate::authenticate::Users;
use crate::dialog::session_timer::Policy;
use crate::ending::Ending;
use crate::negotiate::phone::{Rules, SrtpPolicy};
use crate::note::{Note, TransactionId};
use crate::transaction::{ClientId, Destination, Flow, FlowId, Transport};

/// What a node tells its phones once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Hosts that are us, such as `meet.example.com`. The address that a flow arrived at always counts, too.
    pub domains: Vec<Host>,
    /// Addresses that are us, for URIs that name one: those advertised and those bound.
    pub addresses: Vec<IpAddr>,
    /// The address in our Contact; `None`: the one that the flow arrived at, or the first domain.
    pub contact: Option<IpAddr>,
    /// The value of `Server` and `User-Agent`.
    pub server_name: String,
    /// Which codecs, in which order, with which packet lengths.
    pub rules: Rules,
    /// Whether media is protected, per listener.
    pub srtp: SrtpPolicies,
    /// Who may call over a listener, where not everybody may: they are asked for a digest (RFC 3261 §22).
    pub users: BTreeMap<Transport, Users>,
    /// What the digests are for, shown to people.
    pub realm: String,
    /// How long a digest's nonce may be used.
    pub nonce_lifetime: Duration,
    /// How long sessions live without a refresh (RFC 4028).
    pub session: Policy,
    /// Calls held at once; more are refused with 503.
    pub max_calls: usize,
    /// How long an INVITE may wait for a decision and for media before it is refused with 503.
    pub patience: Duration,
    /// The first leg's number, and the distance between two: legs of browsers lie between.
    pub legs: (u64, u64),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            addresses: Vec::new(),
            contact: None,
            server_name: "campanile".to_owned(),
            rules: Rules::default(),
            srtp: SrtpPolicies::default(),
            users: BTreeMap::new(),
            realm: "campanile".to_owned(),
            nonce_lifetime: Duration::from_secs(300),
            session: Policy::default(),
            max_calls: 1000,
            patience: Duration::from_secs(30),
            legs: (2, 2),
        }
    }
}

/// Whether media must, may or must not be protected, by the listener that the INVITE came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SrtpPolicies {
    /// For SIP over UDP.
    pub udp: SrtpPolicy,
    /// For SIP over TCP.
    pub tcp: SrtpPolicy,
    /// For SIP over TLS.
    pub tls: SrtpPolicy,
}

impl SrtpPolicies {
    /// The policy of one listener.
    #[must_use]
    pub fn of(self, transport: Transport) -> SrtpPolicy {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
        }
    }
}

impl Default for SrtpPolicies {
    /// TLS requires SRTP; a clear listener takes what is offered.
    fn default() -> Self {
        Self {
            udp: SrtpPolicy::Prefer,
            tcp: SrtpPolicy::Prefer,
            tls: SrtpPolicy::Require,
        }
    }
}

/// What happens to the phones of a node.
#[derive(Debug)]
pub enum Input {
    /// SIP came in.
    Sip {
        /// The way.
        flow: Flow,
        /// The message, or what was wrong with it.
        message: Result<Message, SipError>,
        /// The bytes as they came, for the log. May be empty: then the log shows the message as it would be written.
        bytes: Vec<u8>,
    },
    /// A connection is closed, or a UDP flow was forgotten.
    FlowClosed {
        /// Which.
        flow: FlowId,
    },
    /// How [`Output::Connect`] went.
    Connected {
        /// The request's name.
        id: ClientId,
        /// The way that was opened, if any.
        flow: Option<Flow>,
    },
    /// Something about the leg of a phone. Events of other legs are ignored.
    Media(MediaEvent),
    /// The call that arrived is wanted: reserve media and answer it.
    Accept {
        /// Which.
        call: TransactionId,
    },
    /// The call that arrived shall hear something before it is decided: reserve media and send 183 with it.
    Early {
        /// Which.
        call: TransactionId,
    },
    /// Negotiate an answered call again, as it stands (re-INVITE).
    Renegotiate {
        /// Which.
        call: TransactionId,
    },
    /// The call that arrived is refused with the ending's status, or ended when it was answered by now.
    Refuse {
        /// Which.
        call: TransactionId,
        /// Why.
        ending: Ending,
    },
    /// End the call, whatever its state.
    HangUp {
        /// Which.
        call: TransactionId,
        /// Why.
        ending: Ending,
    },
    /// Take no new calls; end those that remain at the deadline.
    Drain {
        /// When.
        deadline: Instant,
    },
}

/// What the phones of a node want done or known.
#[derive(Debug)]
pub enum Output {
    /// Put these bytes on the wire. A flow that is gone drops them.
    Sip {
        /// The way.
        flow: FlowId,
        /// The address, for UDP.
        to: SocketAddr,
        /// The message.
        message: Vec<u8>,
        /// The call it belongs to.
        call: Option<TransactionId>,
    },
    /// Open a connection for a request of ours, and say by [`Input::Connected`] how that went.
    Connect {
        /// The request's name.
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
    /// For the shard of the leg that it names.
    Media(MediaCommand),
    /// Somebody calls, with an offer that we can answer; decide by [`Input::Accept`] or [`Input::Refuse`].
    Arrived(Arrival),
    /// The call that is not answered yet hears what is played to it.
    EarlyMedia {
        /// Which.
        call: TransactionId,
        /// Its leg.
        leg: LegId,
    },
    /// A key was pressed, told once however the device tells it.
    Digit {
        /// Whose.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// The call is answered and its media configured.
    Answered {
        /// Which.
        call: TransactionId,
        /// Its leg.
        leg: LegId,
    },
    /// The call is over, and its leg on its way to be closed. Once for each call that arrived.
    Ended {
        /// Which.
        call: TransactionId,
        /// Its leg.
        leg: LegId,
        /// How.
        ending: Ending,
    },
    /// For the record.
    Note(Note),
}

/// A call that waits for a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The call.
    pub call: TransactionId,
    /// The number that its leg has, or will have.
    pub leg: LegId,
    /// What was dialled.
    pub dialled: Dialled,
    /// The user part of `From`, escapes resolved; empty when there is none.
    pub from_user: String,
    /// The host of `From`.
    pub from_host: String,
    /// The display name of `From`.
    pub display: Option<String>,
    /// The way it came.
    pub flow: Flow,
    /// Whether it acknowledges provisional responses, and so can be told something before it is decided
    /// ([`Input::Early`]).
    pub early_media: bool,
}

/// What a caller dialled.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Dialled {
    /// Our meet domain without an id: ask for one.
    Prompt,
    /// A meeting id of 10 or 13 digits.
    MeetingId(String),
}
