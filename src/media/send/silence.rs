//! What is sent of silence to whoever agreed to comfort noise (RFC 3389): its description, now and then, in place of sound.

use crate::codec::Description;
use crate::mix::SILENT;

/// Decides, packet by packet, for one outgoing stream.
#[derive(Clone, Debug)]
pub struct SilenceSender {
    /// Ticks since it was last loud.
    quiet: u32,
    /// Mean level of the quiet, in dB below overload.
    level: f32,
    /// What was described last, and ticks since then.
    described: Option<(u8, u32)>,
}

/// What becomes of a packet of sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spoken {
    /// It is sent; `first` after silence.
    Sound {
        /// It begins a talkspurt.
        first: bool,
    },
    /// This is sent in its place.
    Description([u8; 1]),
    /// Nothing is.
    Nothing,
}

impl SilenceSender {
    /// Sound is sent at first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            quiet: 0,
            level: f32::from(SILENT),
            described: None,
        }
    }

    /// Takes the level of a tick's frame, in dB below overload.
    pub fn tick(&mut self, level: u8) {
        if let Some((_, ticks)) = &mut self.described {
            *ticks += 1;
        }
        if level < QUIET {
            self.quiet = 0;
            return;
        }
        if self.quiet == 0 {
            self.level = f32::from(level);
        }
        self.quiet = self.quiet.saturating_add(1);
        self.level += (f32::from(level) - self.level) / 8.0;
    }

    /// Decides about a packet that the last tick completed.
    pub fn packet(&mut self) -> Spoken {
        if self.quiet < HANG {
            let first = self.described.take().is_some();
            return Spoken::Sound { first };
        }
        let level = self.level.round().clamp(0.0, 127.0) as u8;
        let stale = self.described.is_none_or(|(told, ticks)| {
            ticks >= REPEAT || (ticks >= SOON && told.abs_diff(level) >= NOTICEABLE)
        });
        if !stale {
            return Spoken::Nothing;
        }
        self.described = Some((level, 0));
        Spoken::Description(Description::payload(level))
    }
}

impl Default for SilenceSender {
    fn default() -> Self {
        Self::new()
    }
}

/// From this level down, in dB below overload, nobody is speaking.
const QUIET: u8 = 60;
/// Ticks for which silence is sent as sound before it is described: 200 ms.
const HANG: u32 = 10;
/// Ticks after which a description is repeated: a second; it may have been lost, and paths through NAT stay open.
const REPEAT: u32 = 50;
/// Ticks between descriptions at least.
const SOON: u32 = 10;
/// Decibels that make another description necessary.
const NOTICEABLE: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sender: &mut SilenceSender, level: u8, ticks: usize) -> Vec<Spoken> {
        (0..ticks)
            .map(|_| {
                sender.tick(level);
                sender.packet()
            })
            .collect()
    }

    #[test]
    fn silence_is_described_once_a_second_and_speech_begins_with_a_marked_packet() {
        let mut sender = SilenceSender::new();
        let sound = |first| Spoken::Sound { first };
        assert_eq!(run(&mut sender, 20, 5), vec![sound(false); 5]);
        let silence = run(&mut sender, 68, 9 + 151);
        assert_eq!(silence[..9], [sound(false); 9]);
        let described: Vec<usize> = (0..silence.len())
            .filter(|&n| silence[n] == Spoken::Description([68]))
            .collect();
        assert_eq!(described, [9, 59, 109, 159]);
        let nothing = silence.iter().filter(|&&s| s == Spoken::Nothing).count();
        assert_eq!(nothing, 147);
        assert_eq!(run(&mut sender, 20, 2), [sound(true), sound(false)]);
    }

    #[test]
    fn another_level_is_told_soon() {
        let mut sender = SilenceSender::new();
        run(&mut sender, 70, 30);
        let after = run(&mut sender, 62, 49);
        let told: Vec<u8> = after
            .iter()
            .filter_map(|s| match s {
                Spoken::Description([level]) => Some(*level),
                _ => None,
            })
            .collect();
        assert!(told.contains(&62) || told.contains(&63), "{told:?}");
        assert!(told.len() <= 5, "{told:?}");
    }
}
