//! Checks in virtual time against one path.

use wire::stun::{Class, Message, RequestWriter};

use super::*;

const THEIRS: &str = "theirufrag";
const TRANSACTION: [u8; 12] = *b"transaction!";

struct Check {
    username: String,
    password: &'static str,
    use_candidate: bool,
    role: IceRole,
}

impl Check {
    fn good() -> Self {
        Self {
            username: format!("oursufrag:{THEIRS}"),
            password: "ourpasswordourpassword",
            use_candidate: false,
            role: IceRole::Controlling(7),
        }
    }

    fn nominating() -> Self {
        Self {
            use_candidate: true,
            ..Self::good()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = [0u8; 256];
        let writer = RequestWriter {
            username: &self.username,
            password: self.password.as_bytes(),
            priority: 1,
            use_candidate: self.use_candidate,
            role: self.role,
        };
        let len = writer.write(&mut out, &TRANSACTION).unwrap();
        out[..len].to_vec()
    }
}

fn credentials(ufrag: &str, pwd: &str) -> IceCredentials {
    IceCredentials {
        ufrag: ufrag.into(),
        pwd: pwd.into(),
    }
}

fn path() -> (IceLitePath, Instant) {
    // The only clock of these tests; everything else is added to it.
    #[allow(clippy::disallowed_methods)]
    let now = Instant::now();
    let mut path = IceLitePath::new(credentials("oursufrag", "ourpasswordourpassword"), now);
    path.set_remote(credentials(THEIRS, "theirpasswordtheirpassword"));
    (path, now)
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn send(
    path: &mut IceLitePath,
    now: Instant,
    from: SocketAddr,
    check: &Check,
) -> (Verdict, Vec<u8>) {
    let mut out = [0u8; answer::MAX_ANSWER];
    let checked = path.receive(now, from, &check.bytes(), &mut out);
    (checked.verdict, out[..checked.answer_len].to_vec())
}

#[test]
fn a_good_check_is_answered_with_the_address_that_we_saw() {
    let (mut path, now) = path();
    let (verdict, answer) = send(&mut path, now, at(1), &Check::good());
    assert_eq!(
        verdict,
        Verdict::Valid {
            new: true,
            displaced: None,
            selected: true
        }
    );
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.class(), Class::Success);
    assert_eq!(message.transaction(), TRANSACTION);
    assert_eq!(message.mapped_address(), Some(at(1)));
    assert!(message.is_authentic(b"ourpasswordourpassword"));
}

#[test]
fn an_ipv6_address_is_told_back() {
    let (mut path, now) = path();
    let from: SocketAddr = "[2001:db8::7]:4000".parse().unwrap();
    let (_, answer) = send(&mut path, now, from, &Check::good());
    assert_eq!(
        Message::parse(&answer).unwrap().mapped_address(),
        Some(from)
    );
}

#[test]
fn a_wrong_password_is_refused_with_401_and_validates_nothing() {
    let (mut path, now) = path();
    let check = Check {
        password: "anotherpasswordanother",
        ..Check::good()
    };
    let (verdict, answer) = send(&mut path, now, at(1), &check);
    assert_eq!(verdict, Verdict::Refused(Refusal::Unauthenticated));
    assert_eq!(Message::parse(&answer).unwrap().error_code(), Some(401));
    assert!(!path.admits(now, at(1)));
    assert_eq!(path.destination(), None);
}

#[test]
fn either_half_of_the_user_name_must_fit() {
    let (mut path, now) = path();
    for username in ["other:theirufrag", "oursufrag:other", "oursufrag"] {
        let check = Check {
            username: username.into(),
            ..Check::good()
        };
        let (verdict, _) = send(&mut path, now, at(1), &check);
        assert_eq!(
            verdict,
            Verdict::Refused(Refusal::Unauthenticated),
            "{username}"
        );
    }
}

#[test]
fn a_request_without_integrity_is_a_bad_request() {
    let (mut path, now) = path();
    // A bare header: a binding request with no attribute at all.
    let mut bare = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    bare.extend_from_slice(&TRANSACTION);
    let mut out = [0u8; answer::MAX_ANSWER];
    let checked = path.receive(now, at(1), &bare, &mut out);
    assert_eq!(checked.verdict, Verdict::Refused(Refusal::BadRequest));
    let message = Message::parse(&out[..checked.answer_len]).unwrap();
    assert_eq!(message.error_code(), Some(400));
}

#[test]
fn a_peer_that_claims_to_be_controlled_is_told_to_switch() {
    let (mut path, now) = path();
    for tie_breaker in [0, u64::MAX] {
        let check = Check {
            role: IceRole::Controlled(tie_breaker),
            ..Check::good()
        };
        let (verdict, answer) = send(&mut path, now, at(1), &check);
        assert_eq!(verdict, Verdict::Refused(Refusal::RoleConflict));
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.error_code(), Some(487));
        assert!(message.is_authentic(b"ourpasswordourpassword"));
    }
    assert!(!path.admits(now, at(1)));
}

#[test]
fn before_nomination_the_first_valid_address_is_selected() {
    let (mut path, now) = path();
    send(&mut path, now, at(1), &Check::good());
    send(&mut path, now, at(2), &Check::good());
    assert_eq!(path.destination(), Some(at(1)));
    assert!(!path.is_nominated());
}

#[test]
fn the_last_nomination_is_followed() {
    let (mut path, now) = path();
    send(&mut path, now, at(1), &Check::good());
    send(&mut path, now, at(2), &Check::nominating());
    assert_eq!(path.destination(), Some(at(2)));
    send(&mut path, now, at(3), &Check::nominating());
    assert_eq!(path.destination(), Some(at(3)));
    send(&mut path, now, at(1), &Check::good());
    assert_eq!(path.destination(), Some(at(3)));
}

#[test]
fn checks_before_the_answer_are_judged_by_our_password_alone() {
    let (mut known, now) = path();
    known.remote = None;
    let (verdict, _) = send(&mut known, now, at(1), &Check::good());
    assert!(matches!(verdict, Verdict::Valid { .. }));
}

#[test]
fn a_path_expires_thirty_seconds_after_the_last_valid_check() {
    let (mut path, now) = path();
    let later = now + Duration::from_secs(20);
    send(&mut path, later, at(1), &Check::good());
    assert!(!path.is_expired(later + EXPIRY - Duration::from_millis(1)));
    assert!(path.is_expired(later + EXPIRY));
    assert!(!path.admits(later + EXPIRY, at(1)));
}

#[test]
fn a_refused_check_does_not_keep_the_path_alive() {
    let (mut path, now) = path();
    let check = Check {
        password: "anotherpasswordanother",
        ..Check::good()
    };
    send(&mut path, now + Duration::from_secs(29), at(1), &check);
    assert!(path.is_expired(now + EXPIRY));
}

#[test]
fn a_living_address_replaces_a_selected_one_that_died() {
    let (mut path, now) = path();
    send(&mut path, now, at(1), &Check::nominating());
    let later = now + EXPIRY;
    send(&mut path, later, at(2), &Check::good());
    assert_eq!(path.destination(), Some(at(2)));
}

#[test]
fn addresses_are_bounded_and_the_selected_one_stays() {
    let (mut path, now) = path();
    send(&mut path, now, at(1), &Check::nominating());
    for port in 2..=20u16 {
        let time = now + Duration::from_millis(u64::from(port));
        let (verdict, _) = send(&mut path, time, at(port), &Check::good());
        let Verdict::Valid { displaced, .. } = verdict else {
            panic!("{verdict:?}");
        };
        let full = usize::from(port) > MAX_ADDRESSES;
        assert_eq!(displaced.is_some(), full);
    }
    assert_eq!(path.addresses().count(), MAX_ADDRESSES);
    assert!(path.admits(now, at(1)));
    assert!(path.admits(now, at(20)));
    assert!(!path.admits(now, at(2)));
}

#[test]
fn garbage_is_not_answered() {
    let (mut path, now) = path();
    let mut out = [0u8; answer::MAX_ANSWER];
    let checked = path.receive(now, at(1), &[0, 1, 0, 4, 1, 2, 3, 4], &mut out);
    assert_eq!(checked.answer_len, 0);
    assert_eq!(checked.verdict, Verdict::Ignored);
}
