//! Session descriptions.

use wire::sdp::Session;

/// A description: no panic; every typed reader is called; what is accepted reads the same after it was
/// written.
pub fn sdp(data: &[u8]) {
    let Ok(session) = Session::parse(data) else {
        return;
    };
    for section in session.sections() {
        let _ = (section.rtp_addr(), section.rtcp_addr(), section.direction());
        let _ = (section.fingerprint(), section.setup(), section.ice());
        let _ = (section.ptime(), section.maxptime(), section.media.codecs());
        let attributes = &section.media.attributes;
        let _ = (attributes.fmtps(), attributes.rtcp_feedback());
        let _ = (attributes.extmaps(), attributes.candidates());
        let _ = (attributes.ssrc_ids(), attributes.ssrc_groups());
        let _ = (attributes.rids(), attributes.simulcast(), attributes.msid());
        for crypto in attributes.cryptos() {
            let mut copy = section.media.declined();
            copy.attributes.add("crypto", &crypto);
            assert_eq!(copy.attributes.cryptos(), [crypto]);
        }
    }
    let _ = session.attributes.bundle();
    let text = session.to_string();
    if text.len() > 64 * 1024 {
        return;
    }
    match Session::parse(&text) {
        Ok(again) => assert_eq!(session, again),
        Err(e) => panic!("refused what we wrote: {e}\n{text}"),
    }
}
