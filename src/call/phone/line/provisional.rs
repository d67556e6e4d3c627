//! Answers before the answer: 183 with early media, acknowledged by PRACK where both know how (RFC 3262).

use wire::plan::LegPlan;
use wire::sip::{Message, Method, Name};

use super::super::replies::SDP;
use super::{Around, Line, Turn};
use crate::dialog::reliable::{self, Overdue, Unpracked};
use crate::ending::{Cause, Ending};
use crate::negotiate::phone::Refusal;
use crate::transaction::{ClientId, ServerId};

impl Line {
    /// Sends 183 with our answer to the first INVITE's offer, or with our offer when it has none. Media must be
    /// reserved. `None` means that the answer comes with the PRACK.
    pub(in crate::phone) fn progress(
        &mut self,
        around: &mut Around<'_>,
        server: ServerId,
        invite: &Message,
    ) -> Result<Option<LegPlan>, Refusal> {
        let is_reliable = reliable::is_wanted(invite);
        let Some(local) = &self.local else {
            return Err(Refusal::Missing);
        };
        let (body, plan) = if invite.body.is_empty() {
            if !is_reliable {
                // Only what is acknowledged can carry an offer (RFC 3261 §13.2.1).
                return Err(Refusal::Missing);
            }
            let body = self.agreement.offer(local, &mut around.manners.random);
            (body, None)
        } else {
            let (body, plan) = self.answer_offer(around, invite)?;
            (body, Some(plan))
        };
        let mut response = around.manners.reply(invite, 183, self.tag());
        response.copy_record_routes(invite);
        around
            .manners
            .add_contact(&mut response, self.flow, self.secure);
        response.set_body(SDP, body);
        if is_reliable {
            self.settled = plan.is_some();
            let rseq = self
                .rseq
                .get_or_insert_with(|| Unpracked::first_number(&mut around.manners.random));
            let mut waiting = Unpracked::new(around.now, response, *rseq);
            *rseq += 1;
            waiting.offered = plan.is_none();
            around
                .transactions
                .respond(around.now, server, &waiting.response);
            self.unpracked = Some((server, waiting));
        } else {
            around.transactions.respond(around.now, server, &response);
        }
        Ok(plan)
    }

    /// Whether a provisional response still waits for its PRACK: then a 2xx must wait, too (RFC 3262 §3).
    pub(in crate::phone) fn waits_for_prack(&self) -> bool {
        self.unpracked.is_some()
    }

    pub(super) fn send_provisional_again(&mut self, around: &mut Around<'_>) -> Option<Turn> {
        let (server, waiting) = self.unpracked.as_mut()?;
        match waiting.timeout(around.now)? {
            Overdue::Again => {
                around
                    .transactions
                    .respond(around.now, *server, &waiting.response);
                None
            }
            Overdue::GivenUp => {
                self.unpracked = None;
                Some(Turn::Fail(Ending::new(Cause::NoPrack)))
            }
        }
    }

    /// PRACK: with the answer to our offer, with another offer, or with nothing but the acknowledgement.
    pub(super) fn pracked(
        &mut self,
        around: &mut Around<'_>,
        id: ServerId,
        prack: &Message,
    ) -> Turn {
        let waiting = self
            .unpracked
            .take_if(|(_, waiting)| waiting.is_acknowledged_by(prack));
        let Some((_, waiting)) = waiting else {
            self.refuse(around, id, prack, 481);
            return Turn::Nothing;
        };
        let mut response = around.manners.reply(prack, 200, self.tag());
        let has_body = !prack.body.is_empty();
        if has_body && prack.headers.content_type().as_deref() != Some(SDP) {
            // The acknowledgement holds, whatever else was said.
            response = around.manners.reply(prack, 415, self.tag());
            around.manners.complete_failure(&mut response, 415);
            around.transactions.respond(around.now, id, &response);
            return Turn::Nothing;
        }
        let turn = if waiting.offered {
            match self.agreement.take_answer(&prack.body) {
                Ok(plan) => {
                    self.settled = true;
                    Turn::Configure(Box::new(plan))
                }
                Err(refusal) => Turn::Fail(refusal.ending()),
            }
        } else if has_body {
            match self.answer_offer(around, prack) {
                Ok((body, plan)) => {
                    response.set_body(SDP, body);
                    Turn::Configure(Box::new(plan))
                }
                Err(refusal) => {
                    response = super::refusal_response(around.manners, prack, refusal, self.tag());
                    Turn::Nothing
                }
            }
        } else {
            Turn::Nothing
        };
        around.transactions.respond(around.now, id, &response);
        turn
    }

    /// Acknowledges a reliable response to our INVITE (RFC 3262 §4).
    pub(in crate::phone) fn send_prack(
        &mut self,
        around: &mut Around<'_>,
        rack: &reliable::RAck,
    ) -> ClientId {
        let mut prack = self.request(around, Method::Prack);
        prack.headers.push(Name::RAck, rack);
        around
            .transactions
            .request(around.now, self.flow, prack, Some(self.call))
    }

    /// Takes the answer to our first offer from a provisional response: for good when it is reliable, else as a
    /// preview of the same answer in the 2xx (RFC 3261 §13.2.1).
    pub(in crate::phone) fn take_early_answer(
        &mut self,
        response: &Message,
        is_reliable: bool,
    ) -> Option<Result<LegPlan, Refusal>> {
        let has_sdp = response.headers.content_type().as_deref() == Some(SDP);
        if self.settled || response.body.is_empty() || !has_sdp {
            return None;
        }
        if !is_reliable {
            return Some(self.agreement.clone().take_answer(&response.body));
        }
        let answer = self.agreement.take_answer(&response.body);
        if let Ok(plan) = &answer {
            self.settled = true;
            self.agreed = Some(Box::new(plan.clone()));
        }
        Some(answer)
    }

    /// Takes the answer from the 2xx, unless it came before in a reliable response: then what follows is ignored
    /// (RFC 3261 §13.2.1).
    pub(in crate::phone) fn take_final_answer(
        &mut self,
        response: &Message,
    ) -> Result<LegPlan, Refusal> {
        if let Some(agreed) = self.agreed.take() {
            return Ok(*agreed);
        }
        let plan = self.agreement.take_answer(&response.body)?;
        self.settled = true;
        Ok(plan)
    }
}
