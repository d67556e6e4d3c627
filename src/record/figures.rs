//! The connectors' metrics by the minute, in a file per connector and day, for 15 months.
//!
//! ```text
//! metrics/<connector>/2026-01-31.jsonl   {"event_timestamp":<minute>,"metrics":{"<name>":[<count>,<sum>,<min>,<max>],…}}
//! ```
//!
//! What was gathered is written every few seconds, as a line that goes on where the minute's earlier lines stopped: what
//! `kill -9` takes is at most that. A reader adds the lines of a minute up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::logs::{Bounds, Logs};
use super::sink::LogFolder;

/// Values of one metric in some time.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
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

/// What was measured and is not written yet.
#[derive(Debug)]
pub(super) struct Gathered {
    folder: PathBuf,
    connector: String,
    files: LogFolder,
    minutes: BTreeMap<u64, ByName>,
    write_at_ms: u64,
    forget_at_ms: u64,
}

/// Count, sum, least and most of each metric.
type ByName = BTreeMap<String, (u64, f64, f64, f64)>;

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
            forget_at_ms: 0,
        }
    }

    /// One value of a metric.
    pub(super) fn add(&mut self, name: &str, value: f64, at_ms: u64) {
        let minute = self.minutes.entry(at_ms - at_ms % MINUTE_MS).or_default();
        let more = Figure::of(value);
        let known = minute
            .get(name)
            .map_or(more, |known| figure(*known).and(more));
        let entry = (known.count, known.sum, known.min, known.max);
        minute.insert(name.to_owned(), entry);
    }

    /// Writes what there is, if it is time for that.
    pub(super) fn on_time(&mut self, now_ms: u64) -> io::Result<()> {
        if now_ms >= self.forget_at_ms {
            self.forget_at_ms = now_ms + DAY_MS;
            forget(&self.folder, now_ms.saturating_sub(KEPT_MS))?;
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

/// Reading them back. Cloning shares the folder's name.
#[derive(Clone, Debug)]
pub struct Figures {
    files: Logs,
}

impl Figures {
    /// The folder of that name; it need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            files: Logs::new(folder),
        }
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
        let all = Bounds {
            lines: 1000,
            octets: usize::MAX,
            read: u64::MAX,
        };
        for day in days.iter().rev() {
            let mut place = 0;
            loop {
                let wanted = |line: &super::logs::Line| (from_ms..to_ms).contains(&line.time_ms);
                let found = self.files.forward(&group, day, place, all, wanted)?;
                place = found.place;
                for line in &found.lines {
                    // A reader of a file that somebody else wrote into goes on.
                    let Ok(minute) = serde_json::from_str::<Minute>(&line.text) else {
                        continue;
                    };
                    for (name, known) in &minute.metrics {
                        if !each(minute.event_timestamp, name, figure(*known)) {
                            return Ok(());
                        }
                    }
                }
                if found.end {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn figure((count, sum, min, max): (u64, f64, f64, f64)) -> Figure {
    Figure {
        count,
        sum,
        min,
        max,
    }
}

/// Removes the files of days that ended before then.
fn forget(folder: &Path, before_ms: u64) -> io::Result<()> {
    let files = Logs::new(folder.to_owned());
    for group in files.groups()? {
        for day in files.stream_names(&group)? {
            if day_ms(&day).is_some_and(|begin| begin + DAY_MS < before_ms) {
                let group = group.trim_start_matches('/');
                fs::remove_file(folder.join(group).join(format!("{day}.jsonl")))?;
            }
        }
    }
    Ok(())
}

fn day_ms(day: &str) -> Option<u64> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let begin = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(begin.timestamp().as_millisecond()).ok()
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;
/// 15 months, as CloudWatch counts them.
const KEPT_MS: u64 = 455 * DAY_MS;
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
        gathered.on_time(NOON).unwrap();
        assert_eq!(all(&figures, (0, u64::MAX >> 8)).len(), 2);
    }
}
