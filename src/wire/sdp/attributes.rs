//! The `a=` lines of one level, with their typed readers. Lines that cannot be read are left out of the
//! typed views and kept as text.

use std::fmt;

use super::ice::Candidate;
use super::keys::{Crypto, Setup, fingerprint};
use super::rtp::{ExtMap, Fmtp, RtcpAddress, RtcpFeedback, RtpMap};
use super::source::{Group, Msid, Rid, Simulcast, Ssrc, SsrcGroup};
use crate::plan::{Direction, Fingerprint};

/// `a=name` or `a=name:value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// What follows the colon, where there is one.
    pub value: Option<String>,
}

impl Attribute {
    /// Names are written without white space, but some devices put some before the colon.
    fn is(&self, name: &str) -> bool {
        self.name.trim_end() == name
    }

    fn trimmed(&self) -> &str {
        self.value.as_deref().unwrap_or_default().trim()
    }
}

/// Without the value of attributes that hold keys or passwords.
impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.name.trim(), "crypto" | "ice-pwd" | "key-mgmt" | "acap") {
            write!(f, "{}:(hidden)", self.name)
        } else {
            write!(f, "{}:{:?}", self.name, self.value)
        }
    }
}

/// The attributes of the session level or of one media section, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter()
    }

    /// Adds a line as it is.
    pub fn push(&mut self, attribute: Attribute) {
        self.0.push(attribute);
    }

    /// Adds `a=name:value`. Line ends in the value become spaces.
    pub fn add(&mut self, name: &str, value: impl fmt::Display) {
        let mut value = value.to_string();
        if value.contains(['\r', '\n']) {
            value = value.replace(['\r', '\n'], " ");
        }
        self.0.push(Attribute {
            name: name.to_owned(),
            value: Some(value),
        });
    }

    /// Adds `a=name`.
    pub fn flag(&mut self, name: &str) {
        self.0.push(Attribute {
            name: name.to_owned(),
            value: None,
        });
    }

    /// Removes every attribute of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|a| !a.is(name));
    }

    /// The value of the first attribute of that name, without white space around it; empty when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|a| a.is(name)).map(Attribute::trimmed)
    }

    /// The value of every attribute of that name, without white space around it.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |a| a.is(name))
            .map(Attribute::trimmed)
    }

    /// Whether there is an attribute of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The direction as the describing side holds it (RFC 8866 §6.7); the last where there are several.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.0.iter().rev().find_map(|a| direction(a.name.trim()))
    }

    /// Adds the direction, as the describing side holds it.
    pub fn add_direction(&mut self, direction: Direction) {
        self.flag(direction_name(direction));
    }

    /// `a=rtpmap` lines.
    #[must_use]
    pub fn rtpmaps(&self) -> Vec<RtpMap> {
        self.get_all("rtpmap").filter_map(RtpMap::parse).collect()
    }

    /// The parameters of a payload type (`a=fmtp`).
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<Fmtp> {
        self.get_all("fmtp")
            .filter_map(Fmtp::parse)
            .find(|f| f.format == payload_type.to_string())
    }

    /// `a=fmtp` lines.
    #[must_use]
    pub fn fmtps(&self) -> Vec<Fmtp> {
        self.get_all("fmtp").filter_map(Fmtp::parse).collect()
    }

    /// `a=rtcp-fb` lines (RFC 4585 §4.2).
    #[must_use]
    pub fn rtcp_feedback(&self) -> Vec<RtcpFeedback> {
        self.get_all("rtcp-fb")
            .filter_map(RtcpFeedback::parse)
            .collect()
    }

    /// `a=extmap` lines (RFC 8285 §5).
    #[must_use]
    pub fn extmaps(&self) -> Vec<ExtMap> {
        self.get_all("extmap").filter_map(ExtMap::parse).collect()
    }

    /// `a=ptime` in milliseconds; a fraction is cut off.
    #[must_use]
    pub fn ptime(&self) -> Option<u16> {
        milliseconds(self.get("ptime")?)
    }

    /// `a=maxptime` in milliseconds; a fraction is cut off.
    #[must_use]
    pub fn maxptime(&self) -> Option<u16> {
        milliseconds(self.get("maxptime")?)
    }

    /// `a=rtcp` (RFC 3605).
    #[must_use]
    pub fn rtcp(&self) -> Option<RtcpAddress> {
        RtcpAddress::parse(self.get("rtcp")?)
    }

    /// `a=rtcp-mux` (RFC 5761).
    #[must_use]
    pub fn rtcp_mux(&self) -> bool {
        self.has("rtcp-mux") || self.has("rtcp-mux-only")
    }

    /// `a=rtcp-rsize` (RFC 5506).
    #[must_use]
    pub fn rtcp_rsize(&self) -> bool {
        self.has("rtcp-rsize")
    }

    /// `a=crypto` lines (RFC 4568) that can be read, in order of preference.
    #[must_use]
    pub fn cryptos(&self) -> Vec<Crypto> {
        self.get_all("crypto").filter_map(Crypto::parse).collect()
    }

    /// The first `a=fingerprint` (RFC 8122) of SHA-256, or the first at all.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let all = self.fingerprints();
        all.iter()
            .find(|f| f.hash == "sha-256")
            .or(all.first())
            .cloned()
    }

    /// `a=fingerprint` lines.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        self.get_all("fingerprint")
            .filter_map(fingerprint)
            .collect()
    }

    /// `a=setup` (RFC 4145, RFC 5763 §5).
    #[must_use]
    pub fn setup(&self) -> Option<Setup> {
        Setup::parse(self.get("setup")?)
    }

    /// `a=ice-ufrag`.
    #[must_use]
    pub fn ice_ufrag(&self) -> Option<&str> {
        self.get("ice-ufrag")
    }

    /// `a=ice-pwd`.
    #[must_use]
    pub fn ice_pwd(&self) -> Option<&str> {
        self.get("ice-pwd")
    }

    /// `a=ice-lite`.
    #[must_use]
    pub fn ice_lite(&self) -> bool {
        self.has("ice-lite")
    }

    /// Tokens of `a=ice-options`, such as `trickle`.
    pub fn ice_options(&self) -> impl Iterator<Item = &str> {
        self.get("ice-options")
            .unwrap_or_default()
            .split_whitespace()
    }

    /// `a=candidate` lines (RFC 8839 §5.1).
    #[must_use]
    pub fn candidates(&self) -> Vec<Candidate> {
        self.get_all("candidate")
            .filter_map(Candidate::parse)
            .collect()
    }

    /// `a=mid` (RFC 5888).
    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.get("mid")
    }

    /// `a=group` lines (RFC 5888); at session level.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.get_all("group").filter_map(Group::parse).collect()
    }

    /// The mids of the first `a=group:BUNDLE` (RFC 9143).
    #[must_use]
    pub fn bundle(&self) -> Option<Vec<String>> {
        self.groups()
            .into_iter()
            .find(|g| g.semantics.eq_ignore_ascii_case("BUNDLE"))
            .map(|g| g.mids)
    }

    /// `a=msid` (RFC 8830).
    #[must_use]
    pub fn msid(&self) -> Option<Msid> {
        Msid::parse(self.get("msid")?)
    }

    /// `a=ssrc` lines (RFC 5576), several per SSRC.
    #[must_use]
    pub fn ssrcs(&self) -> Vec<Ssrc> {
        self.get_all("ssrc").filter_map(Ssrc::parse).collect()
    }

    /// Every SSRC of the `a=ssrc` lines, once, in order.
    #[must_use]
    pub fn ssrc_ids(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        for ssrc in self.ssrcs() {
            if !ids.contains(&ssrc.ssrc) {
                ids.push(ssrc.ssrc);
            }
        }
        ids
    }

    /// `a=ssrc-group` lines (RFC 5576), such as FID and SIM.
    #[must_use]
    pub fn ssrc_groups(&self) -> Vec<SsrcGroup> {
        self.get_all("ssrc-group")
            .filter_map(SsrcGroup::parse)
            .collect()
    }

    /// `a=rid` lines (RFC 8851).
    #[must_use]
    pub fn rids(&self) -> Vec<Rid> {
        self.get_all("rid").filter_map(Rid::parse).collect()
    }

    /// `a=simulcast` (RFC 8853).
    #[must_use]
    pub fn simulcast(&self) -> Option<Simulcast> {
        Simulcast::parse(self.get("simulcast")?)
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}

/// The direction that an attribute name states.
pub(super) fn direction(name: &str) -> Option<Direction> {
    Some(match name {
        "sendrecv" => Direction::SendRecv,
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

pub(super) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

fn milliseconds(text: &str) -> Option<u16> {
    text.trim().split('.').next()?.parse().ok()
}
