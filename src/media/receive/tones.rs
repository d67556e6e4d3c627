//! Keys pressed as tones in the sound itself, for callers that agreed to no telephone events (ITU-T Q.23, Q.24).
//!
//! A key is a pair of tones, one of four low and one of four high. Speech has such pairs too, for moments: what tells a key is
//! that nearly all the power is in the two, that they are about equally strong, and that this lasts. Every 5 ms a window
//! of 12.75 ms is looked at; five in a row with the same pair are a press (40 ms suffice, 23 ms do not, as Q.24 asks), four in a
//! row without it end the press.

use crate::codec::FRAME;

/// Looks for keys in one stream of sound.
#[derive(Clone, Debug)]
pub struct ToneReader {
    /// The newest samples at 8 kHz: what is left of the last tick, and this tick.
    recent: [f32; WINDOW + TICK],
    held: usize,
    /// The pair of the last window, and how many windows in a row had it.
    seen: Option<u8>,
    run: u32,
    /// The press that goes on, and for how many windows it has not been heard.
    pressed: Option<u8>,
    missed: u32,
}

impl ToneReader {
    /// Has heard nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            recent: [0.0; WINDOW + TICK],
            held: 0,
            seen: None,
            run: 0,
            pressed: None,
            missed: 0,
        }
    }

    /// Takes 20 ms at 48 kHz; returns the key if a press is recognised now. A press is told once, however long it is.
    pub fn hear(&mut self, frame: &[i16; FRAME]) -> Option<char> {
        for (slot, six) in self.recent[self.held..]
            .iter_mut()
            .zip(frame.as_chunks::<6>().0)
        {
            *slot = six.iter().map(|&s| f32::from(s)).sum::<f32>() / 6.0;
        }
        self.held += TICK;
        let mut told = None;
        let mut from = 0;
        while let Some(window) = self
            .recent
            .get(from..from + WINDOW)
            .filter(|_| from + WINDOW <= self.held)
        {
            let pair = pair_in(window);
            told = told.or(self.window(pair));
            from += STEP;
        }
        self.recent.copy_within(from..self.held, 0);
        self.held -= from;
        told
    }

    fn window(&mut self, pair: Option<u8>) -> Option<char> {
        if self.pressed.is_some() {
            if pair == self.pressed {
                self.missed = 0;
            } else {
                self.missed += 1;
                if self.missed >= ENDED {
                    self.pressed = None;
                }
            }
        }
        self.run = if pair.is_some() && pair == self.seen {
            self.run + 1
        } else {
            1
        };
        self.seen = pair;
        let pair = pair?;
        if self.run < PRESSED || self.pressed == Some(pair) {
            return None;
        }
        self.pressed = Some(pair);
        self.missed = 0;
        KEYS.get(usize::from(pair)).copied().map(char::from)
    }
}

impl Default for ToneReader {
    fn default() -> Self {
        Self::new()
    }
}

/// The key, as row × 4 + column, whose two tones make up a window.
fn pair_in(window: &[f32]) -> Option<u8> {
    let power = window.iter().map(|s| s * s).sum::<f32>() / window.len() as f32;
    if power < LEAST_POWER {
        return None;
    }
    let (row, low) = strongest(window, &LOW)?;
    let (column, high) = strongest(window, &HIGH)?;
    let twist = high / low;
    let is_key = low + high > MOSTLY * power && (1.0 / REVERSE_TWIST..TWIST).contains(&twist);
    is_key.then_some(row * 4 + column)
}

/// The strongest of four tones, if it stands out: its place and its power.
fn strongest(window: &[f32], coefficients: &[f32; 4]) -> Option<(u8, f32)> {
    let powers = coefficients.map(|coefficient| power_of(window, coefficient));
    let (place, power) = (0_u8..).zip(powers).max_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut others = (0_u8..).zip(powers).filter(|&(other, _)| other != place);
    let stands_out = others.all(|(_, other)| other * STANDS_OUT < power);
    stands_out.then_some((place, power))
}

/// The mean power of one tone in a window (Goertzel); `coefficient` is twice the cosine of its step.
fn power_of(window: &[f32], coefficient: f32) -> f32 {
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for &sample in window {
        let next = sample + coefficient * last - before;
        before = last;
        last = next;
    }
    let squared = before * before + last * last - coefficient * last * before;
    2.0 * squared / (window.len() * window.len()) as f32
}

/// Samples of a tick at 8 kHz.
const TICK: usize = 160;
/// 12.75 ms: short enough that a tone 1.5 % off its frequency loses little, long enough to tell the low tones apart.
const WINDOW: usize = 102;
/// 5 ms.
const STEP: usize = 40;
const PRESSED: u32 = 5;
const ENDED: u32 = 4;
/// 45 dB below overload.
const LEAST_POWER: f32 = 34_000.0;
/// Share of the power that the two tones must have.
const MOSTLY: f32 = 0.68;
/// How much stronger the high tone may be: 6 dB; and the low one: 10 dB (Q.24 has 4 to 8 and 4 to 10).
const TWIST: f32 = 4.0;
const REVERSE_TWIST: f32 = 10.0;
/// By how much the strongest of a group must exceed the others: 7 dB.
const STANDS_OUT: f32 = 5.0;
/// 2 cos(2π f / 8000) of 697, 770, 852 and 941 Hz.
const LOW: [f32; 4] = [1.707_737_8, 1.645_281, 1.568_687, 1.478_204_6];
/// And of 1209, 1336, 1477 and 1633 Hz.
const HIGH: [f32; 4] = [1.164_104, 0.996_370_2, 0.798_618_4, 0.568_532_7];
const KEYS: &[u8; 16] = b"123A456B789C*0#D";

#[cfg(test)]
mod tests;
