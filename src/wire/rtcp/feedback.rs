//! Transport-wide feedback: when each packet of a transport arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use std::iter::repeat_n;

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, SymbolTypeTcc, TransportLayerCc,
};

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

impl TransportFeedback {
    /// Spells out the library's runs and vectors. At most 65535 entries, whatever the runs claim.
    pub(super) fn from_library(feedback: &TransportLayerCc) -> Self {
        let symbols = feedback.packet_chunks.iter().flat_map(|chunk| {
            let (run, vector) = match chunk {
                PacketStatusChunk::RunLengthChunk(c) => {
                    let run = (c.packet_status_symbol, usize::from(c.run_length));
                    (run, [].as_slice())
                }
                PacketStatusChunk::StatusVectorChunk(c) => (
                    (SymbolTypeTcc::PacketNotReceived, 0),
                    c.symbol_list.as_slice(),
                ),
            };
            repeat_n(run.0, run.1).chain(vector.iter().copied())
        });
        let [_, t0, t1, t2] = feedback.reference_time.to_be_bytes();
        // Signed, in units of 64 ms.
        let mut clock = i64::from(i32::from_be_bytes([t0, t1, t2, 0]) >> 8) * 64_000;
        let mut deltas = feedback.recv_deltas.iter();
        let mut sequence = feedback.base_sequence_number;
        let mut packets = Vec::new();
        for symbol in symbols.take(usize::from(feedback.packet_status_count)) {
            let delta = match symbol {
                SymbolTypeTcc::PacketReceivedSmallDelta
                | SymbolTypeTcc::PacketReceivedLargeDelta => deltas.next(),
                _ => None,
            };
            let at_us = delta.map(|delta| {
                clock += delta.delta;
                clock
            });
            packets.push(Arrival { sequence, at_us });
            sequence = sequence.wrapping_add(1);
        }
        Self {
            sender: feedback.sender_ssrc,
            media: feedback.media_ssrc,
            number: feedback.fb_pkt_count,
            packets,
        }
    }
}
