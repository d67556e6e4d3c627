//! Keys in SDP: every suite, identifiers, several keys, capability lines.

use super::*;

/// A crypto line of a suite, with a key as long as the suite wants it.
fn line(tag: u32, profile: SrtpProfile, fill: u8) -> String {
    let key = vec![fill; profile.key_len() + profile.salt_len()];
    let key = wire::plan::SdesKey::new(profile, key);
    wire::sdp::Crypto::new(tag, &key).to_string()
}

#[test]
fn every_suite_is_taken_from_the_first_line_that_names_it() {
    for profile in SrtpProfile::ALL {
        let text = savp(&[
            "1 F8_128_HMAC_SHA1_80 inline:AAAA".to_owned(),
            line(7, profile, 1),
            line(8, SrtpProfile::AesCm128HmacSha1_80, 2),
        ]);
        let (answer, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
        let lines = answer.media[0].attributes.cryptos();
        assert_eq!((lines.len(), lines[0].tag), (1, 7));
        assert_eq!(lines[0].suite, profile.suite_name());
        let Protection::Sdes { local, remote } = plan.protection else {
            panic!("in the clear");
        };
        assert_eq!((local.profile, remote[0].profile), (profile, profile));
        assert_eq!(local.key_salt.len(), profile.key_len() + profile.salt_len());
    }
}

#[test]
fn an_identifier_is_answered_with_one_of_the_same_length() {
    let text = savp(&[cm(1, "|2^20|77:4")]);
    let (answer, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
    let Protection::Sdes { local, remote } = plan.protection else {
        panic!("in the clear");
    };
    let mki = |value, length| Some(Mki { value, length });
    assert_eq!((remote[0].mki, local.mki), (mki(77, 4), mki(1, 4)));
    let line = &answer.media[0].attributes.cryptos()[0];
    assert_eq!(line.keys[0].mki, mki(1, 4));
}

#[test]
fn of_several_keys_all_are_taken_when_their_identifiers_differ() {
    let text = savp(&[cm(1, &format!("|1:2;inline:{CM_KEY}|2^20|2:2"))]);
    let (_, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
    let Protection::Sdes { remote, .. } = plan.protection else {
        panic!("in the clear");
    };
    assert_eq!(remote.len(), 2);
    assert_eq!(
        (remote[0].lifetime, remote[1].lifetime),
        (None, Some(1 << 20))
    );
}

#[test]
fn capability_lines_change_nothing() {
    // RFC 5939: the actual configuration is plain; what could be is not what is offered.
    let text = offer(&format!(
        "a=tcap:1 RTP/SAVP RTP/SAVPF\nm=audio 4000 RTP/AVP 0\na=acap:1 crypto:{}\na=pcfg:1 t=1 a=1\n",
        cm(1, "")
    ));
    let (answer, plan) = Pair::new(SrtpPolicy::Prefer).answer(&text).unwrap();
    assert_eq!(answer.media[0].protocol, Protocol::RtpAvp);
    assert_eq!(plan.protection, Protection::Plain);
    for name in ["acap", "tcap", "pcfg", "acfg", "crypto"] {
        assert!(!answer.media[0].attributes.has(name) && !answer.attributes.has(name));
    }
    let refusal = Pair::new(SrtpPolicy::Require).answer(&text).err();
    assert_eq!(refusal, Some(Refusal::ProtectionRequired));
}

#[test]
fn every_profile_is_answered_in_kind() {
    for (protocol, secure) in [
        ("RTP/AVP", false),
        ("RTP/AVPF", false),
        ("RTP/SAVP", true),
        ("RTP/SAVPF", true),
    ] {
        let crypto = if secure {
            format!("a=crypto:{}\n", cm(1, ""))
        } else {
            String::new()
        };
        let text = offer(&format!("m=audio 4000 {protocol} 0\n{crypto}"));
        let (answer, plan) = Pair::new(SrtpPolicy::Prefer).answer(&text).unwrap();
        assert_eq!(answer.media[0].protocol.to_string(), protocol);
        assert_eq!(plan.protection != Protection::Plain, secure);
    }
}
