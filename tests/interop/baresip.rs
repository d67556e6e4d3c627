//! baresip as room system and phone.

use crate::support::baresip::{Baresip, Codec, Phone};

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
    std::thread::sleep(std::time::Duration::from_secs(3));
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
