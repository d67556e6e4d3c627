//! Decoded samples on their way to the next ticks, and how they are stretched.
//!
//! A stretch removes or repeats one pitch period with a cross-fade as long as the period, so the waveform goes on
//! without a step and without a change of pitch.

use super::PER_MS;
use crate::codec::FRAME;

/// Samples at 48 kHz, first in first out, in fixed memory.
pub(crate) struct SampleQueue {
    samples: Vec<i16>,
    start: usize,
    end: usize,
}

impl SampleQueue {
    pub(crate) fn new() -> Self {
        Self {
            samples: vec![0; CAPACITY],
            start: 0,
            end: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.samples.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Room for `count` more samples at the end; fewer when there is less room.
    pub(crate) fn extend(&mut self, count: usize) -> &mut [i16] {
        if self.end + count > self.samples.len() {
            self.samples.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let from = self.end;
        self.end = (from + count).min(self.samples.len());
        &mut self.samples[from..self.end]
    }

    /// Takes the last `count` samples back.
    pub(crate) fn retract(&mut self, count: usize) {
        self.end = self.end.saturating_sub(count).max(self.start);
    }

    /// Takes one tick; what is not there is silence.
    pub(crate) fn take(&mut self, out: &mut [i16; FRAME]) {
        let count = self.len().min(FRAME);
        let (now, rest) = out.split_at_mut(count);
        now.copy_from_slice(&self.samples[self.start..self.start + count]);
        rest.fill(0);
        self.start += count;
    }

    /// Takes `count` samples unread.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// The last `count` samples.
    pub(crate) fn newest(&self, count: usize) -> &[i16] {
        &self.samples[self.end.saturating_sub(count).max(self.start)..self.end]
    }

    pub(crate) fn front(&self, count: usize) -> &[i16] {
        &self.samples[self.start..(self.start + count).min(self.end)]
    }

    /// Removes one period (or about 10 ms where there is none) near the front. Returns the samples removed: 0 when
    /// there is too little to work on or nothing repeats.
    pub(crate) fn shorten(&mut self, quiet: bool) -> usize {
        let Some(lag) = self.period(quiet) else {
            return 0;
        };
        let (start, end) = (self.start, self.end);
        for i in 0..lag {
            let weight = (i + 1) as f32 / (lag + 1) as f32;
            let old = f32::from(self.samples[start + i]);
            let new = f32::from(self.samples[start + lag + i]);
            // Written where it will be read: just before what follows the second period.
            self.samples[start + i] = (old * (1.0 - weight) + new * weight) as i16;
        }
        self.samples.copy_within(start + 2 * lag..end, start + lag);
        self.end -= lag;
        lag
    }

    /// Repeats one period near the front. Returns the samples added, 0 as above.
    pub(crate) fn lengthen(&mut self, quiet: bool) -> usize {
        let Some(lag) = self.period(quiet) else {
            return 0;
        };
        let room = self.extend(lag).len();
        if room < lag {
            self.retract(room);
            return 0;
        }
        let (start, end) = (self.start, self.end);
        self.samples
            .copy_within(start + lag..end - lag, start + 2 * lag);
        // Now [0, lag) is followed by a gap of one period, then by all the rest. The gap fades from what
        // followed the first period back to the first period, whose successor is what comes next.
        for i in 0..lag {
            let weight = (i + 1) as f32 / (lag + 1) as f32;
            let onward = f32::from(self.samples[start + 2 * lag + i]);
            let again = f32::from(self.samples[start + i]);
            self.samples[start + lag + i] = (onward * (1.0 - weight) + again * weight) as i16;
        }
        lag
    }

    /// The lag between 2.5 and 15 ms at which the front resembles what follows most. In quiet, where nobody hears it,
    /// 10 ms.
    fn period(&self, quiet: bool) -> Option<usize> {
        let longest = LONGEST.min(self.len() / 2);
        if longest < LEAST_SEARCH {
            return None;
        }
        if quiet {
            return Some(longest.min(10 * PER_MS as usize));
        }
        let front = self.front(longest * 2);
        // Search at 8 kHz, then around the best at 48 kHz.
        let mut coarse = [0.0_f32; NEEDED / 6];
        for (slot, six) in coarse.iter_mut().zip(front.chunks_exact(6)) {
            *slot = six.iter().map(|&s| f32::from(s)).sum();
        }
        let coarse = &coarse[..front.len() / 6];
        let (lag, _) = best_lag(coarse, SHORTEST / 6, longest / 6, longest / 6, 1);
        let mut fine = [0.0_f32; NEEDED];
        for (slot, &sample) in fine.iter_mut().zip(front) {
            *slot = f32::from(sample);
        }
        let around = lag * 6;
        let (lag, likeness) = best_lag(
            &fine[..front.len()],
            around.saturating_sub(5).max(SHORTEST),
            (around + 5).min(longest),
            longest,
            2,
        );
        (likeness > ALIKE).then_some(lag)
    }
}

/// The lag with the greatest normalised cross-correlation over `window` samples, and that correlation.
fn best_lag(
    samples: &[f32],
    shortest: usize,
    longest: usize,
    window: usize,
    stride: usize,
) -> (usize, f32) {
    let mut best = (shortest, -1.0);
    for lag in shortest..=longest {
        let (mut cross, mut early, mut late) = (0.0_f32, 1.0_f32, 1.0_f32);
        for (a, b) in samples
            .iter()
            .zip(&samples[lag..])
            .take(window)
            .step_by(stride)
        {
            cross += a * b;
            early += a * a;
            late += b * b;
        }
        let likeness = cross / (early * late).sqrt();
        if likeness > best.1 {
            best = (lag, likeness);
        }
    }
    best
}

/// The longest packet, and two ticks.
const CAPACITY: usize = 3 * 5_760;
const SHORTEST: usize = 120;
const LONGEST: usize = 720;
/// With less than a tick there is nothing to search.
const LEAST_SEARCH: usize = 480;
/// Samples that a stretch looks at at most: twice the longest period.
const NEEDED: usize = 2 * LONGEST;
/// Below this correlation a stretch would be heard.
const ALIKE: f32 = 0.5;
