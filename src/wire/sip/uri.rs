//! URIs (RFC 3261 §19.1): `sip:` and `sips:` in full, every other scheme as opaque text.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::params::Params;

/// A URI's scheme.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel` (RFC 3966).
    Tel,
    /// Any other, in lower case.
    Other(String),
}

impl Scheme {
    /// The scheme's text without the colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(text) => text,
        }
    }

    /// Whether it is `sip` or `sips`.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        matches!(self, Self::Sip | Self::Sips)
    }
}

/// A host: a name or an address literal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Host {
    /// A domain name, as written.
    Name(String),
    /// An address; IPv6 is written in brackets.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host, with brackets around IPv6; `None` when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Ip(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(address.into()));
        }
        let sound = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        sound.then(|| Self::Name(text.to_owned()))
    }

    /// The address, when it is a literal.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }

    /// Whether both name the same host: names without regard to case or a final dot.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Name(a), Self::Name(b)) => a
                .trim_end_matches('.')
                .eq_ignore_ascii_case(b.trim_end_matches('.')),
            _ => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A URI. Of schemes other than `sip` and `sips`, everything after the colon (for `tel`, up to the
/// parameters) is `user`, and `host` is an empty name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part, as written (escaped); `Some("")` for `sip:@host`, which some devices send.
    pub user: Option<String>,
    /// The password, as written.
    pub password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// Parameters such as `transport`, `lr`, `user`.
    pub params: Params,
    /// Header part after `?`, as written.
    pub headers: Option<String>,
}

/// Why a text is no URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// No scheme, or one with characters that no scheme has.
    #[error("no URI scheme")]
    Scheme,
    /// White space, control characters, quotes or angle brackets inside.
    #[error("a character that no URI has")]
    Character,
    /// The host is missing or malformed.
    #[error("malformed host")]
    Host,
    /// The port is no number up to 65535.
    #[error("malformed port")]
    Port,
}

impl Uri {
    /// `sip:user@host`, or `sip:host` without a user. The user is escaped as far as needed.
    #[must_use]
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: user.map(|u| escape_user(u).into_owned()),
            password: None,
            host,
            port,
            params: Params::new(),
            headers: None,
        }
    }

    /// `sip:address:port`.
    #[must_use]
    pub fn from_addr(addr: SocketAddr) -> Self {
        Self::sip(None, addr.ip().into(), Some(addr.port()))
    }

    /// Reads a URI; nothing may come before or after it.
    ///
    /// # Errors
    /// [`UriError`] for the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = split_scheme(text)?;
        if rest
            .bytes()
            .any(|b| b <= b' ' || b == 0x7F || b"<>\"".contains(&b))
        {
            return Err(UriError::Character);
        }
        let scheme = if scheme.eq_ignore_ascii_case("sip") {
            Scheme::Sip
        } else if scheme.eq_ignore_ascii_case("sips") {
            Scheme::Sips
        } else if scheme.eq_ignore_ascii_case("tel") {
            Scheme::Tel
        } else {
            Scheme::Other(scheme.to_ascii_lowercase())
        };
        if !scheme.is_sip() {
            return Ok(Self::opaque(scheme, rest));
        }
        let parts = SipParts::read(rest)?;
        Ok(Self {
            scheme,
            user: parts.user.map(str::to_owned),
            password: parts.password.map(str::to_owned),
            host: Host::read(parts.host).ok_or(UriError::Host)?,
            port: parts.port,
            params: Params::read_uri(parts.params),
            headers: parts.headers.map(str::to_owned),
        })
    }

    /// Whether [`Uri::parse`] would succeed, without keeping anything.
    ///
    /// # Errors
    /// The same as [`Uri::parse`].
    pub(super) fn check(text: &str) -> Result<(), UriError> {
        let (scheme, rest) = split_scheme(text)?;
        if rest
            .bytes()
            .any(|b| b <= b' ' || b == 0x7F || b"<>\"".contains(&b))
        {
            return Err(UriError::Character);
        }
        if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            let parts = SipParts::read(rest)?;
            if !host_is_sound(parts.host) {
                return Err(UriError::Host);
            }
        }
        Ok(())
    }

    fn opaque(scheme: Scheme, rest: &str) -> Self {
        let (user, params) = match rest.split_once(';') {
            Some((number, params)) if scheme == Scheme::Tel => (number, Params::read_uri(params)),
            _ => (rest, Params::new()),
        };
        Self {
            scheme,
            user: Some(user.to_owned()),
            password: None,
            host: Host::Name(String::new()),
            port: None,
            params,
            headers: None,
        }
    }

    /// The user part with its escapes resolved; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn user_plain(&self) -> Option<Cow<'_, str>> {
        let user = self.user.as_deref()?;
        Some(if user.contains('%') {
            Cow::Owned(String::from_utf8_lossy(&unescape(user)).into_owned())
        } else {
            Cow::Borrowed(user)
        })
    }

    /// The `transport` parameter in lower case.
    #[must_use]
    pub fn transport(&self) -> Option<String> {
        self.params.get("transport").map(str::to_ascii_lowercase)
    }

    /// Whether it is the URI of a loose router (`;lr`, RFC 3261 §16.12.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// Equality by RFC 3261 §19.1.4: host and parameter names without regard to case, escapes resolved,
    /// parameters other than `user`, `ttl`, `method`, `maddr`, `transport` ignored when only one side has them.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        let users = match (&self.user, &other.user) {
            (Some(a), Some(b)) => unescape(a) == unescape(b),
            (None, None) => true,
            _ => false,
        };
        let decisive = ["user", "ttl", "method", "maddr", "transport"]
            .iter()
            .all(|n| self.params.has(n) == other.params.has(n));
        // Of a parameter that is written twice, the first counts.
        let shared = self.params.iter().all(|(name, _)| {
            !other.params.has(name)
                || match (self.params.get(name), other.params.get(name)) {
                    (Some(a), Some(b)) => unescape(a).eq_ignore_ascii_case(&unescape(b)),
                    (None, None) => true,
                    _ => false,
                }
        });
        self.scheme == other.scheme
            && users
            && self.password == other.password
            && self.host.matches(&other.host)
            && self.port == other.port
            && decisive
            && shared
            && self.headers == other.headers
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.scheme.is_sip() {
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            if self.user.is_some() {
                f.write_str("@")?;
            }
            write!(f, "{}", self.host)?;
            if let Some(port) = self.port {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "{}", self.params)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

/// Resolves `%xx` escapes; a `%` that starts none stays.
#[must_use]
pub(super) fn unescape(text: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        if byte == b'%'
            && let [high, low, rest @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            plain.push(high << 4 | low);
            bytes = rest;
        } else {
            plain.push(byte);
        }
    }
    plain
}

/// Escapes what a user part may not have; escapes already there stay.
fn escape_user(user: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&b);
    if user.bytes().all(plain) {
        return Cow::Borrowed(user);
    }
    let mut escaped = String::with_capacity(user.len() + 8);
    for byte in user.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

fn split_scheme(text: &str) -> Result<(&str, &str), UriError> {
    let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
    let sound = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if sound && !rest.is_empty() {
        Ok((scheme, rest))
    } else {
        Err(UriError::Scheme)
    }
}

pub(super) fn host_is_sound(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    }
}

/// The parts of a SIP URI after its scheme.
struct SipParts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: &'a str,
    headers: Option<&'a str>,
}

impl<'a> SipParts<'a> {
    fn read(rest: &'a str) -> Result<Self, UriError> {
        // A user part may hold `;`, `?` and `/`, but no `@`: the first `@` ends it.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|u| u.split_once(':').unwrap_or((u, ""))) {
            Some((user, _)) if userinfo.is_some_and(|u| u.len() == user.len()) => {
                (Some(user), None)
            }
            Some((user, password)) => (Some(user), Some(password)),
            None => (None, None),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (hostport, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_port(hostport)?;
        Ok(Self {
            user,
            password,
            host,
            port,
            params,
            headers,
        })
    }
}

/// Splits `host[:port]`, with brackets around IPv6.
fn split_port(hostport: &str) -> Result<(&str, Option<u16>), UriError> {
    let end = match hostport.find(']') {
        Some(bracket) if hostport.starts_with('[') => bracket + 1,
        _ => hostport.find(':').unwrap_or(hostport.len()),
    };
    let (host, after) = hostport.split_at(end);
    if after.is_empty() {
        return Ok((host, None));
    }
    let digits = after.strip_prefix(':').ok_or(UriError::Host)?;
    // `+80` would parse as a number; only digits are a port.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    digits
        .parse()
        .map(|port| (host, Some(port)))
        .map_err(|_| UriError::Port)
}
