//! One call's signaling within its dialog, the same for callee and caller.
//!
//! Here: what a line holds, its deadlines, 2xx that are sent again until their ACK comes, and BYE. `requests` answers
//! what the other side asks within the dialog, `provisional` answers before the answer, `refresh` asks it ourselves.

mod provisional;
mod refresh;
mod requests;

use std::time::{Duration, Instant};

use wire::plan::{LegId, LegPlan, LocalMedia};
use wire::sip::{Message, Method, Name};

use super::replies::{Manners, SDP, is_secure};
use crate::dialog::Dialog;
use crate::dialog::reliable::Unpracked;
use crate::dialog::session_timer::{Due, SessionTimer};
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::{Agreement, Refusal};
use crate::note::TransactionId;
use crate::transaction::{ClientId, Flow, FlowId, GIVE_UP, ServerId, T1, T2, Transactions};

pub(super) use refresh::By;
pub(super) use requests::{decline_extension, refusal_response};

/// What a line acts by.
pub(super) struct Around<'a> {
    pub(super) now: Instant,
    pub(super) transactions: &'a mut Transactions,
    pub(super) manners: &'a mut Manners,
}

/// One call's dialog and what was agreed in it.
pub(super) struct Line {
    pub(super) call: TransactionId,
    pub(super) leg: LegId,
    /// The way of the latest request of the other side: where ours go.
    pub(super) flow: Flow,
    /// Whether that way still exists.
    open: bool,
    /// Whether the other side has shown that what we send reaches it.
    proven: bool,
    /// We called: the Call-ID is ours.
    caller: bool,
    /// The INVITE was for a `sips:` URI: so is our Contact (RFC 3261 §12.1.1).
    secure: bool,
    pub(super) dialog: Dialog,
    pub(super) agreement: Agreement,
    /// Whether the offer of the first INVITE has its answer.
    pub(super) settled: bool,
    /// What was agreed before the 2xx, until that comes.
    pub(super) agreed: Option<Box<LegPlan>>,
    local: Option<LocalMedia>,
    unacked: Vec<Unacked>,
    /// A provisional response of ours that waits for its PRACK, and the INVITE that it answers.
    unpracked: Option<(ServerId, Unpracked)>,
    /// The number of the next reliable response.
    rseq: Option<u32>,
    pub(super) timer: SessionTimer,
    /// Whether the other side takes UPDATE (RFC 3311 §5.1).
    takes_update: bool,
    /// It refused one, whatever it says.
    refused_update: bool,
    /// An INVITE or UPDATE of ours that has no final response yet.
    ours: Option<refresh::Ours>,
    /// The same, until somebody has noted that its responses come here.
    sent: Option<ClientId>,
    /// When one that could not be sent, or was refused for now, is tried again.
    again: Option<(Instant, By)>,
    /// The ACK of the 2xx to our latest INVITE within the dialog, for copies of that 2xx.
    acknowledged: Option<(ClientId, Message)>,
}

/// A 2xx of ours that waits for its ACK.
struct Unacked {
    cseq: u32,
    server: ServerId,
    response: Message,
    interval: Duration,
    due: Instant,
    give_up: Instant,
    /// The 2xx carries our offer: the answer comes in the ACK.
    offered: bool,
}

/// What a message or a deadline meant for the call.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing that others need to know.
    Nothing,
    /// Media changed.
    Configure(Box<LegPlan>),
    /// A key was pressed, told by INFO.
    Digit(char),
    /// The call is over, and the other side knows.
    Over(Ending),
    /// The call cannot go on: end it with a BYE, or refuse it when it was not answered yet.
    Fail(Ending),
}

/// What two parties have in common when a line begins.
pub(super) struct Terms {
    pub(super) dialog: Dialog,
    pub(super) agreement: Agreement,
    pub(super) timer: SessionTimer,
}

impl Line {
    /// The line of a call that came in.
    pub(super) fn callee(
        call: TransactionId,
        leg: LegId,
        flow: Flow,
        invite: &Message,
        mut terms: Terms,
    ) -> Self {
        terms.agreement.set_peer(flow.peer.ip());
        let mut line = Self {
            call,
            leg,
            flow,
            open: true,
            // A connection needs both ends; the source of a datagram is anybody's claim.
            proven: flow.transport.is_reliable(),
            caller: false,
            secure: is_secure(invite),
            dialog: terms.dialog,
            agreement: terms.agreement,
            settled: false,
            agreed: None,
            local: None,
            unacked: Vec::new(),
            unpracked: None,
            rseq: None,
            timer: terms.timer,
            takes_update: false,
            refused_update: false,
            ours: None,
            sent: None,
            again: None,
            acknowledged: None,
        };
        line.note_methods(invite);
        line
    }

    /// The line that a response to our INVITE makes, early or answered.
    pub(super) fn caller(
        call: TransactionId,
        leg: LegId,
        flow: Flow,
        invite: &Message,
        response: &Message,
        terms: Terms,
    ) -> Self {
        let mut line = Self::callee(call, leg, flow, invite, terms);
        line.caller = true;
        // They answered: what we send is read.
        line.proven = true;
        line.takes_update = false;
        line.note_methods(response);
        line
    }

    /// What media was reserved for the leg.
    pub(super) fn set_local(&mut self, local: LocalMedia) {
        self.local = Some(local);
    }

    /// A connection is closed; the call lives on without it (RFC 3261 §12: a dialog is no connection).
    pub(super) fn flow_closed(&mut self, flow: FlowId) {
        if self.flow.id == flow {
            self.open = false;
        }
    }

    /// Whether the other side has shown that what we send reaches it: by a connection, or by a message that repeats
    /// our tag, which it can only have from us.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether a 2xx of ours still waits for its ACK.
    pub(super) fn waits_for_ack(&self) -> bool {
        !self.unacked.is_empty()
    }

    /// When [`Line::timeout`] is due.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.unacked
            .iter()
            .map(|u| u.due.min(u.give_up))
            .chain(self.unpracked.iter().map(|(_, u)| u.next_timeout()))
            .chain(self.again.map(|(at, _)| at))
            .chain(self.timer.next_timeout())
            .min()
    }

    /// Sends 2xx again, refreshes the session; after `64*T1` without ACK, or when the session has expired, the call
    /// has failed (RFC 3261 §13.3.1.4, RFC 4028 §10).
    pub(super) fn timeout(&mut self, around: &mut Around<'_>) -> Turn {
        let now = around.now;
        if self.unacked.iter().any(|unacked| unacked.give_up <= now) {
            self.unacked.clear();
            return Turn::Fail(Ending::new(Cause::NoAck));
        }
        for unacked in &mut self.unacked {
            if unacked.due <= now {
                around
                    .transactions
                    .respond(now, unacked.server, &unacked.response);
                unacked.interval = (unacked.interval * 2).min(T2);
                unacked.due = now + unacked.interval;
            }
        }
        if let Some(failed) = self.send_provisional_again(around) {
            return failed;
        }
        if let Some((at, by)) = self.again
            && at <= now
        {
            self.again = None;
            self.refresh(around, by);
        }
        match self.timer.due(now) {
            Some(Due::Refresh) => {
                self.refresh(around, By::Either);
                Turn::Nothing
            }
            Some(Due::Expired) => Turn::Fail(Ending::new(Cause::SessionExpired)),
            None => Turn::Nothing,
        }
    }

    /// Answers an INVITE, the first or a later one, by its offer or with ours. Media must be reserved.
    pub(super) fn answer_invite(
        &mut self,
        around: &mut Around<'_>,
        server: ServerId,
        invite: &Message,
    ) -> Result<Option<LegPlan>, Refusal> {
        let Some(local) = &self.local else {
            return Err(Refusal::Missing);
        };
        let random = &mut around.manners.random;
        let (body, plan) = if invite.body.is_empty() {
            (self.agreement.offer(local, random), None)
        } else {
            let offer = self.agreement.consider(&invite.body)?;
            let (body, plan) = self.agreement.answer(&offer, local, random)?;
            (body, Some(plan))
        };
        let offered = plan.is_none();
        self.send_success(around, server, invite, Some(body), offered);
        self.settled |= plan.is_some();
        Ok(plan)
    }

    /// Answers the first INVITE, whose offer was answered before in a reliable response: without a description, since
    /// there is nothing left to say (RFC 3261 §13.2.1).
    pub(super) fn answer_settled(
        &mut self,
        around: &mut Around<'_>,
        server: ServerId,
        invite: &Message,
    ) {
        self.send_success(around, server, invite, None, false);
    }

    fn send_success(
        &mut self,
        around: &mut Around<'_>,
        server: ServerId,
        invite: &Message,
        body: Option<Vec<u8>>,
        offered: bool,
    ) {
        let Around {
            now,
            transactions,
            manners,
        } = around;
        let now = *now;
        // A final response ends the provisional ones (RFC 3262 §3).
        self.unpracked = None;
        let mut response = manners.reply(invite, 200, &self.dialog.id().local_tag);
        response.copy_record_routes(invite);
        manners.add_contact(&mut response, self.flow, self.secure);
        self.timer.accept(now, invite, &mut response);
        if let Some(body) = body {
            response.set_body(SDP, body);
        }
        transactions.respond(now, server, &response);
        self.unacked.push(Unacked {
            cseq: invite.headers.cseq().map_or(0, |cseq| cseq.number),
            server,
            response,
            interval: T1,
            due: now + T1,
            give_up: now + GIVE_UP,
            offered,
        });
    }

    /// An ACK within the dialog.
    pub(super) fn acknowledged(&mut self, ack: &Message) -> Turn {
        self.proven = true;
        let number = ack.headers.cseq().map_or(0, |cseq| cseq.number);
        let Some(index) = self.unacked.iter().position(|u| u.cseq == number) else {
            return Turn::Nothing;
        };
        let unacked = self.unacked.remove(index);
        if !unacked.offered {
            return Turn::Nothing;
        }
        match self.agreement.take_answer(&ack.body) {
            Ok(plan) => {
                self.settled = true;
                Turn::Configure(Box::new(plan))
            }
            Err(refusal) => Turn::Fail(refusal.ending()),
        }
    }

    /// Sends BYE.
    pub(super) fn bye(&mut self, around: &mut Around<'_>, ending: &Ending) -> ClientId {
        self.quiet();
        let mut bye = self.request(around, Method::Bye);
        if let Some(reason) = ending.reason_header() {
            bye.headers.push(Name::Reason, reason);
        }
        self.send(around, bye)
    }

    /// Sends a request within the dialog: on the way of the latest message of the other side, or, when that is
    /// closed, on a new one to where the dialog's requests go (RFC 3261 §12.2.1.1, RFC 5923).
    pub(super) fn send(&mut self, around: &mut Around<'_>, request: Message) -> ClientId {
        let (now, call) = (around.now, Some(self.call));
        if self.open {
            return around.transactions.request(now, self.flow, request, call);
        }
        let uri = self.dialog.next_hop();
        around
            .transactions
            .request_anew(now, self.flow, uri, request, call)
    }

    /// A response came on this way: ours go there, too, when we had none any more.
    pub(super) fn reached(&mut self, flow: Flow) {
        if !self.open {
            (self.flow, self.open) = (flow, true);
        }
    }

    /// The call is over: nothing is due any more.
    fn quiet(&mut self) {
        self.unacked.clear();
        self.wind_down();
    }

    /// The call is over, but for a 2xx whose ACK our BYE waits for.
    pub(super) fn wind_down(&mut self) {
        self.unpracked = None;
        self.again = None;
        self.timer.stop();
    }

    /// A request within the dialog, complete but for what its method needs.
    pub(super) fn request(&mut self, around: &mut Around<'_>, method: Method) -> Message {
        let mut request = self.dialog.request(method);
        request
            .headers
            .push_front(Name::Via, around.manners.via(self.flow));
        request
            .headers
            .push(Name::UserAgent, &around.manners.server_name);
        around.manners.authorize(&mut request);
        request
    }

    /// Learns from `Allow` what the other side takes.
    pub(super) fn note_methods(&mut self, message: &Message) {
        if message.headers.has(Name::Allow) {
            self.takes_update =
                !self.refused_update && message.headers.allowed().contains(&Method::Update);
        }
    }
}
