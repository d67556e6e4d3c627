//! Where a SIP message came from and where its answer goes: a connection, or an address behind a UDP listener.

use std::net::SocketAddr;

/// One TCP or TLS connection, or one remote UDP address of a listener, unique within a running node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowId(pub u64);

/// What SIP travels on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// Datagrams: messages are lost and retransmitted.
    Udp,
    /// A stream in clear.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// Whether what is sent arrives, so that nothing is retransmitted (RFC 3261 §17).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The transport's name in `Via` (RFC 3261 §20.42).
    #[must_use]
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The value of the URI parameter `transport` that leads here; TLS is a `sips` or `transport=tls` matter.
    #[must_use]
    pub fn uri_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// A way to the other side, as the node sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Flow {
    /// Its number.
    pub id: FlowId,
    /// What it is.
    pub transport: Transport,
    /// Our address on it: for UDP the listener's, which may be unspecified.
    pub local: SocketAddr,
    /// The other side's address.
    pub peer: SocketAddr,
}
