//! What a datagram does to its leg.

use std::net::SocketAddr;
use std::time::Instant;

use wire::plan::{MediaEvent, StreamId};
use wire::rtcp::{self, Packet, ReceptionReport};
use wire::rtp::{Header, RtpView};
use wire::stun::answer;

use super::audio::Taken;
use super::link::{Component, Route};
use super::{Event, Leg, Surroundings, VideoPacket};
use crate::guard::dtls::Identity;
use crate::measure::ledger::{Consumed, Dropped, Sent};
use crate::path::Verdict;
use crate::send::outbox::SocketId;

/// What became of an RTP packet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// The leg itself had use for it.
    Here(Consumed),
    /// It goes to the viewers of its stream; its payload lies in this range of the datagram.
    Video(VideoPacket, (usize, usize)),
}

/// What the demultiplexer must learn from a connectivity check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) entered: Option<SocketAddr>,
    pub(crate) left: Option<SocketAddr>,
}

impl Leg {
    /// Takes a connectivity check and answers it.
    pub(crate) fn stun(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
        identity: &Identity,
        around: &mut Surroundings,
    ) -> Result<Addresses, Dropped> {
        let component = self.link.component(socket);
        let Some(path) = self.link.ice_path(component) else {
            return Err(Dropped::BadStun);
        };
        let mut reply = [0; answer::MAX_ANSWER];
        let checked = path.receive(now, from, datagram, &mut reply);
        if let Some(reply) = reply.get(..checked.answer_len).filter(|r| !r.is_empty())
            && around.outbox.push(socket, from, reply)
        {
            self.ledger.count_out(Sent::Stun, reply.len());
            around.ledger.count_out(Sent::Stun, reply.len());
        }
        let Verdict::Valid {
            displaced,
            selected,
            ..
        } = checked.verdict
        else {
            return Err(Dropped::BadStun);
        };
        if selected {
            self.link.use_socket(socket);
        }
        let waiting = self.secured(component).filter(|s| !s.has_begun());
        if let Some(secured) = waiting {
            secured.begin(now, identity, None);
            self.drive_handshakes(now, around);
        }
        Ok(Addresses {
            // Also an address that is known: another leg may have taken its place in the table.
            entered: Some(from),
            left: displaced,
        })
    }

    /// Takes a DTLS record.
    pub(crate) fn dtls(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        datagram: &[u8],
        identity: &Identity,
        around: &mut Surroundings,
    ) -> Result<Consumed, Dropped> {
        let component = self.link.component(socket);
        let nearness = match (&self.link.route, component) {
            (Route::Unknown, _) => return Err(Dropped::UnexpectedDtls),
            (Route::Static { rtp, .. }, Component::Rtp) => Some(rtp.nearness(from)),
            (Route::Static { rtcp, .. }, Component::Rtcp) => Some(rtcp.nearness(from)),
            (Route::Ice { .. }, _) => None,
        };
        let vouched = self
            .link
            .ice_path(component)
            .is_some_and(|path| path.admits(now, from));
        let secured = self.secured(component).ok_or(Dropped::NotConfigured)?;
        match nearness {
            Some(nearness) => secured.take_from(now, identity, from, nearness, datagram)?,
            None if vouched => secured.take(now, datagram)?,
            None => return Err(Dropped::UnexpectedDtls),
        }
        self.drive_handshakes(now, around);
        Ok(Consumed::Dtls)
    }

    /// Takes an RTP packet, decrypting it in place.
    pub(crate) fn rtp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
        next_run: &mut u64,
        around: &mut Surroundings,
    ) -> Result<Received, Dropped> {
        let wire_bytes = datagram.len();
        Header::parse(datagram).map_err(|_| Dropped::Malformed)?;
        let opened = self.link.open_rtp(now, from, datagram);
        let len = self.with_stranger(opened, around)?;
        let clear = datagram.get(..len).ok_or(Dropped::Malformed)?;
        let packet = RtpView::parse(clear).map_err(|_| Dropped::Malformed)?;

        let is_audio = self
            .audio
            .as_ref()
            .is_some_and(|audio| audio.takes(packet.payload_type()));
        let stream = if is_audio {
            None
        } else {
            Some(self.video_stream(&packet)?)
        };
        let judged = self.link.good_rtp(now, from);
        self.with_stranger(judged, around)?;
        self.last_packet = now;
        self.connect(around);

        if let Some(at) = stream {
            let video = self.video_in.get_mut(at).ok_or(Dropped::WrongSsrc)?;
            let forwarded = video.receive(now, &packet, wire_bytes, next_run)?;
            let range = packet.payload_range();
            return Ok(Received::Video(forwarded, (range.start, range.end)));
        }
        self.figures.rtp_received(wire_bytes);
        let level = self
            .extensions
            .audio_level
            .and_then(|id| packet.audio_level(id))
            .map(|level| level.level);
        let audio = self.audio.as_mut().ok_or(Dropped::UnknownPayloadType)?;
        let taken = audio.receive(now, &packet, level)?;
        if taken == Taken::Event {
            self.tell_keys(around);
        }
        Ok(Received::Here(taken.into()))
    }

    /// Takes an RTCP compound, decrypting it in place. Viewers' wishes for key frames are left in
    /// `around.key_frames_wanted`.
    pub(crate) fn rtcp(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        datagram: &mut [u8],
        around: &mut Surroundings,
    ) -> Result<Consumed, Dropped> {
        let wire_bytes = datagram.len();
        let opened = self.link.open_rtcp(now, socket, from, datagram);
        let len = self.with_stranger(opened, around)?;
        let clear = datagram.get(..len).ok_or(Dropped::Malformed)?;
        let mut understood = false;
        for packet in rtcp::read(clear).filter_map(Result::ok) {
            understood = true;
            self.take_report(now, packet, around);
        }
        if !understood {
            return Err(Dropped::Malformed);
        }
        self.last_packet = now;
        self.count_rtcp_received(wire_bytes);
        Ok(Consumed::Rtcp)
    }

    /// Tells of a foreign source where a packet has shown one that should be told.
    fn with_stranger<T>(
        &mut self,
        outcome: Result<T, Dropped>,
        around: &mut Surroundings,
    ) -> Result<T, Dropped> {
        if outcome.is_err()
            && let Some(source) = self.link.take_stranger()
        {
            let leg = self.id;
            let event = MediaEvent::ForeignSource { leg, source };
            around.events.push_back(Event::Media(event));
        }
        outcome
    }

    fn take_report(&mut self, now: Instant, packet: Packet, around: &mut Surroundings) {
        match packet {
            Packet::SenderReport {
                ssrc,
                info,
                reports,
            } => {
                self.company.heard(now, ssrc);
                let receptions = self
                    .audio
                    .iter_mut()
                    .map(|audio| &mut audio.reception)
                    .chain(self.video_in.iter_mut().map(|video| &mut video.reception));
                for reception in receptions.filter(|r| r.ssrc() == Some(ssrc)) {
                    reception.sender_report(now, info.middle_ntp());
                }
                self.take_blocks(now, &reports, around);
            }
            Packet::ReceiverReport { ssrc, reports } => {
                self.company.heard(now, ssrc);
                self.take_blocks(now, &reports, around);
            }
            Packet::Xr { ssrc, blocks } => self.take_extended(now, ssrc, &blocks, around),
            // Whoever leaves is signalled, too; the rhythm of reports need not wait for that.
            Packet::Bye { ssrcs } => self.others_left(now, &ssrcs),
            Packet::Pli { media, .. } => self.want_from_source(media, around),
            Packet::Fir { requests, .. } => {
                for request in requests {
                    self.want_from_source(request.ssrc, around);
                }
            }
            // NACK and bandwidth estimation have no taker yet.
            _ => {}
        }
    }

    fn take_blocks(&mut self, now: Instant, reports: &[ReceptionReport], around: &Surroundings) {
        let middle = around.ntp.middle(now);
        for report in reports {
            if let Some(audio) = &mut self.audio
                && report.ssrc == self.ssrc
            {
                audio.reported.report(middle, report);
                audio.loss_reported(report.fraction_lost);
            }
            for video in &mut self.video_out {
                if report.ssrc == video.plan.ssrc {
                    video.reported.report(middle, report);
                }
            }
        }
    }

    fn want_from_source(&mut self, ssrc: u32, around: &mut Surroundings) {
        for video in &mut self.video_out {
            if video.plan.ssrc == ssrc {
                video.asked_for_key_frame();
                let source: StreamId = video.plan.source;
                // As many as a leg has streams; the vector keeps its memory.
                around.key_frames_wanted.push(source);
            }
        }
    }

    /// Which incoming stream a packet belongs to: by SSRC where the offer named it or it was seen before, else by
    /// the `mid` extension, else by payload type where only one stream can have it.
    fn video_stream(&self, packet: &RtpView<'_>) -> Result<usize, Dropped> {
        let payload_type = packet.payload_type();
        let ssrc = packet.ssrc();
        let is_retransmission = self.video_in.iter().any(|video| {
            let by_type = video
                .plan
                .formats
                .iter()
                .any(|f| f.rtx == Some(payload_type));
            by_type || video.plan.rtx_ssrcs.contains(&ssrc)
        });
        if is_retransmission {
            return Err(Dropped::Retransmission);
        }
        let takes = |video: &super::VideoIn| {
            let formats = &video.plan.formats;
            formats.iter().any(|f| f.payload_type == payload_type)
        };
        if !self.video_in.iter().any(takes) {
            return Err(Dropped::UnknownPayloadType);
        }
        let by_ssrc = self.video_in.iter().position(|video| {
            video.plan.ssrcs.contains(&ssrc) || video.reception.ssrc() == Some(ssrc)
        });
        let mid = || {
            let mid = packet.mid(self.extensions.mid?)?;
            self.video_in
                .iter()
                .position(|video| video.plan.mid == mid && takes(video))
        };
        let only = || {
            let mut fitting = self
                .video_in
                .iter()
                .enumerate()
                .filter(|(_, video)| takes(video) && video.plan.ssrcs.is_empty());
            let (at, _) = fitting.next()?;
            fitting.next().is_none().then_some(at)
        };
        by_ssrc.or_else(mid).or_else(only).ok_or(Dropped::WrongSsrc)
    }
}
