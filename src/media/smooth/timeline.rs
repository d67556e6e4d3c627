//! RTP timestamps of any clock to one line of positions in samples at 48 kHz.

use super::PER_MS;

/// Unwraps timestamps, and bridges jumps that no pause explains: another clock, a new source's offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    newest: Option<Newest>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    sequence: u64,
    timestamp: u32,
    clock: u32,
    position: i64,
    arrival: i64,
}

impl Timeline {
    /// The position of a packet's first sample. `clock` divides 48 000; `arrival` is in samples at 48 kHz.
    pub(crate) fn place(&mut self, sequence: u64, timestamp: u32, clock: u32, arrival: i64) -> i64 {
        let scale = i64::from(48_000 / clock.max(1));
        let Some(newest) = self.newest else {
            self.newest = Some(Newest {
                sequence,
                timestamp,
                clock,
                position: 0,
                arrival,
            });
            return 0;
        };
        let step = i64::from(timestamp.wrapping_sub(newest.timestamp).cast_signed()) * scale;
        if sequence <= newest.sequence {
            return newest.position + step;
        }
        let waited = arrival - newest.arrival;
        let odd = clock != newest.clock
            || step < -LONGEST_STEP_BACK
            || (step - waited).abs() > LONGEST_MISMATCH;
        let position = newest.position + if odd { waited.max(0) } else { step };
        self.newest = Some(Newest {
            sequence,
            timestamp,
            clock,
            position,
            arrival,
        });
        position
    }

    /// The newest sequence number so far.
    pub(crate) fn newest_sequence(&self) -> Option<u64> {
        self.newest.map(|newest| newest.sequence)
    }
}

/// A later packet with an earlier timestamp: some senders step back a little, more than this is a new offset.
const LONGEST_STEP_BACK: i64 = 120 * PER_MS;
/// A timestamp that moves this much more or less than the clock on the wall.
const LONGEST_MISMATCH: i64 = 3_000 * PER_MS;
