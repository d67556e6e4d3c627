//! Writes the classic capture format of libpcap (draft-ietf-opsawg-pcap), one UDP datagram per record.
//!
//! What came over TCP or TLS is written as a datagram as well: the record is about messages, and a message
//! that was decrypted and masked has no segments, sequence numbers and checksums to tell any more.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Why a datagram was not written.
#[derive(Debug, thiserror::Error)]
pub enum PcapError {
    /// More than a datagram can hold.
    #[error("{0} octets do not fit a datagram")]
    TooLong(usize),
    /// The two addresses are of different families.
    #[error("{0} and {1} are of different families")]
    MixedFamilies(SocketAddr, SocketAddr),
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A capture file being written.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header: version 2.4, microseconds, raw IP packets.
    ///
    /// # Errors
    /// [`PcapError::Io`].
    pub fn new(mut out: W) -> Result<Self, PcapError> {
        out.write_all(&MAGIC.to_le_bytes())?;
        out.write_all(&2_u16.to_le_bytes())?;
        out.write_all(&4_u16.to_le_bytes())?;
        // Time zone and accuracy, which nobody uses.
        out.write_all(&[0; 8])?;
        out.write_all(&SNAP_LENGTH.to_le_bytes())?;
        out.write_all(&LINKTYPE_RAW.to_le_bytes())?;
        Ok(Self { out })
    }

    /// Writes one datagram. An unspecified address takes the family of the other.
    ///
    /// # Errors
    /// [`PcapError`].
    pub fn datagram(
        &mut self,
        at_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Result<(), PcapError> {
        let (source, destination) = families(from, to)?;
        let udp_length = u16::try_from(payload.len() + UDP_HEADER)
            .ok()
            .filter(|length| *length <= u16::MAX - 40)
            .ok_or(PcapError::TooLong(payload.len()))?;
        let mut packet = Vec::with_capacity(payload.len() + UDP_HEADER + 40);
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ipv4(&mut packet, source, destination, udp_length);
            }
            _ => {
                let six = |ip| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                packet.extend_from_slice(&[0x60, 0, 0, 0]);
                packet.extend_from_slice(&udp_length.to_be_bytes());
                packet.extend_from_slice(&[UDP, HOPS]);
                packet.extend_from_slice(&six(source).octets());
                packet.extend_from_slice(&six(destination).octets());
            }
        }
        let head = packet.len();
        packet.extend_from_slice(&from.port().to_be_bytes());
        packet.extend_from_slice(&to.port().to_be_bytes());
        packet.extend_from_slice(&udp_length.to_be_bytes());
        packet.extend_from_slice(&[0, 0]);
        packet.extend_from_slice(payload);
        // Zero says "none" over IPv4, and is written as its complement (RFC 768).
        let sum = match udp_checksum(source, destination, &packet[head..]) {
            0 => 0xffff_u16,
            sum => sum,
        };
        packet[head + 6..head + 8].copy_from_slice(&sum.to_be_bytes());
        self.record(at_us, &packet)
    }

    /// Hands back what is written to.
    ///
    /// # Errors
    /// [`PcapError::Io`] when the last octets cannot be written.
    pub fn finish(mut self) -> Result<W, PcapError> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, at_us: u64, packet: &[u8]) -> Result<(), PcapError> {
        let length = packet.len() as u32;
        for field in [
            (at_us / 1_000_000) as u32,
            (at_us % 1_000_000) as u32,
            length,
            length,
        ] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        Ok(self.out.write_all(packet)?)
    }
}

/// Both addresses in one family.
fn families(from: SocketAddr, to: SocketAddr) -> Result<(IpAddr, IpAddr), PcapError> {
    let (source, destination) = (from.ip().to_canonical(), to.ip().to_canonical());
    let like = |any: IpAddr, other: IpAddr| match (any.is_unspecified(), other) {
        (true, IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (true, IpAddr::V6(_)) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        (false, _) => any,
    };
    let both = (like(source, destination), like(destination, source));
    if both.0.is_ipv4() == both.1.is_ipv4() {
        Ok(both)
    } else {
        Err(PcapError::MixedFamilies(from, to))
    }
}

fn ipv4(packet: &mut Vec<u8>, source: Ipv4Addr, destination: Ipv4Addr, udp_length: u16) {
    let start = packet.len();
    let total = udp_length.saturating_add(20);
    packet.extend_from_slice(&[0x45, 0]);
    packet.extend_from_slice(&total.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0x40, 0, HOPS, UDP, 0, 0]);
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    let sum = !ones_sum(0, &packet[start..]);
    if let Some(place) = packet.get_mut(start + 10..start + 12) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
}

/// RFC 768 and RFC 8200 §8.1, with the pseudo header.
fn udp_checksum(source: IpAddr, destination: IpAddr, datagram: &[u8]) -> u16 {
    let mut sum = u32::from(UDP) + datagram.len() as u32;
    for ip in [source, destination] {
        sum = match ip {
            IpAddr::V4(ip) => u32::from(ones_sum(sum, &ip.octets())),
            IpAddr::V6(ip) => u32::from(ones_sum(sum, &ip.octets())),
        };
    }
    !ones_sum(sum, datagram)
}

/// The one's complement sum of 16-bit words (RFC 1071).
fn ones_sum(start: u32, bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum = words.fold(start, u32::wrapping_add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

const MAGIC: u32 = 0xa1b2_c3d4;
const LINKTYPE_RAW: u32 = 101;
const SNAP_LENGTH: u32 = 65_535;
const UDP_HEADER: usize = 8;
const UDP: u8 = 17;
const HOPS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(from: &str, to: &str, payload: &[u8]) -> Result<Vec<u8>, PcapError> {
        let mut pcap = PcapWriter::new(Vec::new())?;
        pcap.datagram(
            1_500_000,
            from.parse().unwrap(),
            to.parse().unwrap(),
            payload,
        )?;
        pcap.finish()
    }

    #[test]
    fn a_datagram_is_laid_out_with_headers_and_checksums() {
        let file = written("192.0.2.1:5060", "192.0.2.2:5070", b"abc").unwrap();
        let (head, record) = file.split_at(24);
        assert_eq!(
            head,
            [
                0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101,
                0, 0, 0
            ]
        );
        // 1.5 s, 31 octets.
        assert_eq!(
            record[..16],
            [1, 0, 0, 0, 0x20, 0xa1, 7, 0, 31, 0, 0, 0, 31, 0, 0, 0]
        );
        let packet = &record[16..];
        assert_eq!(
            packet[..12],
            [0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0xb6, 0xca]
        );
        assert_eq!(packet[12..20], [192, 0, 2, 1, 192, 0, 2, 2]);
        assert_eq!(packet[20..26], [0x13, 0xc4, 0x13, 0xce, 0, 11]);
        assert_eq!(&packet[28..], b"abc");
        // A receiver's check: the sum over everything, checksum included, is all ones.
        assert_eq!(ones_sum(0, &packet[..20]), 0xffff);
        let ip = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        assert_eq!(udp_checksum(ip(1), ip(2), &packet[20..]), 0);
    }

    #[test]
    fn ipv6_and_unspecified_addresses_are_written_and_mixtures_are_not() {
        let file = written("[2001:db8::1]:5060", "[::]:5061", b"x").unwrap();
        assert_eq!(file[40], 0x60);
        assert_eq!(file[24 + 16 + 6], 17);
        assert!(written("192.0.2.1:1", "[::]:2", b"x").is_ok());
        let mixed = written("192.0.2.1:1", "[2001:db8::1]:2", b"x");
        assert!(matches!(mixed, Err(PcapError::MixedFamilies(..))));
        let long = vec![0; 65_500];
        let refused = written("192.0.2.1:1", "192.0.2.2:2", &long);
        assert!(matches!(refused, Err(PcapError::TooLong(65_500))));
    }
}
