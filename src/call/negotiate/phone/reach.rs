//! How a session's packets find their way: signalled addresses, or ICE where the other side offers it.
//!
//! We are ICE-lite (RFC 8445 §2.5) and only ever answer: our own offers name addresses.

use std::net::{IpAddr, SocketAddr};

use wire::plan::{Connectivity, IceCredentials, LocalMedia};
use wire::sdp::{Candidate, Connection, Media, Section, Session};

/// What an offer says of ICE.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// Nothing that we can use: the addresses count. Towards another lite agent too: neither would check.
    Addresses,
    /// It checks; these are its credentials.
    Ice(IceCredentials),
    /// Somebody between us changed the addresses, and not the candidates (RFC 8839 §4.2.5): the addresses count.
    Mismatch,
}

impl Reach {
    /// Reads a section.
    pub(super) fn of(section: Section<'_>) -> Self {
        let Some(credentials) = section.ice().filter(|_| !section.ice_lite()) else {
            return Self::Addresses;
        };
        if !sound(&credentials) {
            return Self::Addresses;
        }
        if is_trickling(section) || has_default(section) {
            Self::Ice(credentials)
        } else {
            Self::Mismatch
        }
    }

    /// Adds our side to an answer.
    pub(super) fn describe(&self, answer: &mut Session, media: &mut Media, local: &LocalMedia) {
        match (self, &local.ice) {
            (Self::Ice(_), Some(own)) => {
                answer.attributes.flag("ice-lite");
                media.attributes.add("ice-ufrag", &own.ufrag);
                media.attributes.add("ice-pwd", &own.pwd);
                let mux = media.attributes.rtcp_mux();
                let rtcp = local.rtcp.filter(|_| !mux);
                for (component, address) in [(1, Some(local.rtp)), (2, rtcp)] {
                    if let Some(address) = address {
                        media
                            .attributes
                            .add("candidate", candidate(component, address));
                    }
                }
            }
            (Self::Mismatch, _) => media.attributes.flag("ice-mismatch"),
            _ => {}
        }
    }

    /// What it means for media; `ice` tells that our side of the session has candidates.
    pub(super) fn connectivity(
        &self,
        section: Section<'_>,
        ice: bool,
        mux: bool,
        peer: Option<IpAddr>,
    ) -> Connectivity {
        match self {
            Self::Ice(remote) if ice => Connectivity::IceLite {
                remote: remote.clone(),
            },
            _ => addresses(section, mux, peer),
        }
    }
}

fn addresses(section: Section<'_>, mux: bool, peer: Option<IpAddr>) -> Connectivity {
    let held = section.connection().is_some_and(Connection::is_hold);
    let rtp = section.rtp_addr().filter(|_| !held);
    let named = section.media.attributes.rtcp().is_some() && !mux;
    Connectivity::Static {
        rtp,
        rtcp: section.rtcp_addr().filter(|_| named && rtp.is_some()),
        peer,
    }
}

/// Lengths and alphabet of RFC 8839 §5.4.
fn sound(credentials: &IceCredentials) -> bool {
    let ice_chars = |text: &str| {
        text.bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'))
    };
    (4..=256).contains(&credentials.ufrag.len())
        && (22..=256).contains(&credentials.pwd.len())
        && ice_chars(&credentials.ufrag)
        && ice_chars(&credentials.pwd)
}

/// Candidates that come later stand behind an address that is none (RFC 8840 §4.1.1).
fn is_trickling(section: Section<'_>) -> bool {
    let nowhere = section
        .connection()
        .and_then(Connection::ip)
        .is_some_and(|ip| ip.is_unspecified());
    nowhere && section.media.port == 9
}

/// Whether every address that counts without ICE is a candidate too.
fn has_default(section: Section<'_>) -> bool {
    let candidates = section.media.attributes.candidates();
    let is_there = |component: u16, address: Option<SocketAddr>| {
        address.is_some_and(|address| {
            candidates
                .iter()
                .any(|c| c.component == component && c.addr() == Some(address))
        })
    };
    let rtcp = section.media.attributes.rtcp_mux() || is_there(2, section.rtcp_addr());
    is_there(1, section.rtp_addr()) && rtcp
}

fn candidate(component: u16, address: SocketAddr) -> Candidate {
    let host = Candidate::host("1", address, u16::MAX);
    Candidate {
        component,
        // The last octet is 256 less the component (RFC 8445 §5.1.2.1).
        priority: host.priority + 1 - u32::from(component),
        ..host
    }
}
