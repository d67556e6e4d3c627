//! What to take from an offer: the section, the codec, the telephone-events, the protection, the way.

use wire::plan::{AudioCodec, AudioFormat, TelephoneEvent};
use wire::sdp::{Media, MediaKind, RtpMap, Section, Session};

use super::reach::Reach;
use super::rules::{Refusal, Rules, SrtpPolicy};
use super::security::Wanted;

/// An offer with what we choose from it.
#[derive(Debug)]
pub struct Offer {
    pub(super) session: Session,
    pub(super) chosen: Chosen,
}

/// What we choose from an offer.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Which section.
    pub(super) index: usize,
    pub(super) format: AudioFormat,
    /// Every telephone-event offered, those with the codec's clock first.
    pub(super) events: Vec<TelephoneEvent>,
    /// Payload type of comfort noise with the codec's clock.
    pub(super) comfort_noise: Option<u8>,
    pub(super) security: Wanted,
    pub(super) reach: Reach,
}

impl Offer {
    pub(super) fn choose(
        session: Session,
        rules: &Rules,
        srtp: SrtpPolicy,
    ) -> Result<Self, Refusal> {
        let audio: Vec<Section<'_>> = session
            .sections()
            .filter(|section| section.media.kind == MediaKind::Audio && !section.is_declined())
            .collect();
        // Where SRTP is among what is offered, nothing in the clear is taken: no downgrade.
        let secure = audio.iter().any(|s| s.media.protocol.is_secure());
        let mut first_refusal = None;
        let mut chosen = None;
        for section in audio {
            if secure && !section.media.protocol.is_secure() {
                continue;
            }
            match Chosen::from_section(section, rules, srtp) {
                Ok(found) => {
                    chosen = Some(found);
                    break;
                }
                Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
            }
        }
        match chosen {
            Some(chosen) => Ok(Self { session, chosen }),
            None => Err(first_refusal.unwrap_or(Refusal::NoAudio)),
        }
    }

    /// Whether their audio is received at an IPv6 address.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.section()
            .and_then(|section| section.connection())
            .is_some_and(|connection| {
                connection.ip().map_or_else(
                    || connection.addr_type.eq_ignore_ascii_case("IP6"),
                    |ip| ip.is_ipv6(),
                )
            })
    }

    pub(super) fn section(&self) -> Option<Section<'_>> {
        self.session.sections().nth(self.chosen.index)
    }
}

impl Chosen {
    fn from_section(
        section: Section<'_>,
        rules: &Rules,
        srtp: SrtpPolicy,
    ) -> Result<Self, Refusal> {
        let media = section.media;
        if !media.protocol.is_rtp() {
            return Err(Refusal::Transport);
        }
        let security = Wanted::of(section, srtp)?;
        let maps = media.codecs();
        let (codec, map) = choose_codec(&maps, rules).ok_or(Refusal::NoCodec)?;
        let (max_bitrate, inband_fec) = opus_wishes(codec, media, map.payload_type);
        Ok(Self {
            index: section.index,
            format: AudioFormat {
                codec,
                payload_type: map.payload_type,
                ptime_ms: packet_ms(codec, section.ptime(), section.maxptime()),
                max_bitrate,
                inband_fec,
            },
            events: events_of(&maps, codec.rtp_clock()),
            comfort_noise: comfort_noise_of(&maps, codec),
            security,
            reach: Reach::of(section),
        })
    }
}

/// The offerer's first codec that we take, or ours that is offered.
fn choose_codec<'a>(maps: &'a [RtpMap], rules: &Rules) -> Option<(AudioCodec, &'a RtpMap)> {
    let offered = || maps.iter().filter_map(|map| Some((codec_of(map)?, map)));
    if rules.own_order {
        rules
            .codecs
            .iter()
            .find_map(|codec| offered().find(|(offered, _)| offered == codec))
    } else {
        offered().find(|(codec, _)| rules.codecs.contains(codec))
    }
}

/// The codec that a mapping names. Opus is always `48000/2` (RFC 7587 §7); a missing `/2` is forgiven.
pub(super) fn codec_of(map: &RtpMap) -> Option<AudioCodec> {
    if map.is("opus", 48_000) && !matches!(map.channels, Some(1)) {
        return Some(AudioCodec::Opus);
    }
    if map.channels.is_some_and(|channels| channels != 1) {
        return None;
    }
    [AudioCodec::G722, AudioCodec::Pcmu, AudioCodec::Pcma]
        .into_iter()
        .find(|codec| map.is(codec.encoding_name(), codec.rtp_clock()))
}

/// Every telephone-event, those with that clock first.
pub(super) fn events_of(maps: &[RtpMap], clock: u32) -> Vec<TelephoneEvent> {
    let mut events: Vec<TelephoneEvent> = maps
        .iter()
        .filter(|map| map.encoding.eq_ignore_ascii_case("telephone-event"))
        .map(|map| TelephoneEvent {
            payload_type: map.payload_type,
            clock_rate: map.clock_rate,
        })
        .collect();
    events.sort_by_key(|event| event.clock_rate != clock);
    events
}

/// The comfort noise that goes with a codec: the one with its clock (RFC 3389 §5). Opus has its own.
pub(super) fn comfort_noise_of(maps: &[RtpMap], codec: AudioCodec) -> Option<u8> {
    maps.iter()
        .find(|map| codec != AudioCodec::Opus && map.is("CN", codec.rtp_clock()))
        .map(|map| map.payload_type)
}

/// What the other side wants of our Opus: bound in bit/s, in-band FEC (RFC 7587 §6.1).
pub(super) fn opus_wishes(
    codec: AudioCodec,
    media: &Media,
    payload_type: u8,
) -> (Option<u32>, bool) {
    if codec != AudioCodec::Opus {
        return (None, false);
    }
    let Some(fmtp) = media.attributes.fmtp(payload_type) else {
        return (None, false);
    };
    let bitrate = fmtp
        .get("maxaveragebitrate")
        .and_then(|value| value.parse::<u32>().ok())
        .map(|value| value.clamp(6_000, 510_000));
    (bitrate, fmtp.get("useinbandfec") == Some("1"))
}

/// Milliseconds of sound per packet: the longest that we make up to what is wished and allowed; 20 without wishes.
pub(super) fn packet_ms(codec: AudioCodec, ptime: Option<u16>, maxptime: Option<u16>) -> u8 {
    let most = ptime.unwrap_or(20).min(maxptime.unwrap_or(u16::MAX));
    let lengths: &[u8] = match codec {
        AudioCodec::Opus => &[60, 40, 20, 10],
        AudioCodec::G722 | AudioCodec::Pcmu | AudioCodec::Pcma => &[60, 50, 40, 30, 20, 10],
    };
    lengths
        .iter()
        .copied()
        .find(|&length| u16::from(length) <= most)
        .unwrap_or(10)
}

/// What we offer: dynamic payload types where RFC 3551 has no static one.
pub(super) fn formats_of(rules: &Rules) -> Vec<AudioFormat> {
    rules
        .codecs
        .iter()
        .map(|&codec| AudioFormat {
            codec,
            payload_type: match codec {
                AudioCodec::Opus => 96,
                AudioCodec::G722 => 9,
                AudioCodec::Pcmu => 0,
                AudioCodec::Pcma => 8,
            },
            ptime_ms: 20,
            max_bitrate: None,
            inband_fec: false,
        })
        .collect()
}
