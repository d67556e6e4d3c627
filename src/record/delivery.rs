//! Finished records on their way into their buckets: in order for each bucket, and as often as it takes.
//!
//! A thread of its own, so that an object store that is slow or away holds up nothing but itself. What waits here
//! lies in the spool as well, and leaves it when the store has said that it has it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::RecordError;
use super::spool::{Spool, Waiting};
use crate::objects::{ObjectError, Objects};

/// Says which bucket records go to now; `None`: they are not wanted. An error is tried again.
pub type Destination = Arc<dyn Fn() -> Chosen + Send + Sync>;

/// What [`Destination`] says.
pub type Chosen = Pin<Box<dyn Future<Output = Result<Option<String>, String>> + Send>>;

/// The way to the thread.
pub(super) struct Delivery {
    inbox: UnboundedSender<ToDelivery>,
    thread: std::thread::JoinHandle<()>,
}

enum ToDelivery {
    Ready(Box<Waiting>),
    Flush(oneshot::Sender<()>),
}

impl Delivery {
    pub(super) fn start(
        runtime: &Handle,
        objects: Objects,
        destination: Destination,
        spool: Spool,
    ) -> Result<Self, RecordError> {
        let (inbox, told) = unbounded_channel();
        let runtime = runtime.clone();
        let thread = std::thread::Builder::new()
            .name("delivery".into())
            .spawn(move || {
                let work = Work {
                    objects,
                    destination,
                    spool,
                    undecided: Queue::default(),
                    queues: BTreeMap::new(),
                };
                runtime.block_on(work.run(told));
            })
            .map_err(RecordError::Thread)?;
        Ok(Self { inbox, thread })
    }

    /// A record that lies in the spool by now.
    pub(super) fn deliver(&self, ready: Waiting) {
        self.send(ToDelivery::Ready(Box::new(ready)));
    }

    /// Says when all so far was tried, or after a few seconds, if it is not behind a delivery that takes longer.
    pub(super) fn flush(&self, done: oneshot::Sender<()>) {
        self.send(ToDelivery::Flush(done));
    }

    /// Tries once more what is left, and ends.
    pub(super) fn end(self) {
        drop(self.inbox);
        if self.thread.join().is_err() {
            tracing::error!("the delivery of records did not end in good order");
        }
    }

    fn send(&self, message: ToDelivery) {
        if self.inbox.send(message).is_err() {
            // What is in the spool is taken up by the next process.
            tracing::error!("the delivery of records is gone; they stay in the spool");
        }
    }
}

/// Everything that the thread owns.
struct Work {
    objects: Objects,
    destination: Destination,
    spool: Spool,
    /// Records of which nobody could say yet where they go.
    undecided: Queue,
    queues: BTreeMap<String, Queue>,
}

/// What waits for one bucket.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    hold: Hold,
}

/// When to try again after a failure.
#[derive(Default)]
struct Hold {
    until: Option<Instant>,
    failures: u32,
    said: Option<Instant>,
}

impl Work {
    async fn run(mut self, mut told: UnboundedReceiver<ToDelivery>) {
        loop {
            let next = self.next();
            let message = tokio::select! {
                message = told.recv() => message,
                () = at(next) => {
                    self.deliver().await;
                    continue;
                }
            };
            match message {
                Some(ToDelivery::Ready(ready)) => self.take(*ready),
                Some(ToDelivery::Flush(done)) => {
                    self.last_try().await;
                    // Whoever asked may have given up.
                    let _ = done.send(());
                }
                None => {
                    self.last_try().await;
                    return;
                }
            }
            // All that has come is one attempt.
            if told.is_empty() {
                self.deliver().await;
            }
        }
    }

    fn take(&mut self, ready: Waiting) {
        match &ready.bucket {
            Some(bucket) => {
                let queue = self.queues.entry(bucket.clone()).or_default();
                queue.waiting.push_back(ready);
            }
            None => self.undecided.waiting.push_back(ready),
        }
    }

    fn next(&self) -> Option<Instant> {
        let queues = self.queues.values().chain([&self.undecided]);
        queues.filter_map(|queue| queue.hold.until).min()
    }

    /// Before the end nothing is held back, but nobody waits for a dead server either.
    async fn last_try(&mut self) {
        for queue in self.queues.values_mut().chain([&mut self.undecided]) {
            queue.hold.until = None;
        }
        let _ = timeout(LAST, self.deliver()).await;
    }

    async fn deliver(&mut self) {
        self.decide().await;
        let mut none = Vec::new();
        for (bucket, queue) in &mut self.queues {
            if queue.hold.holds() {
                continue;
            }
            while let Some(ready) = queue.waiting.front() {
                let body = match body(&self.spool, ready) {
                    Ok(body) => body,
                    Err(error) if is_of_the_file(&error) => {
                        // It stays where it is, for a person to look at.
                        let id = &ready.transaction_id;
                        tracing::error!(id, %error, "a call record in the spool cannot be read");
                        queue.waiting.pop_front();
                        continue;
                    }
                    Err(error) => {
                        if queue.hold.fail() {
                            tracing::error!(bucket, %error, "the spool cannot be read; it is tried again");
                        }
                        break;
                    }
                };
                let put = self
                    .objects
                    .put(bucket, &ready.key, body.into_bytes().into());
                let failure = match timeout(PUT, put).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error),
                    Err(_) => Some(ObjectError::Away("it does not answer".to_owned())),
                };
                if let Some(error) = failure {
                    if let ObjectError::UnknownBucket(_) = error {
                        none.push(bucket.clone());
                    }
                    let waiting = queue.waiting.len();
                    metrics::counter!("campanile_record_deliveries_failed_total", "bucket" => bucket.clone()).increment(1);
                    if queue.hold.fail() {
                        tracing::error!(bucket, %error, waiting, "a bucket does not take call records; they are kept and tried again");
                    }
                    break;
                }
                if queue.hold.success() {
                    tracing::info!(bucket, "the bucket takes call records again");
                }
                if let Err(error) = self.spool.delivered(&ready.transaction_id) {
                    tracing::error!(%error, "cannot write the spool");
                }
                queue.waiting.pop_front();
            }
        }
        for bucket in none {
            self.undecide(&bucket);
        }
        self.queues.retain(|_, queue| !queue.waiting.is_empty());
        let waiting = self.queues.values().chain([&self.undecided]);
        let waiting: usize = waiting.map(|queue| queue.waiting.len()).sum();
        metrics::gauge!("campanile_records_undelivered").set(waiting as f64);
    }

    /// What was for a bucket that is none goes where the setting says, and waits as long as that is not known.
    fn undecide(&mut self, bucket: &str) {
        let Some(queue) = self.queues.remove(bucket) else {
            return;
        };
        for mut ready in queue.waiting.into_iter().rev() {
            ready.bucket = None;
            // They are older than what waits there.
            self.undecided.waiting.push_front(ready);
        }
        if self.undecided.hold.until.is_none() {
            self.undecided.hold.until = Some(Instant::now() + MOST_WAIT);
        }
    }

    /// Finds out where records go that were not told by their writer.
    async fn decide(&mut self) {
        if self.undecided.waiting.is_empty() || self.undecided.hold.holds() {
            return;
        }
        match timeout(PUT, (self.destination)()).await {
            Ok(Ok(bucket)) => {
                self.undecided.hold.success();
                for mut ready in std::mem::take(&mut self.undecided.waiting) {
                    if bucket.is_some() {
                        ready.bucket.clone_from(&bucket);
                        self.take(ready);
                    } else if let Err(error) = self.spool.delivered(&ready.transaction_id) {
                        tracing::error!(%error, "cannot write the spool");
                    }
                }
            }
            other => {
                let error = match other {
                    Ok(Err(error)) => error,
                    _ => "it takes too long".to_owned(),
                };
                if self.undecided.hold.fail() {
                    tracing::error!(%error, "cannot tell where call records go; they are kept and tried again");
                }
            }
        }
    }
}

/// What a record says.
fn body(spool: &Spool, ready: &Waiting) -> io::Result<String> {
    match &ready.body {
        Some(body) => Ok(body.clone()),
        None => Ok(spool.ready(&ready.transaction_id)?.body),
    }
}

/// Whether a file is gone or is none of ours; another try finds the same.
fn is_of_the_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    matches!(
        error.kind(),
        NotFound | InvalidData | InvalidInput | UnexpectedEof
    )
}

impl Hold {
    fn holds(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }

    /// Waits twice as long as last time. Whether to say so: at first, and then once a minute.
    fn fail(&mut self) -> bool {
        let now = Instant::now();
        let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        self.until = Some(now + wait.min(MOST_WAIT));
        let say = self.said.is_none_or(|said| now >= said + SAY_EVERY);
        if say {
            self.said = Some(now);
        }
        say
    }

    /// Whether there were failures before.
    fn success(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// How long a store may take over one record.
const PUT: Duration = Duration::from_secs(5);
/// After a first failure, doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait: so soon after a store is back everything goes out.
const MOST_WAIT: Duration = Duration::from_secs(4);
/// How long the end of the process waits for what is left.
const LAST: Duration = Duration::from_secs(4);
const SAY_EVERY: Duration = Duration::from_secs(60);
