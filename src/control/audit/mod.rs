//! The audit trail: an entry for each API call, allowed or refused, in the shape of CloudTrail.
//!
//! ```text
//! answer ──► spool/audit/<segment>.jsonl ──► the store's index (a second later; LookupEvents)
//!                                       └──► objects/<bucket>/AWSLogs/… (in batches)
//! ```
//!
//! An entry is in its segment before its call is answered, and one of a change on the disk: so an acknowledged change has
//! its entry, whatever ends the process. A segment goes when all of it is indexed and in the object store; both are done
//! again after a crash and come to the same, because an entry has its id and an object its key from the start.
//! The index is a table: it is the same for all nodes of a database, each attribute has an index of its own, and it costs
//! one transaction a second and not one for each call.

mod entry;
mod keep;
mod lookup;
mod spool;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use entry::seconds;
pub use entry::{Entry, Identity, Issuer, Resource, SessionAttributes, SessionContext};
pub use lookup::Lookup;

use super::now_ms;
use crate::objects::Objects;
use crate::store::Store;
use keep::{Keeping, ToKeeping};
use spool::Spool;

/// What the trail needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The deployment's region name.
    pub region: String,
    /// The bucket of its objects.
    pub bucket: String,
    /// How long entries are gathered for one object.
    pub batch: Duration,
}

/// The way to the trail. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Trail {
    spool: Spool,
    keeping: mpsc::Sender<ToKeeping>,
    strangers: Arc<AtomicU64>,
}

impl Trail {
    /// Opens the spool below `data` and starts to work off what an earlier process left in it.
    ///
    /// # Errors
    /// The folder or the thread.
    pub fn start(
        data: &Path,
        settings: Settings,
        store: Store,
        objects: Objects,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let spool = Spool::open(&data.join("spool").join("audit"))?;
        let (keeping, inbox) = mpsc::channel(64);
        let task = Keeping::new(spool.clone(), settings, store, objects);
        let task = tokio::spawn(task.run(inbox));
        let trail = Self {
            spool,
            keeping,
            strangers: Arc::default(),
        };
        Ok((trail, task))
    }

    /// Takes an entry into the trail; on return it outlives the process, and where `lasting` the machine.
    ///
    /// # Errors
    /// The disk: the entry may be lost, and nobody may be told that the call was a success.
    pub async fn keep(&self, entry: &Entry, lasting: bool) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.spool.append(line, lasting).await
    }

    /// Whether one more entry of somebody who is not known may be kept this minute. Without an end to them anybody
    /// could fill the disk.
    #[must_use]
    pub fn has_room_for_a_stranger(&self) -> bool {
        // The minute in the high half, the count in the low one.
        let minute = (u64::try_from(now_ms()).unwrap_or_default() / 60_000) << 32;
        let next = |known: u64| match known & !0xffff_ffff == minute {
            true => known + 1,
            false => minute + 1,
        };
        let before = self
            .strangers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |known| {
                Some(next(known))
            })
            .unwrap_or_default();
        let count = next(before) & 0xffff_ffff;
        if count == STRANGERS + 1 {
            tracing::warn!(
                "unidentified requests are too many to be kept in the audit trail, for this minute"
            );
        }
        count <= STRANGERS
    }

    /// Returns when all that was kept before is in the index.
    ///
    /// # Errors
    /// It could not be written there.
    pub async fn indexed(&self) -> Result<(), Unindexed> {
        self.ask(ToKeeping::Index).await
    }

    /// Returns when all that was kept before is in the index and in the object store.
    ///
    /// # Errors
    /// It could not be written there; it stays in the spool.
    pub async fn delivered(&self) -> Result<(), Unindexed> {
        self.ask(ToKeeping::Deliver).await
    }

    async fn ask(
        &self,
        question: impl FnOnce(oneshot::Sender<bool>) -> ToKeeping,
    ) -> Result<(), Unindexed> {
        let (answer, answered) = oneshot::channel();
        self.keeping
            .send(question(answer))
            .await
            .map_err(|_| Unindexed)?;
        match answered.await {
            Ok(true) => Ok(()),
            _ => Err(Unindexed),
        }
    }
}

/// What was kept could not be written on; the log says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the audit trail is behind")]
pub struct Unindexed;

/// Entries of a minute whose sender is not known, at most.
const STRANGERS: u64 = 6000;
