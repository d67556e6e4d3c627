//! What a scripted call needs before it begins: whom, from where, on which way, with which media thread.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use call::exchange::Flow;
use call::negotiate::phone::Rules;
use call::phone::Dial;
use media::engine::{self, Event};
use tokio::sync::mpsc;
use wire::sip::{Host, Scheme, Uri};

use super::{CallError, LEG, Options};
use crate::node::reach::{Reach, ReachError, Route};
use crate::node::shard::{PhonePlace, Places, Shard};
use crate::node::{dtls_identity, seed};

pub(super) fn parse(text: &str) -> Result<Uri, CallError> {
    let full = if text.contains(':') && text.starts_with("sip") {
        text.to_owned()
    } else {
        format!("sip:{text}")
    };
    let bad = |why: String| CallError::BadUri {
        uri: text.to_owned(),
        why,
    };
    let uri = Uri::parse(&full).map_err(|e| bad(e.to_string()))?;
    match uri.scheme {
        Scheme::Sip | Scheme::Sips => Ok(uri),
        _ => Err(bad("the scheme must be sip or sips".to_owned())),
    }
}

pub(super) fn dial(target: Uri, options: &Options, flow: Flow) -> Dial {
    let mut rules = Rules::default();
    if let Some(codec) = options.codec {
        rules.codecs = vec![codec];
    }
    rules.keying = options.keying;
    if let Some(suite) = options.suite {
        rules.suites = vec![suite];
    }
    let mut from = target.clone();
    from.user = Some("campanile-call".to_owned());
    from.host = Host::Ip(flow.local.ip().to_canonical());
    from.port = None;
    from.params = Default::default();
    from.headers = None;
    Dial {
        target,
        from,
        flow,
        elsewhere: true,
        contact: None,
        user_agent: concat!("campanile-call/", env!("CARGO_PKG_VERSION")).to_owned(),
        rules,
        srtp: options.srtp,
        account: options.account.clone(),
        session: Default::default(),
        leg: LEG,
        patience: Duration::from_secs(60),
    }
}

/// Opens the first way to the other side that can be opened. `unbelieved` says why TLS cannot be used.
pub(super) async fn connect(
    options: &Options,
    reach: &Reach,
    route: &mut Route,
    mut unbelieved: Option<CallError>,
) -> Result<Flow, CallError> {
    let mut last = None;
    while let Some(hop) = route.next().await {
        let error = match reach.hop(&hop).await {
            Ok(flow) => return Ok(flow),
            Err(error) => error,
        };
        last = match error {
            ReachError::Unreachable(source) => Some(CallError::Unreachable {
                what: hop.address.to_string(),
                source,
            }),
            ReachError::Tls(source) => Some(CallError::Tls {
                peer: hop.address,
                source,
            }),
            ReachError::BadHost(host) => Some(CallError::BadHost(host.to_string())),
            ReachError::NoTls => unbelieved.take().or(last),
        };
    }
    Err(last.unwrap_or_else(|| CallError::Unreachable {
        what: options.uri.clone(),
        source: io::Error::other("the name has no address"),
    }))
}

pub(super) fn start_shard(
    local: IpAddr,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Shard, CallError> {
    let local = local.to_canonical();
    let places = Places {
        shared: Vec::new(),
        advertised: Vec::new(),
        phones: vec![PhonePlace {
            bind: local,
            advertise: local,
        }],
        ports: (10_000, 60_000),
        port_rest: Duration::ZERO,
    };
    let config = engine::Config {
        epoch: (Instant::now(), SystemTime::now()),
        seed: seed()?,
        media_timeout: Duration::from_secs(30),
        held_timeout: Duration::from_secs(1800),
        loudest: 6,
        outbox_datagrams: 64,
        identity: dtls_identity()?,
    };
    Ok(Shard::start("media", places, config, events)?)
}
