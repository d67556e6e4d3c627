//! All transactions of a node: messages find theirs here, timers run, copies are absorbed.
//!
//! `receive`, `request`, `respond`, `cancel` and `timeout` change state; [`Transactions::poll`] tells what
//! came of it, in order. A user of this layer sees each request and each response once, except for 2xx to
//! INVITE and their ACKs, whose copies are the user's affair (RFC 6026).

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::sip::{Message, Uri};

use super::client::{self, Client};
use super::flow::{Flow, FlowId, Transport};
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

/// Where a connection is to lead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To this address, over TCP: the request is too large for a datagram (RFC 3261 §18.1.1).
    Stream(SocketAddr),
    /// Where this URI leads (RFC 3263), over that transport where the URI names none: the connection that the
    /// dialog came over is gone.
    Uri(Uri, Transport),
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
    /// Open a connection for a request of ours, then say by [`Transactions::connected`] how that went.
    Connect {
        /// The request's name.
        id: ClientId,
        /// Where to.
        to: Destination,
        /// The call it belongs to.
        call: Option<TransactionId>,
    },
    /// The other side wants the connection kept alive, as we have offered (RFC 6223): ping it this often.
    KeepAlive {
        /// Which.
        flow: FlowId,
        /// The longest time between two pings.
        every: Duration,
    },
    /// A request came for the first time. It must be answered by [`Transactions::respond`].
    Request {
        /// Its name.
        id: ServerId,
        /// The way it came.
        flow: Flow,
        /// The request, its top Via completed with `received` and `rport`.
        message: Message,
        /// The same request came already, on another way, or it is one of ours that came back: 482.
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
        /// The request, where the response asks for credentials: it may be sent again with them (RFC 3261 §22.2).
        challenged: Option<Box<Message>>,
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
    /// A connection is being opened for it; nothing was sent yet.
    waits: bool,
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
    /// TLS connections whose other side takes requests on them as well (RFC 5923), by the address that it is
    /// reached at otherwise.
    aliases: BTreeMap<SocketAddr, Flow>,
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
            aliases: BTreeMap::new(),
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

    /// A request that we sent, as long as its transaction exists.
    #[must_use]
    pub fn request_of(&self, id: ClientId) -> Option<&Message> {
        self.clients
            .get(&id)
            .map(|transaction| &transaction.request)
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

    /// A connection is closed: its transactions end (RFC 3261 §17.1.4, §17.2.4).
    pub fn flow_closed(&mut self, flow: FlowId) {
        self.aliases.retain(|_, alias| alias.id != flow);
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
            .filter(|(_, transaction)| transaction.flow.id == flow && !transaction.waits)
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

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
