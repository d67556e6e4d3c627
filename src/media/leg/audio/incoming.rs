//! What an audio packet holds: sound, keys, a description of silence, or all of these with copies of earlier ones.

use std::time::Instant;

use wire::rtp::Red;

use super::{Audio, Taken, press};
use crate::measure::ledger::Dropped;
use crate::receive::EventPacket;
use crate::smooth::{Arrived, Put};

impl Audio {
    /// Takes a packet with copies of earlier ones.
    pub(super) fn receive_redundant(
        &mut self,
        now: Instant,
        packet: &Arrived<'_>,
    ) -> Result<Taken, Dropped> {
        let Ok(red) = Red::parse(packet.payload) else {
            self.playout.pass(packet.sequence);
            self.reception.too_late(packet.sequence);
            return Err(Dropped::Malformed);
        };
        // Keys are told in the order in which they were pressed,
        for copy in red.copies() {
            if self.event_format(copy.payload_type).is_some() {
                let timestamp = packet.timestamp.wrapping_sub(u32::from(copy.offset));
                self.receive_event(now, packet.sequence, false, timestamp, copy.payload);
            }
        }
        let primary = Arrived {
            payload_type: red.payload_type(),
            payload: red.primary(),
            ..*packet
        };
        let taken = self.receive_one(now, &primary)?;
        // and copies of sound are placed by the packet that they came with.
        for copy in red.copies() {
            let offset = u32::from(copy.offset);
            if let Some(sequence) =
                self.playout
                    .put_copy(now, &primary, copy.payload_type, offset, copy.payload)
            {
                self.reception.recovered(sequence);
            }
        }
        Ok(taken)
    }

    /// Takes a packet of one payload.
    pub(super) fn receive_one(
        &mut self,
        now: Instant,
        packet: &Arrived<'_>,
    ) -> Result<Taken, Dropped> {
        let Arrived {
            sequence,
            timestamp,
            payload_type,
            ..
        } = *packet;
        if self.event_format(payload_type).is_some() {
            self.playout.pass(sequence);
            self.receive_event(now, sequence, packet.marker, timestamp, packet.payload);
            return Ok(Taken::Event);
        }
        if packet.payload.is_empty() {
            self.playout.pass(sequence);
            return Err(Dropped::Empty);
        }
        let put = if self.plan.comfort_noise == Some(payload_type) {
            self.reception.media_time(now, timestamp, COMFORT_CLOCK);
            self.playout.put_comfort(now, packet)
        } else {
            let Some(codec) = self.format(payload_type).map(|format| format.codec) else {
                self.playout.pass(sequence);
                return Err(Dropped::UnknownPayloadType);
            };
            self.codec = Some(codec);
            self.reception.media_time(now, timestamp, codec.rtp_clock());
            self.spacing.packet(sequence, timestamp, codec.rtp_clock());
            self.playout.put(now, packet)
        };
        match put {
            // What came twice was stopped before; here a copy was faster than its original.
            Put::Kept | Put::Duplicate => Ok(Taken::Audio),
            Put::UnknownType => Err(Dropped::UnknownPayloadType),
            Put::Late | Put::Malformed => {
                self.reception.too_late(sequence);
                Err(if put == Put::Late {
                    Dropped::Late
                } else {
                    Dropped::Malformed
                })
            }
        }
    }

    fn receive_event(
        &mut self,
        now: Instant,
        sequence: u64,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) {
        let packet = EventPacket {
            sequence,
            marker,
            timestamp,
            payload,
        };
        let pressed = &mut self.pressed;
        self.keys.packet(now, &packet, |key| press(pressed, key));
    }
}

/// Comfort noise has a clock of 8000 Hz with every codec that it goes with (RFC 3551 §4.5, Table 4).
const COMFORT_CLOCK: u32 = 8_000;
