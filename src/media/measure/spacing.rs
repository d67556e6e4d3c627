//! How much sound a packet of a stream holds, by the timestamps of packets that follow each other.

/// The packet duration of one stream.
///
/// Silence lets timestamps leap, so that the shortest step of an interval is the one that tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spacing {
    last: Option<(u64, u32)>,
    shortest_ms: Option<f64>,
    before_ms: Option<f64>,
}

impl Spacing {
    /// Takes a packet by its extended sequence number, RTP timestamp and clock in Hz.
    pub fn packet(&mut self, sequence: u64, timestamp: u32, clock: u32) {
        let last = self.last.replace((sequence, timestamp));
        let Some((before, then)) = last else {
            return;
        };
        let ticks = timestamp.wrapping_sub(then);
        if sequence != before + 1 || clock == 0 || ticks == 0 {
            return;
        }
        let ms = f64::from(ticks) * 1000.0 / f64::from(clock);
        // RFC 3551 §4.2 wants at most 200 ms; no codec of ours has packets below 2.5 ms.
        if (2.5..=200.0).contains(&ms) && self.shortest_ms.is_none_or(|shortest| ms < shortest) {
            self.shortest_ms = Some(ms);
        }
    }

    /// Milliseconds of sound in a packet; `None` before two packets followed each other.
    #[must_use]
    pub fn ms(&self) -> Option<f64> {
        self.shortest_ms.or(self.before_ms)
    }

    /// Begins another interval, in which packets may be longer.
    pub fn next_interval(&mut self) {
        self.before_ms = self.ms();
        self.shortest_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_between_neighbours_tells_and_neither_loss_nor_silence_does() {
        let mut spacing = Spacing::default();
        assert_eq!(spacing.ms(), None);
        for (sequence, timestamp) in [(1, 0), (3, 320), (4, 8480), (5, 8640), (6, 8960)] {
            spacing.packet(sequence, timestamp, 8000);
        }
        assert_eq!(spacing.ms(), Some(20.0));
        spacing.next_interval();
        assert_eq!(spacing.ms(), Some(20.0));
        spacing.packet(7, 9440, 8000);
        assert_eq!(spacing.ms(), Some(60.0));
    }
}
