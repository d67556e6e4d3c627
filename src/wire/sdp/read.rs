//! Bytes to a description, line by line.

use super::attributes::{Attribute, Attributes};
use super::session::{
    Bandwidth, Connection, Line, Media, MediaKind, Origin, Protocol, Session, Timing,
};

/// Why a body is no description that can be acted upon. Lines count from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// The first line is not `v=0`.
    #[error("no v=0 at the start")]
    Version,
    /// A line is no letter, `=` and value.
    #[error("line {0}: not of the form x=…")]
    Form(usize),
    /// An `o=` line without its six parts.
    #[error("line {0}: malformed o=")]
    Origin(usize),
    /// A `c=` line without its three parts.
    #[error("line {0}: malformed c=")]
    Connection(usize),
    /// An `m=` line without kind, port, transport, or with a port beyond 65535.
    #[error("line {0}: malformed m=")]
    Media(usize),
    /// Larger than 64 KiB, or more than 128 sections.
    #[error("too large")]
    TooLarge,
}

/// Octets of a description.
const MAX_SIZE: usize = 64 * 1024;
/// Sections of a description.
const MAX_MEDIA: usize = 128;

impl Session {
    /// Reads a description. Lines may end in CRLF, LF or CR; blank lines are skipped; bytes that are no
    /// UTF-8 become U+FFFD; `o=`, `s=` and `t=` may be missing (then `-` and `0 0` stand for them), and lines
    /// of one level may come in any order.
    ///
    /// # Errors
    /// [`SdpError`] for the first line that could not be understood.
    pub fn parse(body: impl AsRef<[u8]>) -> Result<Self, SdpError> {
        let body = body.as_ref();
        if body.len() > MAX_SIZE {
            return Err(SdpError::TooLarge);
        }
        // NUL ends nothing here and is in no value: some devices pad with it.
        let text = String::from_utf8_lossy(body).replace('\0', " ");
        let mut session = Self {
            name: "-".to_owned(),
            ..Self::default()
        };
        let mut begun = false;
        for (index, line) in text.split(['\n', '\r']).enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            // A CRLF counts as two line ends: halve the index where the body uses them.
            let number = if text.contains("\r\n") {
                index / 2
            } else {
                index
            } + 1;
            let (letter, value) = split(line).ok_or(SdpError::Form(number))?;
            if !begun {
                if letter != 'v' || value.trim() != "0" {
                    return Err(SdpError::Version);
                }
                begun = true;
                continue;
            }
            session.line(letter, value, number)?;
        }
        if !begun {
            return Err(SdpError::Version);
        }
        if session.times.is_empty() {
            session.times.push(timing(""));
        }
        session.other.sort_by_key(|l| rank(l.letter));
        for media in &mut session.media {
            media.other.sort_by_key(|l| rank(l.letter));
        }
        Ok(session)
    }

    fn line(&mut self, letter: char, value: &str, number: usize) -> Result<(), SdpError> {
        if letter == 'm' {
            if self.media.len() == MAX_MEDIA {
                return Err(SdpError::TooLarge);
            }
            let media = media(value).ok_or(SdpError::Media(number))?;
            self.media.push(media);
            return Ok(());
        }
        if let Some(section) = self.media.last_mut() {
            let level = Level {
                connection: &mut section.connection,
                bandwidth: &mut section.bandwidth,
                attributes: &mut section.attributes,
                other: &mut section.other,
            };
            return level.line(letter, value, number);
        }
        match letter {
            'o' => self.origin = Some(origin(value).ok_or(SdpError::Origin(number))?),
            's' if value.trim().is_empty() => {}
            's' => value.clone_into(&mut self.name),
            't' => self.times.push(timing(value)),
            _ => {
                let level = Level {
                    connection: &mut self.connection,
                    bandwidth: &mut self.bandwidth,
                    attributes: &mut self.attributes,
                    other: &mut self.other,
                };
                return level.line(letter, value, number);
            }
        }
        Ok(())
    }
}

/// What both levels have.
struct Level<'a> {
    connection: &'a mut Option<Connection>,
    bandwidth: &'a mut Vec<Bandwidth>,
    attributes: &'a mut Attributes,
    other: &'a mut Vec<Line>,
}

impl Level<'_> {
    fn line(self, letter: char, value: &str, number: usize) -> Result<(), SdpError> {
        match letter {
            'c' if self.connection.is_none() => {
                *self.connection = Some(connection(value).ok_or(SdpError::Connection(number))?);
            }
            'b' => match value.split_once(':') {
                Some((kind, figure)) => self.bandwidth.push(Bandwidth {
                    kind: kind.trim().to_owned(),
                    value: figure.trim().to_owned(),
                }),
                None => self.other.push(Line {
                    letter,
                    value: value.to_owned(),
                }),
            },
            'a' => self.attributes.push(attribute(value)),
            _ => self.other.push(Line {
                letter,
                value: value.to_owned(),
            }),
        }
        Ok(())
    }
}

/// The order in which unmodelled lines are written.
pub(super) fn rank(letter: char) -> u8 {
    match letter {
        'i' => 0,
        'u' => 1,
        'e' => 2,
        'p' => 3,
        'c' => 4,
        'b' => 5,
        'r' => 6,
        'z' => 7,
        'k' => 8,
        _ => 9,
    }
}

fn split(line: &str) -> Option<(char, &str)> {
    let mut chars = line.chars();
    let letter = chars.next()?;
    let value = chars.as_str().strip_prefix('=')?;
    letter.is_ascii_alphabetic().then_some((letter, value))
}

fn origin(value: &str) -> Option<Origin> {
    let mut parts = value.split_whitespace().map(str::to_owned);
    Some(Origin {
        username: parts.next()?,
        session_id: parts.next()?,
        session_version: parts.next()?,
        net_type: parts.next()?,
        addr_type: parts.next()?,
        address: parts.next()?,
    })
}

fn connection(value: &str) -> Option<Connection> {
    let mut parts = value.split_whitespace().map(str::to_owned);
    Some(Connection {
        net_type: parts.next()?,
        addr_type: parts.next()?,
        address: parts.next()?,
    })
}

fn timing(value: &str) -> Timing {
    let mut parts = value.split_whitespace();
    Timing {
        start: parts.next().unwrap_or("0").to_owned(),
        stop: parts.next().unwrap_or("0").to_owned(),
    }
}

fn media(value: &str) -> Option<Media> {
    let mut parts = value.split_whitespace();
    let kind = MediaKind::from_text(parts.next()?);
    let ports = parts.next()?;
    let (port, count) = match ports.split_once('/') {
        Some((port, count)) => (port, Some(count.parse().ok()?)),
        None => (ports, None),
    };
    let port = port.parse().ok()?;
    let protocol = Protocol::from_text(parts.next()?);
    let mut media = Media::new(kind, port, protocol, parts.map(str::to_owned).collect());
    media.port_count = count;
    Some(media)
}

fn attribute(value: &str) -> Attribute {
    match value.split_once(':') {
        Some((name, value)) => Attribute {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        },
        None => Attribute {
            name: value.to_owned(),
            value: None,
        },
    }
}
