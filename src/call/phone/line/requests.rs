//! What the other side asks within the dialog, and how it is answered.

use wire::sip::{Message, Method, Name};

use super::super::info;
use super::super::replies::{EXTENSIONS, Manners, SDP, is_secure};
use super::{Around, Line, Turn};
use crate::dialog::DialogError;
use crate::dialog::glare;
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::Refusal;
use crate::transaction::{Flow, ServerId};

impl Line {
    /// A request within the dialog, other than ACK and CANCEL. `early`: the first INVITE is not answered yet.
    pub(in crate::phone) fn requested(
        &mut self,
        around: &mut Around<'_>,
        id: ServerId,
        flow: Flow,
        request: &Message,
        early: bool,
    ) -> Turn {
        match self.dialog.take_cseq(request) {
            Ok(()) => {}
            Err(error) => {
                let status = match error {
                    DialogError::LowCseq => 500,
                    DialogError::Missing(_) => 400,
                };
                self.refuse(around, id, request, status);
                return Turn::Nothing;
            }
        }
        self.flow = flow;
        self.agreement.set_peer(flow.peer.ip());
        self.open = true;
        self.proven = true;
        self.note_methods(request);
        if request.method() == Some(&Method::Bye) {
            // Whatever a BYE requires, the call is over.
            self.quiet();
            let response = around.manners.reply(request, 200, self.tag());
            around.transactions.respond(around.now, id, &response);
            return Turn::Over(ending_of_bye(request));
        }
        if let Some(response) = decline_extension(around.manners, request, self.tag()) {
            around.transactions.respond(around.now, id, &response);
            return Turn::Nothing;
        }
        match request.method() {
            Some(Method::Invite) if early => {
                self.overlaps(around, id, request);
                Turn::Nothing
            }
            Some(Method::Invite) => self.re_invited(around, id, request),
            Some(Method::Update) => self.updated(around, id, request, early),
            Some(Method::Prack) => self.pracked(around, id, request),
            Some(Method::Info) => self.informed(around, id, request),
            Some(Method::Options) => {
                let mut response = around.manners.reply(request, 200, self.tag());
                around
                    .manners
                    .add_contact(&mut response, flow, is_secure(request));
                response.headers.push(Name::Accept, SDP);
                around.transactions.respond(around.now, id, &response);
                Turn::Nothing
            }
            _ => {
                self.refuse(around, id, request, 405);
                Turn::Nothing
            }
        }
    }

    fn re_invited(&mut self, around: &mut Around<'_>, id: ServerId, invite: &Message) -> Turn {
        if !has_readable_body(invite) {
            self.refuse(around, id, invite, 415);
            return Turn::Nothing;
        }
        // Two offers at once cannot be (RFC 3261 §14.2).
        if self.invites() || self.offers() {
            self.refuse(around, id, invite, 491);
            return Turn::Nothing;
        }
        if self.refuses_interval(around, id, invite) {
            return Turn::Nothing;
        }
        match self.answer_invite(around, id, invite) {
            Ok(plan) => {
                self.dialog.refresh_target(invite);
                plan.map_or(Turn::Nothing, |plan| Turn::Configure(Box::new(plan)))
            }
            Err(refusal) => {
                // The session stays as it was (RFC 3261 §14.2).
                let response = refusal_response(around.manners, invite, refusal, self.tag());
                around.transactions.respond(around.now, id, &response);
                Turn::Nothing
            }
        }
    }

    /// UPDATE (RFC 3311 §5.2): a new target, a longer session, perhaps an offer.
    fn updated(
        &mut self,
        around: &mut Around<'_>,
        id: ServerId,
        update: &Message,
        early: bool,
    ) -> Turn {
        if !has_readable_body(update) {
            self.refuse(around, id, update, 415);
            return Turn::Nothing;
        }
        let offers = !update.body.is_empty();
        if offers && (self.offers() || (self.caller && !self.settled)) {
            self.refuse(around, id, update, 491);
            return Turn::Nothing;
        }
        if offers && !self.settled {
            // Their first offer is not answered yet.
            self.overlaps(around, id, update);
            return Turn::Nothing;
        }
        if self.refuses_interval(around, id, update) {
            return Turn::Nothing;
        }
        let answered = if offers {
            self.answer_offer(around, update).map(Some)
        } else {
            Ok(None)
        };
        let (body, plan) = match answered {
            Ok(answer) => answer.map_or((None, None), |(body, plan)| (Some(body), Some(plan))),
            Err(refusal) => {
                let response = refusal_response(around.manners, update, refusal, self.tag());
                around.transactions.respond(around.now, id, &response);
                return Turn::Nothing;
            }
        };
        self.dialog.refresh_target(update);
        if self.agreed.is_some() && plan.is_some() {
            self.agreed = plan.clone().map(Box::new);
        }
        let mut response = around.manners.reply(update, 200, self.tag());
        around
            .manners
            .add_contact(&mut response, self.flow, self.secure);
        if !early {
            self.timer.accept(around.now, update, &mut response);
        }
        if let Some(body) = body {
            response.set_body(SDP, body);
        }
        around.transactions.respond(around.now, id, &response);
        plan.map_or(Turn::Nothing, |plan| Turn::Configure(Box::new(plan)))
    }

    /// Keys pressed, told by INFO instead of RTP; anything else in an INFO is none of ours (RFC 6086 §4.2.2).
    fn informed(&mut self, around: &mut Around<'_>, id: ServerId, request: &Message) -> Turn {
        let (status, turn) = match info::read(request) {
            info::Info::Digit(digit) => (200, Turn::Digit(digit)),
            info::Info::Nothing => (200, Turn::Nothing),
            info::Info::Malformed => (400, Turn::Nothing),
            info::Info::UnknownBody => (415, Turn::Nothing),
            info::Info::UnknownPackage => (469, Turn::Nothing),
        };
        let mut response = around.manners.reply(request, status, self.tag());
        match status {
            415 => response.headers.push(Name::Accept, info::ACCEPT),
            // No package is taken: RFC 6086 §4.2.2 wants that said.
            469 => response.headers.push(Name::Other("Recv-Info"), ""),
            _ => {}
        }
        around.transactions.respond(around.now, id, &response);
        turn
    }

    /// Reads an offer in a request and answers it.
    pub(super) fn answer_offer(
        &mut self,
        around: &mut Around<'_>,
        request: &Message,
    ) -> Result<(Vec<u8>, wire::plan::LegPlan), Refusal> {
        let Some(local) = &self.local else {
            return Err(Refusal::Missing);
        };
        let offer = self.agreement.consider(&request.body)?;
        self.agreement
            .answer(&offer, local, &mut around.manners.random)
    }

    /// Whether an offer of ours waits for its answer: in an ACK, a PRACK, or a response.
    fn offers(&self) -> bool {
        self.unacked.iter().any(|unacked| unacked.offered)
            || self.unpracked.as_ref().is_some_and(|(_, u)| u.offered)
            || self.ours_offers()
    }

    fn refuses_interval(
        &mut self,
        around: &mut Around<'_>,
        id: ServerId,
        request: &Message,
    ) -> bool {
        let Err(too_small) = self.timer.check(request) else {
            return false;
        };
        let mut response = around.manners.reply(request, 422, self.tag());
        response.headers.push(Name::MinSe, too_small.min_se);
        around.transactions.respond(around.now, id, &response);
        true
    }

    /// The request came while another is being worked on (RFC 3261 §14.2, RFC 3311 §5.2).
    fn overlaps(&mut self, around: &mut Around<'_>, id: ServerId, request: &Message) {
        let mut response = around.manners.reply(request, 500, self.tag());
        let seconds = glare::retry_after(&mut around.manners.random);
        response.headers.push(Name::RetryAfter, seconds);
        around.transactions.respond(around.now, id, &response);
    }

    pub(super) fn refuse(
        &self,
        around: &mut Around<'_>,
        id: ServerId,
        request: &Message,
        status: u16,
    ) {
        let mut response = around.manners.reply(request, status, self.tag());
        around.manners.complete_failure(&mut response, status);
        around.transactions.respond(around.now, id, &response);
    }

    pub(super) fn tag(&self) -> &str {
        &self.dialog.id().local_tag
    }
}

/// The 420 for a request that requires what we do not have (RFC 3261 §8.2.2.3).
pub(in crate::phone) fn decline_extension(
    manners: &Manners,
    request: &Message,
    tag: &str,
) -> Option<Message> {
    let unsupported = request.headers.unsupported(&EXTENSIONS);
    if unsupported.is_empty() {
        return None;
    }
    let mut response = manners.reply(request, 420, tag);
    response
        .headers
        .push(Name::Unsupported, unsupported.join(", "));
    Some(response)
}

/// Whether the body is none, or a session description that is not packed in a way that we do not read.
fn has_readable_body(request: &Message) -> bool {
    let plain = request
        .headers
        .get(Name::ContentEncoding)
        .is_none_or(|value| value.eq_ignore_ascii_case(b"identity"));
    request.body.is_empty() || (plain && request.headers.content_type().as_deref() == Some(SDP))
}

/// The response that refuses an offer, with its `Warning`.
pub(in crate::phone) fn refusal_response(
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
