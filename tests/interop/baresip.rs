//! baresip as room system and phone.

use std::time::Duration;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::pace;
use crate::support::server::Server;

/// The peer itself: two baresips with each other, no server between. When this fails, the peer's set-up is at fault.
#[test]
fn two_baresips_hear_each_other_over_tls_and_sdes() {
    let folder = tempfile::tempdir().unwrap();
    let callee = Phone {
        answers: true,
        ..Phone::new("callee", 1000.0, Codec::Opus)
    };
    let Some(mut callee) = Baresip::start(&folder.path().join("callee"), callee) else {
        return;
    };
    let Some(mut caller) = Baresip::start(
        &folder.path().join("caller"),
        Phone::new("caller", 440.0, Codec::Opus),
    ) else {
        return;
    };
    caller.dial(&format!("sip:callee@{};transport=tls", callee.address));
    caller.press("12#");
    pace::run_for(Duration::from_secs(3));
    caller.hang_up();
    callee.wait_for_end();
    let (at_caller, at_callee) = (caller.heard(), callee.heard());
    assert!(
        at_caller.has_tone(1000.0) && !at_caller.has_tone(440.0),
        "{}",
        caller.output()
    );
    assert!(
        at_callee.has_tone(440.0) && !at_callee.has_tone(1000.0),
        "{}",
        callee.output()
    );
    assert!(caller.output().contains("SRTP is Enabled"));
    let (sent, received) = caller.packets();
    assert!(
        sent > 100 && received > 100,
        "{sent} sent, {received} received"
    );
}

/// A phone with a tone, in a folder of the server's.
fn phone(server: &Server, phone: Phone) -> Option<Baresip> {
    Baresip::start(&server.scratch(phone.name), phone)
}

/// The address that joins a meeting directly.
fn meeting_uri(server: &Server, pin: &str) -> String {
    format!("sip:{pin}@{};transport=tls", server.sip_tls())
}

/// Time for sound to cross jitter buffers and mixer, and then to be heard.
fn let_them_talk() {
    pace::run_for(Duration::from_secs(4));
}

#[test]
fn two_phones_in_a_meeting_hear_each_other_and_not_themselves() {
    let server = Server::start(&[]);
    let uri = meeting_uri(&server, &server.meeting_create().pin);
    let Some(mut low) = phone(&server, Phone::new("low", 440.0, Codec::Opus)) else {
        return;
    };
    let Some(mut high) = phone(&server, Phone::new("high", 1000.0, Codec::Opus)) else {
        return;
    };
    low.dial(&uri);
    high.dial(&uri);
    let_them_talk();
    high.hang_up();
    low.hang_up();
    assert!(low.heard().has_tone(1000.0), "low did not hear high");
    assert!(!low.heard().has_tone(440.0), "low heard itself");
    assert!(high.heard().has_tone(440.0), "high did not hear low");
    assert!(!high.heard().has_tone(1000.0), "high heard itself");
}

#[test]
fn phones_with_different_codecs_are_in_the_same_room() {
    let server = Server::start(&[]);
    let uri = meeting_uri(&server, &server.meeting_create().pin);
    let voices = [
        ("opus", 440.0, Codec::Opus),
        ("g722", 2500.0, Codec::G722),
        ("pcmu", 1100.0, Codec::Pcmu),
        ("pcma", 1700.0, Codec::Pcma),
    ];
    let mut phones = Vec::new();
    for (name, tone, codec) in voices {
        let Some(mut phone) = phone(&server, Phone::new(name, tone, codec)) else {
            return;
        };
        phone.dial(&uri);
        phones.push(phone);
    }
    let_them_talk();
    for phone in &mut phones {
        phone.hang_up();
    }
    for (own, phone) in phones.iter().enumerate() {
        let heard = phone.heard();
        for (other, (name, tone, _)) in voices.iter().enumerate() {
            let expected = other != own;
            let level = heard.tone_dbfs(*tone);
            assert_eq!(
                heard.has_tone(*tone),
                expected,
                "{} hearing {name} ({level:.1} dB)",
                voices[own].0
            );
        }
    }
}

#[test]
fn a_phone_keys_in_the_meeting_id() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let Some(mut host) = phone(&server, Phone::new("host", 1000.0, Codec::Opus)) else {
        return;
    };
    let Some(mut guest) = phone(&server, Phone::new("guest", 440.0, Codec::Pcmu)) else {
        return;
    };
    host.dial(&meeting_uri(&server, &meeting.pin));
    guest.dial(&meeting_uri(&server, "u"));
    guest.press(&format!("{}#", meeting.pin));
    let_them_talk();
    guest.hang_up();
    host.hang_up();
    assert!(
        guest.heard().has_tone(1000.0),
        "the guest did not hear the host"
    );
    assert!(
        host.heard().has_tone(440.0),
        "the host did not hear the guest"
    );
}

#[test]
fn a_phone_that_never_finds_its_meeting_is_told_and_let_go() {
    let server = Server::start(&[]);
    let Some(mut guest) = phone(&server, Phone::new("guest", 440.0, Codec::Pcmu)) else {
        return;
    };
    guest.dial(&meeting_uri(&server, "u"));
    for _ in 0..3 {
        guest.press("0000000000#");
        // It must have time to say that this was wrong.
        std::thread::sleep(Duration::from_secs(6));
    }
    guest.wait_for_end();
    let spoken = guest.heard();
    let power = spoken
        .samples
        .iter()
        .map(|sample| sample * sample)
        .sum::<f64>()
        / spoken.samples.len() as f64;
    assert!(10.0 * power.log10() > -45.0, "the phone was told nothing");
}

#[test]
fn an_unknown_meeting_is_refused_with_404() {
    let server = Server::start(&[]);
    let Some(mut guest) = phone(&server, Phone::new("guest", 440.0, Codec::Opus)) else {
        return;
    };
    let reason = guest.dial_refused(&meeting_uri(&server, "0000000000"));
    assert!(reason.starts_with("404"), "{reason}");
}

#[test]
fn a_phone_without_encryption_is_refused_over_tls() {
    let server = Server::start(&[]);
    let uri = meeting_uri(&server, &server.meeting_create().pin);
    let Some(mut plain) = phone(
        &server,
        Phone {
            encryption: "",
            ..Phone::new("plain", 440.0, Codec::Opus)
        },
    ) else {
        return;
    };
    let reason = plain.dial_refused(&uri);
    assert!(reason.starts_with("488"), "{reason}");
}
