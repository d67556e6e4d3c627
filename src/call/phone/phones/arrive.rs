//! How calls begin: an INVITE is looked at, told, decided and answered; OPTIONS and CANCEL beside it.

use std::time::Instant;

use wire::plan::{Connectivity, Direction, LegId, LegKind, LegPlan, LocalMedia, MediaCommand};
use wire::sip::{Message, Name};

use super::super::border::{Arrival, Dialled, Output};
use super::super::dialled::dialled;
use super::super::digits::Digits;
use super::super::line::{Around, Line, Terms, decline_extension, refusal_response};
use super::super::replies::{Manners, SDP, accepts_sdp, is_secure};
use super::{Call, Early, LegState, Phones, State};
use crate::dialog::session_timer::SessionTimer;
use crate::dialog::{Dialog, reliable};
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
        let tag = self.manners.fresh();
        if let Some(response) = decline_extension(&self.manners, request, &tag) {
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
        let mut response = self.manners.reply(request, 200, &tag);
        self.manners
            .add_contact(&mut response, flow, is_secure(request));
        response.headers.push(Name::Accept, SDP);
        self.transactions.respond(now, id, &response);
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
        // The tag of the INVITE's own response, also when that was final (RFC 3261 §9.2).
        let of_invite = self.calls.values().find(|call| call.server == invite);
        let tag = match of_invite {
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

    /// A new call, of that user where they have shown who they are. Whatever becomes of it, it is one in the record.
    pub(super) fn invite(
        &mut self,
        now: Instant,
        server: ServerId,
        flow: Flow,
        invite: Message,
        auth_user: Option<String>,
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
                    auth_user,
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
        let early_media = reliable::is_wanted(&invite);
        self.calls.insert(
            call,
            Call {
                line,
                invite,
                server,
                patience,
                state: State::Arrived,
                leg: LegState::None,
                early: Early::No,
                early_told: false,
                digits: Digits::default(),
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
            early_media,
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
        if let Some(response) = decline_extension(&self.manners, invite, tag) {
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
        if !accepts_sdp(invite) {
            return Err(refuse(&self.manners, Ending::new(Cause::NotAcceptable)));
        }
        let dialog = Dialog::uas(invite, tag).map_err(|error| {
            let ending = Ending::with_text(Cause::BadRequest, error.to_string());
            refuse(&self.manners, ending)
        })?;
        let timer = SessionTimer::new(self.config.session);
        if let Err(too_small) = timer.check(invite) {
            let mut refused = refuse(&self.manners, Ending::new(Cause::IntervalTooSmall));
            refused.1.headers.push(Name::MinSe, too_small.min_se);
            return Err(refused);
        }
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
        let terms = Terms {
            dialog,
            agreement,
            timer,
        };
        Ok((dialled, Line::callee(call, leg, flow, invite, terms)))
    }

    pub(super) fn accept(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.state {
            State::Arrived => self.reserve(id),
            State::Early if call.line.waits_for_prack() => call.early = Early::AcceptDue,
            State::Early => self.answer(now, id),
            // It was to hear something first; as it is wanted now, it need not.
            State::Reserving => call.early = Early::No,
            State::Answered | State::ByeDue | State::Over => {}
        }
    }

    /// Asks for media.
    pub(super) fn reserve(&mut self, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
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

    /// Media is reserved: answer, or say something before.
    pub(super) fn ready(&mut self, now: Instant, id: TransactionId, local: LocalMedia) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.state != State::Reserving {
            return;
        }
        call.line.set_local(local);
        match call.early {
            Early::Wanted => self.progress(now, id),
            Early::No | Early::Told | Early::AcceptDue => self.answer(now, id),
        }
    }

    /// Sends the 200.
    pub(super) fn answer(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let settled = call.line.settled;
        let answered = if settled {
            call.line
                .answer_settled(&mut around, call.server, &call.invite);
            Ok(None)
        } else {
            call.line
                .answer_invite(&mut around, call.server, &call.invite)
        };
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
                    Some(plan) => self.withhold(id, plan),
                    // A settled call was acknowledged by its PRACK.
                    None if settled => {
                        call.answered = true;
                        self.answered(id, leg);
                    }
                    None => {}
                }
                self.rearm(id);
            }
            Err(refusal) => self.end(now, id, refusal.ending()),
        }
    }

    /// Whoever wrote the INVITE may have written somebody else's address into it. Nothing is sent there, and nothing
    /// said, before our answer was read where the INVITE claims to come from.
    pub(super) fn withhold(&mut self, id: TransactionId, plan: LegPlan) {
        if let Some(call) = self.calls.get_mut(&id) {
            let leg = call.line.leg;
            let listening = Box::new(receiving_only(&plan));
            call.withheld = Some(Box::new(plan));
            self.configure(leg, listening);
        }
    }

    /// The caller has shown that it reads what we send to it: now it is sent media, too.
    pub(super) fn release(&mut self, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !call.line.is_proven() || !matches!(call.state, State::Early | State::Answered) {
            return;
        }
        if let Some(plan) = call.withheld.take() {
            self.media_agreed(id, plan);
        }
    }

    /// Offer and answer are complete, for the first time or again.
    pub(super) fn media_agreed(&mut self, id: TransactionId, plan: Box<LegPlan>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let leg = call.line.leg;
        let state = call.state;
        let first = match state {
            State::Answered => !std::mem::replace(&mut call.answered, true),
            State::Early => !std::mem::replace(&mut call.early_told, true),
            _ => false,
        };
        self.configure(leg, plan);
        if first && state == State::Answered {
            self.answered(id, leg);
        } else if first {
            self.outputs.push_back(Output::EarlyMedia { call: id, leg });
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
    // ICE sends nothing before a valid check; a signalled address is but a claim.
    if let Connectivity::Static { rtp, rtcp, .. } = &mut plan.connectivity {
        (*rtp, *rtcp) = (None, None);
    }
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
