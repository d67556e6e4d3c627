//! A prompt over what its listener hears (talk-over).

use std::sync::Arc;

use super::limit::bend;
use crate::codec::FRAME;

/// Plays one sound file of 48 kHz mono samples over a mix, which steps back meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    samples: Option<Arc<[i16]>>,
    position: usize,
    /// What was stopped or replaced since the last tick, and where: it fades out.
    stopped: Option<(Arc<[i16]>, usize)>,
    /// Gain of the mix beneath at the end of the last frame, less 1: 0 is full.
    ducked: f32,
}

/// What a [`Clip`] did in a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClipState {
    /// Nothing plays and the mix is at full level: the frame is the listener's mix, to the bit.
    Idle,
    /// The frame holds the prompt, or the mix on its way back to full level.
    Over,
    /// As [`ClipState::Over`], and the prompt ended in this tick. Told once.
    Ended,
}

impl Clip {
    /// A player with nothing to play.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a prompt, in place of the one that plays.
    pub fn play(&mut self, samples: Arc<[i16]>) {
        self.stop();
        self.samples = Some(samples);
        self.position = 0;
    }

    /// Stops the prompt, if one plays: it fades out within 10 ms.
    pub fn stop(&mut self) {
        if let Some(samples) = self.samples.take()
            && self.position > 0
        {
            self.stopped = Some((samples, self.position));
        }
    }

    /// Whether a prompt plays.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        self.samples.is_some()
    }

    /// Writes the tick's frame to `out`: `mix`, ducked by 12 dB under the prompt. Ducking and its end take 20 ms.
    pub fn tick(&mut self, mix: &[i16; FRAME], out: &mut [i16; FRAME]) -> ClipState {
        let stopped = self.stopped.take();
        if self.samples.is_none() && stopped.is_none() && self.ducked == 0.0 {
            out.copy_from_slice(mix);
            return ClipState::Idle;
        }
        let wanted = if self.samples.is_some() { DUCKED } else { 0.0 };
        let step = (wanted - self.ducked) / FRAME as f32;
        let sound = self
            .samples
            .as_deref()
            .and_then(|samples| samples.get(self.position..))
            .unwrap_or(&[]);
        let played = sound.len().min(FRAME);
        let leaving = stopped
            .as_ref()
            .and_then(|(samples, position)| samples.get(*position..))
            .unwrap_or(&[]);
        let mut gain = 1.0 + self.ducked;
        for (i, (slot, &beneath)) in out.iter_mut().zip(mix).enumerate() {
            gain += step;
            let over = sound.get(i).copied().unwrap_or(0);
            let left = leaving.get(i).copied().unwrap_or(0);
            let fading = (1.0 - i as f32 / FADE_OUT as f32).max(0.0);
            let sum = f32::from(beneath) * gain + f32::from(over) + f32::from(left) * fading;
            *slot = bend(sum);
        }
        self.ducked = wanted;
        self.position += played;
        if self.samples.is_some() && sound.len() <= FRAME {
            self.samples = None;
            return ClipState::Ended;
        }
        ClipState::Over
    }
}

/// 10 ms.
const FADE_OUT: usize = 480;
/// Gain of a ducked mix, less 1: -12 dB.
const DUCKED: f32 = 0.251 - 1.0;
