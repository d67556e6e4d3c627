//! RTP headers, extensions and padding beside `rtc-rtp`.

use std::collections::BTreeMap;

use rtc_shared::marshal::Unmarshal;
use wire::rtp::RtpView;

use super::Dice;

/// What both readers say of a packet.
#[derive(PartialEq, Eq, Debug)]
struct Reading {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    csrcs: Vec<u32>,
    extensions: Vec<(u8, Vec<u8>)>,
    payload: Vec<u8>,
}

fn ours(packet: &[u8]) -> Option<Reading> {
    let view = RtpView::parse(packet).ok()?;
    Some(Reading {
        marker: view.marker(),
        payload_type: view.payload_type(),
        sequence: view.sequence(),
        timestamp: view.timestamp(),
        ssrc: view.ssrc(),
        csrcs: view.csrcs().collect(),
        extensions: view.extensions().map(|(id, v)| (id, v.to_vec())).collect(),
        payload: view.payload().to_vec(),
    })
}

fn theirs(mut packet: &[u8]) -> Option<Reading> {
    let read = rtc_rtp::Packet::unmarshal(&mut packet).ok()?;
    Some(Reading {
        marker: read.header.marker,
        payload_type: read.header.payload_type,
        sequence: read.header.sequence_number,
        timestamp: read.header.timestamp,
        ssrc: read.header.ssrc,
        csrcs: read.header.csrc,
        extensions: read
            .header
            .extensions
            .into_iter()
            .map(|e| (e.id, e.payload.to_vec()))
            .collect(),
        payload: read.payload.to_vec(),
    })
}

/// Why the two differ on a packet, looked up in the packet itself. `None`: no reason is known.
fn reason(packet: &[u8]) -> Option<&'static str> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        // RFC 3550 §5.1: this is version 2. What is not, is something else on the same port.
        return Some("they take any version");
    }
    let start = 12 + usize::from(first & 0x0f) * 4;
    if first & 0x20 != 0 && packet.last() == Some(&0) {
        // RFC 3550 §5.1: the count includes itself, so it is not zero.
        return Some("they take padding of no octets");
    }
    if first & 0x10 == 0 {
        return None;
    }
    let head = packet.get(start..start + 4)?;
    let profile = u16::from_be_bytes([head[0], head[1]]);
    let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let body = packet.get(start + 4..start + 4 + words * 4)?;
    match profile {
        0xbede => one_byte(body),
        0x1000 => two_byte(body),
        // RFC 8285 §4.3: the low four bits are free.
        0x1001..=0x100f => Some("they know two-byte elements by 0x1000 only"),
        // RFC 3550 §5.3.1: one extension without elements.
        _ => Some("they make an element 0 of an extension without elements"),
    }
}

fn one_byte(body: &[u8]) -> Option<&'static str> {
    let mut at = 0;
    while let Some(&octet) = body.get(at) {
        if octet == 0 {
            at += 1;
            continue;
        }
        let (id, len) = (octet >> 4, usize::from(octet & 0x0f) + 1);
        if id == 15 {
            // RFC 8285 §4.2: the rest of the extension is ignored. It is no payload.
            return Some("they take what follows id 15 for payload");
        }
        if at + 1 + len > body.len() {
            // RFC 8285 has no word for it: the packet is good, the element is not.
            return Some("they let an element reach out of its extension, or refuse the packet");
        }
        if id == 0 {
            // RFC 8285 §4.2: id 0 is padding and no element.
            return Some("they take id 0 for an element");
        }
        at += 1 + len;
    }
    None
}

fn two_byte(body: &[u8]) -> Option<&'static str> {
    let mut at = 0;
    while let Some(&id) = body.get(at) {
        if id == 0 {
            at += 1;
            continue;
        }
        let len = body.get(at + 1).map(|len| usize::from(*len));
        if len.is_none_or(|len| at + 2 + len > body.len()) {
            return Some("they let an element reach out of its extension, or refuse the packet");
        }
        at += 2 + len.unwrap_or_default();
    }
    None
}

/// A packet that is sound, or nearly so.
fn packet(dice: &mut Dice) -> Vec<u8> {
    let mut first = 0x80;
    if dice.once_in(40) {
        first = dice.next() as u8 & 0xc0;
    }
    let csrcs = if dice.once_in(4) { dice.below(16) } else { 0 };
    first |= csrcs as u8;
    let has_extension = dice.once_in(2);
    let padded = dice.once_in(4);
    first |= if has_extension { 0x10 } else { 0 } | if padded { 0x20 } else { 0 };
    let mut packet = vec![first];
    packet.extend(dice.octets(11 + csrcs * 4));
    if has_extension {
        let profile: u16 = match dice.below(8) {
            0..=3 => 0xbede,
            4 | 5 => 0x1000,
            6 => 0x1000 | dice.below(16) as u16,
            _ => dice.next() as u16,
        };
        let mut body = elements(dice, profile);
        while !body.len().is_multiple_of(4) {
            body.push(0);
        }
        packet.extend(profile.to_be_bytes());
        packet.extend((body.len() as u16 / 4).to_be_bytes());
        packet.extend(body);
    }
    let payload = dice.below(40);
    packet.extend(dice.octets(payload));
    if padded {
        let count = dice.below(6);
        packet.extend(vec![0; count as usize]);
        packet.push(if dice.once_in(6) {
            dice.next() as u8
        } else {
            count as u8 + 1
        });
    }
    if dice.once_in(10) {
        let len = dice.below(packet.len() as u64 + 1) as usize;
        packet.truncate(len);
    }
    packet
}

fn elements(dice: &mut Dice, profile: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..dice.below(4) {
        let len = 1 + dice.below(6);
        if profile == 0xbede {
            let id = if dice.once_in(12) {
                15 * dice.below(2)
            } else {
                1 + dice.below(14)
            };
            let said = if dice.once_in(15) {
                dice.below(16)
            } else {
                len - 1
            };
            body.push((id as u8) << 4 | said as u8);
        } else {
            body.push(1 + dice.below(255) as u8);
            body.push(if dice.once_in(15) {
                dice.next() as u8
            } else {
                len as u8
            });
        }
        body.extend(dice.octets(len));
        body.extend(vec![0; dice.below(2) as usize]);
    }
    body
}

#[test]
fn every_difference_from_the_other_reader_has_a_reason() {
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/rtp");
    let kept = std::fs::read_dir(corpus).unwrap();
    let kept = kept.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let made = (0..200_000).map(|_| packet(&mut dice));
    let (mut read, mut refused) = (0_u64, 0_u64);
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for bytes in kept.chain(made) {
        let (ours, theirs) = (ours(&bytes), theirs(&bytes));
        if ours == theirs {
            read += u64::from(ours.is_some());
            refused += u64::from(ours.is_none());
            continue;
        }
        match reason(&bytes) {
            Some(reason) => *reasons.entry(reason).or_default() += 1,
            None => panic!("{bytes:02x?}\nours {ours:?}\ntheirs {theirs:?}"),
        }
    }
    println!("read alike {read}, refused alike {refused}; different:");
    for (reason, count) in &reasons {
        println!("{count:>8}  {reason}");
    }
    assert!(read > 100_000 && refused > 1000);
    assert_eq!(reasons.len(), 7, "a reason that explains nothing is none");
}
