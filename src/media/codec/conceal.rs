//! Waveform substitution for G.711 and G.722, in the manner of ITU-T G.711 Appendix I.
//!
//! A lost stretch is filled by repeating the last pitch period of what was heard: one period for the
//! first 10 ms, two and then three after that, so that it does not buzz; from 10 ms on it
//! fades, and after 120 ms it is silent (the Appendix has 60; losses come in bursts, and half a word that fades is
//! missed less than half a word that stops). Unlike the Appendix, no 3.75 ms of output are held back to smooth
//! the first join: the step that remains there is measured and faded out as a correction instead.

/// The history and the synthesis state of one decoder.
#[derive(Clone, Debug)]
pub(crate) struct Concealer {
    /// Samples per millisecond.
    per_ms: usize,
    /// The newest samples heard, oldest first; 48 ms.
    history: Vec<f32>,
    /// The cycle being repeated: up to three periods, its end blended for a smooth return to its start.
    cycle: Vec<f32>,
    cycle_len: usize,
    position: usize,
    /// Pitch period found at the start of the gap.
    period: usize,
    periods: usize,
    /// Samples substituted since the last real one.
    gap: usize,
    /// What the first join lacks for continuity.
    step: f32,
}

impl Concealer {
    /// For sounds at `rate` Hz (8 000 or 16 000).
    pub(crate) fn new(rate: u32) -> Self {
        let per_ms = rate as usize / 1000;
        Self {
            per_ms,
            history: vec![0.0; HISTORY_MS * per_ms],
            cycle: vec![0.0; HISTORY_MS * per_ms],
            cycle_len: 0,
            position: 0,
            period: 0,
            periods: 0,
            gap: 0,
            step: 0.0,
        }
    }

    /// Forgets everything.
    pub(crate) fn reset(&mut self) {
        self.history.fill(0.0);
        self.gap = 0;
    }

    /// Takes in decoded samples. After a gap their beginning is blended with the substitution.
    pub(crate) fn heard(&mut self, samples: &mut [i16]) {
        if self.gap > 0 {
            // Appendix I: 4 ms, and 4 ms more for each further 10 ms lost, 10 ms at most.
            let lost_ms = self.gap / self.per_ms;
            let blend = ((4 + 4 * (lost_ms.saturating_sub(10) / 10)).min(10) * self.per_ms)
                .min(samples.len());
            for (i, sample) in samples.iter_mut().take(blend).enumerate() {
                let weight = (i + 1) as f32 / (blend + 1) as f32;
                let substitute = self.next();
                *sample = (f32::from(*sample) * weight + substitute * (1.0 - weight)) as i16;
            }
            self.gap = 0;
        }
        self.remember(samples);
    }

    /// Fills `out` with substitution.
    pub(crate) fn conceal(&mut self, out: &mut [i16]) {
        if self.gap == 0 {
            self.begin();
        }
        for sample in out {
            *sample = self.next() as i16;
        }
    }

    fn remember(&mut self, samples: &[i16]) {
        let keep = self.history.len();
        let newest = &samples[samples.len().saturating_sub(keep)..];
        self.history.copy_within(newest.len().., 0);
        let from = keep - newest.len();
        for (slot, &sample) in self.history[from..].iter_mut().zip(newest) {
            *slot = f32::from(sample);
        }
    }

    fn begin(&mut self) {
        self.period = self.pitch();
        self.take_periods(1);
        self.position = 0;
        let end = self.history.len();
        // Where the last period was, the sample before the cycle's first was this one.
        self.step = self.history[end - 1] - self.history[end - 1 - self.period];
    }

    /// The lag between 5 and 15 ms at which the last 20 ms resemble what came before most.
    fn pitch(&self) -> usize {
        let (shortest, longest) = (5 * self.per_ms, 15 * self.per_ms);
        let window = 20 * self.per_ms;
        let end = self.history.len();
        let recent = &self.history[end - window..];
        let mut best = (longest, f32::MIN);
        for lag in shortest..=longest {
            let earlier = &self.history[end - window - lag..end - lag];
            let (mut cross, mut energy) = (0.0_f32, 1.0_f32);
            // Every second sample is enough to choose by (Appendix I decimates likewise).
            for (a, b) in recent.iter().zip(earlier).step_by(2) {
                cross += a * b;
                energy += b * b;
            }
            let likeness = cross / energy.sqrt();
            if likeness > best.1 {
                best = (lag, likeness);
            }
        }
        best.0
    }

    /// Makes the cycle out of the last `periods` pitch periods.
    fn take_periods(&mut self, periods: usize) {
        let length = self.period * periods;
        let overlap = self.period / 4;
        let end = self.history.len();
        let start = end - length;
        self.cycle[..length].copy_from_slice(&self.history[start..]);
        for i in 0..overlap {
            let weight = (i + 1) as f32 / (overlap + 1) as f32;
            let before = self.history[start - overlap + i];
            let slot = &mut self.cycle[length - overlap + i];
            *slot = *slot * (1.0 - weight) + before * weight;
        }
        self.cycle_len = length;
        self.periods = periods;
    }

    fn next(&mut self) -> f32 {
        let fade_from = 10 * self.per_ms;
        let fade_end = SILENT_AFTER_MS * self.per_ms;
        if self.gap >= fade_end {
            self.gap = self.gap.saturating_add(1);
            return 0.0;
        }
        if self.position >= self.cycle_len {
            self.position = 0;
            // Widen only where a cycle ends: its end leads into the start of any cycle that
            // begins a whole number of periods earlier.
            let wanted = (self.gap / (10 * self.per_ms) + 1).min(3);
            if wanted > self.periods {
                self.take_periods(wanted);
            }
        }
        let mut sample = self.cycle[self.position];
        self.position += 1;
        let mend = MEND_MS * self.per_ms;
        if self.gap < mend {
            let left = 1.0 - self.gap as f32 / mend as f32;
            sample += self.step * left * left;
        }
        if self.gap > fade_from {
            sample *= (fade_end - self.gap) as f32 / (fade_end - fade_from) as f32;
        }
        self.gap += 1;
        sample
    }
}

/// Three of the longest periods and the quarter before them.
const HISTORY_MS: usize = 49;
/// From here on a gap is silent.
const SILENT_AFTER_MS: usize = 120;
/// How long the correction of the first join takes to vanish.
const MEND_MS: usize = 3;
