//! What is asked of us: credentials, for the INVITE and for what follows it (RFC 3261 §22.2, §22.3).

use std::time::Instant;

use wire::sip::{Message, Method};

use super::super::line::Around;
use super::Caller;
use crate::authenticate::Unanswerable;
use crate::ending::{Cause, Ending};
use crate::transaction::ClientId;

/// Challenges to one INVITE that are answered: several proxies may each ask, and a nonce may be stale; somebody who
/// only ever asks for more must not keep us busy.
const MOST_ANSWERS: u8 = 5;

impl Caller {
    /// The INVITE was answered with 401 or 407: it is sent again with credentials, or the call is over.
    pub(super) fn challenged(&mut self, now: Instant, status: u16, response: &Message) {
        let taken = match &mut self.manners.answerer {
            None => {
                let reason = response.reason().unwrap_or_default().into_owned();
                let text = format!("{status} {reason}");
                self.over(Ending::with_text(Cause::Rejected(status), text));
                return;
            }
            Some(_) if self.answers >= MOST_ANSWERS => Err(Unanswerable::Refused),
            Some(answerer) => answerer.take(response),
        };
        match taken {
            Ok(()) => {
                self.answers += 1;
                self.invite_again(now);
            }
            Err(why) => {
                let cause = match why {
                    Unanswerable::Refused => Cause::CredentialsRefused,
                    Unanswerable::NoChallenge | Unanswerable::Unusable(_) => Cause::Unanswerable,
                };
                let mut ending = Ending::with_text(cause, format!("{status}: {why}"));
                ending.sip_status = Some(status);
                self.over(ending);
            }
        }
    }

    /// A request within a dialog was answered with 401 or 407, since its nonce is too old: it is sent again. `false`
    /// when it is none of those, or cannot be answered.
    pub(super) fn answers_within(
        &mut self,
        now: Instant,
        id: ClientId,
        response: &Message,
        mut request: Message,
    ) -> bool {
        let first = self.invite.as_ref().is_some_and(|(own, _)| *own == id);
        // A CANCEL cannot be challenged (RFC 3261 §22.1).
        if first || request.method() == Some(&Method::Cancel) {
            return false;
        }
        let tag = request
            .headers
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned));
        let line = self
            .line
            .iter_mut()
            .chain(self.early.values_mut().map(|branch| &mut branch.line))
            .find(|line| Some(&line.dialog.id().remote_tag) == tag.as_ref());
        let (Some(line), Some(answerer)) = (line, &mut self.manners.answerer) else {
            return false;
        };
        let taken = if self.asked.contains(&id) {
            answerer.take(response)
        } else {
            answerer.take_first(response)
        };
        if taken.is_err() {
            return false;
        }
        line.dialog.renumber(&mut request);
        request.headers.set_top_via(&self.manners.via(line.flow));
        self.manners.authorize(&mut request);
        let mut around = Around {
            now,
            transactions: &mut self.transactions,
            manners: &mut self.manners,
        };
        let again = line.send_again(&mut around, id, request);
        self.asked.remove(&id);
        self.asked.insert(again);
        if self.byes.remove(&id) {
            self.byes.insert(again);
        }
        true
    }
}
