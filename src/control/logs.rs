//! Log groups as their readers see them: who may see which, and which lines are asked for.

use std::io;

use super::kept::read;
use super::{Caller, Control, Refusal};
use crate::record::logs::pattern::Pattern;
use crate::record::logs::{Bounds, DAY_MS, Found, Held, Line, Logs, Stream, day_ms};

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
        day_ms(day).is_some_and(|begin| begin <= self.to_ms && begin + DAY_MS > self.from_ms)
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
        let mut groups = read(&self.logs, Logs::groups).await?;
        let own = self.connectors_of(caller).await?;
        groups.retain(|group| own.contains(connector_of(group)));
        Ok(groups)
    }

    /// Whether the caller's account has that group.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the store.
    pub async fn log_group(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        let group = name.to_owned();
        let is_there = read(&self.logs, move |logs| Ok(logs.has(&group))).await?;
        match is_there && self.has_connector(caller, connector_of(name)).await? {
            true => Ok(()),
            false => Err(Refusal::NotFound("The specified log group")),
        }
    }

    /// What there is to say of a group as a whole.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the files.
    pub async fn log_group_held(&self, caller: &Caller, group: &str) -> Result<Held, Refusal> {
        self.log_group(caller, group).await?;
        let group = group.to_owned();
        read(&self.logs, move |logs| logs.held(&group)).await
    }

    /// The names of a group's streams, oldest first.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the folder.
    pub async fn log_stream_names(
        &self,
        caller: &Caller,
        group: &str,
    ) -> Result<Vec<String>, Refusal> {
        self.log_group(caller, group).await?;
        let group = group.to_owned();
        read(&self.logs, move |logs| logs.stream_names(&group)).await
    }

    /// A group's streams of these names.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; the files.
    pub async fn log_streams(
        &self,
        caller: &Caller,
        group: &str,
        names: Vec<String>,
    ) -> Result<Vec<Stream>, Refusal> {
        self.log_group(caller, group).await?;
        let group = group.to_owned();
        read(&self.logs, move |logs| {
            let names = names.iter();
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
        read(&self.logs, move |logs| {
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
        let found = read(&self.logs, move |logs| {
            let wanted = |line: &Line| wanted.has(line);
            let found = match forward {
                true => logs.forward(&group, &stream, from, bounds(most), wanted),
                false => logs.backward(&group, &stream, from, bounds(most), wanted),
            };
            match found {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                found => found.map(Some),
            }
        });
        let found = found.await?;
        found.ok_or(Refusal::NotFound("The specified log stream"))
    }
}

/// The voice connector that a group is named after: it is its account's.
fn connector_of(group: &str) -> &str {
    group.rsplit('/').next().unwrap_or_default()
}

fn bounds(lines: usize) -> Bounds {
    Bounds {
        lines,
        octets: MOST_OCTETS,
        read: MOST_READ,
    }
}

/// Of an answer's lines, as CloudWatch Logs bounds them.
const MOST_OCTETS: usize = 1024 * 1024;
/// That are looked at for one answer; the next page goes on from there.
const MOST_READ: u64 = 16 * 1024 * 1024;
