//! Which parties are heard: the loudest few, with hysteresis so that the choice does not flap.

use super::level::SILENT;

/// The loudest few of a bridge.
pub(crate) struct Choice {
    most: usize,
    voices: Vec<Voice>,
    /// Indices of voices in order of rank; reused each tick.
    order: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Voice {
    present: bool,
    /// Decoded this tick.
    candidate: bool,
    chosen: bool,
    /// Loudness in dB above silence: rises at once, falls by [`FALL`] per tick.
    loudness: f32,
    /// Ticks since it was last louder than [`SPEECH`].
    quiet_ticks: u32,
}

impl Choice {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            voices: Vec::new(),
            order: Vec::new(),
        }
    }

    pub(crate) fn join(&mut self, index: usize) {
        if self.voices.len() <= index {
            self.voices.resize(index + 1, ABSENT);
            self.order
                .reserve(self.voices.len().saturating_sub(self.order.len()));
        }
        self.voices[index] = Voice {
            present: true,
            ..ABSENT
        };
    }

    pub(crate) fn leave(&mut self, index: usize) {
        if let Some(voice) = self.voices.get_mut(index) {
            *voice = ABSENT;
        }
    }

    /// Decides who is decoded: everybody without an announced level, whoever is heard now, and of
    /// the announced the loudest, up to twice the number that can be heard.
    pub(crate) fn candidates(&mut self, parties: impl Iterator<Item = (usize, Option<u8>)>) {
        for voice in &mut self.voices {
            voice.candidate = false;
        }
        self.order.clear();
        for (index, announced) in parties {
            let Some(voice) = self.voices.get_mut(index) else {
                continue;
            };
            match announced {
                None => voice.candidate = true,
                Some(level) => {
                    let loudness = f32::from(SILENT.saturating_sub(level));
                    voice.loudness = loudness.max(voice.loudness);
                    if voice.chosen {
                        voice.candidate = true;
                    } else if loudness >= SPEECH {
                        self.order.push(index);
                    }
                }
            }
        }
        self.rank();
        for &index in self.order.iter().take(self.most * 2) {
            self.voices[index].candidate = true;
        }
    }

    pub(crate) fn is_candidate(&self, index: usize) -> bool {
        self.voices.get(index).is_some_and(|v| v.candidate)
    }

    /// Takes in a party's level of this tick.
    pub(crate) fn measured(&mut self, index: usize, level: u8, muted: bool) {
        let Some(voice) = self.voices.get_mut(index) else {
            return;
        };
        if muted {
            *voice = Voice {
                present: true,
                ..ABSENT
            };
            return;
        }
        let loudness = f32::from(SILENT.saturating_sub(level));
        voice.loudness = loudness.max(voice.loudness - FALL);
        voice.quiet_ticks = if loudness >= SPEECH {
            0
        } else {
            voice.quiet_ticks.saturating_add(1)
        };
    }

    /// Chooses for this tick.
    pub(crate) fn choose(&mut self) {
        for voice in &mut self.voices {
            if voice.quiet_ticks > HANG {
                voice.chosen = false;
            }
        }
        self.order.clear();
        for (index, voice) in self.voices.iter().enumerate() {
            if voice.present && voice.quiet_ticks <= HANG {
                self.order.push(index);
            }
        }
        self.rank();
        for (place, &index) in self.order.iter().enumerate() {
            self.voices[index].chosen = place < self.most;
        }
    }

    pub(crate) fn is_chosen(&self, index: usize) -> bool {
        self.voices.get(index).is_some_and(|v| v.chosen)
    }

    /// Sorts `order` by loudness; whoever is heard already has [`LEAD`] over whoever is not.
    fn rank(&mut self) {
        let Self { voices, order, .. } = self;
        let rank = |index: usize| {
            let voice = &voices[index];
            voice.loudness + if voice.chosen { LEAD } else { 0.0 }
        };
        // Ties go to the lower index, so that runs repeat.
        order.sort_unstable_by(|&a, &b| rank(b).total_cmp(&rank(a)).then(a.cmp(&b)));
    }
}

const ABSENT: Voice = Voice {
    present: false,
    candidate: false,
    chosen: false,
    loudness: 0.0,
    quiet_ticks: u32::MAX,
};

/// Loudness from which a frame counts as speech: 60 dB below full scale.
const SPEECH: f32 = 67.0;
/// What a newcomer must be louder by: 6 dB.
const LEAD: f32 = 6.0;
/// 0.6 dB per tick, 30 dB per second: pauses between words do not lose the place.
const FALL: f32 = 0.6;
/// Ticks for which a party stays in the mix after its last sound: 1 s.
const HANG: u32 = 50;
