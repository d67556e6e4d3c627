//! Descriptions that peers send, read and written back.

use proptest::prelude::*;

use super::{
    Attributes, Candidate, CandidateType, Crypto, ExtMap, Group, Media, MediaKind, Mki, Origin,
    Protocol, RtcpFeedback, RtpMap, SdpError, Session, Setup, Ssrc, SsrcGroup,
};
use crate::plan::{Direction, SdesKey, SrtpProfile};

/// A session with one audio section; `session` and `media` are further lines of each level.
fn session(session: &str, media: &str) -> Session {
    let text = format!(
        "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n{session}\
         m=audio 4000 RTP/AVP 0 8 101\n{media}"
    );
    Session::parse(text.replace('\n', "\r\n")).unwrap()
}

fn attributes(lines: &str) -> Attributes {
    session("", lines).media.remove(0).attributes
}

const BROWSER: &str = include_str!("../../../fuzz/corpus/sdp/browser");

#[test]
fn a_written_description_keeps_the_order_of_its_lines() {
    let text = BROWSER.replace("\r\n", "\n");
    let session = Session::parse(&text).unwrap();
    assert_eq!(session.to_string(), BROWSER);
}

#[test]
fn lines_that_nobody_models_are_kept() {
    let text = "v=0\r\no=- 1 1 IN IP4 h\r\ns=x\r\ni=info\r\nu=http://x\r\ne=a@b\r\np=+1\r\n\
                b=X-y:1\r\nt=1 2\r\nr=7d 1h 0 25h\r\nz=0 0\r\nk=clear:x\r\nq=?\r\na=cat:foo\r\n\
                m=audio 1 RTP/AVP 0\r\ni=title\r\nc=IN IP4 h\r\nc=IN IP4 g\r\nk=prompt\r\na=x\r\n";
    assert_eq!(Session::parse(text).unwrap().to_string(), text);
}

#[test]
fn line_ends_of_all_kinds_and_padding_are_accepted() {
    for end in ["\r\n", "\n", "\r", "\n\n", " \r\n"] {
        let text = ["v=0", "s=-", "m=audio 5 RTP/AVP 0", "a=ptime:30"].join(end);
        let session = Session::parse(text + "\0\0").unwrap();
        assert_eq!(session.media[0].attributes.ptime(), Some(30), "{end:?}");
    }
}

#[test]
fn missing_origin_name_and_time_are_tolerated() {
    let session = Session::parse("v=0\nc=IN IP4 192.0.2.1\nm=audio 4 RTP/AVP 0\n").unwrap();
    assert_eq!(session.origin, None);
    assert!(
        session
            .to_string()
            .contains("s=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n")
    );
}

#[test]
fn latin_1_text_does_not_stop_the_reader() {
    let session = Session::parse(b"v=0\r\ns=J\xF6rg\r\nm=audio 4 RTP/AVP 0\r\n").unwrap();
    assert_eq!(session.media.len(), 1);
}

#[test]
fn what_is_no_description_says_where() {
    for (text, error) in [
        ("", SdpError::Version),
        ("<xml/>", SdpError::Form(1)),
        ("v=1\r\n", SdpError::Version),
        ("s=-\r\n", SdpError::Version),
        ("v=0\r\no=- 1\r\n", SdpError::Origin(2)),
        ("v=0\r\ns=-\r\nc=IN IP4\r\n", SdpError::Connection(3)),
        ("v=0\r\ns=-\r\nm=audio\r\n", SdpError::Media(3)),
        ("v=0\nm=audio 65536 RTP/AVP 0\n", SdpError::Media(2)),
        ("v=0\nm =audio 1 RTP/AVP 0\n", SdpError::Form(2)),
    ] {
        assert_eq!(Session::parse(text), Err(error), "{text:?}");
    }
    let many = "v=0\n".to_owned() + &"m=audio 1 RTP/AVP 0\n".repeat(129);
    assert_eq!(Session::parse(many), Err(SdpError::TooLarge));
    assert_eq!(Session::parse(vec![b'x'; 65_537]), Err(SdpError::TooLarge));
}

#[test]
fn the_media_line_is_taken_apart() {
    let session = Session::parse("v=0\nm=video 49170/2 UDP/TLS/RTP/SAVPF 96 97 x\n").unwrap();
    let media = &session.media[0];
    assert_eq!(media.kind, MediaKind::Video);
    assert_eq!((media.port, media.port_count), (49170, Some(2)));
    assert_eq!(media.protocol, Protocol::DtlsSavpf);
    assert_eq!(media.payload_types().collect::<Vec<_>>(), [96, 97]);
    assert_eq!(media.formats[2], "x");
}

#[test]
fn transports_say_what_protects_them() {
    let read = Protocol::from_text;
    assert!(!read("RTP/AVP").is_secure() && !read("rtp/avpf").is_secure());
    assert!(read("RTP/SAVP").is_secure() && read("RTP/SAVPF").is_secure());
    assert!(read("UDP/TLS/RTP/SAVP").is_dtls() && !read("RTP/SAVP").is_dtls());
    assert!(read("RTP/AVPF").has_feedback() && !read("RTP/SAVP").has_feedback());
    assert!(!read("udptl").is_rtp() && !read("udptl").is_secure());
}

#[test]
fn codecs_come_in_the_order_of_the_media_line_with_static_ones_filled_in() {
    let session = session(
        "",
        "a=rtpmap:101 telephone-event/8000\na=rtpmap:8 pcma/8000/1\n",
    );
    let codecs = session.media[0].codecs();
    assert_eq!(codecs[0], RtpMap::new(0, "PCMU", 8000, None));
    assert!(codecs[1].is("PCMA", 8000));
    assert_eq!(codecs[2].encoding, "telephone-event");
    let unknown = Session::parse("v=0\nm=audio 4 RTP/AVP 96 0\n").unwrap();
    assert_eq!(unknown.media[0].codecs().len(), 1);
}

#[test]
fn format_parameters_are_read_by_name() {
    let attributes = attributes("a=fmtp:96 useinbandfec=1; MaxAverageBitrate = 20000;stereo\n");
    let fmtp = attributes.fmtp(96).unwrap();
    assert_eq!(fmtp.get("useinbandfec"), Some("1"));
    assert_eq!(fmtp.get("maxaveragebitrate"), Some("20000"));
    assert_eq!(fmtp.get("stereo"), Some(""));
    assert_eq!(fmtp.get("absent"), None);
    assert!(attributes.fmtp(9).is_none());
}

#[test]
fn the_session_direction_counts_where_the_section_has_none() {
    let direction = |s, m| session(s, m).sections().next().unwrap().direction();
    assert_eq!(direction("", ""), Direction::SendRecv);
    assert_eq!(direction("a=sendonly\n", ""), Direction::SendOnly);
    assert_eq!(
        direction("a=sendonly\n", "a=recvonly\n"),
        Direction::RecvOnly
    );
}

#[test]
fn an_address_of_zero_is_hold() {
    let direction = |m| session("", m).sections().next().unwrap().direction();
    assert_eq!(direction("c=IN IP4 0.0.0.0\n"), Direction::SendOnly);
    assert_eq!(
        direction("c=IN IP4 0.0.0.0\na=recvonly\n"),
        Direction::Inactive
    );
}

#[test]
fn addresses_are_inherited_and_rtcp_is_found() {
    let addrs = |m| {
        let session = session("", m);
        let section = session.sections().next().unwrap();
        let text = |a: Option<std::net::SocketAddr>| a.map(|a| a.to_string()).unwrap_or_default();
        (text(section.rtp_addr()), text(section.rtcp_addr()))
    };
    let both = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(addrs(""), both("192.0.2.1:4000", "192.0.2.1:4001"));
    assert_eq!(
        addrs("c=IN IP6 2001:db8::1\na=rtcp:5000\n"),
        both("[2001:db8::1]:4000", "[2001:db8::1]:5000")
    );
    assert_eq!(
        addrs("a=rtcp:5000 IN IP4 192.0.2.9\n"),
        both("192.0.2.1:4000", "192.0.2.9:5000")
    );
    assert_eq!(
        addrs("a=rtcp-mux\na=rtcp:5000\n"),
        both("192.0.2.1:4000", "192.0.2.1:4000")
    );
    assert_eq!(addrs("c=IN IP4 phone.example.org\n"), both("", ""));
}

#[test]
fn several_crypto_lines_with_lifetime_mki_and_parameters_are_read() {
    let cryptos = attributes(
        "a=crypto:1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==|2^48|1:4\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:AAEC|1000;inline:AwQF|2^31|257:2 UNENCRYPTED_SRTCP KDR=0\n\
         a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw\n\
         a=crypto:4 F8_128_HMAC_SHA1_80 inline:!!!!\n\
         a=crypto:x AES_CM_128_HMAC_SHA1_80 inline:AAEC\n\
         a=crypto:6 AES_CM_128_HMAC_SHA1_80 uri:AAEC\n",
    )
    .cryptos();
    assert_eq!(cryptos.len(), 3);
    let gcm = &cryptos[0];
    assert_eq!((gcm.tag, gcm.suite.as_str()), (1, "AEAD_AES_128_GCM"));
    assert_eq!(gcm.keys[0].key_salt, (0..28).collect::<Vec<u8>>());
    assert_eq!(gcm.keys[0].lifetime, Some(1 << 48));
    assert_eq!(
        gcm.keys[0].mki,
        Some(Mki {
            value: 1,
            length: 4
        })
    );
    let cm = &cryptos[1];
    assert_eq!((cm.keys.len(), cm.keys[0].lifetime), (2, Some(1000)));
    assert_eq!(
        cm.keys[1].mki,
        Some(Mki {
            value: 257,
            length: 2
        })
    );
    assert_eq!(cm.session, ["UNENCRYPTED_SRTCP", "KDR=0"]);
    assert_eq!(cryptos[2].keys[0].key_salt.len(), 28, "padding is optional");
}

#[test]
fn a_crypto_line_is_written_as_rfc_4568_has_it() {
    let key = SdesKey::new(SrtpProfile::AesCm128HmacSha1_80, (0..30).collect());
    let crypto = Crypto::new(1, &key);
    assert_eq!(
        crypto.to_string(),
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
    );
}

#[test]
fn keys_and_passwords_are_not_in_debug_output() {
    let session = session("", "a=crypto:1 X inline:AAECAwQF\na=ice-pwd:topsecret\n");
    let shown = format!("{session:?} {:?}", session.media[0].attributes.cryptos());
    assert!(!shown.contains("AAECAwQF") && !shown.contains("topsecret"));
    assert!(!shown.contains("[0, 1, 2"));
}

#[test]
fn the_browsers_offer_is_understood() {
    let session = Session::parse(BROWSER).unwrap();
    assert_eq!(session.attributes.bundle().unwrap(), ["0", "1"]);
    let [audio, video] = session.sections().collect::<Vec<_>>()[..] else {
        panic!("two sections");
    };
    assert_eq!(audio.setup(), Some(Setup::ActPass));
    let fingerprint = video.fingerprint().unwrap();
    assert_eq!(fingerprint.hash, "sha-256");
    assert_eq!(fingerprint.digest.len(), 32);
    assert_eq!(fingerprint.digest[1], 0x11);
    let ice = audio.ice().unwrap();
    assert_eq!((ice.ufrag.as_str(), ice.pwd.len()), ("aB3d", 24));
    assert!(video.ice().is_none(), "bundled with the first");
    assert!(audio.extmap_allow_mixed() && !audio.ice_lite());
    assert!(!video.is_declined(), "bundle-only");
    let a = &audio.media.attributes;
    assert!(a.rtcp_mux());
    assert_eq!(a.mid(), Some("0"));
    assert_eq!(a.ice_options().collect::<Vec<_>>(), ["trickle"]);
    assert_eq!(a.msid().unwrap().track.as_deref(), Some("audio0"));
    assert_eq!(a.extmaps()[1].direction, Some(Direction::RecvOnly));
    assert_eq!(
        a.extmaps()[0],
        ExtMap::new(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")
    );
    let candidates = a.candidates();
    assert_eq!(
        candidates[0].addr(),
        Some("192.0.2.33:51234".parse().unwrap())
    );
    assert_eq!(candidates[0].kind, CandidateType::Host);
    assert_eq!(candidates[1].addr(), None, "the name hides the address");
    let v = &video.media.attributes;
    assert_eq!(v.ssrc_groups(), [SsrcGroup::fid(2001, 2002)]);
    assert_eq!(v.ssrc_ids(), [2001, 2002]);
    assert_eq!(v.ssrcs()[0], Ssrc::new(2001, "cname", "abc"));
    assert_eq!(v.rtcp_feedback()[0].payload_type, None);
    assert_eq!(
        v.rtcp_feedback()[1],
        RtcpFeedback::new(96, "ccm", Some("fir"))
    );
    assert_eq!(v.fmtp(97).unwrap().get("apt"), Some("96"));
    assert_eq!(
        v.rids()[0].restrictions.as_deref(),
        Some("pt=96;max-width=320")
    );
    let simulcast = v.simulcast().unwrap();
    assert!(simulcast.send[0][0].paused && simulcast.send[1][1].id == "lo");
    assert!(simulcast.recv.is_empty() && v.rtcp_rsize());
}

#[test]
fn typed_values_are_written_as_they_were_read() {
    let session = Session::parse(BROWSER).unwrap();
    for media in &session.media {
        let a = &media.attributes;
        let mut written: Vec<String> = Vec::new();
        written.extend(a.rtpmaps().iter().map(|v| format!("rtpmap:{v}")));
        written.extend(a.fmtps().iter().map(|v| format!("fmtp:{v}")));
        written.extend(a.rtcp_feedback().iter().map(|v| format!("rtcp-fb:{v}")));
        written.extend(a.extmaps().iter().map(|v| format!("extmap:{v}")));
        written.extend(a.candidates().iter().map(|v| format!("candidate:{v}")));
        written.extend(a.ssrcs().iter().map(|v| format!("ssrc:{v}")));
        written.extend(a.ssrc_groups().iter().map(|v| format!("ssrc-group:{v}")));
        written.extend(a.rids().iter().map(|v| format!("rid:{v}")));
        written.extend(a.simulcast().iter().map(|v| format!("simulcast:{v}")));
        written.extend(a.msid().iter().map(|v| format!("msid:{v}")));
        written.extend(a.rtcp().iter().map(|v| format!("rtcp:{v}")));
        assert!(written.len() > 8);
        for line in written {
            assert!(BROWSER.contains(&format!("a={line}\r\n")), "{line}");
        }
    }
    let fingerprint = session.attributes.fingerprint().unwrap();
    assert!(BROWSER.contains(&format!("a=fingerprint:{fingerprint}\r\n")));
}

#[test]
fn sha_256_is_preferred_among_fingerprints() {
    let found =
        attributes("a=fingerprint:SHA-1 AA:bb\na=fingerprint:sha-256 01:02\n").fingerprint();
    assert_eq!(found.unwrap().digest, [1, 2]);
    let only = attributes("a=fingerprint:SHA-1 AA:bb\n")
        .fingerprint()
        .unwrap();
    assert_eq!(
        (only.hash.as_str(), only.digest),
        ("sha-1", vec![0xAA, 0xBB])
    );
    assert!(
        attributes("a=fingerprint:sha-256 1:2\n")
            .fingerprint()
            .is_none()
    );
}

#[test]
fn host_candidates_get_the_priority_of_rfc_8445() {
    let candidate = Candidate::host("1", "192.0.2.1:3478".parse().unwrap(), 65_535);
    assert_eq!(
        candidate.to_string(),
        "1 1 udp 2130706431 192.0.2.1 3478 typ host"
    );
}

#[test]
fn an_answer_is_built_in_the_order_of_its_calls() {
    let mut media = Media::new(MediaKind::Audio, 9, Protocol::DtlsSavpf, vec!["111".into()]);
    media.attributes.add("mid", "0");
    media.attributes.flag("rtcp-mux");
    media.attributes.add("setup", Setup::Passive);
    media.attributes.add_direction(Direction::SendRecv);
    media.attributes.add("x", "a\r\nm=evil 1 RTP/AVP 0");
    let mut session = Session {
        origin: Some(Origin::new(7, 1, "192.0.2.1".parse().unwrap())),
        media: vec![media],
        ..Session::default()
    };
    session
        .attributes
        .add("group", Group::bundle(vec!["0".into()]));
    assert_eq!(
        session.to_string(),
        "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtcp-mux\r\na=setup:passive\r\n\
         a=sendrecv\r\na=x:a  m=evil 1 RTP/AVP 0\r\n"
    );
}

#[test]
fn a_declined_section_keeps_its_line_and_mid() {
    let offer =
        Session::parse("v=0\nm=video 5004/2 RTP/SAVP 96 97\na=mid:v\na=rtpmap:96 H264/90000\n");
    let declined = offer.unwrap().media[0].declined();
    assert_eq!(
        declined.to_string(),
        "m=video 0 RTP/SAVP 96 97\r\na=mid:v\r\n"
    );
}

#[test]
fn capability_lines_are_kept_and_change_nothing() {
    let session = session(
        "a=tcap:1 RTP/SAVP\n",
        "a=pcfg:1 t=1 a=1\na=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAEC\n",
    );
    let media = &session.media[0];
    assert_eq!(media.protocol, Protocol::RtpAvp);
    assert!(media.attributes.cryptos().is_empty());
    assert!(media.attributes.has("pcfg"));
}

proptest! {
    #[test]
    fn a_description_written_and_read_is_the_same(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-zA-Z]=[^\r\n]{0,20}",
                "a=[a-z-]{1,8}(:[^\r\n]{0,20})?",
                "m=(audio|video|x) [0-9]{1,4} [A-Z/]{1,9}( [0-9]{1,3}){0,4}",
                "[bc]=[A-Z]{2}( IP[46] |:)[0-9.]{1,9}",
            ],
            0..30,
        )
    ) {
        let text = format!("v=0\r\n{}\r\n", lines.join("\r\n"));
        if let Ok(session) = Session::parse(&text) {
            prop_assert_eq!(Session::parse(session.to_string()), Ok(session));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut text = b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=".to_vec();
        let _ = Session::parse(&bytes);
        text.extend(bytes);
        let _ = Session::parse(&text);
    }

    #[test]
    fn no_attribute_value_makes_a_typed_reader_panic(value in "[ -~é]{0,30}") {
        let mut attributes = Attributes::new();
        for name in [
            "rtpmap", "fmtp", "rtcp-fb", "extmap", "ptime", "rtcp", "crypto", "fingerprint", "setup",
            "candidate", "group", "msid", "ssrc", "ssrc-group", "rid", "simulcast",
        ] {
            attributes.add(name, &value);
        }
        let _ = (attributes.rtpmaps(), attributes.fmtps(), attributes.rtcp_feedback());
        let _ = (attributes.extmaps(), attributes.ptime(), attributes.rtcp(), attributes.cryptos());
        let _ = (attributes.fingerprint(), attributes.setup(), attributes.candidates());
        let _ = (attributes.bundle(), attributes.msid(), attributes.ssrcs());
        let _ = (attributes.ssrc_groups(), attributes.rids(), attributes.simulcast());
    }

    #[test]
    fn a_crypto_line_written_and_read_is_the_same(
        key in prop::collection::vec(any::<u8>(), 0..48),
        tag in any::<u32>(),
        lifetime in prop::option::of(any::<u64>()),
        mki in prop::option::of((any::<u64>(), 1_u8..=128)),
    ) {
        let mut crypto = Crypto::new(tag, &SdesKey::new(SrtpProfile::AeadAes256Gcm, key));
        crypto.keys[0].lifetime = lifetime;
        crypto.keys[0].mki = mki.map(|(value, length)| Mki { value, length });
        let mut attributes = Attributes::new();
        attributes.add("crypto", &crypto);
        prop_assert_eq!(attributes.cryptos(), [crypto]);
    }
}
