//! One encoding of the shared mix for all silent listeners, and each listener's way in and out of it.
//!
//! A listener hears one RTP stream with continuous sequence numbers and timestamps, whichever encoder
//! its packets come from. Two things make the change inaudible. First, the encoders are in step
//! ([`Packer`]): the newcomer takes over the resampler's memory and the samples that wait for a full
//! packet, encodes the last frame once for itself, so that its look-ahead and adaptation are those of the stream that the
//! listener's decoder has followed, and then sends its first Opus packet without prediction from earlier ones.
//! Second, a listener stays with its own encoder for [`LINGER`] ticks after its mix has become the
//! shared one: both encoders then get the same samples, so the adaptive state of G.722, which
//! leaks, has converged when the listener goes back; on that tick the shared Opus packet is sent without prediction too.

use crate::codec::{CodecError, Encoding, FRAME, Packer, Packets};

/// A set of listeners with equal encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupId(usize);

/// The shared encoders of one bridge, one per encoding in use.
#[derive(Default)]
pub struct SharedEncoders {
    groups: Vec<Option<Group>>,
    tick: u64,
}

struct Group {
    packer: Packer,
    members: usize,
    /// Members that take their packets from here.
    followers: usize,
}

impl SharedEncoders {
    /// No encoders yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes one tick's shared mix, once per encoding. Call once per tick, after every
    /// [`Listener::turn`] of that tick and before any [`Listener::packets`].
    ///
    /// # Errors
    /// The last [`CodecError`] of any group; the others have their packets.
    pub fn encode(&mut self, shared: &[i16; FRAME]) -> Result<(), CodecError> {
        self.tick += 1;
        let mut outcome = Ok(());
        for group in self.groups.iter_mut().flatten() {
            // While all its members have streams of their own there is nobody to encode for.
            if group.followers == 0 {
                continue;
            }
            if let Err(error) = group.packer.push(shared) {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Number of encoders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.iter().flatten().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn enter(&mut self, encoding: Encoding) -> Result<GroupId, CodecError> {
        let same = |group: &Option<Group>| {
            group
                .as_ref()
                .is_some_and(|group| group.packer.encoding() == encoding)
        };
        if let Some(index) = self.groups.iter().position(same) {
            if let Some(group) = &mut self.groups[index] {
                if group.followers == 0 {
                    group.packer.restart(self.tick);
                }
                group.members += 1;
                group.followers += 1;
                group.packer.splice();
            }
            return Ok(GroupId(index));
        }
        let group = Some(Group {
            packer: Packer::new(encoding, self.tick)?,
            members: 1,
            followers: 1,
        });
        match self.groups.iter().position(Option::is_none) {
            Some(index) => {
                self.groups[index] = group;
                Ok(GroupId(index))
            }
            None => {
                self.groups.push(group);
                Ok(GroupId(self.groups.len() - 1))
            }
        }
    }

    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.0)?.as_ref()
    }

    fn group_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(id.0)?.as_mut()
    }
}

/// One listener's choice between the shared encoding and its own.
pub struct Listener {
    group: GroupId,
    own: Packer,
    on_own: bool,
    /// Ticks since its mix became the shared one.
    alike: u32,
}

impl Listener {
    /// A listener, which begins with the shared encoding. Builds its own encoder too, so that nothing is allocated
    /// when it speaks.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when libopus refuses the settings.
    pub fn new(encoding: Encoding, encoders: &mut SharedEncoders) -> Result<Self, CodecError> {
        let own = Packer::new(encoding, encoders.tick)?;
        Ok(Self {
            group: encoders.enter(encoding)?,
            own,
            on_own: false,
            alike: 0,
        })
    }

    /// How its packets are encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.own.encoding()
    }

    /// Says before [`SharedEncoders::encode`] whether the listener's frame of this tick is another than the
    /// shared mix (it speaks, or a prompt plays).
    pub fn turn(&mut self, differs: bool, encoders: &mut SharedEncoders) {
        let Some(group) = encoders.group_mut(self.group) else {
            return;
        };
        if differs {
            self.alike = 0;
            if !self.on_own {
                self.on_own = true;
                group.followers -= 1;
                self.own.follow(&group.packer);
            }
        } else if self.on_own {
            self.alike += 1;
            // In mid-packet the samples that wait here would be heard twice or never.
            if self.alike >= LINGER && self.own.at_boundary() {
                self.on_own = false;
                if group.followers == 0 {
                    // It stood still; it goes on where this listener's own encoder is.
                    group.packer.follow(&self.own);
                }
                group.followers += 1;
                group.packer.splice();
            }
        }
    }

    /// The listener's packets of this tick. `frame` is what it hears, the shared mix or another.
    ///
    /// # Errors
    /// [`CodecError`] of its own encoder.
    pub fn packets<'a>(
        &'a mut self,
        frame: &[i16; FRAME],
        encoders: &'a SharedEncoders,
    ) -> Result<Packets<'a>, CodecError> {
        if self.on_own {
            self.own.push(frame)?;
            return Ok(self.own.packets());
        }
        Ok(encoders
            .group(self.group)
            .map_or(Packets::none(), |group| group.packer.packets()))
    }

    /// Whether its packets come from its own encoder.
    #[must_use]
    pub fn is_on_own(&self) -> bool {
        self.on_own
    }

    /// Leaves the shared encoding, which ends with its last member.
    pub fn close(self, encoders: &mut SharedEncoders) {
        let Some(group) = encoders.group_mut(self.group) else {
            return;
        };
        group.members -= 1;
        if !self.on_own {
            group.followers -= 1;
        }
        if group.members == 0
            && let Some(slot) = encoders.groups.get_mut(self.group.0)
        {
            *slot = None;
        }
    }
}

/// Ticks for which both encoders run before a listener goes back: 200 ms.
const LINGER: u32 = 10;
