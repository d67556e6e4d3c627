//! `campanile call`: a scripted phone made of the same parts as the server.
//!
//! One SIP connection, one media shard with one leg, and [`call::phone::Caller`] between them.

mod options;
mod prepare;
mod report;
mod target;

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use call::ending::{Cause, Ending};
use call::exchange::FlowId;
use call::phone::{Caller, CallerInput, CallerOutput};
use media::engine::Event;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use wire::plan::{LegId, LegPlan, MediaCommand, MediaEvent, Prompt, Protection};

use super::desk::{self, ToDesk};
use super::door::Door;
use super::listen::Listeners;
use super::names::Names;
use super::reach::{Reach, Route};
use super::seed;
use super::shard::{Shard, ShardCommand};
use super::sound;

pub use options::{CallError, Options, Trust};
use prepare::{connect, dial, parse, start_shard};
pub use report::{Direction, Report};
pub(crate) use target::client_config;

/// Calls, talks, hangs up, and tells how it went. Interrupted by Ctrl-C it hangs up at once.
///
/// # Errors
/// [`CallError`] when the call could not be tried; a call that was refused is a [`Report`].
pub async fn run(options: Options) -> Result<Report, CallError> {
    let uri = parse(&options.uri)?;
    if let Some(key) = options
        .dtmf
        .iter()
        .flat_map(|k| k.chars())
        .find(|k| !KEYS.contains(*k))
    {
        return Err(CallError::BadKey(key));
    }
    let speech = match &options.play {
        Some(path) => sound::read(path)?,
        None => tone(),
    };
    let (to_us, mut inbox) = desk::channel();
    let stop = CancellationToken::new();
    let listeners = Listeners::new(to_us.clone(), stop.clone(), Door::new(1, 1));
    let names = options.name_server.map_or_else(Names::system, Names::of);
    // Who is not called over TLS need not be believed.
    let (believed, unbelieved) = match client_config(&options.trust) {
        Ok(config) => (Some(config), None),
        Err(error) => (None, Some(error)),
    };
    let reach = Reach::new(listeners, names, believed);
    let mut route = reach
        .route(&uri, options.transport)
        .map_err(|why| CallError::BadUri {
            uri: options.uri.clone(),
            why: why.to_string(),
        })?;
    let flow = connect(&options, &reach, &mut route, unbelieved).await?;
    let (events, media) = desk::media_channel();
    let shard = start_shard(flow.local.ip(), events)?;
    shard.command(ShardCommand::Clip(Prompt::File, speech));
    let now = Instant::now();
    let call = Call {
        caller: Caller::new(now, dial(uri, &options, flow), seed()?),
        options: &options,
        shard,
        ways: HashMap::new(),
        opened: false,
        way: flow.id,
        route: Arc::new(Mutex::new(route)),
        reach,
        to_us,
        started: now,
        answered: None,
        hang_up_at: None,
        keys_at: None,
        plan: None,
        ending: None,
        closed: false,
        heard: Vec::new(),
        power: (0.0, 0),
        tally: report::Tally::default(),
    };
    let report = call.run(&mut inbox, media).await?;
    stop.cancel();
    // The last word, such as the ACK of a refusal, may not be written yet: connections end once it is.
    let ended = async { while inbox.recv().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, ended).await;
    Ok(report)
}

/// A call in progress.
struct Call<'a> {
    caller: Caller,
    options: &'a Options,
    shard: Shard,
    ways: HashMap<FlowId, Outgoing>,
    /// Whether any has been there.
    opened: bool,
    /// The one that the call was dialled on.
    way: FlowId,
    /// Where else the target may be reached.
    route: Arc<Mutex<Route>>,
    reach: Reach,
    to_us: mpsc::Sender<ToDesk>,
    started: Instant,
    answered: Option<Instant>,
    hang_up_at: Option<Instant>,
    keys_at: Option<Instant>,
    plan: Option<Box<LegPlan>>,
    ending: Option<Ending>,
    closed: bool,
    heard: Vec<i16>,
    /// Sum of squares and count of what was heard.
    power: (f64, u64),
    tally: report::Tally,
}

enum Outgoing {
    Connection(mpsc::Sender<Vec<u8>>, watch::Sender<Option<Duration>>),
    Datagrams(Arc<UdpSocket>),
}

impl Call<'_> {
    async fn run(
        mut self,
        inbox: &mut mpsc::Receiver<ToDesk>,
        mut media: UnboundedReceiver<Event>,
    ) -> Result<Report, CallError> {
        let mut early: VecDeque<CallerOutput> = VecDeque::new();
        loop {
            self.put_out(&mut early);
            if self.is_over() {
                break;
            }
            let alarm = [self.caller.next_timeout(), self.hang_up_at, self.keys_at]
                .into_iter()
                .flatten()
                .min();
            let alarm = alarm.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
            tokio::select! {
                Some(message) = inbox.recv() => self.message(message),
                Some(event) = media.recv() => self.media(event),
                () = tokio::time::sleep_until(alarm.into()) => self.alarm(Instant::now()),
                _ = tokio::signal::ctrl_c() => self.hang_up("interrupted"),
            }
        }
        self.shard.stop();
        while let Ok(event) = media.try_recv() {
            self.media(event);
        }
        if let Some(path) = &self.options.record {
            sound::write(path, &self.heard)?;
        }
        Ok(self.report())
    }

    fn message(&mut self, message: ToDesk) {
        let now = Instant::now();
        match message {
            ToDesk::FlowOpened {
                flow,
                outgoing,
                keep_alive,
                ..
            } => {
                let way = Outgoing::Connection(outgoing, keep_alive);
                self.ways.insert(flow.id, way);
                self.opened = true;
            }
            ToDesk::DatagramsOpened { flow, socket } => {
                self.ways.insert(flow, Outgoing::Datagrams(socket));
                self.opened = true;
            }
            ToDesk::Connected { id, flow } => {
                self.caller.handle(now, CallerInput::Connected { id, flow });
            }
            ToDesk::Way(flow) => {
                if let Some(flow) = flow {
                    self.tell(&format!("trying {}", flow.peer));
                    self.way = flow.id;
                }
                self.caller.handle(now, CallerInput::Way(flow));
            }
            ToDesk::Sip {
                flow,
                message,
                bytes,
            } => self.caller.handle(
                now,
                CallerInput::Sip {
                    flow,
                    message,
                    bytes,
                },
            ),
            ToDesk::FlowClosed { flow } => {
                self.ways.remove(&flow);
                self.caller.handle(now, CallerInput::FlowClosed { flow });
                if flow != self.way || self.answered.is_none() {
                    return;
                }
                // The way to the other side is gone, and with it the call.
                let ending = Ending::new(Cause::TransportLost);
                self.caller.handle(
                    now,
                    CallerInput::HangUp {
                        ending: ending.clone(),
                    },
                );
                self.ending.get_or_insert(ending);
            }
            _ => {}
        }
    }

    fn media(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Media(event) => {
                if let MediaEvent::PromptEnded { .. } = event {
                    self.shard.command(ShardCommand::Media(MediaCommand::Play {
                        leg: LEG,
                        prompt: Prompt::File,
                    }));
                }
                if let MediaEvent::Closed { .. } = event {
                    self.closed = true;
                }
                self.caller.handle(now, CallerInput::Media(event));
            }
            Event::Sample(sample) => self.tally.add(&sample),
            Event::Heard { samples_48k, .. } => {
                self.power.0 += samples_48k
                    .iter()
                    .map(|s| f64::from(*s).powi(2))
                    .sum::<f64>();
                self.power.1 += samples_48k.len() as u64;
                if self.options.record.is_some() {
                    self.heard.extend_from_slice(&samples_48k);
                }
            }
            Event::SocketsFree { .. } => {}
        }
    }

    fn alarm(&mut self, now: Instant) {
        if self.keys_at.is_some_and(|at| now >= at) {
            self.keys_at = None;
            let digits = self.options.dtmf.clone().unwrap_or_default();
            self.tell(&format!("pressing {} keys", digits.len()));
            self.shard
                .command(ShardCommand::Media(MediaCommand::SendDigits {
                    leg: LEG,
                    digits,
                }));
        }
        if self.hang_up_at.is_some_and(|at| now >= at) {
            self.hang_up_at = None;
            self.hang_up("done");
        }
        self.caller.timeout(now);
    }

    fn hang_up(&mut self, why: &str) {
        let ending = Ending::with_text(Cause::WeHungUp, why);
        self.caller
            .handle(Instant::now(), CallerInput::HangUp { ending });
    }

    fn put_out(&mut self, early: &mut VecDeque<CallerOutput>) {
        while let Some(output) = self.caller.poll() {
            early.push_back(output);
        }
        // What is said before the connection has reported itself waits for it.
        while self.opened || matches!(early.front(), Some(CallerOutput::Media(_))) {
            let Some(output) = early.pop_front() else {
                return;
            };
            self.one_out(output);
        }
    }

    fn one_out(&mut self, output: CallerOutput) {
        match output {
            CallerOutput::Sip { flow, to, message } => match self.ways.get(&flow) {
                Some(Outgoing::Connection(queue, _)) => {
                    // A server that reads nothing for so long ends the call by its own time-outs.
                    let _ = queue.try_send(message);
                }
                Some(Outgoing::Datagrams(socket)) => {
                    let _ = socket.try_send_to(&message, to);
                }
                None => {}
            },
            CallerOutput::Connect { id, to } => {
                let (reach, to_us) = (self.reach.clone(), self.to_us.clone());
                tokio::spawn(async move {
                    let flow = reach.open(&to).await;
                    // A call that is over waits for nothing.
                    let _ = to_us.send(ToDesk::Connected { id, flow }).await;
                });
            }
            CallerOutput::KeepAlive { flow, every } => {
                if let Some(Outgoing::Connection(_, keep_alive)) = self.ways.get(&flow) {
                    keep_alive.send_replace(Some(every));
                }
            }
            CallerOutput::NextWay => {
                self.tell("not taken here");
                let (reach, route) = (self.reach.clone(), self.route.clone());
                let to_us = self.to_us.clone();
                tokio::spawn(async move {
                    let flow = reach.first(&mut *route.lock().await).await;
                    let _ = to_us.send(ToDesk::Way(flow)).await;
                });
            }
            CallerOutput::Media(command) => self.shard.command(ShardCommand::Media(command)),
            CallerOutput::Progress { status, reason } => self.tell(&format!("{status} {reason}")),
            CallerOutput::EarlyMedia { .. } => self.early_media(),
            CallerOutput::Digit(digit) => self.tell(&format!("they pressed {digit}")),
            CallerOutput::Answered { plan } => self.answered(plan),
            CallerOutput::Ended(ending) => {
                self.tell(&format!("ended: {}", ending.text));
                self.ending = Some(ending);
            }
            CallerOutput::Note(_) => {}
        }
    }

    /// What is heard before the answer is kept like what is heard after it.
    fn early_media(&mut self) {
        self.tell("early media");
        self.shard.command(ShardCommand::Tap(LEG, true));
    }

    fn answered(&mut self, plan: Box<LegPlan>) {
        let now = Instant::now();
        self.answered = Some(now);
        self.hang_up_at = Some(now + self.options.duration);
        self.keys_at = self.options.dtmf.is_some().then_some(now + KEYS_AFTER);
        let codec = plan
            .audio
            .as_ref()
            .map_or("no audio", |a| a.send.codec.encoding_name());
        self.tell(&format!(
            "answered: {codec}, {}",
            protection(&plan).unwrap_or("no SRTP")
        ));
        self.plan = Some(plan);
        self.shard.command(ShardCommand::Tap(LEG, true));
        self.shard.command(ShardCommand::Media(MediaCommand::Play {
            leg: LEG,
            prompt: Prompt::File,
        }));
    }

    /// The ending was told, the leg has given its last sample, and nothing is left to be said.
    fn is_over(&self) -> bool {
        self.ending.is_some() && (self.closed || self.plan.is_none()) && self.caller.is_done()
    }

    fn report(&self) -> Report {
        let millis = |d: Duration| d.as_millis() as u64;
        let ending = self
            .ending
            .clone()
            .unwrap_or_else(|| Ending::new(Cause::Internal));
        let talked = self
            .answered
            .map(|at| millis(at.elapsed()).min(millis(self.options.duration) + 1000));
        let mut report = Report {
            answered: self.answered.is_some(),
            setup_ms: self.answered.map(|at| millis(at - self.started)),
            duration_ms: talked,
            codec: None,
            srtp: self.plan.as_deref().and_then(protection),
            received: Direction::default(),
            sent: Direction::default(),
            rtt_ms: None,
            mos: None,
            heard_dbfs: self.loudness(),
            ending: ending.text,
            sip_status: ending.sip_status,
        };
        self.tally.fill(&mut report);
        report
    }

    fn loudness(&self) -> Option<f64> {
        let (sum, count) = self.power;
        let rms = (sum / count as f64).sqrt() / 32768.0;
        (count > 0 && rms > 0.0).then(|| 20.0 * rms.log10())
    }

    fn tell(&self, what: &str) {
        if self.options.progress {
            let at = self.started.elapsed().as_secs_f64();
            // Nobody may be reading; the call goes on.
            let _ = writeln!(io::stderr(), "{at:7.3} {what}");
        }
    }
}

fn protection(plan: &LegPlan) -> Option<&'static str> {
    match &plan.protection {
        Protection::Plain => None,
        Protection::Sdes { local, .. } => Some(local.profile.suite_name()),
        Protection::Dtls { .. } => Some("DTLS-SRTP"),
    }
}

/// One second of 440 Hz at −20 dBFS; a whole number of periods, so that it may be repeated.
fn tone() -> Arc<[i16]> {
    let step = 2.0 * std::f64::consts::PI * 440.0 / 48_000.0;
    (0..48_000)
        .map(|n| ((f64::from(n) * step).sin() * 3277.0) as i16)
        .collect()
}

const LEG: LegId = LegId(1);
const KEYS: &str = "0123456789*#ABCDabcd";
/// A listener needs a moment before it takes keys.
const KEYS_AFTER: Duration = Duration::from_secs(1);
/// Time for connections to end.
const LAST_WORDS: Duration = Duration::from_secs(3);
