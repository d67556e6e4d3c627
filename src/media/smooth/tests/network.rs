//! A bad network, the same for the same seed: bursty loss, jitter, reordering, duplicates.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Packet;

/// What the network does to packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    /// Share of packets lost.
    pub(super) loss: f64,
    /// Mean number of packets lost in a row (Gilbert's model: all are lost in the bad state); 1 / (1 - loss) is random loss.
    pub(super) burst: f64,
    /// Each packet is held for 0 to this many ms; packets stay in order.
    pub(super) jitter_ms: f64,
    /// Share of packets that are overtaken: held for another 20 to 60 ms.
    pub(super) reordered: f64,
    /// Share of packets that come twice.
    pub(super) duplicated: f64,
}

impl Network {
    pub(super) fn carry(&self, seed: u64, packets: &[Packet]) -> Vec<Packet> {
        let mut chance = StdRng::seed_from_u64(seed);
        let recovers = 1.0 / self.burst;
        let fails = recovers * self.loss / (1.0 - self.loss);
        let mut is_bad = false;
        let mut arrived = Vec::new();
        let mut last = 0.0_f64;
        for packet in packets {
            is_bad = chance.random_bool(if is_bad { 1.0 - recovers } else { fails });
            let held = chance.random_range(0.0..=self.jitter_ms);
            let overtaken = chance.random_bool(self.reordered);
            let further = chance.random_range(20.0..60.0);
            let twice = chance.random_bool(self.duplicated);
            if is_bad {
                continue;
            }
            let mut packet = packet.clone();
            packet.arrives += held;
            if overtaken {
                packet.arrives += further;
            } else {
                packet.arrives = packet.arrives.max(last);
                last = packet.arrives;
            }
            if twice {
                let mut again = packet.clone();
                again.arrives += further / 3.0;
                arrived.push(again);
            }
            arrived.push(packet);
        }
        arrived
    }
}

#[test]
fn its_loss_and_its_bursts_are_what_was_asked_for() {
    let packets: Vec<Packet> = (0..200_000)
        .map(|n| Packet {
            sequence: n,
            timestamp: 0,
            payload_type: 0,
            payload: Vec::new(),
            arrives: n as f64 * 20.0,
        })
        .collect();
    for (loss, burst) in [(0.05, 2.0), (0.1, 1.2), (0.2, 2.5)] {
        let network = Network {
            loss,
            burst,
            jitter_ms: 0.0,
            reordered: 0.0,
            duplicated: 0.0,
        };
        let arrived = network.carry(1, &packets);
        let lost = 1.0 - arrived.len() as f64 / packets.len() as f64;
        let bursts = arrived
            .windows(2)
            .filter(|w| w[1].sequence > w[0].sequence + 1)
            .count();
        let mean = lost * packets.len() as f64 / bursts as f64;
        assert!((lost - loss).abs() < 0.005, "{lost}");
        assert!((mean - burst).abs() < 0.1, "{mean}");
    }
}
