//! Tells apart the protocols that share a media port, by the first two octets (RFC 7983, RFC 5761).

/// What a datagram on a media port is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DemuxClass {
    /// STUN, first octet 0 to 3.
    Stun,
    /// DTLS, first octet 20 to 63.
    Dtls,
    /// RTP or SRTP, first octet 128 to 191 and not RTCP.
    Rtp,
    /// RTCP or SRTCP, first octet 128 to 191 and a packet type of RTCP in the second.
    Rtcp,
    /// Anything else (ZRTP, TURN channels, noise): dropped.
    Unknown,
}

/// Classifies a datagram (RFC 7983 §7). An empty one is [`DemuxClass::Unknown`].
#[must_use]
pub fn demux_class(packet: &[u8]) -> DemuxClass {
    match (packet.first(), packet.get(1)) {
        (Some(0..=3), _) => DemuxClass::Stun,
        (Some(20..=63), _) => DemuxClass::Dtls,
        (Some(128..=191), Some(&second)) if is_rtcp(second) => DemuxClass::Rtcp,
        (Some(128..=191), Some(_)) => DemuxClass::Rtp,
        _ => DemuxClass::Unknown,
    }
}

/// Whether the second octet of a packet is an RTCP packet type rather than marker and payload type
/// (RFC 5761 §4: types 192 to 223 are RTCP, so payload types 64 to 95 must not be used for RTP).
#[must_use]
pub fn is_rtcp(second_octet: u8) -> bool {
    (192..=223).contains(&second_octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_octet_has_the_class_that_rfc_7983_gives_it() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => DemuxClass::Stun,
                20..=63 => DemuxClass::Dtls,
                128..=191 => DemuxClass::Rtp,
                _ => DemuxClass::Unknown,
            };
            assert_eq!(demux_class(&[first, 0x60]), expected, "first octet {first}");
        }
    }

    #[test]
    fn sender_report_is_rtcp_and_marked_opus_is_not() {
        assert_eq!(demux_class(&[0x80, 200]), DemuxClass::Rtcp);
        assert_eq!(demux_class(&[0x80, 0x80 | 111]), DemuxClass::Rtp);
    }

    #[test]
    fn empty_and_one_octet_datagrams_are_nothing() {
        assert_eq!(demux_class(&[]), DemuxClass::Unknown);
        assert_eq!(demux_class(&[0x80]), DemuxClass::Unknown);
    }
}
