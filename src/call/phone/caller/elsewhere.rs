//! The INVITE on its way: over another connection than the one that was dialled on, or to another place (RFC 3263 §4.3).

use std::time::Instant;

use wire::sip::{Message, Name, Scheme};

use super::{Caller, CallerOutput, State};
use crate::ending::{Cause, Ending};
use crate::transaction::{ClientId, Flow};

impl Caller {
    /// Sends the INVITE, or looks for another way when the one that was dialled on is closed.
    pub(super) fn send_invite(&mut self, now: Instant, invite: Message) {
        let (flow, call) = (self.dial.flow, Some(self.call));
        self.early.clear();
        self.state = State::Calling { provisional: false };
        let id = self.transactions.request(now, flow, invite.clone(), call);
        self.invite = Some((id, invite));
        if self.closed {
            // Nobody is told of what is sent on a closed way: the transaction ends as it would have.
            self.transactions.flow_closed(flow.id);
        }
    }

    /// A response to the INVITE shows which way it went, when it had outgrown the one that was dialled on: what
    /// follows goes there, too.
    pub(super) fn reached(&mut self, id: ClientId, flow: Flow) {
        let of_invite = self.invite.as_ref().is_some_and(|(own, _)| *own == id);
        if of_invite && self.line.is_none() {
            self.dial.flow = flow;
            self.closed = false;
        }
        if let Some(line) = self.line.as_mut() {
            line.reached(flow);
        }
    }

    /// Nobody took the call here, for a reason that need not hold elsewhere.
    pub(super) fn try_elsewhere(&mut self, ending: Ending) {
        if !self.dial.elsewhere {
            self.over(ending);
            return;
        }
        self.early.clear();
        self.ending = Some(ending);
        self.state = State::Locating;
        self.outputs.push_back(CallerOutput::NextWay);
    }

    /// Another way, or none.
    pub(super) fn way(&mut self, now: Instant, flow: Option<Flow>) {
        if self.state != State::Locating {
            return;
        }
        let ending = self.ending.take();
        let (Some(flow), Some((_, invite))) = (flow, &self.invite) else {
            self.over(ending.unwrap_or_else(|| Ending::new(Cause::NoResponse)));
            return;
        };
        let mut invite = invite.clone();
        self.dial.flow = flow;
        self.closed = false;
        // The same request but for its branch, and for where we are on this way.
        invite.headers.set_top_via(&self.manners.via(flow));
        let secure = self.dial.target.scheme == Scheme::Sips;
        let contact = self.manners.contact(flow, secure);
        invite.headers.replace(Name::Contact, contact);
        self.manners.authorize(&mut invite);
        self.send_invite(now, invite);
    }
}
