//! The audio of a leg: what it says on its way to the mixer, what it hears on its way out.

mod incoming;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{AudioCodec, AudioFormat, AudioPlan, Direction, Prompt, TelephoneEvent};
use wire::rtp::RtpView;

use crate::codec::{CodecError, Encoding, FRAME};
use crate::measure::ledger::{Consumed, Dropped};
use crate::measure::{Reported, Spacing};
use crate::mix::{Clip, ClipState, Listener, SharedEncoders, level_of};
use crate::receive::{KeyReader, NotAccepted, Reception, ToneReader};
use crate::send::digits::DigitSender;
use crate::send::redundancy::Redundancy;
use crate::send::silence::{SilenceSender, Spoken};
use crate::send::stream::{OutgoingStream, first_sequence};
use crate::smooth::{Arrived, Fate, PlayOut};

/// One leg's audio section.
pub(crate) struct Audio {
    pub(super) plan: AudioPlan,
    pub(super) reception: Reception,
    pub(super) playout: PlayOut,
    pub(super) stream: OutgoingStream,
    pub(super) reported: Reported,
    pub(super) spacing: Spacing,
    pub(super) digits: DigitSender,
    /// The codec received last.
    pub(super) codec: Option<AudioCodec>,
    keys: KeyReader,
    /// Where keys can only come as tones.
    tones: Option<Box<ToneReader>>,
    /// Keys pressed and not told yet.
    pressed: VecDeque<char>,
    /// Where RED was agreed.
    redundancy: Option<Box<Redundancy>>,
    /// Where comfort noise was agreed.
    silence: Option<SilenceSender>,
    listener: Option<Listener>,
    clip: Clip,
    prompt: Option<Prompt>,
    /// What the leg hears in this tick.
    heard: Box<[i16; FRAME]>,
}

/// What an audio packet was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// Sound.
    Audio,
    /// A telephone event.
    Event,
}

impl From<Taken> for Consumed {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Audio => Self::Audio,
            Taken::Event => Self::Digit,
        }
    }
}

impl Audio {
    /// Sets up both directions.
    ///
    /// # Errors
    /// [`CodecError::Setup`] when a codec cannot be set up.
    pub(crate) fn new(
        now: Instant,
        plan: AudioPlan,
        ssrc: u32,
        encoders: &mut SharedEncoders,
        rng: &mut StdRng,
    ) -> Result<Self, CodecError> {
        let clock = plan.send.codec.rtp_clock();
        let stream = OutgoingStream::new(now, ssrc, first_sequence(rng), rng.random(), clock);
        Ok(Self {
            reception: Reception::default(),
            playout: PlayOut::new(&plan.receive)?,
            reported: Reported::new(stream.first_sequence(), clock),
            stream,
            spacing: Spacing::default(),
            digits: DigitSender::default(),
            codec: None,
            keys: KeyReader::default(),
            tones: wants_tones(&plan).then(Box::default),
            pressed: VecDeque::with_capacity(MOST_PRESSED),
            redundancy: plan.redundancy.map(|own| Box::new(Redundancy::new(own))),
            silence: plan.comfort_noise.map(|_| SilenceSender::new()),
            listener: Some(Listener::new(Encoding::of(&plan.send), encoders)?),
            clip: Clip::new(),
            prompt: None,
            heard: Box::new([0; FRAME]),
            plan,
        })
    }

    /// Replaces what was agreed; whatever stays the same goes on undisturbed.
    ///
    /// # Errors
    /// [`CodecError::Setup`]; the old agreement then goes on.
    pub(crate) fn configure(
        &mut self,
        plan: AudioPlan,
        encoders: &mut SharedEncoders,
    ) -> Result<(), CodecError> {
        self.playout.configure(&plan.receive)?;
        let encoding = Encoding::of(&plan.send);
        if self.listener.as_ref().map(Listener::encoding) != Some(encoding) {
            let fresh = Listener::new(encoding, encoders)?;
            if let Some(old) = self.listener.replace(fresh) {
                old.close(encoders);
            }
            let clock = plan.send.codec.rtp_clock();
            self.stream.set_clock(clock);
            self.reported.set_clock(clock);
            self.stream.begin_talkspurt();
        }
        if wants_tones(&plan) != self.tones.is_some() {
            self.tones = wants_tones(&plan).then(Box::default);
        }
        if plan.redundancy != self.plan.redundancy {
            self.redundancy = plan.redundancy.map(|own| Box::new(Redundancy::new(own)));
        }
        if plan.comfort_noise.is_some() != self.silence.is_some() {
            self.silence = plan.comfort_noise.map(|_| SilenceSender::new());
        }
        if plan.direction.sends() && !self.plan.direction.sends() {
            self.stream.begin_talkspurt();
        }
        self.plan = plan;
        Ok(())
    }

    /// What we send goes on as another stream; reports about the old one count no longer.
    pub(crate) fn renumber(&mut self, ssrc: u32, rng: &mut StdRng) {
        self.stream.renumber(ssrc, first_sequence(rng));
        self.reported.renumber(self.stream.first_sequence());
    }

    /// The section was taken back: nothing is sent or taken until it is agreed again.
    pub(crate) fn decline(&mut self, encoders: &mut SharedEncoders) {
        self.plan.direction = Direction::Inactive;
        self.leave(encoders);
    }

    /// Leaves the encoders of one bridge.
    pub(crate) fn leave(&mut self, encoders: &mut SharedEncoders) {
        if let Some(listener) = self.listener.take() {
            listener.close(encoders);
        }
    }

    /// Enters those of another.
    pub(crate) fn enter(&mut self, encoders: &mut SharedEncoders) {
        // The same encoding was set up before; libopus fails for want of memory only, and then the leg is mute.
        self.listener = Listener::new(Encoding::of(&self.plan.send), encoders).ok();
        self.stream.begin_talkspurt();
    }

    /// Whether a payload type belongs to this section.
    pub(crate) fn takes(&self, payload_type: u8) -> bool {
        self.format(payload_type).is_some()
            || self.event_format(payload_type).is_some()
            || self.plan.redundancy == Some(payload_type)
            || self.plan.comfort_noise == Some(payload_type)
    }

    /// Takes an authentic packet whose payload type is one of ours.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        packet: &RtpView<'_>,
        level: Option<u8>,
    ) -> Result<Taken, Dropped> {
        let arrival = self
            .reception
            .packet(packet.ssrc(), packet.sequence())
            .map_err(|why| match why {
                NotAccepted::Duplicate => Dropped::Duplicate,
                NotAccepted::OnProbation => Dropped::OnProbation,
            })?;
        if arrival.restarted {
            self.playout.restart();
            self.keys.restart();
        }
        if !self.plan.direction.receives() {
            return Err(Dropped::NotReceiving);
        }
        let arrived = Arrived {
            sequence: arrival.sequence,
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type(),
            marker: packet.marker(),
            level,
            payload: packet.payload(),
        };
        if self.plan.redundancy == Some(arrived.payload_type) {
            self.receive_redundant(now, &arrived)
        } else {
            self.receive_one(now, &arrived)
        }
    }

    /// A key that was pressed, by event or by tone.
    pub(crate) fn poll_key(&mut self) -> Option<char> {
        self.pressed.pop_front()
    }

    /// The other side reported what share of our packets it lost, in 1/256.
    pub(crate) fn loss_reported(&mut self, fraction_lost: u8) {
        if let Some(redundancy) = &mut self.redundancy {
            redundancy.reported(fraction_lost);
        }
    }

    /// Milliseconds of sound in a packet that arrives, or in one of ours while that is not known.
    pub(super) fn packet_ms(&self) -> f64 {
        self.spacing
            .ms()
            .unwrap_or_else(|| f64::from(self.plan.send.ptime_ms))
    }

    /// The level that the packets to be played next announce (RFC 6464).
    pub(crate) fn level_ahead(&self) -> Option<u8> {
        self.playout.level_ahead()
    }

    /// Plays 20 ms of what the leg says.
    pub(crate) fn play_out(&mut self, now: Instant, frame: &mut [i16; FRAME]) {
        self.playout.tick(now, frame);
        self.settle();
        if let Some(tones) = &mut self.tones
            && let Some(key) = tones.hear(frame)
        {
            press(&mut self.pressed, key);
        }
    }

    /// Lets 20 ms of what the leg says go by unheard.
    pub(crate) fn pass_over(&mut self, now: Instant) {
        if self.tones.is_some() {
            // Nobody listens, but a key may be pressed.
            return self.play_out(now, &mut [0; FRAME]);
        }
        self.playout.skip(now);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(fate) = self.playout.poll_fate() {
            match fate {
                Fate::Recovered(sequence) => self.reception.recovered(sequence),
                Fate::Dropped(sequence) => self.reception.too_late(sequence),
            }
        }
    }

    /// Starts a prompt.
    pub(crate) fn play(&mut self, prompt: Prompt, samples: Arc<[i16]>) {
        self.prompt = Some(prompt);
        self.clip.play(samples);
    }

    /// Sends digits as telephone events, after those that wait.
    pub(crate) fn send_digits(&mut self, digits: &str) {
        self.digits.send(digits);
    }

    /// Stops the prompt.
    pub(crate) fn stop_playing(&mut self) {
        self.prompt = None;
        self.clip.stop();
    }

    /// First half of a tick: lays the prompt over what the leg hears, and says which encoder must make its
    /// packets. `apart` tells that `mix` is not the shared one. Returns a prompt that ended.
    pub(crate) fn hear(
        &mut self,
        mix: &[i16; FRAME],
        apart: bool,
        encoders: &mut SharedEncoders,
    ) -> Option<Prompt> {
        let state = self.clip.tick(mix, &mut self.heard);
        if let Some(listener) = &mut self.listener {
            listener.turn(apart || state != ClipState::Idle, encoders);
        }
        (state == ClipState::Ended)
            .then(|| self.prompt.take())
            .flatten()
    }

    /// Second half of a tick: hands each packet that the tick completed to `send` (payload type, payload, and
    /// the stream that numbers it), events before audio. Media time passes whether or not anything is sent.
    pub(crate) fn speak(
        &mut self,
        now: Instant,
        encoders: &SharedEncoders,
        mut send: impl FnMut(&mut OutgoingStream, Outgoing<'_>),
    ) {
        let may_send = self.plan.direction.sends();
        let mut event_runs = false;
        if let Some(format) = self.sending_events()
            && let Some(packet) = self.digits.tick(self.stream.timestamp(), format.clock_rate)
        {
            event_runs = true;
            if may_send {
                let outgoing = Outgoing::Event {
                    payload_type: format.payload_type,
                    marker: packet.marker,
                    timestamp: packet.timestamp,
                    payload: &packet.payload,
                };
                send(&mut self.stream, outgoing);
            }
        }
        let Some(listener) = &mut self.listener else {
            return;
        };
        // An encoder that fails leaves its packet out; the next tick tries again.
        let Ok(packets) = listener.packets(&self.heard, encoders) else {
            return;
        };
        if let Some(silence) = &mut self.silence {
            silence.tick(level_of(&self.heard[..]));
        }
        for (payload, ticks) in packets {
            let spoken = match &mut self.silence {
                Some(silence) if !event_runs => silence.packet(),
                _ => Spoken::Sound { first: false },
            };
            if event_runs {
                self.stream.begin_talkspurt();
                if let Some(redundancy) = &mut self.redundancy {
                    redundancy.forget();
                }
            } else if may_send {
                let timestamp = self.stream.timestamp();
                let payload_type = self.plan.send.payload_type;
                match (spoken, self.plan.comfort_noise) {
                    (Spoken::Nothing, _) => {}
                    (Spoken::Description(noise), Some(payload_type)) => {
                        let payload = &noise;
                        let outgoing = Outgoing::Audio {
                            payload_type,
                            payload,
                        };
                        send(&mut self.stream, outgoing);
                    }
                    (Spoken::Sound { .. } | Spoken::Description(_), _) => {
                        if spoken == (Spoken::Sound { first: true }) {
                            self.stream.begin_talkspurt();
                        }
                        let red = self.redundancy.as_mut().and_then(|redundancy| {
                            let own = redundancy.payload_type();
                            Some((own, redundancy.wrap(payload_type, timestamp, payload)?))
                        });
                        let (payload_type, payload) = red.unwrap_or((payload_type, payload));
                        let outgoing = Outgoing::Audio {
                            payload_type,
                            payload,
                        };
                        send(&mut self.stream, outgoing);
                    }
                }
            }
            self.stream.advance(now, ticks);
        }
    }

    /// Ticks of 20 ms that could not be kept: media time passes in silence.
    pub(crate) fn skip(&mut self, now: Instant, ticks: u32) {
        self.stream.advance(now, self.stream.clock() / 50 * ticks);
        self.stream.begin_talkspurt();
    }

    fn format(&self, payload_type: u8) -> Option<&AudioFormat> {
        self.plan
            .receive
            .iter()
            .find(|format| format.payload_type == payload_type)
    }

    fn event_format(&self, payload_type: u8) -> Option<&TelephoneEvent> {
        self.plan
            .telephone_events
            .iter()
            .find(|format| format.payload_type == payload_type)
    }

    /// The events to send: those with the clock of our audio, as RFC 4733 §2.1 wants. Where the other side takes
    /// none such, any: phones that offer Opus with telephone-event at 8000 Hz only are common, and tell a press by
    /// its timestamp whatever its unit.
    fn sending_events(&self) -> Option<TelephoneEvent> {
        let clock = self.plan.send.codec.rtp_clock();
        let formats = &self.plan.telephone_events;
        formats
            .iter()
            .find(|format| format.clock_rate == clock)
            .or(formats.first())
            .copied()
    }
}

/// Whether keys can only come as tones: nothing else was agreed, and the codec carries tones as they are.
fn wants_tones(plan: &AudioPlan) -> bool {
    plan.telephone_events.is_empty() && plan.send.codec != AudioCodec::Opus
}

fn press(pressed: &mut VecDeque<char>, key: char) {
    // Nobody presses that many within a tick: more are an attack.
    if pressed.len() < MOST_PRESSED {
        pressed.push_back(key);
    }
}

/// Keys that may wait to be told.
const MOST_PRESSED: usize = 32;
/// A packet that a tick completed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    /// Encoded sound.
    Audio { payload_type: u8, payload: &'a [u8] },
    /// A telephone event.
    Event {
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &'a [u8],
    },
}
