//! The only place with sockets, threads and clocks.
//!
//! [`run`] takes a configuration to a running node and back: bind everything, open the store, start the
//! media thread, the record and the desk, serve, say so in `ready.json`, and drain when told to stop.

mod addresses;
mod bind;
mod blame;
pub mod caller;
mod certificate;
pub mod desk;
mod door;
mod identity;
mod listen;
mod log;
pub(crate) mod names;
mod reach;
pub mod ready;
mod shard;
pub mod sound;
mod wiring;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use call::exchange::Exchange;
use media::guard::dtls::Identity;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, ConfigError};
use crate::control::access::Pace;
use crate::control::audit::Trail;
use crate::control::domains::DomainChecks;
use crate::control::{Control, Inventory, now_ms};
use crate::http;
use crate::record::figures::Figures;
use crate::record::logs::Logs;
use crate::record::{RecordError, Recorder};
use crate::store::{Store, StoreError};

use addresses::local_addresses;
pub use blame::blame;
use certificate::{CertificateError, Certificates};
use desk::{Desk, Handle, Shards};
use door::Door;
use listen::Listeners;
pub use log::start as start_log;
use names::Names;
use reach::Reach;
use ready::{Credentials, Ready, RunFolder};
use shard::{ShardCommand, ShardError};
use sound::SoundError;

/// Why a node could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration asks for something that this machine does not give.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The media thread.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A built-in prompt.
    #[error(transparent)]
    Sound(#[from] SoundError),
    /// The operating system.
    #[error(transparent)]
    System(#[from] SystemFault),
}

/// Something that the operating system did not give.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct SystemFault {
    /// What was tried.
    pub what: &'static str,
    /// What came of it.
    pub why: String,
}

fn fault(what: &'static str, why: &impl ToString) -> SystemFault {
    SystemFault {
        what,
        why: why.to_string(),
    }
}

/// Runs a node until it is told to stop and has drained.
///
/// # Errors
/// [`NodeError`] when it cannot start; nothing stays bound then.
pub async fn run(config: Config) -> Result<(), NodeError> {
    config.check_files()?;
    let mut terminate = Terminate::new()?;
    let run_folder = take_run_folder(&config)?;
    let bound = Bound::all(&config)?;
    let node = Node::start(&config, bound, &run_folder).await?;
    tracing::info!(
        https = ?node.ready.https,
        sip_tls = ?node.ready.sip_tls,
        media = ?node.ready.media,
        meet_domain = %node.ready.meet_domain,
        "ready"
    );

    tokio::select! {
        () = terminate.wait() => {}
        () = node.desk.gone() => {
            // Better no node than one that looks alive: whoever supervises it starts another.
            node.accepting.store(false, Ordering::Relaxed);
            node.stop().await;
            return Err(fault("cannot go on", &"the media thread or the desk has ended").into());
        }
    }
    tracing::info!(deadline = ?config.drain.deadline, "draining; a second signal ends at once");
    node.accepting.store(false, Ordering::Relaxed);
    tokio::select! {
        drained = node.desk.drain(config.drain.deadline) => {
            if drained.is_err() {
                tracing::error!("the desk ended before the drain did");
            }
        }
        () = terminate.wait() => tracing::warn!("ending at once"),
    }
    node.stop().await;
    Ok(())
}

/// Every TCP listener and SIP socket, bound and not yet served. Media sockets are the shard's.
struct Bound {
    https: Option<TcpListener>,
    sip_tls: Option<TcpListener>,
    sip_tcp: Option<TcpListener>,
    sip_udp: Option<UdpSocket>,
    metrics: Option<TcpListener>,
}

impl Bound {
    fn all(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            https: bind::tcp(config, "http.listen", config.http.listen)?,
            sip_tls: bind::tcp(config, "sip.tls.listen", config.sip.tls.listen)?,
            sip_tcp: bind::tcp(config, "sip.tcp.listen", config.sip.tcp.listen)?,
            sip_udp: bind::udp(config, "sip.udp.listen", config.sip.udp.listen)?,
            metrics: bind::tcp(config, "metrics.listen", config.metrics.listen)?,
        })
    }

    fn ready(&self, media: Option<SocketAddr>, meet_domain: String) -> Ready {
        let tcp = |listener: &Option<TcpListener>| {
            listener
                .as_ref()
                .and_then(|l| l.local_addr().ok())
                .map(bind::reachable)
        };
        Ready {
            https: tcp(&self.https),
            sip_tls: tcp(&self.sip_tls),
            sip_tcp: tcp(&self.sip_tcp),
            sip_udp: self
                .sip_udp
                .as_ref()
                .and_then(|s| s.local_addr().ok())
                .map(bind::reachable),
            media,
            metrics: tcp(&self.metrics),
            meet_domain,
            pid: std::process::id(),
        }
    }
}

/// A running node.
struct Node {
    desk: Handle,
    recorder: Recorder,
    record_thread: std::thread::JoinHandle<()>,
    trail: Trail,
    trail_task: tokio::task::JoinHandle<()>,
    store: Store,
    ready: Ready,
    /// Whether `/ready` says yes.
    accepting: Arc<AtomicBool>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Node {
    async fn start(
        config: &Config,
        bound: Bound,
        run_folder: &RunFolder,
    ) -> Result<Self, NodeError> {
        let local =
            local_addresses().map_err(|e| fault("cannot list this machine's addresses", &e))?;
        let (events, media_events) = desk::media_channel();
        let shards = wiring::start_shards(config, &local, &events)?;
        drop(events);
        for (prompt, samples) in sound::prompts()? {
            for shard in &shards {
                shard.command(ShardCommand::Clip(prompt, samples.clone()));
            }
        }
        let media = shards
            .first()
            .and_then(|shard| shard.shared().first().copied());

        let store = Store::open_with(
            &config.node.data,
            &config.store.database,
            &config.secrets.key,
        )
        .await?;
        let deployment = store
            .deployment(config.node.account_id.as_deref(), now_ms())
            .await?;
        let place = wiring::place(config, &bound, media);
        let ready = bound.ready(media, place.dial.clone());
        let key = store
            .first_administrator(&deployment.account_id, now_ms())
            .await?;
        if key.is_none() {
            tracing::info!("the administrator's keys are out of use: there is no credentials.json");
        }
        let credentials = key.map(|key| Credentials {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key.expose().to_owned(),
            region: config.node.region.clone(),
            account_id: deployment.account_id.clone(),
        });
        run_folder
            .credentials(credentials.as_ref())
            .map_err(|e| fault("cannot write credentials.json", &e))?;
        let objects = wiring::objects(config, &deployment, &store)?;
        let (recorder, record_thread) = Recorder::start(
            wiring::record_settings(config, &deployment, &local),
            objects.clone(),
            wiring::destination(config, &deployment, &store, &objects),
        )?;

        let (trail, trail_task) = wiring::trail(config, &store, &objects)?;

        let (to_desk, inbox) = desk::channel();
        let desk = Handle::new(to_desk.clone());
        let control = Control {
            store: store.clone(),
            objects,
            desk: desk.clone(),
            deployment,
            place,
            max_attendees: config.limits.attendees,
            names: config
                .domains
                .name_server
                .map_or_else(Names::system, Names::of),
            domain_checks: DomainChecks::new(config.domains.first_check),
            inventory: Arc::new(Inventory::new(config.numbers.inventory.clone())),
            page_key: store.page_key().await?.into(),
            pace: Arc::new(Pace::new(config.limits.api_requests_per_second)),
            noting: Arc::default(),
            logs: Logs::new(config.logs()),
            figures: Figures::new(config.node.data.join("metrics")),
            trail: trail.clone(),
        };
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let server = identity::of(&config.node.data)
            .map_err(|e| fault("cannot name this server in its data folder", &e))?;
        let held = store.held_meetings(&server).await?;
        let library = wiring::library(control.directory(), server);
        let exchange = Exchange::new(
            wiring::exchange_config(config, &local)?,
            (Instant::now(), SystemTime::now()),
        );
        let door = Door::new(
            config.limits.sip_connections,
            config.limits.sip_connections_per_source,
        );
        let listeners = Listeners::new(to_desk.clone(), stop.clone(), door);
        let names = config.sip.name_server.map_or_else(Names::system, Names::of);
        let believed = wiring::believed_servers(config)?;
        let reach = Reach::new(listeners.clone(), names, believed);
        let task = Desk::new(
            exchange,
            inbox,
            to_desk.downgrade(),
            media_events,
            Shards::new(shards),
            recorder.clone(),
            library,
            reach,
        );
        tasks.spawn(task.run());
        // The queue to the desk is empty as yet: this does not wait.
        let _ = desk.resume(held).await;

        let names = certificate::own_names(config.node.meet_domain().as_deref(), &local);
        let certificates = Certificates::load(config, names)?;
        let accepting = Arc::new(AtomicBool::new(true));
        let admin = http::admin::bind(run_folder.folder()).map_err(|error| {
            let socket = run_folder.folder().join(http::admin::SOCKET);
            let problem = format!("{}: {error}", socket.display());
            let remedy = "remove what is there, or name another folder with --data";
            config.refuse("node.data", problem, remedy)
        })?;
        tasks.spawn(control.clone().watch_domains(stop.clone()));
        wiring::Servers {
            config,
            control,
            certificates,
            listeners,
            accepting: accepting.clone(),
            stop: stop.clone(),
        }
        .spawn(bound, admin, &tasks)?;
        run_folder
            .ready(&ready)
            .map_err(|e| fault("cannot write ready.json", &e))?;
        Ok(Self {
            desk,
            recorder,
            record_thread,
            trail,
            trail_task,
            store,
            ready,
            accepting,
            stop,
            tasks,
        })
    }

    /// Closes everything, in the order in which nothing is lost.
    async fn stop(self) {
        self.stop.cancel();
        // Connections that hold a way to the desk are told that it has left, and end.
        let _ = tokio::time::timeout(LAST_TASKS, self.desk.leave()).await;
        drop(self.desk);
        self.tasks.close();
        if tokio::time::timeout(LAST_TASKS, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some connections did not close in time");
        }
        // What does not go out in this time is in the spool.
        if tokio::time::timeout(LAST_RECORDS, self.recorder.finish())
            .await
            .is_err()
        {
            tracing::warn!("some records were not delivered in time; the next start does it");
        }
        drop(self.recorder);
        let thread = self.record_thread;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        if !matches!(
            tokio::time::timeout(LAST_TASKS, joined).await,
            Ok(Ok(Ok(())))
        ) {
            tracing::error!("the record's thread did not end in good order");
        }
        // What is not delivered now waits in the spool for the next start.
        match tokio::time::timeout(LAST_TASKS, self.trail.delivered()).await {
            Ok(Ok(())) => {}
            _ => tracing::warn!("the audit trail is not delivered yet"),
        }
        drop(self.trail);
        self.trail_task.abort();
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// SIGTERM and SIGINT.
struct Terminate(Signal, Signal);

impl Terminate {
    fn new() -> Result<Self, SystemFault> {
        let listen = |kind| signal(kind).map_err(|e| fault("cannot listen for signals", &e));
        Ok(Self(
            listen(SignalKind::terminate())?,
            listen(SignalKind::interrupt())?,
        ))
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}

fn take_run_folder(config: &Config) -> Result<RunFolder, NodeError> {
    let data = &config.node.data;
    RunFolder::take(data).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            let problem = format!("another campanile runs on {}", data.display());
            config
                .refuse(
                    "node.data",
                    problem,
                    "stop it, or name another folder with --data",
                )
                .into()
        } else {
            fault("cannot make the run folder", &error).into()
        }
    })
}

/// Thirty-two unpredictable octets.
fn seed() -> Result<[u8; 32], SystemFault> {
    use rand::TryRng;
    let mut seed = [0; 32];
    rand::rngs::SysRng
        .try_fill_bytes(&mut seed)
        .map_err(|e| fault("no random bytes", &e))?;
    Ok(seed)
}

/// A new certificate for DTLS; it lives as long as the process.
fn dtls_identity() -> Result<Identity, SystemFault> {
    Identity::generate().map_err(|e| fault("cannot make a DTLS certificate", &e))
}

/// Time for the last records to reach their buckets.
const LAST_RECORDS: Duration = Duration::from_secs(10);

/// Time for connections to close once told to.
const LAST_TASKS: Duration = Duration::from_secs(5);
