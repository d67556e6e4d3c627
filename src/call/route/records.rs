//! DNS records that say where SIP is served, and the order in which they count.

use std::net::IpAddr;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::transaction::Transport;

/// What DNS said. No records, and no such name, are an empty list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To [`super::Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`super::Question::Srv`].
    Srv(Vec<Srv>),
    /// To [`super::Question::Addresses`]: of both families, in the order to try.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403 §4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naptr {
    /// Lower ones count first.
    pub order: u16,
    /// Among those of one order, lower ones count first.
    pub preference: u16,
    /// `s`: the replacement has SRV records.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, …
    pub services: String,
    /// The name to go on with.
    pub replacement: String,
}

impl Naptr {
    /// What travels to the replacement (RFC 3263 §4.1); `None` for services that are not SIP's or that we do not
    /// speak.
    pub(super) fn transport(&self) -> Option<Transport> {
        if !self.flags.eq_ignore_ascii_case("s") {
            return None;
        }
        match self.services.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Some(Transport::Udp),
            "SIP+D2T" => Some(Transport::Tcp),
            "SIPS+D2T" => Some(Transport::Tls),
            _ => None,
        }
    }
}

/// An SRV record (RFC 2782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    /// Lower ones count first.
    pub priority: u16,
    /// Its share among those of one priority.
    pub weight: u16,
    /// Where.
    pub port: u16,
    /// The host; `.` or nothing says that the service is decidedly not there.
    pub target: String,
}

/// The order in which to try them: by priority, and within one by lot with the weights as shares (RFC 2782).
pub(super) fn in_order(mut records: Vec<Srv>, random: &mut StdRng) -> Vec<Srv> {
    // Those without weight come first within their priority, so that they have a small chance.
    records.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let peers = records.iter().take_while(|srv| srv.priority == priority);
        let total: u32 = peers.map(|srv| u32::from(srv.weight)).sum();
        let lot = random.random_range(0..=total);
        let mut sum = 0;
        let drawn = records.iter().position(|srv| {
            sum += u32::from(srv.weight);
            sum >= lot
        });
        ordered.push(records.remove(drawn.unwrap_or(0)));
    }
    ordered
}
