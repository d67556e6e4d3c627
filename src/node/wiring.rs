//! From configuration to parts: what each part of a node is told when it is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use call::exchange::{self, Transport};
use call::negotiate::phone::SrtpPolicy as CallSrtp;
use call::phone::SrtpPolicies;
use media::engine;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rustls::ClientConfig;
use tokio::net::UnixListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::sip::Host;

use super::addresses::advertised;
use super::certificate::Certificates;
use super::desk::Library;
use super::listen::Listeners;
use super::shard::{PhonePlace, Places, Shard, ShardError};
use super::{Bound, NodeError, bind, caller, dtls_identity, fault, seed};
use crate::config::{Config, Listen, PortRange, SrtpPolicy};
use crate::control::audit::{self, Trail};
use crate::control::{Control, Directory, Place, settings};
use crate::http::health::Readiness;
use crate::http::{self, Patience, Shared};
use crate::objects::envelope::ObjectKey;
use crate::objects::{self, ObjectError, Objects};
use crate::record::{Destination, Settings};
use crate::store::{Deployment, Store};

/// Starts the media threads on the configured addresses.
pub(super) fn start_shards(
    config: &Config,
    local: &[IpAddr],
    events: &UnboundedSender<engine::Event>,
) -> Result<Vec<Shard>, NodeError> {
    let bound = config
        .media
        .listen
        .address()
        .map_or(Ipv4Addr::LOCALHOST.into(), |a| a.ip());
    // Legs move between shards: all of them tell the same time, and show the same certificate.
    let (epoch, identity) = ((Instant::now(), SystemTime::now()), dtls_identity()?);
    (0..config.media.shards)
        .map(|number| {
            let places = Places {
                shared: shared_places(config.media.listen, number, local),
                advertised: config.media.advertise.clone(),
                phones: phone_places(&config.media.advertise, bound, local),
                ports: ports_of(config.media.ports, number, config.media.shards),
                port_rest: config.media.port_rest,
            };
            let engine = engine::Config {
                epoch,
                seed: seed()?,
                media_timeout: config.media.timeout,
                held_timeout: config.media.held_timeout,
                loudest: config.media.loudest,
                outbox_datagrams: OUTBOX,
                identity: identity.clone(),
            };
            let name = format!("media-{number}");
            Shard::start(&name, places, engine, events.clone()).map_err(|error| match error {
                ShardError::Bind { address, source } => {
                    bind::refuse(config, "media.listen", address, &source).into()
                }
                other => other.into(),
            })
        })
        .collect()
}

/// The addresses of a shard's port for browsers: the configured port for the first shard, the next one for
/// the next. One socket per address: answers leave from the address that was asked.
fn shared_places(listen: Listen, number: u16, local: &[IpAddr]) -> Vec<SocketAddr> {
    // Port 0 is the kernel's choice for every shard.
    let of_shard = |port: u16| if port == 0 { 0 } else { port + number };
    match listen {
        Listen::Off => Vec::new(),
        Listen::At(address) => vec![SocketAddr::new(address.ip(), of_shard(address.port()))],
        Listen::All(port) => local
            .iter()
            .map(|ip| SocketAddr::new(*ip, of_shard(port)))
            .collect(),
    }
}

/// A shard's part of the ports for phones.
fn ports_of(all: PortRange, number: u16, shards: u16) -> (u16, u16) {
    let pairs = (all.last - all.first).div_ceil(2) / shards;
    let first = all.first + 2 * pairs * number;
    let last = if number + 1 == shards {
        all.last
    } else {
        first + 2 * pairs - 1
    };
    (first, last)
}

/// Where phones' media is bound and what phones are told, one place per address family.
fn phone_places(configured: &[IpAddr], bound: IpAddr, local: &[IpAddr]) -> Vec<PhonePlace> {
    let told = advertised(configured, bound, local);
    let place = |any: IpAddr| {
        let advertise = *told.iter().find(|ip| ip.is_ipv4() == any.is_ipv4())?;
        let bind = if bound.is_unspecified() || bound.is_ipv4() != any.is_ipv4() {
            any
        } else {
            bound
        };
        Some(PhonePlace { bind, advertise })
    };
    [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ]
    .into_iter()
    .filter_map(place)
    .collect()
}

/// Where links and dial strings point.
pub(super) fn place(config: &Config, bound: &Bound, media: Option<SocketAddr>) -> Place {
    let told = bound.ready(media, String::new());
    let text = |address: Option<SocketAddr>| address.map(|a| a.to_string());
    let sip = told.sip_tls.or(told.sip_tcp).or(told.sip_udp);
    let default_port = match (told.sip_tls, sip) {
        (Some(_), _) => 5061,
        _ => 5060,
    };
    let dial = config.node.meet_domain().or_else(|| {
        sip.map(|a| {
            if a.port() == default_port {
                a.ip().to_string()
            } else {
                a.to_string()
            }
        })
    });
    Place {
        region: config.node.region.clone(),
        public: config.http.public.clone(),
        https: text(told.https).unwrap_or_default(),
        dial: dial.unwrap_or_else(|| "127.0.0.1".to_owned()),
        audio: text(media).unwrap_or_else(|| "off".to_owned()),
    }
}

/// What the record is told.
pub(super) fn record_settings(
    config: &Config,
    deployment: &Deployment,
    local: &[IpAddr],
) -> Settings {
    let mut meet_hosts: Vec<String> = local
        .iter()
        .chain(&config.media.advertise)
        .map(ToString::to_string)
        .collect();
    meet_hosts.extend(config.node.meet_domain());
    meet_hosts.push("localhost".to_owned());
    Settings {
        data: config.node.data.clone(),
        region: config.node.region.clone(),
        account_id: deployment.account_id.clone(),
        connector_id: deployment.voice_connector_id.clone(),
        media_metrics: config.record.media_metrics,
        sip_messages: config.record.sip_messages,
        call_records: config.record.call_records,
        meet_hosts,
    }
}

/// The buckets.
pub(super) fn objects(
    config: &Config,
    deployment: &Deployment,
    store: &Store,
) -> Result<Objects, NodeError> {
    let key = ObjectKey::new(store.seal().derive(objects::KEY_PURPOSE)?);
    let key = key.map_err(|e| fault("cannot make the key of objects", &e))?;
    let default = &config.record.bucket;
    let folder = config.objects();
    let own = &deployment.account_id;
    Objects::open(&config.buckets, default, &folder, own, key).map_err(|error| {
        let key = match &error {
            ObjectError::Unusable(bucket, _) if bucket == default => "record.bucket",
            _ => "objects.buckets",
        };
        let remedy = "name a folder that this user may write, or an S3 server";
        config.refuse(key, error.to_string(), remedy).into()
    })
}

/// How the record learns where call records go: the setting may change while it runs.
pub(super) fn destination(
    config: &Config,
    deployment: &Deployment,
    store: &Store,
    objects: &Objects,
) -> Destination {
    let (store, objects) = (store.clone(), objects.clone());
    let (account, default) = (deployment.account_id.clone(), config.record.bucket.clone());
    Arc::new(move || {
        let (store, objects) = (store.clone(), objects.clone());
        let (account, default) = (account.clone(), default.clone());
        Box::pin(async move {
            let bucket = settings::record_bucket(&store, &objects, &account, &default).await;
            bucket.map_err(|error| error.to_string())
        })
    })
}

/// The audit trail and its task.
pub(super) fn trail(
    config: &Config,
    store: &Store,
    objects: &Objects,
) -> Result<(Trail, tokio::task::JoinHandle<()>), NodeError> {
    let settings = audit::Settings {
        region: config.node.region.clone(),
        bucket: config.record.bucket.clone(),
        batch: config.record.audit_batch,
    };
    let data = &config.node.data;
    Trail::start(data, settings, store.clone(), objects.clone())
        .map_err(|e| fault("cannot open the audit trail", &e).into())
}

/// What the calls are told.
pub(super) fn exchange_config(
    config: &Config,
    local: &[IpAddr],
) -> Result<exchange::Config, NodeError> {
    let srtp = |policy| match policy {
        SrtpPolicy::Require => CallSrtp::Require,
        SrtpPolicy::Prefer => CallSrtp::Prefer,
        SrtpPolicy::Off => CallSrtp::Off,
    };
    let mut exchange = exchange::Config::new(seed()?);
    exchange.empty_meeting = config.limits.empty_meeting;
    exchange.phones.domains = config
        .node
        .meet_domain()
        .map(Host::Name)
        .into_iter()
        .collect();
    exchange
        .phones
        .domains
        .push(Host::Name("localhost".to_owned()));
    exchange.phones.addresses = local
        .iter()
        .chain(&config.media.advertise)
        .copied()
        .collect();
    exchange.phones.srtp = SrtpPolicies {
        udp: srtp(config.sip.udp.srtp),
        tcp: srtp(config.sip.tcp.srtp),
        tls: srtp(config.sip.tls.srtp),
    };
    let domain = config.node.meet_domain();
    if let Some(realm) = config.sip.realm.clone().or(domain) {
        exchange.phones.realm = realm;
    }
    exchange.phones.max_calls = config.limits.calls;
    exchange.phones.nonce_lifetime = config.sip.nonce_lifetime;
    for (transport, listener) in [
        (Transport::Udp, &config.sip.udp),
        (Transport::Tcp, &config.sip.tcp),
        (Transport::Tls, &config.sip.tls),
    ] {
        let users = listener
            .all_users()
            .map_err(|e| fault("cannot read who may call", &e))?;
        if !users.is_empty() {
            exchange.phones.users.insert(transport, users);
        }
    }
    Ok(exchange)
}

/// Whose certificates of servers that we connect to are believed; `None` where that cannot be known: then nobody is
/// called back over TLS, and calls that come are served all the same.
pub(super) fn believed_servers(config: &Config) -> Result<Option<Arc<ClientConfig>>, NodeError> {
    let trust = match &config.sip.server_authorities {
        None => caller::Trust::System,
        Some(path) => caller::Trust::File(path.clone()),
    };
    match (caller::client_config(&trust), trust) {
        (Ok(config), _) => Ok(Some(config)),
        (Err(error), caller::Trust::System) => {
            tracing::info!(%error, "no connections to others over TLS");
            Ok(None)
        }
        (Err(error), _) => Err(config
            .refuse(
                "sip.tls.server_authorities",
                error.to_string(),
                "name a PEM file that this user may read, with the certificates of the authorities",
            )
            .into()),
    }
}

/// What calls want of the store.
pub(super) fn library(directory: Directory, server: String) -> Library {
    let ending = directory.clone();
    let holding = directory.clone();
    Library {
        find: Arc::new(move |digits: String| {
            let directory = directory.clone();
            Box::pin(async move { directory.find_by_dialled(&digits).await })
        }),
        hold: Arc::new(move |meeting: String| {
            let (directory, server) = (holding.clone(), server.clone());
            Box::pin(async move { directory.hold(&meeting, &server).await })
        }),
        end: Arc::new(move |meeting: String| {
            let directory = ending.clone();
            Box::pin(async move { directory.end(&meeting).await })
        }),
    }
}

/// Everything that accepts connections.
pub(super) struct Servers<'a> {
    pub(super) config: &'a Config,
    pub(super) control: Control,
    pub(super) certificates: Certificates,
    pub(super) listeners: Listeners,
    pub(super) accepting: Arc<AtomicBool>,
    pub(super) stop: CancellationToken,
}

impl Servers<'_> {
    /// Starts serving on all that is bound.
    pub(super) fn spawn(
        self,
        bound: Bound,
        admin: UnixListener,
        tasks: &TaskTracker,
    ) -> Result<(), NodeError> {
        let Self {
            config,
            control,
            certificates,
            listeners,
            accepting,
            stop,
        } = self;
        let patience = Patience {
            connections: config.limits.http_connections,
            head: config.limits.http_header_timeout,
        };
        if let Some(listener) = bound.sip_tls {
            let tls = certificates.sip();
            tasks.spawn(listeners.clone().serve_stream(listener, Some(tls)));
        }
        if let Some(listener) = bound.sip_tcp {
            tasks.spawn(listeners.clone().serve_stream(listener, None));
        }
        if let Some(socket) = bound.sip_udp {
            tasks.spawn(listeners.serve_datagrams(socket));
        }
        let readiness = Readiness::new(accepting, control.store.clone(), control.trail.clone());
        let shared = Shared::new(control, &config.limits);
        tasks.spawn(http::serve_unix(
            admin,
            http::admin::router(shared.clone()),
            patience,
            stop.clone(),
        ));
        if let Some(listener) = bound.https {
            tasks.spawn(http::serve(
                listener,
                certificates.https(),
                http::router(shared),
                patience,
                stop.clone(),
            ));
        }
        if let Some(listener) = bound.metrics {
            let router = http::health::router(prometheus()?, readiness);
            tasks.spawn(http::serve_plain(listener, router, patience, stop.clone()));
        }
        tasks.spawn(certificates.watch(stop));
        Ok(())
    }
}

/// Installs the recorder of `metrics`, once per process.
fn prometheus() -> Result<PrometheusHandle, NodeError> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .map_err(|e| fault("cannot collect metrics", &e))?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Packets that the outbox holds before it grows: a batch received, times some viewers.
const OUTBOX: usize = 4096;
/// How often the metrics' histograms are compacted.
const UPKEEP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_share_the_ports_without_overlap() {
        let all = PortRange {
            first: 10_001,
            last: 10_030,
        };
        for shards in 1..=14 {
            let mut next = all.first;
            for number in 0..shards {
                let (first, last) = ports_of(all, number, shards);
                assert_eq!(first, next);
                assert!(last > first, "{shards}: {first} to {last}");
                next = last + 1;
            }
            assert_eq!(next, all.last + 1);
        }
    }
}
