//! The figures of real calls over bad networks, beside what an independent analyser says of the same packets.

use std::net::UdpSocket;
use std::time::Duration;

use network::{Conditions, Delay, Loss};

use crate::sipp::{Scenario, sipp};
use crate::support::capture::{Capture, rtp_streams};
use crate::support::ports::free_port;
use crate::support::server::Server;
use crate::support::shaper::Shaper;
use crate::support::wait_for;

const MS: Duration = Duration::from_millis(1);

/// How long the phone plays, and in how many packets.
const SECONDS: f64 = 20.0;
const PLAYED: u64 = 1000;

/// A SIPp call whose media passes such a network. The capture is of the packets as they leave that network, so both
/// judges see each packet once, and at the same time.
fn agrees(name: &str, seed: u64, conditions: Conditions) {
    // The one pair of ports that the server may use, so that the network can stand before it.
    let rtp = wait_for("a free pair of UDP ports", Duration::from_secs(5), || {
        let even = free_port() & !1;
        let free = |port| UdpSocket::bind(("127.0.0.1", port)).is_ok();
        (free(even) && free(even + 1)).then_some(even)
    });
    let server = Server::start(&[
        ("media.ports", &format!("[{rtp}, {}]", rtp + 1)),
        ("media.advertise", "[\"127.0.0.2\"]"),
    ]);
    let network = Shaper::start(
        ([127, 0, 0, 2], rtp).into(),
        ([127, 0, 0, 1], rtp).into(),
        seed,
        conditions,
        Conditions::default(),
    );
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let filter = format!("udp dst port {rtp} and dst host 127.0.0.1");
    let Some(capture) = Capture::start(&folder, &filter) else {
        return;
    };
    let to = server.ready().sip_udp.unwrap();
    // Were the offer to name SIPp's own address, the latch would take its time before it believed the network's.
    let call = Scenario::CallFrom(network.behind(), SECONDS);
    let Some((well, words)) = sipp(&folder, &call, "u1", to, &meeting.pin) else {
        return;
    };
    assert!(well, "{words}");
    let line = wait_for("the metric log", Duration::from_secs(15), || {
        server.logs("aws/ChimeVoiceConnectorLogs").pop()
    });
    let Some((streams, table)) = rtp_streams(&capture.stop(), rtp) else {
        return;
    };
    let [stream] = &streams[..] else {
        panic!("one stream, not {streams:?}:\n{table}");
    };
    let counted = line["cust2vc_rtp_packets"].as_u64().unwrap();
    let lost = line["cust2vc_packets_lost"].as_i64().unwrap();
    let jitter_ms = line["cust2vc_jitter"].as_f64().unwrap() / 1000.0;
    let [injected, _] = network.tallies();
    eprintln!(
        "{name}: of {} packets the network lost {}; received {counted} (tshark {}), lost {lost} ({}), \
         mean jitter {jitter_ms:.3} ms ({:.3})",
        injected.sent, injected.lost, stream.packets, stream.lost, stream.mean_jitter_ms,
    );
    assert_eq!(injected.sent, PLAYED, "SIPp played something else");
    assert_eq!(counted + injected.lost, PLAYED);
    assert_eq!(stream.packets, counted, "{table}");
    assert_eq!(stream.lost, lost, "{table}");
    // What is lost before the first packet that comes, or behind the last, nobody can know of.
    assert!((injected.lost.saturating_sub(10)..=injected.lost).contains(&(lost as u64)));
    assert!(lost > 20, "the network was too kind: {injected:?}");
    let difference = (jitter_ms / stream.mean_jitter_ms - 1.0).abs();
    assert!(difference < 0.01, "{:.2} %:\n{table}", difference * 100.0);
}

#[test]
fn random_loss_and_small_jitter_are_what_tshark_sees_in_the_same_packets() {
    let conditions = Conditions {
        loss: Loss::Random(0.1),
        delay: Delay::Normal {
            mean: MS * 30,
            deviation: MS * 4,
        },
        ..Conditions::default()
    };
    agrees("random 10 %, 30 ± 4 ms", 7, conditions);
}

#[test]
fn bursts_of_loss_and_great_jitter_are_what_tshark_sees_in_the_same_packets() {
    let conditions = Conditions {
        loss: Loss::bursts(0.05, 2.5),
        delay: Delay::Uniform {
            least: MS * 20,
            most: MS * 120,
        },
        ..Conditions::default()
    };
    agrees("bursty 5 %, 20–120 ms", 8, conditions);
}
