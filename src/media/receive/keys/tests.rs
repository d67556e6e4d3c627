//! Presses as phones send them, and as networks bring them.

use super::*;

fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
    EventPayload {
        event,
        end,
        volume: 10,
        duration,
    }
    .to_bytes()
}

/// A packet: ms, sequence number, marker, timestamp, and reports of event, end, duration.
type Sent<'a> = (u64, u64, bool, u32, &'a [(u8, bool, u16)]);

fn told_of(packets: &[Sent<'_>]) -> String {
    let start = Instant::now();
    let mut reader = KeyReader::default();
    let mut keys = String::new();
    for &(ms, sequence, marker, timestamp, reports) in packets {
        let payload: Vec<u8> = reports
            .iter()
            .flat_map(|&(event, end, duration)| payload(event, end, duration))
            .collect();
        let packet = EventPacket {
            sequence,
            marker,
            timestamp,
            payload: &payload,
        };
        let now = start + Duration::from_millis(ms);
        reader.packet(now, &packet, |key| keys.push(key));
    }
    keys
}

/// Feeds (ms, marker, timestamp, event, end, duration), all in order, and collects the keys told.
fn told(packets: &[(u64, bool, u32, u8, bool, u16)]) -> String {
    let reports: Vec<[(u8, bool, u16); 1]> = packets.iter().map(|p| [(p.3, p.4, p.5)]).collect();
    let sent: Vec<Sent<'_>> = (1..)
        .zip(packets)
        .zip(&reports)
        .map(|((sequence, p), report)| (p.0, sequence, p.1, p.2, &report[..]))
        .collect();
    told_of(&sent)
}

#[test]
fn one_press_with_three_end_packets_is_told_once() {
    let keys = told(&[
        (0, true, 1000, 5, false, 160),
        (20, false, 1000, 5, false, 320),
        (40, false, 1000, 5, true, 480),
        (40, false, 1000, 5, true, 480),
        (60, false, 1000, 5, true, 480),
    ]);
    assert_eq!(keys, "5");
}

#[test]
fn the_same_key_twice_is_two_presses() {
    let keys = told(&[
        (0, true, 1000, 5, false, 160),
        (20, false, 1000, 5, true, 320),
        (120, true, 2600, 5, false, 160),
        (140, false, 2600, 5, true, 320),
    ]);
    assert_eq!(keys, "55");
}

#[test]
fn a_lost_end_does_not_swallow_the_next_press_of_the_same_key() {
    let with_marker = told(&[
        (0, true, 1000, 5, false, 160),
        (100, true, 1800, 5, false, 160),
    ]);
    assert_eq!(with_marker, "55");
    let after_silence = told(&[
        (0, true, 1000, 5, false, 160),
        (20, false, 1000, 5, false, 320),
        (300, false, 3400, 5, false, 320),
    ]);
    assert_eq!(after_silence, "55");
}

#[test]
fn an_end_packet_alone_tells_the_key() {
    assert_eq!(told(&[(0, false, 1000, 11, true, 800)]), "#");
}

#[test]
fn an_end_repeated_after_the_next_press_began_tells_nothing() {
    let keys = told(&[
        (0, true, 1000, 1, true, 800),
        (50, true, 2600, 2, false, 160),
        (60, false, 1000, 1, true, 800),
        (70, false, 2600, 2, true, 800),
    ]);
    assert_eq!(keys, "12");
}

#[test]
fn a_packet_that_was_overtaken_tells_nothing() {
    // The first press's first packet comes after the second press began.
    let keys = told_of(&[
        (20, 2, false, 1000, &[(1, false, 320)]),
        (40, 3, false, 1000, &[(1, true, 480)]),
        (120, 5, true, 2600, &[(1, false, 160)]),
        (125, 1, true, 1000, &[(1, false, 160)]),
        (130, 4, false, 1000, &[(1, true, 480)]),
        (140, 6, false, 2600, &[(1, true, 480)]),
    ]);
    assert_eq!(keys, "11");
}

#[test]
fn segments_of_a_long_press_are_one_press() {
    let keys = told(&[
        (0, true, 1000, 9, false, 0xffff),
        (20, false, 1000 + 0xffff, 9, false, 160),
        (40, false, 1000 + 0xffff, 9, true, 320),
    ]);
    assert_eq!(keys, "9");
}

#[test]
fn a_phone_that_lets_the_timestamp_run_presses_once() {
    let keys = told(&[
        (0, true, 1000, 3, false, 160),
        (20, false, 1160, 3, false, 320),
        (40, false, 1320, 3, false, 480),
        (60, false, 1480, 3, true, 640),
        (80, false, 1640, 3, true, 640),
        (100, false, 1800, 3, true, 640),
    ]);
    assert_eq!(keys, "3");
}

#[test]
fn wrong_durations_change_nothing() {
    // Always 0, shrinking, and one that jumps.
    for durations in [[0, 0, 0, 0], [800, 480, 160, 80], [160, 60_000, 320, 160]] {
        let [a, b, c, d] = durations;
        let keys = told(&[
            (0, true, 1000, 7, false, a),
            (20, false, 1000, 7, false, b),
            (40, false, 1000, 7, true, c),
            (60, false, 1000, 7, true, d),
            (200, true, 2600, 7, false, a),
            (220, false, 2600, 7, true, b),
        ]);
        assert_eq!(keys, "77", "{durations:?}");
    }
}

#[test]
fn the_clock_of_the_events_may_be_any_and_may_jump() {
    // Events in units of 8000 and of 48000 Hz, with the same presses.
    for clock in [8_u32, 48] {
        let keys = told(&[
            (0, true, 500, 4, false, 20 * clock as u16),
            (100, false, 500, 4, true, 100 * clock as u16),
            (200, true, 500 + 200 * clock, 4, false, 20 * clock as u16),
            (300, false, 500 + 200 * clock, 4, true, 100 * clock as u16),
        ]);
        assert_eq!(keys, "44");
    }
    // After a transfer the timestamps begin somewhere else, before or behind.
    for elsewhere in [17, 4_000_000_000] {
        let keys = told(&[
            (0, true, 1_000_000, 8, true, 800),
            (500, true, elsewhere, 8, false, 160),
            (520, false, elsewhere, 8, true, 320),
        ]);
        assert_eq!(keys, "88");
    }
}

#[test]
fn several_events_in_a_packet_are_told_in_order_and_once_when_the_packet_is_repeated() {
    // RFC 4733 §2.5.1.5: the second begins where the first ends.
    let both: &[(u8, bool, u16)] = &[(5, true, 800), (5, true, 640)];
    let keys = told_of(&[
        (0, 1, true, 1000, both),
        (20, 2, true, 1000, both),
        (40, 3, false, 1000, both),
        (60, 4, true, 2440, &[(6, false, 160)]),
        (80, 5, false, 1800, &[(5, true, 640)]),
        (
            100,
            6,
            false,
            2440,
            &[(6, true, 800), (7, true, 800), (8, false, 80)],
        ),
        (120, 7, false, 4040, &[(8, true, 800)]),
    ]);
    assert_eq!(keys, "55678");
}

#[test]
fn events_that_are_no_keys_and_short_payloads_tell_nothing() {
    assert_eq!(told(&[(0, true, 1000, 32, true, 800)]), "");
    let mut reader = KeyReader::default();
    let packet = EventPacket {
        sequence: 1,
        marker: true,
        timestamp: 1,
        payload: &[1, 2],
    };
    reader.packet(Instant::now(), &packet, |key| panic!("{key}"));
}
