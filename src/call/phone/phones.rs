//! Every SIP call that comes to the node: admission, answer, in-dialog requests, ending.
//!
//! A call is in `calls` from its accepted-for-consideration INVITE until its leg is closed and its BYE, if we
//! sent one, is answered or given up. Calls refused at once never get there.

mod arrive;
mod authenticate;
mod depart;
mod early;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{LegId, LegPlan, MediaEvent};
use wire::sip::{Message, Method, Name, SipError};

use self::authenticate::begins_dialog;
use super::border::{Config, Input, Output};
use super::digits::{Digits, Told};
use super::line::{Around, Line, Turn};
use super::replies::Manners;
use crate::authenticate::Challenger;
use crate::dialog::DialogId;
use crate::ending::{Cause, Ending};
use crate::note::{Note, TransactionId};
use crate::transaction::{
    self, ClientId, Flow, FlowId, Schedule, ServerId, Transactions, Transport,
};

/// Server transactions held at once, as a multiple of the calls held at once.
const TRANSACTIONS_PER_CALL: usize = 20;

/// Every SIP call of a node. Feed it by [`Phones::handle`], then drain [`Phones::poll`].
pub struct Phones {
    config: Config,
    manners: Manners,
    /// Of the listeners that have users, made when somebody first comes.
    challengers: BTreeMap<Transport, Challenger>,
    transactions: Transactions,
    calls: BTreeMap<TransactionId, Call>,
    by_dialog: BTreeMap<DialogId, TransactionId>,
    by_leg: BTreeMap<LegId, TransactionId>,
    by_invite: BTreeMap<ServerId, TransactionId>,
    by_bye: BTreeMap<ClientId, TransactionId>,
    /// Requests that negotiate or refresh.
    by_request: BTreeMap<ClientId, TransactionId>,
    deadlines: Schedule<TransactionId>,
    drain: Option<Instant>,
    draining: bool,
    legs: u64,
    outputs: VecDeque<Output>,
}

struct Call {
    line: Line,
    invite: Message,
    server: ServerId,
    patience: Instant,
    state: State,
    leg: LegState,
    early: Early,
    /// Whether early media was told to run.
    early_told: bool,
    digits: Digits,
    /// Whether it was told as answered: of a late offer, only when the answer came in the ACK.
    answered: bool,
    /// What is agreed, kept until the caller has shown that it is where it says it is.
    withheld: Option<Box<LegPlan>>,
    /// How it ended, once it did.
    ending: Option<Ending>,
    bye: Option<ClientId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Waits for a decision.
    Arrived,
    /// Wanted, or to be told something; waits for media.
    Reserving,
    /// A 183 was sent; waits for a decision.
    Early,
    /// A 2xx was sent.
    Answered,
    /// Ended, but a BYE must wait for the ACK of our 2xx (RFC 3261 §15).
    ByeDue,
    /// Ended.
    Over,
}

/// What is wanted of early media.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Early {
    /// None.
    No,
    /// A 183 as soon as media is reserved.
    Wanted,
    /// It runs.
    Told,
    /// The call is accepted; its 200 waits for the PRACK of the 183 (RFC 3262 §3).
    AcceptDue,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LegState {
    /// Never asked for, refused or closed.
    None,
    /// Asked for.
    Reserved,
    /// Told to close.
    Closing,
}

impl Phones {
    /// No calls yet. All that is random is drawn from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let manners = Manners {
            server_name: config.server_name.clone(),
            contact: config.contact,
            domain: config.domains.first().cloned(),
            answerer: None,
            keeps: false,
            random: StdRng::from_seed(seed),
        };
        Self {
            transactions: Transactions::new(
                config
                    .max_calls
                    .saturating_mul(TRANSACTIONS_PER_CALL)
                    .max(1000),
            ),
            legs: config.legs.0,
            config,
            manners,
            challengers: BTreeMap::new(),
            calls: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            by_leg: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            by_bye: BTreeMap::new(),
            by_request: BTreeMap::new(),
            deadlines: Schedule::new(),
            drain: None,
            draining: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip {
                flow,
                message,
                bytes,
            } => self.receive(now, flow, message, bytes),
            Input::FlowClosed { flow } => self.flow_closed(now, flow),
            Input::Connected { id, flow } => self.transactions.connected(now, id, flow),
            Input::Media(event) => self.media(now, event),
            Input::Accept { call } => self.accept(now, call),
            Input::Early { call } => self.early(call),
            Input::Renegotiate { call } => self.renegotiate(now, call),
            Input::Refuse { call, ending } | Input::HangUp { call, ending } => {
                self.end(now, call, ending);
            }
            Input::Drain { deadline } => {
                self.draining = true;
                self.drain = Some(deadline);
            }
        }
        self.pump(now);
    }

    /// What came of it, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Phones::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [
            self.transactions.next_timeout(),
            self.deadlines.next(),
            self.drain,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant) {
        self.transactions.timeout(now);
        self.pump(now);
        while let Some((_, call)) = self.deadlines.take_due(now) {
            self.deadline(now, call);
            self.pump(now);
        }
        if self.drain.is_some_and(|deadline| deadline <= now) {
            self.drain = None;
            let remaining: Vec<TransactionId> = self.calls.keys().copied().collect();
            for call in remaining {
                self.end(now, call, Ending::new(Cause::Draining));
            }
            self.pump(now);
        }
    }

    /// Calls that are not over.
    #[must_use]
    pub fn active(&self) -> usize {
        self.calls.values().filter(|c| c.ending.is_none()).count()
    }

    /// Everything that is held for calls and transactions, ended ones included: 0 when all is quiet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.calls.len()
            + self.by_dialog.len()
            + self.by_leg.len()
            + self.by_invite.len()
            + self.by_bye.len()
            + self.by_request.len()
            + self.transactions.len()
    }

    fn receive(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Result<Message, SipError>,
        bytes: Vec<u8>,
    ) {
        let mark = self.outputs.len();
        let shown = if bytes.is_empty() {
            match &message {
                Ok(message) => message.to_bytes(),
                Err(error) => error
                    .answerable
                    .as_deref()
                    .map(Message::to_bytes)
                    .unwrap_or_default(),
            }
        } else {
            bytes
        };
        let call = match message {
            Ok(message) => {
                self.transactions.receive(now, flow, message);
                self.pump(now)
            }
            Err(error) => {
                self.answer_unreadable(flow, &error);
                None
            }
        };
        self.pump(now);
        let note = Output::Note(Note::SipMessage {
            call,
            incoming: true,
            flow: flow.id,
            peer: flow.peer,
            bytes: shown,
        });
        self.outputs.insert(mark, note);
    }

    fn answer_unreadable(&mut self, flow: Flow, error: &SipError) {
        let (Some(request), Some(mut response)) = (error.answerable.as_deref(), error.response())
        else {
            return;
        };
        // Whatever of To is readable gets a tag; an unreadable one is sent back as it came.
        let _ = response.tag_to(&self.manners.fresh());
        response
            .headers
            .push(Name::Server, &self.manners.server_name);
        if let Ok(mut via) = response.headers.via() {
            via.note_source(flow.peer);
            response.headers.set_top_via(&via);
        }
        self.transactions.answer_stateless(flow, request, &response);
    }

    /// Works off what transactions tell; returns the call of the latest message that came in.
    fn pump(&mut self, now: Instant) -> Option<TransactionId> {
        let mut of_message = None;
        while let Some(output) = self.transactions.poll() {
            match output {
                transaction::Output::Send {
                    flow,
                    to,
                    bytes,
                    call,
                } => {
                    self.outputs.push_back(Output::Note(Note::SipMessage {
                        call,
                        incoming: false,
                        flow,
                        peer: to,
                        bytes: bytes.clone(),
                    }));
                    self.outputs.push_back(Output::Sip {
                        flow,
                        to,
                        message: bytes,
                        call,
                    });
                }
                transaction::Output::Connect { id, to, .. } => {
                    self.outputs.push_back(Output::Connect { id, to });
                }
                transaction::Output::KeepAlive { flow, every } => {
                    self.outputs.push_back(Output::KeepAlive { flow, every });
                }
                transaction::Output::Request {
                    id,
                    flow,
                    message,
                    merged,
                    cancels,
                } => {
                    of_message = self.request(now, id, flow, message, merged, cancels);
                    if let Some(call) = of_message {
                        self.transactions.tag(id, call);
                    }
                }
                transaction::Output::Ack { message, .. } => of_message = self.ack(now, &message),
                transaction::Output::Absorbed { call } => of_message = call,
                transaction::Output::Response {
                    id, flow, message, ..
                } => {
                    of_message = self.call_of_request(id);
                    if self.by_request.contains_key(&id) {
                        self.responded(now, id, flow, &message);
                    } else if message.status().is_some_and(|status| status >= 200) {
                        self.bye_done(id);
                    }
                }
                transaction::Output::Stray { .. } => {}
                transaction::Output::Failed { id, why } if self.by_request.contains_key(&id) => {
                    self.unanswered(now, id, why);
                }
                transaction::Output::Failed { id, why } => {
                    let call = self.by_bye.get(&id).copied();
                    self.outputs.push_back(Output::Note(Note::GaveUp {
                        call,
                        what: match why {
                            transaction::Failure::TimedOut => "BYE: no response",
                            transaction::Failure::FlowClosed => "BYE: the connection closed",
                        },
                    }));
                    self.bye_done(id);
                }
                transaction::Output::Orphaned { id } => {
                    if let Some(&call) = self.by_invite.get(&id) {
                        self.over(call, Ending::new(Cause::TransportLost));
                    }
                }
            }
        }
        of_message
    }

    fn request(
        &mut self,
        now: Instant,
        id: ServerId,
        flow: Flow,
        message: Message,
        merged: bool,
        cancels: Option<ServerId>,
    ) -> Option<TransactionId> {
        if message.method() == Some(&Method::Cancel) {
            return self.cancel(now, id, &message, cancels);
        }
        if let Some(dialog) = DialogId::of_request(&message) {
            let Some(&call) = self.by_dialog.get(&dialog) else {
                self.refuse_plainly(now, id, &message, 481);
                return None;
            };
            self.transactions.tag(id, call);
            self.in_dialog(now, id, flow, call, &message);
            return Some(call);
        }
        if merged {
            self.refuse_plainly(now, id, &message, 482);
            return None;
        }
        let mut user = None;
        if begins_dialog(message.method()) {
            user = self.authenticate(now, id, flow, &message).ok()?;
        }
        match message.method() {
            Some(Method::Invite) => return Some(self.invite(now, id, flow, message, user)),
            Some(Method::Options) => self.options(now, id, flow, &message),
            // These exist only inside a dialog or beside an INVITE.
            Some(Method::Bye | Method::Prack | Method::Update | Method::Info) => {
                self.refuse_plainly(now, id, &message, 481);
            }
            // RFC 3261 §8.2.1, §21.5.2: recognised but not served, or not even recognised.
            Some(method) if !method.is_known() => self.refuse_plainly(now, id, &message, 501),
            _ => self.refuse_plainly(now, id, &message, 405),
        }
        None
    }

    fn media(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Ready { leg, local } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    self.ready(now, call, local);
                }
            }
            MediaEvent::Refused { leg, why } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    self.leg_gone(call);
                    self.end(now, call, Ending::of_refused(why));
                }
            }
            MediaEvent::Lost { leg, why } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    self.end(now, call, Ending::of_loss(why));
                }
            }
            MediaEvent::ForeignSource { leg, source } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    let note = Note::ForeignMedia { call, source };
                    self.outputs.push_back(Output::Note(note));
                }
            }
            MediaEvent::Digit { leg, digit } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    self.digit(now, call, Told::ByMedia, digit);
                }
            }
            MediaEvent::Closed { leg } => {
                if let Some(&call) = self.by_leg.get(&leg) {
                    self.leg_gone(call);
                    if self.calls.get(&call).is_some_and(|c| c.ending.is_none()) {
                        self.end(now, call, Ending::new(Cause::Internal));
                    }
                }
            }
            _ => {}
        }
    }

    fn deadline(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let undecided = matches!(call.state, State::Arrived | State::Reserving | State::Early);
        if undecided && call.patience <= now {
            let ending = Ending::with_text(Cause::NoMediaResources, "nobody decided in time");
            self.end(now, id, ending);
            return;
        }
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        match call.state {
            State::Arrived | State::Reserving | State::Over => {}
            State::Early | State::Answered => {
                let turn = call.line.timeout(&mut around);
                self.turn(now, id, turn);
            }
            State::ByeDue => match call.line.timeout(&mut around) {
                Turn::Fail(_) => self.send_bye(now, id),
                _ => self.rearm(id),
            },
        }
    }

    fn rearm(&mut self, id: TransactionId) {
        let sent = self
            .calls
            .get_mut(&id)
            .and_then(|call| call.line.take_sent());
        if let Some(sent) = sent {
            self.by_request.insert(sent, id);
        }
        let at = self.calls.get(&id).and_then(|call| match call.state {
            State::Arrived | State::Reserving => Some(call.patience),
            State::Early => Some(
                call.line
                    .next_timeout()
                    .map_or(call.patience, |at| at.min(call.patience)),
            ),
            State::Answered | State::ByeDue => call.line.next_timeout(),
            State::Over => None,
        });
        match at {
            Some(at) => self.deadlines.arm(id, at),
            None => self.deadlines.disarm(id),
        }
    }

    fn flow_closed(&mut self, now: Instant, flow: FlowId) {
        for call in self.calls.values_mut() {
            call.line.flow_closed(flow);
        }
        self.transactions.flow_closed(flow);
        self.pump(now);
    }
}
