//! What happens inside a call, and how it ends, whoever ends it.

use std::time::Instant;

use wire::plan::MediaCommand;
use wire::sip::{Message, Method};

use super::super::border::Output;
use super::super::digits::Told;
use super::super::line::{Around, Turn};
use super::{LegState, Phones, State};
use crate::dialog::DialogId;
use crate::ending::{Cause, Ending};
use crate::note::{Note, TransactionId};
use crate::transaction::{ClientId, Flow, ServerId};

impl Phones {
    pub(super) fn in_dialog(
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
        let bye = message.method() == Some(&Method::Bye);
        if matches!(call.state, State::Over | State::ByeDue) && !bye {
            let tag = call.line.dialog.id().local_tag.clone();
            let response = self.manners.reply(message, 481, &tag);
            self.transactions.respond(now, id, &response);
            return;
        }
        let early = matches!(call.state, State::Arrived | State::Reserving | State::Early);
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let turn = call.line.requested(&mut around, id, flow, message, early);
        self.release(of);
        self.turn(now, of, turn);
        self.accept_if_due(now, of);
    }

    pub(super) fn ack(&mut self, now: Instant, ack: &Message) -> Option<TransactionId> {
        let id = DialogId::of_request(ack).and_then(|d| self.by_dialog.get(&d).copied())?;
        let call = self.calls.get_mut(&id)?;
        let turn = call.line.acknowledged(ack);
        if call.state == State::ByeDue {
            if !call.line.waits_for_ack() {
                self.send_bye(now, id);
            }
            return Some(id);
        }
        self.release(id);
        self.turn(now, id, turn);
        Some(id)
    }

    pub(super) fn turn(&mut self, now: Instant, id: TransactionId, turn: Turn) {
        match turn {
            Turn::Nothing => {}
            Turn::Configure(plan) => self.media_agreed(id, plan),
            Turn::Digit(digit) => self.digit(now, id, Told::ByInfo, digit),
            Turn::Over(ending) => {
                self.refuse_pending(now, id, &Ending::new(Cause::Cancelled));
                self.over(id, ending);
            }
            Turn::Fail(ending) => self.end(now, id, ending),
        }
        self.rearm(id);
    }

    /// Ends a call in whatever way its state asks for.
    pub(super) fn end(&mut self, now: Instant, id: TransactionId, ending: Ending) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match call.state {
            State::Arrived | State::Reserving | State::Early => {
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
    pub(super) fn refuse_pending(&mut self, now: Instant, id: TransactionId, ending: &Ending) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if matches!(call.state, State::Arrived | State::Reserving | State::Early) {
            let tag = &call.line.dialog.id().local_tag;
            let response = self.manners.refusal(&call.invite, ending, tag);
            self.transactions.respond(now, call.server, &response);
        }
    }

    pub(super) fn send_bye(&mut self, now: Instant, id: TransactionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.state = State::Over;
        let ending = call
            .ending
            .clone()
            .unwrap_or_else(|| Ending::new(Cause::WeHungUp));
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let bye = call.line.bye(&mut around, &ending);
        call.bye = Some(bye);
        self.by_bye.insert(bye, id);
        self.rearm(id);
        self.forget_if_done(id);
    }

    /// Tells the ending, once, and closes the leg.
    pub(super) fn over(&mut self, id: TransactionId, ending: Ending) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let leg = call.line.leg;
        call.state = State::Over;
        call.line.wind_down();
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

    pub(super) fn leg_gone(&mut self, id: TransactionId) {
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

    pub(super) fn bye_done(&mut self, bye: ClientId) {
        if let Some(id) = self.by_bye.remove(&bye) {
            if let Some(call) = self.calls.get_mut(&id) {
                call.bye = None;
            }
            self.forget_if_done(id);
        }
    }

    pub(super) fn forget_if_done(&mut self, id: TransactionId) {
        let done = self.calls.get(&id).is_some_and(|call| {
            call.state == State::Over && call.leg == LegState::None && call.bye.is_none()
        });
        if done && let Some(call) = self.calls.remove(&id) {
            self.by_dialog.remove(call.line.dialog.id());
            self.by_leg.remove(&call.line.leg);
            self.by_request.retain(|_, of| *of != id);
            self.deadlines.disarm(id);
        }
    }
}
