//! The answer to a browser's offer, and the plan that media makes of it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use wire::plan::{
    AudioCodec, AudioFormat, AudioPlan, Connectivity, Direction, ExtensionIds, LegPlan, LocalMedia,
    Protection, RtcpFeatures, StreamId, VideoCodec, VideoFormat, VideoReceive, VideoSend,
};

use super::OPUS_BITRATE;
use super::offer::{Kind, Offer, OfferedVideo, Section};

/// What is decided about an offer before it is answered.
#[derive(Debug)]
pub struct Terms<'a> {
    /// What the shard reserved.
    pub local: &'a LocalMedia,
    /// The number of our description, the same for the whole leg (RFC 8866 §5.2).
    pub session_id: u64,
    /// Which answer of the leg this is, growing.
    pub version: u64,
    /// What each video section is for, in the order of the offer; missing ones are idle.
    pub video: &'a [VideoUse],
    /// Codecs that the browser may send: those that all viewers show.
    pub codecs: &'a [VideoCodec],
}

/// What a video section is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VideoUse {
    /// The browser sends in it.
    Receive {
        /// The stream's number in the bridge.
        stream: StreamId,
        /// What it may take, in bit/s, without headers (`b=TIAS`, RFC 3890).
        max_bps: u32,
        /// The simulcast layer that is taken, where there are layers.
        rid: Option<String>,
    },
    /// We send in it.
    Send {
        /// Which stream of the bridge.
        source: StreamId,
        /// With which SSRC.
        ssrc: u32,
        /// The stream id in `a=msid`, by which the client knows the track again.
        label: String,
    },
    /// Nobody sends.
    Idle,
}

/// An answered offer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The answer's text.
    pub sdp: String,
    /// What media shall do.
    pub plan: LegPlan,
}

impl Offer {
    /// Answers. Sections that nobody needs stay in place: stopped ones with port 0, the others `inactive`.
    #[must_use]
    pub fn answer(&self, terms: &Terms<'_>) -> Answer {
        let mut writer = Writer::new(self, terms);
        writer.head();
        let mut video_uses = terms.video.iter();
        for section in self.sections() {
            match section.kind {
                Kind::Audio { .. } => writer.audio(section),
                Kind::Video { .. } => {
                    let purpose = video_uses.next().unwrap_or(&VideoUse::Idle);
                    writer.video(section, purpose);
                }
                Kind::Other => writer.rejected(section),
            }
        }
        Answer {
            plan: LegPlan {
                connectivity: Connectivity::IceLite {
                    remote: self.ice().clone(),
                },
                protection: Protection::Dtls {
                    active: self.wants_us_active(),
                    remote_fingerprint: self.fingerprint().clone(),
                },
                rtcp_mux: true,
                rtcp: RtcpFeatures {
                    reduced_size: writer.reduced_size,
                    ..RtcpFeatures::default()
                },
                audio: writer.audio_plan,
                video_receive: writer.video_receive,
                video_send: writer.video_send,
                extensions: writer.extensions,
            },
            sdp: writer.sdp,
        }
    }
}

struct Writer<'a> {
    offer: &'a Offer,
    terms: &'a Terms<'a>,
    sdp: String,
    /// Transport attributes were written: they stand in the first section of the bundle (RFC 8843 §7.1.3).
    transport_written: bool,
    audio_plan: Option<AudioPlan>,
    video_receive: Vec<VideoReceive>,
    video_send: Vec<VideoSend>,
    extensions: ExtensionIds,
    /// Every video section has it: they share their transport.
    reduced_size: bool,
}

impl<'a> Writer<'a> {
    fn new(offer: &'a Offer, terms: &'a Terms<'a>) -> Self {
        Self {
            offer,
            terms,
            sdp: String::with_capacity(4096),
            transport_written: false,
            audio_plan: None,
            video_receive: Vec::new(),
            video_send: Vec::new(),
            extensions: ExtensionIds::default(),
            reduced_size: true,
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.sdp.write_fmt(line);
        self.sdp.push_str("\r\n");
    }

    fn head(&mut self) {
        let address = self.address();
        let family = family(address.ip());
        self.line(format_args!("v=0"));
        self.line(format_args!(
            "o=- {} {} IN {family} {}",
            self.terms.session_id,
            self.terms.version,
            address.ip()
        ));
        self.line(format_args!("s=-"));
        self.line(format_args!("t=0 0"));
        let mids: Vec<&str> = self
            .offer
            .sections()
            .iter()
            .filter(|section| is_kept(section))
            .map(|section| section.mid.as_str())
            .collect();
        let bundle = mids.join(" ");
        self.line(format_args!("a=group:BUNDLE {bundle}"));
        self.line(format_args!("a=ice-lite"));
        self.line(format_args!("a=msid-semantic: WMS *"));
    }

    fn audio(&mut self, section: &Section) {
        let Kind::Audio {
            opus: Some(opus),
            red,
        } = &section.kind
        else {
            return self.rejected(section);
        };
        if !is_kept(section) {
            return self.rejected(section);
        }
        // Whoever may not speak or hear is kept from it by the bridge, which can give it back without a new offer.
        let direction = section.direction.reversed();
        let pt = opus.payload_type;
        let types = match red {
            // Its own order: what stands first is what it sends.
            Some(red) if red.preferred => vec![red.payload_type, pt],
            Some(red) => vec![pt, red.payload_type],
            None => vec![pt],
        };
        self.media_line(section, "audio", &types);
        self.common(section, direction);
        self.line(format_args!("a=rtpmap:{pt} opus/48000/2"));
        self.line(format_args!(
            "a=fmtp:{pt} minptime=10;useinbandfec=1;maxaveragebitrate={OPUS_BITRATE}"
        ));
        if let Some(red) = red {
            let red = red.payload_type;
            self.line(format_args!("a=rtpmap:{red} red/48000/2"));
            self.line(format_args!("a=fmtp:{red} {pt}/{pt}"));
        }
        if let Some(id) = section.extensions.audio_level {
            self.line(format_args!(
                "a=extmap:{id} urn:ietf:params:rtp-hdrext:ssrc-audio-level"
            ));
            self.extensions.audio_level = Some(id);
        }
        if direction.sends() {
            let ssrc = self.terms.local.audio_ssrc;
            self.source(ssrc, "mix");
        }
        let format = AudioFormat {
            codec: AudioCodec::Opus,
            payload_type: pt,
            ptime_ms: opus.ptime_ms.unwrap_or(20).clamp(10, 60),
            max_bitrate: Some(opus.max_bitrate.unwrap_or(OPUS_BITRATE).min(OPUS_BITRATE)),
            inband_fec: opus.inband_fec,
        };
        self.audio_plan = Some(AudioPlan {
            direction,
            send: format,
            receive: vec![format],
            telephone_events: Vec::new(),
            redundancy: red.map(|red| red.payload_type),
            comfort_noise: None,
        });
    }

    fn video(&mut self, section: &Section, purpose: &VideoUse) {
        let Kind::Video {
            formats,
            ssrcs,
            rtx_ssrcs,
            ..
        } = &section.kind
        else {
            return self.rejected(section);
        };
        if !is_kept(section) {
            return self.rejected(section);
        }
        let theirs = section.direction;
        let (direction, formats): (Direction, Vec<&OfferedVideo>) = match purpose {
            VideoUse::Receive { .. } if theirs.sends() => {
                (Direction::RecvOnly, self.sendable(formats))
            }
            VideoUse::Send { .. } if theirs.receives() => {
                (Direction::SendOnly, formats.iter().collect())
            }
            _ => (Direction::Inactive, formats.iter().collect()),
        };
        let types: Vec<u8> = formats.iter().map(|format| format.payload_type).collect();
        self.media_line(section, "video", &types);
        if let (VideoUse::Receive { max_bps, .. }, Direction::RecvOnly) = (purpose, direction) {
            self.line(format_args!("b=TIAS:{max_bps}"));
        }
        self.common(section, direction);
        if section.reduced_size {
            self.line(format_args!("a=rtcp-rsize"));
        }
        self.reduced_size &= section.reduced_size;
        for format in &formats {
            self.format(format);
        }
        let planned: Vec<VideoFormat> = formats
            .iter()
            .map(|format| VideoFormat {
                codec: format.codec,
                payload_type: format.payload_type,
                rtx: None,
            })
            .collect();
        match purpose {
            VideoUse::Receive { stream, rid, .. } if direction == Direction::RecvOnly => {
                if let Some(rid) = rid {
                    self.line(format_args!("a=rid:{rid} recv"));
                    self.line(format_args!("a=simulcast:recv {rid}"));
                }
                self.video_receive.push(VideoReceive {
                    mid: section.mid.clone(),
                    stream: *stream,
                    formats: planned,
                    ssrcs: ssrcs.clone(),
                    rtx_ssrcs: rtx_ssrcs.clone(),
                });
            }
            VideoUse::Send {
                source,
                ssrc,
                label,
            } if direction == Direction::SendOnly => {
                self.source(*ssrc, label);
                self.video_send.push(VideoSend {
                    mid: section.mid.clone(),
                    source: *source,
                    ssrc: *ssrc,
                    formats: planned,
                });
            }
            _ => {}
        }
    }

    /// A section that stays in its place and carries nothing (RFC 3264 §6).
    fn rejected(&mut self, section: &Section) {
        let Section {
            name,
            protocol,
            first_format,
            ..
        } = section;
        self.line(format_args!("m={name} 0 {protocol} {first_format}"));
        self.line(format_args!("c=IN IP4 0.0.0.0"));
        if !section.mid.is_empty() {
            self.line(format_args!("a=mid:{}", section.mid));
        }
        self.line(format_args!("a=inactive"));
    }

    fn media_line(&mut self, section: &Section, name: &str, payload_types: &[u8]) {
        let address = self.address();
        let protocol = &section.protocol;
        let mut line = format!("m={name} {} {protocol}", address.port());
        for payload_type in payload_types {
            let _ = write!(line, " {payload_type}");
        }
        self.line(format_args!("{line}"));
        self.line(format_args!(
            "c=IN {} {}",
            family(address.ip()),
            address.ip()
        ));
    }

    /// What every section in use says; in the first also how to reach us.
    fn common(&mut self, section: &Section, direction: Direction) {
        self.line(format_args!("a=mid:{}", section.mid));
        self.line(format_args!("a={}", direction_name(direction)));
        self.line(format_args!("a=rtcp-mux"));
        if !self.transport_written {
            self.transport_written = true;
            self.transport();
        }
        if let Some(id) = section.extensions.mid {
            self.line(format_args!(
                "a=extmap:{id} urn:ietf:params:rtp-hdrext:sdes:mid"
            ));
            self.extensions.mid = Some(id);
        }
    }

    fn transport(&mut self) {
        let local = self.terms.local;
        if let Some(ice) = &local.ice {
            self.line(format_args!("a=ice-ufrag:{}", ice.ufrag));
            self.line(format_args!("a=ice-pwd:{}", ice.pwd));
        }
        if let Some(fingerprint) = &local.fingerprint {
            self.line(format_args!("a=fingerprint:sha-256 {fingerprint}"));
        }
        let setup = if self.offer.wants_us_active() {
            "active"
        } else {
            "passive"
        };
        self.line(format_args!("a=setup:{setup}"));
        // Host candidates: type preference 126, local preference falling, component 1 (RFC 8445 §5.1.2.1).
        for (index, address) in (0u32..).zip(&local.candidates) {
            let local_preference = 65_535u32.saturating_sub(index);
            let priority = (126 << 24) + (local_preference << 8) + 255;
            self.line(format_args!(
                "a=candidate:{} 1 udp {priority} {} {} typ host",
                index + 1,
                address.ip(),
                address.port()
            ));
        }
        self.line(format_args!("a=end-of-candidates"));
    }

    fn format(&mut self, format: &OfferedVideo) {
        let pt = format.payload_type;
        match format.codec {
            VideoCodec::Vp8 => self.line(format_args!("a=rtpmap:{pt} VP8/90000")),
            VideoCodec::H264 => {
                self.line(format_args!("a=rtpmap:{pt} H264/90000"));
                let profile = format.h264_profile.as_deref().unwrap_or("42e01f");
                self.line(format_args!(
                    "a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"
                ));
            }
        }
        if format.ccm_fir {
            self.line(format_args!("a=rtcp-fb:{pt} ccm fir"));
        }
        if format.nack_pli {
            self.line(format_args!("a=rtcp-fb:{pt} nack pli"));
        }
    }

    fn source(&mut self, ssrc: u32, label: &str) {
        let cname = &self.terms.local.cname;
        self.line(format_args!("a=msid:{label} {label}-track"));
        self.line(format_args!("a=ssrc:{ssrc} cname:{cname}"));
        self.line(format_args!("a=ssrc:{ssrc} msid:{label} {label}-track"));
    }

    /// What the browser may send, in its own order of preference.
    fn sendable<'f>(&self, formats: &'f [OfferedVideo]) -> Vec<&'f OfferedVideo> {
        let wanted: Vec<&OfferedVideo> = formats
            .iter()
            .filter(|format| self.terms.codecs.contains(&format.codec))
            .collect();
        if wanted.is_empty() {
            formats.iter().collect()
        } else {
            wanted
        }
    }

    fn address(&self) -> SocketAddr {
        self.terms
            .local
            .candidates
            .first()
            .copied()
            .unwrap_or(self.terms.local.rtp)
    }
}

/// Whether a section of the offer carries something in the answer, if only in principle.
fn is_kept(section: &Section) -> bool {
    !section.stopped
        && match &section.kind {
            Kind::Audio { opus, .. } => opus.is_some(),
            Kind::Video { formats, .. } => !formats.is_empty(),
            Kind::Other => false,
        }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}
