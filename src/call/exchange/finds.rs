//! Look-ups of meeting ids: those under way, and those that wait because their source has no try to spare.
//!
//! A look-up counts for its source until it is answered, also when the call that asked is gone by then: neither
//! many calls at once nor calls that are cancelled early buy more tries.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::admit::{GuessLimiter, Turn};
use crate::note::TransactionId;

/// Every look-up of an exchange.
#[derive(Debug)]
pub(super) struct Finds {
    under_way: BTreeMap<u64, Find>,
    waiting: VecDeque<(Find, String)>,
    guesses: GuessLimiter,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Find {
    /// Who asks.
    call: TransactionId,
    source: IpAddr,
}

/// What becomes of a call that wants an id looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Look it up, as the question of this number.
    Out(u64, String),
    /// It waits for its turn.
    Waits,
    /// Its source has no tries left.
    Refused,
}

impl Finds {
    pub(super) fn new(guesses: usize, window: Duration) -> Self {
        Self {
            under_way: BTreeMap::new(),
            waiting: VecDeque::new(),
            guesses: GuessLimiter::new(guesses, window, GUESSERS),
            last: 0,
        }
    }

    /// A call names an id.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        call: TransactionId,
        source: IpAddr,
        digits: String,
    ) -> Asked {
        let find = Find { call, source };
        match self.guesses.ask(now, source) {
            Turn::Now => {
                self.last += 1;
                self.under_way.insert(self.last, find);
                Asked::Out(self.last, digits)
            }
            Turn::Later => {
                self.waiting.push_back((find, digits));
                Asked::Waits
            }
            Turn::Never => Asked::Refused,
        }
    }

    /// A question was answered. Tells who asked.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        query: u64,
        missed: bool,
    ) -> Option<TransactionId> {
        let find = self.under_way.remove(&query)?;
        self.guesses.answered(now, find.source, missed);
        Some(find.call)
    }

    /// Those who waited and need not any more.
    pub(super) fn released(&mut self, now: Instant) -> Vec<(TransactionId, Asked)> {
        let waiting = std::mem::take(&mut self.waiting);
        waiting
            .into_iter()
            .map(|(find, digits)| {
                let asked = self.ask(now, find.call, find.source, digits);
                (find.call, asked)
            })
            .filter(|(_, asked)| *asked != Asked::Waits)
            .collect()
    }

    /// A call is gone: what it waits to ask is not asked; what it did ask still counts.
    pub(super) fn gone(&mut self, call: TransactionId) {
        self.waiting.retain(|(find, _)| find.call != call);
    }

    pub(super) fn forget(&mut self, now: Instant) {
        self.guesses.forget(now);
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.guesses.next_timeout()
    }

    /// Everything that is remembered.
    pub(super) fn len(&self) -> usize {
        self.under_way.len() + self.waiting.len() + self.guesses.len()
    }
}

/// Sources of wrong meeting ids that are remembered.
const GUESSERS: usize = 10_000;
