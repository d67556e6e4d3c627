//! The mixer: the loudest few, a mix without oneself for each of them, one shared mix for all others.
//!
//! One tick of 20 ms goes like this; the bridge drives it:
//!
//! 1. [`Mixer::begin`] with the tick's candidates chosen by the levels that packets announce
//!    ([`Mixer::announce`], RFC 6464). Only legs for which [`Mixer::wants`] holds are decoded, straight into
//!    [`Mixer::frame_mut`]; the others' play-out is skipped.
//! 2. [`Mixer::mix`] measures what was decoded, chooses who is heard, and sums. Whoever would hear nobody hears a little
//!    noise instead: a line that is dead silent sounds broken.
//! 3. [`Mixer::hears`] is what a party shall hear: the shared mix, or for whoever
//!    is in it ([`Mixer::is_heard`]) the mix without its own voice.
//! 4. [`SharedEncoders`] encode the shared mix once per encoding; a [`Listener`] picks its packets from
//!    there or from its own encoder, and changes between them without a click.

mod choose;
mod clip;
mod level;
mod limit;
mod shared;
#[cfg(test)]
mod tests;

pub use clip::{Clip, ClipState};
pub use level::{SILENT, level_of};
pub use shared::{GroupId, Listener, SharedEncoders};

use crate::codec::{Comfort, Description, FRAME};
use choose::Choice;
use limit::Limiter;

/// A party's place in a [`Mixer`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartyId(usize);

/// Mixes one bridge. Allocates when a party joins, never in a tick.
pub struct Mixer {
    parties: Vec<Option<Box<Party>>>,
    choice: Choice,
    /// Sum of every voice in the mix, before limiting.
    sum: Box<[i32; FRAME]>,
    scratch: Box<[i32; FRAME]>,
    shared: Box<[i16; FRAME]>,
    limiter: Limiter,
    noise: Comfort,
    /// The noise of this tick, the same for all.
    noise_frame: Box<[f32; FRAME]>,
    /// Share of the noise in the shared mix at the end of the last tick.
    noise_gain: f32,
    tick: u64,
}

struct Party {
    frame: Box<[i16; FRAME]>,
    /// What this party hears while it is heard.
    own: Box<[i16; FRAME]>,
    limiter: Limiter,
    muted: bool,
    /// Level that arriving packets announce for this tick, if they do.
    announced: Option<u8>,
    /// Whether `frame` was asked for and filled in this tick.
    wanted: bool,
    fed: bool,
    /// Measured level of this tick's frame.
    level: u8,
    /// Share of this party in the mix at the end of the last tick.
    gain: f32,
    /// Share of the noise in what it hears alone.
    noise_gain: f32,
    heard: bool,
}

impl Mixer {
    /// A mixer in which at most `loudest` parties are heard at a time (at least one).
    #[must_use]
    pub fn new(loudest: usize) -> Self {
        let mut noise = Comfort::new();
        noise.describe(Description::white(COMFORT_LEVEL));
        Self {
            parties: Vec::new(),
            choice: Choice::new(loudest.max(1)),
            sum: Box::new([0; FRAME]),
            scratch: Box::new([0; FRAME]),
            shared: Box::new([0; FRAME]),
            limiter: Limiter::new(),
            noise,
            noise_frame: Box::new([0.0; FRAME]),
            noise_gain: 0.0,
            tick: 0,
        }
    }

    /// Adds a party.
    pub fn join(&mut self) -> PartyId {
        let party = Some(Box::new(Party {
            frame: Box::new([0; FRAME]),
            own: Box::new([0; FRAME]),
            limiter: Limiter::new(),
            muted: false,
            announced: None,
            wanted: false,
            fed: false,
            level: SILENT,
            gain: 0.0,
            noise_gain: 0.0,
            heard: false,
        }));
        let free = self.parties.iter().position(Option::is_none);
        let index = match free {
            Some(index) => {
                self.parties[index] = party;
                index
            }
            None => {
                self.parties.push(party);
                self.parties.len() - 1
            }
        };
        self.choice.join(index);
        PartyId(index)
    }

    /// Removes a party. Its id may be given to another.
    pub fn leave(&mut self, id: PartyId) {
        if let Some(slot) = self.parties.get_mut(id.0) {
            *slot = None;
            self.choice.leave(id.0);
        }
    }

    /// Keeps a party out of the mix, or lets it in again.
    pub fn set_muted(&mut self, id: PartyId, muted: bool) {
        if let Some(party) = self.party_mut(id) {
            party.muted = muted;
        }
    }

    /// Whether a party is muted.
    #[must_use]
    pub fn is_muted(&self, id: PartyId) -> bool {
        self.party(id).is_some_and(|party| party.muted)
    }

    /// Number of parties.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parties.iter().flatten().count()
    }

    /// Whether nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parties.iter().all(Option::is_none)
    }

    /// Says how loud a party's next frame will be, in dB below full scale (0 to 127), as its packets
    /// announce it (RFC 6464); `None` where they do not, or nothing is known yet. Call before [`Mixer::begin`];
    /// the value holds until it is replaced.
    pub fn announce(&mut self, id: PartyId, level: Option<u8>) {
        if let Some(party) = self.party_mut(id) {
            party.announced = level;
        }
    }

    /// Begins a tick: decides which parties need decoding.
    pub fn begin(&mut self) {
        let Self {
            parties, choice, ..
        } = self;
        choice.candidates(
            parties
                .iter()
                .enumerate()
                .filter_map(|(index, party)| Some((index, party.as_ref()?)))
                .filter(|(_, party)| !party.muted)
                .map(|(index, party)| (index, party.announced)),
        );
        for (index, party) in parties.iter_mut().enumerate() {
            if let Some(party) = party {
                party.fed = false;
                // A muted party that was in the mix until now still has its end to be faded.
                party.wanted = (!party.muted && choice.is_candidate(index)) || party.gain > 0.0;
            }
        }
    }

    /// Whether this party's audio must be decoded in this tick.
    #[must_use]
    pub fn wants(&self, id: PartyId) -> bool {
        self.party(id).is_some_and(|party| party.wanted)
    }

    /// Where to decode a wanted party's 20 ms to. Whoever is not filled in counts as silent.
    pub fn frame_mut(&mut self, id: PartyId) -> Option<&mut [i16; FRAME]> {
        let party = self.party_mut(id)?;
        party.fed = true;
        Some(&mut party.frame)
    }

    /// Ends a tick: measures, chooses and sums.
    pub fn mix(&mut self) {
        let Self {
            parties,
            choice,
            sum,
            scratch,
            shared,
            limiter,
            noise,
            noise_frame,
            noise_gain,
            tick,
        } = self;
        *tick += 1;
        for (index, party) in parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            let decoded = party.wanted && party.fed;
            party.level = if decoded {
                level_of(&party.frame[..])
            } else {
                SILENT
            };
            choice.measured(index, party.level, party.muted);
        }
        choice.choose();

        sum.fill(0);
        for (index, party) in parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            let present = party.wanted && party.fed;
            let target = if present && choice.is_chosen(index) && !party.muted {
                1.0
            } else {
                0.0
            };
            let was_heard = party.heard;
            party.heard = present && (party.gain > 0.0 || target > 0.0);
            if party.heard {
                if !was_heard {
                    // From here on its mix is made apart; it starts where the shared one stands.
                    party.limiter = limiter.clone();
                    party.noise_gain = *noise_gain;
                }
                fade(&mut party.frame, party.gain, target);
                for (total, &sample) in sum.iter_mut().zip(party.frame.iter()) {
                    *total += i32::from(sample);
                }
            }
            party.gain = if party.heard { target } else { 0.0 };
        }
        let heard = parties.iter().flatten().filter(|party| party.heard).count();
        if heard <= 1 || *noise_gain > 0.0 {
            noise_frame.fill_with(|| noise.sample());
        }
        for party in parties.iter_mut().flatten().filter(|party| party.heard) {
            for ((rest, &total), &own) in scratch.iter_mut().zip(sum.iter()).zip(party.frame.iter())
            {
                *rest = total - i32::from(own);
            }
            party.noise_gain = add_noise(scratch, noise_frame, party.noise_gain, heard == 1);
            party.limiter.apply(scratch, &mut party.own);
        }
        *noise_gain = add_noise(sum, noise_frame, *noise_gain, heard == 0);
        limiter.apply(sum, shared);
    }

    /// The mix of everybody who is heard: what all others hear.
    #[must_use]
    pub fn shared(&self) -> &[i16; FRAME] {
        &self.shared
    }

    /// What a party hears: the mix without its own voice.
    #[must_use]
    pub fn hears(&self, id: PartyId) -> &[i16; FRAME] {
        match self.party(id) {
            Some(party) if party.heard => &party.own,
            _ => &self.shared,
        }
    }

    /// Whether a party is in this tick's mix, and so hears another one than [`Mixer::shared`].
    #[must_use]
    pub fn is_heard(&self, id: PartyId) -> bool {
        self.party(id).is_some_and(|party| party.heard)
    }

    /// How loud a party was in this tick in dB below full scale: measured where it was decoded, else as
    /// announced; [`SILENT`] when muted or unknown.
    #[must_use]
    pub fn level(&self, id: PartyId) -> u8 {
        match self.party(id) {
            Some(party) if party.muted => SILENT,
            Some(party) if party.wanted && party.fed => party.level,
            Some(party) => party.announced.unwrap_or(SILENT),
            None => SILENT,
        }
    }

    /// Number of the tick that the next [`Mixer::mix`] makes, from 0.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.tick
    }

    fn party(&self, id: PartyId) -> Option<&Party> {
        self.parties.get(id.0)?.as_deref()
    }

    fn party_mut(&mut self, id: PartyId) -> Option<&mut Party> {
        self.parties.get_mut(id.0)?.as_deref_mut()
    }
}

/// Brings a frame from one share to another without a step: in over 5 ms, so that the beginning of a word
/// is kept, out over the whole frame.
fn fade(frame: &mut [i16; FRAME], from: f32, to: f32) {
    if from == to {
        return;
    }
    let length = if to > from { FADE_IN } else { FRAME };
    for (i, sample) in frame.iter_mut().enumerate().take(length) {
        let gain = from + (to - from) * (i + 1) as f32 / length as f32;
        *sample = (f32::from(*sample) * gain) as i16;
    }
}

/// Lays noise under a sum, brought in slowly or out within the tick; returns its share at the end.
fn add_noise(sum: &mut [i32; FRAME], noise: &[f32; FRAME], from: f32, wanted: bool) -> f32 {
    let to = if wanted {
        (from + NOISE_IN).min(1.0)
    } else {
        0.0
    };
    if from > 0.0 || to > 0.0 {
        let step = (to - from) / FRAME as f32;
        let mut gain = from;
        for (total, &sample) in sum.iter_mut().zip(noise) {
            gain += step;
            *total += (sample * gain) as i32;
        }
    }
    to
}

/// Level of the noise where nobody speaks, in dB below overload: about that of a quiet room, and below what counts as speech.
const COMFORT_LEVEL: u8 = 68;
/// What the noise gains in a tick: it is there after 200 ms.
const NOISE_IN: f32 = 0.1;
/// 5 ms.
const FADE_IN: usize = 240;
