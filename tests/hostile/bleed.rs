//! RTP bleed and injection: somebody sprays the whole range of media ports while phones call, talk and hang up.
//! Nothing is sent to the attacker, and nobody hears it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::ports::free_port;
use crate::support::server::Server;

/// Packets that the attackers send in a second, all together.
const RATE: u64 = 10_000;
/// What they would be heard by.
const ATTACK_HZ: f64 = 2000.0;

/// Two attackers: one far away, and one on the phones' own host.
struct Attack {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    got: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Attack {
    fn begin(ports: std::ops::Range<u16>) -> Self {
        let (stop, sent, got) = (Arc::default(), Arc::default(), Arc::default());
        let threads = ["127.0.0.2:0", "127.0.0.1:0"]
            .map(|from| {
                let socket = UdpSocket::bind(from).unwrap();
                socket.set_nonblocking(true).unwrap();
                let (stop, sent, got) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&got));
                let ports = ports.clone();
                std::thread::spawn(move || spray(&socket, ports, &stop, &sent, &got))
            })
            .into();
        Self {
            stop,
            sent,
            got,
            threads,
        }
    }

    /// Packets sent, and packets that came back.
    fn end(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        (
            self.sent.load(Ordering::Relaxed),
            self.got.load(Ordering::Relaxed),
        )
    }
}

fn spray(
    socket: &UdpSocket,
    ports: std::ops::Range<u16>,
    stop: &AtomicBool,
    sent: &AtomicU64,
    got: &AtomicU64,
) {
    const TURN: Duration = Duration::from_millis(10);
    let per_turn = RATE / 2 / 100;
    let mut number: u64 = 0;
    let mut next = Instant::now();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..per_turn {
            let span = u64::from(ports.end - ports.start);
            let port = ports.start + (number % span) as u16;
            let packet = forged(number, number / span);
            // A kernel buffer that is full may refuse one; that is its right.
            let to = SocketAddr::from(([127, 0, 0, 1], port));
            if socket.send_to(&packet, to).is_ok() {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            number += 1;
        }
        while socket.recv(&mut buffer).is_ok() {
            got.fetch_add(1, Ordering::Relaxed);
        }
        next += TURN;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Mostly a tone in G.711 as one stream per port, under the payload types that phones agree on; now and then a
/// report, and the beginning of a DTLS handshake.
fn forged(number: u64, round: u64) -> Vec<u8> {
    if number % 50 == 49 {
        let mut hello = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1];
        hello.resize(113, number as u8);
        return hello;
    }
    let sequence = (round as u16).to_be_bytes();
    let mut packet = if number % 50 == 48 {
        vec![0x80, 200, 0, 6]
    } else {
        let payload_type = [0, 9, 96, 111][(number % 4) as usize];
        let mut packet = vec![0x80, payload_type, sequence[0], sequence[1]];
        packet.extend((round as u32).wrapping_mul(160).to_be_bytes());
        packet
    };
    packet.extend(0xbad_u32.to_be_bytes());
    // A loud sine of four samples in µ-law: nought, up, nought, down.
    packet.extend([0xff, 0x90, 0xff, 0x10].repeat(40));
    packet
}

#[test]
fn a_spray_over_the_whole_port_range_is_neither_answered_nor_heard() {
    let first = free_port().min(65_000) & !1;
    let range = format!("[{first}, {}]", first + 39);
    let server = Server::start(&[("media.ports", &range), ("sip.udp.srtp", "prefer")]);
    let meeting = server.meeting_create();
    let attack = Attack::begin(first..first + 40);
    let ways = [
        ("plain", 440.0, "udp", "", Codec::Pcmu),
        ("sdes", 700.0, "tls", "srtp-mand", Codec::G722),
        ("dtls", 1100.0, "udp", "dtls_srtp", Codec::Opus),
    ];
    let mut phones = Vec::new();
    for (name, tone, transport, encryption, codec) in ways {
        let phone = Phone {
            transport,
            encryption,
            ..Phone::new(name, tone, codec)
        };
        let Some(mut phone) = Baresip::start(&server.scratch(name), phone) else {
            return;
        };
        let address = if transport == "tls" {
            server.sip_tls()
        } else {
            server.ready().sip_udp.unwrap()
        };
        phone.dial(&format!(
            "sip:{}@{address};transport={transport}",
            meeting.pin
        ));
        phones.push(phone);
    }
    std::thread::sleep(Duration::from_secs(5));
    for phone in &mut phones {
        phone.hang_up();
    }
    let (sent, got) = attack.end();
    eprintln!("{sent} packets sprayed, {got} came back");
    assert_eq!(got, 0, "the attacker was sent media");
    assert!(sent > 3 * RATE, "too few packets to prove anything: {sent}");
    for (own, phone) in phones.iter().enumerate() {
        let heard = phone.heard();
        for (other, (name, tone, ..)) in ways.iter().enumerate() {
            assert_eq!(
                heard.has_tone(*tone),
                other != own,
                "{} hearing {name}: {}",
                ways[own].0,
                phone.output()
            );
        }
        assert!(
            !heard.has_tone(ATTACK_HZ),
            "{} hears the attacker",
            ways[own].0
        );
    }
}
