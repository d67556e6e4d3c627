//! One outgoing call: `campanile call` is built on this, and so are the tests of [`super::Phones`].
//!
//! An INVITE may reach several devices. Each that answers provisionally makes an early dialog (`early`); the first
//! that answers finally has the call, and every other one that does is acknowledged and hung up on. Where the target
//! is served at several places, the next one is tried when one does not take the call (`elsewhere`).

mod challenged;
mod early;
mod elsewhere;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{LegId, LegKind, LegPlan, LocalMedia, MediaCommand, MediaEvent};
use wire::sip::{Message, Method, Name, NameAddr, Scheme, SipError, Uri};

use super::line::{Around, By, Line, Turn};
use super::replies::{Manners, SDP};
use crate::authenticate::{Account, Answerer};
use crate::dialog::session_timer::{Policy, SessionTimer};
use crate::dialog::{Dialog, DialogId};
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::{Agreement, Rules, SrtpPolicy};
use crate::note::{CallDirection, CallStart, Note, Party, TransactionId};
use crate::transaction::{
    self, ClientId, Destination, Flow, FlowId, GIVE_UP, ServerId, Transactions,
};

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Waits for media.
    Reserving,
    /// The INVITE failed; another way is waited for.
    Locating,
    /// The INVITE is out.
    Calling { provisional: bool },
    /// The caller gave up; a CANCEL is out, or waits for a provisional response (RFC 3261 §9.1).
    Cancelling { provisional: bool },
    /// Answered.
    Talking,
    /// Over.
    Over,
}

/// One outgoing call. Feed it by [`Caller::handle`], then drain [`Caller::poll`].
pub struct Caller {
    dial: Dial,
    call: TransactionId,
    manners: Manners,
    transactions: Transactions,
    state: State,
    agreement: Option<Agreement>,
    local: Option<LocalMedia>,
    invite: Option<(ClientId, Message)>,
    timer: SessionTimer,
    /// How often the INVITE was sent again with credentials.
    answers: u8,
    /// Requests within the dialog that were sent again with credentials.
    asked: BTreeSet<ClientId>,
    /// Devices that answered provisionally, by tag.
    early: BTreeMap<String, early::Branch>,
    line: Option<Line>,
    ack: Option<Message>,
    /// Our ACKs to devices that answered after the first, by tag.
    late: BTreeMap<String, Message>,
    byes: BTreeSet<ClientId>,
    reserved: bool,
    /// The way that was dialled on is closed.
    closed: bool,
    deadline: Option<Instant>,
    ending: Option<Ending>,
    told: bool,
    outputs: VecDeque<CallerOutput>,
}

impl Caller {
    /// Begins to call: asks for media first. All that is random is drawn from `seed`.
    #[must_use]
    pub fn new(now: Instant, dial: Dial, seed: [u8; 32]) -> Self {
        let mut manners = Manners {
            server_name: dial.user_agent.clone(),
            contact: dial.contact,
            domain: None,
            keeps: true,
            answerer: dial.account.clone().map(Answerer::new),
            random: StdRng::from_seed(seed),
        };
        let call = TransactionId::new(&mut manners.random);
        let agreement = Agreement::new(dial.rules.clone(), dial.srtp, &mut manners.random);
        let timer = SessionTimer::new(dial.session);
        let mut outputs = VecDeque::new();
        outputs.push_back(CallerOutput::Media(MediaCommand::Reserve {
            leg: dial.leg,
            kind: LegKind::Phone {
                ipv6: dial.flow.peer.ip().to_canonical().is_ipv6(),
            },
            bridge: None,
        }));
        Self {
            deadline: Some(now + dial.patience),
            dial,
            call,
            manners,
            transactions: Transactions::new(1000),
            state: State::Reserving,
            agreement: Some(agreement),
            local: None,
            invite: None,
            timer,
            answers: 0,
            asked: BTreeSet::new(),
            early: BTreeMap::new(),
            line: None,
            ack: None,
            late: BTreeMap::new(),
            byes: BTreeSet::new(),
            reserved: true,
            closed: false,
            ending: None,
            told: false,
            outputs,
        }
    }

    /// The call's id.
    #[must_use]
    pub fn call(&self) -> TransactionId {
        self.call
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: CallerInput) {
        match input {
            CallerInput::Sip {
                flow,
                message,
                bytes,
            } => self.receive(now, flow, message, bytes),
            CallerInput::FlowClosed { flow } => {
                for line in self.lines() {
                    line.flow_closed(flow);
                }
                self.transactions.flow_closed(flow);
                self.closed |= flow == self.dial.flow.id;
            }
            CallerInput::Connected { id, flow } => self.transactions.connected(now, id, flow),
            CallerInput::Way(flow) => self.way(now, flow),
            CallerInput::Media(event) => self.media(now, event),
            CallerInput::Renegotiate => self.renegotiate(now),
            CallerInput::HangUp { ending } => self.hang_up(now, ending),
        }
        self.pump(now);
    }

    /// What came of it, in order.
    pub fn poll(&mut self) -> Option<CallerOutput> {
        self.outputs.pop_front()
    }

    /// When [`Caller::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [
            self.transactions.next_timeout(),
            self.line.as_ref().and_then(Line::next_timeout),
            self.deadline,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant) {
        self.transactions.timeout(now);
        self.pump(now);
        if let Some(line) = &mut self.line
            && line.next_timeout().is_some_and(|at| at <= now)
        {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            let turn = line.timeout(&mut around);
            self.turn(now, turn);
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            match self.state {
                // Neither 487 nor 200 came to our CANCEL (RFC 3261 §9.1).
                State::Cancelling { .. } => {
                    let ending = self.ending.clone();
                    self.over(ending.unwrap_or_else(|| Ending::new(Cause::NoResponse)));
                }
                State::Talking | State::Over => {}
                State::Reserving | State::Locating | State::Calling { .. } => {
                    self.hang_up(now, Ending::with_text(Cause::NoResponse, "nobody answered"));
                }
            }
        }
        self.pump(now);
    }

    /// Whether nothing is left to wait for but copies of old messages.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Over && !self.reserved && self.byes.is_empty()
    }

    /// Transactions that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.transactions.len()
    }

    fn media(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Ready { leg, local }
                if leg == self.dial.leg && self.state == State::Reserving =>
            {
                self.invite(now, local);
            }
            MediaEvent::Refused { leg, why } if leg == self.dial.leg => {
                self.leg_gone();
                self.over(Ending::of_refused(why));
            }
            MediaEvent::Lost { leg, why } if leg == self.dial.leg => {
                self.hang_up(now, Ending::of_loss(why));
            }
            MediaEvent::Closed { leg } if leg == self.dial.leg => {
                self.leg_gone();
                self.hang_up(now, Ending::new(Cause::Internal));
            }
            _ => {}
        }
    }

    fn invite(&mut self, now: Instant, local: LocalMedia) {
        let Some(agreement) = &mut self.agreement else {
            return;
        };
        let offer = agreement.offer(&local, &mut self.manners.random);
        self.local = Some(local);
        let flow = self.dial.flow;
        let mut invite = Message::request(Method::Invite, &self.dial.target);
        invite.headers.push(Name::Via, self.manners.via(flow));
        invite.headers.push(Name::MaxForwards, 70);
        let tag = self.manners.fresh();
        let from = NameAddr::new(self.dial.from.clone()).with_tag(&tag);
        invite.headers.push(Name::From, from);
        invite
            .headers
            .push(Name::To, NameAddr::new(self.dial.target.clone()));
        let call_id = format!("{}@{}", self.manners.fresh(), self.dial.from.host);
        invite.headers.push(Name::CallId, &call_id);
        // Below 2^31 (RFC 3261 §8.1.1.5), with room to count.
        let number: u32 = self.manners.random.random_range(1..1 << 16);
        invite.headers.push(Name::CSeq, format!("{number} INVITE"));
        self.manners
            .add_contact(&mut invite, flow, self.dial.target.scheme == Scheme::Sips);
        invite
            .headers
            .push(Name::UserAgent, &self.manners.server_name);
        self.timer.ask(&mut invite);
        invite.set_body(SDP, offer);
        let user = |uri: &Uri| uri.user_plain().unwrap_or_default().into_owned();
        self.outputs
            .push_back(CallerOutput::Note(Note::CallStarted(CallStart {
                call: self.call,
                leg: self.dial.leg,
                party: Party::Sip {
                    sip_call_id: call_id,
                    from_user: user(&self.dial.from),
                    to_user: user(&self.dial.target),
                    auth_user: None,
                    transport: flow.transport,
                    peer: flow.peer,
                },
                direction: CallDirection::Outbound,
            })));
        self.send_invite(now, invite);
    }

    fn receive(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Result<Message, SipError>,
        bytes: Vec<u8>,
    ) {
        let shown = match &message {
            Ok(message) if bytes.is_empty() => message.to_bytes(),
            _ => bytes,
        };
        self.outputs.push_back(CallerOutput::Note(Note::SipMessage {
            call: message.is_ok().then_some(self.call),
            incoming: true,
            flow: flow.id,
            peer: flow.peer,
            bytes: shown,
        }));
        // What cannot be read is no part of this call, and nobody else's either.
        if let Ok(message) = message {
            self.transactions.receive(now, flow, message);
        }
    }

    fn pump(&mut self, now: Instant) {
        while let Some(output) = self.transactions.poll() {
            match output {
                transaction::Output::Send {
                    flow,
                    to,
                    bytes,
                    call,
                } => {
                    self.outputs.push_back(CallerOutput::Note(Note::SipMessage {
                        call,
                        incoming: false,
                        flow,
                        peer: to,
                        bytes: bytes.clone(),
                    }));
                    self.outputs.push_back(CallerOutput::Sip {
                        flow,
                        to,
                        message: bytes,
                    });
                }
                transaction::Output::Connect { id, to, .. } => {
                    self.outputs.push_back(CallerOutput::Connect { id, to });
                }
                transaction::Output::KeepAlive { flow, every } => {
                    self.outputs
                        .push_back(CallerOutput::KeepAlive { flow, every });
                }
                transaction::Output::Request {
                    id, flow, message, ..
                } => self.request(now, id, flow, &message),
                transaction::Output::Ack { message, .. } => self.acknowledged(now, &message),
                transaction::Output::Response {
                    id,
                    flow,
                    message,
                    challenged,
                } => {
                    self.reached(id, flow);
                    let answered = challenged
                        .is_some_and(|request| self.answers_within(now, id, &message, *request));
                    if !answered {
                        self.response(now, id, &message);
                    }
                }
                transaction::Output::Failed { id, why } => self.failed(now, id, why),
                transaction::Output::Absorbed { .. }
                | transaction::Output::Stray { .. }
                | transaction::Output::Orphaned { .. } => {}
            }
        }
    }

    fn request(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Message) {
        self.transactions.tag(id, self.call);
        let in_dialog = DialogId::of_request(request);
        let bye = request.method() == Some(&Method::Bye);
        let alive = self.state != State::Over;
        let early = self.line.is_none();
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let line = self
            .line
            .iter_mut()
            .chain(self.early.values_mut().map(|branch| &mut branch.line))
            .find(|line| in_dialog.as_ref() == Some(line.dialog.id()));
        if let Some(line) = line.filter(|_| alive || bye) {
            let turn = line.requested(&mut around, id, flow, request, early);
            self.turn(now, turn);
            return;
        }
        let status = match request.method() {
            Some(Method::Options) if in_dialog.is_none() => 200,
            Some(Method::Invite) if in_dialog.is_none() => 486,
            Some(Method::Bye | Method::Cancel) => 481,
            _ if in_dialog.is_some() => 481,
            _ => 405,
        };
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, status, &tag);
        self.manners.complete_failure(&mut response, status);
        self.transactions.respond(now, id, &response);
    }

    fn acknowledged(&mut self, now: Instant, ack: &Message) {
        let in_dialog = DialogId::of_request(ack);
        if let Some(line) = &mut self.line
            && in_dialog.as_ref() == Some(line.dialog.id())
        {
            let turn = line.acknowledged(ack);
            self.turn(now, turn);
        }
    }

    fn turn(&mut self, now: Instant, turn: Turn) {
        match turn {
            Turn::Nothing => {}
            Turn::Configure(plan) => self.configure(plan),
            Turn::Digit(digit) => self.outputs.push_back(CallerOutput::Digit(digit)),
            // One of several devices that have not answered yet does not end the call.
            Turn::Over(_) if self.line.is_none() => {}
            Turn::Over(ending) => self.over(ending),
            Turn::Fail(ending) => self.hang_up(now, ending),
        }
    }

    fn renegotiate(&mut self, now: Instant) {
        if let Some(line) = self.line.as_mut().filter(|_| self.state == State::Talking) {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            line.refresh(&mut around, By::Invite);
        }
    }

    /// Every dialog that there is.
    fn lines(&mut self) -> impl Iterator<Item = &mut Line> {
        let early = self.early.values_mut().map(|branch| &mut branch.line);
        self.line.iter_mut().chain(early)
    }

    fn response(&mut self, now: Instant, id: ClientId, response: &Message) {
        let status = response.status().unwrap_or(0);
        if status >= 200 {
            self.asked.remove(&id);
        }
        let of_invite = self.invite.as_ref().is_some_and(|(own, _)| *own == id);
        if !of_invite {
            if let Some(line) = self.line.as_mut().filter(|line| line.has_sent(id)) {
                let mut around = Around {
                    now,
                    transactions: &mut self.transactions,
                    manners: &mut self.manners,
                };
                let turn = line.responded(&mut around, id, response);
                if self.state == State::Talking {
                    self.turn(now, turn);
                }
            } else if status >= 200 {
                self.byes.remove(&id);
            }
            return;
        }
        match status {
            100..200 => self.provisional(now, status, response),
            200..300 => self.success(now, response),
            422 if matches!(self.state, State::Calling { .. })
                && self.timer.too_small(response) =>
            {
                self.invite_again(now);
            }
            // Whoever says so does not take the call now; another may (RFC 3263 §4.3).
            503 if matches!(self.state, State::Calling { .. }) => {
                let reason = response.reason().unwrap_or_default().into_owned();
                let text = format!("{status} {reason}");
                self.try_elsewhere(Ending::with_text(Cause::Rejected(status), text));
            }
            401 | 407 if matches!(self.state, State::Calling { .. }) => {
                self.challenged(now, status, response);
            }
            _ => {
                let reason = response.reason().unwrap_or_default().into_owned();
                let ending = match (self.state, &self.ending) {
                    (State::Cancelling { .. }, Some(ending)) => ending.clone(),
                    _ => Ending::with_text(Cause::Rejected(status), format!("{status} {reason}")),
                };
                self.over(ending);
            }
        }
    }

    fn provisional(&mut self, now: Instant, status: u16, response: &Message) {
        self.branch_out(now, response);
        match self.state {
            State::Calling { .. } => {
                self.state = State::Calling { provisional: true };
                self.outputs.push_back(CallerOutput::Progress {
                    status,
                    reason: response.reason().unwrap_or_default().into_owned(),
                });
            }
            State::Cancelling { provisional: false } => {
                self.state = State::Cancelling { provisional: true };
                self.send_cancel(now);
            }
            _ => {}
        }
    }

    fn success(&mut self, now: Instant, response: &Message) {
        let Some((_, invite)) = &self.invite else {
            return;
        };
        let number = invite.headers.cseq().map_or(0, |cseq| cseq.number);
        let dialog = match Dialog::uac(invite, response) {
            Ok(dialog) => dialog,
            Err(error) => {
                // Without a Contact there is nobody to acknowledge; they will give up.
                self.over(Ending::with_text(Cause::BadDescription, error.to_string()));
                return;
            }
        };
        if let Some(line) = &self.line {
            let tag = &dialog.id().remote_tag;
            if line.dialog.id() == dialog.id() {
                // A copy: its ACK was lost (RFC 3261 §13.2.2.4).
                if let Some(ack) = &self.ack {
                    self.transactions.send(line.flow, ack, Some(self.call));
                }
            } else if let Some(ack) = self.late.get(tag) {
                self.transactions.send(self.dial.flow, ack, Some(self.call));
            } else {
                self.drop_fork(now, dialog, number);
            }
            return;
        }
        let Some(mut line) = self.line_of(dialog, response) else {
            return;
        };
        let ack = self.acknowledge(&line.dialog, number);
        self.ack = Some(ack);
        line.timer.take_response(now, response);
        let agreed = line.take_final_answer(response);
        self.line = Some(line);
        let cancelled = matches!(self.state, State::Cancelling { .. } | State::Over);
        if !cancelled {
            self.deadline = None;
        }
        self.state = State::Talking;
        match agreed {
            _ if cancelled => {
                // It was answered while our CANCEL was on its way.
                let ending = self.ending.clone();
                self.hang_up(now, ending.unwrap_or_else(|| Ending::new(Cause::WeHungUp)));
            }
            Ok(plan) => {
                let plan = Box::new(plan);
                self.outputs
                    .push_back(CallerOutput::Note(Note::CallAnswered { call: self.call }));
                self.configure(plan.clone());
                self.outputs.push_back(CallerOutput::Answered { plan });
            }
            Err(refusal) => self.hang_up(now, refusal.ending()),
        }
    }

    /// A second device answered the same INVITE: one is enough.
    fn drop_fork(&mut self, now: Instant, mut dialog: Dialog, number: u32) {
        let ack = self.acknowledge(&dialog, number);
        self.late.insert(dialog.id().remote_tag.clone(), ack);
        let mut bye = dialog.request(Method::Bye);
        bye.headers
            .push_front(Name::Via, self.manners.via(self.dial.flow));
        self.manners.authorize(&mut bye);
        let id = self
            .transactions
            .request(now, self.dial.flow, bye, Some(self.call));
        self.byes.insert(id);
    }

    fn acknowledge(&mut self, dialog: &Dialog, number: u32) -> Message {
        let mut ack = dialog.ack(number);
        ack.headers
            .push_front(Name::Via, self.manners.via(self.dial.flow));
        if let Some((_, invite)) = &self.invite {
            ack.copy_credentials(invite);
        }
        self.transactions
            .send(self.dial.flow, &ack, Some(self.call));
        ack
    }

    fn configure(&mut self, plan: Box<LegPlan>) {
        self.outputs
            .push_back(CallerOutput::Media(MediaCommand::Configure {
                leg: self.dial.leg,
                plan,
            }));
    }

    fn failed(&mut self, now: Instant, id: ClientId, why: transaction::Failure) {
        if let Some(line) = self.line.as_mut().filter(|line| line.has_sent(id)) {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            let turn = line.unanswered(&mut around, id, why);
            if self.state == State::Talking {
                self.turn(now, turn);
            }
        } else if self.byes.remove(&id) {
            self.outputs.push_back(CallerOutput::Note(Note::GaveUp {
                call: Some(self.call),
                what: match why {
                    transaction::Failure::TimedOut => "BYE: no response",
                    transaction::Failure::FlowClosed => "BYE: the connection closed",
                },
            }));
        } else if self.invite.as_ref().is_some_and(|(own, _)| *own == id) {
            let ending = Ending::new(match why {
                transaction::Failure::TimedOut => Cause::NoResponse,
                transaction::Failure::FlowClosed => Cause::TransportLost,
            });
            if matches!(self.state, State::Calling { .. }) {
                self.try_elsewhere(ending);
            } else {
                self.over(ending);
            }
        }
    }

    fn hang_up(&mut self, now: Instant, ending: Ending) {
        match self.state {
            State::Reserving | State::Locating => self.over(ending),
            State::Calling { provisional } => {
                self.ending = Some(ending);
                self.state = State::Cancelling { provisional };
                self.deadline = Some(now + GIVE_UP);
                if provisional {
                    self.send_cancel(now);
                }
            }
            State::Talking => {
                let ending = ending.after_answer();
                let mut around = Around {
                    now,
                    transactions: &mut self.transactions,
                    manners: &mut self.manners,
                };
                if let Some(line) = self.line.as_mut() {
                    self.byes.insert(line.bye(&mut around, &ending));
                }
                self.over(ending);
            }
            State::Cancelling { .. } | State::Over => {}
        }
    }

    fn send_cancel(&mut self, now: Instant) {
        if let Some((invite, _)) = &self.invite {
            let reason = self.ending.as_ref().and_then(Ending::reason_header);
            self.transactions.cancel(now, *invite, reason.as_deref());
        }
    }

    /// Tells the ending, once, and closes the leg.
    fn over(&mut self, ending: Ending) {
        self.state = State::Over;
        self.deadline = None;
        self.early.clear();
        if let Some(line) = &mut self.line {
            line.wind_down();
        }
        if self.told {
            return;
        }
        self.told = true;
        self.outputs.push_back(CallerOutput::Ended(ending.clone()));
        self.ending = Some(ending);
        if self.reserved {
            self.outputs
                .push_back(CallerOutput::Media(MediaCommand::Close {
                    leg: self.dial.leg,
                }));
        } else {
            self.tell_call_ended();
        }
    }

    fn leg_gone(&mut self) {
        if std::mem::replace(&mut self.reserved, false) && self.told {
            self.tell_call_ended();
        }
    }

    fn tell_call_ended(&mut self) {
        if let Some(ending) = self.ending.clone().filter(|_| self.invite.is_some()) {
            self.outputs.push_back(CallerOutput::Note(Note::CallEnded {
                call: self.call,
                leg: self.dial.leg,
                ending,
            }));
        }
    }
}
