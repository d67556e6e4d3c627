//! Legs that go from one engine to another in mid-call.

use std::fmt;
use std::time::Instant;

use wire::plan::LegId;

use super::{Engine, LOBBY, Place, SocketId};
use crate::leg::Leg;

/// A leg between two engines: its keys, buffers and figures. It hears nothing and says nothing until it is put in.
pub struct Moving {
    leg: Box<Leg>,
    muted: bool,
    deaf: bool,
}

impl Engine {
    /// Takes a leg out, with the sockets that go with it; drain the outbox before they leave. `None` for a leg
    /// that does not exist, or has no sockets of its own.
    pub fn take_out(&mut self, id: LegId) -> Option<(Moving, [SocketId; 2])> {
        let place = *self.places.get(&id)?;
        let sockets = self.leg_mut(id)?.own_sockets()?;
        self.leave_bridge(id);
        self.places.remove(&id);
        for socket in sockets {
            self.own_sockets.remove(&socket);
        }
        if self.places.is_empty() {
            self.ticks.stop();
        }
        let leg = self.legs.get_mut(place.leg).and_then(Option::take)?;
        let Place { muted, deaf, .. } = place;
        Some((Moving { leg, muted, deaf }, sockets))
    }

    /// Puts a leg in, into the lobby, on the sockets as this engine's node names them. Both engines must have
    /// been made with the same epoch and certificate. Ids are unique among all engines of a node.
    pub fn put_in(&mut self, now: Instant, moving: Moving, sockets: [SocketId; 2]) {
        let Moving {
            mut leg,
            muted,
            deaf,
        } = moving;
        leg.set_own_sockets(sockets);
        let id = leg.id();
        let at = self.free_place();
        if let Some(slot) = self.legs.get_mut(at) {
            *slot = Some(leg);
        }
        for socket in sockets {
            self.own_sockets.insert(socket, at);
        }
        self.places.insert(
            id,
            Place {
                leg: at,
                bridge: LOBBY,
                muted,
                deaf,
            },
        );
        self.enter_bridge(id, LOBBY);
        self.ticks.start(now);
    }

    /// A place for one more leg.
    pub(super) fn free_place(&mut self) -> usize {
        match self.legs.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.legs.push(None);
                self.legs.len() - 1
            }
        }
    }
}

impl fmt::Debug for Moving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moving")
            .field("leg", &self.leg.id())
            .finish_non_exhaustive()
    }
}
