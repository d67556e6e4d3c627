//! The audit trail: an entry for each API call, allowed or refused, in the shape of CloudTrail.
//!
//! ```text
//! answer ──► spool/audit/<segment>.jsonl ──► the store's index (a second later; LookupEvents)
//!                                       └──► objects/<bucket>/AWSLogs/… (in batches)
//! ```
//!
//! An entry is in its segment before its call is answered, and one of a change on the disk: so an acknowledged change has
//! its entry, whatever ends the process. Where there would be no room for it, the change is not begun. A segment goes when all of it is indexed and in the object store; both are done
//! again after a crash and come to the same, because an entry has its id and an object its key from the start.
//! The index is a table: it is the same for all nodes of a database, each attribute has an index of its own, and it costs
//! one transaction a second and not one for each call.

mod entry;
mod keep;
mod lookup;
mod room;
mod spool;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use call::admit::network_of;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use entry::seconds;
pub use entry::{Entry, Identity, Issuer, Resource, SessionAttributes, SessionContext};
pub use lookup::Lookup;

use super::now_ms;
use crate::objects::Objects;
use crate::store::Store;
use keep::{Keeping, ToKeeping};
use room::Room;
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
    strangers: Arc<Room>,
    hasty: Arc<Room>,
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
            strangers: Arc::new(Room::new("strangers", OF_ONE, OF_ALL)),
            hasty: Arc::new(Room::new("keys that ask too fast", OF_ONE, OF_ALL)),
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

    /// Makes sure, before something is changed, that an entry about it can be taken.
    ///
    /// # Errors
    /// The disk: nothing may be changed now.
    pub async fn reserve(&self) -> io::Result<()> {
        self.spool.reserve().await
    }

    /// Writes what is no entry, to know whether one could be written.
    ///
    /// # Errors
    /// The disk.
    pub async fn try_write(&self) -> io::Result<()> {
        self.spool.try_write().await
    }

    /// Whether one more entry of somebody who is not known may be kept this minute.
    #[must_use]
    pub fn has_room_for_a_stranger(&self, from: Option<IpAddr>) -> bool {
        let network = from.map(network_of);
        let network = network.map(|network| network.to_string());
        self.strangers.take(&network.unwrap_or_default(), now_ms())
    }

    /// Whether one more entry of a key may be kept this minute that asks faster than it may.
    #[must_use]
    pub fn has_room_for_haste(&self, access_key_id: &str) -> bool {
        self.hasty.take(access_key_id, now_ms())
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

/// Entries of a minute whose sender is not known, or asks too fast: of one network or key.
const OF_ONE: u32 = 20;
/// And of all: 7.8 million in the 90 days of the index at most.
const OF_ALL: u32 = 60;
