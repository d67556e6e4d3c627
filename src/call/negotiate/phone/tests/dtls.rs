//! Keys from DTLS: who begins, which certificate, and what stays when the session is offered again.

use super::*;

/// A SHA-256 fingerprint of 32 octets.
fn print(octet: &str) -> String {
    vec![octet; 32].join(":")
}

fn dtls(protocol: &str, lines: &str) -> String {
    offer(&format!("m=audio 4000 {protocol} 0\n{lines}"))
}

fn setup(answer: &Session) -> Option<&str> {
    answer.media[0].attributes.get("setup")
}

#[test]
fn the_role_is_what_the_offer_leaves_and_passive_where_it_leaves_both() {
    let print = print("1F");
    for (theirs, ours, active) in [
        ("a=setup:actpass\n", "passive", false),
        ("a=setup:active\n", "passive", false),
        ("a=setup:passive\n", "active", true),
        ("", "passive", false),
    ] {
        for protocol in [
            "UDP/TLS/RTP/SAVP",
            "UDP/TLS/RTP/SAVPF",
            "RTP/SAVP",
            "RTP/SAVPF",
            "RTP/AVP",
        ] {
            let text = dtls(
                protocol,
                &format!("a=fingerprint:SHA-256 {print}\n{theirs}"),
            );
            let (answer, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
            assert_eq!(setup(&answer), Some(ours));
            assert_eq!(answer.media[0].protocol.to_string(), protocol);
            let own = answer.media[0].attributes.get("fingerprint");
            assert_eq!(own, Some("sha-256 AB:CD"));
            assert!(answer.media[0].attributes.cryptos().is_empty());
            let Protection::Dtls {
                active: we,
                remote_fingerprint,
            } = plan.protection
            else {
                panic!("no DTLS");
            };
            assert_eq!((we, remote_fingerprint.digest), (active, vec![0x1f; 32]));
        }
    }
}

#[test]
fn keys_in_sdp_come_before_dtls_unless_the_transport_is_dtls() {
    let both = format!(
        "a=fingerprint:sha-256 {}\na=setup:actpass\na=crypto:{}\n",
        print("1F"),
        cm(1, "")
    );
    let is_dtls = |protocol: &str| {
        let (_, plan) = Pair::new(SrtpPolicy::Prefer)
            .answer(&dtls(protocol, &both))
            .unwrap();
        matches!(plan.protection, Protection::Dtls { .. })
    };
    assert!(!is_dtls("RTP/SAVP") && !is_dtls("RTP/AVP"));
    assert!(is_dtls("UDP/TLS/RTP/SAVP"));
}

#[test]
fn a_dtls_offer_that_cannot_be_held_to_its_certificate_is_never_answered() {
    for lines in [
        String::new(),
        "a=setup:actpass\n".to_owned(),
        format!("a=fingerprint:sha-1 {}\na=setup:actpass\n", print("1F")),
        "a=fingerprint:sha-256 1F:2E\na=setup:actpass\n".to_owned(),
        format!("a=fingerprint:sha-256 {}\na=setup:holdconn\n", print("1F")),
    ] {
        let text = dtls("UDP/TLS/RTP/SAVP", &lines);
        for policy in [SrtpPolicy::Require, SrtpPolicy::Prefer] {
            let refusal = Pair::new(policy).answer(&text).err();
            assert_eq!(refusal, Some(Refusal::NoCrypto), "{lines}");
        }
        let refusal = Pair::new(SrtpPolicy::Off).answer(&text).err();
        assert_eq!(refusal, Some(Refusal::ProtectionForbidden));
    }
}

#[test]
fn of_several_fingerprints_the_usable_one_counts_also_at_session_level() {
    let text = dtls(
        "UDP/TLS/RTP/SAVP",
        &format!(
            "a=setup:actpass\na=fingerprint:sha-1 {}\na=fingerprint:sha-256 {}\n",
            print("01"),
            print("02")
        ),
    );
    let session_level = format!("a=fingerprint:sha-256 {}\r\nm=audio", print("02"));
    let text_of_session =
        dtls("UDP/TLS/RTP/SAVP", "a=setup:actpass\n").replace("m=audio", &session_level);
    for text in [text, text_of_session] {
        let (_, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
        let Protection::Dtls {
            remote_fingerprint, ..
        } = plan.protection
        else {
            panic!("no DTLS");
        };
        assert_eq!(remote_fingerprint.digest, vec![2; 32]);
    }
}

#[test]
fn offered_again_the_association_stays_with_its_roles() {
    let mut pair = Pair::new(SrtpPolicy::Require);
    let first = dtls(
        "UDP/TLS/RTP/SAVP",
        &format!("a=fingerprint:sha-256 {}\na=setup:passive\n", print("1F")),
    );
    let (_, plan) = pair.answer(&first).unwrap();
    let again = first.replace("setup:passive", "setup:actpass");
    let (answer, held) = pair.answer(&format!("{again}a=sendonly\r\n")).unwrap();
    assert_eq!(setup(&answer), Some("active"));
    assert_eq!(held.protection, plan.protection);

    let ours = pair.offer();
    assert_eq!(setup(&ours), Some("actpass"));
    let later = pair.agreement.take_answer(first.as_bytes()).unwrap();
    assert_eq!(later.protection, plan.protection);
}

#[test]
fn an_answer_to_our_dtls_offer_settles_roles_and_certificate() {
    for (theirs, active) in [("active", false), ("passive", true)] {
        let rules = Rules {
            keying: Keying::Dtls,
            ..Rules::default()
        };
        let mut pair = Pair::with(SrtpPolicy::Require, rules);
        let offered = pair.offer();
        assert_eq!(offered.media[0].protocol, Protocol::DtlsSavp);
        assert_eq!(setup(&offered), Some("actpass"));
        assert!(offered.media[0].attributes.rtcp_mux());
        assert!(offered.media[0].attributes.cryptos().is_empty());
        let answer = dtls(
            "UDP/TLS/RTP/SAVP",
            &format!(
                "a=fingerprint:sha-256 {}\na=setup:{theirs}\na=rtcp-mux\n",
                print("1F")
            ),
        );
        let plan = pair.agreement.take_answer(answer.as_bytes()).unwrap();
        assert!(plan.rtcp_mux);
        let Protection::Dtls { active: we, .. } = plan.protection else {
            panic!("no DTLS");
        };
        assert_eq!(we, active);
    }
}

#[test]
fn an_answer_without_certificate_leaves_nothing_in_the_clear() {
    let rules = Rules {
        keying: Keying::Dtls,
        ..Rules::default()
    };
    let mut pair = Pair::with(SrtpPolicy::Require, rules);
    pair.offer();
    let answer = dtls("UDP/TLS/RTP/SAVP", "a=setup:active\n");
    let refusal = pair.agreement.take_answer(answer.as_bytes()).err();
    assert_eq!(refusal, Some(Refusal::NoCrypto));
}
