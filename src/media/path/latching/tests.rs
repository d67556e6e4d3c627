//! Who may say where a leg's packets go.

use super::*;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// Where a NAT shows a phone to us, and where its signaling comes from.
fn outside(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], port))
}

fn stranger(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], port))
}

/// A plain path to `at(1)` of a phone that signals from the same host.
fn open_path() -> StaticPath {
    StaticPath::new(Some(at(1)), Some(at(1).ip()), false)
}

// The only clock of these tests; everything else is added to it.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn until_a_packet_comes_we_send_where_it_was_signalled() {
    let path = open_path();
    assert_eq!(path.destination(), Some(at(1)));
    assert!(!path.is_latched());
}

#[test]
fn the_signalled_address_decides_at_once_and_for_good() {
    let now = start();
    let mut path = open_path();
    assert_eq!(path.good_packet(now, at(1)), Source::Latched);
    let later = now + Duration::from_secs(60);
    for other in [at(3), outside(1), stranger(1)] {
        assert!(!path.admits(other));
        assert!(matches!(
            path.good_packet(later, other),
            Source::Foreign { .. }
        ));
    }
    assert_eq!(path.destination(), Some(at(1)));
    assert_eq!(path.foreign_packets(), 3);
}

#[test]
fn a_phone_behind_a_nat_decides_at_once_by_the_host_that_it_signals_from() {
    let now = start();
    let mut path = StaticPath::new(Some(at(1)), Some(outside(0).ip()), false);
    assert_eq!(path.good_packet(now, outside(40_000)), Source::Latched);
    assert_eq!(path.destination(), Some(outside(40_000)));
    assert!(matches!(
        path.good_packet(now, outside(40_001)),
        Source::Foreign { .. }
    ));
    assert!(!path.admits(stranger(1)));
}

#[test]
fn a_stranger_that_sprays_before_the_phone_speaks_gains_nothing() {
    let now = start();
    for (peer, phone) in [(at(1), at(1)), (outside(0), outside(40_000))] {
        let mut path = StaticPath::new(Some(at(1)), Some(peer.ip()), false);
        for ms in 0..900 {
            let outcome = path.good_packet(now + Duration::from_millis(ms), stranger(ms as u16));
            assert!(matches!(outcome, Source::Foreign { .. }));
        }
        assert_eq!(path.destination(), Some(at(1)));
        let soon = now + Duration::from_millis(900);
        assert_eq!(path.good_packet(soon, phone), Source::Latched);
        let later = now + Duration::from_secs(5);
        assert!(!path.admits(stranger(1)));
        assert!(matches!(
            path.good_packet(later, stranger(1)),
            Source::Foreign { .. }
        ));
        assert_eq!(path.destination(), Some(phone));
    }
}

#[test]
fn a_stranger_that_alone_goes_on_sending_is_believed_until_somebody_nearer_speaks() {
    let now = start();
    let mut path = open_path();
    assert!(matches!(
        path.good_packet(now, stranger(1)),
        Source::Foreign { .. }
    ));
    let later = now + PROBATION;
    assert_eq!(path.good_packet(later, stranger(1)), Source::Latched);
    assert_eq!(path.destination(), Some(stranger(1)));
    assert!(path.admits(at(1)) && !path.admits(stranger(2)));
    assert_eq!(path.good_packet(later, at(1)), Source::Latched);
    assert_eq!(path.destination(), Some(at(1)));
    assert!(!path.admits(stranger(1)));
}

#[test]
fn foreign_sources_are_told_but_not_in_a_flood() {
    let now = start();
    let mut path = open_path();
    path.good_packet(now, at(1));
    let mut tell = |ms: u64, from: SocketAddr| {
        path.strange_packet(now + Duration::from_millis(ms), from) == Source::Foreign { tell: true }
    };
    assert!(tell(0, stranger(1)));
    assert!(!tell(1, stranger(1)));
    assert!(!tell(2, stranger(2)), "too soon");
    assert!(tell(10_000, stranger(3)));
    assert!(!tell(20_000, stranger(3)), "told before");
}

#[test]
fn a_protected_path_follows_an_authentic_source_when_the_old_one_is_silent() {
    let now = start();
    let mut path = StaticPath::new(Some(at(1)), None, true);
    path.good_packet(now, stranger(2));
    assert!(path.admits(stranger(3)));
    let soon = now + Duration::from_millis(20);
    assert!(matches!(
        path.good_packet(soon, stranger(3)),
        Source::Foreign { .. }
    ));
    let later = now + QUIET;
    assert_eq!(path.good_packet(later, stranger(3)), Source::Latched);
    assert_eq!(path.destination(), Some(stranger(3)));
}

#[test]
fn only_a_changed_signalled_address_opens_the_latch() {
    let now = start();
    let mut path = StaticPath::new(Some(at(1)), Some(outside(0).ip()), false);
    path.good_packet(now, outside(2));
    path.signal(Some(at(1)), Some(outside(0).ip()), false);
    assert_eq!(path.destination(), Some(outside(2)));
    path.signal(Some(at(4)), Some(outside(0).ip()), false);
    assert_eq!(path.destination(), Some(at(4)));
    assert_eq!(path.good_packet(now, outside(5)), Source::Latched);
}

#[test]
fn packets_under_way_from_before_a_move_do_not_close_the_latch_on_the_old_source() {
    let now = start();
    let mut path = open_path();
    path.good_packet(now, at(1));
    path.signal(Some(at(4)), Some(at(1).ip()), false);
    assert_eq!(path.good_packet(now, at(1)), Source::Known);
    assert_eq!(path.destination(), Some(at(4)));
    let soon = now + Duration::from_millis(100);
    assert_eq!(path.good_packet(soon, at(4)), Source::Latched);
    assert!(matches!(
        path.good_packet(soon, at(1)),
        Source::Foreign { .. }
    ));
}

#[test]
fn a_source_that_goes_on_after_a_signalled_move_is_followed_in_the_end() {
    let now = start();
    let mut path = open_path();
    path.good_packet(now, at(1));
    path.signal(Some(at(4)), Some(at(1).ip()), false);
    assert_eq!(path.good_packet(now, at(1)), Source::Known);
    assert_eq!(path.good_packet(now + HANDOVER, at(1)), Source::Latched);
    assert_eq!(path.destination(), Some(at(1)));
}

#[test]
fn a_path_without_signalled_address_waits_for_the_host_that_signals() {
    let now = start();
    let mut path = StaticPath::new(None, Some(outside(0).ip()), false);
    assert_eq!(path.destination(), None);
    assert!(matches!(
        path.good_packet(now, stranger(9)),
        Source::Foreign { .. }
    ));
    assert_eq!(path.good_packet(now, outside(9)), Source::Latched);
    assert_eq!(path.destination(), Some(outside(9)));
}
