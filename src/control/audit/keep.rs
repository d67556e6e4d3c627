//! What becomes of the spool's lines: into the index every second, into the object store in batches; then they go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::Error as _;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::spool::{Segment, Spool};
use super::{Entry, Settings};
use crate::control::now_ms;
use crate::objects::{ObjectError, Objects};
use crate::store::{AuditRow, Store, StoreError, in_time};

pub(super) enum ToKeeping {
    /// Index all that was written.
    Index(oneshot::Sender<bool>),
    /// And put it into the object store.
    Deliver(oneshot::Sender<bool>),
}

/// The task.
pub(super) struct Keeping {
    spool: Spool,
    settings: Settings,
    store: Store,
    objects: Objects,
    /// Octets of each file that are in the index.
    indexed: HashMap<PathBuf, u64>,
    /// Closed files of which nothing is missing there: nobody looks into them again.
    finished: HashSet<PathBuf>,
    /// Files with lines that cannot be read: they are put aside and not removed.
    damaged: HashSet<PathBuf>,
    /// Files that the object store has, and the index has not.
    delivered: HashSet<PathBuf>,
    /// A delivery that runs: an object store that is slow must not hold up who looks something up.
    delivering: Option<JoinHandle<Result<Vec<PathBuf>, Stuck>>>,
    close_at: Instant,
    deliver_at: Instant,
    forget_at: Instant,
}

/// Why something stays in the spool.
#[derive(Debug, Error)]
enum Stuck {
    #[error("the spool: {0}")]
    File(#[from] io::Error),
    #[error("the index: {0}")]
    Store(#[from] StoreError),
    #[error("the object store: {0}")]
    Objects(#[from] ObjectError),
}

impl Keeping {
    pub(super) fn new(spool: Spool, settings: Settings, store: Store, objects: Objects) -> Self {
        let now = Instant::now();
        Self {
            close_at: now + settings.batch,
            deliver_at: now,
            forget_at: now + FORGET_FIRST,
            spool,
            settings,
            store,
            objects,
            indexed: HashMap::new(),
            finished: HashSet::new(),
            damaged: HashSet::new(),
            delivered: HashSet::new(),
            delivering: None,
        }
    }

    /// Works until every [`super::Trail`] is gone.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<ToKeeping>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.on_time().await,
                asked = inbox.recv() => match asked {
                    // Whoever asked may have given up.
                    Some(ToKeeping::Index(done)) => { let _ = done.send(well(&self.index().await)); }
                    Some(ToKeeping::Deliver(done)) => {
                        self.spool.close().await;
                        let indexed = well(&self.index().await);
                        let _ = done.send(well(&self.deliver().await) && indexed);
                    }
                    None => return,
                },
            }
        }
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        if now >= self.close_at {
            self.close_at = now + self.settings.batch;
            self.spool.close().await;
        }
        well(&self.index().await);
        let idle = self.delivering.as_ref().is_none_or(JoinHandle::is_finished);
        if idle && !well(&self.settle().await) {
            self.deliver_at = now + RETRY;
        }
        if now >= self.deliver_at {
            well(&self.begin_delivery().await);
        }
        if now >= self.forget_at {
            well(&self.forget(now).await);
        }
    }

    /// Brings the index up to date with what is written.
    async fn index(&mut self) -> Result<(), Stuck> {
        for segment in self.segments().await? {
            if self.finished.contains(&segment.path) {
                continue;
            }
            match self.index_file(&segment).await {
                Err(Stuck::File(error)) => unreadable(&segment, &error),
                done => done?,
            }
        }
        Ok(())
    }

    async fn index_file(&mut self, segment: &Segment) -> Result<(), Stuck> {
        let mut from = self.indexed.get(&segment.path).copied().unwrap_or(0);
        loop {
            let here = segment.clone();
            let read = blocking(move || rows(&here, from)).await?;
            if read.next == from {
                if !segment.open {
                    self.finished.insert(segment.path.clone());
                }
                return Ok(());
            }
            if read.damaged > 0 {
                metrics::counter!("campanile_audit_damaged_total").increment(read.damaged);
                self.damaged.insert(segment.path.clone());
            }
            let refused = self.store.add_audit_rows(&read.rows).await?;
            metrics::counter!("campanile_audit_unindexed_total").increment(refused);
            from = read.next;
            self.indexed.insert(segment.path.clone(), from);
        }
    }

    /// Puts all closed files into the object store.
    async fn deliver(&mut self) -> Result<(), Stuck> {
        self.settle().await?;
        self.begin_delivery().await?;
        self.settle().await
    }

    /// Begins to put closed files into the object store, if there are any and no delivery runs.
    async fn begin_delivery(&mut self) -> Result<(), Stuck> {
        if self.delivering.is_some() {
            return Ok(());
        }
        let mut closed = self.segments().await?;
        closed.retain(|segment| !segment.open && !self.delivered.contains(&segment.path));
        if closed.is_empty() {
            return Ok(());
        }
        let (settings, objects) = (self.settings.clone(), self.objects.clone());
        self.delivering = Some(tokio::spawn(async move {
            let mut delivered = Vec::new();
            for segment in closed {
                match put(&settings, &objects, &segment).await {
                    Ok(()) => delivered.push(segment.path),
                    Err(Stuck::File(error)) => unreadable(&segment, &error),
                    Err(error) if delivered.is_empty() => return Err(error),
                    // For the next time, which says what is wrong.
                    Err(_) => break,
                }
            }
            Ok(delivered)
        }));
        Ok(())
    }

    /// Waits for the delivery that runs, if one does, and removes what is in the object store and in the index.
    async fn settle(&mut self) -> Result<(), Stuck> {
        let done = match self.delivering.take() {
            None => Ok(()),
            Some(running) => match running.await {
                Ok(Ok(delivered)) => {
                    self.delivered.extend(delivered);
                    Ok(())
                }
                Ok(Err(error)) => Err(error),
                Err(error) => Err(Stuck::File(io::Error::other(error))),
            },
        };
        let mut left = HashSet::new();
        for path in self.delivered.drain() {
            let octets = fs::metadata(&path)?.len();
            if self.indexed.get(&path).copied().unwrap_or(0) >= octets {
                if self.damaged.remove(&path) {
                    let aside = path.with_extension("bad");
                    tracing::error!(file = %aside.display(), "a file of the audit trail with lines that cannot be read is kept");
                    fs::rename(&path, aside)?;
                } else {
                    fs::remove_file(&path)?;
                }
                self.indexed.remove(&path);
                self.finished.remove(&path);
            } else {
                left.insert(path);
            }
        }
        self.delivered = left;
        done
    }

    /// Takes some of what is too old out of the index. The rest has its turn with the next tick: index and look-ups wait
    /// for no more than a piece.
    async fn forget(&mut self, now: Instant) -> Result<(), Stuck> {
        self.forget_at = now + FORGET_EVERY;
        let forgetting = self.store.forget_audit_rows(now_ms() - KEPT_MS);
        if in_time(forgetting).await?? > 0 {
            self.forget_at = now;
        }
        Ok(())
    }

    async fn segments(&self) -> Result<Vec<Segment>, Stuck> {
        let spool = self.spool.clone();
        blocking(move || Ok(spool.segments()?)).await
    }
}

/// Does with files what must hold up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Stuck> + Send + 'static,
) -> Result<T, Stuck> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

/// Puts a closed file into the object store: an object for each account.
async fn put(settings: &Settings, objects: &Objects, segment: &Segment) -> Result<(), Stuck> {
    let (region, segment) = (settings.region.clone(), segment.clone());
    for (key, body) in blocking(move || bodies(&region, &segment)).await? {
        objects.put(&settings.bucket, &key, body.into()).await?;
    }
    Ok(())
}

/// The objects of a closed file: its lines, which are entries already, by account.
fn bodies(region: &str, segment: &Segment) -> Result<Vec<(String, Vec<u8>)>, Stuck> {
    let mut of_account: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut from = 0;
    loop {
        let read = Lines::read(segment, from)?;
        if read.next == from {
            break;
        }
        from = read.next;
        for line in read.iter() {
            // Of one that cannot be read the index speaks.
            let line = line.trim_ascii_end();
            let text = std::str::from_utf8(line).unwrap_or_default();
            let Ok(Addressed { account }) = serde_json::from_str(text) else {
                continue;
            };
            let body = of_account.entry(account).or_default();
            let before: &[u8] = if body.is_empty() {
                b"{\"Records\":["
            } else {
                b","
            };
            body.extend_from_slice(before);
            body.extend_from_slice(line);
        }
    }
    let object = |(account, mut body): (String, Vec<u8>)| {
        body.extend_from_slice(b"]}");
        (key(&account, region, &segment.path), body)
    };
    Ok(of_account.into_iter().map(object).collect())
}

/// In whose trail an entry is.
#[derive(Deserialize)]
struct Addressed {
    #[serde(rename = "recipientAccountId")]
    account: String,
}

/// Whole lines of a file, from an offset on, as many as fit into memory easily. A line without an end is one that is
/// being written, or in a closed file one that never was.
struct Lines {
    octets: Vec<u8>,
    /// The offset of what follows; the same where nothing does.
    next: u64,
}

impl Lines {
    fn read(segment: &Segment, from: u64) -> io::Result<Self> {
        let mut file = fs::File::open(&segment.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut octets = Vec::new();
        file.take(CHUNK).read_to_end(&mut octets)?;
        let end = match octets.iter().rposition(|octet| *octet == b'\n') {
            Some(end) => end + 1,
            None if segment.open => 0,
            None => octets.len(),
        };
        octets.truncate(end);
        let next = from + end as u64;
        Ok(Self { octets, next })
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.octets.split_inclusive(|octet| *octet == b'\n')
    }
}

/// Lines as the index has them.
struct Rows {
    rows: Vec<AuditRow>,
    /// The offset of what follows; the same where nothing does.
    next: u64,
    /// Lines that have an end, and are no entries: another version's, or the disk changed them.
    damaged: u64,
}

fn rows(segment: &Segment, from: u64) -> Result<Rows, Stuck> {
    let read = Lines::read(segment, from)?;
    let (mut rows, mut damaged) = (Vec::new(), 0);
    for line in read.iter() {
        match row(line) {
            Ok(row) => rows.push(row),
            Err(error) => {
                // Of a line without an end nobody was told that its call was a success.
                let whole = line.ends_with(b"\n");
                damaged += u64::from(whole);
                tracing::error!(file = %segment.path.display(), whole, %error, "an entry of the audit trail cannot be read");
            }
        }
    }
    let next = read.next;
    Ok(Rows {
        rows,
        next,
        damaged,
    })
}

fn row(line: &[u8]) -> Result<AuditRow, serde_json::Error> {
    let line = std::str::from_utf8(line.trim_ascii_end()).map_err(serde_json::Error::custom)?;
    serde_json::from_str(line).map(|entry: Entry| entry.row(line))
}

/// An object's key, CloudTrail's. It follows from the file alone, so that a repetition writes the same object.
fn key(account: &str, region: &str, segment: &Path) -> String {
    let name = segment.file_stem().unwrap_or_default().to_string_lossy();
    let begun = name
        .split_once('-')
        .and_then(|(begun, _)| begun.parse().ok())
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC);
    let unique: String = digest::digest(&digest::SHA256, name.as_bytes())
        .as_ref()
        .iter()
        .take(16)
        .map(|octet| char::from(LETTERS[usize::from(*octet) % LETTERS.len()]))
        .collect();
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{}_{unique}.json",
        begun.strftime("%Y/%m/%d"),
        begun.strftime("%Y%m%dT%H%MZ"),
    )
}

/// The disk does not give a file; that must not keep out all the others.
fn unreadable(segment: &Segment, error: &io::Error) {
    metrics::counter!("campanile_audit_stuck_total").increment(1);
    tracing::error!(file = %segment.path.display(), %error, "a file of the audit trail cannot be read; it is tried again");
}

/// Whether it went well; if not, the log says what did not.
fn well(done: &Result<(), Stuck>) -> bool {
    if let Err(error) = done {
        metrics::counter!("campanile_audit_stuck_total").increment(1);
        tracing::error!(%error, "the audit trail waits in the spool; it is tried again");
    }
    done.is_ok()
}

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Between two looks at what was written.
const TICK: Duration = Duration::from_secs(1);
/// After a refusal of the object store.
const RETRY: Duration = Duration::from_secs(5);
/// After the start, which has other things to do.
const FORGET_FIRST: Duration = Duration::from_secs(60);
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// How long entries can be looked up, as CloudTrail's: 90 days.
pub(super) const KEPT_MS: i64 = 90 * 86_400_000;
/// Octets that are read at once; an entry is far smaller.
const CHUNK: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::audit::testing;
    use crate::store::{AuditAttribute, Page};

    async fn keeping(data: &Path) -> Keeping {
        let store = Store::open(data).await.unwrap();
        let objects = crate::objects::tests::folders(data);
        let spool = Spool::open(&data.join("spool")).unwrap();
        Keeping::new(spool, testing::settings(), store, objects)
    }

    #[tokio::test]
    async fn what_is_too_old_goes_a_piece_at_a_time_until_there_is_none() {
        let data = tempfile::tempdir().unwrap();
        let mut keeping = keeping(data.path()).await;
        let row = |at| AuditRow {
            event_id: keeping.store.event_id(at).unwrap(),
            ..AuditRow::default()
        };
        let rows: Vec<AuditRow> = (0..2100).map(row).collect();
        keeping.store.add_audit_rows(&rows).await.unwrap();
        let now = Instant::now();
        for again in [true, true, false] {
            keeping.forget(now).await.unwrap();
            assert_eq!(keeping.forget_at == now, again);
        }
    }

    #[tokio::test]
    async fn a_closed_file_that_is_indexed_is_not_looked_into_again() {
        let data = tempfile::tempdir().unwrap();
        let mut keeping = keeping(data.path()).await;
        let line = |text: &str| format!("{text}\n").into_bytes();
        keeping.spool.append(line("{}"), false).await.unwrap();
        keeping.index().await.unwrap();
        assert!(keeping.finished.is_empty(), "lines may still come");
        keeping.spool.append(line("{}"), false).await.unwrap();
        keeping.spool.close().await;
        keeping.index().await.unwrap();
        let path = keeping.spool.segments().unwrap().remove(0).path;
        assert_eq!(keeping.indexed[&path], 6);
        // Whoever opened it would fail now.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        keeping.index().await.unwrap();
    }

    fn line(account: &str) -> String {
        let entry = testing::entry("CreateUser", account, 1, account.to_owned());
        serde_json::to_string(&entry).unwrap()
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_keeps_no_other_one_out() {
        let data = tempfile::tempdir().unwrap();
        let mut keeping = keeping(data.path()).await;
        // Older than the other one, and nobody can read a folder as a file.
        fs::create_dir(data.path().join("spool/0000000000001-x.jsonl")).unwrap();
        let whole = format!("{}\n", line("1")).into_bytes();
        keeping.spool.append(whole, false).await.unwrap();
        keeping.spool.close().await;
        keeping.index().await.unwrap();
        keeping.deliver().await.unwrap();
        let kind = (AuditAttribute::EventName, "CreateUser");
        let (range, page) = ((0, i64::MAX), Page::first(9));
        let found = keeping.store.audit_rows("1", kind, range, &page).await;
        assert_eq!(found.unwrap().items[0].document, line("1"));
        assert_eq!(
            keeping
                .objects
                .list("records", "", "", 9)
                .await
                .unwrap()
                .len(),
            1
        );
        assert_eq!(keeping.spool.segments().unwrap().len(), 1);
    }

    #[test]
    fn an_object_has_the_lines_that_are_entries_as_they_were_written() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("1700000000000-x.jsonl");
        let (one, two) = (line("1"), line("2"));
        let mut octets = format!("{one}\nno entry\n{two}\n{one}\n").into_bytes();
        octets.extend_from_slice(b"{\"recipientAccountId\":\"1\",\"userAgent\":\"\xff\"}\n");
        fs::write(&path, octets).unwrap();
        let open = false;
        let bodies = bodies("us-east-1", &Segment { path, open }).unwrap();
        let bodies = bodies
            .into_iter()
            .map(|(_, body)| String::from_utf8(body).unwrap());
        let expected = [
            format!("{{\"Records\":[{one},{one}]}}"),
            format!("{{\"Records\":[{two}]}}"),
        ];
        assert_eq!(bodies.collect::<Vec<_>>(), expected);
    }
}
