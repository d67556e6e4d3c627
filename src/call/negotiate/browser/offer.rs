//! A browser's offer, reduced to what we act upon and checked for what we need.

use std::collections::BTreeSet;

use wire::plan::{Direction, ExtensionIds, Fingerprint, IceCredentials, VideoCodec};
use wire::sdp::{self, Media, MediaKind, RtpMap, Setup};

use super::{MAX_OFFER, MAX_SECTIONS, OfferError};

/// A readable offer of one bundle over DTLS-SRTP.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    sections: Vec<Section>,
    ice: IceCredentials,
    fingerprint: Fingerprint,
    setup: Setup,
}

/// One media section.
#[derive(Clone, PartialEq, Debug)]
pub struct Section {
    /// `a=mid`; may be empty when stopped.
    pub mid: String,
    /// Port 0: stopped, and perhaps used again later.
    pub stopped: bool,
    /// As the browser holds it.
    pub direction: Direction,
    pub(super) kind: Kind,
    pub(super) extensions: ExtensionIds,
    /// `a=rtcp-rsize` (RFC 5506).
    pub(super) reduced_size: bool,
    // As in the m-line, for the answer's.
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) first_format: String,
}

/// What a section carries.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    /// The audio section.
    Audio {
        opus: Option<OfferedOpus>,
        red: Option<OfferedRed>,
    },
    /// A video section.
    Video {
        /// What we take, in the browser's order.
        formats: Vec<OfferedVideo>,
        ssrcs: Vec<u32>,
        rtx_ssrcs: Vec<u32>,
        rids: Vec<OfferedRid>,
    },
    /// Data channels, a second audio section, anything else.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OfferedOpus {
    pub(super) payload_type: u8,
    pub(super) ptime_ms: Option<u8>,
    pub(super) max_bitrate: Option<u32>,
    pub(super) inband_fec: bool,
}

/// RED with Opus in its blocks (RFC 2198).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OfferedRed {
    pub(super) payload_type: u8,
    /// It stands before Opus: the browser would rather send it.
    pub(super) preferred: bool,
}

/// One video payload type that we take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedVideo {
    /// The codec.
    pub codec: VideoCodec,
    /// Its RTP payload type.
    pub payload_type: u8,
    /// `profile-level-id`, six hexadecimal digits.
    pub(super) h264_profile: Option<String>,
    pub(super) nack_pli: bool,
    pub(super) ccm_fir: bool,
}

/// A simulcast layer that the browser would send (RFC 8853).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedRid {
    /// Its id.
    pub id: String,
    /// Whether it is not sent at present.
    pub paused: bool,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn read(text: &str) -> Result<Self, OfferError> {
        if text.len() > MAX_OFFER {
            return Err(OfferError::TooLarge(text.len()));
        }
        let session = sdp::Session::parse(text)?;
        if session.media.len() > MAX_SECTIONS {
            return Err(OfferError::TooManySections(session.media.len()));
        }
        let bundle: BTreeSet<String> = session
            .attributes
            .bundle()
            .unwrap_or_default()
            .into_iter()
            .collect();
        let mut sections = Vec::with_capacity(session.media.len());
        let mut mids = BTreeSet::new();
        let mut has_audio = false;
        let mut ice = None;
        let mut fingerprint = None;
        let mut setup = None;
        for view in session.sections() {
            let section = Section::read(view.media, view.is_declined(), &mut has_audio)?;
            if !section.stopped && section.kind != Kind::Other {
                if !is_mid(&section.mid) || !mids.insert(section.mid.clone()) {
                    return Err(OfferError::Mid);
                }
                if !bundle.contains(&section.mid) {
                    return Err(OfferError::NotBundled);
                }
                if !view.media.attributes.rtcp_mux() {
                    return Err(OfferError::NoRtcpMux);
                }
                if !view.media.protocol.is_dtls() {
                    return Err(OfferError::NotProtected);
                }
                // One association for all: the first section that names it, names it (RFC 8843 §7.1.3).
                ice = ice.or_else(|| view.ice());
                fingerprint = fingerprint.or_else(|| view.fingerprint());
                setup = setup.or_else(|| view.setup());
            }
            sections.push(section);
        }
        let audio = sections
            .iter()
            .find(|section| matches!(section.kind, Kind::Audio { .. }) && !section.stopped)
            .ok_or(OfferError::NoAudio)?;
        if matches!(audio.kind, Kind::Audio { opus: None, .. }) {
            return Err(OfferError::NoOpus);
        }
        Ok(Self {
            ice: ice
                .filter(are_credentials)
                .ok_or(OfferError::NoIceCredentials)?,
            fingerprint: fingerprint
                .filter(|print| print.hash == "sha-256" && print.digest.len() == 32)
                .ok_or(OfferError::NoFingerprint)?,
            setup: setup.unwrap_or(Setup::ActPass),
            sections,
        })
    }

    /// Every section in order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Every video section in order, stopped ones included: as `receive_stream_ids` counts them.
    pub fn video_sections(&self) -> impl Iterator<Item = &Section> {
        self.sections
            .iter()
            .filter(|section| matches!(section.kind, Kind::Video { .. }))
    }

    /// Video codecs that the browser can show; `None` when it offers no video at all.
    #[must_use]
    pub fn video_codecs(&self) -> Option<Vec<VideoCodec>> {
        let mut sections = self
            .video_sections()
            .filter(|section| !section.stopped)
            .peekable();
        sections.peek()?;
        let mut codecs: Vec<VideoCodec> = Vec::new();
        for format in sections.flat_map(Section::formats) {
            if !codecs.contains(&format.codec) {
                codecs.push(format.codec);
            }
        }
        Some(codecs)
    }

    pub(super) fn ice(&self) -> &IceCredentials {
        &self.ice
    }

    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether the browser insists on waiting for our ClientHello. We wait where we can choose.
    pub(super) fn wants_us_active(&self) -> bool {
        self.setup == Setup::Passive
    }
}

impl Section {
    /// The video formats that we take, in the browser's order; none for other kinds.
    #[must_use]
    pub fn formats(&self) -> &[OfferedVideo] {
        match &self.kind {
            Kind::Video { formats, .. } => formats,
            Kind::Audio { .. } | Kind::Other => &[],
        }
    }

    /// Whether there is a video format that we take.
    #[must_use]
    pub fn has_video(&self) -> bool {
        !self.formats().is_empty()
    }

    /// The simulcast layers offered, in order; none for a plain stream.
    #[must_use]
    pub fn rids(&self) -> &[OfferedRid] {
        match &self.kind {
            Kind::Video { rids, .. } => rids,
            Kind::Audio { .. } | Kind::Other => &[],
        }
    }

    fn read(media: &Media, stopped: bool, has_audio: &mut bool) -> Result<Self, OfferError> {
        let kind = match media.kind {
            MediaKind::Audio if !*has_audio => {
                *has_audio = true;
                let opus = opus(media);
                Kind::Audio {
                    red: opus.as_ref().and_then(|opus| red(media, opus)),
                    opus,
                }
            }
            MediaKind::Video => video(media),
            _ => Kind::Other,
        };
        let attributes = &media.attributes;
        Ok(Self {
            mid: attributes.mid().unwrap_or_default().to_owned(),
            stopped,
            // Not what an address of 0.0.0.0 makes of it: a browser writes that where it has no candidate yet.
            direction: attributes.direction().unwrap_or(Direction::SendRecv),
            kind,
            extensions: extensions(media),
            reduced_size: attributes.rtcp_rsize(),
            name: media.kind.to_string(),
            protocol: media.protocol.to_string(),
            first_format: media
                .formats
                .first()
                .cloned()
                .unwrap_or_else(|| "0".to_owned()),
        })
    }
}

fn opus(media: &Media) -> Option<OfferedOpus> {
    let map = media
        .codecs()
        .into_iter()
        .find(|map| map.is("opus", 48_000))?;
    let fmtp = media.attributes.fmtp(map.payload_type);
    let parameter = |name| fmtp.as_ref().and_then(|fmtp| fmtp.get(name));
    Some(OfferedOpus {
        payload_type: map.payload_type,
        ptime_ms: media
            .attributes
            .ptime()
            .and_then(|ptime| ptime.try_into().ok()),
        // RFC 7587 §6.1: 6000 to 510000.
        max_bitrate: parameter("maxaveragebitrate")
            .and_then(|bps| bps.parse().ok())
            .filter(|bps| (6_000..=510_000).contains(bps)),
        inband_fec: parameter("useinbandfec") == Some("1"),
    })
}

/// The RED whose blocks, primary and copies alike, are of that Opus: `a=fmtp:63 111/111`.
fn red(media: &Media, opus: &OfferedOpus) -> Option<OfferedRed> {
    let maps = media.codecs();
    let place = maps.iter().position(|map| {
        let fmtp = media.attributes.fmtp(map.payload_type);
        let mut blocks = fmtp.iter().flat_map(|fmtp| fmtp.parameters.split('/'));
        map.is("red", 48_000)
            && fmtp.is_some()
            && blocks.all(|block| block.trim().parse() == Ok(opus.payload_type))
    })?;
    let (before, from) = maps.split_at_checked(place)?;
    Some(OfferedRed {
        payload_type: from.first()?.payload_type,
        preferred: before
            .iter()
            .all(|map| map.payload_type != opus.payload_type),
    })
}

fn video(media: &Media) -> Kind {
    let feedback = media.attributes.rtcp_feedback();
    let mut formats: Vec<OfferedVideo> = Vec::new();
    for map in media.codecs() {
        let Some((codec, h264_profile)) = codec(media, &map) else {
            continue;
        };
        // One payload type per codec: the browser's first.
        if formats.iter().any(|format| format.codec == codec) {
            continue;
        }
        let has = |kind: &str, parameter: &str| {
            feedback.iter().any(|line| {
                line.payload_type.is_none_or(|pt| pt == map.payload_type)
                    && line.kind.eq_ignore_ascii_case(kind)
                    && line.parameter.as_deref() == Some(parameter)
            })
        };
        formats.push(OfferedVideo {
            codec,
            payload_type: map.payload_type,
            h264_profile,
            nack_pli: has("nack", "pli"),
            ccm_fir: has("ccm", "fir"),
        });
    }
    let attributes = &media.attributes;
    let rtx_ssrcs: Vec<u32> = attributes
        .ssrc_groups()
        .iter()
        .filter(|group| group.semantics == "FID")
        .flat_map(|group| group.ssrcs.iter().skip(1).copied())
        .collect();
    let ssrcs = attributes
        .ssrc_ids()
        .into_iter()
        .filter(|ssrc| !rtx_ssrcs.contains(ssrc))
        .collect();
    Kind::Video {
        formats,
        ssrcs,
        rtx_ssrcs,
        rids: rids(media),
    }
}

/// VP8, or H.264 constrained baseline in packetization mode 1 (RFC 6184 §8.1), with its `profile-level-id`.
fn codec(media: &Media, map: &RtpMap) -> Option<(VideoCodec, Option<String>)> {
    if map.is("VP8", 90_000) {
        return Some((VideoCodec::Vp8, None));
    }
    if !map.is("H264", 90_000) {
        return None;
    }
    let fmtp = media.attributes.fmtp(map.payload_type)?;
    let profile = fmtp.get("profile-level-id")?;
    let bits = u32::from_str_radix(profile, 16).ok()?;
    // Profile 0x42 with constraint_set1: what plain baseline has more, no browser sends or shows.
    let is_constrained_baseline = profile.len() == 6 && bits >> 16 == 0x42 && bits >> 8 & 0x40 != 0;
    let is_mode_1 = fmtp.get("packetization-mode") == Some("1");
    (is_constrained_baseline && is_mode_1)
        .then(|| (VideoCodec::H264, Some(profile.to_ascii_lowercase())))
}

/// The layers of `a=simulcast:send`; of alternatives the first.
fn rids(media: &Media) -> Vec<OfferedRid> {
    let Some(simulcast) = media.attributes.simulcast() else {
        return Vec::new();
    };
    simulcast
        .send
        .iter()
        .filter_map(|alternatives| alternatives.first())
        .filter(|rid| is_token(&rid.id, 32))
        .map(|rid| OfferedRid {
            id: rid.id.clone(),
            paused: rid.paused,
        })
        .collect()
}

fn extensions(media: &Media) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for map in media.attributes.extmaps() {
        // One-byte headers have ids 1 to 14 (RFC 8285 §4.2).
        let Some(id) = u8::try_from(map.id).ok().filter(|id| (1..=14).contains(id)) else {
            continue;
        };
        match map.uri.as_str() {
            "urn:ietf:params:rtp-hdrext:ssrc-audio-level" => ids.audio_level = Some(id),
            "urn:ietf:params:rtp-hdrext:sdes:mid" => ids.mid = Some(id),
            _ => {}
        }
    }
    ids
}

/// A mid that fits into a one-byte header extension.
fn is_mid(text: &str) -> bool {
    is_token(text, 16)
}

fn is_token(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&octet))
}

fn are_credentials(ice: &IceCredentials) -> bool {
    let are_ice_chars = |text: &str| {
        text.bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/'))
    };
    // RFC 8839 §5.4.
    (4..=256).contains(&ice.ufrag.len())
        && (22..=256).contains(&ice.pwd.len())
        && are_ice_chars(&ice.ufrag)
        && are_ice_chars(&ice.pwd)
}
