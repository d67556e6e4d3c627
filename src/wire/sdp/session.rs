//! The lines of a description as values.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::attributes::Attributes;
use super::rtp::RtpMap;
use super::rtp::static_rtpmap;

/// A whole description.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Session {
    /// `o=`; some devices leave it out.
    pub origin: Option<Origin>,
    /// `s=`; `-` when it was left out.
    pub name: String,
    /// `c=` at session level.
    pub connection: Option<Connection>,
    /// `b=` at session level.
    pub bandwidth: Vec<Bandwidth>,
    /// `t=`; a writer adds `0 0` when there is none.
    pub times: Vec<Timing>,
    /// Every other line at session level (`i u e p r z k` and letters that no standard knows).
    pub other: Vec<Line>,
    /// `a=` at session level.
    pub attributes: Attributes,
    /// The media sections in order.
    pub media: Vec<Media>,
}

/// `o=` (RFC 8866 §5.2). The numbers are kept as text: devices send more than 64 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// User name, `-` for none.
    pub username: String,
    /// Session id.
    pub session_id: String,
    /// Session version, which grows with every change.
    pub session_version: String,
    /// Net type, `IN`.
    pub net_type: String,
    /// `IP4` or `IP6`.
    pub addr_type: String,
    /// An address or a name.
    pub address: String,
}

impl Origin {
    /// Our own origin.
    #[must_use]
    pub fn new(session_id: u64, session_version: u64, address: IpAddr) -> Self {
        Self {
            username: "-".to_owned(),
            session_id: session_id.to_string(),
            session_version: session_version.to_string(),
            net_type: "IN".to_owned(),
            addr_type: addr_type(address).to_owned(),
            address: address.to_string(),
        }
    }
}

/// `c=` (RFC 8866 §5.7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Net type, `IN`.
    pub net_type: String,
    /// `IP4` or `IP6`.
    pub addr_type: String,
    /// An address or a name, with `/ttl` and `/count` of multicast where given.
    pub address: String,
}

impl Connection {
    /// A unicast address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self {
            net_type: "IN".to_owned(),
            addr_type: addr_type(address).to_owned(),
            address: address.to_string(),
        }
    }

    /// The address, when it is a literal.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address
            .split('/')
            .next()?
            .trim_matches(['[', ']'])
            .parse()
            .ok()
    }

    /// Whether it is `0.0.0.0`, how RFC 2543 phones put a call on hold (RFC 3264 §8.4).
    #[must_use]
    pub fn is_hold(&self) -> bool {
        self.ip() == Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

fn addr_type(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "IP6" } else { "IP4" }
}

/// `b=` (RFC 8866 §5.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bandwidth {
    /// `AS` (kbit/s), `TIAS` (bit/s, RFC 3890), `RS`, `RR`, …
    pub kind: String,
    /// The figure as written.
    pub value: String,
}

/// `t=` (RFC 8866 §5.9), as text: NTP seconds, 0 for unbounded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Start.
    pub start: String,
    /// Stop.
    pub stop: String,
}

/// A line that is not modelled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The letter before `=`.
    pub letter: char,
    /// What follows it.
    pub value: String,
}

/// A media section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// What it carries.
    pub kind: MediaKind,
    /// The RTP port; 0 declines the section, or bundles it (`a=bundle-only`).
    pub port: u16,
    /// Number of ports, where given.
    pub port_count: Option<u16>,
    /// The transport.
    pub protocol: Protocol,
    /// Formats in order of preference; RTP payload types as decimal text.
    pub formats: Vec<String>,
    /// `c=` of the section; the first where there are several.
    pub connection: Option<Connection>,
    /// `b=` of the section.
    pub bandwidth: Vec<Bandwidth>,
    /// Every other line of the section.
    pub other: Vec<Line>,
    /// `a=` of the section.
    pub attributes: Attributes,
}

impl Media {
    /// A section without attributes.
    #[must_use]
    pub fn new(kind: MediaKind, port: u16, protocol: Protocol, formats: Vec<String>) -> Self {
        Self {
            kind,
            port,
            port_count: None,
            protocol,
            formats,
            connection: None,
            bandwidth: Vec::new(),
            other: Vec::new(),
            attributes: Attributes::new(),
        }
    }

    /// The section that declines this one (RFC 3264 §6): port 0, same kind, transport and formats, and its mid.
    #[must_use]
    pub fn declined(&self) -> Self {
        let mut answer = Self::new(
            self.kind.clone(),
            0,
            self.protocol.clone(),
            self.formats.clone(),
        );
        if let Some(mid) = self.attributes.mid() {
            answer.attributes.add("mid", mid);
        }
        answer
    }

    /// The formats that are RTP payload types.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|f| f.parse().ok())
            .filter(|pt| *pt < 128)
    }

    /// What each payload type of the `m=` line stands for, in its order: by `a=rtpmap`, or by RFC 3551 for
    /// static ones without. Payload types that nothing explains are left out.
    #[must_use]
    pub fn codecs(&self) -> Vec<RtpMap> {
        let maps = self.attributes.rtpmaps();
        self.payload_types()
            .filter_map(|pt| {
                maps.iter()
                    .find(|m| m.payload_type == pt)
                    .cloned()
                    .or_else(|| static_rtpmap(pt))
            })
            .collect()
    }
}

/// What a section carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaKind {
    /// `audio`.
    Audio,
    /// `video`.
    Video,
    /// `application`: data channels, BFCP.
    Application,
    /// `image`: T.38.
    Image,
    /// `text`.
    Text,
    /// `message`: MSRP.
    Message,
    /// Any other.
    Other(String),
}

impl MediaKind {
    /// The kind that a text names, in any case.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "application" => Self::Application,
            "image" => Self::Image,
            "text" => Self::Text,
            "message" => Self::Message,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Image => "image",
            Self::Text => "text",
            Self::Message => "message",
            Self::Other(text) => text,
        })
    }
}

/// The transport of a section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// `RTP/AVP` (RFC 3551).
    RtpAvp,
    /// `RTP/AVPF` (RFC 4585).
    RtpAvpf,
    /// `RTP/SAVP` (RFC 3711).
    RtpSavp,
    /// `RTP/SAVPF` (RFC 5124).
    RtpSavpf,
    /// `UDP/TLS/RTP/SAVP` (RFC 5764).
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF` (RFC 5764).
    DtlsSavpf,
    /// Any other, such as `UDP/DTLS/SCTP`, `udptl`, `TCP/BFCP`.
    Other(String),
}

impl Protocol {
    /// The transport that a text names, in any case.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "RTP/AVP" => Self::RtpAvp,
            "RTP/AVPF" => Self::RtpAvpf,
            "RTP/SAVP" => Self::RtpSavp,
            "RTP/SAVPF" => Self::RtpSavpf,
            "UDP/TLS/RTP/SAVP" => Self::DtlsSavp,
            "UDP/TLS/RTP/SAVPF" => Self::DtlsSavpf,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Whether it carries RTP.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether it carries SRTP: then it is never answered in the clear.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_rtp() && !matches!(self, Self::RtpAvp | Self::RtpAvpf)
    }

    /// Whether SRTP keys come from DTLS.
    #[must_use]
    pub fn is_dtls(&self) -> bool {
        matches!(self, Self::DtlsSavp | Self::DtlsSavpf)
    }

    /// Whether RTCP feedback may be sent early (RFC 4585).
    #[must_use]
    pub fn has_feedback(&self) -> bool {
        matches!(self, Self::RtpAvpf | Self::RtpSavpf | Self::DtlsSavpf)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RtpAvp => "RTP/AVP",
            Self::RtpAvpf => "RTP/AVPF",
            Self::RtpSavp => "RTP/SAVP",
            Self::RtpSavpf => "RTP/SAVPF",
            Self::DtlsSavp => "UDP/TLS/RTP/SAVP",
            Self::DtlsSavpf => "UDP/TLS/RTP/SAVPF",
            Self::Other(text) => text,
        })
    }
}
