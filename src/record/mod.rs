//! What is kept: the media metric log, the SIP log and the call records; a local spool first.
//!
//! One thread owns the files, because every write here is one that a disk may take its time over.
//! It learns of calls by [`Note`]s and of media by [`Sample`]s, and never asks anything back:
//!
//! ```text
//! Note, Sample ──► Keeper ──► logs/<group>/<date>.jsonl               (metric log, SIP log, call events)
//!                    ├──────► metrics/<connector>/<date>.jsonl        (the connector's metrics by the minute)
//!                    └──────► spool/ ──► Delivery ──► <bucket>/<key>  (call records)
//! ```

mod call_events;
mod call_record;
mod connector_metrics;
mod delivery;
pub mod figures;
mod keeper;
pub mod logs;
pub mod mask;
mod metric_log;
mod sink;
mod spool;
pub mod trace;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use call::exchange::Transport;
use call::note::Note;
use media::measure::Sample;
use tokio::sync::oneshot;

pub use delivery::{Chosen, Destination};

use crate::objects::Objects;
use keeper::Keeper;

/// What the records say of where they come from, and where they go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder: `logs` and `spool` lie in it.
    pub data: PathBuf,
    /// The deployment's region name.
    pub region: String,
    /// The deployment's account, twelve digits.
    pub account_id: String,
    /// The built-in voice connector, to which calls into meetings belong.
    pub connector_id: String,
    /// Write the media metric log.
    pub media_metrics: bool,
    /// Write the SIP message log.
    pub sip_messages: bool,
    /// Write call records.
    pub call_records: bool,
    /// Our host names and addresses: user parts of their URIs are meeting ids, which are masked.
    pub meet_hosts: Vec<String>,
}

/// The way to the record. Telling it something never waits.
#[derive(Clone, Debug)]
pub struct Recorder {
    keeper: Sender<ToKeeper>,
}

/// What was told to the record and is not written yet. It only grows while the disk is slower than the calls.
const WAITING: &str = "campanile_record_waiting";

/// How a SIP message travelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// On what.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
}

pub(crate) enum ToKeeper {
    Note(Note, Option<Way>, SystemTime),
    Sample(Box<Sample>, SystemTime),
    Finish(oneshot::Sender<()>),
}

/// Why the record could not start.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A folder or file of the record cannot be used.
    #[error("cannot use {path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No thread.
    #[error("cannot start the record's thread: {0}")]
    Thread(std::io::Error),
}

impl Recorder {
    /// Finishes what an earlier run left in the spool and starts the thread. Must be called within a
    /// tokio runtime, which carries the writes to the object store.
    ///
    /// # Errors
    /// [`RecordError`] when the folders cannot be used.
    pub fn start(
        settings: Settings,
        objects: Objects,
        destination: Destination,
    ) -> Result<(Self, JoinHandle<()>), RecordError> {
        let runtime = tokio::runtime::Handle::current();
        let mut keeper = Keeper::open(settings, objects, destination, &runtime)?;
        let (sender, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("record".into())
            .spawn(move || {
                keeper.recover(SystemTime::now());
                keeper.run(&inbox);
            })
            .map_err(RecordError::Thread)?;
        Ok((Self { keeper: sender }, thread))
    }

    /// Something happened to a call. `way` is that of a SIP message, where it is known.
    pub fn note(&self, note: Note, way: Option<Way>) {
        self.send(ToKeeper::Note(note, way, SystemTime::now()));
    }

    /// A leg was measured.
    pub fn sample(&self, sample: Sample) {
        self.send(ToKeeper::Sample(Box::new(sample), SystemTime::now()));
    }

    /// Returns when everything told so far is on disk, and was tried to be delivered.
    pub async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        self.send(ToKeeper::Finish(done));
        // A record thread that is gone has said so already.
        let _ = finished.await;
    }

    fn send(&self, message: ToKeeper) {
        metrics::gauge!(WAITING).increment(1);
        if self.keeper.send(message).is_err() {
            tracing::error!("the record's thread is gone; something is not recorded");
        }
    }
}
