//! The local spool: what must survive `kill -9` between a call's answer and its delivered record.
//!
//! ```text
//! spool/open/<transaction>.json    a call that runs; written when it begins and when it is answered
//! spool/ready/<transaction>.json   a finished record that is not in the object store yet
//! spool/alive                      when the process was last seen alive, while calls are open
//! ```
//!
//! A record is in `ready` before its call leaves `open`, and in the store before it leaves `ready`. A
//! crash between two steps repeats the later one, which overwrites the same object with the same bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::RecordError;
use super::call_record::OpenCall;

/// A finished record on its way to the object store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) transaction_id: String,
    /// Its bucket, in records of versions that decided it when the call ended; now it is when they are delivered.
    #[serde(default)]
    pub(super) bucket: Option<String>,
    pub(super) key: String,
    /// The object's bytes, JSON.
    pub(super) body: String,
}

/// What of it is held in memory until it is delivered: there may be very many.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) transaction_id: String,
    /// [`Ready::bucket`].
    #[serde(default)]
    pub(super) bucket: Option<String>,
    pub(super) key: String,
    /// [`Ready::body`], where the spool could not take it.
    #[serde(skip)]
    pub(super) body: Option<String>,
}

/// The folder. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    folder: PathBuf,
}

impl Spool {
    pub(super) fn open(folder: PathBuf) -> Result<Self, RecordError> {
        for sub in ["open", "ready"] {
            let path = folder.join(sub);
            fs::create_dir_all(&path).map_err(|source| RecordError::File { path, source })?;
        }
        Ok(Self { folder })
    }

    /// Keeps a running call. On return it is on disk.
    pub(super) fn keep_open(&self, call: &OpenCall) -> io::Result<()> {
        write_whole(&self.path("open", &call.transaction_id), call)
    }

    /// Moves a call from `open` to `ready`. On return it is on disk.
    pub(super) fn make_ready(&self, ready: &Ready) -> io::Result<()> {
        write_whole(&self.path("ready", &ready.transaction_id), ready)?;
        remove(&self.path("open", &ready.transaction_id))
    }

    /// Forgets a record that was delivered, and its call, if that could not be done before.
    pub(super) fn delivered(&self, transaction_id: &str) -> io::Result<()> {
        self.forget_open(transaction_id)?;
        remove(&self.path("ready", transaction_id))
    }

    /// Forgets that a call runs.
    pub(super) fn forget_open(&self, transaction_id: &str) -> io::Result<()> {
        remove(&self.path("open", transaction_id))
    }

    /// Calls that were running when the last process stopped.
    pub(super) fn left_open(&self) -> Vec<OpenCall> {
        self.read_all("open")
    }

    /// Records that were not delivered, oldest key first.
    pub(super) fn left_ready(&self) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = self.read_all("ready");
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all
    }

    /// A record that is not delivered, whole.
    pub(super) fn ready(&self, transaction_id: &str) -> io::Result<Ready> {
        read(&self.path("ready", transaction_id))
    }

    /// Notes that the process lives at `now_ms`.
    pub(super) fn alive(&self, now_ms: u64) -> io::Result<()> {
        let beside = self.folder.join("alive.new");
        fs::write(&beside, now_ms.to_string())?;
        fs::rename(beside, self.folder.join("alive"))
    }

    /// When the last process was last seen alive.
    pub(super) fn last_alive(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join("alive"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn path(&self, sub: &str, transaction_id: &str) -> PathBuf {
        self.folder.join(sub).join(format!("{transaction_id}.json"))
    }

    fn read_all<T: DeserializeOwned>(&self, sub: &str) -> Vec<T> {
        let folder = self.folder.join(sub);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(folder = %folder.display(), %error, "cannot read the spool");
                return Vec::new();
            }
        };
        let paths = entries.filter_map(|entry| entry.ok().map(|e| e.path()));
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .filter_map(|path| match read(&path) {
                Ok(value) => Some(value),
                Err(error) => {
                    // It stays where it is, for a person to look at.
                    tracing::error!(file = %path.display(), %error, "cannot read a file of the spool");
                    None
                }
            })
            .collect()
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes beside and renames, so that a reader sees the old file or the new one, never half of one.
fn write_whole(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_call(id: &str) -> OpenCall {
        OpenCall {
            transaction_id: id.into(),
            sip_call_id: "c".into(),
            from_user: String::new(),
            to_user: String::new(),
            auth_user: None,
            direction: "Outbound".into(),
            started_ms: 1,
            answered_ms: Some(2),
        }
    }

    fn ready(id: &str, key: &str) -> Ready {
        Ready {
            transaction_id: id.into(),
            bucket: None,
            key: key.into(),
            body: "{}".into(),
        }
    }

    #[test]
    fn what_was_kept_is_found_by_the_next_process_until_it_is_delivered() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().to_owned()).unwrap();
        spool.keep_open(&open_call("a")).unwrap();
        spool.keep_open(&open_call("b")).unwrap();
        spool.make_ready(&ready("a", "k")).unwrap();
        spool.alive(77).unwrap();

        let next = Spool::open(folder.path().to_owned()).unwrap();
        assert_eq!(next.left_open(), [open_call("b")]);
        let left = next.left_ready();
        assert_eq!((left.len(), left[0].key.as_str()), (1, "k"));
        assert_eq!(next.ready("a").unwrap(), ready("a", "k"));
        assert_eq!(next.last_alive(), Some(77));
        next.delivered("a").unwrap();
        next.delivered("a").unwrap();
        assert!(next.left_ready().is_empty());
    }

    #[test]
    fn records_come_back_in_the_order_of_their_keys() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().to_owned()).unwrap();
        spool.make_ready(&ready("a", "2026/02")).unwrap();
        spool.make_ready(&ready("b", "2026/01")).unwrap();
        let keys: Vec<_> = spool.left_ready().into_iter().map(|r| r.key).collect();
        assert_eq!(keys, ["2026/01", "2026/02"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_passed_over_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().to_owned()).unwrap();
        let broken = folder.path().join("open/broken.json");
        fs::write(&broken, b"{").unwrap();
        spool.keep_open(&open_call("a")).unwrap();
        assert_eq!(spool.left_open().len(), 1);
        assert!(broken.exists());
    }
}
