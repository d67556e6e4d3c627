//! Every SIP call that comes to the node: admission, answer, in-dialog requests, ending.
//!
//! A call is in `calls` from its accepted-for-consideration INVITE until its leg is closed and its BYE, if we
//! sent one, is answered or given up. Calls refused at once never get there.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{LegId, LegKind, LocalMedia, MediaCommand, MediaEvent};
use wire::sip::{Message, Method, Name, SipError};

use super::border::{Arrival, Config, Input, Output};
use super::dialled::dialled;
use super::line::{Line, Turn, refusal_response};
use super::replies::{Manners, SDP};
use crate::dialog::{Dialog, DialogId};
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::Agreement;
use crate::note::{CallDirection, CallStart, Note, Party, TransactionId};
use crate::transaction::{self, ClientId, Flow, FlowId, Schedule, ServerId, Transactions};

/// Server transactions held at once, as a multiple of the calls held at once.
const TRANSACTIONS_PER_CALL: usize = 20;

/// Every SIP call of a node. Feed it by [`Phones::handle`], then drain [`Phones::poll`].
pub struct Phones {
    config: Config,
    manners: Manners,
    transactions: Transactions,
    calls: BTreeMap<TransactionId, Call>,
    by_dialog: BTreeMap<DialogId, TransactionId>,
    by_leg: BTreeMap<LegId, TransactionId>,
    by_invite: BTreeMap<ServerId, TransactionId>,
    by_bye: BTreeMap<ClientId, TransactionId>,
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
    /// Whether it was told as answered: of a late offer, only when the answer came in the ACK.
    answered: bool,
    /// How it ended, once it did.
    ending: Option<Ending>,
    bye: Option<ClientId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Waits for a decision.
    Arrived,
    /// Wanted; waits for media.
    Reserving,
    /// A 2xx was sent.
    Answered,
    /// Ended, but a BYE must wait for the ACK of our 2xx (RFC 3261 §15).
    ByeDue,
    /// Ended.
    Over,
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
            calls: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            by_leg: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            by_bye: BTreeMap::new(),
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
            Input::Media(event) => self.media(now, event),
            Input::Accept { call } => self.accept(call),
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
                        bytes: bytes.clone(),
                    }));
                    self.outputs.push_back(Output::Sip {
                        flow,
                        to,
                        message: bytes,
                        call,
                    });
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
                transaction::Output::Response { id, message, .. } => {
                    of_message = self.by_bye.get(&id).copied();
                    if message.status().is_some_and(|status| status >= 200) {
                        self.bye_done(id);
                    }
                }
                transaction::Output::Stray { .. } => {}
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
        match message.method() {
            _ if merged => self.refuse_plainly(now, id, &message, 482),
            Some(Method::Invite) => return Some(self.invite(now, id, flow, message)),
            Some(Method::Options) => self.options(now, id, flow, &message),
            // These exist only inside a dialog or beside an INVITE.
            Some(Method::Bye) => self.refuse_plainly(now, id, &message, 481),
            _ => self.refuse_plainly(now, id, &message, 405),
        }
        None
    }

    fn refuse_plainly(&mut self, now: Instant, id: ServerId, request: &Message, status: u16) {
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, status, &tag);
        self.manners.complete_failure(&mut response, status);
        self.transactions.respond(now, id, &response);
    }

    fn options(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Message) {
        if let Some(response) = self.unsupported(request) {
            self.transactions.respond(now, id, &response);
            return;
        }
        let status = match dialled(&self.config, flow, request) {
            Err(cause) => Ending::new(cause).refusal_status(),
            Ok(_) if self.draining => 503,
            Ok(_) => 200,
        };
        if status != 200 {
            self.refuse_plainly(now, id, request, status);
            return;
        }
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, 200, &tag);
        self.manners.add_contact(&mut response, flow);
        response.headers.push(Name::Accept, SDP);
        self.transactions.respond(now, id, &response);
    }

    /// The 420 for a request that requires what we do not have: every extension, as yet (RFC 3261 §8.2.2.3).
    fn unsupported(&mut self, request: &Message) -> Option<Message> {
        let unsupported = request.headers.unsupported(&[]);
        if unsupported.is_empty() {
            return None;
        }
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, 420, &tag);
        response
            .headers
            .push(Name::Unsupported, unsupported.join(", "));
        Some(response)
    }

    fn cancel(
        &mut self,
        now: Instant,
        id: ServerId,
        cancel: &Message,
        cancels: Option<ServerId>,
    ) -> Option<TransactionId> {
        let Some(invite) = cancels else {
            self.refuse_plainly(now, id, cancel, 481);
            return None;
        };
        let call = self.by_invite.get(&invite).copied();
        // The tag of the INVITE's own response (RFC 3261 §9.2).
        let tag = match call.and_then(|call| self.calls.get(&call)) {
            Some(call) => call.line.dialog.id().local_tag.clone(),
            None => self.manners.fresh(),
        };
        if let Some(call) = call {
            self.transactions.tag(id, call);
        }
        let response = self.manners.reply(cancel, 200, &tag);
        self.transactions.respond(now, id, &response);
        if let Some(call) = call {
            self.end(now, call, Ending::new(Cause::Cancelled));
        }
        call
    }

    /// A new call. Whatever becomes of it, it is one in the record.
    fn invite(
        &mut self,
        now: Instant,
        server: ServerId,
        flow: Flow,
        invite: Message,
    ) -> TransactionId {
        let call = TransactionId::new(&mut self.manners.random);
        let leg = LegId(self.legs);
        self.legs = self.legs.wrapping_add(self.config.legs.1);
        self.transactions.tag(server, call);
        let (from_user, from_host, display) = caller_of(&invite);
        self.outputs
            .push_back(Output::Note(Note::CallStarted(CallStart {
                call,
                leg,
                party: Party::Sip {
                    sip_call_id: invite.headers.call_id().unwrap_or_default(),
                    from_user: from_user.clone(),
                    to_user: invite
                        .uri()
                        .ok()
                        .and_then(|uri| uri.user_plain().map(|user| user.into_owned()))
                        .unwrap_or_default(),
                    transport: flow.transport,
                    peer: flow.peer,
                },
                direction: CallDirection::Inbound,
            })));
        let tag = self.manners.fresh();
        let (dialled, line) = match self.consider(call, leg, flow, &invite, &tag) {
            Ok(wanted) => wanted,
            Err(refused) => {
                let (ending, response) = *refused;
                self.transactions.respond(now, server, &response);
                self.outputs
                    .push_back(Output::Note(Note::CallEnded { call, leg, ending }));
                return call;
            }
        };
        let trying = self.manners.reply(&invite, 100, &tag);
        self.transactions.respond(now, server, &trying);
        let patience = now + self.config.patience;
        self.deadlines.arm(call, patience);
        self.by_dialog.insert(line.dialog.id().clone(), call);
        self.by_leg.insert(leg, call);
        self.by_invite.insert(server, call);
        self.calls.insert(
            call,
            Call {
                line,
                invite,
                server,
                patience,
                state: State::Arrived,
                leg: LegState::None,
                answered: false,
                ending: None,
                bye: None,
            },
        );
        self.outputs.push_back(Output::Arrived(Arrival {
            call,
            leg,
            dialled,
            from_user,
            from_host,
            display,
            flow,
        }));
        call
    }

    /// Everything that can be said about an INVITE before anybody is asked.
    fn consider(
        &mut self,
        call: TransactionId,
        leg: LegId,
        flow: Flow,
        invite: &Message,
        tag: &str,
    ) -> Result<(super::Dialled, Line), Box<(Ending, Message)>> {
        if let Some(response) = self.unsupported(invite) {
            return Err(Box::new((Ending::new(Cause::BadExtension), response)));
        }
        let refuse = |manners: &Manners, ending: Ending| {
            let response = manners.refusal(invite, &ending, tag);
            Box::new((ending, response))
        };
        let dialled = dialled(&self.config, flow, invite)
            .map_err(|cause| refuse(&self.manners, Ending::new(cause)))?;
        if self.draining {
            return Err(refuse(&self.manners, Ending::new(Cause::Draining)));
        }
        if self.calls.len() >= self.config.max_calls {
            return Err(refuse(&self.manners, Ending::new(Cause::Overloaded)));
        }
        let encoded = invite
            .headers
            .get(Name::ContentEncoding)
            .is_some_and(|value| !value.eq_ignore_ascii_case(b"identity"));
        let is_sdp = invite.headers.content_type().as_deref() == Some(SDP);
        if !invite.body.is_empty() && (!is_sdp || encoded) {
            return Err(refuse(&self.manners, Ending::new(Cause::BadBody)));
        }
        let dialog = Dialog::uas(invite, tag).map_err(|error| {
            let ending = Ending::with_text(Cause::BadRequest, error.to_string());
            refuse(&self.manners, ending)
        })?;
        let agreement = Agreement::new(
            self.config.rules.clone(),
            self.config.srtp.of(flow.transport),
            &mut self.manners.random,
        );
        if !invite.body.is_empty()
            && let Err(refusal) = agreement.consider(&invite.body)
        {
            let response = refusal_response(&self.manners, invite, refusal, tag);
            return Err(Box::new((refusal.ending(), response)));
        }
        Ok((dialled, Line::new(call, leg, flow, dialog, agreement)))
    }

    fn accept(&mut self, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.state != State::Arrived {
            return;
        }
        let ipv6 = if call.invite.body.is_empty() {
            call.line.flow.peer.ip().to_canonical().is_ipv6()
        } else {
            call.line
                .agreement
                .consider(&call.invite.body)
                .is_ok_and(|offer| offer.is_ipv6())
        };
        call.state = State::Reserving;
        call.leg = LegState::Reserved;
        self.outputs.push_back(Output::Media(MediaCommand::Reserve {
            leg: call.line.leg,
            kind: LegKind::Phone { ipv6 },
        }));
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

    /// Media is reserved: answer.
    fn ready(&mut self, now: Instant, id: TransactionId, local: LocalMedia) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.state != State::Reserving {
            return;
        }
        call.line.set_local(local);
        let answered = call.line.answer_invite(
            now,
            &mut self.transactions,
            &mut self.manners,
            call.server,
            &call.invite,
        );
        match answered {
            Ok(plan) => {
                call.state = State::Answered;
                self.by_invite.remove(&call.server);
                if let Some(plan) = plan {
                    let leg = call.line.leg;
                    call.answered = true;
                    self.configure(leg, Box::new(plan));
                    self.answered(id, leg);
                }
                self.rearm(id);
            }
            Err(refusal) => self.end(now, id, refusal.ending()),
        }
    }

    fn configure(&mut self, leg: LegId, plan: Box<wire::plan::LegPlan>) {
        self.outputs
            .push_back(Output::Media(MediaCommand::Configure { leg, plan }));
    }

    fn answered(&mut self, call: TransactionId, leg: LegId) {
        self.outputs
            .push_back(Output::Note(Note::CallAnswered { call }));
        self.outputs.push_back(Output::Answered { call, leg });
    }

    fn in_dialog(
        &mut self,
        now: Instant,
        id: ServerId,
        flow: Flow,
        of: TransactionId,
        message: &Message,
    ) {
        let Some(call) = self.calls.get_mut(&of) else {
            return;
        };
        let over = matches!(call.state, State::Over | State::ByeDue);
        let early = matches!(call.state, State::Arrived | State::Reserving);
        let bye = message.method() == Some(&Method::Bye);
        if (over || early) && !bye {
            // Before our answer only BYE makes sense; RFC 3261 §14.2 has 500 for an INVITE within an INVITE.
            let status = if over { 481 } else { 500 };
            let tag = call.line.dialog.id().local_tag.clone();
            let mut response = self.manners.reply(message, status, &tag);
            if early {
                response.headers.push(Name::RetryAfter, 5);
            }
            self.transactions.respond(now, id, &response);
            return;
        }
        let turn = call.line.request(
            now,
            &mut self.transactions,
            &mut self.manners,
            id,
            flow,
            message,
        );
        self.turn(now, of, turn);
    }

    fn ack(&mut self, now: Instant, ack: &Message) -> Option<TransactionId> {
        let id = DialogId::of_request(ack).and_then(|d| self.by_dialog.get(&d).copied())?;
        let call = self.calls.get_mut(&id)?;
        let turn = call.line.acknowledged(ack);
        if call.state == State::ByeDue {
            if !call.line.waits_for_ack() {
                self.send_bye(now, id);
            }
            return Some(id);
        }
        self.turn(now, id, turn);
        Some(id)
    }

    fn turn(&mut self, now: Instant, id: TransactionId, turn: Turn) {
        match turn {
            Turn::Nothing => {}
            Turn::Configure(plan) => {
                if let Some(leg) = self.calls.get(&id).map(|call| call.line.leg) {
                    self.configure(leg, plan);
                    let first = self
                        .calls
                        .get_mut(&id)
                        .is_some_and(|call| !std::mem::replace(&mut call.answered, true));
                    if first {
                        self.answered(id, leg);
                    }
                }
            }
            Turn::Over(ending) => {
                self.refuse_pending(now, id, &Ending::new(Cause::Cancelled));
                self.over(id, ending);
            }
            Turn::Fail(ending) => self.end(now, id, ending),
        }
        self.rearm(id);
    }

    /// Ends a call in whatever way its state asks for.
    fn end(&mut self, now: Instant, id: TransactionId, ending: Ending) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.state {
            State::Arrived | State::Reserving => {
                self.refuse_pending(now, id, &ending);
                self.over(id, ending);
            }
            State::Answered => {
                let waits = call.line.waits_for_ack();
                self.over(id, ending.after_answer());
                if waits {
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.state = State::ByeDue;
                    }
                    self.rearm(id);
                } else {
                    self.send_bye(now, id);
                }
            }
            State::ByeDue | State::Over => {}
        }
    }

    /// Answers the first INVITE with the ending's status, if it is still open.
    fn refuse_pending(&mut self, now: Instant, id: TransactionId, ending: &Ending) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if matches!(call.state, State::Arrived | State::Reserving) {
            let tag = &call.line.dialog.id().local_tag;
            let response = self.manners.refusal(&call.invite, ending, tag);
            self.transactions.respond(now, call.server, &response);
        }
    }

    fn send_bye(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.state = State::Over;
        let ending = call
            .ending
            .clone()
            .unwrap_or_else(|| Ending::new(Cause::WeHungUp));
        let sent = call
            .line
            .bye(now, &mut self.transactions, &mut self.manners, &ending);
        call.bye = sent;
        match sent {
            Some(bye) => {
                self.by_bye.insert(bye, id);
            }
            None => self.outputs.push_back(Output::Note(Note::GaveUp {
                call: Some(id),
                what: "BYE: the connection closed",
            })),
        }
        self.rearm(id);
        self.forget_if_done(id);
    }

    /// Tells the ending, once, and closes the leg.
    fn over(&mut self, id: TransactionId, ending: Ending) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let leg = call.line.leg;
        call.state = State::Over;
        self.by_invite.remove(&call.server);
        if call.ending.is_none() {
            call.ending = Some(ending.clone());
            self.outputs.push_back(Output::Ended {
                call: id,
                leg,
                ending: ending.clone(),
            });
            match call.leg {
                LegState::Reserved => {
                    call.leg = LegState::Closing;
                    self.outputs
                        .push_back(Output::Media(MediaCommand::Close { leg }));
                }
                LegState::None => {
                    self.outputs.push_back(Output::Note(Note::CallEnded {
                        call: id,
                        leg,
                        ending,
                    }));
                }
                LegState::Closing => {}
            }
        }
        self.rearm(id);
        self.forget_if_done(id);
    }

    fn leg_gone(&mut self, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.leg = LegState::None;
        if let Some(ending) = call.ending.clone() {
            self.outputs.push_back(Output::Note(Note::CallEnded {
                call: id,
                leg: call.line.leg,
                ending,
            }));
        }
        self.forget_if_done(id);
    }

    fn bye_done(&mut self, bye: ClientId) {
        if let Some(id) = self.by_bye.remove(&bye) {
            if let Some(call) = self.calls.get_mut(&id) {
                call.bye = None;
            }
            self.forget_if_done(id);
        }
    }

    fn forget_if_done(&mut self, id: TransactionId) {
        let done = self.calls.get(&id).is_some_and(|call| {
            call.state == State::Over && call.leg == LegState::None && call.bye.is_none()
        });
        if done && let Some(call) = self.calls.remove(&id) {
            self.by_dialog.remove(call.line.dialog.id());
            self.by_leg.remove(&call.line.leg);
            self.deadlines.disarm(id);
        }
    }

    fn deadline(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.state {
            State::Arrived | State::Reserving => {
                if call.patience <= now {
                    let ending =
                        Ending::with_text(Cause::NoMediaResources, "nobody decided in time");
                    self.end(now, id, ending);
                }
            }
            State::Answered => {
                let turn = call.line.timeout(now, &mut self.transactions);
                self.turn(now, id, turn);
            }
            State::ByeDue => match call.line.timeout(now, &mut self.transactions) {
                Turn::Fail(_) => self.send_bye(now, id),
                _ => self.rearm(id),
            },
            State::Over => {}
        }
    }

    fn rearm(&mut self, id: TransactionId) {
        let at = self.calls.get(&id).and_then(|call| match call.state {
            State::Arrived | State::Reserving => Some(call.patience),
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

/// User, host and display name of From.
fn caller_of(invite: &Message) -> (String, String, Option<String>) {
    let Ok(from) = invite.headers.from() else {
        return Default::default();
    };
    (
        from.uri
            .user_plain()
            .map(|user| user.into_owned())
            .unwrap_or_default(),
        from.uri.host.to_string(),
        from.display,
    )
}
