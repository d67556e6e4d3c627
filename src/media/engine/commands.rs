//! What the node and `call` want done with legs.

use std::net::SocketAddr;
use std::time::Instant;

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{
    BridgeId, IceCredentials, LegId, LegKind, LegPlan, LocalMedia, MediaCommand, MediaEvent,
    Prompt, Refused,
};

use super::{Engine, LOBBY, LegSockets, Place};
use crate::bridge::Bridge;
use crate::leg::{Event, Leg};

impl Engine {
    pub(super) fn open_leg(&mut self, now: Instant, id: LegId, kind: LegKind, sockets: LegSockets) {
        if self.places.contains_key(&id) {
            let why = Refused::Full;
            self.tell(MediaEvent::Refused { leg: id, why });
            return;
        }
        let rng = &mut self.around.rng;
        let ssrc = rng.random_range(1..=u32::MAX);
        let cname = random_text(rng, 16);
        let (leg, local) = match (kind, sockets) {
            (
                LegKind::Phone { .. },
                LegSockets::Phone {
                    rtp,
                    rtcp,
                    rtp_addr,
                    rtcp_addr,
                },
            ) => {
                // Its sockets are its own, so its fragment need not differ from others'.
                let credentials = IceCredentials {
                    ufrag: random_text(rng, 8),
                    pwd: random_text(rng, 24),
                };
                let local = LocalMedia {
                    rtp: rtp_addr,
                    rtcp: Some(rtcp_addr),
                    candidates: Vec::new(),
                    ice: Some(credentials.clone()),
                    fingerprint: Some(self.identity.fingerprint_text().to_owned()),
                    audio_ssrc: ssrc,
                    cname: cname.clone(),
                };
                let leg = Leg::phone(now, id, (rtp, rtcp), credentials, ssrc, cname);
                (leg, local)
            }
            (LegKind::Browser, LegSockets::Browser { shared, candidates }) => {
                let credentials = IceCredentials {
                    ufrag: self.free_ufrag(),
                    pwd: random_text(&mut self.around.rng, 24),
                };
                self.shared_port.reserve(&credentials.ufrag, id);
                let local = LocalMedia {
                    rtp: candidates.first().copied().unwrap_or(NOWHERE),
                    rtcp: None,
                    candidates,
                    ice: Some(credentials.clone()),
                    fingerprint: Some(self.identity.fingerprint_text().to_owned()),
                    audio_ssrc: ssrc,
                    cname: cname.clone(),
                };
                (
                    Leg::browser(now, id, shared, credentials, ssrc, cname),
                    local,
                )
            }
            _ => {
                let why = Refused::NoAddress;
                self.tell(MediaEvent::Refused { leg: id, why });
                return;
            }
        };
        let own = leg.own_sockets();
        let place = self.free_place();
        if let Some(slot) = self.legs.get_mut(place) {
            *slot = Some(Box::new(leg));
        }
        for socket in own.into_iter().flatten() {
            self.own_sockets.insert(socket, place);
        }
        self.places.insert(
            id,
            Place {
                leg: place,
                bridge: LOBBY,
                muted: false,
                deaf: false,
            },
        );
        self.enter_bridge(id, LOBBY);
        self.ticks.start(now);
        self.tell(MediaEvent::Ready { leg: id, local });
    }

    pub(super) fn carry_out(&mut self, now: Instant, command: MediaCommand) {
        match command {
            MediaCommand::Reserve { .. } => {}
            MediaCommand::Configure { leg, plan } => self.configure(now, leg, *plan),
            MediaCommand::Join { leg, bridge } => self.join(leg, bridge),
            MediaCommand::Leave { leg } => {
                self.leave_bridge(leg);
                self.enter_bridge(leg, LOBBY);
            }
            MediaCommand::Mute { leg, muted } => {
                if let Some(place) = self.places.get_mut(&leg) {
                    place.muted = muted;
                    if let Some(Some(leg)) = self.legs.get_mut(place.leg) {
                        leg.set_muted(now, muted);
                    }
                    if let Some(Some(bridge)) = self.bridges.get_mut(place.bridge) {
                        bridge.set_muted(place.leg, muted);
                    }
                }
            }
            MediaCommand::Deafen { leg, deaf } => {
                if let Some(place) = self.places.get_mut(&leg) {
                    place.deaf = deaf;
                    if let Some(Some(leg)) = self.legs.get_mut(place.leg)
                        && let Some(Some(bridge)) = self.bridges.get_mut(place.bridge)
                    {
                        bridge.set_deaf(place.leg, leg, deaf);
                    }
                }
            }
            MediaCommand::Play { leg, prompt } => self.play(leg, prompt),
            MediaCommand::StopPlaying { leg } => {
                if let Some(audio) = self.leg_mut(leg).and_then(Leg::audio_mut) {
                    audio.stop_playing();
                }
            }
            MediaCommand::SendDigits { leg, digits } => {
                if let Some(audio) = self.leg_mut(leg).and_then(Leg::audio_mut) {
                    audio.send_digits(&digits);
                }
            }
            MediaCommand::Close { leg } => self.close(now, leg),
        }
    }

    fn configure(&mut self, now: Instant, id: LegId, plan: LegPlan) {
        let Some(place) = self.places.get(&id).copied() else {
            return;
        };
        if let Some(Some(leg)) = self.legs.get_mut(place.leg)
            && let Some(Some(bridge)) = self.bridges.get_mut(place.bridge)
        {
            leg.configure(
                now,
                plan,
                &self.identity,
                bridge.encoders_of(place.leg),
                &mut self.around,
            );
            bridge.route(&mut self.legs);
        }
    }

    fn join(&mut self, id: LegId, bridge: BridgeId) {
        if !self.places.contains_key(&id) {
            return;
        }
        self.leave_bridge(id);
        let at = match self.bridge_places.get(&bridge) {
            Some(&at) => at,
            None => {
                let fresh = Some(Bridge::new(Some(bridge), self.loudest));
                let at = match self.bridges.iter().position(Option::is_none) {
                    Some(free) => {
                        if let Some(slot) = self.bridges.get_mut(free) {
                            *slot = fresh;
                        }
                        free
                    }
                    None => {
                        self.bridges.push(fresh);
                        self.bridges.len() - 1
                    }
                };
                self.bridge_places.insert(bridge, at);
                at
            }
        };
        self.enter_bridge(id, at);
    }

    fn play(&mut self, id: LegId, prompt: Prompt) {
        let samples = self.clips.get(&prompt).cloned();
        let Some(leg) = self.leg_mut(id) else {
            return;
        };
        match (leg.audio_mut(), samples) {
            (Some(audio), Some(samples)) => audio.play(prompt, samples),
            // What cannot be played has ended: the caller must not wait for it.
            _ => self.tell(MediaEvent::PromptEnded { leg: id, prompt }),
        }
    }

    fn close(&mut self, now: Instant, id: LegId) {
        self.leave_bridge(id);
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        let Some(mut leg) = self.legs.get_mut(place.leg).and_then(Option::take) else {
            return;
        };
        leg.close(now, &mut self.around);
        self.shared_port.forget(id);
        self.tell(MediaEvent::Closed { leg: id });
        if let Some(sockets) = leg.own_sockets() {
            for socket in sockets {
                self.own_sockets.remove(&socket);
            }
            self.around.events.push_back(Event::SocketsFree {
                sockets: sockets.to_vec(),
            });
        }
        if self.places.is_empty() {
            self.ticks.stop();
        }
    }

    pub(super) fn enter_bridge(&mut self, id: LegId, at: usize) {
        let Some(place) = self.places.get_mut(&id) else {
            return;
        };
        place.bridge = at;
        if let Some(Some(leg)) = self.legs.get_mut(place.leg)
            && let Some(Some(bridge)) = self.bridges.get_mut(at)
        {
            bridge.join(place.leg, leg, place.muted, place.deaf);
            bridge.route(&mut self.legs);
        }
    }

    /// Takes a leg out of its bridge, which ends when it is empty.
    pub(super) fn leave_bridge(&mut self, id: LegId) {
        let Some(place) = self.places.get(&id).copied() else {
            return;
        };
        let Some(slot) = self.bridges.get_mut(place.bridge) else {
            return;
        };
        let Some(bridge) = slot else {
            return;
        };
        if let Some(Some(leg)) = self.legs.get_mut(place.leg) {
            bridge.leave(place.leg, leg);
        }
        if bridge.is_empty() && place.bridge != LOBBY {
            *slot = None;
            self.bridge_places.retain(|_, at| *at != place.bridge);
        } else {
            bridge.route(&mut self.legs);
        }
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        let place = self.places.get(&id)?;
        self.legs.get_mut(place.leg)?.as_deref_mut()
    }

    fn tell(&mut self, event: MediaEvent) {
        self.around.events.push_back(Event::Media(event));
    }

    /// A user fragment that no leg has.
    fn free_ufrag(&mut self) -> String {
        loop {
            let ufrag = random_text(&mut self.around.rng, 8);
            if self.shared_port.leg_of_ufrag(&ufrag).is_none() {
                return ufrag;
            }
        }
    }
}

/// `len` characters of the ICE alphabet without `+` and `/`, 5.95 bits each.
fn random_text(rng: &mut StdRng, len: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..len)
        .map(|_| {
            let at = rng.random_range(0..ALPHABET.len());
            char::from(ALPHABET.get(at).copied().unwrap_or(b'A'))
        })
        .collect()
}

/// What a `c=` line says when there is no address.
const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 9);
