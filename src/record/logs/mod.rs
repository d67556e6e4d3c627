//! Reading the log files back: groups, streams (a stream is a day of a group) and the lines within them.
//!
//! A place in a stream is an offset in octets. Reading begins there, never at the start, so that a page costs the same at
//! the end of a long day as at its beginning. A line that is being written has no end yet and is not there yet.

pub mod pattern;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The folder of logs. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Logs {
    folder: PathBuf,
}

/// A day of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// The day, such as `2026-01-31`.
    pub name: String,
    /// Octets.
    pub size: u64,
    /// Of its first line, ms since the epoch; `None` where it has none.
    pub first_ms: Option<u64>,
    /// Of its last.
    pub last_ms: Option<u64>,
}

/// A group as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// Octets of all its streams.
    pub size: u64,
    /// Of its first line, ms since the epoch; `None` where it has none.
    pub first_ms: Option<u64>,
}

/// A line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Where it begins.
    pub at: u64,
    /// Where the next one does.
    pub next: u64,
    /// ms since the epoch.
    pub time_ms: u64,
    /// As it stands in the file.
    pub text: String,
}

/// Lines, and how far was looked for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// In the order of the file.
    pub lines: Vec<Line>,
    /// The next place to look at: after the last line that was, or before the first when looking backward.
    pub place: u64,
    /// Whether there is nothing beyond it.
    pub end: bool,
}

/// How much one look may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Lines.
    pub lines: usize,
    /// Octets of the lines that are found.
    pub octets: usize,
    /// Octets that are read, found or not.
    pub read: u64,
}

impl Logs {
    /// The folder of that name; it need not be there yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The names of all groups, in order; each begins with a `/`.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn groups(&self) -> io::Result<Vec<String>> {
        let mut groups = Vec::new();
        gather(&self.folder, "", DEEPEST, &mut groups)?;
        groups.sort();
        Ok(groups)
    }

    /// Whether there is such a group.
    #[must_use]
    pub fn has(&self, group: &str) -> bool {
        self.path(group)
            .is_some_and(|folder| days(&folder).is_ok_and(|days| !days.is_empty()))
    }

    /// The names of a group's streams, oldest first; none where there is no such group.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn stream_names(&self, group: &str) -> io::Result<Vec<String>> {
        match self.path(group) {
            Some(folder) => days(&folder),
            None => Ok(Vec::new()),
        }
    }

    /// What there is to say of a group: of all but its first days no more than their sizes is read.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn held(&self, group: &str) -> io::Result<Held> {
        let mut held = Held {
            size: 0,
            first_ms: None,
        };
        for name in self.stream_names(group)? {
            held.size += self.open(group, &name)?.metadata()?.len();
            if held.first_ms.is_none() {
                held.first_ms = self.stream(group, &name)?.first_ms;
            }
        }
        Ok(held)
    }

    /// Hands out the lines of a stream, in their order, until it is answered `false`. It goes on in the file that it
    /// began in, if another is put in its place meanwhile.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn each(
        &self,
        group: &str,
        stream: &str,
        mut each: impl FnMut(&Line) -> bool,
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(CHUNK, self.open(group, stream)?);
        let (mut at, mut raw) = (0, Vec::new());
        loop {
            raw.clear();
            (&mut reader).take(LONGEST).read_until(b'\n', &mut raw)?;
            if raw.last() != Some(&b'\n') {
                return Ok(());
            }
            if line(&raw, at).is_some_and(|line| !each(&line)) {
                return Ok(());
            }
            at += raw.len() as u64;
        }
    }

    /// What there is to say of a stream.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn stream(&self, group: &str, name: &str) -> io::Result<Stream> {
        let file = self.open(group, name)?;
        let size = file.metadata()?.len();
        let one = Bounds {
            lines: 1,
            octets: usize::MAX,
            read: ENDS,
        };
        let all = |_: &Line| true;
        let first = self.forward(group, name, 0, one, all)?.lines;
        let last = self.backward(group, name, size, one, all)?.lines;
        let time = |lines: &[Line]| lines.first().map(|line| line.time_ms);
        Ok(Stream {
            name: name.to_owned(),
            size,
            first_ms: time(&first),
            last_ms: time(&last),
        })
    }

    /// Lines from a place on that are wanted.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn forward(
        &self,
        group: &str,
        stream: &str,
        from: u64,
        bounds: Bounds,
        mut wanted: impl FnMut(&Line) -> bool,
    ) -> io::Result<Found> {
        let mut file = self.open(group, stream)?;
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(CHUNK, file);
        let mut found = Found {
            lines: Vec::new(),
            place: from,
            end: false,
        };
        let (mut octets, mut raw) = (0, Vec::new());
        while found.lines.len() < bounds.lines && found.place - from < bounds.read {
            raw.clear();
            let mut limited = (&mut reader).take(LONGEST);
            limited.read_until(b'\n', &mut raw)?;
            if raw.last() != Some(&b'\n') {
                // Not written to its end, or nothing.
                found.end = true;
                break;
            }
            let at = found.place;
            let next = at + raw.len() as u64;
            if let Some(line) = line(&raw, at).filter(|line| wanted(line)) {
                // One always fits.
                if octets + line.text.len() > bounds.octets && !found.lines.is_empty() {
                    break;
                }
                octets += line.text.len();
                found.lines.push(line);
            }
            found.place = next;
        }
        Ok(found)
    }

    /// Lines before a place that are wanted, the nearest of them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn backward(
        &self,
        group: &str,
        stream: &str,
        before: u64,
        bounds: Bounds,
        mut wanted: impl FnMut(&Line) -> bool,
    ) -> io::Result<Found> {
        let mut file = self.open(group, stream)?;
        let mut place = before.min(file.metadata()?.len());
        let begun = place;
        let (mut lines, mut octets) = (Vec::new(), 0);
        // What was read and not yet used: whole lines and the end of one, up to `place`.
        let mut held: Vec<u8> = Vec::new();
        'reading: loop {
            let start = place - held.len() as u64;
            // A line without an end can only be the file's last, and is not there yet.
            if let Some(end) = held.iter().rposition(|octet| *octet == b'\n') {
                let begin = held[..end].iter().rposition(|octet| *octet == b'\n');
                let begin = match begin {
                    Some(begin) => Some(begin + 1),
                    None if start == 0 => Some(0),
                    None => None,
                };
                if let Some(begin) = begin {
                    let at = start + begin as u64;
                    let line = line(&held[begin..=end], at).filter(|line| wanted(line));
                    if let Some(line) = line {
                        if octets + line.text.len() > bounds.octets && !lines.is_empty() {
                            break 'reading;
                        }
                        octets += line.text.len();
                        lines.push(line);
                    }
                    held.truncate(begin);
                    place = at;
                    if lines.len() >= bounds.lines || begun - place >= bounds.read {
                        break 'reading;
                    }
                    continue;
                }
            } else if start == 0 {
                place = 0;
                break;
            }
            if start == 0 {
                break;
            }
            let more = (CHUNK as u64).min(start);
            let mut chunk = vec![0; usize::try_from(more).unwrap_or_default()];
            file.seek(SeekFrom::Start(start - more))?;
            file.read_exact(&mut chunk)?;
            chunk.append(&mut held);
            held = chunk;
        }
        lines.reverse();
        Ok(Found {
            lines,
            place,
            end: place == 0,
        })
    }

    fn open(&self, group: &str, stream: &str) -> io::Result<File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let folder = self.path(group).ok_or_else(missing)?;
        if !is_day(stream) {
            return Err(missing());
        }
        File::open(folder.join(format!("{stream}.jsonl")))
    }

    /// A group's folder; `None` for names that no group has.
    fn path(&self, group: &str) -> Option<PathBuf> {
        let named = group.strip_prefix('/')?;
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().any(|octet| octet != b'.')
                && part
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b"-_.#".contains(&octet))
        };
        named.split('/').all(plain).then(|| self.folder.join(named))
    }
}

fn gather(folder: &Path, name: &str, depth: usize, groups: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut has_days = false;
    for entry in entries {
        let entry = entry?;
        let part = entry.file_name();
        let Some(part) = part.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                gather(&entry.path(), &format!("{name}/{part}"), depth - 1, groups)?;
            }
        } else {
            has_days |= part.strip_suffix(".jsonl").is_some_and(is_day);
        }
    }
    if has_days {
        groups.push(name.to_owned());
    }
    Ok(())
}

fn days(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut days = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let day = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        days.extend(day.filter(|day| is_day(day)).map(str::to_owned));
    }
    days.sort();
    Ok(days)
}

/// When a day begins, ms since the epoch.
#[must_use]
pub fn day_ms(day: &str) -> Option<u64> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let begin = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(begin.timestamp().as_millisecond()).ok()
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// A line with its time; `None` for what a killed process left half written.
fn line(raw: &[u8], at: u64) -> Option<Line> {
    #[derive(Deserialize)]
    struct Timed {
        event_timestamp: u64,
    }
    let text = std::str::from_utf8(raw).ok()?.trim_end_matches('\n');
    let timed: Timed = serde_json::from_str(text).ok()?;
    Some(Line {
        at,
        next: at + raw.len() as u64,
        time_ms: timed.event_timestamp,
        text: text.to_owned(),
    })
}

/// A day.
pub const DAY_MS: u64 = 86_400_000;
/// Folders within folders.
const DEEPEST: usize = 8;
/// Octets that are read at once.
const CHUNK: usize = 64 * 1024;
/// Octets of a line, far more than any has.
const LONGEST: u64 = 16 * 1024 * 1024;
/// Octets that are looked at for the first and the last line of a stream.
const ENDS: u64 = 4 * 1024 * 1024;
