//! RTCP that a leg sends: reports on everything it sends and receives, key frame requests, the goodbye.

use std::time::Instant;

use wire::rtcp::{ReceptionReport, Writer};

use super::{Leg, Surroundings};
use crate::measure::ledger::Sent;
use crate::receive::{Reception, ReportFigures};

impl Leg {
    /// Sends a compound: SR or RR with a report block per incoming stream, an SR per outgoing video stream, CNAMEs,
    /// and at the end BYE (RFC 3550 §6.1).
    pub(super) fn send_report(&mut self, now: Instant, around: &mut Surroundings, goodbye: bool) {
        if !self.link.can_send() {
            return;
        }
        let mut blocks = [ReceptionReport::default(); MOST_BLOCKS];
        let mut count = 0;
        let receptions = self
            .audio
            .iter_mut()
            .map(|audio| &mut audio.reception)
            .chain(self.video_in.iter_mut().map(|video| &mut video.reception));
        for (slot, report) in blocks
            .iter_mut()
            .zip(receptions.filter_map(|reception| Reception::report(reception, now)))
        {
            *slot = block(&report);
            count += 1;
        }
        let blocks = blocks.get(..count).unwrap_or_default();

        let info = self
            .audio
            .as_ref()
            .filter(|audio| audio.stream.packets() > 0 && audio.plan.direction.sends())
            .map(|audio| audio.stream.sender_info(now, &around.ntp));
        let (ssrc, cname) = (self.ssrc, self.cname.as_str());
        let (video_out, ntp) = (&self.video_out, &around.ntp);
        let sent = self.link.send_rtcp(&mut around.outbox, |room| {
            // Room that protection will need stays free.
            let end = room.len().min(MOST_OCTETS);
            let mut writer = Writer::new(room.get_mut(..end)?);
            match &info {
                Some(info) => writer.sender_report(ssrc, info, blocks).ok()?,
                None => writer.receiver_report(ssrc, blocks).ok()?,
            }
            writer.cname(ssrc, cname).ok()?;
            // The goodbye must find room; nobody needs these any more.
            for video in video_out.iter().filter(|_| !goodbye) {
                if let Some(info) = video.sender_info(now, ntp) {
                    // What finds no room is told in the next report.
                    let _ = writer
                        .sender_report(video.plan.ssrc, &info, &[])
                        .and_then(|()| writer.cname(video.plan.ssrc, cname));
                }
            }
            if goodbye {
                writer.bye(&[ssrc]).ok()?;
            }
            Some(writer.len())
        });
        self.count_rtcp(sent, around);
    }

    /// Asks for the key frames that are due.
    pub(super) fn ask_for_key_frames(&mut self, now: Instant, around: &mut Surroundings) {
        if !self.link.can_send() {
            return;
        }
        for at in 0..self.video_in.len() {
            let Some(video) = self.video_in.get_mut(at) else {
                break;
            };
            if !video.key_frame_due(now) {
                continue;
            }
            let Some(media) = video.reception.ssrc() else {
                continue;
            };
            let ssrc = self.ssrc;
            let sent = self.link.send_rtcp(&mut around.outbox, |room| {
                let mut writer = Writer::new(room.get_mut(..MOST_OCTETS)?);
                // A compound begins with a report; reduced size was not agreed.
                writer.receiver_report(ssrc, &[]).ok()?;
                writer.pli(ssrc, media).ok()?;
                Some(writer.len())
            });
            self.count_rtcp(sent, around);
        }
    }

    fn count_rtcp(&mut self, sent: Option<usize>, around: &mut Surroundings) {
        if let Some(bytes) = sent {
            self.figures.rtcp_sent(bytes);
            around.ledger.count_out(Sent::Rtcp, bytes);
        }
    }
}

fn block(figures: &ReportFigures) -> ReceptionReport {
    ReceptionReport {
        ssrc: figures.ssrc,
        fraction_lost: figures.fraction_lost,
        total_lost: figures.cumulative_lost,
        highest_sequence: figures.highest_sequence,
        jitter: figures.jitter,
        last_sr: figures.last_sender_report,
        delay_since_last_sr: figures.delay_since,
    }
}

/// RFC 3550 §6.4.1: the count has five bits.
const MOST_BLOCKS: usize = 31;
/// A compound fits any path that carries our media.
const MOST_OCTETS: usize = 1200;
