//! ICE candidates (RFC 8839 §5.1).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// `a=candidate`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Foundation, 1 to 32 ice-chars.
    pub foundation: String,
    /// 1 for RTP (and RTCP when multiplexed), 2 for RTCP.
    pub component: u16,
    /// `udp` or `tcp`, in lower case.
    pub transport: String,
    /// Priority.
    pub priority: u32,
    /// An address, or a name ending in `.local` that hides one.
    pub address: String,
    /// Port.
    pub port: u16,
    /// How it was found.
    pub kind: CandidateType,
    /// `raddr` and `rport`, where given.
    pub related: Option<(String, u16)>,
    /// Further name and value pairs, such as `generation 0` or `tcptype passive`.
    pub extensions: Vec<(String, String)>,
}

/// How a candidate was found (RFC 8445 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CandidateType {
    /// An address of the host itself.
    Host,
    /// Seen by a STUN server.
    ServerReflexive,
    /// Seen by the peer.
    PeerReflexive,
    /// Of a TURN server.
    Relay,
    /// Any other.
    Other(String),
}

impl CandidateType {
    fn from_text(text: &str) -> Self {
        match text {
            "host" => Self::Host,
            "srflx" => Self::ServerReflexive,
            "prflx" => Self::PeerReflexive,
            "relay" => Self::Relay,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for CandidateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
            Self::Other(text) => text,
        })
    }
}

impl Candidate {
    /// A UDP host candidate of component 1. `preference` orders several addresses, 65535 first
    /// (RFC 8445 §5.1.2.1).
    #[must_use]
    pub fn host(foundation: &str, addr: SocketAddr, preference: u16) -> Self {
        Self {
            foundation: foundation.to_owned(),
            component: 1,
            transport: "udp".to_owned(),
            priority: (126 << 24) | (u32::from(preference) << 8) | 255,
            address: addr.ip().to_string(),
            port: addr.port(),
            kind: CandidateType::Host,
            related: None,
            extensions: Vec::new(),
        }
    }

    /// Address and port, when the address is a literal.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.address.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let foundation = words.next()?.to_owned();
        let component = words.next()?.parse().ok()?;
        let transport = words.next()?.to_ascii_lowercase();
        let priority = words.next()?.parse().ok()?;
        let address = words.next()?.to_owned();
        let port = words.next()?.parse().ok()?;
        if words.next()? != "typ" {
            return None;
        }
        let kind = CandidateType::from_text(words.next()?);
        let mut raddr = None;
        let mut rport = None;
        let mut extensions = Vec::new();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match name {
                "raddr" => raddr = Some(value.to_owned()),
                "rport" => rport = value.parse().ok(),
                _ => extensions.push((name.to_owned(), value.to_owned())),
            }
        }
        Some(Self {
            foundation,
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related: raddr.zip(rport),
            extensions,
        })
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {} typ {}",
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.address,
            self.port,
            self.kind
        )?;
        if let Some((address, port)) = &self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        for (name, value) in &self.extensions {
            write!(f, " {name} {value}")?;
        }
        Ok(())
    }
}
