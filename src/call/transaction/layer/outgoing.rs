//! Requests of ours: sent, sent again, cancelled, and their responses told.

use std::time::Instant;

use wire::sip::{Message, Method, Name};

use super::super::client::{self, Client};
use super::super::flow::Flow;
use super::super::key::ClientKey;
use super::super::timer::Timer;
use super::{ClientId, ClientTransaction, Failure, Output, Transactions};
use crate::note::TransactionId;

impl Transactions {
    /// Sends a request whose top Via has a fresh branch.
    pub fn request(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        call: Option<TransactionId>,
    ) -> ClientId {
        let id = ClientId(self.fresh_id());
        let invite = message.method() == Some(&Method::Invite);
        let key = ClientKey::of(&message).unwrap_or_else(|| ClientKey {
            branch: String::new(),
            method: String::new(),
        });
        self.client_keys.insert(key.clone(), id);
        self.clients.insert(
            id,
            ClientTransaction {
                machine: Client::new(invite, flow.transport.is_reliable()),
                key,
                flow,
                to: flow.peer,
                bytes: message.to_bytes(),
                request: message,
                ack: None,
                call,
            },
        );
        self.drive_client(now, id, client::Event::Start, None);
        id
    }

    /// Cancels an INVITE that has got a provisional but no final response (RFC 3261 §9.1); `None` when it has,
    /// or when a CANCEL is out already.
    ///
    /// Waiting for that provisional response is the caller's affair.
    pub fn cancel(
        &mut self,
        now: Instant,
        invite: ClientId,
        reason: Option<&str>,
    ) -> Option<ClientId> {
        let transaction = self.clients.get(&invite)?;
        if transaction.machine.is_final() {
            return None;
        }
        let mut cancel = derived(&transaction.request, &Method::Cancel, None)?;
        if ClientKey::of(&cancel).is_some_and(|key| self.client_keys.contains_key(&key)) {
            return None;
        }
        if let Some(reason) = reason {
            cancel.headers.push(Name::Reason, reason);
        }
        let (flow, call) = (transaction.flow, transaction.call);
        Some(self.request(now, flow, cancel, call))
    }

    pub(super) fn receive_response(&mut self, now: Instant, flow: Flow, message: Message) {
        let id = ClientKey::of(&message).and_then(|key| self.client_keys.get(&key).copied());
        let (Some(id), Some(status)) = (id, message.status()) else {
            self.outputs.push_back(Output::Stray { message });
            return;
        };
        let call = self.clients.get(&id).and_then(|t| t.call);
        let before = self.outputs.len();
        let event = client::Event::Response(status);
        self.drive_client(now, id, event, Some((flow, message)));
        let told = self
            .outputs
            .iter()
            .skip(before)
            .any(|output| matches!(output, Output::Response { .. }));
        if !told {
            self.outputs.insert(before, Output::Absorbed { call });
        }
    }

    pub(super) fn drive_client(
        &mut self,
        now: Instant,
        id: ClientId,
        event: client::Event,
        cause: Option<(Flow, Message)>,
    ) {
        let Some(transaction) = self.clients.get_mut(&id) else {
            return;
        };
        let mut acts = Vec::new();
        transaction.machine.on(event, &mut acts);
        let mut cause = cause;
        for act in acts {
            match act {
                client::Act::Send => self.send_request(id),
                client::Act::Ack => self.acknowledge_failure(id, cause.as_ref().map(|(_, m)| m)),
                client::Act::Tell => {
                    if let Some((flow, message)) = cause.take() {
                        let asks = matches!(message.status(), Some(401 | 407));
                        let request = self.request_of(id).filter(|_| asks);
                        self.outputs.push_back(Output::Response {
                            id,
                            flow,
                            challenged: request.cloned().map(Box::new),
                            message,
                        });
                    }
                }
                client::Act::Arm(timer, after) => self.timers.arm((id.0, timer), now + after),
                client::Act::Disarm(timer) => self.timers.disarm((id.0, timer)),
                client::Act::TimedOut => self.outputs.push_back(Output::Failed {
                    id,
                    why: Failure::TimedOut,
                }),
                client::Act::End => self.end_client(id),
            }
        }
    }

    fn send_request(&mut self, id: ClientId) {
        if let Some(transaction) = self.clients.get(&id) {
            self.outputs.push_back(Output::Send {
                flow: transaction.flow.id,
                to: transaction.to,
                bytes: transaction.bytes.clone(),
                call: transaction.call,
            });
        }
    }

    fn acknowledge_failure(&mut self, id: ClientId, response: Option<&Message>) {
        let Some(transaction) = self.clients.get_mut(&id) else {
            return;
        };
        if transaction.ack.is_none() {
            transaction.ack = derived(&transaction.request, &Method::Ack, response)
                .map(|message| message.to_bytes());
        }
        if let Some(bytes) = &transaction.ack {
            let output = Output::Send {
                flow: transaction.flow.id,
                to: transaction.to,
                bytes: bytes.clone(),
                call: transaction.call,
            };
            self.outputs.push_back(output);
        }
    }

    pub(super) fn end_client(&mut self, id: ClientId) {
        if let Some(transaction) = self.clients.remove(&id) {
            self.client_keys.remove(&transaction.key);
        }
        self.timers
            .disarm_range((id.0, Timer::FIRST), (id.0, Timer::LAST));
    }
}

/// The ACK of a failure response (RFC 3261 §17.1.1.3) or the CANCEL (§9.1) of an INVITE: same Request-URI,
/// top Via, From, Call-ID, CSeq number and routes; To from the response where there is one.
fn derived(invite: &Message, method: &Method, response: Option<&Message>) -> Option<Message> {
    let cseq = invite.headers.cseq().ok()?.number;
    let mut message = Message::request(method.clone(), invite.request_uri()?);
    message.headers.push(Name::Via, invite.headers.via().ok()?);
    message.headers.push(Name::MaxForwards, 70);
    message.headers.copy(Name::Route, &invite.headers);
    message.headers.copy(Name::From, &invite.headers);
    message
        .headers
        .copy(Name::To, &response.unwrap_or(invite).headers);
    message.headers.copy(Name::CallId, &invite.headers);
    message.headers.push(Name::CSeq, format!("{cseq} {method}"));
    Some(message)
}
