//! Via values (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::params::Params;
use super::scan::{self, Cursor};
use super::uri::{Host, host_is_sound};

/// One Via value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Via {
    /// Protocol and version, normally `SIP/2.0`.
    pub protocol: String,
    /// The transport, as written: `UDP`, `TCP`, `TLS`, `WS`, …
    pub transport: String,
    /// The sender's host.
    pub host: Host,
    /// The sender's port, where one is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, …
    pub params: Params,
}

/// What every branch of an RFC 3261 element starts with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    /// Our own Via: `branch` is given with its magic cookie, `rport` asks for the source port (RFC 3581 §3).
    #[must_use]
    pub fn new(transport: &str, sent_by: SocketAddr, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self {
            protocol: "SIP/2.0".to_owned(),
            transport: transport.to_owned(),
            host: sent_by.ip().into(),
            port: Some(sent_by.port()),
            params,
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// A short English phrase.
    pub fn parse(value: &[u8]) -> Result<Self, &'static str> {
        let parts = ViaParts::read(value)?;
        Ok(Self {
            protocol: format!("{}/{}", scan::text(parts.name), scan::text(parts.version)),
            transport: scan::text(parts.transport).into_owned(),
            host: Host::read(parts.host).ok_or("malformed host")?,
            port: parts.port,
            params: Params::read(parts.params).ok_or("malformed parameter")?,
        })
    }

    /// The branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|b| !b.is_empty())
    }

    /// The branch when it identifies a transaction by RFC 3261: it starts with the magic cookie and goes on.
    #[must_use]
    pub fn transaction_branch(&self) -> Option<&str> {
        self.branch()
            .filter(|b| b.len() > MAGIC_COOKIE.len() && b.is_char_boundary(MAGIC_COOKIE.len()))
            .filter(|b| {
                b.split_at(MAGIC_COOKIE.len())
                    .0
                    .eq_ignore_ascii_case(MAGIC_COOKIE)
            })
    }

    /// The `received` address; brackets around IPv6 are tolerated (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// The port of `rport`, once the receiver filled it in.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// Whether `rport` is there, with or without a port (RFC 3581 §3).
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Notes where the request came from: `received` when it differs from the sent-by or `rport` is asked
    /// for, and the port into `rport` (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn note_source(&mut self, source: SocketAddr) {
        let ip = source.ip().to_canonical();
        if self.wants_rport() {
            self.params.set("rport", Some(&source.port().to_string()));
            self.params.set("received", Some(&ip.to_string()));
        } else if self.host.ip().map(|h| h.to_canonical()) != Some(ip) {
            self.params.set("received", Some(&ip.to_string()));
        }
    }

    /// Where a response over UDP goes (RFC 3261 §18.2.2, RFC 3581 §4); `None` when only a name is known.
    #[must_use]
    pub fn reply_addr(&self) -> Option<SocketAddr> {
        let ip = self.received().or_else(|| self.host.ip())?;
        let default = if self.transport.eq_ignore_ascii_case("TLS") {
            5061
        } else {
            5060
        };
        let port = self.rport().or(self.port).unwrap_or(default);
        Some(SocketAddr::new(ip, port))
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.protocol, self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

/// The pieces of a value, not yet copied.
pub(super) struct ViaParts<'a> {
    name: &'a [u8],
    version: &'a [u8],
    transport: &'a [u8],
    host: &'a str,
    port: Option<u16>,
    params: Cursor<'a>,
}

impl<'a> ViaParts<'a> {
    fn read(value: &'a [u8]) -> Result<Self, &'static str> {
        const PROTOCOL: &str = "malformed protocol";
        let mut cursor = Cursor::new(scan::trim(value));
        let name = cursor.token().ok_or(PROTOCOL)?;
        if !cursor.eat_spaced(b'/') {
            return Err(PROTOCOL);
        }
        let version = cursor.token().ok_or(PROTOCOL)?;
        if !cursor.eat_spaced(b'/') {
            return Err(PROTOCOL);
        }
        let transport = cursor.token().ok_or(PROTOCOL)?;
        if !cursor.skip_lws() {
            return Err("no host");
        }
        let host = if cursor.peek() == Some(b'[') {
            let start = cursor.rest();
            let inner = cursor.take_while(|b| b != b']');
            if !cursor.eat(b']') {
                return Err("malformed host");
            }
            start.get(..=inner.len()).ok_or("malformed host")?
        } else {
            cursor.take_while(|b| !scan::is_lws(b) && !b":;,".contains(&b))
        };
        let host = std::str::from_utf8(host)
            .ok()
            .filter(|h| host_is_sound(h))
            .ok_or("malformed host")?;
        let port = if cursor.eat_spaced(b':') {
            let port = scan::number(cursor.take_while(|b| b.is_ascii_digit()))
                .and_then(|p| u16::try_from(p).ok());
            Some(port.ok_or("malformed port")?)
        } else {
            None
        };
        Ok(Self {
            name,
            version,
            transport,
            host,
            port,
            params: cursor,
        })
    }

    /// Whether everything is well-formed, without keeping anything.
    pub(super) fn check(value: &'a [u8]) -> Result<(), &'static str> {
        let parts = Self::read(value)?;
        if scan::params_are_sound(parts.params) {
            Ok(())
        } else {
            Err("malformed parameter")
        }
    }
}
