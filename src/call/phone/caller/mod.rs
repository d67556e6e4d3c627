//! One outgoing call: `campanile call` is built on this, and so are the tests of [`super::Phones`].
//!
//! An INVITE may reach several devices. Each that answers provisionally makes an early dialog (`early`); the first
//! that answers finally has the call, and every other one that does is acknowledged and hung up on. Where the target
//! is served at several places, the next one is tried when one does not take the call (`elsewhere`).

mod answered;
mod challenged;
mod dial;
mod early;
mod elsewhere;
mod over;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{LegKind, LegPlan, LocalMedia, MediaCommand, MediaEvent};
use wire::sip::{Message, Method, Name, NameAddr, Scheme, SipError, Uri};

pub use dial::{CallerInput, CallerOutput, Dial};

use super::line::{Around, By, Line, Turn};
use super::replies::{Manners, SDP};
use crate::authenticate::Answerer;
use crate::dialog::DialogId;
use crate::dialog::session_timer::SessionTimer;
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::Agreement;
use crate::note::{CallDirection, CallStart, Note, Party, TransactionId};
use crate::transaction::{self, ClientId, Flow, ServerId, Transactions};

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

    fn configure(&mut self, plan: Box<LegPlan>) {
        self.outputs
            .push_back(CallerOutput::Media(MediaCommand::Configure {
                leg: self.dial.leg,
                plan,
            }));
    }
}
