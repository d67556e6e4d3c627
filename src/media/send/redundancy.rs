//! Copies of earlier packets in each packet (RED, RFC 2198), as many as the loss that the other side reports calls for.

use wire::rtp::{Copied, Red, write_red};

/// The redundancy of one outgoing stream. Allocates when made only.
#[derive(Clone, Debug)]
pub struct Redundancy {
    payload_type: u8,
    /// Loss that is reckoned with, 0 to 1.
    loss: f32,
    /// The latest payloads, newest last.
    history: [Earlier; MOST_COPIES],
    payloads: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Earlier {
    timestamp: u32,
    /// 0: nothing.
    length: usize,
    payload_type: u8,
    /// Which cell of `payloads` holds it.
    cell: usize,
}

impl Redundancy {
    /// None as yet: copies are made when loss is reported. `payload_type` is RED's.
    #[must_use]
    pub fn new(payload_type: u8) -> Self {
        let mut history = [Earlier::default(); MOST_COPIES];
        for (cell, earlier) in history.iter_mut().enumerate() {
            earlier.cell = cell;
        }
        Self {
            payload_type,
            loss: 0.0,
            history,
            payloads: vec![0; MOST_COPIES * Red::LONGEST_COPY],
            out: vec![0; LONGEST_PACKET],
        }
    }

    /// RED's payload type.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The other side reported a fraction lost, in 1/256 (RFC 3550 §6.4.1). More is believed at once, less slowly.
    pub fn reported(&mut self, fraction_lost: u8) {
        let now = f32::from(fraction_lost) / 256.0;
        self.loss = now.max(self.loss * 0.75 + now * 0.25);
    }

    /// How many copies each packet carries now.
    ///
    /// Losses come in bursts: of the packets lost, about 0.6 have a lost successor. So `n` copies leave a share
    /// `loss × 0.6ⁿ`, and enough are sent to leave 2 % or less. When most is lost, sending more makes it worse.
    #[must_use]
    pub fn copies(&self) -> usize {
        if self.loss > HOPELESS {
            return 0;
        }
        let mut left = self.loss;
        let mut copies = 0;
        while left > BEARABLE && copies < MOST_COPIES {
            left *= AGAIN;
            copies += 1;
        }
        copies
    }

    /// Wraps a payload together with copies of earlier ones: the RED payload. `None` when no copies are wanted or there are
    /// none; the payload then goes out as it is. Remembers it in either case.
    pub fn wrap(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Option<&[u8]> {
        let wanted = self.copies();
        let length = (wanted > 0)
            .then(|| self.write(wanted, payload_type, timestamp, payload))
            .flatten();
        self.remember(payload_type, timestamp, payload);
        self.out.get(..length?)
    }

    /// Sound was left out: what was said before it belongs to nothing that follows.
    pub fn forget(&mut self) {
        for earlier in &mut self.history {
            earlier.length = 0;
        }
    }

    fn write(
        &mut self,
        wanted: usize,
        payload_type: u8,
        timestamp: u32,
        payload: &[u8],
    ) -> Option<usize> {
        let Self {
            history,
            payloads,
            out,
            ..
        } = self;
        let mut room = LONGEST_PACKET.checked_sub(payload.len() + 1)?;
        // The newest are worth most: from them backwards as far as they fit.
        let fitting = history
            .iter()
            .rev()
            .take(wanted)
            .take_while(|earlier| {
                let fits = earlier.length > 0
                    && earlier.length + 4 <= room
                    && timestamp.wrapping_sub(earlier.timestamp) <= u32::from(Red::GREATEST_OFFSET);
                room = room.saturating_sub(earlier.length + 4);
                fits
            })
            .count();
        if fitting == 0 {
            return None;
        }
        let copies = history.iter().skip(MOST_COPIES - fitting).map(|earlier| {
            let from = earlier.cell * Red::LONGEST_COPY;
            Copied {
                payload_type: earlier.payload_type,
                offset: timestamp.wrapping_sub(earlier.timestamp) as u16,
                payload: payloads
                    .get(from..from + earlier.length)
                    .unwrap_or_default(),
            }
        });
        write_red(out, copies, payload_type, payload).ok()
    }

    fn remember(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        self.history.rotate_left(1);
        let Some(newest) = self.history.last_mut() else {
            return;
        };
        newest.length = 0;
        let from = newest.cell * Red::LONGEST_COPY;
        if let Some(cell) = self
            .payloads
            .get_mut(from..from + Red::LONGEST_COPY)
            .and_then(|cell| cell.get_mut(..payload.len()))
        {
            cell.copy_from_slice(payload);
            newest.length = payload.len();
            newest.payload_type = payload_type;
            newest.timestamp = timestamp;
        }
    }
}

/// The most copies that a packet carries: 80 ms of the usual packets, which is what a jitter buffer can wait for.
const MOST_COPIES: usize = 4;
/// Octets of a RED payload: with all headers a packet stays below the usual MTU.
const LONGEST_PACKET: usize = 1_100;
const BEARABLE: f32 = 0.02;
const AGAIN: f32 = 0.6;
const HOPELESS: f32 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;

    fn redundancy(fraction_lost: u8) -> Redundancy {
        let mut redundancy = Redundancy::new(63);
        redundancy.reported(fraction_lost);
        redundancy
    }

    #[test]
    fn without_loss_there_are_no_copies_and_with_more_loss_there_are_more() {
        let copies: Vec<usize> = [0, 2, 8, 13, 26, 38, 51, 128, 200]
            .map(|fraction| redundancy(fraction).copies())
            .into();
        // 0, 1, 3, 5, 10, 15, 20, 50 and 78 %.
        assert_eq!(copies, [0, 0, 1, 2, 4, 4, 4, 4, 0]);
    }

    #[test]
    fn loss_that_ends_is_forgotten_slowly() {
        let mut redundancy = redundancy(51);
        let mut reports = 0;
        while redundancy.copies() > 0 {
            redundancy.reported(0);
            reports += 1;
        }
        assert!((6..=12).contains(&reports), "{reports}");
        assert_eq!(redundancy.wrap(111, 960, &[1]), None);
    }

    #[test]
    fn a_packet_carries_its_predecessors_oldest_first() {
        let mut redundancy = redundancy(10);
        assert_eq!(redundancy.wrap(111, 960, &[1]), None);
        assert!(redundancy.wrap(111, 1_920, &[2, 2]).is_some());
        let wrapped = redundancy.wrap(111, 2_880, &[3, 3, 3]).unwrap().to_vec();
        let red = Red::parse(&wrapped).unwrap();
        assert_eq!(red.primary(), [3, 3, 3]);
        let copies: Vec<_> = red
            .copies()
            .map(|c| (c.offset, c.payload.to_vec()))
            .collect();
        assert_eq!(copies, [(1_920, vec![1]), (960, vec![2, 2])]);
        redundancy.forget();
        assert_eq!(redundancy.wrap(111, 3_840, &[4]), None);
    }

    #[test]
    fn what_does_not_fit_or_is_too_old_is_left_out() {
        let mut redundancy = redundancy(51);
        let large = [7; 600];
        for n in 0..4 {
            redundancy.wrap(111, n * 960, &large);
        }
        // Two of 600 and their headers do not fit beside each other.
        assert_eq!(redundancy.wrap(111, 3_840, &large), None);
        let red = redundancy.wrap(111, 4_800, &[1]).unwrap().to_vec();
        assert_eq!(Red::parse(&red).unwrap().copies().count(), 1);
        let late = redundancy.wrap(111, 4_800 + 16_384, &[2]);
        assert_eq!(late, None);
        // Longer than a copy can be.
        redundancy.wrap(111, 30_000, &[1; 1_050]);
        assert_eq!(redundancy.wrap(111, 30_960, &[2]), None);
    }
}
