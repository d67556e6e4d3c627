//! The STUN message format: header, attributes, integrity and fingerprint (RFC 8489 §5, §14).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// The fixed value in every STUN header (RFC 8489 §5).
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
/// XORed over the CRC-32 of FINGERPRINT (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Octets of the header.
pub(super) const HEADER: usize = 20;
/// Octets of HMAC-SHA1.
const MAC: usize = 20;

/// Attribute types that ICE uses (RFC 8489 §18.3, RFC 8445 §16.1).
pub(super) mod attr {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const PRIORITY: u16 = 0x0024;
    pub(crate) const USE_CANDIDATE: u16 = 0x0025;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const ICE_CONTROLLED: u16 = 0x8029;
    pub(crate) const ICE_CONTROLLING: u16 = 0x802a;
}

/// The 96 bits that pair an answer with its request.
pub type TransactionId = [u8; 12];

/// Why bytes are not the STUN message that was expected, or could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StunError {
    /// Fewer octets than the header says, or more.
    #[error("STUN length does not fit")]
    Length,
    /// No magic cookie, or a non-zero start.
    #[error("not a STUN message")]
    NotStun,
    /// An attribute reaches over the end.
    #[error("STUN attribute is cut short")]
    Attribute,
    /// FINGERPRINT is present and wrong, or not last.
    #[error("STUN fingerprint is wrong")]
    Fingerprint,
    /// Another method or class than a binding request.
    #[error("not a STUN binding request")]
    NotBindingRequest,
    /// The buffer to write into is too small.
    #[error("no room for the STUN message")]
    NoRoom,
}

/// Class of a message (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// The request succeeded.
    Success,
    /// The request failed.
    Error,
}

/// A well-formed STUN message, borrowed. Its FINGERPRINT, where present, is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: u16,
    transaction: TransactionId,
}

impl<'a> Message<'a> {
    /// Reads one datagram; every attribute's bounds are checked here.
    ///
    /// # Errors
    /// [`StunError::Length`], [`StunError::NotStun`], [`StunError::Attribute`], [`StunError::Fingerprint`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(StunError::Length)?;
        let [t0, t1, l0, l1, k0, k1, k2, k3, transaction @ ..] = *header;
        if t0 & 0xc0 != 0 || u32::from_be_bytes([k0, k1, k2, k3]) != MAGIC_COOKIE {
            return Err(StunError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length % 4 != 0 || bytes.len() != HEADER + length {
            return Err(StunError::Length);
        }
        let kind = u16::from_be_bytes([t0, t1]);
        // Class bits sit at 4 and 8, between the bits of the method (RFC 8489 figure 3).
        let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Error,
        };
        let method = (kind & 0x000f) | ((kind & 0x00e0) >> 1) | ((kind & 0x3e00) >> 2);
        let message = Self {
            bytes,
            class,
            method,
            transaction,
        };
        message.check()?;
        Ok(message)
    }

    /// Class of the message.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Method; 1 is Binding.
    #[must_use]
    pub fn method(&self) -> u16 {
        self.method
    }

    /// The transaction id.
    #[must_use]
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// The attributes in order, up to MESSAGE-INTEGRITY and it: what follows it, but FINGERPRINT, is to be
    /// ignored (RFC 8489 §14.5).
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            bytes: self.bytes,
            at: HEADER,
            sealed: false,
        }
    }

    /// Value of the first attribute of a type.
    #[must_use]
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|a| a.kind == kind).map(|a| a.value)
    }

    /// Whether MESSAGE-INTEGRITY is there and right under the short-term password. Compared in constant time.
    #[must_use]
    pub fn is_authentic(&self, password: &[u8]) -> bool {
        let Some(found) = self
            .attributes()
            .find(|a| a.kind == attr::MESSAGE_INTEGRITY && a.value.len() == MAC)
        else {
            return false;
        };
        let Some(covered) = self.bytes.get(..found.at) else {
            return false;
        };
        integrity(covered, password).is_some_and(|mac| mac.ct_eq(found.value).into())
    }

    /// The address of XOR-MAPPED-ADDRESS, where present.
    #[must_use]
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        let value = self.attribute(attr::XOR_MAPPED_ADDRESS)?;
        let ([_, family, p0, p1], rest) = value.split_first_chunk::<4>()?;
        let cookie = MAGIC_COOKIE.to_be_bytes();
        let port = u16::from_be_bytes([p0 ^ cookie[0], p1 ^ cookie[1]]);
        let ip = match family {
            1 => {
                let raw = u32::from_be_bytes(*rest.first_chunk::<4>()?);
                IpAddr::V4(Ipv4Addr::from_bits(raw ^ MAGIC_COOKIE))
            }
            2 => {
                let raw = u128::from_be_bytes(*rest.first_chunk::<16>()?);
                IpAddr::V6(Ipv6Addr::from_bits(raw ^ mask(&self.transaction)))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// The number of ERROR-CODE, where present.
    #[must_use]
    pub fn error_code(&self) -> Option<u16> {
        let [_, _, class, number] = *self.attribute(attr::ERROR_CODE)?.first_chunk::<4>()?;
        Some(u16::from(class & 7) * 100 + u16::from(number))
    }

    /// Walks over everything once: bounds, and FINGERPRINT last and right.
    fn check(&self) -> Result<(), StunError> {
        let mut at = HEADER;
        while at < self.bytes.len() {
            let (kind, value, next) = raw_attribute(self.bytes, at).ok_or(StunError::Attribute)?;
            if kind == attr::FINGERPRINT {
                let covered = self.bytes.get(..at).ok_or(StunError::Attribute)?;
                let right = next == self.bytes.len()
                    && value.first_chunk() == Some(&fingerprint(covered).to_be_bytes());
                if !right || value.len() != 4 {
                    return Err(StunError::Fingerprint);
                }
            }
            at = next;
        }
        Ok(())
    }
}

/// One attribute and where its head lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Attribute type.
    pub kind: u16,
    /// Its value without padding.
    pub value: &'a [u8],
    at: usize,
}

/// Iterates over attributes; see [`Message::attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
    sealed: bool,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.at;
            let (kind, value, next) = raw_attribute(self.bytes, at)?;
            self.at = next;
            if self.sealed && kind != attr::FINGERPRINT {
                continue;
            }
            self.sealed |= kind == attr::MESSAGE_INTEGRITY;
            return Some(Attribute { kind, value, at });
        }
    }
}

fn raw_attribute(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let ([k0, k1, l0, l1], rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let value = rest.get(..len)?;
    let padded = len.next_multiple_of(4);
    // The padding must be there too: the header's length counts it.
    rest.get(..padded)?;
    Some((u16::from_be_bytes([*k0, *k1]), value, at + 4 + padded))
}

/// HMAC-SHA1 over what precedes MESSAGE-INTEGRITY, with the header's length as if it ended there.
fn integrity(covered: &[u8], password: &[u8]) -> Option<[u8; MAC]> {
    let mut mac = Hmac::<Sha1>::new_from_slice(password).ok()?;
    let (start, rest) = covered.split_first_chunk::<2>()?;
    let (_, rest) = rest.split_first_chunk::<2>()?;
    let length = u16::try_from(covered.len() - HEADER + 4 + MAC).ok()?;
    mac.update(start);
    mac.update(&length.to_be_bytes());
    mac.update(rest);
    Some(mac.finalize().into_bytes().into())
}

/// CRC-32 over what precedes FINGERPRINT, with the header's length as if it ended there.
fn fingerprint(covered: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    if let Some((start, rest)) = covered.split_first_chunk::<2>()
        && let Some((_, rest)) = rest.split_first_chunk::<2>()
    {
        let length = u16::try_from(covered.len() + 8 - HEADER).unwrap_or(u16::MAX);
        crc.update(start);
        crc.update(&length.to_be_bytes());
        crc.update(rest);
    }
    crc.finalize() ^ FINGERPRINT_XOR
}

/// What an IPv6 address is XORed with: cookie, then transaction id.
fn mask(transaction: &TransactionId) -> u128 {
    let mut bytes = [0u8; 16];
    let (cookie, id) = bytes.split_at_mut(4);
    cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    id.copy_from_slice(transaction);
    u128::from_be_bytes(bytes)
}

/// Builds a message in a borrowed buffer.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts a Binding message.
    pub(super) fn binding(
        out: &'a mut [u8],
        class: Class,
        transaction: &TransactionId,
    ) -> Result<Self, StunError> {
        let kind: u16 = match class {
            Class::Request => 0x0001,
            Class::Indication => 0x0011,
            Class::Success => 0x0101,
            Class::Error => 0x0111,
        };
        let mut writer = Self { out, len: 0 };
        writer.put(&kind.to_be_bytes())?;
        writer.put(&[0, 0])?;
        writer.put(&MAGIC_COOKIE.to_be_bytes())?;
        writer.put(transaction)?;
        Ok(writer)
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), StunError> {
        let len = u16::try_from(value.len()).map_err(|_| StunError::NoRoom)?;
        self.put(&kind.to_be_bytes())?;
        self.put(&len.to_be_bytes())?;
        self.put(value)?;
        while !self.len.is_multiple_of(4) {
            self.put(&[0])?;
        }
        Ok(())
    }

    pub(super) fn mapped_address(
        &mut self,
        address: SocketAddr,
        transaction: &TransactionId,
    ) -> Result<(), StunError> {
        let [p0, p1] = address.port().to_be_bytes();
        let [k0, k1, ..] = MAGIC_COOKIE.to_be_bytes();
        let mut value = [0u8; 20];
        let (head, ip) = value.split_at_mut(4);
        let (family, octets) = match address.ip().to_canonical() {
            IpAddr::V4(v4) => {
                let raw = v4.to_bits() ^ MAGIC_COOKIE;
                ip[..4].copy_from_slice(&raw.to_be_bytes());
                (1, 4)
            }
            IpAddr::V6(v6) => {
                let raw = v6.to_bits() ^ mask(transaction);
                ip.copy_from_slice(&raw.to_be_bytes());
                (2, 16)
            }
        };
        head.copy_from_slice(&[0, family, p0 ^ k0, p1 ^ k1]);
        self.attribute(
            attr::XOR_MAPPED_ADDRESS,
            value.get(..4 + octets).unwrap_or_default(),
        )
    }

    /// Appends MESSAGE-INTEGRITY.
    pub(super) fn integrity(&mut self, password: &[u8]) -> Result<(), StunError> {
        let covered = self.out.get(..self.len).ok_or(StunError::NoRoom)?;
        let mac = integrity(covered, password).ok_or(StunError::NoRoom)?;
        self.attribute(attr::MESSAGE_INTEGRITY, &mac)
    }

    /// Sets the length, appends FINGERPRINT, returns the octets written.
    pub(super) fn finish(mut self) -> Result<usize, StunError> {
        let covered = self.out.get(..self.len).ok_or(StunError::NoRoom)?;
        let crc = fingerprint(covered).to_be_bytes();
        self.attribute(attr::FINGERPRINT, &crc)?;
        let length = u16::try_from(self.len - HEADER).map_err(|_| StunError::NoRoom)?;
        let place = self.out.get_mut(2..4).ok_or(StunError::NoRoom)?;
        place.copy_from_slice(&length.to_be_bytes());
        Ok(self.len)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StunError> {
        let end = self.len + bytes.len();
        self.out
            .get_mut(self.len..end)
            .ok_or(StunError::NoRoom)?
            .copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}
