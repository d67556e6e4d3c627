//! Which shard carries which leg. A bridge lives on one shard; a leg that joins a bridge elsewhere moves there.

use std::collections::HashMap;

use wire::plan::{BridgeId, LegId, MediaCommand};

/// Where every leg and bridge is.
#[derive(Debug)]
pub(super) struct Placement {
    /// Legs on each shard.
    load: Vec<usize>,
    legs: HashMap<LegId, Leg>,
    bridges: HashMap<BridgeId, Bridge>,
}

#[derive(Clone, Copy, Debug)]
struct Leg {
    shard: usize,
    bridge: Option<BridgeId>,
}

#[derive(Clone, Copy, Debug)]
struct Bridge {
    shard: usize,
    legs: usize,
}

/// Where a command goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    /// The shard that carries it out.
    pub(super) shard: usize,
    /// The shard from which the leg moves there first.
    pub(super) from: Option<usize>,
}

impl Placement {
    /// For so many shards, at least one.
    pub(super) fn new(shards: usize) -> Self {
        Self {
            load: vec![0; shards.max(1)],
            legs: HashMap::new(),
            bridges: HashMap::new(),
        }
    }

    /// The way of a command. Legs become known by `Reserve` and are forgotten by [`Placement::closed`].
    pub(super) fn way(&mut self, command: &MediaCommand) -> Way {
        match command {
            MediaCommand::Reserve { leg, bridge, .. } => {
                let at_bridge = bridge.and_then(|id| self.bridges.get(&id));
                let shard = at_bridge.map_or_else(|| self.least(), |bridge| bridge.shard);
                self.legs.insert(
                    *leg,
                    Leg {
                        shard,
                        bridge: None,
                    },
                );
                self.change(shard, 1);
                // Those who are expected hold the place: the next one for the same bridge comes here too.
                if let Some(bridge) = bridge {
                    self.enter(*leg, *bridge);
                }
                Way { shard, from: None }
            }
            MediaCommand::Join { leg, bridge } => {
                let before = self.shard_of(*leg);
                self.enter(*leg, *bridge);
                let shard = self.shard_of(*leg);
                Way {
                    shard,
                    from: (shard != before).then_some(before),
                }
            }
            MediaCommand::Leave { leg } => {
                self.leave(*leg);
                self.stay(*leg)
            }
            other => self.stay(other.leg()),
        }
    }

    /// A leg was closed or refused.
    pub(super) fn closed(&mut self, leg: LegId) {
        self.leave(leg);
        if let Some(leg) = self.legs.remove(&leg) {
            self.change(leg.shard, -1);
        }
    }

    fn stay(&self, leg: LegId) -> Way {
        Way {
            shard: self.shard_of(leg),
            from: None,
        }
    }

    /// A leg that nobody knows is looked for on the first shard, which says that it is not there.
    fn shard_of(&self, leg: LegId) -> usize {
        self.legs.get(&leg).map_or(0, |leg| leg.shard)
    }

    fn enter(&mut self, id: LegId, to: BridgeId) {
        self.leave(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let bridge = self.bridges.entry(to).or_insert(Bridge {
            shard: leg.shard,
            legs: 0,
        });
        bridge.legs += 1;
        let (before, shard) = (leg.shard, bridge.shard);
        (leg.bridge, leg.shard) = (Some(to), shard);
        self.change(before, -1);
        self.change(shard, 1);
    }

    fn leave(&mut self, id: LegId) {
        let Some(left) = self.legs.get_mut(&id).and_then(|leg| leg.bridge.take()) else {
            return;
        };
        if let Some(bridge) = self.bridges.get_mut(&left) {
            bridge.legs -= 1;
            if bridge.legs == 0 {
                self.bridges.remove(&left);
            }
        }
    }

    fn least(&self) -> usize {
        let shards = self.load.iter().enumerate();
        shards
            .min_by_key(|(_, legs)| **legs)
            .map_or(0, |(at, _)| at)
    }

    fn change(&mut self, shard: usize, by: isize) {
        if let Some(load) = self.load.get_mut(shard) {
            *load = load.saturating_add_signed(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::plan::LegKind;

    use super::*;

    fn reserve(leg: u64, bridge: Option<u64>) -> MediaCommand {
        MediaCommand::Reserve {
            leg: LegId(leg),
            kind: LegKind::Browser,
            bridge: bridge.map(BridgeId),
        }
    }

    fn join(leg: u64, bridge: u64) -> MediaCommand {
        MediaCommand::Join {
            leg: LegId(leg),
            bridge: BridgeId(bridge),
        }
    }

    fn at(shard: usize) -> Way {
        Way { shard, from: None }
    }

    #[test]
    fn bridges_spread_and_their_legs_stay_together() {
        let mut placement = Placement::new(2);
        assert_eq!(placement.way(&reserve(1, Some(10))), at(0));
        assert_eq!(placement.way(&reserve(2, Some(20))), at(1));
        assert_eq!(placement.way(&reserve(3, Some(10))), at(0));
        for (leg, bridge, shard) in [(1, 10, 0), (2, 20, 1), (3, 10, 0)] {
            assert_eq!(placement.way(&join(leg, bridge)), at(shard));
        }
        // Two against one.
        assert_eq!(placement.way(&reserve(4, None)), at(1));
    }

    #[test]
    fn a_phone_moves_to_the_meeting_that_it_chose() {
        let mut placement = Placement::new(2);
        placement.way(&reserve(1, Some(10)));
        assert_eq!(placement.way(&reserve(2, None)), at(1));
        let way = placement.way(&join(2, 10));
        assert_eq!(
            way,
            Way {
                shard: 0,
                from: Some(1)
            }
        );
        let close = MediaCommand::Close { leg: LegId(2) };
        assert_eq!(placement.way(&close), at(0));
        assert_eq!(placement.load, [2, 0]);
    }

    #[test]
    fn the_first_to_join_brings_the_bridge_to_its_own_shard() {
        let mut placement = Placement::new(2);
        placement.way(&reserve(1, None));
        placement.way(&reserve(2, None));
        assert_eq!(placement.way(&join(2, 10)), at(1));
        assert_eq!(placement.way(&reserve(3, Some(10))), at(1));
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let mut placement = Placement::new(3);
        for leg in 0..9 {
            placement.way(&reserve(leg, (leg % 2 == 0).then_some(leg % 3)));
            placement.way(&join(leg, leg % 3));
        }
        placement.way(&MediaCommand::Leave { leg: LegId(1) });
        for leg in 0..9 {
            placement.closed(LegId(leg));
        }
        placement.closed(LegId(7));
        assert!(placement.legs.is_empty() && placement.bridges.is_empty());
        assert_eq!(placement.load, [0, 0, 0]);
    }

    #[test]
    fn a_leg_that_nobody_knows_is_asked_for_on_the_first_shard() {
        let mut placement = Placement::new(2);
        assert_eq!(placement.way(&join(1, 10)), at(0));
        assert!(placement.bridges.is_empty());
    }
}
