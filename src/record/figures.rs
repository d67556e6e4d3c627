//! The connectors' metrics by the minute, in a file per connector and day, for 15 months.
//!
//! ```text
//! metrics/<connector>/2026-01-31.jsonl   {"event_timestamp":<minute>,"metrics":{"<name>":[<count>,<sum>,<min>,<max>],…}}
//! ```
//!
//! What was gathered is written every few seconds, as a line that goes on where the minute's earlier lines stopped: what
//! `kill -9` takes is at most that. A reader adds the lines of a minute up. Once a day the files of days that are over are
//! made shorter: a line for each minute, after 15 days for each five minutes, after 63 days for each hour. That is what
//! CloudWatch keeps, too, and all 15 months of a busy connector are no more than some 100 MB to read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::logs::{DAY_MS, Logs, day_ms};
use super::sink::LogFolder;

/// Values of one metric in some time. Written as the list of its fields.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Fields", into = "Fields")]
pub struct Figure {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Figure {
    fn of(value: f64) -> Self {
        Self {
            count: 1,
            sum: value,
            min: value,
            max: value,
        }
    }

    /// These values and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

type Fields = (u64, f64, f64, f64);

impl From<Fields> for Figure {
    fn from((count, sum, min, max): Fields) -> Self {
        Self {
            count,
            sum,
            min,
            max,
        }
    }
}

impl From<Figure> for Fields {
    fn from(figure: Figure) -> Self {
        (figure.count, figure.sum, figure.min, figure.max)
    }
}

/// What was measured and is not written yet.
#[derive(Debug)]
pub(super) struct Gathered {
    folder: PathBuf,
    connector: String,
    files: LogFolder,
    minutes: BTreeMap<u64, ByName>,
    write_at_ms: u64,
    tidy_at_ms: u64,
}

/// Each metric's.
type ByName = BTreeMap<String, Figure>;

#[derive(Serialize, Deserialize)]
struct Minute {
    event_timestamp: u64,
    metrics: ByName,
}

impl Gathered {
    pub(super) fn new(folder: PathBuf, connector: &str) -> Self {
        Self {
            files: LogFolder::new(folder.clone()),
            folder,
            connector: connector.to_owned(),
            minutes: BTreeMap::new(),
            write_at_ms: 0,
            tidy_at_ms: 0,
        }
    }

    /// One value of a metric.
    pub(super) fn add(&mut self, name: &str, value: f64, at_ms: u64) {
        let minute = self.minutes.entry(at_ms - at_ms % MINUTE_MS).or_default();
        add(minute, name, Figure::of(value));
    }

    /// Writes what there is, if it is time for that.
    pub(super) fn on_time(&mut self, now_ms: u64) -> io::Result<()> {
        if now_ms >= self.tidy_at_ms {
            self.tidy_at_ms = now_ms + DAY_MS;
            // It may take seconds, and calls go on meanwhile.
            let folder = self.folder.clone();
            std::thread::Builder::new()
                .name("metrics".into())
                .spawn(move || {
                    if let Err(error) = tidy(&folder, now_ms) {
                        tracing::error!(%error, "old metrics cannot be made shorter");
                    }
                })?;
        }
        if now_ms < self.write_at_ms || self.minutes.is_empty() {
            return Ok(());
        }
        self.write(now_ms)
    }

    /// Writes what there is.
    pub(super) fn write(&mut self, now_ms: u64) -> io::Result<()> {
        self.write_at_ms = now_ms + WRITE_EVERY_MS;
        while let Some((at, metrics)) = self.minutes.pop_first() {
            let minute = Minute {
                event_timestamp: at,
                metrics,
            };
            if let Err(error) = self.files.append(&self.connector, at, &minute) {
                // For the next time.
                self.minutes.insert(at, minute.metrics);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Reading them back. Cloning shares the folder's name and whose turn it is.
#[derive(Clone, Debug)]
pub struct Figures {
    files: Logs,
    turns: Arc<Semaphore>,
}

impl Figures {
    /// The folder of that name; it need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            files: Logs::new(folder),
            turns: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Waits for its turn to read: much is read for an answer, and however many ask, some at a time are answered.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// The connectors that have any.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn connectors(&self) -> io::Result<Vec<String>> {
        let groups = self.files.groups()?;
        Ok(groups
            .iter()
            .map(|group| group.trim_start_matches('/').to_owned())
            .collect())
    }

    /// Hands out every figure of a connector of `[from_ms, to_ms)`: minute, name, figure. A minute may come in pieces.
    /// The latest days come first; `false` ends it.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(
        &self,
        connector: &str,
        (from_ms, to_ms): (u64, u64),
        mut each: impl FnMut(u64, &str, Figure) -> bool,
    ) -> io::Result<()> {
        let group = format!("/{connector}");
        let mut days = self.files.stream_names(&group)?;
        days.retain(|day| {
            day_ms(day).is_some_and(|begin| begin < to_ms && begin + DAY_MS > from_ms)
        });
        for day in days.iter().rev() {
            let mut goes_on = true;
            self.files.each(&group, day, |line| {
                if !(from_ms..to_ms).contains(&line.time_ms) {
                    return true;
                }
                // A reader of a file that somebody else wrote into goes on.
                let Ok(minute) = serde_json::from_str::<Minute>(&line.text) else {
                    return true;
                };
                let mut known = minute.metrics.iter();
                goes_on = known.all(|(name, known)| each(minute.event_timestamp, name, *known));
                goes_on
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }
}

fn add(to: &mut ByName, name: &str, more: Figure) {
    match to.get_mut(name) {
        Some(known) => *known = known.and(more),
        None => {
            to.insert(name.to_owned(), more);
        }
    }
}

/// Makes the files of days that are over shorter, and removes those of days that were over long ago.
fn tidy(folder: &Path, now_ms: u64) -> io::Result<()> {
    let files = Logs::new(folder.to_owned());
    for group in files.groups()? {
        for day in files.stream_names(&group)? {
            let Some(ended) = day_ms(&day).map(|begin| begin + DAY_MS) else {
                continue;
            };
            let file = format!("{}/{day}.jsonl", group.trim_start_matches('/'));
            let file = folder.join(file);
            match now_ms.saturating_sub(ended) {
                // Its last minute may not be written yet.
                age if age < HOUR_MS => {}
                age if age > KEPT_MS => fs::remove_file(file)?,
                age => shorten(&files, (&group, &day), &file, period(age))?,
            }
        }
    }
    Ok(())
}

/// The time of one line, by how long ago its day was.
fn period(age_ms: u64) -> u64 {
    match age_ms / DAY_MS {
        ..15 => MINUTE_MS,
        15..63 => 5 * MINUTE_MS,
        _ => HOUR_MS,
    }
}

/// Writes a file anew with one line for each period, where it has more.
fn shorten(files: &Logs, (group, day): (&str, &str), file: &Path, period: u64) -> io::Result<()> {
    let (mut lines, mut periods) = (0, BTreeMap::<u64, ByName>::new());
    files.each(group, day, |line| {
        lines += 1;
        if let Ok(minute) = serde_json::from_str::<Minute>(&line.text) {
            let at = minute.event_timestamp;
            let all = periods.entry(at - at % period).or_default();
            for (name, more) in &minute.metrics {
                add(all, name, *more);
            }
        }
        true
    })?;
    if periods.len() == lines {
        return Ok(());
    }
    let beside = file.with_extension("new");
    let mut out = BufWriter::new(File::create(&beside)?);
    for (event_timestamp, metrics) in periods {
        let minute = Minute {
            event_timestamp,
            metrics,
        };
        serde_json::to_writer(&mut out, &minute)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    fs::rename(beside, file)
}

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// 15 months, as CloudWatch counts them.
pub const KEPT_MS: u64 = 455 * DAY_MS;
/// Who read at once.
const READERS: usize = 2;
/// What a killed process loses, at most.
const WRITE_EVERY_MS: u64 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_348_800_000;

    fn all(figures: &Figures, range: (u64, u64)) -> BTreeMap<(u64, String), Figure> {
        let mut found: BTreeMap<(u64, String), Figure> = BTreeMap::new();
        let gather = |minute, name: &str, more: Figure| {
            let entry = found.entry((minute, name.to_owned()));
            entry
                .and_modify(|known| *known = known.and(more))
                .or_insert(more);
            true
        };
        figures.read("vc1", range, gather).unwrap();
        found
    }

    #[test]
    fn what_is_gathered_in_pieces_adds_up_and_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut gathered = Gathered::new(folder.path().to_owned(), "vc1");
        gathered.add("A", 3.0, NOON + 1);
        gathered.on_time(NOON + 1000).unwrap();
        gathered.add("A", 5.0, NOON + 1500);
        gathered.add("B", -1.0, NOON + 60_000);
        // Not yet time.
        gathered.on_time(NOON + 2000).unwrap();
        let figures = Figures::new(folder.path().to_owned());
        assert_eq!(all(&figures, (0, u64::MAX >> 8)).len(), 1);
        gathered.on_time(NOON + 6000).unwrap();
        drop(gathered);

        let found = all(&figures, (0, u64::MAX >> 8));
        let a = Figure {
            count: 2,
            sum: 8.0,
            min: 3.0,
            max: 5.0,
        };
        assert_eq!(found[&(NOON, "A".to_owned())], a);
        assert_eq!(found[&(NOON + 60_000, "B".to_owned())], Figure::of(-1.0));
        assert_eq!(found.len(), 2);
        assert_eq!(all(&figures, (NOON, NOON + 60_000)).len(), 1);
        assert_eq!(figures.connectors().unwrap(), ["vc1"]);
    }

    #[test]
    fn after_fifteen_months_a_day_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut gathered = Gathered::new(folder.path().to_owned(), "vc1");
        for days in [0, 400, 457] {
            gathered.add("A", 1.0, NOON - days * DAY_MS);
        }
        gathered.write(NOON).unwrap();
        let figures = Figures::new(folder.path().to_owned());
        assert_eq!(all(&figures, (0, u64::MAX >> 8)).len(), 3);
        tidy(folder.path(), NOON).unwrap();
        assert_eq!(all(&figures, (0, u64::MAX >> 8)).len(), 2);
    }

    #[test]
    fn days_that_are_over_are_kept_short_and_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut gathered = Gathered::new(folder.path().to_owned(), "vc1");
        let midnight = NOON - NOON % DAY_MS;
        let days = [0, 1, 16, 64].map(|ago| midnight - ago * DAY_MS);
        for begin in days {
            // Two hours, a value every five seconds, each written as a line of its own.
            for at in (0..2 * HOUR_MS).step_by(5000) {
                gathered.add("A", f64::from(u32::try_from(at).unwrap()), begin + at);
                gathered.write(NOON).unwrap();
            }
        }
        let figures = Figures::new(folder.path().to_owned());
        let everything = (0, u64::MAX >> 8);
        let whole = |begin: u64| {
            let range = (begin, begin + DAY_MS);
            let found = all(&figures, range).into_values();
            found.reduce(Figure::and).unwrap()
        };
        let before = days.map(whole);
        let of_last = all(&figures, (days[1], days[0]));
        let lines = |begin: u64| {
            let day = super::super::call_record::utc(begin);
            let file = format!("vc1/{}.jsonl", day.strftime("%Y-%m-%d"));
            fs::read_to_string(folder.path().join(file))
                .unwrap()
                .lines()
                .count()
        };
        assert_eq!(days.map(lines), [1440; 4]);
        for _ in 0..2 {
            tidy(folder.path(), NOON).unwrap();
            assert_eq!(days.map(lines), [1440, 120, 24, 2], "today's is left alone");
            assert_eq!(days.map(whole), before);
            assert_eq!(all(&figures, (days[1], days[0])), of_last);
        }
        assert_eq!(all(&figures, everything).len(), 120 + 120 + 24 + 2);
        assert_eq!(fs::read_dir(folder.path().join("vc1")).unwrap().count(), 4);
    }

    #[tokio::test]
    async fn only_some_read_at_once() {
        let figures = Figures::new(PathBuf::from("nowhere"));
        let other = figures.clone();
        let turns = (figures.turn().await.unwrap(), other.turn().await.unwrap());
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), figures.turn());
        assert!(waits.await.is_err());
        drop(turns);
        assert!(figures.turn().await.is_some());
    }
}
