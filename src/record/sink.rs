//! Where log lines go: one file per log group and day, one JSON object per line.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::call_record::utc;

/// The folder of logs, with the files of the current day held open.
#[derive(Debug)]
pub(super) struct LogFolder {
    folder: PathBuf,
    open: HashMap<String, (String, File)>,
}

impl LogFolder {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: HashMap::new(),
        }
    }

    /// Appends `line` to the file of `group` for the day of `at_ms`. The line is written at once and
    /// whole, so that it survives the process.
    pub(super) fn append(
        &mut self,
        group: &str,
        at_ms: u64,
        line: &impl Serialize,
    ) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let day = utc(at_ms).strftime("%Y-%m-%d").to_string();
        if self
            .open
            .get(group)
            .is_none_or(|(open_day, _)| *open_day != day)
        {
            let file = self.file(group, &day)?;
            self.open.insert(group.to_owned(), (day, file));
        }
        let Some((_, file)) = self.open.get_mut(group) else {
            return Err(io::Error::other("the log file was just opened"));
        };
        let written = file.write_all(&bytes);
        if written.is_err() {
            // Half of it may stand there: whoever opens the file next ends that line.
            self.open.remove(group);
        }
        written
    }

    fn file(&self, group: &str, day: &str) -> io::Result<File> {
        let folder = self.folder.join(group.trim_start_matches('/'));
        fs::create_dir_all(&folder)?;
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(folder.join(format!("{day}.jsonl")))?;
        // A process that was killed may have left half a line: the next one begins on its own.
        let end = file.seek(SeekFrom::End(0))?;
        if end > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(end - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_348_800_000;

    #[test]
    fn lines_go_to_the_file_of_their_group_and_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = LogFolder::new(folder.path().to_owned());
        logs.append("/aws/G/id", NOON, &1).unwrap();
        logs.append("/aws/G/id", NOON, &2).unwrap();
        logs.append("/aws/G/id", NOON + 86_400_000, &3).unwrap();
        let read = |day: &str| {
            fs::read_to_string(folder.path().join(format!("aws/G/id/{day}.jsonl"))).unwrap()
        };
        assert_eq!(read("2026-11-22"), "1\n2\n");
        assert_eq!(read("2026-11-23"), "3\n");
    }

    #[test]
    fn half_a_line_that_the_disk_had_room_for_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g/2026-11-22.jsonl");
        let mut logs = LogFolder::new(folder.path().to_owned());
        logs.append("g", NOON, &1).unwrap();
        // As a disk that was full in the middle of a line leaves it, and a file that can be written no more.
        fs::write(&path, "1\n{\"a").unwrap();
        let day = "2026-11-22".to_owned();
        logs.open
            .insert("g".to_owned(), (day, File::open(&path).unwrap()));
        assert!(logs.append("g", NOON, &2).is_err());
        logs.append("g", NOON, &3).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n{\"a\n3\n");
    }

    #[test]
    fn half_a_line_of_a_killed_process_does_not_spoil_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g/2026-11-22.jsonl");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{\"a\":1}\n{\"b\"").unwrap();
        LogFolder::new(folder.path().to_owned())
            .append("g", NOON, &2)
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\"\n2\n");
    }
}
