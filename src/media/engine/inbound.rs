//! A datagram's way to its leg, and a video packet's on to its viewers.

use std::net::SocketAddr;
use std::time::Instant;

use wire::plan::LegId;
use wire::rtp::{DemuxClass, demux_class};
use wire::stun::BindingRequest;

use super::Engine;
use crate::leg::Received;
use crate::measure::ledger::{Consumed, Dropped};
use crate::send::outbox::SocketId;

impl Engine {
    /// Says what became of a datagram, and lets its leg count it, too.
    pub(super) fn take_in(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<Consumed, Dropped> {
        let (place, outcome) = self.find_and_use(now, socket, from, packet);
        if let Some(Some(leg)) = place.and_then(|place| self.legs.get_mut(place)) {
            leg.count_in(packet.len(), outcome);
        }
        outcome
    }

    /// What became of a datagram, and of which leg, where it was found.
    fn find_and_use(
        &mut self,
        now: Instant,
        socket: SocketId,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> (Option<usize>, Result<Consumed, Dropped>) {
        let own = self.own_sockets.get(&socket).copied();
        if packet.len() > LONGEST {
            return (own, Err(Dropped::TooLong));
        }
        let class = demux_class(packet);
        if class == DemuxClass::Unknown {
            return (own, Err(Dropped::NotMedia));
        }
        let (id, place) = match own {
            Some(place) => (None, place),
            None => {
                let found = self.leg_on_shared_port(from, class, packet);
                let place = |id| self.places.get(&id).map(|place| (Some(id), place.leg));
                match found.map(place) {
                    Ok(Some(found)) => found,
                    Ok(None) => return (None, Err(Dropped::UnknownSender)),
                    Err(why) => return (None, Err(why)),
                }
            }
        };
        let outcome = self.use_for(now, (id, place), class, socket, from, packet);
        (Some(place), outcome)
    }

    /// Hands a datagram to its leg. The leg's id is known on the shared port.
    fn use_for(
        &mut self,
        now: Instant,
        (id, place): (Option<LegId>, usize),
        class: DemuxClass,
        socket: SocketId,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<Consumed, Dropped> {
        let leg = self
            .legs
            .get_mut(place)
            .and_then(Option::as_mut)
            .ok_or(Dropped::UnknownSender)?;
        let around = &mut self.around;
        match class {
            DemuxClass::Stun => {
                let learnt = leg.stun(now, socket, from, packet, &self.identity, around)?;
                if let Some(id) = id {
                    if let Some(address) = learnt.left {
                        self.shared_port.forget_address(address, id);
                    }
                    if let Some(address) = learnt.entered {
                        self.shared_port.validated(address, id);
                    }
                }
                Ok(Consumed::Stun)
            }
            DemuxClass::Dtls => leg.dtls(now, socket, from, packet, &self.identity, around),
            DemuxClass::Rtcp => {
                let outcome = leg.rtcp(now, socket, from, packet, around);
                let id = leg.id();
                self.pass_on_key_frame_wishes(id);
                outcome
            }
            DemuxClass::Rtp => match leg.rtp(now, from, packet, &mut self.next_run, around)? {
                Received::Here(consumed) => Ok(consumed),
                Received::Video(video, (start, end)) => {
                    let id = leg.id();
                    let payload = packet.get(start..end).unwrap_or_default();
                    if let Some(bridge) = self.bridge_of(id)
                        && let Some(Some(bridge)) = self.bridges.get(bridge)
                    {
                        let legs = &mut self.legs;
                        bridge.forward(now, place, &video, payload, legs, &mut self.around);
                    }
                    Ok(Consumed::Video)
                }
            },
            DemuxClass::Unknown => Err(Dropped::NotMedia),
        }
    }

    /// By user fragment for checks, by validated address for all else.
    fn leg_on_shared_port(
        &self,
        from: SocketAddr,
        class: DemuxClass,
        packet: &[u8],
    ) -> Result<LegId, Dropped> {
        if class == DemuxClass::Stun {
            return BindingRequest::parse(packet)
                .ok()
                .and_then(|request| request.ufrags())
                .and_then(|(ours, _)| self.shared_port.leg_of_ufrag(ours))
                .ok_or(Dropped::BadStun);
        }
        self.shared_port.leg_at(from).ok_or(Dropped::UnknownSender)
    }

    fn pass_on_key_frame_wishes(&mut self, viewer: LegId) {
        let Some(at) = self.bridge_of(viewer) else {
            self.around.key_frames_wanted.clear();
            return;
        };
        while let Some(stream) = self.around.key_frames_wanted.pop() {
            if let Some(Some(bridge)) = self.bridges.get(at) {
                bridge.want_key_frame(stream, &mut self.legs);
            }
        }
    }

    pub(super) fn bridge_of(&self, leg: LegId) -> Option<usize> {
        self.places.get(&leg).map(|place| place.bridge)
    }
}

/// Octets of the longest datagram taken: beyond what any path carries unfragmented.
const LONGEST: usize = 2048;
