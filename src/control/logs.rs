//! Log groups as their readers see them: who may see which, and which lines are asked for.

use std::io;

use super::{Caller, Control, Refusal};
use crate::record::logs::pattern::Pattern;
use crate::record::logs::{Bounds, Found, Line, Logs, Stream};

/// Which lines are asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// ms since the epoch.
    pub from_ms: u64,
    /// ms since the epoch; this one is asked for too.
    pub to_ms: u64,
    /// What stands in them.
    pub pattern: Pattern,
}

impl Wanted {
    fn has(&self, line: &Line) -> bool {
        (self.from_ms..=self.to_ms).contains(&line.time_ms) && self.pattern.fits(&line.text)
    }

    /// Whether a day may have some.
    fn has_day(&self, day: &str) -> bool {
        let begin = day.parse::<jiff::civil::Date>().ok();
        let begin = begin.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
        let begin = begin.and_then(|day| u64::try_from(day.timestamp().as_millisecond()).ok());
        begin.is_some_and(|begin| begin <= self.to_ms && begin + DAY_MS > self.from_ms)
    }
}

/// A place in a group: a stream and an offset in it.
pub type Place = (String, u64);

/// Lines of some streams, and where the next look begins; nowhere where all was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filtered {
    /// With the streams they are in.
    pub lines: Vec<(String, Line)>,
    /// For the next page.
    pub next: Option<Place>,
}

impl Control {
    /// The names of the groups that the caller's account has, in order.
    ///
    /// # Errors
    /// The folder or the store.
    pub async fn log_groups(&self, caller: &Caller) -> Result<Vec<String>, Refusal> {
        let groups = blocking(&self.logs, Logs::groups).await?;
        let mut seen = Vec::new();
        for group in groups {
            if self.has_group(caller, &group).await? {
                seen.push(group);
            }
        }
        Ok(seen)
    }

    /// Whether the caller's account has that group.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the store.
    pub async fn log_group(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        if self.logs.has(name) && self.has_group(caller, name).await? {
            return Ok(());
        }
        Err(Refusal::NotFound("The specified log group"))
    }

    /// A group belongs to the account of the voice connector that it is named after.
    async fn has_group(&self, caller: &Caller, name: &str) -> Result<bool, Refusal> {
        let connector = name.rsplit('/').next().unwrap_or_default();
        let owner = self.store.connector_owner(connector).await?;
        let owner = owner.as_ref().unwrap_or(&self.deployment.account_id);
        Ok(*owner == caller.account_id)
    }

    /// A group's streams with these names, oldest first.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the files.
    pub async fn log_streams(
        &self,
        caller: &Caller,
        group: &str,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<Stream>, Refusal> {
        self.log_group(caller, group).await?;
        let group = group.to_owned();
        blocking(&self.logs, move |logs| {
            let names = logs.stream_names(&group)?;
            let names = names.iter().filter(|name| wanted(name));
            names.map(|name| logs.stream(&group, name)).collect()
        })
        .await
    }

    /// Lines of a group's streams with these names from a place on.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the files.
    pub async fn filter_logs(
        &self,
        caller: &Caller,
        group: &str,
        streams: impl Fn(&str) -> bool + Send + 'static,
        wanted: Wanted,
        (from, most): (Option<Place>, usize),
    ) -> Result<Filtered, Refusal> {
        self.log_group(caller, group).await?;
        let group = group.to_owned();
        blocking(&self.logs, move |logs| {
            let mut lines = Vec::new();
            let mut left = bounds(most);
            for stream in logs.stream_names(&group)? {
                let begin = match &from {
                    Some((named, _)) if stream < *named => continue,
                    Some((named, offset)) if stream == *named => *offset,
                    _ => 0,
                };
                if !streams(&stream) || !wanted.has_day(&stream) {
                    continue;
                }
                if left.lines == 0 || left.octets == 0 || left.read == 0 {
                    let next = Some((stream, begin));
                    return Ok(Filtered { lines, next });
                }
                let found = logs.forward(&group, &stream, begin, left, |line| wanted.has(line))?;
                let octets: usize = found.lines.iter().map(|line| line.text.len()).sum();
                left.lines -= found.lines.len();
                left.octets = left.octets.saturating_sub(octets);
                left.read = left.read.saturating_sub(found.place - begin);
                let named = stream.clone();
                lines.extend(found.lines.into_iter().map(|line| (named.clone(), line)));
                if !found.end {
                    let next = Some((stream, found.place));
                    return Ok(Filtered { lines, next });
                }
            }
            Ok(Filtered { lines, next: None })
        })
        .await
    }

    /// Lines of one stream, from a place on or before it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the file.
    pub async fn log_lines(
        &self,
        caller: &Caller,
        (group, stream): (&str, &str),
        (forward, from): (bool, u64),
        wanted: Wanted,
        most: usize,
    ) -> Result<Found, Refusal> {
        self.log_group(caller, group).await?;
        let (group, stream) = (group.to_owned(), stream.to_owned());
        let read = move |logs: &Logs| {
            let wanted = |line: &Line| wanted.has(line);
            match forward {
                true => logs.forward(&group, &stream, from, bounds(most), wanted),
                false => logs.backward(&group, &stream, from, bounds(most), wanted),
            }
        };
        let logs = self.logs.clone();
        match tokio::task::spawn_blocking(move || read(&logs)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(Refusal::NotFound("The specified log stream"))
            }
            Ok(found) => found.map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Files are read where they hold up nobody else.
async fn blocking<T: Send + 'static>(
    logs: &Logs,
    read: impl FnOnce(&Logs) -> io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    let logs = logs.clone();
    match tokio::task::spawn_blocking(move || read(&logs)).await {
        Ok(done) => done.map_err(|error| failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "the logs cannot be read");
    Refusal::Failed("the logs cannot be read".to_owned())
}

fn bounds(lines: usize) -> Bounds {
    Bounds {
        lines,
        octets: MOST_OCTETS,
        read: MOST_READ,
    }
}

const DAY_MS: u64 = 86_400_000;
/// Of an answer's lines, as CloudWatch Logs bounds them.
const MOST_OCTETS: usize = 1024 * 1024;
/// That are looked at for one answer; the next page goes on from there.
const MOST_READ: u64 = 16 * 1024 * 1024;
