//! Reports and feedback, written by us and by others, and what must be refused.

use proptest::prelude::*;

use super::*;

fn all(datagram: &[u8]) -> Vec<Result<Packet, RtcpError>> {
    read(datagram).collect()
}

fn only(datagram: &[u8]) -> Packet {
    let mut packets = all(datagram);
    assert_eq!(packets.len(), 1);
    packets.remove(0).unwrap()
}

fn report(ssrc: u32) -> ReceptionReport {
    ReceptionReport {
        ssrc,
        fraction_lost: 64,
        total_lost: 70_000,
        highest_sequence: 0x0001_0002,
        jitter: 160,
        last_sr: 0x1234_5678,
        delay_since_last_sr: 65_536,
    }
}

#[test]
fn a_written_compound_is_read_back_packet_by_packet() {
    let mut out = [0u8; 512];
    let mut w = Writer::new(&mut out);
    let info = SenderInfo {
        ntp: 0x8877_6655_4433_2211,
        rtp: 960,
        packets: 5,
        octets: 800,
    };
    w.sender_report(1, &info, &[report(2)]).unwrap();
    w.receiver_report(1, &[report(3), report(4)]).unwrap();
    w.cname(1, "abcdef").unwrap();
    w.pli(1, 2).unwrap();
    let request = FirRequest {
        ssrc: 2,
        sequence: 9,
    };
    w.fir(1, &[request]).unwrap();
    w.bye(&[1]).unwrap();
    let len = w.len();
    let packets: Vec<Packet> = all(&out[..len]).into_iter().map(Result::unwrap).collect();
    assert_eq!(
        packets,
        [
            Packet::SenderReport {
                ssrc: 1,
                info,
                reports: vec![report(2)]
            },
            Packet::ReceiverReport {
                ssrc: 1,
                reports: vec![report(3), report(4)]
            },
            Packet::Sdes(vec![SdesChunk {
                ssrc: 1,
                cname: Some("abcdef".into())
            }]),
            Packet::Pli {
                sender: 1,
                media: 2
            },
            Packet::Fir {
                sender: 1,
                requests: vec![request]
            },
            Packet::Bye { ssrcs: vec![1] },
        ]
    );
    assert_eq!(info.middle_ntp(), 0x6655_4433);
}

#[test]
fn every_length_of_cname_fills_up_to_the_border() {
    for len in 0..=255 {
        let name = "x".repeat(len);
        let mut out = [0u8; 300];
        let mut w = Writer::new(&mut out);
        w.cname(7, &name).unwrap();
        let end = w.len();
        assert_eq!(end % 4, 0);
        let chunk = SdesChunk {
            ssrc: 7,
            cname: Some(name),
        };
        assert_eq!(only(&out[..end]), Packet::Sdes(vec![chunk]));
    }
}

#[test]
fn more_duplicates_than_losses_make_the_loss_negative() {
    let negative = ReceptionReport {
        total_lost: -3,
        ..report(2)
    };
    let mut out = [0u8; 64];
    let mut w = Writer::new(&mut out);
    w.receiver_report(1, &[negative]).unwrap();
    let len = w.len();
    let Packet::ReceiverReport { reports, .. } = only(&out[..len]) else {
        panic!("not a receiver report");
    };
    assert_eq!(reports, [negative]);
}

#[test]
fn padding_is_neither_a_lost_packet_nor_a_name() {
    // A NACK for one packet, then four octets of padding.
    let nack = [
        0xa1, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 0, 0, 0, 0, 4,
    ];
    assert_eq!(
        only(&nack),
        Packet::Nack {
            sender: 1,
            media: 2,
            lost: vec![7]
        }
    );
    let sdes = [
        0xa1, 202, 0, 4, 0, 0, 0, 1, 1, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 4,
    ];
    let chunk = SdesChunk {
        ssrc: 1,
        cname: Some("a".into()),
    };
    let padded = &sdes[..];
    let mut short = padded.to_vec();
    // The name's chunk ends at the border, so the words between are padding: eight octets of it.
    short[19] = 8;
    assert_eq!(only(&short), Packet::Sdes(vec![chunk]));
}

#[test]
fn impossible_padding_is_refused() {
    for count in [0, 1, 12] {
        let packet = [0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, count];
        assert_eq!(all(&packet), [Err(RtcpError::Padding)], "{count}");
    }
}

#[test]
fn a_malformed_packet_does_not_hide_the_next() {
    // A BYE that announces five sources and has one, then a PLI.
    let datagram = [
        0x85, 203, 0, 1, 0, 0, 0, 1, 0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,
    ];
    assert_eq!(
        all(&datagram),
        [
            Err(RtcpError::TooShort),
            Ok(Packet::Pli {
                sender: 1,
                media: 2
            })
        ]
    );
}

#[test]
fn what_follows_a_wrong_length_is_lost() {
    let datagram = [0x80, 201, 0, 9, 0, 0, 0, 1, 0x81, 206, 0, 2];
    assert_eq!(all(&datagram), [Err(RtcpError::TooShort)]);
    assert_eq!(all(&[0x40, 201, 0, 0]), [Err(RtcpError::Version)]);
    assert_eq!(all(&[]), []);
}

#[test]
fn a_nack_packs_neighbours_and_survives_the_wrap() {
    let lost = [65_534, 65_535, 0, 14, 15, 16, 500];
    let mut out = [0u8; 64];
    let mut w = Writer::new(&mut out);
    w.nack(1, 2, &lost).unwrap();
    let len = w.len();
    // 65534 takes fifteen and sixteen after it along (14 is sixteen after); then 15, then 500.
    assert_eq!(len, 12 + 3 * 4);
    assert_eq!(
        only(&out[..len]),
        Packet::Nack {
            sender: 1,
            media: 2,
            lost: lost.to_vec()
        }
    );
}

#[test]
fn transport_feedback_spells_out_every_packet() {
    // Base 100, four packets: small delta 4 ms, lost, large delta -1 ms, lost. Reference 2 × 64 ms.
    let vector: u16 = 0xc000 | 1 << 12 | 2 << 8;
    let [v0, v1] = vector.to_be_bytes();
    let [d0, d1] = (-4i16).to_be_bytes();
    let datagram = [
        0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 100, 0, 4, 0, 0, 2, 33, v0, v1, 16, d0, d1, 0,
        0, 0,
    ];
    let Packet::Twcc(feedback) = only(&datagram) else {
        panic!("not feedback");
    };
    assert_eq!(feedback.number, 33);
    let at = |sequence, at_us| Arrival { sequence, at_us };
    assert_eq!(
        feedback.packets,
        [
            at(100, Some(132_000)),
            at(101, None),
            at(102, Some(131_000)),
            at(103, None)
        ]
    );
}

#[test]
fn a_receiver_estimate_is_read_in_bits_per_second() {
    let mut datagram = vec![0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
    datagram.extend_from_slice(b"REMB");
    datagram.extend_from_slice(&[1, 3 << 2, 0, 250, 0, 0, 0, 9]);
    assert_eq!(
        only(&datagram),
        Packet::Remb {
            sender: 1,
            bitrate: 250 << 3,
            ssrcs: vec![9]
        }
    );
}

#[test]
fn voip_metrics_say_null_for_what_is_unavailable() {
    let mut datagram = vec![0x80, 207, 0, 10, 0, 0, 0, 1, 7, 0, 0, 8];
    datagram.extend_from_slice(&[0, 0, 0, 2, 5, 6, 7, 8, 0, 100, 0, 200, 0, 30, 0, 40]);
    datagram.extend_from_slice(&[0, 0, 127, 16, 93, 127, 41, 127, 0, 0, 0, 60, 0, 80, 0, 90]);
    let Packet::Xr { ssrc: 1, blocks } = only(&datagram) else {
        panic!("not an extended report");
    };
    let [ExtendedBlock::Voip(metrics)] = blocks.as_slice() else {
        panic!("{blocks:?}");
    };
    assert_eq!(metrics.round_trip_ms, 30);
    assert_eq!(metrics.r_factor, Some(93));
    assert_eq!(metrics.mos_lq_tenths, Some(41));
    assert_eq!(metrics.mos_cq_tenths, None);
    assert_eq!(metrics.jitter_buffer_ms, 60);
}

#[test]
fn extended_reports_are_laid_out_as_rfc_3611_draws_them() {
    let mut out = [0u8; 128];
    let mut w = Writer::new(&mut out);
    let metrics = VoipMetrics {
        ssrc: 0x0102_0304,
        loss_rate: 5,
        discard_rate: 6,
        burst_density: 7,
        gap_density: 8,
        burst_ms: 0x0910,
        gap_ms: 0x1112,
        round_trip_ms: 0x1314,
        end_system_ms: 0x1516,
        signal_level: Some(-20),
        noise_level: None,
        echo_return_loss: None,
        gmin: 16,
        r_factor: Some(93),
        external_r_factor: None,
        mos_lq_tenths: Some(44),
        mos_cq_tenths: Some(43),
        receiver: CONCEALS_AND_ADAPTS,
        jitter_buffer_ms: 60,
        jitter_buffer_most_ms: 80,
        jitter_buffer_limit_ms: 200,
    };
    let dlrr = DlrrReport {
        ssrc: 9,
        last_rr: 0x0a0b_0c0d,
        delay_since_last_rr: 65_536,
    };
    let blocks = [
        ExtendedBlock::ReferenceTime(0x0011_2233_4455_6677),
        ExtendedBlock::Dlrr(vec![dlrr]),
        ExtendedBlock::Voip(metrics),
    ];
    w.extended(1, &blocks).unwrap();
    let len = w.len();
    let expected: &[u8] = &[
        0x80, 207, 0, 17, 0, 0, 0, 1, // head: 18 words, sender
        4, 0, 0, 2, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, // §4.4
        5, 0, 0, 3, 0, 0, 0, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0, 1, 0, 0, // §4.5
        7, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15,
        0x16, // §4.7
        0xec, 127, 127, 16, 93, 127, 44, 43, 0xb0, 0, 0, 60, 0, 80, 0, 200,
    ];
    assert_eq!(&out[..len], expected);
    assert_eq!(
        only(&out[..len]),
        Packet::Xr {
            ssrc: 1,
            blocks: blocks.to_vec()
        }
    );
}

#[test]
fn a_block_that_nobody_knows_or_that_does_not_fit_its_type_hides_no_other() {
    let mut datagram = vec![0x80, 207, 0, 9, 0, 0, 0, 1];
    datagram.extend_from_slice(&[200, 1, 0, 1, 9, 9, 9, 9]);
    datagram.extend_from_slice(&[7, 0, 0, 1, 9, 9, 9, 9]);
    datagram.extend_from_slice(&[5, 0, 0, 0]);
    datagram.extend_from_slice(&[4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    let blocks = vec![
        ExtendedBlock::Unknown,
        ExtendedBlock::Unknown,
        ExtendedBlock::Dlrr(Vec::new()),
        ExtendedBlock::ReferenceTime((1 << 32) + 2),
    ];
    assert_eq!(only(&datagram), Packet::Xr { ssrc: 1, blocks });
    // The last block is longer than the packet.
    datagram[31] = 3;
    assert_eq!(all(&datagram), [Err(RtcpError::TooShort)]);
}

#[test]
fn what_costs_more_to_read_than_to_send_has_limits() {
    let many = [0x80, 201, 0, 1, 0, 0, 0, 1].repeat(100);
    let read = all(&many);
    assert_eq!(read.len(), 65);
    assert_eq!(read.last(), Some(&Err(RtcpError::TooMany)));
    assert!(read.iter().take(64).all(Result::is_ok));

    let mut blocks = vec![0x80, 207, 0, 66, 0, 0, 0, 1];
    blocks.extend([9, 0, 0, 0].repeat(65));
    assert_eq!(all(&blocks), [Err(RtcpError::TooMany)]);

    // Eight chunks of 8191 packets that did not arrive.
    let mut feedback = vec![0x8f, 205, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xff, 0xff];
    feedback.extend([0, 0, 0, 0]);
    feedback.extend([0x1f, 0xff].repeat(8));
    assert_eq!(all(&feedback), [Err(RtcpError::TooMany)]);
}

#[test]
fn application_packets_are_read_as_unknown() {
    let datagram = [0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
    assert_eq!(
        only(&datagram),
        Packet::Unknown {
            packet_type: 204,
            format: 0
        }
    );
}

#[test]
fn a_packet_without_room_leaves_nothing_behind() {
    let mut out = [0u8; 20];
    let mut w = Writer::new(&mut out);
    w.pli(1, 2).unwrap();
    assert_eq!(w.receiver_report(1, &[report(2)]), Err(RtcpError::NoRoom));
    assert_eq!(w.bye(&[0; 32]), Err(RtcpError::TooMany));
    assert_eq!(w.len(), 12);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(read(&bytes).count() <= bytes.len() / 4 + 1);
    }

    #[test]
    fn any_body_of_any_packet_type_is_read_or_refused_without_panic(
        first in 0x80u8..=0xbf, kind in 192u8..=223, body in prop::collection::vec(any::<[u8; 4]>(), 0..40)
    ) {
        let mut bytes = vec![first, kind, 0, u8::try_from(body.len()).unwrap()];
        bytes.extend(body.concat());
        prop_assert_eq!(read(&bytes).count(), 1);
    }
}
