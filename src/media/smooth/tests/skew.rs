//! Clocks that disagree, for hours; and what moving the delay sounds like.

use super::network::Network;
use super::*;

/// A tone of 350 Hz whose packets come at the pace of a clock that is off by `ppm`, in virtual time. Tells what was counted, the range of the delay, the ticks that were not whole, and the steepest step.
fn drift(minutes: u32, ppm: f64) -> (Counters, (u32, u32), u64, i32) {
    let codec = AudioCodec::Pcmu;
    // Seven seconds of 350 Hz end where they began.
    let round = stream(codec, 20, &tone(8_000, 350.0, 8_000.0, 8_000 * 7));
    let start = start();
    let mut playout = PlayOut::new(&formats()).unwrap();
    let (mut sent, mut frame) = (0_u64, [0; FRAME]);
    let mut delays = (u32::MAX, 0);
    let mut not_whole = 0;
    let mut steep = 0;
    let mut before = 0_i16;
    for tick in 0..u64::from(minutes) * 3_000 {
        let now_ms = tick as f64 * 20.0 + 7.0;
        loop {
            let arrives = sent as f64 * 20.0 * (1.0 + ppm / 1e6);
            if arrives > now_ms {
                break;
            }
            let packet = &round[sent as usize % round.len()];
            let arrived = Arrived {
                sequence: sent + 1,
                timestamp: (sent as u32).wrapping_mul(160),
                payload_type: packet.payload_type,
                marker: false,
                level: None,
                payload: &packet.payload,
            };
            let at = start + Duration::from_secs_f64(arrives / 1_000.0);
            assert_eq!(playout.put(at, &arrived), Put::Kept);
            sent += 1;
        }
        let now = start + Duration::from_secs_f64(now_ms / 1_000.0);
        let played = playout.tick(now, &mut frame);
        if tick > 100 {
            not_whole += u64::from(played != Played::Frame);
            delays.0 = delays.0.min(playout.delay_ms());
            delays.1 = delays.1.max(playout.delay_ms());
            steep = steep
                .max((i32::from(frame[0]) - i32::from(before)).abs())
                .max(steepest(&frame));
        }
        before = frame[FRAME - 1];
    }
    (playout.counters(), delays, not_whole, steep)
}

/// Neither a packet nor a click is lost to it.
fn drift_is_followed(minutes: u32, ppm: f64) {
    let (counters, delays, not_whole, steep) = drift(minutes, ppm);
    println!(
        "{ppm} ppm for {minutes} minutes: delay {}–{} ms, {not_whole} ticks not whole, {} ms stretched, steepest {steep}",
        delays.0,
        delays.1,
        counters.stretched / 48
    );
    assert_eq!((counters.missing, counters.late), (0, 0));
    assert_eq!(not_whole, 0, "{ppm}: {counters:?}");
    assert!(delays.1 <= 70, "{ppm}: {delays:?}");
    // What the clocks differ by was made up for.
    let owed = f64::from(minutes) * 60_000.0 * ppm.abs() / 1e6;
    let made_up = counters.stretched as f64 / 48.0;
    assert!(
        (made_up - owed).abs() < 60.0 + owed / 20.0,
        "{made_up} of {owed} ms"
    );
    // 350 Hz at 8000 moves by 367 in a sample.
    assert!(steep < 500, "{ppm}: {steep}");
}

#[test]
fn a_clock_that_is_100_ppm_slow_is_followed_for_two_hours() {
    drift_is_followed(120, 100.0);
}

#[test]
fn a_clock_that_is_100_ppm_fast_is_followed_for_two_hours() {
    drift_is_followed(120, -100.0);
}

/// Power away from the tone, in dB below it, in the worst 20 ms: a click is broad-band.
fn worst_click(sound: &[i16], hertz: f64) -> f64 {
    sound
        .as_chunks::<FRAME>()
        .0
        .iter()
        .map(|frame| {
            // 20 ms hold whole periods of a multiple of 50 Hz: the rest is what is no such tone. A stretched period shifts
            // the phase within the frame, which spreads the tone only around itself; so look from 2 kHz up.
            let power = |hz: f64| amplitude_at(frame, 48_000, hz).powi(2);
            let far: f64 = (0..8).map(|n| power(2_000.0 + 300.0 * f64::from(n))).sum();
            10.0 * (power(hertz) / far.max(1.0)).log10()
        })
        .fold(f64::MAX, f64::min)
}

#[test]
fn moving_the_delay_up_and_down_is_not_heard_as_clicks() {
    for codec in CODECS {
        let rate = codec.sample_rate();
        let pcm = tone(rate, 400.0, 8_000.0, rate as usize * 60);
        let quiet = Network {
            loss: 0.0,
            burst: 1.0,
            jitter_ms: 0.0,
            reordered: 0.0,
            duplicated: 0.0,
        };
        let busy = Network {
            jitter_ms: 80.0,
            ..quiet
        };
        // Ten seconds of calm, ten of jitter, and calm again.
        let mut packets = stream(codec, 20, &pcm);
        let jittery = busy.carry(5, &packets[500..1_000]);
        packets.splice(500..1_000, jittery);
        let heard = play(packets, 0.0);
        let (calm, most, last) = (
            heard.delays[450],
            *heard.delays[500..1_100].iter().max().unwrap(),
            *heard.delays.last().unwrap(),
        );
        let usual = worst_click(&heard.sound[FRAME * 100..FRAME * 480], 400.0);
        // Past the first second of jitter, in which packets may be missed.
        let click = worst_click(&heard.sound[FRAME * 600..], 400.0);
        let whole = heard.played[600..]
            .iter()
            .all(|&played| played == Played::Frame);
        let steep = steepest(&heard.sound[FRAME * 600..]);
        let usual_steep = steepest(&heard.sound[FRAME * 100..FRAME * 480]);
        println!(
            "{codec:?}: delay {calm} → {most} → {last} ms, {} ms stretched, worst 20 ms {click:.0} dB (unmoved {usual:.0}), \
             steepest {steep} ({usual_steep}), whole {whole}",
            heard.counters.stretched / 48
        );
        assert!(most >= 70 && last <= 65, "{codec:?}: {most} {last}");
        assert!(click > 25.0, "{codec:?}: {click}");
        assert!(
            f64::from(steep) < f64::from(usual_steep) * 1.4,
            "{codec:?}: {steep}"
        );
    }
}
