//! How the delay is kept where it should be.

use super::{FADED, MAX_DELAY, PER_MS, PIECE, PlayOut, TOLERANCE};
use crate::codec::FRAME;
use crate::mix::level_of;
use crate::smooth::buffer::Waiting;

impl PlayOut {
    /// Drops packets when the delay has outgrown its bound, after a long stall or a leap of the sender's.
    pub(super) fn catch_up(&mut self, now: i64) {
        if self.state.cursor.is_none() {
            return;
        }
        let base = self.delay.base();
        let delay_of = |position: i64| now - base - position;
        let too_late =
            |first: Option<&Waiting>, most| first.is_some_and(|p| delay_of(p.position) > most);
        if !too_late(self.buffer.first(), MAX_DELAY + TOLERANCE) {
            return;
        }
        let mut dropped = false;
        while self.buffer.len() > 1
            && too_late(self.buffer.first(), self.delay.aim() + FRAME as i64)
        {
            self.drop_first();
            dropped = true;
        }
        if dropped && let Some(packet) = self.buffer.first() {
            // The stall that led here is paid for.
            self.state.cursor = Some(packet.position);
            self.state.last = packet.sequence.saturating_sub(1);
            self.state.stalled = 0;
            // A little concealment leads over the cut.
            if self.state.filled < FADED {
                self.fill(2 * PIECE, !self.state.stale, false);
            }
        }
    }

    pub(super) fn drop_first(&mut self) {
        if let Some(packet) = self.buffer.remove_first() {
            self.counters.late += 1;
            self.fates.dropped(packet.sequence);
            if self.state.cursor.is_some() {
                self.state.last = self.state.last.max(packet.sequence);
            }
        }
    }

    /// Moves the delay towards its aim by stretching, in quiet where there is some.
    pub(super) fn adjust(&mut self, now: i64, decode: bool) {
        let Some(cursor) = self.state.cursor else {
            return;
        };
        if self.state.filled > 0 {
            // What plays is not a packet; the next one decides.
            if self.state.filled >= FADED {
                self.state.delay = None;
            }
            return;
        }
        let delay = now - self.delay.base() - (cursor - self.queue.len() as i64);
        let excess = delay - self.delay.aim();
        let state = &mut self.state;
        state.delay = Some(delay);
        state.shrinking = excess > TOLERANCE || (state.shrinking && excess > CLOSE);
        // How long before it is needed the next packet comes, if it comes as fast as any. Where a packet ends within a tick that
        // is less than the delay, and a slow sender would run into it.
        let spare = now + FRAME as i64 - self.delay.base() - cursor;
        let is_needed = self.queue.len() < 2 * FRAME;
        state.growing = excess < -TOLERANCE
            || (is_needed && spare < SPARE)
            || (state.growing && excess < -CLOSE);
        state.rest = state.rest.saturating_sub(1);
        if !(state.shrinking || state.growing) {
            return;
        }
        let shrinking = state.shrinking;
        // Something to work on, and a whole tick after a removal.
        let wanted = if shrinking {
            FRAME + STRETCHABLE / 2
        } else {
            STRETCHABLE
        };
        if self.queue.len() < wanted {
            let next = self.buffer.first();
            if next.is_some_and(|p| p.sequence == self.state.last + 1 && p.position <= cursor) {
                self.state.kind = self.play(now, decode);
            }
        }
        if shrinking && self.queue.len() < wanted {
            return;
        }
        let quiet = !decode || level_of(self.queue.front(FRAME)) > QUIET;
        if !quiet && self.state.rest > 0 {
            return;
        }
        let changed = if shrinking {
            self.queue.shorten(quiet)
        } else {
            self.queue.lengthen(quiet)
        };
        self.counters.stretched += changed as u64;
        let far = excess.abs() > FAR;
        self.state.rest = match (shrinking, far) {
            (true, false) => 5,
            (true, true) => 3,
            (false, _) => 2,
        };
    }

    /// The decoder missed what was skipped: it begins anew.
    pub(super) fn refresh(&mut self) {
        self.state.stale = false;
        self.state.filled = self.state.filled.max(FADED);
        self.ahead.clear();
        if let Some(format) = self.formats.get_mut(self.state.format) {
            format.decoder.reset();
            format.resampler.reset();
        }
    }
}

/// And once it moves it is brought this close to its aim.
const CLOSE: i64 = 5 * PER_MS;
/// The next packet should be there so long before its turn.
const SPARE: i64 = 3 * PER_MS;
/// An excess to be taken away faster.
const FAR: i64 = 60 * PER_MS;
/// Samples that stretching looks at.
const STRETCHABLE: usize = 1_440;
/// A level below which changes are not heard, in dB below full scale.
const QUIET: u8 = 55;
