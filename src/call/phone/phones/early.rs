//! What happens between arrival and answer, and requests of our own within a dialog.

use std::time::Instant;

use wire::sip::Message;

use super::super::border::Output;
use super::super::digits::Told;
use super::super::line::{Around, By, Turn};
use super::{Early, Phones, State};
use crate::note::TransactionId;
use crate::transaction::{ClientId, Failure, Flow};

impl Phones {
    /// The call shall hear something before it is decided.
    pub(super) fn early(&mut self, id: TransactionId) {
        if let Some(call) = self.calls.get_mut(&id)
            && call.state == State::Arrived
        {
            call.early = Early::Wanted;
            self.reserve(id);
        }
    }

    /// Sends the 183.
    pub(super) fn progress(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        match call.line.progress(&mut around, call.server, &call.invite) {
            Ok(plan) => {
                call.state = State::Early;
                call.early = Early::Told;
                let proven = call.line.is_proven();
                match plan {
                    Some(plan) if proven => self.media_agreed(id, Box::new(plan)),
                    Some(plan) => self.withhold(id, plan),
                    None => {}
                }
                self.rearm(id);
            }
            Err(refusal) => self.end(now, id, refusal.ending()),
        }
    }

    /// A PRACK may have been what the 200 waits for.
    pub(super) fn accept_if_due(&mut self, now: Instant, id: TransactionId) {
        let due = self.calls.get(&id).is_some_and(|call| {
            call.state == State::Early
                && call.early == Early::AcceptDue
                && !call.line.waits_for_prack()
        });
        if due {
            self.answer(now, id);
        }
    }

    /// Negotiates again, as the session stands.
    pub(super) fn renegotiate(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.state == State::Answered {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            call.line.refresh(&mut around, By::Invite);
            self.rearm(id);
        }
    }

    pub(super) fn digit(&mut self, now: Instant, id: TransactionId, told: Told, digit: char) {
        if let Some(call) = self.calls.get_mut(&id)
            && call.ending.is_none()
            && call.digits.is_new(now, told, digit)
        {
            let leg = call.line.leg;
            self.outputs.push_back(Output::Digit { leg, digit });
        }
    }

    /// The call that a request of ours belongs to.
    pub(super) fn call_of_request(&self, id: ClientId) -> Option<TransactionId> {
        self.by_bye
            .get(&id)
            .or_else(|| self.by_request.get(&id))
            .copied()
    }

    /// A response to an UPDATE or re-INVITE of ours.
    pub(super) fn responded(&mut self, now: Instant, id: ClientId, flow: Flow, response: &Message) {
        self.of_line(now, id, |line, around| {
            line.reached(flow);
            line.responded(around, id, response)
        });
    }

    /// None will come.
    pub(super) fn unanswered(&mut self, now: Instant, id: ClientId, why: Failure) {
        self.of_line(now, id, |line, around| line.unanswered(around, id, why));
    }

    fn of_line(
        &mut self,
        now: Instant,
        id: ClientId,
        act: impl FnOnce(&mut super::Line, &mut Around<'_>) -> Turn,
    ) {
        let Some(&of) = self.by_request.get(&id) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&of) else {
            self.by_request.remove(&id);
            return;
        };
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let turn = act(&mut call.line, &mut around);
        let over = call.ending.is_some();
        if !call.line.has_sent(id) {
            self.by_request.remove(&id);
        }
        if over {
            self.rearm(of);
        } else {
            self.turn(now, of, turn);
        }
    }
}
