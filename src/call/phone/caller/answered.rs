//! What comes back for the INVITE: provisional answers, the one that has the call, and those that come after it.

use std::time::Instant;

use wire::sip::{Message, Method, Name};

use super::{Caller, CallerOutput, State};
use crate::dialog::Dialog;
use crate::ending::{Cause, Ending};
use crate::note::Note;
use crate::phone::line::Around;
use crate::transaction::ClientId;

impl Caller {
    pub(super) fn response(&mut self, now: Instant, id: ClientId, response: &Message) {
        let status = response.status().unwrap_or(0);
        if status >= 200 {
            self.asked.remove(&id);
        }
        let of_invite = self.invite.as_ref().is_some_and(|(own, _)| *own == id);
        if !of_invite {
            if let Some(line) = self.line.as_mut().filter(|line| line.has_sent(id)) {
                let mut around = Around {
                    now,
                    transactions: &mut self.transactions,
                    manners: &mut self.manners,
                };
                let turn = line.responded(&mut around, id, response);
                if self.state == State::Talking {
                    self.turn(now, turn);
                }
            } else if status >= 200 {
                self.byes.remove(&id);
            }
            return;
        }
        match status {
            100..200 => self.provisional(now, status, response),
            200..300 => self.success(now, response),
            422 if matches!(self.state, State::Calling { .. })
                && self.timer.too_small(response) =>
            {
                self.invite_again(now);
            }
            // Whoever says so does not take the call now; another may (RFC 3263 §4.3).
            503 if matches!(self.state, State::Calling { .. }) => {
                let reason = response.reason().unwrap_or_default().into_owned();
                let text = format!("{status} {reason}");
                self.try_elsewhere(Ending::with_text(Cause::Rejected(status), text));
            }
            401 | 407 if matches!(self.state, State::Calling { .. }) => {
                self.challenged(now, status, response);
            }
            _ => {
                let reason = response.reason().unwrap_or_default().into_owned();
                let ending = match (self.state, &self.ending) {
                    (State::Cancelling { .. }, Some(ending)) => ending.clone(),
                    _ => Ending::with_text(Cause::Rejected(status), format!("{status} {reason}")),
                };
                self.over(ending);
            }
        }
    }

    fn provisional(&mut self, now: Instant, status: u16, response: &Message) {
        self.branch_out(now, response);
        match self.state {
            State::Calling { .. } => {
                self.state = State::Calling { provisional: true };
                self.outputs.push_back(CallerOutput::Progress {
                    status,
                    reason: response.reason().unwrap_or_default().into_owned(),
                });
            }
            State::Cancelling { provisional: false } => {
                self.state = State::Cancelling { provisional: true };
                self.send_cancel(now);
            }
            _ => {}
        }
    }

    fn success(&mut self, now: Instant, response: &Message) {
        let Some((_, invite)) = &self.invite else {
            return;
        };
        let number = invite.headers.cseq().map_or(0, |cseq| cseq.number);
        let dialog = match Dialog::uac(invite, response) {
            Ok(dialog) => dialog,
            Err(error) => {
                // Without a Contact there is nobody to acknowledge; they will give up.
                self.over(Ending::with_text(Cause::BadDescription, error.to_string()));
                return;
            }
        };
        if let Some(line) = &self.line {
            let tag = &dialog.id().remote_tag;
            if line.dialog.id() == dialog.id() {
                // A copy: its ACK was lost (RFC 3261 §13.2.2.4).
                if let Some(ack) = &self.ack {
                    self.transactions.send(line.flow, ack, Some(self.call));
                }
            } else if let Some(ack) = self.late.get(tag) {
                self.transactions.send(self.dial.flow, ack, Some(self.call));
            } else {
                self.drop_fork(now, dialog, number);
            }
            return;
        }
        let Some(mut line) = self.line_of(dialog, response) else {
            return;
        };
        let ack = self.acknowledge(&line.dialog, number);
        self.ack = Some(ack);
        line.timer.take_response(now, response);
        let agreed = line.take_final_answer(response);
        self.line = Some(line);
        let cancelled = matches!(self.state, State::Cancelling { .. } | State::Over);
        if !cancelled {
            self.deadline = None;
        }
        self.state = State::Talking;
        match agreed {
            _ if cancelled => {
                // It was answered while our CANCEL was on its way.
                let ending = self.ending.clone();
                self.hang_up(now, ending.unwrap_or_else(|| Ending::new(Cause::WeHungUp)));
            }
            Ok(plan) => {
                let plan = Box::new(plan);
                self.outputs
                    .push_back(CallerOutput::Note(Note::CallAnswered { call: self.call }));
                self.configure(plan.clone());
                self.outputs.push_back(CallerOutput::Answered { plan });
            }
            Err(refusal) => self.hang_up(now, refusal.ending()),
        }
    }

    /// A second device answered the same INVITE: one is enough.
    fn drop_fork(&mut self, now: Instant, mut dialog: Dialog, number: u32) {
        let ack = self.acknowledge(&dialog, number);
        self.late.insert(dialog.id().remote_tag.clone(), ack);
        let mut bye = dialog.request(Method::Bye);
        bye.headers
            .push_front(Name::Via, self.manners.via(self.dial.flow));
        self.manners.authorize(&mut bye);
        let id = self
            .transactions
            .request(now, self.dial.flow, bye, Some(self.call));
        self.byes.insert(id);
    }

    fn acknowledge(&mut self, dialog: &Dialog, number: u32) -> Message {
        let mut ack = dialog.ack(number);
        ack.headers
            .push_front(Name::Via, self.manners.via(self.dial.flow));
        if let Some((_, invite)) = &self.invite {
            ack.copy_credentials(invite);
        }
        self.transactions
            .send(self.dial.flow, &ack, Some(self.call));
        ack
    }
}
