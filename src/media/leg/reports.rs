//! RTCP that a leg sends: reports on everything it sends and receives, key frame requests, the goodbye.

use std::time::Instant;

use wire::rtcp::{ReceptionReport, Writer};

use super::{Leg, Surroundings};
use crate::measure::ledger::Sent;
use crate::receive::{Reception, ReportFigures};
use crate::send::reports::Session;

impl Leg {
    /// Who takes part in this leg's session now.
    pub(super) fn session(&self, now: Instant) -> Session {
        let audio = self.audio.as_ref();
        let video_out = self.video_out.iter().filter(|video| video.has_sent());
        let we_sent = usize::from(audio.is_some_and(|audio| audio.stream.packets() > 0));
        let ours_sending = we_sent + video_out.clone().count();
        let receptions = audio
            .map(|audio| &audio.reception)
            .into_iter()
            .chain(self.video_in.iter().map(|video| &video.reception));
        let heard = receptions.filter(|r| r.ssrc().is_some()).count();
        // RFC 3550 §6.3.5: who sent nothing for two intervals is no sender any more.
        let recently = self.reports.is_none_or(|timer| {
            let silence = now.saturating_duration_since(self.last_packet);
            silence <= timer.deterministic(&QUIET) * 2
        });
        let videos = (self.video_in.len() + self.video_out.len()) as u32;
        Session {
            members: 1 + video_out.count() + self.company.count().max(heard),
            senders: ours_sending + if recently { heard } else { 0 },
            we_send: ours_sending > 0,
            bandwidth: AUDIO_BANDWIDTH + videos * VIDEO_BANDWIDTH,
        }
    }

    /// Sends a report if one is due.
    pub(super) fn report_when_due(&mut self, now: Instant, around: &mut Surroundings) {
        if self.reports.is_none_or(|timer| now < timer.next()) {
            return;
        }
        let session = self.session(now);
        if let Some(timer) = &mut self.reports
            && timer.is_due(now, &session, &mut around.rng)
        {
            // RFC 3550 §6.3.5: five intervals.
            let silence = timer.deterministic(&session) * 5;
            self.company.forget_silent(now, silence);
            self.send_report(now, around, false);
        }
    }

    /// Tells the other side that this leg ends, with its last figures, if it ever said anything.
    pub(super) fn say_goodbye(&mut self, now: Instant, around: &mut Surroundings) {
        let session = self.session(now);
        let spoke = session.we_send || self.reports.is_some_and(|timer| !timer.is_initial());
        if spoke && session.lets_us_say_goodbye() {
            self.send_report(now, around, true);
        }
    }

    /// Sources of the other side have said goodbye.
    pub(super) fn others_left(&mut self, now: Instant, ssrcs: &[u32]) {
        for ssrc in ssrcs {
            self.company.left(*ssrc);
        }
        let members = self.session(now).members;
        if let Some(timer) = &mut self.reports {
            timer.left(now, members);
        }
    }

    /// Sends a compound: SR or RR with a report block per incoming stream, the extended report where there is one, an
    /// SR per outgoing video stream, CNAMEs, and at the end BYE (RFC 3550 §6.1).
    fn send_report(&mut self, now: Instant, around: &mut Surroundings, goodbye: bool) {
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
        let extended = self.extended_blocks(now, around);
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
            if !extended.is_empty() {
                writer.extended(ssrc, &extended).ok()?;
            }
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
            let (ssrc, reduced_size) = (self.ssrc, self.rtcp.reduced_size);
            let sent = self.link.send_rtcp(&mut around.outbox, |room| {
                let mut writer = Writer::new(room.get_mut(..MOST_OCTETS)?);
                if !reduced_size {
                    writer.receiver_report(ssrc, &[]).ok()?;
                }
                writer.pli(ssrc, media).ok()?;
                Some(writer.len())
            });
            self.count_rtcp(sent, around);
        }
    }

    pub(super) fn count_rtcp_received(&mut self, bytes: usize) {
        self.figures.rtcp_received(bytes);
        if let Some(timer) = &mut self.reports {
            timer.compound(bytes);
        }
    }

    fn count_rtcp(&mut self, sent: Option<usize>, around: &mut Surroundings) {
        if let Some(bytes) = sent {
            if let Some(timer) = &mut self.reports {
                timer.compound(bytes);
            }
            self.figures.rtcp_sent(bytes);
            self.ledger.count_out(Sent::Rtcp, bytes);
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

/// What the media of a session takes in bit/s, for the twentieth that RTCP may have. An order of magnitude is enough.
const AUDIO_BANDWIDTH: u32 = 80_000;
const VIDEO_BANDWIDTH: u32 = 500_000;
/// A session in which the minimum interval rules.
const QUIET: Session = Session {
    members: 2,
    senders: 2,
    we_send: true,
    bandwidth: AUDIO_BANDWIDTH,
};
/// RFC 3550 §6.4.1: the count has five bits.
const MOST_BLOCKS: usize = 31;
/// A compound fits any path that carries our media.
const MOST_OCTETS: usize = 1200;
