//! A description to text, in the order of RFC 8866 §5, every line ended by CRLF.

use std::fmt;

use super::attributes::Attributes;
use super::read::rank;
use super::session::{Bandwidth, Connection, Line, Media, Origin, Session};

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        if let Some(origin) = &self.origin {
            write!(f, "o={origin}\r\n")?;
        }
        write!(
            f,
            "s={}\r\n",
            if self.name.is_empty() {
                "-"
            } else {
                &self.name
            }
        )?;
        level(f, self.connection.as_ref(), &self.bandwidth, &self.other)?;
        if self.times.is_empty() {
            f.write_str("t=0 0\r\n")?;
        }
        for time in &self.times {
            write!(f, "t={} {}\r\n", time.start, time.stop)?;
        }
        lines(f, &self.other, 6..u8::MAX)?;
        attributes(f, &self.attributes)?;
        for media in &self.media {
            write!(f, "{media}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        level(f, self.connection.as_ref(), &self.bandwidth, &self.other)?;
        lines(f, &self.other, 6..u8::MAX)?;
        attributes(f, &self.attributes)
    }
}

/// `i= u= e= p= c= b=`; further `c=` lines follow the first.
fn level(
    f: &mut fmt::Formatter<'_>,
    connection: Option<&Connection>,
    bandwidth: &[Bandwidth],
    other: &[Line],
) -> fmt::Result {
    lines(f, other, 0..4)?;
    if let Some(connection) = connection {
        write!(f, "c={connection}\r\n")?;
    }
    lines(f, other, 4..5)?;
    for figure in bandwidth {
        write!(f, "b={}:{}\r\n", figure.kind, figure.value)?;
    }
    lines(f, other, 5..6)
}

fn lines(f: &mut fmt::Formatter<'_>, lines: &[Line], ranks: std::ops::Range<u8>) -> fmt::Result {
    for line in lines.iter().filter(|l| ranks.contains(&rank(l.letter))) {
        write!(f, "{}={}\r\n", line.letter, line.value)?;
    }
    Ok(())
}

fn attributes(f: &mut fmt::Formatter<'_>, attributes: &Attributes) -> fmt::Result {
    for attribute in attributes.iter() {
        match &attribute.value {
            Some(value) => write!(f, "a={}:{value}\r\n", attribute.name)?,
            None => write!(f, "a={}\r\n", attribute.name)?,
        }
    }
    Ok(())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} {} {}",
            self.username,
            self.session_id,
            self.session_version,
            self.net_type,
            self.addr_type,
            self.address
        )
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.net_type, self.addr_type, self.address)
    }
}
