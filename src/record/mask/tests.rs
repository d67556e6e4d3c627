//! What must not be found in a log, and what must stay whole.

use super::*;

fn mask(text: &str) -> String {
    sip_message(
        text.as_bytes(),
        &["meet.example.org".into(), "127.0.0.1".into(), "::1".into()],
    )
}

#[test]
fn meeting_ids_are_masked_wherever_they_stand_and_phone_numbers_are_not() {
    let text = "INVITE sip:1234567890@meet.example.org SIP/2.0\r\n\
                To: <sips:1234567890123@127.0.0.1:5061>;tag=1\r\n\
                Contact: <sip:1234567890@[::1]:5061>\r\n\
                From: \"1234567890\" <sip:2065550100@pbx.example.com>\r\n";
    let expected = "INVITE sip:XXXXXXXXXX@meet.example.org SIP/2.0\r\n\
                    To: <sips:XXXXXXXXXX@127.0.0.1:5061>;tag=1\r\n\
                    Contact: <sip:XXXXXXXXXX@[::1]:5061>\r\n\
                    From: \"XXXXXXXXXX\" <sip:2065550100@pbx.example.com>\r\n";
    assert_eq!(mask(text), expected);
}

#[test]
fn a_meeting_id_with_parameters_escapes_or_a_password_is_masked_too() {
    for (uri, expected) in [
        (
            "sip:1234567890;phone-context=meet.example.org@meet.example.org",
            "sip:XXXXXXXXXX;phone-context=meet.example.org@meet.example.org",
        ),
        (
            "sip:u;phone-context=1234567890@127.0.0.1",
            "sip:u;phone-context=XXXXXXXXXX@127.0.0.1",
        ),
        (
            "sip:%31234567%389%30@meet.example.org",
            "sip:XXXXXXXXXX@meet.example.org",
        ),
        (
            "SIPS:123456789012%33%3Bisub=1@MEET.example.org.",
            "SIPS:XXXXXXXXXX%3Bisub=1@MEET.example.org.",
        ),
        (
            "sip:1234567890:1234567890@meet.example.org",
            "sip:XXXXXXXXXX:XXXX@meet.example.org",
        ),
        (
            "sip:1234567890:pass;word@meet.example.org;transport=tls",
            "sip:XXXXXXXXXX:XXXX@meet.example.org;transport=tls",
        ),
    ] {
        for (before, after) in [("INVITE ", " SIP/2.0\r\n"), ("To: <", ">;tag=1\r\n")] {
            assert_eq!(
                mask(&format!("{before}{uri}{after}")),
                format!("{before}{expected}{after}")
            );
        }
    }
}

#[test]
fn every_spelling_of_our_addresses_counts() {
    for host in [
        "[0:0:0:0:0:0:0:1]",
        "[::0001]:5061",
        "[0000:0000:0000:0000:0000:0000:0000:0001];x",
        "[::ffff:127.0.0.1]",
        "[::FFFF:7f00:1]",
        "127.0.0.1:5060",
    ] {
        let text = format!("INVITE sip:1234567890@{host} SIP/2.0\r\n");
        let expected = format!("INVITE sip:XXXXXXXXXX@{host} SIP/2.0\r\n");
        assert_eq!(mask(&text), expected);
    }
    assert_eq!(
        mask("INVITE tel:1234567890;phone-context=meet.example.org SIP/2.0\r\n"),
        "INVITE tel:XXXXXXXXXX;phone-context=meet.example.org SIP/2.0\r\n"
    );
    let elsewhere = "INVITE tel:1234567890;phone-context=example.net SIP/2.0\r\n";
    assert_eq!(mask(elsewhere), elsewhere);
    for host in ["[::2]", "127.0.0.10", "meet.example.org.evil.example"] {
        let text = format!("INVITE sip:1234567890@{host} SIP/2.0\r\n");
        assert_eq!(mask(&text), text);
    }
}

#[test]
fn numbers_that_only_look_like_meeting_ids_stay() {
    for line in [
        "From: <sip:+4930123456@127.0.0.1>\r\n",
        "From: <sip:12065550100@127.0.0.1>\r\n",
        "From: <sip:a1234567890@127.0.0.1>\r\n",
        "Call-ID: 1-1234567890@127.0.0.1\r\n",
        "Contact: <sip:123-456-7890@127.0.0.1>\r\n",
    ] {
        assert_eq!(mask(line), line);
    }
}

#[test]
fn an_escaped_id_is_masked_where_it_stands_in_plain_as_well() {
    let text = "INVITE sip:%3123456789%30@127.0.0.1 SIP/2.0\r\n\
                Subject: call 1234567890 now\r\n";
    let expected = "INVITE sip:XXXXXXXXXX@127.0.0.1 SIP/2.0\r\n\
                    Subject: call XXXXXXXXXX now\r\n";
    assert_eq!(mask(text), expected);
}

#[test]
fn the_password_of_any_uri_goes() {
    assert_eq!(
        mask("Contact: <sip:bob:geheim@pbx.example.com:5060>\r\n"),
        "Contact: <sip:bob:XXXX@pbx.example.com:5060>\r\n"
    );
    let no_password = "Call-ID:a:b@pbx.example.com\r\n";
    assert_eq!(mask(no_password), no_password);
}

#[test]
fn every_key_of_a_crypto_line_goes_and_lifetime_and_mki_stay() {
    let line =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4;inline:b3RoZXI= KDR=1\r\n";
    let expected = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:XXXX|2^20|1:4;inline:XXXX KDR=1\r\n";
    assert_eq!(mask(line), expected);
}

#[test]
fn credentials_keep_their_scheme_only() {
    let line = "Authorization: Digest username=\"bob\", response=\"00ff\"\r\n";
    assert_eq!(mask(line), "Authorization: Digest XXXX\r\n");
    assert_eq!(mask("proxy-authorization:\r\n"), "proxy-authorization:\r\n");
}

#[test]
fn folded_credentials_go_with_all_their_lines() {
    let text = "\r\n\r\nBYE sip:a@b SIP/2.0\r\n\
                Authorization:\r\n Digest username=\"bob\",\r\n\tnonce=\"abc\",\r\n response=\"00ff\"\r\n\
                Subject: stays\r\n whole\r\n\
                Proxy-Authorization : Digest username=\"bob\",\n response=\"11ee\"\r\n\
                \r\n indented body\r\n";
    let expected = "\r\n\r\nBYE sip:a@b SIP/2.0\r\n\
                    Authorization:\r\n\
                    Subject: stays\r\n whole\r\n\
                    Proxy-Authorization : Digest XXXX\n\
                    \r\n indented body\r\n";
    assert_eq!(mask(text), expected);
}

#[test]
fn credentials_go_whatever_ends_the_lines_and_wherever_they_are_carried() {
    let text =
        "BYE sip:a@b SIP/2.0\rAuthorization: Digest response=\"00ff\"\r response=\"2\"\rTo: x\r";
    assert_eq!(
        mask(text),
        "BYE sip:a@b SIP/2.0\rAuthorization: Digest XXXX\rTo: x\r"
    );
    let nested = "NOTIFY sip:a@b SIP/2.0\r\n\r\nSIP/2.0 200 OK\r\nAuthorization: Basic Ym9i\r\n";
    assert_eq!(
        mask(nested),
        "NOTIFY sip:a@b SIP/2.0\r\n\r\nSIP/2.0 200 OK\r\nAuthorization: Basic XXXX\r\n"
    );
    assert_eq!(
        mask("Refer-To: <sip:a@b?Authorization=Digest%20response%3D1&X=2>\r\n"),
        "Refer-To: <sip:a@b?Authorization=XXXX&X=2>\r\n"
    );
}

#[test]
fn keys_that_an_info_reports_go() {
    let text = "INFO sip:a@b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n\
                Signal= 5\r\nDuration= 160\r\n";
    let expected = "INFO sip:a@b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n\
                    Signal= X\r\nDuration= 160\r\n";
    assert_eq!(mask(text), expected);
    let bare = "INFO sip:a@b SIP/2.0\r\nc: application/dtmf\r\n\r\n#";
    assert_eq!(
        mask(bare),
        "INFO sip:a@b SIP/2.0\r\nc: application/dtmf\r\n\r\nX"
    );
}

#[test]
fn ice_passwords_and_old_key_lines_go() {
    assert_eq!(
        mask("a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"),
        "a=ice-pwd:XXXX\r\n"
    );
    assert_eq!(mask("k=clear:secret\n"), "k=XXXX\n");
}

#[test]
fn a_message_without_secrets_stays_whole_even_with_odd_octets() {
    let text = "OPTIONS sip:meet.example.org SIP/2.0\r\nSubject: a@b \"@@\r\n\r\n%4@%zz@127.0.0.1";
    assert_eq!(mask(text), text);
    assert_eq!(sip_message(b"\xff@\xfe", &[]), "\u{fffd}@\u{fffd}");
    assert_eq!(mask(""), "");
    assert_eq!(mask("\r\r\n\n@"), "\r\r\n\n@");
}

#[test]
fn no_text_whatever_stops_the_masking() {
    const PIECES: [&str; 24] = [
        "sip:",
        "sips:",
        "tel:",
        "@",
        ":",
        ";",
        "<",
        ">",
        "\"",
        "%3",
        "%31",
        "1234567890",
        "meet.example.org",
        "[::1]",
        "\u{a0}",
        "\u{2003}",
        "ß",
        "\u{10ffff}",
        "\r\n",
        "\r\n ",
        "Authorization: ",
        "inline:",
        "phone-context=",
        "\0",
    ];
    let mut state = 1_u64;
    let mut chance = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let pieces = 1 + chance(30);
        let text: String = (0..pieces).map(|_| PIECES[chance(PIECES.len())]).collect();
        let masked = mask(&text);
        assert!(
            !masked.contains("sip:1234567890@meet.example.org"),
            "{text:?}"
        );
    }
}
