//! What an outgoing call is told, and what it tells.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wire::plan::{LegId, LegPlan, MediaCommand, MediaEvent};
use wire::sip::{Message, SipError, Uri};

use crate::authenticate::Account;
use crate::dialog::session_timer::Policy;
use crate::ending::Ending;
use crate::negotiate::phone::{Rules, SrtpPolicy};
use crate::note::Note;
use crate::transaction::{ClientId, Destination, Flow, FlowId};

/// Whom to call, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The Request-URI and `To`.
    pub target: Uri,
    /// `From`.
    pub from: Uri,
    /// The way to the other side, already open.
    pub flow: Flow,
    /// Whether there may be others (RFC 3263 §4.3), to be asked for by [`CallerOutput::NextWay`].
    pub elsewhere: bool,
    /// The address in our Contact and Via; `None`: the flow's own.
    pub contact: Option<IpAddr>,
    /// The value of `User-Agent`.
    pub user_agent: String,
    /// Codecs to offer.
    pub rules: Rules,
    /// Whether to offer SRTP.
    pub srtp: SrtpPolicy,
    /// Who we are to those who ask for credentials; `None`: their 401 or 407 ends the call.
    pub account: Option<Account>,
    /// How long the session lives without a refresh (RFC 4028).
    pub session: Policy,
    /// The number of our leg.
    pub leg: LegId,
    /// How long to wait for an answer.
    pub patience: Duration,
}

/// What happens to an outgoing call.
#[derive(Debug)]
pub enum CallerInput {
    /// SIP came in.
    Sip {
        /// The way.
        flow: Flow,
        /// The message, or what was wrong with it.
        message: Result<Message, SipError>,
        /// The bytes as they came; may be empty.
        bytes: Vec<u8>,
    },
    /// A connection is closed.
    FlowClosed {
        /// Which.
        flow: FlowId,
    },
    /// How [`CallerOutput::Connect`] went.
    Connected {
        /// The request's name.
        id: ClientId,
        /// The way that was opened, if any.
        flow: Option<Flow>,
    },
    /// The answer to [`CallerOutput::NextWay`]: another way, already open, or none.
    Way(Option<Flow>),
    /// Something about our leg.
    Media(MediaEvent),
    /// Negotiate the answered call again, as it stands (re-INVITE).
    Renegotiate,
    /// End the call: CANCEL before the answer, BYE after.
    HangUp {
        /// Why.
        ending: Ending,
    },
}

/// What an outgoing call wants done or known.
#[derive(Debug)]
pub enum CallerOutput {
    /// Put these bytes on the wire.
    Sip {
        /// The way.
        flow: FlowId,
        /// The address, for UDP.
        to: SocketAddr,
        /// The message.
        message: Vec<u8>,
    },
    /// Open a connection for a request, and say by [`CallerInput::Connected`] how that went.
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
    /// The call was not taken where it was tried: say by [`CallerInput::Way`] where else.
    NextWay,
    /// For the shard.
    Media(MediaCommand),
    /// A provisional response.
    Progress {
        /// 100 to 199.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
    /// A device that has not answered yet is heard: media is configured by what it said so far.
    EarlyMedia {
        /// The agreement, as yet.
        plan: Box<LegPlan>,
    },
    /// The other side pressed a key, told by INFO.
    Digit(char),
    /// Answered, with what was agreed. Media is being configured.
    Answered {
        /// The agreement.
        plan: Box<LegPlan>,
    },
    /// The call is over, its leg on its way to be closed. Once.
    Ended(Ending),
    /// For the record.
    Note(Note),
}
