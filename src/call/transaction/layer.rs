//! All transactions of a node: messages find theirs here, timers run, copies are absorbed.
//!
//! `receive`, `request`, `respond`, `cancel` and `timeout` change state; [`Transactions::poll`] tells what
//! came of it, in order. A user of this layer sees each request and each response once, except for 2xx to
//! INVITE and their ACKs, whose copies are the user's affair (RFC 6026).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use wire::sip::{Message, Method, Name};

use super::client::{self, Client};
use super::flow::{Flow, FlowId};
use super::key::{ClientKey, MergeKey, ServerKey};
use super::server::{self, Server};
use super::timer::{Schedule, Timer};
use crate::note::TransactionId;

/// A request that we answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(u64);

/// A request that we sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(u64);

/// Why a request of ours will get no response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// Nothing came back in `64*T1`.
    TimedOut,
    /// The connection that it went over is closed.
    FlowClosed,
}

/// What came of a change.
#[derive(Debug)]
pub enum Output {
    /// Put these bytes on the wire.
    Send {
        /// The way.
        flow: FlowId,
        /// The address, for UDP.
        to: SocketAddr,
        /// The message.
        bytes: Vec<u8>,
        /// The call it belongs to.
        call: Option<TransactionId>,
    },
    /// A request came for the first time. It must be answered by [`Transactions::respond`].
    Request {
        /// Its name.
        id: ServerId,
        /// The way it came.
        flow: Flow,
        /// The request, its top Via completed with `received` and `rport`.
        message: Message,
        /// The same request came already, on another way: 482.
        merged: bool,
        /// A CANCEL names the INVITE that it is for, unless there is none: 481.
        cancels: Option<ServerId>,
    },
    /// An ACK that is not for a failure response: of a 2xx, or of nothing.
    Ack {
        /// The way it came.
        flow: Flow,
        /// The ACK.
        message: Message,
    },
    /// What came was a copy, or an ACK for a failure response; nothing is left to do.
    Absorbed {
        /// The call whose transaction took it.
        call: Option<TransactionId>,
    },
    /// A response came to a request of ours.
    Response {
        /// The request's name.
        id: ClientId,
        /// The way it came.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// A response that no transaction waits for.
    Stray {
        /// The response.
        message: Message,
    },
    /// No response will come to a request of ours.
    Failed {
        /// The request's name.
        id: ClientId,
        /// Why.
        why: Failure,
    },
    /// A request cannot be answered any more because its connection is closed.
    Orphaned {
        /// The request's name.
        id: ServerId,
    },
}

struct ServerTransaction {
    machine: Server,
    key: ServerKey,
    merge: Option<MergeKey>,
    flow: Flow,
    reply_to: SocketAddr,
    response: Option<Vec<u8>>,
    call: Option<TransactionId>,
}

struct ClientTransaction {
    machine: Client,
    key: ClientKey,
    flow: Flow,
    to: SocketAddr,
    request: Message,
    bytes: Vec<u8>,
    ack: Option<Vec<u8>>,
    call: Option<TransactionId>,
}

/// Every SIP transaction of a node.
pub struct Transactions {
    limit: usize,
    next_id: u64,
    servers: BTreeMap<ServerId, ServerTransaction>,
    server_keys: BTreeMap<ServerKey, ServerId>,
    merges: BTreeMap<MergeKey, ServerId>,
    clients: BTreeMap<ClientId, ClientTransaction>,
    client_keys: BTreeMap<ClientKey, ClientId>,
    timers: Schedule<(u64, Timer)>,
    outputs: VecDeque<Output>,
}

impl Transactions {
    /// `limit` bounds the server transactions held at once; requests beyond it get a 503 without state.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            next_id: 0,
            servers: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            merges: BTreeMap::new(),
            clients: BTreeMap::new(),
            client_keys: BTreeMap::new(),
            timers: Schedule::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a message from the wire.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        if message.is_request() {
            self.receive_request(now, flow, message);
        } else {
            self.receive_response(now, flow, message);
        }
    }

    /// What came of the latest changes, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Transactions::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Runs every timer that is due.
    pub fn timeout(&mut self, now: Instant) {
        while let Some((at, (id, timer))) = self.timers.take_due(now) {
            if self.servers.contains_key(&ServerId(id)) {
                self.drive_server(at, ServerId(id), server::Event::Due(timer), None);
            } else {
                self.drive_client(at, ClientId(id), client::Event::Due(timer), None);
            }
        }
    }

    /// Says which call a request belongs to.
    pub fn tag(&mut self, id: ServerId, call: TransactionId) {
        if let Some(transaction) = self.servers.get_mut(&id) {
            transaction.call = Some(call);
        }
    }

    /// Whether a request still waits for its final response.
    #[must_use]
    pub fn is_open(&self, id: ServerId) -> bool {
        self.servers
            .get(&id)
            .is_some_and(|transaction| !transaction.machine.is_final())
    }

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

    /// Cancels an INVITE that has got a provisional but no final response (RFC 3261 §9.1); `None` when it has.
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
        if let Some(reason) = reason {
            cancel.headers.push(Name::Reason, reason);
        }
        let (flow, call) = (transaction.flow, transaction.call);
        Some(self.request(now, flow, cancel, call))
    }

    /// Sends a message outside any transaction: the ACK of a 2xx, an answer to what could not be read.
    pub fn send(&mut self, flow: Flow, message: &Message, call: Option<TransactionId>) {
        self.outputs.push_back(Output::Send {
            flow: flow.id,
            to: flow.peer,
            bytes: message.to_bytes(),
            call,
        });
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

    /// A connection is closed: its transactions end (RFC 3261 §17.1.4, §17.2.4).
    pub fn flow_closed(&mut self, flow: FlowId) {
        let servers: Vec<ServerId> = self
            .servers
            .iter()
            .filter(|(_, transaction)| transaction.flow.id == flow)
            .map(|(&id, _)| id)
            .collect();
        for id in servers {
            if self.is_open(id) {
                self.outputs.push_back(Output::Orphaned { id });
            }
            self.end_server(id);
        }
        let clients: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, transaction)| transaction.flow.id == flow)
            .map(|(&id, _)| id)
            .collect();
        for id in clients {
            if self
                .clients
                .get(&id)
                .is_some_and(|transaction| !transaction.machine.is_final())
            {
                self.outputs.push_back(Output::Failed {
                    id,
                    why: Failure::FlowClosed,
                });
            }
            self.end_client(id);
        }
    }

    /// How many transactions exist.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// Whether none exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn receive_request(&mut self, now: Instant, flow: Flow, mut message: Message) {
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
        if via != written {
            message.headers.set_top_via(&via);
        }
        if self.servers.len() >= self.limit {
            let mut response = Message::response_to(&message, 503, "Service Unavailable");
            response.headers.push(Name::RetryAfter, "5");
            self.answer_stateless(flow, &message, &response);
            self.outputs.push_back(Output::Absorbed { call: None });
            return;
        }
        let merge = MergeKey::of(&message);
        let merged = merge
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

    fn receive_response(&mut self, now: Instant, flow: Flow, message: Message) {
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

    fn drive_server(
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

    fn drive_client(
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
                        self.outputs
                            .push_back(Output::Response { id, flow, message });
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

    fn end_server(&mut self, id: ServerId) {
        if let Some(transaction) = self.servers.remove(&id) {
            self.server_keys.remove(&transaction.key);
            if let Some(merge) = &transaction.merge {
                self.merges.remove(merge);
            }
        }
        self.timers
            .disarm_range((id.0, Timer::FIRST), (id.0, Timer::LAST));
    }

    fn end_client(&mut self, id: ClientId) {
        if let Some(transaction) = self.clients.remove(&id) {
            self.client_keys.remove(&transaction.key);
        }
        self.timers
            .disarm_range((id.0, Timer::FIRST), (id.0, Timer::LAST));
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Where responses go: back along a stream; over UDP where Via says (RFC 3261 §18.2.2, RFC 3581 §4).
fn reply_to(flow: Flow, via: &wire::sip::Via) -> SocketAddr {
    if flow.transport.is_reliable() || via.wants_rport() {
        return flow.peer;
    }
    // `received` is the source; only the port may differ. A request must not make us write to third parties.
    SocketAddr::new(flow.peer.ip(), via.port.unwrap_or(5060))
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
