//! Requests of ours: sent, sent again, cancelled, and their responses told.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::sip::{Message, Method, Name, Uri};

use super::super::client::{self, Client};
use super::super::flow::{Flow, Transport};
use super::super::key::ClientKey;
use super::super::timer::{GIVE_UP, Timer};
use super::{ClientId, ClientTransaction, Destination, Failure, Output, Transactions};
use crate::note::TransactionId;

impl Transactions {
    /// Sends a request whose top Via has a fresh branch. One that is too large for a datagram waits for a
    /// connection first (RFC 3261 §18.1.1).
    pub fn request(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        call: Option<TransactionId>,
    ) -> ClientId {
        let id = self.keep(flow, message, call);
        let outgrows = |t: &ClientTransaction| t.bytes.len() > LARGEST_DATAGRAM;
        if !flow.transport.is_reliable() && self.clients.get(&id).is_some_and(outgrows) {
            self.connect(now, id, Destination::Stream(flow.peer));
        } else {
            self.drive_client(now, id, client::Event::Start, None);
        }
        id
    }

    /// Sends a request whose connection `gone` is closed: on another of the same peer, if it has one that takes
    /// requests (RFC 5923), or on a new one to where `uri` leads.
    pub fn request_anew(
        &mut self,
        now: Instant,
        gone: Flow,
        uri: Uri,
        message: Message,
        call: Option<TransactionId>,
    ) -> ClientId {
        let id = self.keep(gone, message, call);
        let address = uri
            .host
            .ip()
            .map(|ip| SocketAddr::new(ip, uri.port.unwrap_or(TLS_PORT)));
        match address
            .and_then(|address| self.aliases.get(&address))
            .copied()
        {
            Some(alias) => {
                self.take_over(id, alias);
                self.drive_client(now, id, client::Event::Start, None);
            }
            None => self.connect(now, id, Destination::Uri(uri, gone.transport)),
        }
        id
    }

    /// Says how [`Output::Connect`] went: the way that was opened, or none. Without one a request that was too
    /// large goes as a datagram all the same (RFC 3261 §18.1.1), and any other fails.
    pub fn connected(&mut self, now: Instant, id: ClientId, flow: Option<Flow>) {
        let Some(transaction) = self.clients.get_mut(&id).filter(|t| t.waits) else {
            return;
        };
        transaction.waits = false;
        let datagrams = !transaction.flow.transport.is_reliable();
        match flow {
            Some(flow) => self.take_over(id, flow),
            None if datagrams => {}
            None => {
                self.outputs.push_back(Output::Failed {
                    id,
                    why: Failure::FlowClosed,
                });
                self.end_client(id);
                return;
            }
        }
        self.drive_client(now, id, client::Event::Start, None);
    }

    fn keep(&mut self, flow: Flow, message: Message, call: Option<TransactionId>) -> ClientId {
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
                waits: false,
            },
        );
        id
    }

    fn connect(&mut self, now: Instant, id: ClientId, to: Destination) {
        let Some(transaction) = self.clients.get_mut(&id) else {
            return;
        };
        transaction.waits = true;
        // Should nobody say how it went, the request has failed like any other.
        let timer = if transaction.request.method() == Some(&Method::Invite) {
            Timer::B
        } else {
            Timer::F
        };
        self.timers.arm((id.0, timer), now + GIVE_UP);
        self.outputs.push_back(Output::Connect {
            id,
            to,
            call: transaction.call,
        });
    }

    /// Moves a request that was not sent yet to another way; its Via says so (RFC 3261 §18.1.1).
    fn take_over(&mut self, id: ClientId, flow: Flow) {
        let Some(transaction) = self.clients.get_mut(&id) else {
            return;
        };
        if let Ok(mut via) = transaction.request.headers.via() {
            flow.transport.via_name().clone_into(&mut via.transport);
            if flow.transport == Transport::Tls {
                via.params.set("alias", None);
            }
            transaction.request.headers.set_top_via(&via);
        }
        let invite = transaction.request.method() == Some(&Method::Invite);
        transaction.machine = Client::new(invite, flow.transport.is_reliable());
        transaction.bytes = transaction.request.to_bytes();
        transaction.flow = flow;
        transaction.to = flow.peer;
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
        self.note_keep(id, flow, &message);
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

    /// Whether the other side takes up our offer to keep the connection alive, and how (RFC 6223 §4.3).
    fn note_keep(&mut self, id: ClientId, flow: Flow, response: &Message) {
        let keep = |message: &Message| {
            let via = message.headers.via().ok()?;
            via.params.has("keep").then(|| {
                let seconds = via.params.get("keep")?;
                seconds.parse::<u32>().ok().filter(|seconds| *seconds > 0)
            })
        };
        let offered = self.request_of(id).and_then(keep) == Some(None);
        if flow.transport.is_reliable()
            && offered
            && let Some(Some(seconds)) = keep(response)
        {
            self.outputs.push_back(Output::KeepAlive {
                flow: flow.id,
                every: Duration::from_secs(seconds.into()),
            });
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

/// Octets of the largest request that is sent as a datagram where the path's MTU is not known (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1300;
const TLS_PORT: u16 = 5061;
