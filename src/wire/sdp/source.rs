//! Attributes about streams and sections: SSRCs, msid, rids, simulcast, groups.

use std::fmt;

/// `a=ssrc:ssrc attribute[:value]` (RFC 5576 §4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ssrc {
    /// The SSRC.
    pub ssrc: u32,
    /// `cname`, `msid`, …; empty when the line names only the SSRC.
    pub attribute: String,
    /// Its value, where given.
    pub value: Option<String>,
}

impl Ssrc {
    /// A line.
    #[must_use]
    pub fn new(ssrc: u32, attribute: &str, value: &str) -> Self {
        Self {
            ssrc,
            attribute: attribute.to_owned(),
            value: Some(value.to_owned()),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let (ssrc, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        let rest = rest.trim();
        let (attribute, value) = match rest.split_once(':') {
            Some((attribute, value)) => (attribute, Some(value.to_owned())),
            None => (rest, None),
        };
        Some(Self {
            ssrc: ssrc.parse().ok()?,
            attribute: attribute.to_owned(),
            value,
        })
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ssrc)?;
        if !self.attribute.is_empty() {
            write!(f, " {}", self.attribute)?;
        }
        match &self.value {
            Some(value) => write!(f, ":{value}"),
            None => Ok(()),
        }
    }
}

/// `a=ssrc-group:semantics ssrc…` (RFC 5576 §4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SsrcGroup {
    /// `FID` (a stream and its retransmission), `SIM`, `FEC-FR`, …
    pub semantics: String,
    /// The SSRCs in order.
    pub ssrcs: Vec<u32>,
}

impl SsrcGroup {
    /// A stream and its retransmission (RFC 4588).
    #[must_use]
    pub fn fid(media: u32, rtx: u32) -> Self {
        Self {
            semantics: "FID".to_owned(),
            ssrcs: vec![media, rtx],
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let semantics = words.next()?.to_owned();
        let ssrcs: Result<_, _> = words.map(str::parse).collect();
        Some(Self {
            semantics,
            ssrcs: ssrcs.ok()?,
        })
    }
}

impl fmt::Display for SsrcGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        for ssrc in &self.ssrcs {
            write!(f, " {ssrc}")?;
        }
        Ok(())
    }
}

/// `a=group:semantics mid…` (RFC 5888).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// `BUNDLE`, `LS`, …
    pub semantics: String,
    /// The mids in order.
    pub mids: Vec<String>,
}

impl Group {
    /// A BUNDLE group (RFC 9143).
    #[must_use]
    pub fn bundle(mids: Vec<String>) -> Self {
        Self {
            semantics: "BUNDLE".to_owned(),
            mids,
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace().map(str::to_owned);
        Some(Self {
            semantics: words.next()?,
            mids: words.collect(),
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semantics)?;
        for mid in &self.mids {
            write!(f, " {mid}")?;
        }
        Ok(())
    }
}

/// `a=msid:stream [track]` (RFC 8830).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Msid {
    /// The media stream's id; `-` for none.
    pub stream: String,
    /// The track's id, where given.
    pub track: Option<String>,
}

impl Msid {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace().map(str::to_owned);
        Some(Self {
            stream: words.next()?,
            track: words.next(),
        })
    }
}

impl fmt::Display for Msid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stream)?;
        match &self.track {
            Some(track) => write!(f, " {track}"),
            None => Ok(()),
        }
    }
}

/// `a=rid:id send|recv [restrictions]` (RFC 8851).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rid {
    /// The id.
    pub id: String,
    /// Whether the describing side sends it (else it receives it).
    pub send: bool,
    /// Restrictions, as written.
    pub restrictions: Option<String>,
}

impl Rid {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let id = words.next()?.to_owned();
        let send = match words.next()? {
            "send" => true,
            "recv" => false,
            _ => return None,
        };
        let restrictions = words.collect::<Vec<_>>().join(" ");
        Some(Self {
            id,
            send,
            restrictions: (!restrictions.is_empty()).then_some(restrictions),
        })
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.send { "send" } else { "recv" };
        write!(f, "{} {way}", self.id)?;
        match &self.restrictions {
            Some(restrictions) => write!(f, " {restrictions}"),
            None => Ok(()),
        }
    }
}

/// `a=simulcast:send … recv …` (RFC 8853). Each stream is a list of alternatives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Simulcast {
    /// Streams that the describing side sends.
    pub send: Vec<Vec<SimulcastId>>,
    /// Streams that it receives.
    pub recv: Vec<Vec<SimulcastId>>,
}

/// A rid, paused when written with `~`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimulcastId {
    /// The rid.
    pub id: String,
    /// Whether it starts paused.
    pub paused: bool,
}

impl Simulcast {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let mut simulcast = Self::default();
        while let (Some(way), Some(list)) = (words.next(), words.next()) {
            let streams = list
                .split(';')
                .map(|stream| stream.split(',').map(SimulcastId::parse).collect())
                .collect();
            match way {
                "send" => simulcast.send = streams,
                "recv" => simulcast.recv = streams,
                _ => return None,
            }
        }
        Some(simulcast)
    }
}

impl SimulcastId {
    fn parse(text: &str) -> Self {
        let id = text.strip_prefix('~');
        Self {
            id: id.unwrap_or(text).to_owned(),
            paused: id.is_some(),
        }
    }
}

impl fmt::Display for Simulcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (way, streams) in [("send", &self.send), ("recv", &self.recv)] {
            if streams.is_empty() {
                continue;
            }
            write!(f, "{before}{way} ")?;
            before = " ";
            for (index, stream) in streams.iter().enumerate() {
                f.write_str(if index == 0 { "" } else { ";" })?;
                for (index, rid) in stream.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    write!(f, "{}{}", if rid.paused { "~" } else { "" }, rid.id)?;
                }
            }
        }
        Ok(())
    }
}
