//! The desk: one task that drives [`call::exchange::Exchange`], and the only place that knows both
//! `call` and `media`.
//!
//! Everything that happens to calls comes here and is handled in order, so that no call state is ever
//! shared.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use call::exchange::{ConnId, Exchange, FlowId, Input, Lookup, Output, Transport};
use call::note::Note;
use call::transaction::{ClientId, Destination};
use futures_util::future::BoxFuture;
use media::engine::Event;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use wire::signal;

use super::telemetry;
use super::{Shards, SignalOut, Snapshot, ToDesk};
use crate::node::reach::Reach;
use crate::record::{Recorder, Way};

/// What calls want of the store.
pub(crate) struct Library {
    /// Finds a meeting by the id that was dialled or keyed in.
    pub(crate) find: Arc<dyn Fn(String) -> BoxFuture<'static, Lookup> + Send + Sync>,
    /// Notes that somebody is in a meeting, named by its id.
    pub(crate) hold: Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Notes that a meeting, named by its id, has ended.
    pub(crate) end: Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// The task.
pub(crate) struct Desk {
    pub(crate) exchange: Exchange,
    pub(crate) inbox: mpsc::Receiver<ToDesk>,
    pub(crate) to_self: mpsc::WeakSender<ToDesk>,
    pub(crate) media: UnboundedReceiver<Event>,
    pub(crate) shards: Shards,
    pub(crate) recorder: Recorder,
    pub(crate) library: Library,
    reach: Reach,
    flows: HashMap<FlowId, Outgoing>,
    conns: HashMap<ConnId, mpsc::Sender<SignalOut>>,
    draining: Option<Draining>,
}

enum Outgoing {
    Connection {
        queue: mpsc::Sender<Vec<u8>>,
        keep_alive: watch::Sender<Option<Duration>>,
        close: CancellationToken,
        way: Way,
    },
    Datagrams(Arc<UdpSocket>),
}

struct Draining {
    /// When those that are left are ended; `None` once that was done.
    deadline: Option<Instant>,
    /// When to leave even so.
    end: Instant,
    done: Option<oneshot::Sender<()>>,
}

impl Desk {
    #[allow(
        clippy::too_many_arguments,
        reason = "each is a neighbour of the desk's, named once"
    )]
    pub(crate) fn new(
        exchange: Exchange,
        inbox: mpsc::Receiver<ToDesk>,
        to_self: mpsc::WeakSender<ToDesk>,
        media: UnboundedReceiver<Event>,
        shards: Shards,
        recorder: Recorder,
        library: Library,
        reach: Reach,
    ) -> Self {
        Self {
            exchange,
            inbox,
            to_self,
            media,
            shards,
            recorder,
            library,
            reach,
            flows: HashMap::new(),
            conns: HashMap::new(),
            draining: None,
        }
    }

    /// Runs until every [`Handle`] and listener is gone.
    pub(crate) async fn run(mut self) {
        let mut publish = tokio::time::interval(PUBLISH_EVERY);
        loop {
            let alarm = self.next_alarm();
            tokio::select! {
                biased;
                _ = publish.tick() => self.publish(),
                event = self.media.recv() => match event {
                    Some(event) => self.media_event(event),
                    None => {
                        tracing::error!("the media thread is gone; no call can go on");
                        return;
                    }
                },
                message = self.inbox.recv() => match message {
                    Some(ToDesk::Leave) | None => return,
                    Some(message) => self.message(message),
                },
                () = sleep_until(alarm) => {}
            }
            // Here and not in the branch above: a flood of messages must not hold up the timers.
            let now = Instant::now();
            if alarm.is_some_and(|at| now >= at) {
                self.exchange.timeout(now);
                self.drain_alarm(now);
            }
            self.put_out();
            self.finish_drain();
        }
    }

    fn publish(&self) {
        telemetry::publish_counts(&self.exchange.counts());
        let figures = self.shards.figures();
        tokio::spawn(async move {
            if let Some(figures) = figures.await {
                telemetry::publish_figures(&figures);
            }
        });
    }

    fn next_alarm(&self) -> Option<Instant> {
        let drain = self.draining.as_ref().map(|d| d.deadline.unwrap_or(d.end));
        match (self.exchange.next_timeout(), drain) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn media_event(&mut self, event: Event) {
        self.shards.note(&event);
        match event {
            Event::Media(event) => self.exchange.handle(Instant::now(), Input::Media(event)),
            Event::Sample(sample) => self.recorder.sample(*sample),
            Event::Heard { .. } | Event::SocketsFree { .. } => {}
        }
    }

    fn message(&mut self, message: ToDesk) {
        let now = Instant::now();
        let input = match message {
            ToDesk::FlowOpened {
                flow,
                outgoing,
                keep_alive,
                close,
            } => {
                let outgoing = Outgoing::Connection {
                    queue: outgoing,
                    keep_alive,
                    close,
                    way: Way {
                        transport: flow.transport,
                        local: flow.local,
                    },
                };
                self.flows.insert(flow.id, outgoing);
                return;
            }
            ToDesk::DatagramsOpened { flow, socket } => {
                self.flows.insert(flow, Outgoing::Datagrams(socket));
                return;
            }
            ToDesk::Sip {
                flow,
                message,
                bytes,
            } => Input::Sip {
                flow,
                message,
                bytes,
            },
            ToDesk::FlowClosed { flow } => {
                self.flows.remove(&flow);
                Input::FlowClosed { flow }
            }
            ToDesk::Connected { id, flow } => Input::Connected { id, flow },
            // Only who calls by himself asks for these.
            ToDesk::Way(_) => return,
            ToDesk::SignalOpened {
                conn,
                peer,
                admission,
                outgoing,
            } => {
                self.conns.insert(conn, outgoing);
                Input::SignalOpened {
                    conn,
                    peer,
                    admission,
                }
            }
            ToDesk::SignalFrame { conn, bytes } => Input::SignalFrame {
                conn,
                frame: signal::decode(&bytes),
            },
            ToDesk::SignalClosed { conn } => {
                self.conns.remove(&conn);
                Input::SignalClosed { conn }
            }
            ToDesk::Found { query, found } => Input::Found { query, found },
            ToDesk::EndMeeting { meeting } => Input::EndMeeting { meeting },
            ToDesk::Resume { meetings } => Input::Resume { meetings },
            ToDesk::Allow {
                meeting,
                attendees,
                strangers,
            } => Input::Allow {
                meeting,
                attendees,
                strangers,
            },
            ToDesk::RemoveAttendee { meeting, attendee } => {
                Input::RemoveAttendee { meeting, attendee }
            }
            ToDesk::Drain { deadline, done } => {
                self.draining = Some(Draining {
                    deadline: Some(now + deadline),
                    end: now + deadline + LAST_WORDS,
                    done: Some(done),
                });
                Input::Drain
            }
            ToDesk::Leave => return,
            ToDesk::Snapshot(reply) => {
                // The asker may have gone.
                let _ = reply.send(self.snapshot());
                return;
            }
        };
        self.exchange.handle(now, input);
    }

    fn put_out(&mut self) {
        while let Some(output) = self.exchange.poll() {
            match output {
                Output::Sip {
                    flow, to, message, ..
                } => self.send_sip(flow, to, message),
                Output::Connect { id, to } => self.connect(id, to),
                Output::KeepAlive { flow, every } => {
                    if let Some(Outgoing::Connection { keep_alive, .. }) = self.flows.get(&flow) {
                        keep_alive.send_replace(Some(every));
                    }
                }
                Output::CloseFlow { flow } => {
                    if let Some(Outgoing::Connection { close, .. }) = self.flows.get(&flow) {
                        close.cancel();
                    }
                }
                Output::Signal { conn, frame } => {
                    self.send_signal(conn, SignalOut::Frame(signal::encode(&frame)));
                }
                Output::CloseSignal { conn, code, reason } => {
                    self.send_signal(conn, SignalOut::Close { code, reason });
                    self.conns.remove(&conn);
                }
                Output::Media(command) => self.shards.command(command),
                Output::Find { query, digits } => self.find(query, digits),
                Output::EndMeeting { meeting } => {
                    tokio::spawn((self.library.end)(meeting));
                }
                Output::HoldMeeting { meeting } => {
                    tokio::spawn((self.library.hold)(meeting));
                }
                Output::Note(note) => self.note(note),
            }
        }
    }

    fn note(&mut self, note: Note) {
        let way = match &note {
            Note::SipMessage { flow, .. } => self.way(*flow),
            _ => None,
        };
        self.recorder.note(note, way);
    }

    /// What a flow is; `None` when it is gone.
    fn way(&self, flow: FlowId) -> Option<Way> {
        match self.flows.get(&flow)? {
            Outgoing::Connection { way, .. } => Some(*way),
            Outgoing::Datagrams(socket) => Some(Way {
                transport: Transport::Udp,
                local: socket.local_addr().ok()?,
            }),
        }
    }

    fn send_sip(&mut self, flow: FlowId, to: SocketAddr, message: Vec<u8>) {
        match self.flows.get(&flow) {
            Some(Outgoing::Connection { queue, close, .. }) => {
                if queue.try_send(message).is_err() {
                    tracing::warn!(%to, "the peer does not read its SIP messages; its connection is closed");
                    close.cancel();
                }
            }
            Some(Outgoing::Datagrams(socket)) => {
                if let Err(error) = socket.try_send_to(&message, to) {
                    tracing::warn!(%to, %error, "a SIP datagram could not be sent");
                }
            }
            None => tracing::debug!(%to, "the connection of a SIP message is gone"),
        }
    }

    /// Opens a connection beside the desk's work, which hears of it as of any other and then how it went.
    fn connect(&self, id: ClientId, to: Destination) {
        let Some(desk) = self.to_self.upgrade() else {
            return;
        };
        let reach = self.reach.clone();
        tokio::spawn(async move {
            let flow = reach.open(&to).await;
            // A desk that is gone has nobody left who waits for it.
            let _ = desk.send(ToDesk::Connected { id, flow }).await;
        });
    }

    fn send_signal(&mut self, conn: ConnId, out: SignalOut) {
        let Some(outgoing) = self.conns.get(&conn) else {
            return;
        };
        if outgoing.try_send(out).is_err() {
            tracing::warn!(
                ?conn,
                "a browser does not read its signaling; its connection is closed"
            );
            // Dropping the sender closes the connection, which then reports itself closed.
            self.conns.remove(&conn);
        }
    }

    fn find(&self, query: u64, digits: String) {
        let Some(desk) = self.to_self.upgrade() else {
            return;
        };
        let finding = (self.library.find)(digits);
        tokio::spawn(async move {
            // Also when the look-up dies: the exchange waits for an answer to every question.
            let found = tokio::spawn(finding).await.unwrap_or_else(|error| {
                tracing::error!(%error, "a meeting could not be looked up");
                Lookup::Failed
            });
            // A desk that is gone has nobody left who waits for the answer.
            let _ = desk.send(ToDesk::Found { query, found }).await;
        });
    }

    fn snapshot(&self) -> Snapshot {
        let counts = self.exchange.counts();
        Snapshot {
            phones: counts.phones,
            browsers: counts.browsers,
            meetings: counts.meetings,
        }
    }

    fn drain_alarm(&mut self, now: Instant) {
        let Some(draining) = &mut self.draining else {
            return;
        };
        if draining.deadline.is_some_and(|at| now >= at) {
            draining.deadline = None;
            self.exchange.handle(now, Input::DrainDeadline);
        }
    }

    /// Answers the drain when no call is left, or when those left do not end.
    fn finish_drain(&mut self) {
        let idle = self.exchange.is_idle();
        let Some(draining) = &mut self.draining else {
            return;
        };
        if (idle || Instant::now() >= draining.end)
            && let Some(done) = draining.done.take()
        {
            let _ = done.send(());
            draining.end = Instant::now() + Duration::from_secs(86_400);
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The channel from the shard to the desk. It has no bound, because the shard must never wait; what
/// goes through it is rare (digits, levels five times a second, samples once a minute).
pub(crate) fn media_channel() -> (UnboundedSender<Event>, UnboundedReceiver<Event>) {
    mpsc::unbounded_channel()
}

/// Time after the deadline for the last BYEs to be answered.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How fresh the figures for Prometheus are.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
