//! Connections that we open: to an address, or to where a URI leads (RFC 3263).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call::exchange::{Flow, Transport};
use call::route::{Hop, Locate, LocateError, Next};
use call::transaction::Destination;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use wire::sip::{Host, Uri};

use super::listen::{Listeners, prepare};
use super::names::Names;
use super::seed;

/// Opens connections whose messages come to the desk behind `listeners`.
#[derive(Clone)]
pub(crate) struct Reach {
    listeners: Listeners,
    names: Names,
    /// `None`: whom to believe is not known, so that TLS cannot be used.
    tls: Option<Arc<ClientConfig>>,
}

/// Why somebody could not be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReachError {
    /// The address does not answer.
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    /// The TLS handshake failed.
    #[error("{0}")]
    Tls(io::Error),
    /// A host that no certificate can be for.
    #[error("{0} is no host name")]
    BadHost(Host),
    /// Nothing is known about whom to believe.
    #[error("no certificates to believe")]
    NoTls,
}

impl Reach {
    pub(crate) fn new(listeners: Listeners, names: Names, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            listeners,
            names,
            tls,
        }
    }

    /// Opens the way that a transaction wants; `None` when it cannot be had.
    pub(crate) async fn open(&self, to: &Destination) -> Option<Flow> {
        let (uri, transport) = match to {
            Destination::Stream(address) => {
                let hop = Hop {
                    transport: Transport::Tcp,
                    address: *address,
                    domain: Host::Ip(address.ip()),
                };
                return self.tried(&hop).await;
            }
            Destination::Uri(uri, transport) => (uri, *transport),
        };
        let mut route = self
            .route(uri, Some(transport))
            .inspect_err(|error| tracing::info!(%uri, %error, "cannot be called back"))
            .ok()?;
        self.first(&mut route).await
    }

    /// Opens the next hop that can be opened.
    pub(crate) async fn first(&self, route: &mut Route) -> Option<Flow> {
        while let Some(hop) = route.next().await {
            if let Some(flow) = self.tried(&hop).await {
                return Some(flow);
            }
        }
        None
    }

    async fn tried(&self, hop: &Hop) -> Option<Flow> {
        match self.hop(hop).await {
            Ok(flow) => Some(flow),
            Err(error) => {
                tracing::info!(to = %hop.address, %error, "cannot open a SIP connection");
                None
            }
        }
    }

    /// The way to a URI. `transport` counts where the URI names none; with neither, DNS decides. What came over TLS
    /// does not go on in the clear, whatever the URI says.
    ///
    /// # Errors
    /// When the URI leads nowhere, whatever DNS says.
    pub(crate) fn route(
        &self,
        uri: &Uri,
        transport: Option<Transport>,
    ) -> Result<Route, LocateError> {
        let mut wanted = uri.clone();
        if let Some(transport) = transport
            && !wanted.params.has("transport")
        {
            wanted.params.set("transport", Some(transport.uri_name()));
        }
        let all = [Transport::Tls, Transport::Tcp, Transport::Udp];
        let speaks = match transport {
            Some(Transport::Tls) => all.get(..1).unwrap_or_default(),
            _ => &all,
        };
        // Without random octets the first of equal records is tried first: no reason not to call.
        let locate = Locate::new(&wanted, speaks, seed().unwrap_or_default())?;
        Ok(Route {
            locate,
            names: self.names.clone(),
        })
    }

    /// Opens one hop.
    ///
    /// # Errors
    /// [`ReachError`].
    pub(crate) async fn hop(&self, hop: &Hop) -> Result<Flow, ReachError> {
        if hop.transport == Transport::Udp {
            return Ok(self.datagrams(hop.address).await?);
        }
        let stream = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(hop.address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        prepare(&stream);
        let local = stream.local_addr()?;
        let flow = self.listeners.flow(hop.transport, local, hop.address);
        if hop.transport == Transport::Tcp {
            self.listeners.take(flow, stream).await;
            return Ok(flow);
        }
        let name = match &hop.domain {
            Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| ReachError::BadHost(hop.domain.clone()))?,
        };
        let config = self.tls.clone().ok_or(ReachError::NoTls)?;
        let connecting = TlsConnector::from(config).connect(name, stream);
        let stream = tokio::time::timeout(CONNECT_TIME, connecting)
            .await
            .map_err(|_| ReachError::Tls(io::ErrorKind::TimedOut.into()))?
            .map_err(ReachError::Tls)?;
        self.listeners.take(flow, stream).await;
        Ok(flow)
    }

    async fn datagrams(&self, peer: SocketAddr) -> io::Result<Flow> {
        // The socket that asks the kernel for the way also has the address that the way begins at.
        let probe = UdpSocket::bind(any(peer.ip())).await?;
        probe.connect(peer).await?;
        let socket = UdpSocket::bind(SocketAddr::new(probe.local_addr()?.ip(), 0)).await?;
        let flow = self
            .listeners
            .flow(Transport::Udp, socket.local_addr()?, peer);
        self.listeners.take_datagrams(flow, socket).await;
        Ok(flow)
    }
}

/// The hops to a URI, one after the other.
pub(crate) struct Route {
    locate: Locate,
    names: Names,
}

impl Route {
    /// Where to try next; `None` when nothing is left.
    pub(crate) async fn next(&mut self) -> Option<Hop> {
        loop {
            match self.locate.next() {
                Next::Try(hop) => return Some(hop),
                Next::Exhausted => return None,
                Next::Ask(question) => {
                    let answer = self.names.ask(&question).await;
                    self.locate.answer(answer);
                }
            }
        }
    }
}

fn any(like: IpAddr) -> SocketAddr {
    match like {
        IpAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        IpAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
    }
}

/// Time for a connection, and again for its TLS handshake: what waits for it gives up after 32 s, and where a firewall
/// swallows what it does not know a large request waits that long before it becomes a datagram.
const CONNECT_TIME: Duration = Duration::from_secs(4);
