//! What a server holds for calls, seen from outside: sockets and threads from `/proc`, the rest from its figures.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::server::Server;
use super::wait_for;

/// How old the server's figures may be, and a little more.
pub(crate) const FRESH: Duration = Duration::from_secs(3);

/// Descriptors and threads that come and go by themselves: the scrape that counts them, the runtime's pool of
/// blocking threads. A step that leaves something behind leaves it ten times at least.
const SLACK: usize = 4;

/// What the process holds, seen from outside and from its own figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    descriptors: usize,
    threads: usize,
    sip: Option<u64>,
    records: Option<u64>,
    calls: Option<u64>,
}

impl Held {
    pub(crate) fn by(server: &Server) -> Self {
        let metrics = server.metrics();
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|l| l.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        let process = PathBuf::from(format!("/proc/{}", server.ready().pid));
        let entries = |folder: &str| {
            let listed = fs::read_dir(process.join(folder)).unwrap();
            listed.map(|entry| entry.unwrap().path())
        };
        // The database's pool has descriptors and threads of its own, grows by its own rules, and has its limit.
        let descriptors = entries("fd").filter(|entry| {
            let target = fs::read_link(entry).unwrap_or_default();
            !target.to_string_lossy().contains("campanile.db")
        });
        let threads = entries("task").filter(|entry| {
            let name = fs::read_to_string(entry.join("comm")).unwrap_or_default();
            !name.starts_with("sqlx")
        });
        Self {
            sip: gauge("campanile_sip_held "),
            records: gauge("campanile_record_waiting "),
            calls: gauge("campanile_phones "),
            descriptors: descriptors.count(),
            threads: threads.count(),
        }
    }

    /// No call, no transaction, and all written down.
    pub(crate) fn is_idle(&self) -> bool {
        (self.sip, self.calls) == (Some(0), Some(0)) && self.records.unwrap_or_default() == 0
    }

    /// Waits until nothing is held for calls any more, and all is as it was. Unanswered requests of ours are
    /// repeated for 32 seconds (RFC 3261 timer F), after a missing ACK was waited for as long (timer H).
    pub(crate) fn quiet(&self, server: &Server) -> Self {
        std::thread::sleep(FRESH);
        let mut last = None;
        wait_for("quiet", Duration::from_secs(150), || {
            std::thread::sleep(Duration::from_millis(500));
            let held = Self::by(server);
            if last.as_ref() != Some(&held) {
                eprintln!("{held:?}");
                last = Some(held.clone());
            }
            let no_more = held.descriptors <= self.descriptors + SLACK
                && held.threads <= self.threads + SLACK;
            (held.is_idle() && no_more).then_some(held)
        })
    }
}
