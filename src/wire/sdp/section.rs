//! A media section together with what it inherits from the session level.

use std::net::{IpAddr, SocketAddr};

use super::keys::Setup;
use super::session::{Connection, Media, Session};
use crate::plan::{Direction, Fingerprint, IceCredentials};

/// A media section seen with its session: the section's own line wins, else the session's counts.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Where it stands among the sections, from 0.
    pub index: usize,
    /// The session.
    pub session: &'a Session,
    /// The section.
    pub media: &'a Media,
}

impl Session {
    /// Every section in order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.media.iter().enumerate().map(|(index, media)| Section {
            index,
            session: self,
            media,
        })
    }
}

impl<'a> Section<'a> {
    /// `c=`.
    #[must_use]
    pub fn connection(&self) -> Option<&'a Connection> {
        self.media
            .connection
            .as_ref()
            .or(self.session.connection.as_ref())
    }

    /// The direction as the describing side holds it. Where none is given it is `sendrecv`
    /// (RFC 8866 §6.7); an address of 0.0.0.0 takes away what we would send (RFC 3264 §8.4).
    #[must_use]
    pub fn direction(&self) -> Direction {
        let stated = self
            .media
            .attributes
            .direction()
            .or_else(|| self.session.attributes.direction())
            .unwrap_or(Direction::SendRecv);
        if !self.connection().is_some_and(Connection::is_hold) {
            return stated;
        }
        match stated {
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        }
    }

    /// Where RTP is received; `None` when declined or the address is a name.
    #[must_use]
    pub fn rtp_addr(&self) -> Option<SocketAddr> {
        if self.media.port == 0 {
            return None;
        }
        Some(SocketAddr::new(self.connection()?.ip()?, self.media.port))
    }

    /// Where RTCP is received: `a=rtcp`, the RTP port when multiplexed, else the port after it.
    #[must_use]
    pub fn rtcp_addr(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_addr()?;
        if self.media.attributes.rtcp_mux() {
            return Some(rtp);
        }
        match self.media.attributes.rtcp() {
            Some(rtcp) => {
                let ip: Option<IpAddr> = rtcp.connection.as_ref().and_then(Connection::ip);
                Some(SocketAddr::new(ip.unwrap_or(rtp.ip()), rtcp.port))
            }
            None => Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?)),
        }
    }

    /// `a=fingerprint`.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.media
            .attributes
            .fingerprint()
            .or_else(|| self.session.attributes.fingerprint())
    }

    /// `a=setup`.
    #[must_use]
    pub fn setup(&self) -> Option<Setup> {
        self.media
            .attributes
            .setup()
            .or_else(|| self.session.attributes.setup())
    }

    /// `a=ice-ufrag` and `a=ice-pwd`, of one level together.
    #[must_use]
    pub fn ice(&self) -> Option<IceCredentials> {
        [&self.media.attributes, &self.session.attributes]
            .into_iter()
            .find_map(|a| {
                Some(IceCredentials {
                    ufrag: a.ice_ufrag()?.to_owned(),
                    pwd: a.ice_pwd()?.to_owned(),
                })
            })
    }

    /// Whether the describing side is ICE-lite.
    #[must_use]
    pub fn ice_lite(&self) -> bool {
        self.session.attributes.ice_lite() || self.media.attributes.ice_lite()
    }

    /// `a=ptime` in milliseconds.
    #[must_use]
    pub fn ptime(&self) -> Option<u16> {
        self.media
            .attributes
            .ptime()
            .or_else(|| self.session.attributes.ptime())
    }

    /// `a=maxptime` in milliseconds.
    #[must_use]
    pub fn maxptime(&self) -> Option<u16> {
        self.media
            .attributes
            .maxptime()
            .or_else(|| self.session.attributes.maxptime())
    }

    /// Whether `a=extmap-allow-mixed` is given (RFC 8285 §6).
    #[must_use]
    pub fn extmap_allow_mixed(&self) -> bool {
        self.session.attributes.has("extmap-allow-mixed")
            || self.media.attributes.has("extmap-allow-mixed")
    }

    /// Whether the section is declined: port 0 and not merely bundled.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.media.port == 0 && !self.media.attributes.has("bundle-only")
    }
}
