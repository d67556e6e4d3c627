//! Who may call: foreign phones that are asked for a digest, and what is written down of it.
//!
//! SIPp and baresip (of Debian 12) give up on a challenge for SHA-256 instead of reading on to the one for MD5, as
//! RFC 8760 §2.4 wants: they call listeners whose users have an MD5 hash only. linphone answers SHA-256.

use std::time::Duration;

use serde_json::Value;

use crate::linphone::{Linphone, Setup};
use crate::sipp::{Scenario, sipp, stunnel};
use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::server::Server;
use crate::support::{pace, wait_for};

/// `printf 'ann:test.example:zanzibar-opens' | md5sum`.
const MD5_ONLY: &str = r#"["ann:{MD5}efbd81699fa6d2cd1e3e0d48ba5e3182"]"#;
/// `printf 'linphone:test.example:zanzibar-opens' | sha256sum`.
const SHA_256_ONLY: &str =
    r#"["linphone:{SHA-256}0c2aad4ac871c5b1b9261123970e2b46cbe0f3774305c7ec66b326ce8880146c"]"#;
const PASSWORD: &str = "zanzibar-opens";

/// A server whose listeners have one user.
fn server(users: &str) -> Server {
    Server::start(&[
        ("sip.realm", "test.example"),
        ("sip.tls.users", users),
        ("sip.tcp.users", users),
        ("sip.udp.users", users),
        ("sip.tls.srtp", "prefer"),
        ("log.level", "trace"),
    ])
}

/// The users of all calls in the record, once there are as many as that.
fn recorded_users(server: &Server, calls: usize) -> Vec<Value> {
    wait_for("the call records", Duration::from_secs(15), || {
        let records: Vec<Value> = server
            .objects()
            .into_iter()
            .filter(|(key, _)| key.contains("Amazon-Chime-Voice-Connector-CDRs/json/"))
            .map(|(_, text)| serde_json::from_slice::<Value>(&text).unwrap()["SipAuthUser"].take())
            .collect();
        (records.len() >= calls).then_some(records)
    })
}

/// Password, hash and digests are nowhere.
fn check_silence(server: &Server) {
    let messages: Vec<String> = server
        .logs("aws/ChimeVoiceConnectorSipMessages")
        .iter()
        .map(|line| line["sip_message"].as_str().unwrap().to_owned())
        .collect();
    let masked = |m: &String| m.contains("\r\nAuthorization: ") && m.contains("Digest XXXX\r\n");
    assert!(messages.iter().any(masked), "{messages:#?}");
    let all = format!("{}{}{}", messages.concat(), server.log(), server.metrics());
    for secret in [
        PASSWORD,
        "efbd81699fa6d2cd1e3e0d48ba5e3182",
        "0c2aad4ac871c5b1b9261123970e2b46cbe0f3774305c7ec66b326ce8880146c",
        "response=\"",
    ] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[test]
fn sipp_answers_over_every_transport_and_a_wrong_password_is_asked_again() {
    let server = server(MD5_ONLY);
    let meeting = server.meeting_create();
    let folder = server.scratch("sipp");
    let Some((_stunnel, tls)) = stunnel(&folder, server.sip_tls()) else {
        return;
    };
    let ready = server.ready().clone();
    for (transport, to) in [
        ("u1", ready.sip_udp.unwrap()),
        ("t1", ready.sip_tcp.unwrap()),
        ("t1", tls),
    ] {
        for scenario in [
            Scenario::Digest(PASSWORD),
            Scenario::DigestRefused("guessed-wrong"),
        ] {
            let Some((well, words)) = sipp(&folder, &scenario, transport, to, &meeting.pin) else {
                return;
            };
            assert!(well, "{transport} {to}: {words}");
        }
    }
    let users = recorded_users(&server, 3);
    assert_eq!(users, ["ann"; 3], "who was not believed has no call");
    let page = server.metrics();
    assert!(
        page.contains("campanile_sip_denied_total{why=\"wrong\"} 3"),
        "{page}"
    );
    assert!(
        page.contains("campanile_sip_denied_total{why=\"missing\"} 6"),
        "{page}"
    );
    assert_eq!(server.log().matches("a caller was not believed").count(), 3);
    check_silence(&server);
}

#[test]
fn baresip_calls_over_tls_with_its_password_and_is_refused_with_another() {
    let server = server(MD5_ONLY);
    let uri = format!(
        "sip:{}@{};transport=tls",
        server.meeting_create().pin,
        server.sip_tls()
    );
    let phone = |name, account| {
        let phone = Phone {
            account: Some(("ann", account)),
            ..Phone::new(name, 440.0, Codec::Opus)
        };
        Baresip::start(&server.scratch(name), phone)
    };
    let Some(mut right) = phone("right", PASSWORD) else {
        return;
    };
    let Some(mut wrong) = phone("wrong", "guessed-wrong") else {
        return;
    };
    right.dial(&uri);
    // Over the seconds of a call the other one tries, and tries once.
    let _ = wrong.dial_refused(&uri);
    pace::run_for(Duration::from_secs(2));
    right.hang_up();
    assert!(right.packets().1 > 50, "{}", right.output());
    assert_eq!(recorded_users(&server, 1), ["ann"]);
    check_silence(&server);
}

/// By default it knows MD5 only; this is how it is told.
#[test]
fn linphone_answers_the_challenge_for_sha_256() {
    let server = server(SHA_256_ONLY);
    let uri = format!(
        "sip:{}@{};transport=tls",
        server.meeting_create().pin,
        server.sip_tls()
    );
    let account = format!(
        "[auth_info_0]\nusername=linphone\npasswd={PASSWORD}\nrealm=test.example\nalgorithm=SHA-256\n"
    );
    let Some(mut phone) =
        Linphone::start_with(&server.scratch("phone"), Setup::new(440.0), &account)
    else {
        return;
    };
    phone.dial(&uri);
    pace::run_for(Duration::from_secs(2));
    phone.hang_up();
    assert_eq!(recorded_users(&server, 1), ["linphone"]);
    check_silence(&server);
}
