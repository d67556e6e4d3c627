//! What devices say before one of them answers: early dialogs, early media, PRACK; and an INVITE that is sent again
//! because its session interval was too small.

use std::time::Instant;

use wire::sip::{Message, Name};

use super::super::line::{Around, Line, Terms};
use super::{Caller, CallerOutput, State};
use crate::dialog::Dialog;
use crate::dialog::reliable::{RELIABLE, Received};
use crate::ending::{Cause, Ending};

/// One device that has answered provisionally.
pub(super) struct Branch {
    pub(super) line: Line,
    received: Received,
}

/// Early dialogs of one INVITE; further ones are heard only when they answer.
const MOST_BRANCHES: usize = 16;

impl Caller {
    /// Takes a provisional response as what it is in its early dialog.
    pub(super) fn branch_out(&mut self, now: Instant, response: &Message) {
        let live = matches!(self.state, State::Calling { .. } | State::Cancelling { .. });
        let Some((_, invite)) = self.invite.as_ref().filter(|_| live) else {
            return;
        };
        // Without a tag, or without a Contact, it makes no dialog (RFC 3261 §12.1.2).
        let Ok(dialog) = Dialog::uac(invite, response) else {
            return;
        };
        let tag = dialog.id().remote_tag.clone();
        if tag.is_empty() {
            return;
        }
        if !self.early.contains_key(&tag) {
            if self.early.len() >= MOST_BRANCHES {
                return;
            }
            let Some(line) = self.new_line(dialog, response) else {
                return;
            };
            let received = Received::default();
            self.early.insert(tag.clone(), Branch { line, received });
        }
        let Some(branch) = self.early.get_mut(&tag) else {
            return;
        };
        branch.line.note_methods(response);
        let is_reliable = response.headers.lists(Name::Require, RELIABLE);
        let rack = branch.received.take(response);
        if is_reliable && rack.is_none() {
            return;
        }
        let plan = branch.line.take_early_answer(response, is_reliable);
        if let Some(rack) = rack {
            let mut around = Around {
                now,
                transactions: &mut self.transactions,
                manners: &mut self.manners,
            };
            branch.line.send_prack(&mut around, &rack);
        }
        match plan {
            _ if !matches!(self.state, State::Calling { .. }) => {}
            Some(Ok(plan)) => {
                let plan = Box::new(plan);
                self.configure(plan.clone());
                self.outputs.push_back(CallerOutput::EarlyMedia { plan });
            }
            // What is not acknowledged may be ignored; what is would be the answer for good.
            Some(Err(refusal)) if is_reliable => self.hang_up(now, refusal.ending()),
            Some(Err(_)) | None => {}
        }
    }

    /// The line of the device that answered first, early before or not.
    pub(super) fn line_of(&mut self, dialog: Dialog, response: &Message) -> Option<Line> {
        let early = self.early.remove(&dialog.id().remote_tag);
        self.early.clear();
        match early {
            Some(mut branch) => match branch.line.dialog.confirm(response) {
                Ok(()) => {
                    branch.line.note_methods(response);
                    Some(branch.line)
                }
                Err(error) => {
                    self.over(Ending::with_text(Cause::BadDescription, error.to_string()));
                    None
                }
            },
            None => self.new_line(dialog, response),
        }
    }

    fn new_line(&self, dialog: Dialog, response: &Message) -> Option<Line> {
        let (_, invite) = self.invite.as_ref()?;
        let terms = Terms {
            dialog,
            agreement: self.agreement.clone()?,
            timer: self.timer.clone(),
        };
        let mut line = Line::caller(
            self.call,
            self.dial.leg,
            self.dial.flow,
            invite,
            response,
            terms,
        );
        if let Some(local) = self.local.clone() {
            line.set_local(local);
        }
        Some(line)
    }

    /// Calls again as the same call, with the session interval (RFC 4028 §7.3) or the credentials (RFC 3261 §22.2)
    /// that were demanded.
    pub(super) fn invite_again(&mut self, now: Instant) {
        let Some((_, invite)) = &mut self.invite else {
            return;
        };
        let number = invite.headers.cseq().map_or(0, |cseq| cseq.number);
        let cseq = format!("{} INVITE", number.wrapping_add(1));
        invite.headers.replace(Name::CSeq, cseq);
        invite
            .headers
            .set_top_via(&self.manners.via(self.dial.flow));
        self.timer.ask(invite);
        self.manners.authorize(invite);
        let again = invite.clone();
        self.send_invite(now, again);
    }
}
