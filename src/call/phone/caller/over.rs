//! How an outgoing call ends: given up, hung up, or come to nothing.

use std::time::Instant;

use wire::plan::MediaCommand;

use super::{Caller, CallerOutput, State};
use crate::ending::{Cause, Ending};
use crate::note::Note;
use crate::phone::line::Around;
use crate::transaction::{self, ClientId, GIVE_UP};

impl Caller {
    pub(super) fn failed(&mut self, now: Instant, id: ClientId, why: transaction::Failure) {
        if let Some(line) = self.line.as_mut().filter(|line| line.has_sent(id)) {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            let turn = line.unanswered(&mut around, id, why);
            if self.state == State::Talking {
                self.turn(now, turn);
            }
        } else if self.byes.remove(&id) {
            self.outputs.push_back(CallerOutput::Note(Note::GaveUp {
                call: Some(self.call),
                what: match why {
                    transaction::Failure::TimedOut => "BYE: no response",
                    transaction::Failure::FlowClosed => "BYE: the connection closed",
                },
            }));
        } else if self.invite.as_ref().is_some_and(|(own, _)| *own == id) {
            let ending = Ending::new(match why {
                transaction::Failure::TimedOut => Cause::NoResponse,
                transaction::Failure::FlowClosed => Cause::TransportLost,
            });
            if matches!(self.state, State::Calling { .. }) {
                self.try_elsewhere(ending);
            } else {
                self.over(ending);
            }
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, ending: Ending) {
        match self.state {
            State::Reserving | State::Locating => self.over(ending),
            State::Calling { provisional } => {
                self.ending = Some(ending);
                self.state = State::Cancelling { provisional };
                self.deadline = Some(now + GIVE_UP);
                if provisional {
                    self.send_cancel(now);
                }
            }
            State::Talking => {
                let ending = ending.after_answer();
                let mut around = Around {
                    now,
                    transactions: &mut self.transactions,
                    manners: &mut self.manners,
                };
                if let Some(line) = self.line.as_mut() {
                    self.byes.insert(line.bye(&mut around, &ending));
                }
                self.over(ending);
            }
            State::Cancelling { .. } | State::Over => {}
        }
    }

    pub(super) fn send_cancel(&mut self, now: Instant) {
        if let Some((invite, _)) = &self.invite {
            let reason = self.ending.as_ref().and_then(Ending::reason_header);
            self.transactions.cancel(now, *invite, reason.as_deref());
        }
    }

    /// Tells the ending, once, and closes the leg.
    pub(super) fn over(&mut self, ending: Ending) {
        self.state = State::Over;
        self.deadline = None;
        self.early.clear();
        if let Some(line) = &mut self.line {
            line.wind_down();
        }
        if self.told {
            return;
        }
        self.told = true;
        self.outputs.push_back(CallerOutput::Ended(ending.clone()));
        self.ending = Some(ending);
        if self.reserved {
            self.outputs
                .push_back(CallerOutput::Media(MediaCommand::Close {
                    leg: self.dial.leg,
                }));
        } else {
            self.tell_call_ended();
        }
    }

    pub(super) fn leg_gone(&mut self) {
        if std::mem::replace(&mut self.reserved, false) && self.told {
            self.tell_call_ended();
        }
    }

    fn tell_call_ended(&mut self) {
        if let Some(ending) = self.ending.clone().filter(|_| self.invite.is_some()) {
            self.outputs.push_back(CallerOutput::Note(Note::CallEnded {
                call: self.call,
                leg: self.dial.leg,
                ending,
            }));
        }
    }
}
