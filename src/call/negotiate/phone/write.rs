//! Our descriptions, section by section.

use wire::plan::{AudioCodec, AudioFormat, LocalMedia, TelephoneEvent};
use wire::sdp::{Connection, Fmtp, Media, MediaKind, Protocol, RtcpAddress, RtpMap, Session};

use super::rules::{Keying, Rules, SrtpPolicy};

/// A description without sections, and without origin: the agreement adds that.
pub(super) fn blank(local: &LocalMedia) -> Session {
    Session {
        name: "-".to_owned(),
        connection: Some(Connection::new(local.rtp.ip())),
        ..Session::default()
    }
}

/// An audio section without direction and keys.
pub(super) fn audio(
    local: &LocalMedia,
    protocol: Protocol,
    formats: &[AudioFormat],
    events: &[TelephoneEvent],
    comfort_noise: Option<u8>,
    rules: &Rules,
) -> Media {
    let payload_types = formats
        .iter()
        .map(|format| format.payload_type)
        .chain(comfort_noise)
        .chain(events.iter().map(|event| event.payload_type))
        .map(|payload_type| payload_type.to_string())
        .collect();
    let mut media = Media::new(MediaKind::Audio, local.rtp.port(), protocol, payload_types);
    for format in formats {
        let channels = (format.codec == AudioCodec::Opus).then_some(2);
        media.attributes.add(
            "rtpmap",
            RtpMap::new(
                format.payload_type,
                format.codec.encoding_name(),
                format.codec.rtp_clock(),
                channels,
            ),
        );
        if format.codec == AudioCodec::Opus {
            let mut parameters = "useinbandfec=1".to_owned();
            if let Some(bitrate) = rules.opus_bitrate {
                parameters.push_str(&format!(";maxaveragebitrate={bitrate}"));
            }
            fmtp(&mut media, format.payload_type, parameters);
        }
    }
    if let Some(payload_type) = comfort_noise {
        media
            .attributes
            .add("rtpmap", RtpMap::new(payload_type, "CN", 8_000, None));
    }
    for event in events {
        media.attributes.add(
            "rtpmap",
            RtpMap::new(
                event.payload_type,
                "telephone-event",
                event.clock_rate,
                None,
            ),
        );
        fmtp(&mut media, event.payload_type, "0-16".to_owned());
    }
    let ptime = formats.iter().map(|format| format.ptime_ms).min();
    media.attributes.add("ptime", ptime.unwrap_or(20));
    media
}

/// `a=rtcp`, where RTCP has a port of its own.
pub(super) fn rtcp(media: &mut Media, local: &LocalMedia) {
    if let Some(rtcp) = local.rtcp {
        media.attributes.add(
            "rtcp",
            RtcpAddress {
                port: rtcp.port(),
                connection: None,
            },
        );
    }
}

/// The telephone-events of our offers, one for each clock of our codecs.
pub(super) fn own_events(clocks: &[u32]) -> Vec<TelephoneEvent> {
    (101..)
        .zip(clocks)
        .map(|(payload_type, &clock_rate)| TelephoneEvent {
            payload_type,
            clock_rate,
        })
        .collect()
}

/// The transport of our offers: with `Prefer`, keys or a fingerprint in an AVP offer, which phones without SRTP
/// ignore (RFC 8643).
pub(super) fn offered_protocol(srtp: SrtpPolicy, keying: Keying) -> Protocol {
    match (srtp, keying) {
        (SrtpPolicy::Require, Keying::Sdes) => Protocol::RtpSavp,
        (SrtpPolicy::Require, Keying::Dtls) => Protocol::DtlsSavp,
        (SrtpPolicy::Prefer | SrtpPolicy::Off, _) => Protocol::RtpAvp,
    }
}

fn fmtp(media: &mut Media, payload_type: u8, parameters: String) {
    media.attributes.add(
        "fmtp",
        Fmtp {
            format: payload_type.to_string(),
            parameters,
        },
    );
}
