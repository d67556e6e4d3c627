//! Metric truth: what the network did, by its own account, against what the samples say.
//!
//! The expected figures are worked out here from the journal of the network, by the formulas of RFC 3550 and of
//! `spec.md` §4 written a second time, and not by the code that is measured. Run with `--no-capture` to see the tables.

use std::time::{Duration, Instant};

use network::{Conditions, Delay, Loss, Network, Reorder};
use wire::plan::{AudioCodec, LegId, LegPlan, Protection};
use wire::rtcp::{self, Packet, ReceptionReport};
use wire::rtp::Header;

use super::net::{Journey, World, phone_plan};
use crate::engine::Dropped;
use crate::measure::Sample;
use crate::measure::emodel;

const SERVER: usize = 0;
const PHONES: usize = 1;
const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A minute of a call over such a network, by both accounts.
struct Minute {
    sample: Sample,
    expected: Expected,
    /// Packets that the server had no use for because they came too late.
    late: u64,
}

/// What the journal of the network says of the direction towards the server.
struct Expected {
    received: u64,
    lost: u64,
    /// Share lost in percent and mean burst × (1 − share), among the packets whose fate is settled.
    settled_percent: f64,
    burst_ratio: f64,
    jitter_us: f64,
    rtt_us: Option<f64>,
}

fn minute(codec: AudioCodec, conditions: &Conditions, seed: u64, skew_ppm: f64) -> Minute {
    let mut world = World::new(2);
    world.network = Some(Network::new(seed, conditions.clone()));
    world.keep_journal();
    world.skew(PHONES, skew_ppm);
    let start = world.now;
    let here = world.open_phone(SERVER, LegId(1));
    let there = world.open_phone(PHONES, LegId(11));
    let plan = |rtp, rtcp| -> LegPlan { phone_plan(codec, Protection::Plain, rtp, rtcp) };
    world.configure(SERVER, LegId(1), plan(there.rtp, there.rtcp));
    world.configure(PHONES, LegId(11), plan(here.rtp, here.rtcp));
    world.run(MINUTE + MS);
    let mut of_server = world.samples.iter().filter(|sample| sample.leg == LegId(1));
    let sample = of_server.next().unwrap().clone();
    let journal = world.journal.take().unwrap();
    let to = |address| move |journey: &&Journey| journey.to == address;
    let media: Vec<_> = journal.iter().filter(to(here.rtp)).collect();
    let reports: Vec<_> = journal.iter().filter(to(here.rtcp.unwrap())).collect();
    let ours: Vec<_> = journal.iter().filter(to(there.rtcp.unwrap())).collect();
    // The judge judged: what the phone sent has no holes of its own.
    let steps = media
        .windows(2)
        .map(|pair| numbers(pair[1]).0.wrapping_sub(numbers(pair[0]).0));
    assert!(steps.into_iter().all(|step| step == 1));
    let end = start + MINUTE;
    let (settled_percent, burst_ratio) = settled(&media, end);
    let (received, lost) = counted(&media, end);
    Minute {
        late: sample.ledger.dropped(Dropped::Late),
        expected: Expected {
            received,
            lost,
            settled_percent,
            burst_ratio,
            jitter_us: jitter_us(&media, end, codec.rtp_clock()),
            rtt_us: rtt_us(&ours, &reports, end),
        },
        sample,
    }
}

/// Sequence number and timestamp of an RTP packet.
fn numbers(journey: &Journey) -> (u16, u32) {
    let header = Header::parse(&journey.bytes).unwrap();
    (header.sequence, header.timestamp)
}

/// Which packets came by `end`, in the order in which they were sent, from the first that came to the last.
fn came(media: &[&Journey], end: Instant) -> Vec<bool> {
    let came: Vec<bool> = media
        .iter()
        .map(|journey| journey.arrived.iter().any(|at| *at <= end))
        .collect();
    let first = came.iter().position(|c| *c).unwrap();
    let last = came.iter().rposition(|c| *c).unwrap();
    came[first..=last].to_vec()
}

/// Received and lost, duplicates once (RFC 3550 A.3).
fn counted(media: &[&Journey], end: Instant) -> (u64, u64) {
    let came = came(media, end);
    let received = came.iter().filter(|c| **c).count() as u64;
    (received, came.len() as u64 - received)
}

/// The same as percentage and burst ratio, without the newest packets, of which some may still come.
fn settled(media: &[&Journey], end: Instant) -> (f64, f64) {
    let mut came = came(media, end);
    came.truncate(came.len() - 1 - crate::receive::SETTLING as usize);
    let lost = came.iter().filter(|c| !**c).count() as f64;
    let bursts = came.windows(2).filter(|pair| pair[0] && !pair[1]).count() as f64;
    let share = lost / came.len() as f64;
    let burst = if bursts > 0.0 { lost / bursts } else { 1.0 };
    (share * 100.0, (burst * (1.0 - share)).max(1.0))
}

/// RFC 3550 §6.4.1: J += (|D| − J) / 16 with every packet, here in µs; the mean of it.
fn jitter_us(media: &[&Journey], end: Instant, clock: u32) -> f64 {
    let mut arrivals: Vec<(Instant, u32, u16)> = media
        .iter()
        .filter_map(|journey| {
            let at = *journey.arrived.first().filter(|at| **at <= end)?;
            let (sequence, timestamp) = numbers(journey);
            Some((at, timestamp, sequence))
        })
        .collect();
    arrivals.sort_by_key(|(at, ..)| *at);
    let (mut jitter, mut sum) = (0.0, 0.0);
    for pair in arrivals.windows(2) {
        let arrived = (pair[1].0 - pair[0].0).as_secs_f64() * 1e6;
        let ticks = pair[1].1.wrapping_sub(pair[0].1) as i32;
        let sampled = f64::from(ticks) * 1e6 / f64::from(clock);
        jitter += ((arrived - sampled).abs() - jitter) / 16.0;
        sum += jitter;
    }
    sum / (arrivals.len() - 1) as f64
}

/// For every report that arrived: the way of our sender report that it answers, and its own way.
fn rtt_us(ours: &[&Journey], theirs: &[&Journey], end: Instant) -> Option<f64> {
    let middle_of = |journey: &Journey| {
        rtcp::read(&journey.bytes).find_map(|packet| match packet {
            Ok(Packet::SenderReport { info, .. }) => Some(info.middle_ntp()),
            _ => None,
        })
    };
    let block_of = |journey: &Journey| -> Option<ReceptionReport> {
        rtcp::read(&journey.bytes).find_map(|packet| match packet {
            Ok(Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. }) => {
                reports.first().copied()
            }
            _ => None,
        })
    };
    let ways: Vec<f64> = theirs
        .iter()
        .filter_map(|journey| {
            let back = *journey.arrived.first().filter(|at| **at <= end)?;
            let asked = block_of(journey)?.last_sr;
            let question = ours
                .iter()
                .find(|question| middle_of(question) == Some(asked))?;
            let forth = *question.arrived.first()? - question.sent;
            Some((forth + (back - journey.sent)).as_secs_f64() * 1e6)
        })
        .collect();
    (!ways.is_empty()).then(|| ways.iter().sum::<f64>() / ways.len() as f64)
}

/// MOS by `spec.md` §4.
fn reference_mos(codec: AudioCodec, conditions: &emodel::Conditions) -> f64 {
    let (ie, bpl) = match codec {
        AudioCodec::Pcmu | AudioCodec::Pcma => (0.0, 25.1),
        AudioCodec::G722 => (13.0, 13.0),
        AudioCodec::Opus => (0.0, 30.0),
    };
    let emodel::Conditions {
        loss_percent: ppl,
        burst_ratio,
        delay_ms: ta,
    } = *conditions;
    let idd = if ta <= 100.0 {
        0.0
    } else {
        let x = (ta / 100.0).ln() / 2_f64.ln();
        let root = |y: f64| (1.0 + y.powf(6.0)).powf(1.0 / 6.0);
        25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
    };
    let r = 93.2 - idd - (ie + (95.0 - ie) * ppl / (ppl / burst_ratio + bpl));
    if r < 0.0 {
        return 1.0;
    }
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.4)
}

#[test]
fn the_reference_itself_agrees_with_the_published_rows() {
    // reference/emodel-vectors.tsv
    for (codec, loss_percent, burst_ratio, delay_ms, expected) in [
        (AudioCodec::Pcmu, 0.0, 1.0, 20.0, 4.400),
        (AudioCodec::Pcmu, 0.5, 1.5, 400.0, 3.466),
        (AudioCodec::Pcmu, 2.0, 3.0, 20.0, 4.224),
        (AudioCodec::G722, 5.0, 3.0, 150.0, 2.685),
        (AudioCodec::Opus, 20.0, 3.0, 250.0, 1.714),
    ] {
        let conditions = emodel::Conditions {
            loss_percent,
            burst_ratio,
            delay_ms,
        };
        let mos = reference_mos(codec, &conditions);
        assert!((mos - expected).abs() < 0.001, "{mos} {expected}");
    }
}

/// Prints and checks one row.
fn check(name: &str, codec: AudioCodec, minute: &Minute) {
    let Minute {
        sample,
        expected,
        late,
    } = minute;
    let received = sample.received;
    let lost = received.packets_lost.unwrap();
    let jitter = received.jitter_us.unwrap() as f64;
    let inbound = sample.inbound.unwrap();
    let all = (expected.received + expected.lost) as f64;
    let share = |lost: f64| 100.0 * lost / all;
    let reference = {
        let inbound = reference_mos(codec, &inbound);
        let outbound = sample.outbound.map(|c| reference_mos(codec, &c));
        outbound.map_or(inbound, |outbound| outbound.min(inbound))
    };
    println!(
        "{name:<34} | {:5.2} {:5.2} | {:4} | {:6.2} {:6.2} | {:6.1} {:6.1} | {:5.2} {:4.2} {:5.1} | {:.3} {reference:.3}",
        share(expected.lost as f64),
        share(lost as f64),
        late,
        expected.jitter_us / 1e3,
        jitter / 1e3,
        expected.rtt_us.unwrap_or(f64::NAN) / 1e3,
        sample.rtt_us.map_or(f64::NAN, |us| us as f64 / 1e3),
        inbound.loss_percent,
        inbound.burst_ratio,
        inbound.delay_ms,
        sample.mos.unwrap(),
    );
    // Loss to the packet, where 0.1 point is asked for.
    assert_eq!(lost, expected.lost as i64, "{name}");
    assert_eq!(received.rtp_packets, packets_seen(sample), "{name}");
    // Jitter within 1 %, where 10 % are asked for; a microsecond is what is rounded away.
    let error = (jitter - expected.jitter_us).abs();
    assert!(error <= expected.jitter_us * 0.01 + 1.0, "{name}: {jitter}");
    match (sample.rtt_us, expected.rtt_us) {
        (Some(rtt), Some(expected)) => {
            assert!((rtt as f64 - expected).abs() < 2000.0, "{name}: {rtt}");
        }
        (rtt, expected) => assert_eq!(rtt.is_some(), expected.is_some(), "{name}"),
    }
    let mos = sample.mos.unwrap();
    assert!((mos - reference).abs() <= 0.02, "{name}: {mos} {reference}");
    // What the opinion rests on: lost on the way, late, and thrown away where the buffer grew too long.
    let behind = share((expected.lost + late) as f64);
    let difference = inbound.loss_percent - expected.settled_percent;
    if *late == 0 && difference.abs() < 1e-6 {
        let burst = (inbound.burst_ratio - expected.burst_ratio).abs();
        assert!(burst < 0.02 * expected.burst_ratio, "{name}: {inbound:?}");
    } else {
        let discarded = inbound.loss_percent - behind;
        assert!((-1.0..1.0).contains(&discarded), "{name}: {inbound:?}");
        assert!(*late > 0 || discarded > 0.0, "{name}: {inbound:?}");
    }
}

/// RTP of the leg that came in, by its ledger: used, or dropped behind the guard.
fn packets_seen(sample: &Sample) -> u64 {
    use crate::engine::Consumed;
    let used = [Consumed::Audio, Consumed::Digit].map(|kind| sample.ledger.consumed(kind));
    let dropped = [
        Dropped::Late,
        Dropped::Duplicate,
        Dropped::OnProbation,
        Dropped::Overflow,
        Dropped::Empty,
        Dropped::NotReceiving,
    ];
    let dropped = dropped.map(|reason| sample.ledger.dropped(reason));
    used.iter().chain(&dropped).sum()
}

fn heading() {
    println!(
        "{:<34} | {:>11} | late | {:>13} | {:>13} | {:>16} | {:>11}",
        "injected | reported", "loss %", "jitter ms", "RTT ms", "Ppl BurstR Ta", "MOS | ref"
    );
}

fn jittery(ms: u32) -> Delay {
    if ms == 0 {
        Delay::Fixed(MS * 20)
    } else {
        Delay::Uniform {
            least: MS * 20,
            most: MS * (20 + ms),
        }
    }
}

fn losses() -> Vec<(String, Loss)> {
    let mut all = vec![("none".to_owned(), Loss::Nothing)];
    for percent in [1_u8, 5, 10, 20] {
        let share = f64::from(percent) / 100.0;
        all.push((format!("random {percent} %"), Loss::Random(share)));
        all.push((format!("bursty {percent} %"), Loss::bursts(share, 3.0)));
    }
    all
}

#[test]
fn reported_loss_jitter_round_trip_and_opinion_are_what_the_network_did() {
    heading();
    let mut seed = 0;
    for (name, loss) in losses() {
        for jitter_ms in [0, 20, 60, 100] {
            seed += 1;
            let conditions = Conditions {
                loss,
                delay: jittery(jitter_ms),
                ..Conditions::default()
            };
            let name = format!("PCMU, {name}, 0–{jitter_ms} ms");
            let minute = minute(AudioCodec::Pcmu, &conditions, seed, 0.0);
            check(&name, AudioCodec::Pcmu, &minute);
        }
    }
}

#[test]
fn figures_are_as_true_for_every_codec_and_its_clock() {
    heading();
    for (seed, codec) in [AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus]
        .into_iter()
        .enumerate()
    {
        let conditions = Conditions {
            loss: Loss::bursts(0.05, 3.0),
            delay: jittery(60),
            ..Conditions::default()
        };
        let minute = minute(codec, &conditions, 100 + seed as u64, 0.0);
        let name = format!("{}, bursty 5 %, 0–60 ms", codec.encoding_name());
        check(&name, codec, &minute);
    }
}

#[test]
fn reordering_duplicates_long_ways_and_wrong_clocks_falsify_nothing() {
    heading();
    let reordered = Conditions {
        delay: Delay::Normal {
            mean: MS * 50,
            deviation: MS * 5,
        },
        reorder: Reorder {
            share: 0.1,
            by: MS * 30,
        },
        duplicate: 0.02,
        loss: Loss::Random(0.02),
        ..Conditions::default()
    };
    let overtaking = Conditions {
        delay: jittery(60),
        overtakes: true,
        ..Conditions::default()
    };
    let far = Conditions {
        delay: Delay::Fixed(MS * 300),
        ..Conditions::default()
    };
    let spikes = Conditions {
        delay: Delay::Spikes {
            base: MS * 30,
            every: Duration::from_secs(6),
            height: MS * 150,
        },
        ..Conditions::default()
    };
    let near = Conditions {
        delay: Delay::Fixed(MS * 30),
        ..Conditions::default()
    };
    let tail = Conditions {
        delay: Delay::Pareto {
            least: MS * 20,
            scale: MS * 8,
            shape: 2.0,
            most: MS * 300,
        },
        ..Conditions::default()
    };
    for (seed, name, conditions, skew) in [
        (1, "10 % reordered, 2 % twice", &reordered, 0.0),
        (2, "every delay for itself", &overtaking, 0.0),
        (3, "300 ms each way", &far, 0.0),
        (4, "spikes of 150 ms", &spikes, 0.0),
        (5, "long tail", &tail, 0.0),
        (6, "a clock 200 ppm fast", &near, 200.0),
        (7, "a clock 200 ppm slow", &near, -200.0),
    ] {
        let minute = minute(AudioCodec::Pcmu, conditions, seed, skew);
        check(name, AudioCodec::Pcmu, &minute);
    }
}

#[test]
fn loss_is_cumulative_over_the_call_and_all_else_is_the_minutes_own() {
    let mut world = World::new(2);
    let lossy = Conditions {
        loss: Loss::Random(0.05),
        delay: Delay::Fixed(MS * 10),
        ..Conditions::default()
    };
    world.network = Some(Network::new(5, lossy));
    let plain = (Protection::Plain, Protection::Plain);
    super::audio::connect(&mut world, LegId(1), LegId(11), AudioCodec::Pcmu, plain);
    world.run(MINUTE);
    // From here on nothing is lost, and the way is longer.
    world.network = Some(Network::new(
        6,
        Conditions {
            delay: Delay::Fixed(MS * 60),
            ..Conditions::default()
        },
    ));
    world.run(MINUTE * 2);
    let samples: Vec<&Sample> = world.samples.iter().filter(|s| s.leg == LegId(1)).collect();
    let [first, second, third] = samples[..] else {
        panic!("{}", samples.len());
    };
    let lost: Vec<i64> = samples
        .iter()
        .map(|sample| sample.received.packets_lost.unwrap())
        .collect();
    assert!((100..200).contains(&lost[0]), "{lost:?}");
    // What was on its way at the minute may yet have been lost.
    assert!((lost[0]..=lost[0] + 2).contains(&lost[1]), "{lost:?}");
    assert_eq!(lost[1], lost[2]);
    let sent: Vec<i64> = samples
        .iter()
        .map(|s| s.sent.packets_lost.unwrap())
        .collect();
    assert!(
        sent[0] > 50 && sent[1] >= sent[0] && sent[2] == sent[1],
        "{sent:?}"
    );
    for sample in &samples[1..] {
        // The way became 50 ms longer at the beginning of the second minute.
        assert!((2997..=3000).contains(&sample.received.rtp_packets));
    }
    // The first report of the second minute still answers a question that took the short way.
    let rtt: Vec<u64> = samples.iter().map(|s| s.rtt_us.unwrap()).collect();
    assert!((19_900..=20_100).contains(&rtt[0]), "{rtt:?}");
    assert!((110_000..=120_100).contains(&rtt[1]), "{rtt:?}");
    assert!((119_900..=120_100).contains(&rtt[2]), "{rtt:?}");
    assert!(first.mos.unwrap() < 4.1, "{:?}", first.mos);
    assert!(second.mos.unwrap() > 4.3 && third.mos == Some(4.4));
}
