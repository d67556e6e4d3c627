//! RTP packets, telephone events, redundant audio and RTCP compounds.

use wire::rtcp::{self, Packet, Writer};
use wire::rtp::dtmf::EventPayload;
use wire::rtp::{FixedHeader, MAX_EXTENSIONS, Red, RtpMut, RtpView, demux_class, write_red};

/// A packet: no panic; what is written with its fields reads the same; rewriting a field with its own value
/// changes nothing.
pub fn rtp(data: &[u8]) {
    let _ = demux_class(data);
    let Ok(view) = RtpView::parse(data) else {
        return;
    };
    assert!(view.payload_range().end <= data.len());
    assert_eq!(view.csrcs().count(), usize::from(view.header().csrc_count));
    for id in 0..=16 {
        let _ = (view.audio_level(id), view.mid(id));
    }
    let mut copy = data.to_vec();
    if let Ok(mut packet) = RtpMut::new(&mut copy) {
        packet.set_marker(view.marker());
        packet.set_payload_type(view.payload_type());
        packet.set_sequence(view.sequence());
        packet.set_timestamp(view.timestamp());
        packet.set_ssrc(view.ssrc());
        if let Some(level) = view.audio_level(1) {
            assert!(packet.set_audio_level(1, level));
        }
    }
    assert_eq!(copy, data);

    let elements: Vec<(u8, &[u8])> = view.extensions().take(MAX_EXTENSIONS).collect();
    let header = FixedHeader {
        marker: view.marker(),
        payload_type: view.payload_type(),
        sequence: view.sequence(),
        timestamp: view.timestamp(),
        ssrc: view.ssrc(),
    };
    let mut out = [0u8; 8192];
    let len = header
        .write(&mut out, &elements)
        .unwrap_or_else(|e| panic!("cannot write what was read: {e}"));
    let again = RtpView::parse(&out[..len]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(again.extensions().collect::<Vec<_>>(), elements);
    assert_eq!(again.sequence(), view.sequence());
}

/// A telephone-event payload: what is read is written the same, but for the reserved bit.
pub fn telephone_event(data: &[u8]) {
    let Some(event) = EventPayload::parse(data) else {
        return;
    };
    let bytes = event.to_bytes();
    assert_eq!(bytes[1], data[1] & 0xbf);
    assert_eq!(EventPayload::parse(&bytes), Some(event));
    assert_eq!(event.digit().is_some(), event.event < 16);
}

/// A RED payload: blocks lie within it, and what is read is written the same.
pub fn red(data: &[u8]) {
    let Ok(red) = Red::parse(data) else {
        return;
    };
    let copies: Vec<_> = red.copies().collect();
    assert!(copies.len() <= Red::MOST_COPIES);
    let mut out = vec![0; data.len()];
    let primary = (red.payload_type(), red.primary());
    let written = write_red(&mut out, copies.into_iter(), primary.0, primary.1);
    assert_eq!(written, Ok(data.len()));
    assert_eq!(out, data);
}

/// A compound: no panic, no more packets than there are words; what we can write reads the same.
pub fn rtcp(data: &[u8]) {
    let packets: Vec<_> = rtcp::read(data).collect();
    assert!(packets.len() <= data.len() / 4 + 1);
    let mut out = vec![0u8; 4 * data.len() + 64];
    for packet in packets.into_iter().flatten() {
        let mut writer = Writer::new(&mut out);
        let written = match &packet {
            Packet::SenderReport {
                ssrc,
                info,
                reports,
            } => writer.sender_report(*ssrc, info, reports),
            Packet::ReceiverReport { ssrc, reports } => writer.receiver_report(*ssrc, reports),
            Packet::Bye { ssrcs } => writer.bye(ssrcs),
            Packet::Pli { sender, media } => writer.pli(*sender, *media),
            Packet::Fir { sender, requests } => writer.fir(*sender, requests),
            Packet::Nack {
                sender,
                media,
                lost,
            } => writer.nack(*sender, *media, lost),
            _ => continue,
        };
        written.unwrap_or_else(|e| panic!("cannot write what was read: {e}\n{packet:?}"));
        let len = writer.len();
        let again: Vec<_> = rtcp::read(&out[..len]).flatten().collect();
        assert_eq!(again.len(), 1);
        assert_eq!(sorted(again[0].clone()), sorted(packet));
    }
}

/// A NACK may name a packet twice, and in any order.
fn sorted(mut packet: Packet) -> Packet {
    if let Packet::Nack { lost, .. } = &mut packet {
        lost.sort_unstable();
        lost.dedup();
    }
    packet
}
