//! The trail's local spool: files of lines, appended by one thread that gathers what waits for the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::control::now_ms;

/// The way to the thread, and which file it writes. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    folder: Arc<Path>,
    writer: Sender<ToWriter>,
    /// Held for as long as a name takes to be set or read.
    current: Arc<Mutex<Option<PathBuf>>>,
}

/// A file of the spool.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Whether lines may still come.
    pub(super) open: bool,
}

enum ToWriter {
    Line(Vec<u8>, bool, oneshot::Sender<io::Result<()>>),
    /// There must be a file with room for a line.
    Reserve(oneshot::Sender<io::Result<()>>),
    /// The current file gets no further line.
    Close(oneshot::Sender<()>),
}

impl Spool {
    /// Opens the folder, made where it is missing, and starts its thread, which ends with the last of these.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (writer, inbox) = channel();
        let current = Arc::new(Mutex::new(None));
        let mut thread = Writer {
            folder: folder.to_owned(),
            file: None,
            octets: 0,
            reserved: 0,
            current: Arc::clone(&current),
        };
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || thread.run(&inbox))?;
        Ok(Self {
            folder: folder.into(),
            writer,
            current,
        })
    }

    /// Appends a line; on return it has been written, and synced where `lasting`.
    pub(super) async fn append(&self, line: Vec<u8>, lasting: bool) -> io::Result<()> {
        let gone = || io::Error::other("the audit trail's thread is gone");
        let (done, written) = oneshot::channel();
        self.writer
            .send(ToWriter::Line(line, lasting, done))
            .map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }

    /// Makes sure that there is a file, and room on the disk for a line that comes soon.
    pub(super) async fn reserve(&self) -> io::Result<()> {
        let gone = || io::Error::other("the audit trail's thread is gone");
        let (done, reserved) = oneshot::channel();
        self.writer
            .send(ToWriter::Reserve(done))
            .map_err(|_| gone())?;
        reserved.await.map_err(|_| gone())?
    }

    /// Writes a file that is no segment into the folder and takes it away again.
    pub(super) async fn try_write(&self) -> io::Result<()> {
        let folder = Arc::clone(&self.folder);
        let tried = tokio::task::spawn_blocking(move || {
            let path = folder.join("tried");
            let written = fs::write(&path, [0; LARGE]);
            // Half of it may be there where the disk is full.
            let removed = fs::remove_file(&path);
            match removed {
                // Somebody else tried at the same time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => written,
                removed => written.and(removed),
            }
        });
        tried.await.map_err(io::Error::other)?
    }

    /// Ends the current file; the next line begins another.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.writer.send(ToWriter::Close(done)).is_ok() {
            // Without the thread there is nothing to close.
            let _ = closed.await;
        }
    }

    /// The files, oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "jsonl") {
                segments.push(path);
            }
        }
        segments.sort();
        // Asked after the folder was read: what was closed meanwhile is closed, and what was begun is not listed.
        let current = lock(&self.current).clone();
        Ok(segments
            .into_iter()
            .map(|path| Segment {
                open: current.as_ref() == Some(&path),
                path,
            })
            .collect())
    }
}

/// The thread.
struct Writer {
    folder: PathBuf,
    file: Option<File>,
    octets: usize,
    /// Octets of the file that the disk has kept room for, those that are written included.
    reserved: usize,
    current: Arc<Mutex<Option<PathBuf>>>,
}

impl Writer {
    fn run(&mut self, inbox: &Receiver<ToWriter>) {
        while let Ok(first) = inbox.recv() {
            let mut lines = Vec::new();
            let mut waiting = Vec::new();
            let mut closing = Vec::new();
            for message in std::iter::once(first).chain(inbox.try_iter().take(GATHERED)) {
                match message {
                    ToWriter::Line(line, lasting, done) => {
                        lines.extend_from_slice(&line);
                        waiting.push((lasting, done));
                    }
                    ToWriter::Reserve(done) => {
                        let reserved = self.reserve();
                        if reserved.is_err() {
                            self.close();
                        }
                        answer(vec![(true, done)], &reserved);
                    }
                    ToWriter::Close(done) => closing.push(done),
                }
            }
            self.write(&lines, waiting);
            if !closing.is_empty() || self.octets >= MOST {
                self.close();
            }
            for done in closing {
                // Whoever asked may have given up.
                let _ = done.send(());
            }
        }
    }

    /// Writes what came together at once, and syncs once for all who need it.
    fn write(&mut self, lines: &[u8], waiting: Vec<(bool, oneshot::Sender<io::Result<()>>)>) {
        if lines.is_empty() {
            return;
        }
        let (lasting, passing): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(lasting, _)| *lasting);
        let written = self.append(lines);
        answer(passing, &written);
        let synced = match (&written, &self.file) {
            (Ok(()), Some(file)) if !lasting.is_empty() => file.sync_data(),
            _ => Ok(()),
        };
        let failed = written.is_err() || synced.is_err();
        answer(lasting, &written.and(synced));
        if failed {
            // Half a line may stand at its end.
            self.close();
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file()?.write_all(lines)?;
        self.octets += lines.len();
        Ok(())
    }

    fn reserve(&mut self) -> io::Result<()> {
        let (from, wanted) = (self.octets, self.octets + ROOM);
        let enough = self.reserved >= wanted;
        let file = self.file()?;
        if enough {
            return Ok(());
        }
        match fallocate(
            &*file,
            FallocateFlags::KEEP_SIZE,
            from as u64,
            2 * ROOM as u64,
        ) {
            // A file system that cannot promise it.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        self.reserved = from + 2 * ROOM;
        Ok(())
    }

    fn file(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let name = format!("{:013}-{}.jsonl", now_ms(), Uuid::new_v4().simple());
            let path = self.folder.join(name);
            // Named before it is there, so that nobody takes it for a closed one.
            *lock(&self.current) = Some(path.clone());
            let file = OpenOptions::new()
                .create_new(true)
                .append(true)
                .mode(0o600)
                .open(&path)?;
            File::open(&self.folder)?.sync_all()?;
            self.file = Some(file);
        }
        self.file
            .as_mut()
            .ok_or_else(|| io::Error::other("the file was just opened"))
    }

    fn close(&mut self) {
        self.file = None;
        (self.octets, self.reserved) = (0, 0);
        *lock(&self.current) = None;
    }
}

fn answer(waiting: Vec<(bool, oneshot::Sender<io::Result<()>>)>, done: &io::Result<()>) {
    for (_, sender) in waiting {
        let done = match done {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Whoever asked may have given up.
        let _ = sender.send(done);
    }
}

fn lock(current: &Mutex<Option<PathBuf>>) -> std::sync::MutexGuard<'_, Option<PathBuf>> {
    // Its state is whole even if a thread died holding it.
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Messages taken together, at most.
const GATHERED: usize = 1000;

/// Octets of a large entry.
const LARGE: usize = 16 * 1024;

/// Octets that the disk keeps room for before a change is begun: more than the largest entry, for some at once.
const ROOM: usize = 1024 * 1024;

/// Octets of a file after which another begins: an object's size.
const MOST: usize = 4 * 1024 * 1024;
