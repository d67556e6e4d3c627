//! Where Opus was kept waiting: a little more concealment than plays, to lead over into what comes.
//!
//! After a loss the next packet goes on where concealment has got to. After a wait it does not: time was put in, and
//! the wave begins wherever its packet does. G.711 and G.722 are led over by their own concealment; libopus cannot know
//! that time was put in, so what it would have gone on with is made 5 ms ahead and faded into the packet.

use crate::codec::{CodecError, Decoder};

pub(super) struct Ahead {
    samples: [i16; AHEAD],
    length: usize,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self {
            samples: [0; AHEAD],
            length: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Conceals `length` samples to the front of `scratch`, and where it is a wait some more to be kept.
    pub(super) fn conceal(
        &mut self,
        decoder: &mut Decoder,
        scratch: &mut [i16],
        length: usize,
        waits: bool,
    ) -> Result<(), CodecError> {
        let kept = self.length;
        let wanted = (length + if waits { AHEAD } else { 0 }).max(kept);
        let scratch = scratch
            .get_mut(..wanted)
            .ok_or(CodecError::OutputTooShort)?;
        let (before, fresh) = scratch
            .split_at_mut_checked(kept)
            .ok_or(CodecError::OutputTooShort)?;
        before.copy_from_slice(&self.samples[..kept]);
        if !fresh.is_empty() {
            decoder.conceal(fresh)?;
        }
        let rest = scratch.get(length..).unwrap_or_default();
        self.length = rest.len().min(AHEAD);
        self.samples[..self.length].copy_from_slice(&rest[..self.length]);
        Ok(())
    }

    /// Fades what was kept, at `gain`, into a packet's samples. Returns whether there was any.
    pub(super) fn lead_over(&mut self, samples: &mut [i16], gain: f32) -> bool {
        let length = self.length.min(samples.len());
        for (i, (sample, &ahead)) in samples.iter_mut().zip(&self.samples[..length]).enumerate() {
            let weight = (i + 1) as f32 / (length + 1) as f32;
            let old = f32::from(ahead) * gain * (1.0 - weight);
            *sample = (f32::from(*sample) * weight + old) as i16;
        }
        self.length = 0;
        length > 0
    }
}

/// 5 ms.
const AHEAD: usize = 240;
