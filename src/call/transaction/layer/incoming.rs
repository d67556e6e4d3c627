//! Requests of others: matched, told once, answered, and their answers sent again.

use std::net::SocketAddr;
use std::time::Instant;

use wire::sip::{Message, Method, Name, Via};

use super::super::flow::{Flow, Transport};
use super::super::key::{ClientKey, MergeKey, ServerKey};
use super::super::server::{self, Server};
use super::super::timer::Timer;
use super::{Output, ServerId, ServerTransaction, Transactions};

impl Transactions {
    /// Answers a request; does nothing when it was answered finally, or is gone.
    pub fn respond(&mut self, now: Instant, id: ServerId, response: &Message) {
        let Some(status) = response.status() else {
            return;
        };
        let Some(transaction) = self.servers.get_mut(&id) else {
            return;
        };
        let again = transaction.machine.is_final();
        if !again || (200..300).contains(&status) {
            transaction.response = Some(response.to_bytes());
        }
        self.drive_server(now, id, server::Event::Respond(status), None);
    }

    /// Answers a request without keeping state, such as one that is malformed.
    pub fn answer_stateless(&mut self, flow: Flow, request: &Message, response: &Message) {
        let to = request.headers.via().ok().map_or(flow.peer, |mut via| {
            via.note_source(flow.peer);
            reply_to(flow, &via)
        });
        self.outputs.push_back(Output::Send {
            flow: flow.id,
            to,
            bytes: response.to_bytes(),
            call: None,
        });
    }

    pub(super) fn receive_request(&mut self, now: Instant, flow: Flow, mut message: Message) {
        let Ok(mut via) = message.headers.via() else {
            self.outputs.push_back(Output::Absorbed { call: None });
            return;
        };
        let Some(key) = ServerKey::of(&message, &via) else {
            self.outputs.push_back(Output::Absorbed { call: None });
            return;
        };
        let is_ack = message.method() == Some(&Method::Ack);
        if let Some(&id) = self.server_keys.get(&key) {
            let call = self.servers.get(&id).and_then(|t| t.call);
            let event = if is_ack {
                server::Event::Ack
            } else {
                server::Event::Retransmission
            };
            let before = self.outputs.len();
            self.drive_server(now, id, event, Some((flow, message)));
            let passed = self
                .outputs
                .iter()
                .skip(before)
                .any(|output| matches!(output, Output::Ack { .. }));
            if !passed {
                self.outputs.insert(before, Output::Absorbed { call });
            }
            return;
        }
        if is_ack {
            self.outputs.push_back(Output::Ack { flow, message });
            return;
        }
        let cancels = if message.method() == Some(&Method::Cancel) {
            ServerKey::of_cancelled(&message, &via)
                .and_then(|key| self.server_keys.get(&key).copied())
        } else {
            None
        };
        let written = via.clone();
        via.note_source(flow.peer);
        // RFC 6223 §4.4: a stream whose other side offers to keep it alive is asked to, this often at least.
        if flow.transport.is_reliable()
            && via.params.has("keep")
            && via.params.get("keep").is_none()
        {
            via.params.set("keep", Some(KEEP_ALIVE));
        }
        if via != written {
            message.headers.set_top_via(&via);
        }
        self.note_alias(flow, &via);
        if self.servers.len() >= self.limit {
            let mut response = Message::response_to(&message, 503, "Service Unavailable");
            response.headers.push(Name::RetryAfter, "5");
            self.answer_stateless(flow, &message, &response);
            self.outputs.push_back(Output::Absorbed { call: None });
            return;
        }
        let merge = MergeKey::of(&message);
        let merged = self.is_loop(&message)
            || merge
                .as_ref()
                .is_some_and(|merge| self.merges.contains_key(merge));
        let id = ServerId(self.fresh_id());
        if let Some(merge) = merge.as_ref().filter(|_| !merged) {
            self.merges.insert(merge.clone(), id);
        }
        self.server_keys.insert(key.clone(), id);
        self.servers.insert(
            id,
            ServerTransaction {
                machine: Server::new(
                    message.method() == Some(&Method::Invite),
                    flow.transport.is_reliable(),
                ),
                key,
                merge: merge.filter(|_| !merged),
                flow,
                reply_to: reply_to(flow, &via),
                response: None,
                call: None,
            },
        );
        self.outputs.push_back(Output::Request {
            id,
            flow,
            message,
            merged,
            cancels,
        });
    }

    /// Notes that a peer takes requests on its connection (RFC 5923 §8.2). Only TLS, and only an address that the
    /// connection itself comes from: without a certificate of the peer's that is all that it has proved.
    fn note_alias(&mut self, flow: Flow, via: &Via) {
        let sent_by = via.host.ip().map(|ip| ip.to_canonical());
        if flow.transport != Transport::Tls
            || !via.params.has("alias")
            || sent_by != Some(flow.peer.ip().to_canonical())
        {
            return;
        }
        let address = SocketAddr::new(flow.peer.ip().to_canonical(), via.port.unwrap_or(5061));
        if self.aliases.len() < self.limit || self.aliases.contains_key(&address) {
            self.aliases.insert(address, flow);
        }
    }

    /// Whether a request has been here on its way: one of its Vias is of a request that we sent and that is not
    /// over (RFC 3261 §16.3).
    fn is_loop(&self, message: &Message) -> bool {
        if self.client_keys.is_empty() {
            return false;
        }
        let (Ok(vias), Ok(cseq)) = (message.headers.vias(), message.headers.cseq()) else {
            return false;
        };
        vias.iter()
            .filter_map(|via| via.transaction_branch())
            .any(|branch| {
                let key = ClientKey {
                    branch: branch.to_owned(),
                    method: cseq.method.as_str().to_owned(),
                };
                self.client_keys.contains_key(&key)
            })
    }

    pub(super) fn drive_server(
        &mut self,
        now: Instant,
        id: ServerId,
        event: server::Event,
        cause: Option<(Flow, Message)>,
    ) {
        let Some(transaction) = self.servers.get_mut(&id) else {
            return;
        };
        let mut acts = Vec::new();
        transaction.machine.on(event, &mut acts);
        let mut cause = cause;
        for act in acts {
            match act {
                server::Act::Send => self.resend(id),
                server::Act::Arm(timer, after) => self.timers.arm((id.0, timer), now + after),
                server::Act::Disarm(timer) => self.timers.disarm((id.0, timer)),
                server::Act::PassAck => {
                    if let Some((flow, message)) = cause.take() {
                        self.outputs.push_back(Output::Ack { flow, message });
                    }
                }
                server::Act::NoAck => {}
                server::Act::End => self.end_server(id),
            }
        }
    }

    fn resend(&mut self, id: ServerId) {
        if let Some(transaction) = self.servers.get(&id)
            && let Some(bytes) = &transaction.response
        {
            self.outputs.push_back(Output::Send {
                flow: transaction.flow.id,
                to: transaction.reply_to,
                bytes: bytes.clone(),
                call: transaction.call,
            });
        }
    }

    pub(super) fn end_server(&mut self, id: ServerId) {
        if let Some(transaction) = self.servers.remove(&id) {
            self.server_keys.remove(&transaction.key);
            if let Some(merge) = &transaction.merge {
                self.merges.remove(merge);
            }
        }
        self.timers
            .disarm_range((id.0, Timer::FIRST), (id.0, Timer::LAST));
    }
}

/// Where responses go: back along a stream; over UDP where Via says (RFC 3261 §18.2.2, RFC 3581 §4).
fn reply_to(flow: Flow, via: &Via) -> SocketAddr {
    if flow.transport.is_reliable() || via.wants_rport() {
        return flow.peer;
    }
    // `received` is the source; only the port may differ. A request must not make us write to third parties.
    SocketAddr::new(flow.peer.ip(), via.port.unwrap_or(5060))
}

/// Seconds between keep-alives: less than what middle-boxes forget idle connections after.
const KEEP_ALIVE: &str = "120";
