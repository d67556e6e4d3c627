//! A bad network between two real sockets: a UDP proxy whose datagrams suffer what `campanile-network` decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use network::{Conditions, Fate, Link, Tally};

/// How often the receiving threads look whether they should stop.
const TURN: Duration = Duration::from_millis(50);

/// Both directions between whoever sends to the front and one server behind it.
pub(crate) struct Shaper {
    shared: Arc<Shared>,
    behind: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    /// Towards the server, and back.
    links: [Link; 2],
    under_way: BinaryHeap<Reverse<Datagram>>,
    number: u64,
    client: Option<SocketAddr>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    at: Instant,
    number: u64,
    back: bool,
    bytes: Vec<u8>,
}

impl Shaper {
    /// Listens on `front` and passes on to `server`; the conditions are those of each direction.
    pub(crate) fn start(
        front: SocketAddr,
        server: SocketAddr,
        seed: u64,
        there: Conditions,
        back: Conditions,
    ) -> Self {
        let front = UdpSocket::bind(front).unwrap();
        // Another address than any that signaling names, as behind a NAT.
        let behind = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 3), 0)).unwrap();
        for socket in [&front, &behind] {
            socket.set_read_timeout(Some(TURN)).unwrap();
        }
        let source = behind.local_addr().unwrap();
        let now = Instant::now();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                links: [Link::new(seed, there, now), Link::new(seed + 1, back, now)],
                under_way: BinaryHeap::new(),
                number: 0,
                client: None,
            }),
            wake: Condvar::new(),
        });
        let sockets = [front, behind];
        let mut threads = Vec::new();
        for (back, socket) in [false, true].into_iter().zip(&sockets) {
            let (shared, socket) = (shared.clone(), socket.try_clone().unwrap());
            threads.push(std::thread::spawn(move || receive(&shared, &socket, back)));
        }
        let shared_too = shared.clone();
        threads.push(std::thread::spawn(move || {
            send(&shared_too, &sockets, server);
        }));
        Self {
            shared,
            behind: source,
            threads,
        }
    }

    /// Where the server sees datagrams come from, and may send its own.
    pub(crate) fn behind(&self) -> SocketAddr {
        self.behind
    }

    /// What has happened so far, towards the server and back.
    pub(crate) fn tallies(&self) -> [Tally; 2] {
        let state = self.shared.state.lock().unwrap();
        [state.links[0].tally(), state.links[1].tally()]
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn receive(shared: &Shared, socket: &UdpSocket, back: bool) {
    let mut buffer = [0; 2048];
    while !shared.stop.load(Ordering::Relaxed) {
        let (len, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(error) => {
                // Nothing came, or the other side's socket was closed.
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                    ),
                    "{error}"
                );
                continue;
            }
        };
        let mut state = shared.state.lock().unwrap();
        if !back {
            state.client = Some(from);
        }
        let fate = state.links[usize::from(back)].pass(Instant::now(), len);
        let Fate::Arrives { at, twice } = fate else {
            continue;
        };
        for _ in 0..=usize::from(twice) {
            state.number += 1;
            let number = state.number;
            state.under_way.push(Reverse(Datagram {
                at,
                number,
                back,
                bytes: buffer[..len].to_vec(),
            }));
        }
        shared.wake.notify_all();
    }
}

fn send(shared: &Shared, [front, behind]: &[UdpSocket; 2], server: SocketAddr) {
    let mut state = shared.state.lock().unwrap();
    while !shared.stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let due = state.under_way.peek().map(|Reverse(first)| first.at);
        match due {
            Some(at) if at <= now => {
                let Some(Reverse(datagram)) = state.under_way.pop() else {
                    continue;
                };
                // A closed socket on the other side is its affair.
                let _ = match (datagram.back, state.client) {
                    (false, _) => behind.send_to(&datagram.bytes, server),
                    (true, Some(client)) => front.send_to(&datagram.bytes, client),
                    (true, None) => Ok(0),
                };
            }
            _ => {
                let wait = due.map_or(TURN, |at| at - now);
                state = shared.wake.wait_timeout(state, wait).unwrap().0;
            }
        }
    }
}
