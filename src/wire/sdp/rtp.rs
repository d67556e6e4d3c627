//! Attributes about RTP: payload types and their parameters, feedback, header extensions, the RTCP address.

use std::fmt;

use super::attributes::{direction, direction_name};
use super::session::Connection;
use crate::plan::Direction;

/// `a=rtpmap:payload-type encoding/clock[/channels]` (RFC 8866 §6.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtpMap {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name, as written; compare without regard to case ([`RtpMap::is`]).
    pub encoding: String,
    /// RTP clock in Hz.
    pub clock_rate: u32,
    /// Audio channels, where given.
    pub channels: Option<u8>,
}

impl RtpMap {
    /// A mapping.
    #[must_use]
    pub fn new(payload_type: u8, encoding: &str, clock_rate: u32, channels: Option<u8>) -> Self {
        Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate,
            channels,
        }
    }

    /// Whether it is that encoding at that clock.
    #[must_use]
    pub fn is(&self, encoding: &str, clock_rate: u32) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding) && self.clock_rate == clock_rate
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let payload_type = payload_type(words.next()?)?;
        let mut parts = words.next()?.split('/');
        Some(Self {
            payload_type,
            encoding: parts.next()?.to_owned(),
            clock_rate: parts.next()?.parse().ok()?,
            channels: parts.next().and_then(|c| c.parse().ok()),
        })
    }
}

impl fmt::Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}/{}",
            self.payload_type, self.encoding, self.clock_rate
        )?;
        match self.channels {
            Some(channels) => write!(f, "/{channels}"),
            None => Ok(()),
        }
    }
}

/// The static payload types of RFC 3551 §6 that phones still offer without `a=rtpmap`.
#[must_use]
pub fn static_rtpmap(payload_type: u8) -> Option<RtpMap> {
    let (encoding, clock) = match payload_type {
        0 => ("PCMU", 8_000),
        3 => ("GSM", 8_000),
        4 => ("G723", 8_000),
        8 => ("PCMA", 8_000),
        9 => ("G722", 8_000),
        13 => ("CN", 8_000),
        15 => ("G728", 8_000),
        18 => ("G729", 8_000),
        31 => ("H261", 90_000),
        34 => ("H263", 90_000),
        _ => return None,
    };
    Some(RtpMap::new(payload_type, encoding, clock, None))
}

/// `a=fmtp:format parameters` (RFC 8866 §6.15).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fmtp {
    /// The format; a payload type as decimal text.
    pub format: String,
    /// The parameters, as written.
    pub parameters: String,
}

impl Fmtp {
    /// The value of a `name=value` parameter; names without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    /// All parameters, split at `;`; one without `=` has an empty value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .split(';')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(|p| match p.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None => (p, ""),
            })
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let (format, parameters) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        (!format.is_empty()).then(|| Self {
            format: format.to_owned(),
            parameters: parameters.trim().to_owned(),
        })
    }
}

impl fmt::Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.parameters)
    }
}

/// `a=rtcp-fb:payload-type kind [parameter]` (RFC 4585 §4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtcpFeedback {
    /// The payload type; `None` for `*`.
    pub payload_type: Option<u8>,
    /// `nack`, `ccm`, `goog-remb`, `transport-cc`, …
    pub kind: String,
    /// What follows, such as `pli` or `fir`.
    pub parameter: Option<String>,
}

impl RtcpFeedback {
    /// A line for one payload type.
    #[must_use]
    pub fn new(payload_type: u8, kind: &str, parameter: Option<&str>) -> Self {
        Self {
            payload_type: Some(payload_type),
            kind: kind.to_owned(),
            parameter: parameter.map(str::to_owned),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let format = words.next()?;
        let payload_type = if format == "*" {
            None
        } else {
            Some(payload_type(format)?)
        };
        let kind = words.next()?.to_owned();
        let parameter = words.collect::<Vec<_>>().join(" ");
        Some(Self {
            payload_type,
            kind,
            parameter: (!parameter.is_empty()).then_some(parameter),
        })
    }
}

impl fmt::Display for RtcpFeedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payload_type {
            Some(pt) => write!(f, "{pt}")?,
            None => f.write_str("*")?,
        }
        write!(f, " {}", self.kind)?;
        match &self.parameter {
            Some(parameter) => write!(f, " {parameter}"),
            None => Ok(()),
        }
    }
}

/// `a=extmap:id[/direction] uri [attributes]` (RFC 8285 §5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtMap {
    /// The id; 1 to 14 for one-byte headers, up to 255 for two-byte ones, above 4095 for negotiation only.
    pub id: u16,
    /// The direction, where given.
    pub direction: Option<Direction>,
    /// What the extension is.
    pub uri: String,
    /// What follows.
    pub attributes: Option<String>,
}

impl ExtMap {
    /// A line without direction.
    #[must_use]
    pub fn new(id: u16, uri: &str) -> Self {
        Self {
            id,
            direction: None,
            uri: uri.to_owned(),
            attributes: None,
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let head = words.next()?;
        let (id, way) = head.split_once('/').unwrap_or((head, ""));
        let uri = words.next()?.to_owned();
        let attributes = words.collect::<Vec<_>>().join(" ");
        Some(Self {
            id: id.parse().ok()?,
            direction: direction(way),
            uri,
            attributes: (!attributes.is_empty()).then_some(attributes),
        })
    }
}

impl fmt::Display for ExtMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(direction) = self.direction {
            write!(f, "/{}", direction_name(direction))?;
        }
        write!(f, " {}", self.uri)?;
        match &self.attributes {
            Some(attributes) => write!(f, " {attributes}"),
            None => Ok(()),
        }
    }
}

/// `a=rtcp:port [net type address]` (RFC 3605).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtcpAddress {
    /// The RTCP port.
    pub port: u16,
    /// Its address, where it differs from that of RTP.
    pub connection: Option<Connection>,
}

impl RtcpAddress {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace().map(str::to_owned);
        let port = words.next()?.parse().ok()?;
        let connection = match (words.next(), words.next(), words.next()) {
            (Some(net_type), Some(addr_type), Some(address)) => Some(Connection {
                net_type,
                addr_type,
                address,
            }),
            _ => None,
        };
        Some(Self { port, connection })
    }
}

impl fmt::Display for RtcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port)?;
        match &self.connection {
            Some(connection) => write!(f, " {connection}"),
            None => Ok(()),
        }
    }
}

fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|pt| *pt < 128)
}
