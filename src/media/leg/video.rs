//! The video of a leg: streams that it sends us, and streams that we send it.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{StreamId, VideoCodec, VideoReceive, VideoSend};
use wire::rtcp::SenderInfo;
use wire::rtp::{FixedHeader, RtpView};

use crate::forward::key_frame::begins_key_frame;
use crate::forward::requests::KeyFrameRequests;
use crate::forward::rewrite::{Rewriter, VIDEO_CLOCK};
use crate::measure::ledger::{Dropped, Withheld};
use crate::measure::{NtpClock, Reported, VideoSample};
use crate::receive::{NotAccepted, Reception};
use crate::send::stream::first_sequence;

/// A stream that arrives.
pub(crate) struct VideoIn {
    pub(super) plan: VideoReceive,
    pub(super) reception: Reception,
    pub(super) requests: KeyFrameRequests,
    /// Somebody views it.
    viewed: bool,
    /// Number of the present run among all runs of the engine.
    run: u64,
    /// Loss that key frames were already asked for, and since when there is more.
    loss_seen: i64,
    loss_since: Option<Instant>,
    packets: u64,
    bytes: u64,
    key_frames: u64,
    asked: u64,
    /// Octets since the last [`VideoIn::take_rate`].
    rate_bytes: u64,
}

/// One packet on its way to the viewers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VideoPacket {
    pub(crate) stream: StreamId,
    codec: VideoCodec,
    /// Extended sequence number.
    number: u64,
    timestamp: u32,
    marker: bool,
    key_frame: bool,
    run: u64,
}

impl VideoIn {
    pub(super) fn new(plan: VideoReceive) -> Self {
        Self {
            plan,
            reception: Reception::default(),
            requests: KeyFrameRequests::new(),
            viewed: false,
            run: 0,
            loss_seen: 0,
            loss_since: None,
            packets: 0,
            bytes: 0,
            key_frames: 0,
            asked: 0,
            rate_bytes: 0,
        }
    }

    /// The stream's number in the bridge.
    pub(crate) fn stream(&self) -> StreamId {
        self.plan.stream
    }

    /// Takes an authentic packet of this stream. `next_run` numbers runs over all streams.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        packet: &RtpView<'_>,
        wire_bytes: usize,
        next_run: &mut u64,
    ) -> Result<VideoPacket, Dropped> {
        let payload_type = packet.payload_type();
        let codec = self
            .plan
            .formats
            .iter()
            .find(|format| format.payload_type == payload_type)
            .map(|format| format.codec)
            .ok_or(Dropped::UnknownPayloadType)?;
        self.packets += 1;
        self.bytes += wire_bytes as u64;
        self.rate_bytes += wire_bytes as u64;
        let arrival = self
            .reception
            .packet(packet.ssrc(), packet.sequence())
            .map_err(|why| match why {
                NotAccepted::Duplicate => Dropped::Duplicate,
                NotAccepted::OnProbation => Dropped::OnProbation,
            })?;
        if arrival.restarted {
            *next_run += 1;
            self.run = *next_run;
        }
        self.reception
            .media_time(now, packet.timestamp(), VIDEO_CLOCK);
        let key_frame = begins_key_frame(codec, packet.payload());
        if key_frame {
            self.key_frames += 1;
            self.requests.key_frame();
        }
        Ok(VideoPacket {
            stream: self.plan.stream,
            codec,
            number: arrival.sequence,
            timestamp: packet.timestamp(),
            marker: packet.marker(),
            key_frame,
            run: self.run,
        })
    }

    /// Whether the sender must be asked for a key frame now: because somebody wants one, or because
    /// packets stayed away.
    pub(super) fn key_frame_due(&mut self, now: Instant) -> bool {
        let lost = self.reception.lost().unwrap_or(0);
        if lost <= self.loss_seen {
            self.loss_seen = lost;
            self.loss_since = None;
        } else {
            let since = *self.loss_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= REORDERING {
                self.loss_seen = lost;
                self.loss_since = None;
                if self.viewed {
                    self.requests.want();
                }
            }
        }
        let due = self.reception.ssrc().is_some() && self.requests.is_due(now);
        self.asked += u64::from(due);
        due
    }

    /// Whether anybody views it: loss that nobody sees needs no key frame.
    pub(crate) fn set_viewed(&mut self, viewed: bool) {
        self.viewed = viewed;
    }

    /// Octets since the previous call.
    pub(crate) fn take_rate(&mut self) -> u64 {
        std::mem::take(&mut self.rate_bytes)
    }

    pub(super) fn sample(&mut self) -> VideoSample {
        VideoSample {
            stream: self.plan.stream,
            received: true,
            packets: std::mem::take(&mut self.packets),
            bytes: std::mem::take(&mut self.bytes),
            packets_lost: self.reception.lost(),
            key_frames: std::mem::take(&mut self.key_frames),
            key_frame_requests: std::mem::take(&mut self.asked),
        }
    }
}

/// A stream that we send.
pub(crate) struct VideoOut {
    pub(super) plan: VideoSend,
    pub(super) reported: Reported,
    rewriter: Rewriter,
    /// The run that is being forwarded or awaited.
    run: u64,
    awaits_key_frame: bool,
    total_packets: u64,
    total_octets: u64,
    packets: u64,
    bytes: u64,
    key_frames: u64,
    asked: u64,
}

impl VideoOut {
    pub(super) fn new(now: Instant, plan: VideoSend, rng: &mut StdRng) -> Self {
        let sequence = first_sequence(rng);
        Self {
            plan,
            reported: Reported::new(sequence, VIDEO_CLOCK),
            rewriter: Rewriter::new(now, sequence, rng.random()),
            run: 0,
            awaits_key_frame: true,
            total_packets: 0,
            total_octets: 0,
            packets: 0,
            bytes: 0,
            key_frames: 0,
            asked: 0,
        }
    }

    /// The stream of the bridge that it carries.
    pub(crate) fn source(&self) -> StreamId {
        self.plan.source
    }

    /// Another stream, or the same one anew: begins at its next key frame.
    pub(super) fn set_source(&mut self, source: StreamId) {
        if self.plan.source != source {
            self.plan.source = source;
            self.run = 0;
        }
    }

    /// Whether nothing can be shown before a key frame comes.
    pub(crate) fn awaits_key_frame(&self) -> bool {
        self.awaits_key_frame
    }

    /// The viewer could not show what it got.
    pub(super) fn asked_for_key_frame(&mut self) {
        self.asked += 1;
    }

    /// The header of this viewer's copy of a packet.
    pub(super) fn header(
        &mut self,
        now: Instant,
        packet: &VideoPacket,
    ) -> Result<FixedHeader, Withheld> {
        let payload_type = self
            .plan
            .formats
            .iter()
            .find(|format| format.codec == packet.codec)
            .map(|format| format.payload_type)
            .ok_or(Withheld::CodecNotTaken)?;
        if self.run != packet.run {
            self.run = packet.run;
            self.awaits_key_frame = true;
        }
        if self.awaits_key_frame {
            if !packet.key_frame {
                return Err(Withheld::AwaitsKeyFrame);
            }
            self.awaits_key_frame = false;
            self.rewriter
                .begin_run(now, packet.number, packet.timestamp);
        }
        let numbers = self
            .rewriter
            .rewrite(now, packet.number, packet.timestamp)
            .ok_or(Withheld::AwaitsKeyFrame)?;
        self.key_frames += u64::from(packet.key_frame);
        Ok(FixedHeader {
            marker: packet.marker,
            payload_type,
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            ssrc: self.plan.ssrc,
        })
    }

    /// Counts a copy that was sent.
    pub(super) fn sent(&mut self, payload_octets: usize, wire_bytes: usize) {
        self.total_packets += 1;
        self.total_octets += payload_octets as u64;
        self.packets += 1;
        self.bytes += wire_bytes as u64;
    }

    /// Whether anything was ever sent on it.
    pub(super) fn has_sent(&self) -> bool {
        self.total_packets > 0
    }

    /// The `a=mid` goes along until the viewer surely knows the SSRC.
    pub(super) fn names_mid(&self) -> bool {
        self.total_packets < PACKETS_WITH_MID
    }

    /// The sender's part of a report made now; `None` while nothing was sent.
    pub(super) fn sender_info(&self, now: Instant, ntp: &NtpClock) -> Option<SenderInfo> {
        (self.total_packets > 0).then(|| SenderInfo {
            ntp: ntp.ntp(now),
            rtp: self.rewriter.timestamp_now(now),
            packets: self.total_packets as u32,
            octets: self.total_octets as u32,
        })
    }

    pub(super) fn sample(&mut self) -> VideoSample {
        VideoSample {
            stream: self.plan.source,
            received: false,
            packets: std::mem::take(&mut self.packets),
            bytes: std::mem::take(&mut self.bytes),
            packets_lost: self.reported.lost(),
            key_frames: std::mem::take(&mut self.key_frames),
            key_frame_requests: std::mem::take(&mut self.asked),
        }
    }
}

/// A packet that stays away longer is lost, not reordered.
const REORDERING: Duration = Duration::from_millis(60);
const PACKETS_WITH_MID: u64 = 100;
