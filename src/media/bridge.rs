//! The legs of one meeting: audio mixed, video forwarded.
//!
//! Every leg is in exactly one bridge. Those that were not put into one by command are in the *lobby*, where
//! nobody hears anybody: each gets silence and its own prompt, by the same encoders.

use std::time::{Duration, Instant};

use wire::plan::{BridgeId, LegId, MediaEvent, StreamId};

use crate::codec::FRAME;
use crate::leg::{Event, Leg, Surroundings, VideoPacket};
use crate::mix::{Mixer, PartyId, SILENT, SharedEncoders};

/// The legs of an engine, by place. Bridges name legs by their places.
pub(crate) type Legs = Vec<Option<Box<Leg>>>;

/// One bridge.
pub(crate) struct Bridge {
    /// `None`: the lobby.
    id: Option<BridgeId>,
    mixer: Mixer,
    encoders: SharedEncoders,
    /// Those of the silence that deaf members hear.
    silence: SharedEncoders,
    members: Vec<Member>,
    routes: Vec<Route>,
    ticks: u64,
    /// The last `Levels` named somebody.
    told_levels: bool,
    told_rates: bool,
    rates_since: Option<Instant>,
}

struct Member {
    /// Place of the leg.
    place: usize,
    party: PartyId,
    /// Loudest level since the last `Levels`.
    loudest: u8,
    /// It hears silence.
    deaf: bool,
}

/// The viewers of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    stream: StreamId,
    /// Place of the leg that sends it.
    source: Option<usize>,
    /// Places of legs, and which of their outgoing streams it is.
    viewers: Vec<(usize, usize)>,
}

impl Bridge {
    /// A bridge that mixes at most `loudest` voices.
    pub(crate) fn new(id: Option<BridgeId>, loudest: usize) -> Self {
        Self {
            id,
            mixer: Mixer::new(loudest),
            encoders: SharedEncoders::new(),
            silence: SharedEncoders::new(),
            members: Vec::new(),
            routes: Vec::new(),
            ticks: 0,
            told_levels: false,
            told_rates: false,
            rates_since: None,
        }
    }

    /// The encoders that a member shares.
    pub(crate) fn encoders_of(&mut self, place: usize) -> &mut SharedEncoders {
        let member = self.members.iter().find(|m| m.place == place);
        let deaf = member.is_some_and(|member| member.deaf);
        self.encoders(deaf)
    }

    fn encoders(&mut self, deaf: bool) -> &mut SharedEncoders {
        if deaf {
            &mut self.silence
        } else {
            &mut self.encoders
        }
    }

    /// Whether nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Puts a leg in.
    pub(crate) fn join(&mut self, place: usize, leg: &mut Leg, muted: bool, deaf: bool) {
        let party = self.mixer.join();
        self.mixer.set_muted(party, muted);
        if let Some(audio) = leg.audio_mut() {
            audio.enter(self.encoders(deaf));
        }
        self.members.push(Member {
            place,
            party,
            loudest: SILENT,
            deaf,
        });
    }

    /// Takes a leg out.
    pub(crate) fn leave(&mut self, place: usize, leg: &mut Leg) {
        let Some(at) = self.members.iter().position(|m| m.place == place) else {
            return;
        };
        let member = self.members.swap_remove(at);
        self.mixer.leave(member.party);
        if let Some(audio) = leg.audio_mut() {
            audio.leave(self.encoders(member.deaf));
        }
    }

    /// Keeps a leg out of the mix, or lets it in.
    pub(crate) fn set_muted(&mut self, place: usize, muted: bool) {
        if let Some(member) = self.members.iter().find(|m| m.place == place) {
            self.mixer.set_muted(member.party, muted);
        }
    }

    /// Lets a leg hear silence in place of the mix, or the mix again.
    pub(crate) fn set_deaf(&mut self, place: usize, leg: &mut Leg, deaf: bool) {
        let member = self.members.iter_mut().find(|m| m.place == place);
        let Some(member) = member.filter(|member| member.deaf != deaf) else {
            return;
        };
        member.deaf = deaf;
        if let Some(audio) = leg.audio_mut() {
            audio.leave(self.encoders(!deaf));
            audio.enter(self.encoders(deaf));
        }
    }

    /// Works out anew who views what. Whoever begins to view a stream needs a key frame of it.
    pub(crate) fn route(&mut self, legs: &mut Legs) {
        if self.id.is_none() {
            return;
        }
        let mut routes: Vec<Route> = Vec::new();
        let of = |stream: StreamId, routes: &mut Vec<Route>| -> usize {
            if let Some(at) = routes.iter().position(|route| route.stream == stream) {
                return at;
            }
            routes.push(Route {
                stream,
                source: None,
                viewers: Vec::new(),
            });
            routes.len() - 1
        };
        for member in &self.members {
            let Some(leg) = legs.get_mut(member.place).and_then(Option::as_mut) else {
                continue;
            };
            for video in leg.video_in() {
                let at = of(video.stream(), &mut routes);
                if let Some(route) = routes.get_mut(at) {
                    route.source = Some(member.place);
                }
            }
            for (slot, video) in leg.video_out().iter().enumerate() {
                let at = of(video.source(), &mut routes);
                if let Some(route) = routes.get_mut(at) {
                    route.viewers.push((member.place, slot));
                }
            }
        }
        for route in &routes {
            let before = self.routes.iter().find(|r| r.stream == route.stream);
            let has_new_viewer = route
                .viewers
                .iter()
                .any(|viewer| before.is_none_or(|before| !before.viewers.contains(viewer)));
            let has_new_source = before.is_none_or(|before| before.source != route.source);
            if (has_new_viewer || has_new_source) && !route.viewers.is_empty() {
                want_key_frame(legs, route);
            }
        }
        self.routes = routes;
        for member in &self.members {
            let Some(leg) = legs.get_mut(member.place).and_then(Option::as_mut) else {
                continue;
            };
            for video in leg.video_in() {
                let route = self.routes.iter().find(|r| r.stream == video.stream());
                video.set_viewed(route.is_some_and(|route| !route.viewers.is_empty()));
            }
        }
    }

    /// Hands a packet of a source to the viewers of its stream.
    pub(crate) fn forward(
        &self,
        now: Instant,
        source: usize,
        packet: &VideoPacket,
        payload: &[u8],
        legs: &mut Legs,
        around: &mut Surroundings,
    ) {
        let Some(route) = self.routes.iter().find(|r| r.stream == packet.stream) else {
            return;
        };
        if route.source != Some(source) {
            return;
        }
        let mut somebody_waits = false;
        for &(place, slot) in &route.viewers {
            if let Some(Some(viewer)) = legs.get_mut(place) {
                somebody_waits |= viewer.send_video(now, slot, packet, payload, around);
            }
        }
        if somebody_waits && let Some(Some(leg)) = legs.get_mut(source) {
            leg.await_key_frame(packet.stream);
        }
    }

    /// A viewer could not show a stream: its source is asked for a key frame.
    pub(crate) fn want_key_frame(&self, stream: StreamId, legs: &mut Legs) {
        if let Some(route) = self.routes.iter().find(|route| route.stream == stream) {
            want_key_frame(legs, route);
        }
    }

    /// Mixes and sends 20 ms.
    pub(crate) fn tick(&mut self, now: Instant, legs: &mut Legs, around: &mut Surroundings) {
        self.ticks += 1;
        if self.id.is_some() {
            self.listen(now, legs, around);
        } else {
            self.let_pass(now, legs, around);
        }
        for member in &self.members {
            if let Some(Some(leg)) = legs.get_mut(member.place) {
                if member.deaf {
                    leg.hear(&[0; FRAME], false, &mut self.silence, around);
                } else {
                    let mix = self.mixer.hears(member.party);
                    let apart = self.mixer.is_heard(member.party);
                    leg.hear(mix, apart, &mut self.encoders, around);
                }
            }
        }
        // An encoder that fails leaves its packets out; the next tick tries again.
        let _ = self.encoders.encode(self.mixer.shared());
        let _ = self.silence.encode(&[0; FRAME]);
        for member in &self.members {
            if let Some(Some(leg)) = legs.get_mut(member.place) {
                let encoders = if member.deaf {
                    &self.silence
                } else {
                    &self.encoders
                };
                leg.speak(now, encoders, around);
            }
        }
        if let Some(id) = self.id {
            if self.ticks.is_multiple_of(TICKS_PER_LEVELS) {
                self.tell_levels(id, legs, around);
            }
            if self.ticks.is_multiple_of(TICKS_PER_RATES) {
                self.tell_rates(id, now, legs, around);
            }
        }
    }

    /// Ticks that could not be kept.
    pub(crate) fn skip(&mut self, now: Instant, ticks: u32, legs: &mut Legs) {
        for member in &self.members {
            if let Some(Some(leg)) = legs.get_mut(member.place)
                && let Some(audio) = leg.audio_mut()
            {
                audio.skip(now, ticks);
            }
        }
    }

    /// Takes 20 ms from whoever may be loud enough, and mixes.
    fn listen(&mut self, now: Instant, legs: &mut Legs, around: &mut Surroundings) {
        for member in &self.members {
            if let Some(Some(leg)) = legs.get_mut(member.place)
                && let Some(audio) = leg.audio_mut()
            {
                self.mixer.announce(member.party, audio.level_ahead());
            }
        }
        self.mixer.begin();
        for member in &self.members {
            let Some(Some(leg)) = legs.get_mut(member.place) else {
                continue;
            };
            let wanted = self.mixer.wants(member.party);
            if leg.is_tapped() {
                let mut frame = [0; FRAME];
                leg.heard_by_tap(now, &mut frame, around);
                if wanted && let Some(slot) = self.mixer.frame_mut(member.party) {
                    *slot = frame;
                }
            } else if let Some(audio) = leg.audio_mut() {
                if wanted && let Some(slot) = self.mixer.frame_mut(member.party) {
                    audio.play_out(now, slot);
                } else {
                    audio.pass_over(now);
                }
            }
        }
        self.mixer.mix();
        for member in &mut self.members {
            member.loudest = member.loudest.min(self.mixer.level(member.party));
        }
    }

    /// In the lobby nobody is heard; time passes all the same.
    fn let_pass(&mut self, now: Instant, legs: &mut Legs, around: &mut Surroundings) {
        for member in &self.members {
            let Some(Some(leg)) = legs.get_mut(member.place) else {
                continue;
            };
            if leg.is_tapped() {
                leg.heard_by_tap(now, &mut [0; FRAME], around);
            } else if let Some(audio) = leg.audio_mut() {
                audio.pass_over(now);
            }
        }
    }

    fn tell_levels(&mut self, bridge: BridgeId, legs: &Legs, around: &mut Surroundings) {
        let mut levels: Vec<(LegId, u8)> = Vec::new();
        for member in &mut self.members {
            let loudest = std::mem::replace(&mut member.loudest, SILENT);
            if loudest < QUIET
                && let Some(Some(leg)) = legs.get(member.place)
            {
                levels.push((leg.id(), loudest));
            }
        }
        let anybody = !levels.is_empty();
        if anybody || self.told_levels {
            let event = MediaEvent::Levels { bridge, levels };
            around.events.push_back(Event::Media(event));
        }
        self.told_levels = anybody;
    }

    fn tell_rates(
        &mut self,
        bridge: BridgeId,
        now: Instant,
        legs: &mut Legs,
        around: &mut Surroundings,
    ) {
        let since = self.rates_since.replace(now);
        let elapsed = since.map_or(RATES_PERIOD, |since| now.saturating_duration_since(since));
        let mut rates = Vec::new();
        for member in &self.members {
            if let Some(Some(leg)) = legs.get_mut(member.place) {
                for video in leg.video_in() {
                    let bits = (video.take_rate() * 8) as f64 / elapsed.as_secs_f64().max(0.001);
                    rates.push((video.stream(), bits as u32));
                }
            }
        }
        let any = !rates.is_empty();
        if any || self.told_rates {
            let event = MediaEvent::VideoRates { bridge, rates };
            around.events.push_back(Event::Media(event));
        }
        self.told_rates = any;
    }
}

fn want_key_frame(legs: &mut Legs, route: &Route) {
    if let Some(source) = route.source
        && let Some(Some(leg)) = legs.get_mut(source)
    {
        leg.want_key_frame(route.stream);
    }
}

/// 200 ms.
const TICKS_PER_LEVELS: u64 = 10;
const TICKS_PER_RATES: u64 = 200;
const RATES_PERIOD: Duration = Duration::from_secs(4);
/// Below this level, in dB below full scale, nobody was speaking.
const QUIET: u8 = 60;
