//! Our own requests within the dialog that negotiate or refresh: UPDATE and re-INVITE, glare, and what they bring.

use std::time::Duration;

use wire::sip::{Message, Method};

use super::super::replies::SDP;
use super::{Around, Line, Turn};
use crate::dialog::glare;
use crate::ending::{Cause, Ending};
use crate::transaction::{ClientId, Failure};

/// How to refresh.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::phone) enum By {
    /// UPDATE where the other side takes it, else re-INVITE (RFC 4028 §7.4).
    Either,
    /// Re-INVITE: the offer is made again.
    Invite,
}

/// A request of ours that has no final response yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ours {
    id: ClientId,
    cseq: u32,
    by: By,
    /// It is an INVITE, with an offer; else an UPDATE without.
    invite: bool,
}

/// How long a request waits that cannot be sent beside another.
const BUSY: Duration = Duration::from_secs(1);

impl Line {
    /// Sends UPDATE or re-INVITE, or does so later when another INVITE is under way (RFC 3261 §14.1).
    pub(in crate::phone) fn refresh(&mut self, around: &mut Around<'_>, by: By) {
        let update = by == By::Either && self.takes_update;
        if self.ours.is_some() || (!update && self.waits_for_ack()) {
            self.again = Some((around.now + BUSY, by));
            return;
        }
        let method = if update {
            Method::Update
        } else {
            Method::Invite
        };
        let offer = match &self.local {
            _ if update => None,
            Some(local) => Some(self.agreement.offer(local, &mut around.manners.random)),
            None => return,
        };
        let mut request = self.request(around, method);
        around
            .manners
            .add_contact(&mut request, self.flow, self.secure);
        self.timer.ask(&mut request);
        if let Some(offer) = offer {
            request.set_body(SDP, offer);
        }
        let cseq = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let id = self.send(around, request);
        self.sent = Some(id);
        self.ours = Some(Ours {
            id,
            cseq,
            by,
            invite: !update,
        });
    }

    /// Sends a request again that was changed since, and takes it for the one that it was before.
    pub(in crate::phone) fn send_again(
        &mut self,
        around: &mut Around<'_>,
        before: ClientId,
        request: Message,
    ) -> ClientId {
        let cseq = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let id = self.send(around, request);
        if let Some(ours) = self.ours.as_mut().filter(|ours| ours.id == before) {
            (ours.id, ours.cseq) = (id, cseq);
        }
        id
    }

    /// Whether an INVITE of ours is under way.
    pub(super) fn invites(&self) -> bool {
        self.ours.is_some_and(|ours| ours.invite)
    }

    /// Whether an offer of ours is.
    pub(super) fn ours_offers(&self) -> bool {
        self.invites()
    }

    /// A request that was sent since the last time of asking.
    pub(in crate::phone) fn take_sent(&mut self) -> Option<ClientId> {
        self.sent.take()
    }

    /// Whether responses to a request still matter to this line.
    pub(in crate::phone) fn has_sent(&self, id: ClientId) -> bool {
        self.ours.is_some_and(|ours| ours.id == id)
            || self.acknowledged.as_ref().is_some_and(|(of, _)| *of == id)
    }

    /// A response to a request of ours.
    pub(in crate::phone) fn responded(
        &mut self,
        around: &mut Around<'_>,
        id: ClientId,
        response: &Message,
    ) -> Turn {
        let status = response.status().unwrap_or(0);
        let Some(ours) = self.ours.take_if(|ours| ours.id == id && status >= 200) else {
            // A copy of a 2xx: its ACK was lost (RFC 3261 §13.2.2.4).
            if let Some((of, ack)) = &self.acknowledged
                && *of == id
                && (200..300).contains(&status)
            {
                around.transactions.send(self.flow, ack, Some(self.call));
            }
            return Turn::Nothing;
        };
        if (200..300).contains(&status) {
            self.note_methods(response);
            self.dialog.refresh_target(response);
            self.timer.take_response(around.now, response);
            return if ours.invite {
                self.invite_taken(around, ours, response)
            } else {
                Turn::Nothing
            };
        }
        self.refused(around, ours, status, response)
    }

    fn invite_taken(&mut self, around: &mut Around<'_>, ours: Ours, response: &Message) -> Turn {
        let mut ack = self.dialog.ack(ours.cseq);
        let via = around.manners.via(self.flow);
        ack.headers.push_front(wire::sip::Name::Via, via);
        if let Some(invite) = around.transactions.request_of(ours.id) {
            ack.copy_credentials(invite);
        }
        around.transactions.send(self.flow, &ack, Some(self.call));
        self.acknowledged = Some((ours.id, ack));
        match self.agreement.take_answer(&response.body) {
            Ok(plan) => Turn::Configure(Box::new(plan)),
            Err(refusal) => Turn::Fail(refusal.ending()),
        }
    }

    fn refused(
        &mut self,
        around: &mut Around<'_>,
        ours: Ours,
        status: u16,
        response: &Message,
    ) -> Turn {
        let now = around.now;
        match status {
            // They do not know the call, or do not answer for it (RFC 3261 §12.2.1.2).
            481 => return Turn::Fail(Ending::new(Cause::DialogLost)),
            408 => return Turn::Fail(Ending::new(Cause::NoResponse)),
            491 => {
                let wait = glare::back_off(self.caller, &mut around.manners.random);
                self.again = Some((now + wait, ours.by));
            }
            422 if self.timer.too_small(response) => self.again = Some((now, ours.by)),
            405 | 501 if !ours.invite => {
                self.takes_update = false;
                self.refused_update = true;
                self.again = Some((now, ours.by));
            }
            _ => match glare::may_retry_after(response) {
                Some(wait) => self.again = Some((now + wait, ours.by)),
                // The session stays as it is (RFC 3261 §14.1); there is time for another try.
                None => self.timer.try_later(now),
            },
        }
        Turn::Nothing
    }

    /// No response will come to a request of ours.
    pub(in crate::phone) fn unanswered(
        &mut self,
        around: &mut Around<'_>,
        id: ClientId,
        why: Failure,
    ) -> Turn {
        if self.ours.take_if(|ours| ours.id == id).is_none() {
            return Turn::Nothing;
        }
        match why {
            Failure::TimedOut => Turn::Fail(Ending::new(Cause::NoResponse)),
            Failure::FlowClosed => {
                self.timer.try_later(around.now);
                Turn::Nothing
            }
        }
    }
}
