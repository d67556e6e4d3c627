//! Bursty loss, jitter, reordering and duplicates, in figures. They are printed by
//!
//! ```text
//! cargo nextest run -p campanile-media -E 'test(impairment)' --no-capture
//! ```

use super::network::Network;
use super::*;
use crate::send::redundancy::Redundancy;

const SECONDS: usize = 60;
const JITTERS_MS: [f64; 4] = [10.0, 60.0, 100.0, 200.0];

fn network(loss: f64, jitter_ms: f64) -> Network {
    Network {
        loss,
        // Twice as long as random losses would be (BurstR about 2).
        burst: 2.0,
        jitter_ms,
        reordered: 0.1,
        duplicated: 0.02,
    }
}

/// Packs a stream as our own sender does when the other side reports that loss.
fn with_red(packets: &[Packet], loss: f64) -> Vec<Packet> {
    let mut redundancy = Redundancy::new(RED);
    redundancy.reported((loss * 256.0) as u8);
    packets
        .iter()
        .map(|packet| {
            let wrapped = redundancy
                .wrap(packet.payload_type, packet.timestamp, &packet.payload)
                .map(<[u8]>::to_vec);
            match wrapped {
                Some(payload) => Packet {
                    payload_type: RED,
                    payload,
                    ..packet.clone()
                },
                None => packet.clone(),
            }
        })
        .collect()
}

/// Share of the frames sent that were played as they were spoken, in percent.
fn real_frames(sent: usize, heard: &Heard) -> f64 {
    100.0 * heard.counters.played as f64 / sent as f64
}

/// The longest stretch, in ms, in which what plays is more than 30 dB below the voice, counted in pieces of 5 ms.
fn longest_gap(sound: &[i16]) -> usize {
    let voice = rms(sound);
    let mut longest = 0;
    let mut run = 0;
    for piece in sound.chunks_exact(240) {
        run = if rms(piece) < voice / 31.6 {
            run + 1
        } else {
            0
        };
        longest = longest.max(run);
    }
    longest * 5
}

#[test]
fn impairment_of_opus_with_redundancy() {
    println!(
        "loss  jitter  octets/packet  real frames  FEC  concealed  late  delay (RED; in brackets without)"
    );
    let plain = speech(AudioCodec::Opus, SECONDS);
    for loss in [0.05, 0.1, 0.2] {
        for jitter_ms in JITTERS_MS {
            let red = with_red(&plain, loss);
            let octets: usize = red.iter().map(|p| p.payload.len()).sum();
            let network = network(loss, jitter_ms);
            let heard = play(network.carry(11, &red), 0.0);
            let without = play(network.carry(11, &plain), 0.0);
            let real = real_frames(red.len(), &heard);
            let counters = heard.counters;
            println!(
                "{:3.0} %  {jitter_ms:3.0} ms  {:13}  {real:5.1} % ({:4.1})  {:3} ({:3})  {:4.1} % ({:4.1})  {:3} ({:3})  {:3} ms ({:3})",
                loss * 100.0,
                octets / red.len(),
                real_frames(plain.len(), &without),
                counters.fec,
                without.counters.fec,
                100.0 * counters.concealed as f64 / heard.played.len() as f64,
                100.0 * without.counters.concealed as f64 / without.played.len() as f64,
                counters.late,
                without.counters.late,
                heard.delays.last().unwrap(),
                without.delays.last().unwrap(),
            );
            // With jitter that alone fills the buffer's 200 ms, copies come too late as well.
            let least = if jitter_ms > 150.0 { 92.0 } else { 95.0 };
            assert!(real >= least, "loss {loss} jitter {jitter_ms}: {real} %");
        }
    }
}

#[test]
fn impairment_of_a_phone_leg() {
    println!("codec  loss  jitter  real frames  concealed  late  longest gap  delay");
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        let sent = speech(codec, SECONDS);
        for loss in [0.0, 0.05, 0.1, 0.2] {
            for jitter_ms in JITTERS_MS {
                let heard = play(network(loss, jitter_ms).carry(11, &sent), 0.0);
                // From one second on: the first packets find the delay.
                let gap = longest_gap(&heard.sound[48_000..]);
                let counters = heard.counters;
                println!(
                    "{codec:?}  {:3.0} %  {jitter_ms:3.0} ms  {:5.1} %  {:4.1} %  {:3}  {gap:3} ms  {:3} ms",
                    loss * 100.0,
                    real_frames(sent.len(), &heard),
                    100.0 * counters.concealed as f64 / heard.played.len() as f64,
                    counters.late,
                    heard.delays.last().unwrap(),
                );
                if loss <= 0.05 {
                    assert!(gap <= 60, "{codec:?} {loss} {jitter_ms}: {gap} ms");
                }
                if loss == 0.0 && jitter_ms <= 100.0 {
                    assert!(real_frames(sent.len(), &heard) > 98.5);
                }
            }
        }
    }
}
