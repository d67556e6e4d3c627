//! What is agreed to, case by case.

use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::plan::{
    AudioCodec, Connectivity, Direction, IceCredentials, LegPlan, LocalMedia, Mki, Protection,
    SrtpProfile,
};
use wire::sdp::{Protocol, Session};

use super::{Agreement, Keying, Refusal, Rules, SrtpPolicy};

mod dtls;
mod ice;
mod sdes;

const CM_KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const GCM_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==";

fn local() -> LocalMedia {
    LocalMedia {
        rtp: "203.0.113.5:10000".parse().unwrap(),
        rtcp: Some("203.0.113.5:10001".parse().unwrap()),
        candidates: Vec::new(),
        ice: Some(IceCredentials {
            ufrag: "ours".to_owned(),
            pwd: "x".repeat(24),
        }),
        fingerprint: Some("AB:CD".to_owned()),
        audio_ssrc: 1,
        cname: "c".to_owned(),
    }
}

/// A device that we agree with.
struct Pair {
    agreement: Agreement,
    random: StdRng,
}

impl Pair {
    fn new(srtp: SrtpPolicy) -> Self {
        Self::with(srtp, Rules::default())
    }

    fn with(srtp: SrtpPolicy, rules: Rules) -> Self {
        let mut random = StdRng::from_seed([5; 32]);
        Self {
            agreement: Agreement::new(rules, srtp, &mut random),
            random,
        }
    }

    fn answer(&mut self, offer: &str) -> Result<(Session, LegPlan), Refusal> {
        let offer = self.agreement.consider(offer.as_bytes())?;
        let (body, plan) = self.agreement.answer(&offer, &local(), &mut self.random)?;
        Ok((Session::parse(&body).unwrap(), plan))
    }

    fn offer(&mut self) -> Session {
        let body = self.agreement.offer(&local(), &mut self.random);
        Session::parse(&body).unwrap()
    }
}

fn offer(audio: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{}",
        audio.replace('\n', "\r\n")
    )
}

const PLAIN: &str = "m=audio 4000 RTP/AVP 0 8\n";

fn savp(cryptos: &[String]) -> String {
    let lines: Vec<String> = cryptos
        .iter()
        .map(|line| format!("a=crypto:{line}\n"))
        .collect();
    offer(&format!("m=audio 4000 RTP/SAVP 0\n{}", lines.concat()))
}

fn cm(tag: u32, rest: &str) -> String {
    format!("{tag} AES_CM_128_HMAC_SHA1_80 inline:{CM_KEY}{rest}")
}

#[test]
fn the_offerers_first_supported_codec_is_chosen() {
    let text =
        offer("m=audio 4000 RTP/AVP 18 8 96 0\na=rtpmap:18 G729/8000\na=rtpmap:96 opus/48000/2\n");
    let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
    assert_eq!(answer.media[0].formats, ["8"]);
    let audio = plan.audio.unwrap();
    assert_eq!(audio.send.codec, AudioCodec::Pcma);
    assert_eq!(audio.receive, [audio.send]);
}

#[test]
fn our_own_order_wins_where_the_rules_say_so() {
    let text = offer("m=audio 4000 RTP/AVP 8 96\na=rtpmap:96 opus/48000/2\n");
    let rules = Rules {
        own_order: true,
        ..Rules::default()
    };
    let (_, plan) = Pair::with(SrtpPolicy::Off, rules).answer(&text).unwrap();
    assert_eq!(plan.audio.unwrap().send.codec, AudioCodec::Opus);
}

#[test]
fn static_payload_types_need_no_rtpmap_and_names_no_case() {
    for (audio, codec) in [
        ("m=audio 4000 RTP/AVP 0\n", AudioCodec::Pcmu),
        ("m=audio 4000 RTP/AVP 8\n", AudioCodec::Pcma),
        ("m=audio 4000 RTP/AVP 9\n", AudioCodec::G722),
        (
            "m=audio 4000 RTP/AVP 97\na=rtpmap:97 OPUS/48000/2\n",
            AudioCodec::Opus,
        ),
        (
            "m=audio 4000 RTP/AVP 97\na=rtpmap:97 pcmu/8000/1\n",
            AudioCodec::Pcmu,
        ),
    ] {
        let (_, plan) = Pair::new(SrtpPolicy::Off).answer(&offer(audio)).unwrap();
        assert_eq!(plan.audio.unwrap().send.codec, codec, "{audio}");
    }
}

#[test]
fn opus_is_answered_with_fec_and_keeps_the_senders_bound() {
    let text = offer(
        "m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n\
         a=fmtp:96 useinbandfec=1; maxaveragebitrate=20000\n",
    );
    let rules = Rules {
        opus_bitrate: Some(24_000),
        ..Rules::default()
    };
    let (answer, plan) = Pair::with(SrtpPolicy::Off, rules).answer(&text).unwrap();
    let fmtp = answer.media[0].attributes.fmtp(96).unwrap();
    assert_eq!(fmtp.get("useinbandfec"), Some("1"));
    assert_eq!(fmtp.get("maxaveragebitrate"), Some("24000"));
    assert_eq!(
        answer.media[0].attributes.get("rtpmap"),
        Some("96 opus/48000/2")
    );
    let send = plan.audio.unwrap().send;
    assert_eq!((send.max_bitrate, send.inband_fec), (Some(20_000), true));
}

#[test]
fn telephone_events_are_answered_at_every_clock_with_the_codecs_own_first() {
    let events = "a=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n\
                  a=rtpmap:102 telephone-event/48000\n";
    for (formats, answered) in [
        ("96 101 102", ["102", "101"]),
        ("0 101 102", ["101", "102"]),
    ] {
        let text = offer(&format!("m=audio 4000 RTP/AVP {formats}\n{events}"));
        let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
        assert_eq!(answer.media[0].formats[1..], answered);
        for event in answered {
            let fmtp = answer.media[0].attributes.fmtp(event.parse().unwrap());
            assert_eq!(fmtp.unwrap().parameters, "0-16");
        }
        assert_eq!(plan.audio.unwrap().telephone_events.len(), 2);
    }
}

#[test]
fn digits_stay_possible_when_no_telephone_event_has_the_codecs_clock() {
    let text = offer(
        "m=audio 4000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
    );
    let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
    assert_eq!(answer.media[0].formats, ["96", "101"]);
    assert_eq!(plan.audio.unwrap().telephone_events[0].clock_rate, 8000);
}

#[test]
fn every_direction_is_answered_by_its_counterpart() {
    for (theirs, ours) in [
        ("", Direction::SendRecv),
        ("a=sendrecv\n", Direction::SendRecv),
        ("a=sendonly\n", Direction::RecvOnly),
        ("a=recvonly\n", Direction::SendOnly),
        ("a=inactive\n", Direction::Inactive),
        ("c=IN IP4 0.0.0.0\n", Direction::RecvOnly),
        ("c=IN IP4 0.0.0.0\na=inactive\n", Direction::Inactive),
    ] {
        let text = offer(&format!("{PLAIN}{theirs}"));
        let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
        assert_eq!(
            answer.media[0].attributes.direction(),
            Some(ours),
            "{theirs}"
        );
        assert_eq!(plan.audio.unwrap().direction, ours, "{theirs}");
        let address = match plan.connectivity {
            Connectivity::Static { rtp, .. } => rtp,
            Connectivity::IceLite { .. } => panic!("a phone"),
        };
        assert_eq!(address.is_none(), theirs.contains("0.0.0.0"), "{theirs}");
    }
}

#[test]
fn other_sections_are_declined_in_their_places() {
    let text = offer(&format!(
        "m=video 5000 RTP/AVP 97\na=rtpmap:97 H264/90000\n{PLAIN}m=application 6000 UDP/BFCP *\n"
    ));
    let (answer, _) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
    let sections: Vec<(String, u16)> = answer
        .media
        .iter()
        .map(|media| (media.kind.to_string(), media.port))
        .collect();
    let expected = [("video", 0), ("audio", 10_000), ("application", 0)];
    assert_eq!(
        sections,
        expected.map(|(kind, port)| (kind.to_owned(), port))
    );
}

#[test]
fn of_two_audio_sections_the_first_usable_is_taken() {
    let text = offer(&format!(
        "m=audio 4000 RTP/AVP 18\na=rtpmap:18 G729/8000\n{PLAIN}"
    ));
    let (answer, _) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
    assert_eq!((answer.media[0].port, answer.media[1].port), (0, 10_000));
}

#[test]
fn rtcp_is_multiplexed_only_where_offered() {
    let rtcp = |text: &str| {
        let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&offer(text)).unwrap();
        let Connectivity::Static { rtcp, .. } = plan.connectivity else {
            panic!("a phone");
        };
        let ours = answer.media[0].attributes.rtcp().map(|rtcp| rtcp.port);
        (
            answer.media[0].attributes.rtcp_mux(),
            plan.rtcp_mux,
            rtcp,
            ours,
        )
    };
    let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    assert_eq!(rtcp(PLAIN), (false, false, None, Some(10_001)));
    assert_eq!(
        rtcp(&format!("{PLAIN}a=rtcp-mux\na=rtcp:4009\n")),
        (true, true, None, None)
    );
    assert_eq!(
        rtcp(&format!("{PLAIN}a=rtcp:4009\n")),
        (false, false, address("192.0.2.1:4009"), Some(10_001))
    );
    assert_eq!(
        rtcp(&format!("{PLAIN}a=rtcp:4009 IN IP4 192.0.2.7\n")),
        (false, false, address("192.0.2.7:4009"), Some(10_001))
    );
}

#[test]
fn packets_are_as_long_as_wished_within_what_we_make() {
    for (wish, length) in [
        ("", 20),
        ("a=ptime:10\n", 10),
        ("a=ptime:30\n", 30),
        ("a=ptime:60\n", 60),
        ("a=ptime:200\n", 60),
        ("a=ptime:5\n", 10),
        ("a=ptime:40\na=maxptime:30\n", 30),
        ("a=maxptime:10\n", 10),
    ] {
        let text = offer(&format!("{PLAIN}{wish}"));
        let (_, plan) = Pair::new(SrtpPolicy::Off).answer(&text).unwrap();
        assert_eq!(plan.audio.unwrap().send.ptime_ms, length, "{wish}");
    }
}

#[test]
fn an_savp_offer_is_answered_with_savp_the_same_tag_and_a_key_of_ours() {
    let text = savp(&[
        "1 F8_128_HMAC_SHA1_80 inline:AAAA".to_owned(),
        cm(2, "|2^20|1:17"),
        cm(3, " UNENCRYPTED_SRTP"),
        cm(4, "|2^31 WSH=64 -new=1"),
        format!("5 AEAD_AES_128_GCM inline:{GCM_KEY}"),
    ]);
    let (answer, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
    assert_eq!(answer.media[0].protocol, Protocol::RtpSavp);
    let lines = answer.media[0].attributes.cryptos();
    assert_eq!((lines.len(), lines[0].tag), (1, 4));
    let Protection::Sdes { local, remote } = plan.protection else {
        panic!("in the clear");
    };
    assert_eq!(lines[0].keys[0].key_salt, local.key_salt);
    assert_ne!(local.key_salt, remote[0].key_salt);
    assert_eq!(remote[0].profile, SrtpProfile::AesCm128HmacSha1_80);
    assert_eq!((remote[0].lifetime, local.lifetime), (Some(1 << 31), None));
}

#[test]
fn gcm_is_taken_where_it_comes_first() {
    let text = savp(&[format!("1 AEAD_AES_128_GCM inline:{GCM_KEY}"), cm(2, "")]);
    let (answer, plan) = Pair::new(SrtpPolicy::Require).answer(&text).unwrap();
    let line = &answer.media[0].attributes.cryptos()[0];
    assert_eq!(
        (line.suite.as_str(), line.keys[0].key_salt.len()),
        ("AEAD_AES_128_GCM", 28)
    );
    assert!(matches!(
        plan.protection,
        Protection::Sdes { local, .. } if local.profile == SrtpProfile::AeadAes128Gcm
    ));
}

#[test]
fn an_savp_offer_without_a_usable_line_is_never_answered() {
    for policy in [SrtpPolicy::Require, SrtpPolicy::Prefer] {
        for lines in [
            vec![],
            vec![cm(1, "|1:17")],
            vec![cm(1, "|0")],
            vec![cm(1, "|2^49")],
            vec![cm(1, &format!(";inline:{CM_KEY}"))],
            vec![cm(1, &format!("|1:4;inline:{CM_KEY}|1:4"))],
            vec![cm(1, &format!("|1:4;inline:{CM_KEY}|2:2"))],
            vec![cm(1, " UNENCRYPTED_SRTP")],
            vec![cm(1, " UNENCRYPTED_SRTCP")],
            vec![cm(1, " UNAUTHENTICATED_SRTP")],
            vec![cm(1, " FUTURE=1")],
            vec![cm(1, " KDR=1")],
            vec![cm(1, " FEC_ORDER=FEC_SRTP")],
            vec!["1 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned()],
            vec!["1 AES_256_CM_HMAC_SHA1_80 inline:AAAA".to_owned()],
        ] {
            let refusal = Pair::new(policy).answer(&savp(&lines)).err();
            assert_eq!(refusal, Some(Refusal::NoCrypto), "{lines:?}");
        }
    }
}

#[test]
fn beside_an_unusable_savp_section_a_plain_one_is_not_taken() {
    let text = format!("{}m=audio 4002 RTP/AVP 0\r\n", savp(&[cm(1, "|1:17")]));
    let refusal = Pair::new(SrtpPolicy::Prefer).answer(&text).err();
    assert_eq!(refusal, Some(Refusal::NoCrypto));
}

#[test]
fn the_policy_decides_about_plain_and_protected_offers() {
    let plain = offer(PLAIN);
    let protected = savp(&[cm(1, "")]);
    let both = offer(&format!("{PLAIN}a=crypto:{}\n", cm(1, "")));
    let outcome = |policy, text: &str| {
        Pair::new(policy)
            .answer(text)
            .map(|(_, plan)| plan.protection != Protection::Plain)
    };
    use SrtpPolicy::{Off, Prefer, Require};
    assert_eq!(outcome(Require, &plain), Err(Refusal::ProtectionRequired));
    assert_eq!(outcome(Require, &protected), Ok(true));
    assert_eq!(outcome(Require, &both), Ok(true));
    assert_eq!(outcome(Prefer, &plain), Ok(false));
    assert_eq!(outcome(Prefer, &protected), Ok(true));
    assert_eq!(outcome(Prefer, &both), Ok(true));
    assert_eq!(outcome(Off, &plain), Ok(false));
    assert_eq!(outcome(Off, &protected), Err(Refusal::ProtectionForbidden));
    assert_eq!(outcome(Off, &both), Ok(false));
}

#[test]
fn offers_that_cannot_be_agreed_to_say_why() {
    for (text, refusal) in [
        ("nonsense".to_owned(), Refusal::Unreadable),
        (offer(""), Refusal::NoAudio),
        (offer("m=audio 0 RTP/AVP 0\n"), Refusal::NoAudio),
        (
            offer("m=audio 4000 RTP/AVP 18\na=rtpmap:18 G729/8000\n"),
            Refusal::NoCodec,
        ),
        (
            offer("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n"),
            Refusal::NoCodec,
        ),
        (
            offer("m=audio 4000 UDP/TLS/RTP/SAVPF 0\n"),
            Refusal::NoCrypto,
        ),
        (offer("m=audio 4000 TCP/FOO 0\n"), Refusal::Transport),
    ] {
        let outcome = Pair::new(SrtpPolicy::Prefer).answer(&text).err();
        assert_eq!(outcome, Some(refusal), "{text}");
    }
}

#[test]
fn feedback_profiles_are_answered_in_kind() {
    let text = offer("m=audio 4000 RTP/AVPF 0\n");
    let (answer, _) = Pair::new(SrtpPolicy::Prefer).answer(&text).unwrap();
    assert_eq!(answer.media[0].protocol, Protocol::RtpAvpf);
}

#[test]
fn the_version_grows_only_when_something_changed_and_keys_stay_with_theirs() {
    let mut pair = Pair::new(SrtpPolicy::Require);
    let text = savp(&[cm(1, "")]);
    let (first, plan) = pair.answer(&text).unwrap();
    let (again, same) = pair.answer(&text).unwrap();
    assert_eq!((&first, &plan), (&again, &same));
    let (held, held_plan) = pair.answer(&format!("{text}a=sendonly\r\n")).unwrap();
    let version = |session: &Session| session.origin.clone().unwrap().session_version;
    assert_eq!((version(&first), version(&held)), ("1".into(), "2".into()));
    assert_eq!(held_plan.protection, plan.protection);
    let rekeyed = text.replace(CM_KEY, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd");
    let (_, rekeyed) = pair.answer(&rekeyed).unwrap();
    let local = |plan: &LegPlan| match &plan.protection {
        Protection::Sdes { local, .. } => local.clone(),
        _ => panic!("in the clear"),
    };
    assert_ne!(local(&rekeyed), local(&plan));
}

#[test]
fn a_refused_offer_changes_nothing() {
    let mut pair = Pair::new(SrtpPolicy::Require);
    let text = savp(&[cm(1, "")]);
    let (first, plan) = pair.answer(&text).unwrap();
    assert!(pair.answer(&savp(&[])).is_err());
    assert_eq!(pair.answer(&text).unwrap(), (first, plan));
}

#[test]
fn comfort_noise_is_agreed_where_it_is_offered_with_a_codec_that_needs_it() {
    let noise_of = |formats: &str| {
        let audio = format!("m=audio 4000 RTP/AVP {formats}\na=rtpmap:111 opus/48000/2\n");
        let (answer, plan) = Pair::new(SrtpPolicy::Off).answer(&offer(&audio)).unwrap();
        let answered = answer.media[0].formats.contains(&"13".to_owned());
        assert_eq!(
            answered,
            plan.audio.as_ref().unwrap().comfort_noise.is_some()
        );
        plan.audio.unwrap().comfort_noise
    };
    assert_eq!(noise_of("0 13"), Some(13));
    assert_eq!(noise_of("9 13"), Some(13));
    assert_eq!(noise_of("0"), None);
    // Opus has its own.
    assert_eq!(noise_of("111 13"), None);
    // And where we offer it, it takes an answer that keeps it.
    for (formats, agreed) in [("0 13", Some(13)), ("0", None), ("96 13", None)] {
        let mut pair = Pair::new(SrtpPolicy::Off);
        pair.offer();
        let answer = offer(&format!(
            "m=audio 4000 RTP/AVP {formats}\na=rtpmap:96 opus/48000/2\n"
        ));
        let plan = pair.agreement.take_answer(answer.as_bytes()).unwrap();
        assert_eq!(plan.audio.unwrap().comfort_noise, agreed, "{formats}");
    }
}

#[test]
fn our_offer_names_all_codecs_and_few_suites() {
    let offer = Pair::new(SrtpPolicy::Require).offer();
    let media = &offer.media[0];
    assert_eq!(media.protocol, Protocol::RtpSavp);
    assert_eq!(media.formats, ["96", "9", "0", "8", "13", "101", "102"]);
    let suites: Vec<String> = media
        .attributes
        .cryptos()
        .into_iter()
        .map(|c| c.suite)
        .collect();
    let expected = [
        "AES_CM_128_HMAC_SHA1_80",
        "AEAD_AES_256_GCM",
        "AEAD_AES_128_GCM",
    ];
    assert_eq!(suites, expected);
    let plain = Pair::new(SrtpPolicy::Off).offer();
    assert_eq!(plain.media[0].protocol, Protocol::RtpAvp);
    assert!(plain.media[0].attributes.cryptos().is_empty());
}

#[test]
fn an_answer_settles_codec_key_and_addresses() {
    let mut pair = Pair::new(SrtpPolicy::Require);
    let offered = pair.offer();
    let answer = savp(&[format!("3 AEAD_AES_128_GCM inline:{GCM_KEY}")]);
    let plan = pair.agreement.take_answer(answer.as_bytes()).unwrap();
    let Protection::Sdes { local, .. } = &plan.protection else {
        panic!("in the clear");
    };
    let line = &offered.media[0].attributes.cryptos()[2];
    assert_eq!(line.keys[0].key_salt, local.key_salt);
    assert_eq!(plan.audio.unwrap().send.codec, AudioCodec::Pcmu);
    assert_eq!(
        plan.connectivity,
        Connectivity::Static {
            rtp: Some("192.0.2.1:4000".parse().unwrap()),
            rtcp: None,
            peer: None,
        }
    );
}

#[test]
fn an_answer_that_does_not_fit_the_offer_is_refused() {
    for (answer, refusal) in [
        (String::new(), Refusal::Missing),
        ("nonsense".to_owned(), Refusal::Unreadable),
        (offer(PLAIN), Refusal::BadAnswer),
        (offer(""), Refusal::BadAnswer),
        (offer("m=audio 0 RTP/SAVP 0\n"), Refusal::NoAudio),
        (savp(&[]), Refusal::NoCrypto),
        (savp(&[cm(9, "")]), Refusal::NoCrypto),
        (
            savp(&[format!("1 AEAD_AES_128_GCM inline:{GCM_KEY}")]),
            Refusal::NoCrypto,
        ),
        (
            savp(&[cm(1, "")]).replace("SAVP 0", "SAVP 3"),
            Refusal::NoCodec,
        ),
    ] {
        let mut pair = Pair::new(SrtpPolicy::Require);
        pair.offer();
        let outcome = pair.agreement.take_answer(answer.as_bytes()).err();
        assert_eq!(outcome, Some(refusal), "{answer}");
    }
}

#[test]
fn with_prefer_a_phone_without_srtp_may_answer_our_keys_in_the_clear() {
    let mut pair = Pair::new(SrtpPolicy::Prefer);
    let offered = pair.offer();
    assert_eq!(offered.media[0].protocol, Protocol::RtpAvp);
    assert_eq!(offered.media[0].attributes.cryptos().len(), 3);
    let plan = pair.agreement.take_answer(offer(PLAIN).as_bytes()).unwrap();
    assert_eq!(plan.protection, Protection::Plain);
}

#[test]
fn a_later_offer_is_the_session_as_it_stands() {
    let mut pair = Pair::new(SrtpPolicy::Require);
    let text = offer(&format!(
        "m=video 5000 RTP/AVP 97\nm=audio 4000 RTP/SAVP 8\na=crypto:{}\n",
        cm(3, "")
    ));
    let (answer, plan) = pair.answer(&text).unwrap();
    let again = pair.offer();
    assert_eq!(again, answer);
    let reply = text.replace("m=video 5000", "m=video 0");
    let later = pair.agreement.take_answer(reply.as_bytes()).unwrap();
    assert_eq!(later, plan);
}

#[test]
fn an_ipv6_party_is_known_by_its_connection_line() {
    let pair = Pair::new(SrtpPolicy::Off);
    let is_ipv6 = |text: &str| pair.agreement.consider(text.as_bytes()).unwrap().is_ipv6();
    assert!(!is_ipv6(&offer(PLAIN)));
    let six = offer(PLAIN).replace("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1");
    assert!(is_ipv6(&six));
    let named = offer(PLAIN).replace("c=IN IP4 192.0.2.1", "c=IN IP6 phone.example.com");
    assert!(is_ipv6(&named));
}
