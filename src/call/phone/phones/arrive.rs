//! How calls begin: an INVITE is looked at, told, decided and answered; OPTIONS and CANCEL beside it.

use std::time::Instant;

use wire::plan::{Connectivity, Direction, LegId, LegKind, LegPlan, LocalMedia, MediaCommand};
use wire::sip::{Message, Name};

use super::super::border::{Arrival, Dialled, Output};
use super::super::dialled::dialled;
use super::super::line::{Line, refusal_response};
use super::super::replies::{Manners, SDP, is_secure};
use super::{Call, LegState, Phones, State};
use crate::dialog::Dialog;
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::Agreement;
use crate::note::{CallDirection, CallStart, Note, Party, TransactionId};
use crate::transaction::{Flow, ServerId};

impl Phones {
    pub(super) fn refuse_plainly(
        &mut self,
        now: Instant,
        id: ServerId,
        request: &Message,
        status: u16,
    ) {
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, status, &tag);
        self.manners.complete_failure(&mut response, status);
        self.transactions.respond(now, id, &response);
    }

    pub(super) fn options(&mut self, now: Instant, id: ServerId, flow: Flow, request: &Message) {
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
        self.manners
            .add_contact(&mut response, flow, is_secure(request));
        response.headers.push(Name::Accept, SDP);
        self.transactions.respond(now, id, &response);
    }

    /// The 420 for a request that requires what we do not have: every extension, as yet (RFC 3261 §8.2.2.3).
    pub(super) fn unsupported(&mut self, request: &Message) -> Option<Message> {
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

    pub(super) fn cancel(
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
    pub(super) fn invite(
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
                withheld: None,
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
    pub(super) fn consider(
        &mut self,
        call: TransactionId,
        leg: LegId,
        flow: Flow,
        invite: &Message,
        tag: &str,
    ) -> Result<(Dialled, Line), Box<(Ending, Message)>> {
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

    pub(super) fn accept(&mut self, id: TransactionId) {
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
            bridge: None,
        }));
    }

    /// Media is reserved: answer.
    pub(super) fn ready(&mut self, now: Instant, id: TransactionId, local: LocalMedia) {
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
                let leg = call.line.leg;
                match plan {
                    Some(plan) if call.line.is_proven() => {
                        call.answered = true;
                        self.configure(leg, Box::new(plan));
                        self.answered(id, leg);
                    }
                    // Whoever wrote the INVITE may have written somebody else's address into it. Nothing is sent
                    // there, and nothing said, before our answer was read where the INVITE claims to come from.
                    Some(plan) => {
                        let listening = Box::new(receiving_only(&plan));
                        call.withheld = Some(Box::new(plan));
                        self.configure(leg, listening);
                    }
                    None => {}
                }
                self.rearm(id);
            }
            Err(refusal) => self.end(now, id, refusal.ending()),
        }
    }

    /// The caller has shown that it reads what we send to it: now it is sent media, too.
    pub(super) fn release(&mut self, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.state != State::Answered || !call.line.is_proven() {
            return;
        }
        if let Some(plan) = call.withheld.take() {
            let leg = call.line.leg;
            call.answered = true;
            self.configure(leg, plan);
            self.answered(id, leg);
        }
    }

    pub(super) fn configure(&mut self, leg: LegId, plan: Box<LegPlan>) {
        self.outputs
            .push_back(Output::Media(MediaCommand::Configure { leg, plan }));
    }

    pub(super) fn answered(&mut self, call: TransactionId, leg: LegId) {
        self.outputs
            .push_back(Output::Note(Note::CallAnswered { call }));
        self.outputs.push_back(Output::Answered { call, leg });
    }
}

/// The same agreement, as long as nothing may be sent.
fn receiving_only(plan: &LegPlan) -> LegPlan {
    let mut plan = plan.clone();
    plan.connectivity = Connectivity::Static {
        rtp: None,
        rtcp: None,
    };
    if let Some(audio) = &mut plan.audio {
        audio.direction = match audio.direction {
            Direction::SendRecv | Direction::RecvOnly => Direction::RecvOnly,
            Direction::SendOnly | Direction::Inactive => Direction::Inactive,
        };
    }
    plan
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
