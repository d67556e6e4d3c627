//! ICE, which we answer as a lite agent, and bundles, which may hold our section alone.

use super::*;

const CREDENTIALS: &str = "a=ice-ufrag:them\na=ice-pwd:0123456789012345678901\n";
const CANDIDATES: &str = "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host\n\
                          a=candidate:1 2 UDP 2130706430 192.0.2.1 4001 typ host\n";

fn answered(text: &str) -> (Session, LegPlan) {
    Pair::new(SrtpPolicy::Prefer).answer(text).unwrap()
}

fn is_ice(plan: &LegPlan) -> bool {
    matches!(plan.connectivity, Connectivity::IceLite { .. })
}

#[test]
fn an_ice_offer_is_answered_with_our_candidates_as_a_lite_agent() {
    for (mux, components) in [("", vec![1, 2]), ("a=rtcp-mux\n", vec![1])] {
        let text = offer(&format!("{PLAIN}{CREDENTIALS}{CANDIDATES}{mux}"));
        let (answer, plan) = answered(&text);
        assert!(answer.attributes.has("ice-lite"));
        let audio = &answer.media[0].attributes;
        assert_eq!(audio.ice_ufrag(), Some("ours"));
        let candidates = audio.candidates();
        let listed: Vec<u16> = candidates.iter().map(|c| c.component).collect();
        assert_eq!(listed, components);
        assert_eq!(candidates[0].addr(), Some(local().rtp));
        let Connectivity::IceLite { remote } = &plan.connectivity else {
            panic!("no ICE");
        };
        assert_eq!(remote.ufrag, "them");
    }
}

#[test]
fn a_changed_address_is_a_mismatch_and_the_address_counts() {
    for candidates in [
        CANDIDATES.replace("192.0.2.1 4000", "10.0.0.1 4000"),
        CANDIDATES.replace("192.0.2.1 4001", "192.0.2.1 4011"),
        String::new(),
    ] {
        let (answer, plan) = answered(&offer(&format!("{PLAIN}{CREDENTIALS}{candidates}")));
        assert!(answer.media[0].attributes.has("ice-mismatch"));
        assert!(!answer.media[0].attributes.has("candidate"));
        assert!(!answer.attributes.has("ice-lite") && !is_ice(&plan));
    }
}

#[test]
fn candidates_may_come_later() {
    let text = offer(&format!(
        "m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\n{CREDENTIALS}a=ice-options:trickle\na=rtcp-mux\n"
    ));
    let (answer, plan) = answered(&text);
    assert!(is_ice(&plan) && answer.attributes.has("ice-lite"));
}

#[test]
fn towards_another_lite_agent_and_without_sound_credentials_the_addresses_count() {
    for text in [
        offer(&format!("a=ice-lite\n{PLAIN}{CREDENTIALS}{CANDIDATES}")),
        offer(&format!(
            "{PLAIN}a=ice-ufrag:t\na=ice-pwd:0123456789012345678901\n{CANDIDATES}"
        )),
        offer(&format!(
            "{PLAIN}a=ice-ufrag:them\na=ice-pwd:short\n{CANDIDATES}"
        )),
        offer(&format!("{PLAIN}{CANDIDATES}")),
    ] {
        let (answer, plan) = answered(&text);
        assert!(!is_ice(&plan), "{text}");
        assert!(!answer.media[0].attributes.has("ice-ufrag"));
    }
}

#[test]
fn our_later_offer_keeps_the_way() {
    let mut pair = Pair::new(SrtpPolicy::Prefer);
    let text = offer(&format!("{PLAIN}{CREDENTIALS}{CANDIDATES}"));
    let (_, plan) = pair.answer(&text).unwrap();
    let ours = pair.offer();
    assert_eq!(ours.media[0].attributes.ice_ufrag(), Some("ours"));
    let later = pair.agreement.take_answer(text.as_bytes()).unwrap();
    assert_eq!(later.connectivity, plan.connectivity);
}

#[test]
fn of_a_bundle_our_section_alone_remains() {
    let text = offer(
        "a=group:BUNDLE v a\nm=video 5000 RTP/AVP 97\na=mid:v\na=rtpmap:97 VP8/90000\n\
         m=audio 4000 RTP/AVP 0\na=mid:a\nm=application 4004 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\n",
    );
    let (answer, _) = answered(&text);
    assert_eq!(answer.attributes.bundle(), Some(vec!["a".to_owned()]));
    let ports: Vec<u16> = answer.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [0, 10_000, 0]);
    let mids: Vec<_> = answer.media.iter().map(|m| m.attributes.mid()).collect();
    assert_eq!(mids, [Some("v"), Some("a"), Some("d")]);
    let unbundled = answered(&offer(&format!("{PLAIN}a=mid:a\n"))).0;
    assert_eq!(unbundled.attributes.bundle(), None);
}
