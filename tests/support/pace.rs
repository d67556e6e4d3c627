//! How steadily the machine runs while a test listens. A machine that stands still chops sound and delays packets, and
//! that is not the server's doing: who listens waits for as much undisturbed time as it needs, and who counts allows for
//! what was on its way meanwhile.

use std::fs;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the watch looks.
const TICK: Duration = Duration::from_millis(10);

/// A tick that is later than this has been kept waiting.
const NOTICED: Duration = Duration::from_millis(20);

/// However badly it runs: no longer than this times what is wanted.
const PATIENCE: u32 = 5;

/// What has been seen since the test's first peer started.
static WATCH: LazyLock<Watch> = LazyLock::new(|| {
    thread::spawn(|| {
        loop {
            let before = Instant::now();
            thread::sleep(TICK);
            let late = before.elapsed().saturating_sub(TICK);
            if late > NOTICED {
                stalls().push(late);
            }
        }
    });
    let said = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        said(panic);
        eprintln!("{}", report());
    }));
    Watch {
        begun: Instant::now(),
        stolen: stolen(),
        stalls: Mutex::default(),
    }
});

struct Watch {
    begun: Instant,
    /// At the beginning, of all processors together.
    stolen: Option<Duration>,
    stalls: Mutex<Vec<Duration>>,
}

fn stalls() -> std::sync::MutexGuard<'static, Vec<Duration>> {
    WATCH.stalls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to watch; a test that fails from now on says how its machine ran.
pub(crate) fn watch() {
    LazyLock::force(&WATCH);
}

/// For how long the machine stood still at most.
pub(crate) fn longest_stall() -> Duration {
    stalls().iter().max().copied().unwrap_or_default()
}

/// Lets the others talk: returns when the machine has run as it should for `wanted` in all.
pub(crate) fn run_for(wanted: Duration) {
    let most = Instant::now() + wanted * PATIENCE;
    let mut ran = Duration::ZERO;
    while ran < wanted && Instant::now() < most {
        let before = Instant::now();
        thread::sleep(TICK);
        let took = before.elapsed();
        if took < TICK + NOTICED {
            ran += took;
        }
    }
}

fn report() -> String {
    let stalls = stalls().clone();
    let all = WATCH.begun.elapsed();
    let stolen = WATCH.stolen.zip(stolen()).map_or_else(
        || "?".to_owned(),
        |(before, now)| format!("{:.1?}", now.saturating_sub(before)),
    );
    format!(
        "in the {all:.1?} of this test the machine stood still {} times, for {:.1?} in all and {:.0?} at most; \
         its host took {stolen} of its processors' time",
        stalls.len(),
        stalls.iter().sum::<Duration>(),
        stalls.iter().max().copied().unwrap_or_default(),
    )
}

/// What a hypervisor took from all processors together since the start of the machine (`steal` of proc(5)).
fn stolen() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: u64 = stat
        .lines()
        .next()?
        .split_whitespace()
        .nth(8)?
        .parse()
        .ok()?;
    // USER_HZ is 100 on every Linux.
    Some(Duration::from_millis(ticks * 10))
}
