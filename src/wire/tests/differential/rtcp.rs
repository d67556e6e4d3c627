//! RTCP beside `rtc-rtcp`: what one writes, the other reads.
//!
//! Our reader has `rtc-rtcp` read the packets that it has cut out, except extended reports, so here the cutting, the
//! extended reports and all of our writing are judged. Known differences, each with its reason:
//!
//! - loss is unsigned there; RFC 3550 §6.4.1 has 24 bits with sign. Ours extends the sign.
//! - one packet that it cannot read makes it refuse the compound; ours reads the others.
//! - it ends a goodbye in padding of one to three octets; RFC 3550 §6.4.1 wants a multiple of four. Ours refuses that.
//! - a block of an extended report whose type it does not know is kept there, and `Unknown` here.

use rtc_rtcp::extended_report::{
    DLRRReport, DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock,
    VoIPMetricsReportBlock,
};
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::packet::Packet as Theirs;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport as TheirReport;
use rtc_rtcp::sender_report::SenderReport;
use wire::rtcp::{
    DlrrReport, ExtendedBlock, Packet, ReceptionReport, RtcpError, SenderInfo, VoipMetrics, Writer,
    read,
};

use super::Dice;

fn report(dice: &mut Dice) -> ReceptionReport {
    ReceptionReport {
        ssrc: dice.next() as u32,
        fraction_lost: dice.next() as u8,
        total_lost: dice.next() as i32 >> 8,
        highest_sequence: dice.next() as u32,
        jitter: dice.next() as u32,
        last_sr: dice.next() as u32,
        delay_since_last_sr: dice.next() as u32,
    }
}

fn reports(dice: &mut Dice) -> Vec<ReceptionReport> {
    (0..dice.below(32)).map(|_| report(dice)).collect()
}

fn info(dice: &mut Dice) -> SenderInfo {
    SenderInfo {
        ntp: dice.next(),
        rtp: dice.next() as u32,
        packets: dice.next() as u32,
        octets: dice.next() as u32,
    }
}

fn metrics(dice: &mut Dice) -> VoipMetrics {
    let octet = |dice: &mut Dice| Some(dice.next() as u8).filter(|octet| *octet != 127);
    VoipMetrics {
        ssrc: dice.next() as u32,
        loss_rate: dice.next() as u8,
        discard_rate: dice.next() as u8,
        burst_density: dice.next() as u8,
        gap_density: dice.next() as u8,
        burst_ms: dice.next() as u16,
        gap_ms: dice.next() as u16,
        round_trip_ms: dice.next() as u16,
        end_system_ms: dice.next() as u16,
        signal_level: octet(dice).map(|octet| octet as i8),
        noise_level: octet(dice).map(|octet| octet as i8),
        echo_return_loss: octet(dice),
        gmin: dice.next() as u8,
        r_factor: octet(dice),
        external_r_factor: octet(dice),
        mos_lq_tenths: octet(dice),
        mos_cq_tenths: octet(dice),
        receiver: dice.next() as u8,
        jitter_buffer_ms: dice.next() as u16,
        jitter_buffer_most_ms: dice.next() as u16,
        jitter_buffer_limit_ms: dice.next() as u16,
    }
}

/// Their word for our value.
fn their_report(r: &ReceptionReport) -> TheirReport {
    TheirReport {
        ssrc: r.ssrc,
        fraction_lost: r.fraction_lost,
        total_lost: r.total_lost as u32 & 0x00ff_ffff,
        last_sequence_number: r.highest_sequence,
        jitter: r.jitter,
        last_sender_report: r.last_sr,
        delay: r.delay_since_last_sr,
    }
}

fn their_metrics(m: &VoipMetrics) -> VoIPMetricsReportBlock {
    let level = |level: Option<i8>| level.map_or(127, |level| level as u8);
    VoIPMetricsReportBlock {
        ssrc: m.ssrc,
        loss_rate: m.loss_rate,
        discard_rate: m.discard_rate,
        burst_density: m.burst_density,
        gap_density: m.gap_density,
        burst_duration: m.burst_ms,
        gap_duration: m.gap_ms,
        round_trip_delay: m.round_trip_ms,
        end_system_delay: m.end_system_ms,
        signal_level: level(m.signal_level),
        noise_level: level(m.noise_level),
        rerl: m.echo_return_loss.unwrap_or(127),
        gmin: m.gmin,
        rfactor: m.r_factor.unwrap_or(127),
        ext_rfactor: m.external_r_factor.unwrap_or(127),
        mos_lq: m.mos_lq_tenths.unwrap_or(127),
        mos_cq: m.mos_cq_tenths.unwrap_or(127),
        rx_config: m.receiver,
        reserved: 0,
        jb_nominal: m.jitter_buffer_ms,
        jb_maximum: m.jitter_buffer_most_ms,
        jb_abs_max: m.jitter_buffer_limit_ms,
    }
}

/// One packet as both say it.
fn pair(dice: &mut Dice) -> (Packet, Box<dyn Theirs>) {
    let ssrc = dice.next() as u32;
    match dice.below(3) {
        0 => {
            let (info, reports) = (info(dice), reports(dice));
            let theirs = SenderReport {
                ssrc,
                ntp_time: info.ntp,
                rtp_time: info.rtp,
                packet_count: info.packets,
                octet_count: info.octets,
                reports: reports.iter().map(their_report).collect(),
                ..SenderReport::default()
            };
            let ours = Packet::SenderReport {
                ssrc,
                info,
                reports,
            };
            (ours, Box::new(theirs))
        }
        1 => {
            let reports = reports(dice);
            let theirs = ReceiverReport {
                ssrc,
                reports: reports.iter().map(their_report).collect(),
                ..ReceiverReport::default()
            };
            (Packet::ReceiverReport { ssrc, reports }, Box::new(theirs))
        }
        _ => {
            let (ntp, metrics) = (dice.next(), metrics(dice));
            let echoes: Vec<DlrrReport> = (0..dice.below(5))
                .map(|_| DlrrReport {
                    ssrc: dice.next() as u32,
                    last_rr: dice.next() as u32,
                    delay_since_last_rr: dice.next() as u32,
                })
                .collect();
            let theirs = ExtendedReport {
                sender_ssrc: ssrc,
                reports: vec![
                    Box::new(ReceiverReferenceTimeReportBlock { ntp_timestamp: ntp }),
                    Box::new(DLRRReportBlock {
                        reports: echoes
                            .iter()
                            .map(|echo| DLRRReport {
                                ssrc: echo.ssrc,
                                last_rr: echo.last_rr,
                                dlrr: echo.delay_since_last_rr,
                            })
                            .collect(),
                    }),
                    Box::new(their_metrics(&metrics)),
                ],
            };
            let blocks = vec![
                ExtendedBlock::ReferenceTime(ntp),
                ExtendedBlock::Dlrr(echoes),
                ExtendedBlock::Voip(metrics),
            ];
            (Packet::Xr { ssrc, blocks }, Box::new(theirs))
        }
    }
}

fn write(writer: &mut Writer<'_>, packet: &Packet) -> Result<(), RtcpError> {
    match packet {
        Packet::SenderReport {
            ssrc,
            info,
            reports,
        } => writer.sender_report(*ssrc, info, reports),
        Packet::ReceiverReport { ssrc, reports } => writer.receiver_report(*ssrc, reports),
        Packet::Xr { ssrc, blocks } => writer.extended(*ssrc, blocks),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_they_write_we_read_and_what_we_write_they_read() {
    let mut dice = Dice(0xfeed_beef_1234_5678);
    let mut packets = 0;
    for _ in 0..2000 {
        let compound: Vec<(Packet, Box<dyn Theirs>)> =
            (0..1 + dice.below(4)).map(|_| pair(&mut dice)).collect();
        packets += compound.len();
        let (ours, theirs): (Vec<Packet>, Vec<Box<dyn Theirs>>) = compound.into_iter().unzip();

        let theirs_written = rtc_rtcp::packet::marshal(&theirs).unwrap();
        let we_read: Vec<Packet> = read(&theirs_written).map(Result::unwrap).collect();
        assert_eq!(we_read, ours);

        let mut room = vec![0; 8192];
        let mut writer = Writer::new(&mut room);
        for packet in &ours {
            write(&mut writer, packet).unwrap();
        }
        let len = writer.len();
        assert_eq!(room[..len], theirs_written[..], "octet by octet");
    }
    println!("{packets} packets written and read by both, octet by octet the same");
}

#[test]
fn a_compound_with_one_bad_packet_is_where_they_differ() {
    let mut room = [0; 64];
    let mut writer = Writer::new(&mut room);
    writer.receiver_report(1, &[]).unwrap();
    let len = writer.len();
    // A goodbye that announces five sources and names one.
    let bad = [0x85, 203, 0, 1, 0, 0, 0, 2];
    let compound = [&room[..len], &bad, &room[..len]].concat();
    assert!(rtc_rtcp::packet::unmarshal(&mut compound.as_slice()).is_err());
    let ours: Vec<_> = read(&compound).collect();
    assert!(ours[0].is_ok() && ours[1].is_err() && ours[2].is_ok());
}

#[test]
fn they_read_our_goodbye_and_we_refuse_the_padding_of_theirs() {
    let mut room = [0; 64];
    let mut writer = Writer::new(&mut room);
    writer.bye(&[7, 8]).unwrap();
    let len = writer.len();
    let read_by_them = rtc_rtcp::packet::unmarshal(&mut &room[..len]).unwrap();
    let goodbye = read_by_them[0].as_any().downcast_ref::<Goodbye>().unwrap();
    assert_eq!(goodbye.sources, [7, 8]);

    let theirs: Box<dyn Theirs> = Box::new(Goodbye {
        sources: vec![7, 8],
        ..Goodbye::default()
    });
    let written = rtc_rtcp::packet::marshal(&[theirs]).unwrap();
    assert_eq!((written[0] & 0x20, written.last()), (0x20, Some(&3)));
    assert_eq!(
        read(&written).collect::<Vec<_>>(),
        [Err(RtcpError::Padding)]
    );
}
