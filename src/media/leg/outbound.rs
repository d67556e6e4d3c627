//! Media that leaves a leg: its audio packets of a tick, its copies of others' video.

use std::time::Instant;

use super::audio::Outgoing;
use super::{Event, Leg, Surroundings, VideoPacket};
use crate::codec::FRAME;
use crate::measure::ledger::{Sent, Withheld};
use crate::mix::SharedEncoders;
use wire::plan::MediaEvent;

impl Leg {
    /// First half of a tick: what the leg hears now. `apart` tells that `mix` is not the shared one.
    pub(crate) fn hear(
        &mut self,
        mix: &[i16; FRAME],
        apart: bool,
        encoders: &mut SharedEncoders,
        around: &mut Surroundings,
    ) {
        let Some(audio) = &mut self.audio else {
            return;
        };
        if let Some(prompt) = audio.hear(mix, apart, encoders) {
            let leg = self.id;
            let event = MediaEvent::PromptEnded { leg, prompt };
            around.events.push_back(Event::Media(event));
        }
        self.tell_keys(around);
    }

    /// Tells the keys that were pressed since the last time.
    pub(super) fn tell_keys(&mut self, around: &mut Surroundings) {
        let leg = self.id;
        if let Some(audio) = &mut self.audio {
            while let Some(digit) = audio.poll_key() {
                let event = MediaEvent::Digit { leg, digit };
                around.events.push_back(Event::Media(event));
            }
        }
    }

    /// Second half: sends what the tick completed.
    pub(crate) fn speak(
        &mut self,
        now: Instant,
        encoders: &SharedEncoders,
        around: &mut Surroundings,
    ) {
        let Some(audio) = &mut self.audio else {
            return;
        };
        let link = &mut self.link;
        let figures = &mut self.figures;
        let ledger = &mut self.ledger;
        let ready = link.can_send();
        audio.speak(now, encoders, |stream, outgoing| {
            if !ready {
                return;
            }
            let (header, payload, kind) = match outgoing {
                Outgoing::Audio {
                    payload_type,
                    payload,
                } => (stream.next_audio(payload_type), payload, Sent::Audio),
                Outgoing::Event {
                    payload_type,
                    marker,
                    timestamp,
                    payload,
                } => (
                    stream.next_event(payload_type, marker, timestamp),
                    payload,
                    Sent::Digit,
                ),
            };
            if let Some(bytes) = link.send_rtp(&mut around.outbox, &header, &[], payload) {
                stream.sent(payload.len());
                figures.rtp_sent(bytes);
                ledger.count_out(kind, bytes);
                around.ledger.count_out(kind, bytes);
            }
        });
    }

    /// Sends this leg's copy of a video packet on its outgoing stream `at`. Returns whether the viewer waits for a
    /// key frame of that source.
    pub(crate) fn send_video(
        &mut self,
        now: Instant,
        at: usize,
        packet: &VideoPacket,
        payload: &[u8],
        around: &mut Surroundings,
    ) -> bool {
        let ready = self.link.can_send();
        let Some(video) = self.video_out.get_mut(at) else {
            return false;
        };
        if !ready {
            self.ledger.count_withheld(Withheld::NotReady);
            around.ledger.count_withheld(Withheld::NotReady);
            return false;
        }
        let header = match video.header(now, packet) {
            Ok(header) => header,
            Err(why) => {
                self.ledger.count_withheld(why);
                around.ledger.count_withheld(why);
                return why == Withheld::AwaitsKeyFrame && video.awaits_key_frame();
            }
        };
        let mid = self.extensions.mid.filter(|_| video.names_mid());
        let element = [(mid.unwrap_or(0), video.plan.mid.as_bytes())];
        let extensions = if mid.is_some() { &element[..] } else { &[] };
        let sent = self
            .link
            .send_rtp(&mut around.outbox, &header, extensions, payload);
        match sent {
            Some(bytes) => {
                video.sent(payload.len(), bytes);
                self.ledger.count_out(Sent::Video, bytes);
                around.ledger.count_out(Sent::Video, bytes);
            }
            None => {
                self.ledger.count_withheld(Withheld::NotSent);
                around.ledger.count_withheld(Withheld::NotSent);
            }
        }
        false
    }
}
