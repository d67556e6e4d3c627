//! One call's signaling within its dialog, the same for callee and caller: sequence numbers, re-INVITE, BYE,
//! and a 2xx that is sent again until its ACK comes.

use std::time::{Duration, Instant};

use wire::plan::{LegId, LegPlan, LocalMedia};
use wire::sip::{Message, Method, Name};

use super::replies::{Manners, SDP, is_secure};
use crate::dialog::{Dialog, DialogError};
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::{Agreement, Refusal};
use crate::note::TransactionId;
use crate::transaction::{ClientId, Flow, FlowId, GIVE_UP, ServerId, T1, T2, Transactions};

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
    pub(super) dialog: Dialog,
    pub(super) agreement: Agreement,
    local: Option<LocalMedia>,
    unacked: Vec<Unacked>,
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
    /// The call is over, and the other side knows.
    Over(Ending),
    /// The call cannot go on: end it with a BYE.
    Fail(Ending),
}

impl Line {
    pub(super) fn new(
        call: TransactionId,
        leg: LegId,
        flow: Flow,
        dialog: Dialog,
        mut agreement: Agreement,
    ) -> Self {
        agreement.set_peer(flow.peer.ip());
        Self {
            call,
            leg,
            flow,
            open: true,
            // A connection needs both ends; the source of a datagram is anybody's claim.
            proven: flow.transport.is_reliable(),
            dialog,
            agreement,
            local: None,
            unacked: Vec::new(),
        }
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
        self.unacked.iter().map(|u| u.due.min(u.give_up)).min()
    }

    /// Sends 2xx again; after `64*T1` without ACK the call has failed (RFC 3261 §13.3.1.4).
    pub(super) fn timeout(&mut self, now: Instant, transactions: &mut Transactions) -> Turn {
        if self.unacked.iter().any(|unacked| unacked.give_up <= now) {
            self.unacked.clear();
            return Turn::Fail(Ending::new(Cause::NoAck));
        }
        for unacked in &mut self.unacked {
            if unacked.due <= now {
                transactions.respond(now, unacked.server, &unacked.response);
                unacked.interval = (unacked.interval * 2).min(T2);
                unacked.due = now + unacked.interval;
            }
        }
        Turn::Nothing
    }

    /// Answers an INVITE, the first or a later one, by its offer or with ours. Media must be reserved.
    pub(super) fn answer_invite(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        manners: &mut Manners,
        server: ServerId,
        invite: &Message,
    ) -> Result<Option<LegPlan>, Refusal> {
        let Some(local) = &self.local else {
            return Err(Refusal::Missing);
        };
        let (body, plan) = if invite.body.is_empty() {
            (self.agreement.offer(local, &mut manners.random), None)
        } else {
            let offer = self.agreement.consider(&invite.body)?;
            let (body, plan) = self.agreement.answer(&offer, local, &mut manners.random)?;
            (body, Some(plan))
        };
        let mut response = manners.reply(invite, 200, &self.dialog.id().local_tag);
        response.copy_record_routes(invite);
        manners.add_contact(&mut response, self.flow, is_secure(invite));
        response.set_body(SDP, body);
        transactions.respond(now, server, &response);
        self.unacked.push(Unacked {
            cseq: invite.headers.cseq().map_or(0, |cseq| cseq.number),
            server,
            response,
            interval: T1,
            due: now + T1,
            give_up: now + GIVE_UP,
            offered: plan.is_none(),
        });
        Ok(plan)
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
            Ok(plan) => Turn::Configure(Box::new(plan)),
            Err(refusal) => Turn::Fail(refusal.ending()),
        }
    }

    /// A request within the dialog, other than ACK and CANCEL.
    pub(super) fn request(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        manners: &mut Manners,
        id: ServerId,
        flow: Flow,
        request: &Message,
    ) -> Turn {
        let tag = self.dialog.id().local_tag.clone();
        match self.dialog.take_cseq(request) {
            Ok(()) => {}
            Err(error) => {
                let status = match error {
                    DialogError::LowCseq => 500,
                    DialogError::Missing(_) => 400,
                };
                transactions.respond(now, id, &manners.reply(request, status, &tag));
                return Turn::Nothing;
            }
        }
        self.flow = flow;
        self.agreement.set_peer(flow.peer.ip());
        self.open = true;
        self.proven = true;
        match request.method() {
            Some(Method::Bye) => {
                self.unacked.clear();
                transactions.respond(now, id, &manners.reply(request, 200, &tag));
                Turn::Over(ending_of_bye(request))
            }
            Some(Method::Invite) => self.re_invite(now, transactions, manners, id, request),
            Some(Method::Options) => {
                let mut response = manners.reply(request, 200, &tag);
                manners.add_contact(&mut response, flow, is_secure(request));
                response.headers.push(Name::Accept, SDP);
                transactions.respond(now, id, &response);
                Turn::Nothing
            }
            _ => {
                let mut response = manners.reply(request, 405, &tag);
                manners.complete_failure(&mut response, 405);
                transactions.respond(now, id, &response);
                Turn::Nothing
            }
        }
    }

    fn re_invite(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        manners: &mut Manners,
        id: ServerId,
        invite: &Message,
    ) -> Turn {
        let tag = self.dialog.id().local_tag.clone();
        let unsupported = invite.headers.unsupported(&[]);
        if !unsupported.is_empty() {
            let mut response = manners.reply(invite, 420, &tag);
            response
                .headers
                .push(Name::Unsupported, unsupported.join(", "));
            transactions.respond(now, id, &response);
            return Turn::Nothing;
        }
        if !invite.body.is_empty() && invite.headers.content_type().as_deref() != Some(SDP) {
            let mut response = manners.reply(invite, 415, &tag);
            manners.complete_failure(&mut response, 415);
            transactions.respond(now, id, &response);
            return Turn::Nothing;
        }
        // An offer of ours is open until its answer comes: two at once cannot be (RFC 3261 §14.2).
        if self.unacked.iter().any(|unacked| unacked.offered) {
            transactions.respond(now, id, &manners.reply(invite, 491, &tag));
            return Turn::Nothing;
        }
        match self.answer_invite(now, transactions, manners, id, invite) {
            Ok(plan) => {
                self.dialog.refresh_target(invite);
                plan.map_or(Turn::Nothing, |plan| Turn::Configure(Box::new(plan)))
            }
            Err(refusal) => {
                // The session stays as it was (RFC 3261 §14.2).
                let response = refusal_response(manners, invite, refusal, &tag);
                transactions.respond(now, id, &response);
                Turn::Nothing
            }
        }
    }

    /// Sends BYE; `None` when there is no way left to send it.
    pub(super) fn bye(
        &mut self,
        now: Instant,
        transactions: &mut Transactions,
        manners: &mut Manners,
        ending: &Ending,
    ) -> Option<ClientId> {
        self.unacked.clear();
        if !self.open {
            return None;
        }
        let mut bye = self.dialog.request(Method::Bye);
        bye.headers.push_front(Name::Via, manners.via(self.flow));
        bye.headers.push(Name::UserAgent, &manners.server_name);
        if let Some(reason) = ending.reason_header() {
            bye.headers.push(Name::Reason, reason);
        }
        Some(transactions.request(now, self.flow, bye, Some(self.call)))
    }
}

/// The response that refuses an offer, with its `Warning`.
pub(super) fn refusal_response(
    manners: &Manners,
    invite: &Message,
    refusal: Refusal,
    tag: &str,
) -> Message {
    let mut response = manners.refusal(invite, &refusal.ending(), tag);
    let agent = manners
        .domain
        .as_ref()
        .map_or_else(|| "campanile".to_owned(), ToString::to_string);
    response.headers.push(
        Name::Warning,
        format!("{} {agent} \"{refusal}\"", refusal.warning()),
    );
    response
}

/// Their BYE, with the Q.850 cause that they gave, if any (RFC 3326).
fn ending_of_bye(bye: &Message) -> Ending {
    let mut ending = Ending::new(Cause::HungUp).after_answer();
    let reason = bye
        .headers
        .get(Name::Reason)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default();
    let mut parts = reason.split(';').map(str::trim);
    if parts
        .next()
        .is_some_and(|p| p.eq_ignore_ascii_case("Q.850"))
    {
        let cause = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("cause"))
            .and_then(|(_, value)| value.trim().parse::<u8>().ok())
            .filter(|cause| (1..=127).contains(cause));
        ending.q850 = cause.or(ending.q850);
    }
    ending
}
