//! Transport-wide feedback: when each packet of a transport arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use super::packet::RtcpError;
use super::read::Reader;

/// One feedback packet, with every packet that it speaks of spelt out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportFeedback {
    /// Who reports.
    pub sender: u32,
    /// The stream named; the report is about the whole transport.
    pub media: u32,
    /// Number of this feedback packet, modulo 256.
    pub number: u8,
    /// The fate of each packet, in order of transport sequence numbers without gaps.
    pub packets: Vec<Arrival>,
}

/// The fate of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Transport-wide sequence number.
    pub sequence: u16,
    /// When it arrived in µs of the reporter's clock (an arbitrary epoch, wrapping after 12.4 days); `None` if
    /// it did not.
    pub at_us: Option<i64>,
}

/// Reads the body of a feedback packet, from the sender's SSRC on.
pub(super) fn read(r: &mut Reader<'_>) -> Result<TransportFeedback, RtcpError> {
    let sender = r.u32()?;
    let media = r.u32()?;
    let base = r.u16()?;
    let count = r.u16()?;
    let [t0, t1, t2, number] = r.take()?;
    // The reference time is signed, in units of 64 ms.
    let reference = i64::from(i32::from_be_bytes([t0, t1, t2, 0]) >> 8);

    // First every chunk, then every delta. A run is checked against the deltas that can follow it, so that
    // a few octets cannot ask for much memory: at most 65535 entries, and those that arrived cost octets.
    let mut symbols = Vec::new();
    let count = usize::from(count);
    while symbols.len() < count {
        let chunk = r.u16()?;
        let room = count - symbols.len();
        if chunk & 0x8000 == 0 {
            let symbol = u8::try_from(chunk >> 13 & 3).unwrap_or_default();
            let run = usize::from(chunk & 0x1fff).min(room);
            if run == 0 {
                return Err(RtcpError::TooShort);
            }
            symbols.resize(symbols.len() + run, symbol);
        } else if chunk & 0x4000 == 0 {
            let bits = (0..14).rev().map(|i| u8::from(chunk >> i & 1 == 1));
            symbols.extend(bits.take(room));
        } else {
            let pairs = (0..7).rev().map(|i| (chunk >> (2 * i) & 3) as u8);
            symbols.extend(pairs.take(room));
        }
    }
    let mut clock = reference * 64_000;
    let mut sequence = base;
    let mut packets = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let delta = match symbol {
            1 => {
                let [d] = r.take()?;
                Some(i64::from(d))
            }
            2 => Some(i64::from(i16::from_be_bytes(r.take()?))),
            _ => None,
        };
        // Deltas are in units of 250 µs.
        let at_us = delta.map(|d| {
            clock += d * 250;
            clock
        });
        packets.push(Arrival { sequence, at_us });
        sequence = sequence.wrapping_add(1);
    }
    Ok(TransportFeedback {
        sender,
        media,
        number,
        packets,
    })
}
