//! The mixer's 20 ms frames to packets of the agreed codec and length.

use super::{CodecError, Encoder, Encoding, FRAME, MIX_RATE, Resampler, TICK_MS};

/// Resamples, gathers and encodes one outgoing stream.
///
/// All packers of one encoding are in step: whether a tick completes a packet depends on the tick's number
/// only. So a listener can change from one packer's stream to another's at any tick on which
/// [`Packer::at_boundary`] holds, with neither a gap nor an overlap in RTP time.
pub struct Packer {
    encoder: Encoder,
    resampler: Resampler,
    /// Samples at the codec's rate that wait for a full packet.
    waiting: Vec<i16>,
    held: usize,
    /// The last 20 ms encoded, at the codec's rate: they prime another encoder (see [`Packer::follow`]).
    last: Vec<i16>,
    payloads: Vec<u8>,
    lengths: [usize; 2],
    ready: usize,
    spliced: bool,
}

/// The packets that one tick completed: none, one or two.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    payloads: &'a [u8],
    lengths: &'a [usize],
    ticks: u32,
}

impl<'a> Iterator for Packets<'a> {
    /// A payload and its length in RTP clock ticks.
    type Item = (&'a [u8], u32);

    fn next(&mut self) -> Option<Self::Item> {
        let (&length, lengths) = self.lengths.split_first()?;
        let (payload, payloads) = self.payloads.split_at_checked(length)?;
        self.lengths = lengths;
        self.payloads = payloads;
        Some((payload, self.ticks))
    }
}

impl Packets<'_> {
    /// No packets.
    #[must_use]
    pub fn none() -> Packets<'static> {
        Packets {
            payloads: &[],
            lengths: &[],
            ticks: 0,
        }
    }
}

impl Packer {
    /// A packer for one stream. `tick` is the number of the tick that will be pushed first.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when libopus refuses the settings.
    pub fn new(encoding: Encoding, tick: u64) -> Result<Self, CodecError> {
        let rate = encoding.codec.sample_rate();
        let mut packer = Self {
            encoder: Encoder::new(encoding)?,
            resampler: Resampler::new(MIX_RATE, rate)?,
            waiting: vec![0; encoding.packet_samples() + FRAME],
            held: 0,
            last: vec![0; rate as usize / 1000 * TICK_MS as usize],
            payloads: vec![0; 2 * MAX_PAYLOAD],
            lengths: [0; 2],
            ready: 0,
            spliced: false,
        };
        packer.held = packer.phase(tick);
        Ok(packer)
    }

    /// The settings that it was built with.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoder.encoding()
    }

    /// Takes in one frame. What it completes is in [`Packer::packets`] until the next call.
    ///
    /// # Errors
    /// [`CodecError`] of the encoder; the packet concerned is left out.
    pub fn push(&mut self, frame: &[i16; FRAME]) -> Result<(), CodecError> {
        self.ready = 0;
        let room = self
            .waiting
            .get_mut(self.held..)
            .ok_or(CodecError::OutputTooShort)?;
        self.held += self.resampler.process(frame, room)?;
        let size = self.encoding().packet_samples();
        let mut from = 0;
        let mut written = 0;
        let mut outcome = Ok(());
        while self.held - from >= size && self.ready < self.lengths.len() {
            self.encoder.set_prediction(!self.spliced);
            let room = &mut self.payloads[written..written + MAX_PAYLOAD];
            match self.encoder.encode(&self.waiting[from..from + size], room) {
                Ok(length) => {
                    self.lengths[self.ready] = length;
                    self.ready += 1;
                    written += length;
                    self.spliced = false;
                }
                Err(error) => outcome = Err(error),
            }
            from += size;
        }
        if let Some(newest) = from.checked_sub(self.last.len()) {
            self.last.copy_from_slice(&self.waiting[newest..from]);
        }
        self.waiting.copy_within(from..self.held, 0);
        self.held -= from;
        outcome
    }

    /// The packets that the last [`Packer::push`] completed, in order.
    #[must_use]
    pub fn packets(&self) -> Packets<'_> {
        Packets {
            payloads: &self.payloads,
            lengths: &self.lengths[..self.ready],
            ticks: self.encoding().packet_ticks(),
        }
    }

    /// Whether nothing waits for more frames, so that the next frame begins a packet.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.held == 0
    }

    /// Makes the next packet decodable after another encoder's stream: Opus encodes it without
    /// prediction from earlier ones. It costs a few octets once.
    pub fn splice(&mut self) {
        self.spliced = true;
    }

    /// Continues the stream of `other`, which has the same encoding: takes over what its filter
    /// remembers and what waits in it, and the state of its encoder. Opus keeps its state to itself: there the
    /// last 20 ms are encoded once more, so that look-ahead and adaptation begin where the listener's decoder
    /// stands, and the next packet is spliced.
    pub fn follow(&mut self, other: &Self) {
        if self.encoding() != other.encoding() {
            return;
        }
        if !self.encoder.follow(&other.encoder) {
            self.prime(other);
        }
        self.resampler.follow(&other.resampler);
        self.waiting[..other.held].copy_from_slice(&other.waiting[..other.held]);
        self.held = other.held;
        self.last.copy_from_slice(&other.last);
        self.ready = 0;
        self.spliced = true;
    }

    /// Runs the other's last 20 ms through a fresh encoder, and throws away what comes out.
    fn prime(&mut self, other: &Self) {
        self.encoder.reset();
        self.encoder.set_prediction(true);
        let piece = self.encoding().packet_samples().min(other.last.len());
        for piece in other.last.chunks_exact(piece) {
            // Where this fails, the first real packet fails too and says so.
            let _ = self.encoder.encode(piece, &mut self.payloads);
        }
    }

    /// Begins anew, as if built now. `tick` is the number of the tick that will be pushed first.
    pub fn restart(&mut self, tick: u64) {
        self.encoder.reset();
        self.resampler.reset();
        self.last.fill(0);
        self.waiting.fill(0);
        self.held = self.phase(tick);
        self.ready = 0;
    }

    /// Samples that a packer which had run since tick 0 would hold before `tick`.
    fn phase(&self, tick: u64) -> usize {
        let encoding = self.encoding();
        let per_tick = u64::from(encoding.codec.sample_rate() / 1000) * u64::from(TICK_MS);
        let size = encoding.packet_samples() as u64;
        // The period in which ticks and packets meet again is 60 ms at most times two: no overflow here.
        ((tick % 60) * per_tick % size) as usize
    }
}

/// Room for one payload: the largest Opus frame, and 60 ms of G.711.
const MAX_PAYLOAD: usize = 1_275;
