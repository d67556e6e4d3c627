//! One signaling connection: how far it is, and what it may do when.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use wire::plan::{LegId, LocalMedia};
use wire::signal::{SdkSignalFrame, SdkSubscribeFrame, SignalError};

use super::request::{self, BadFrame, Request};
use super::stage::Stage;
use crate::admit::SignalRefusal;
use crate::meeting::{Budget, Identity, MeetingInfo};
use crate::negotiate::browser::Offer;
use crate::note::TransactionId;

/// What a browser session may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// From opening the connection to JOIN.
    pub join_within: Duration,
    /// Without any frame for this long (clients send PING every 10 s), the connection counts as lost.
    pub idle: Duration,
    /// After the last frame that we send, until we close the connection ourselves.
    pub linger: Duration,
    /// Data messages at once.
    pub data_burst: u32,
    /// Data messages per second.
    pub data_per_second: u32,
    /// Requests at once that cost others something: mute, subscribe, pause.
    pub request_burst: u32,
    /// The same, per second.
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            join_within: Duration::from_secs(15),
            idle: Duration::from_secs(45),
            linger: Duration::from_secs(3),
            data_burst: 200,
            data_per_second: 100,
            request_burst: 100,
            requests_per_second: 10,
        }
    }
}

/// One signaling connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) peer: SocketAddr,
    /// Who it is in which meeting, or why not. Taken at JOIN.
    pub(crate) admission: Result<Box<(MeetingInfo, Identity)>, SignalRefusal>,
    pub(crate) phase: Phase,
    pub(crate) call: Option<Call>,
    pub(crate) audio_session_id: Option<u64>,
    pub(crate) stage: Stage,
    pub(crate) data_budget: Budget,
    request_budget: Budget,
    limits: Limits,
    last_heard: Instant,
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// JOIN is awaited.
    Opened { until: Instant },
    /// In the meeting.
    Joined,
    /// The last word was said; then we close.
    Lingering { until: Instant, close_code: u16 },
}

/// The call that a joined browser is.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: TransactionId,
    pub(crate) leg: LegId,
    pub(crate) media: Media,
}

/// How far its leg is.
#[derive(Debug)]
pub(crate) enum Media {
    /// Nothing was asked for.
    None,
    /// The shard was asked; the latest SUBSCRIBE waits for it.
    Reserving(Box<(Offer, SdkSubscribeFrame)>),
    /// In the bridge.
    Joined(Box<LocalMedia>),
}

impl Session {
    pub(crate) fn new(
        now: Instant,
        peer: SocketAddr,
        admission: Result<Box<(MeetingInfo, Identity)>, SignalRefusal>,
        limits: Limits,
        random: &mut StdRng,
    ) -> Self {
        Self {
            peer,
            admission,
            phase: Phase::Opened {
                until: now + limits.join_within,
            },
            call: None,
            audio_session_id: None,
            stage: Stage::new(random),
            data_budget: Budget::new(now, limits.data_burst, limits.data_per_second),
            request_budget: Budget::new(now, limits.request_burst, limits.requests_per_second),
            limits,
            last_heard: now,
        }
    }

    /// Who it is, once it has joined.
    pub(crate) fn joined_as(&self) -> Option<(&str, &Identity)> {
        match (&self.phase, &self.admission) {
            (Phase::Joined, Ok(admitted)) => Some((&admitted.0.id, &admitted.1)),
            _ => None,
        }
    }

    /// Whether JOIN came, and was not refused.
    pub(crate) fn has_joined(&self) -> bool {
        !matches!(self.phase, Phase::Opened { .. })
    }

    /// Reads a frame and checks that it comes in order.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        frame: Result<SdkSignalFrame, SignalError>,
    ) -> Result<Request, BadFrame> {
        self.last_heard = now;
        if matches!(self.phase, Phase::Lingering { .. }) {
            return Ok(Request::Nothing);
        }
        let request = request::read(frame?)?;
        let joined = self.phase == Phase::Joined;
        match &request {
            Request::Ping { .. } | Request::Leave | Request::Nothing => {}
            Request::Join { .. } if joined => return Err(BadFrame::JoinedTwice),
            Request::Join { .. } => {}
            _ if !joined => return Err(BadFrame::BeforeJoin),
            // Data messages have a budget of their own, which does not end the connection.
            Request::Data(_) => {}
            _ if !self.request_budget.take(now) => return Err(BadFrame::TooMany),
            _ => {}
        }
        Ok(request)
    }

    /// The last word was said.
    pub(crate) fn linger(&mut self, now: Instant, close_code: u16) {
        self.phase = Phase::Lingering {
            until: now + self.limits.linger,
            close_code,
        };
    }

    /// When the connection is to be closed, and with which code; an earlier frame may change it.
    pub(crate) fn ends_at(&self) -> (Instant, u16) {
        match self.phase {
            Phase::Opened { until } => (until, CLOSE_TIMEOUT),
            Phase::Joined => (self.last_heard + self.limits.idle, CLOSE_TIMEOUT),
            Phase::Lingering { until, close_code } => (until, close_code),
        }
    }
}

/// Nothing came for too long. A client that is still there takes a 45xx code for a reason to come back.
const CLOSE_TIMEOUT: u16 = 4508;
