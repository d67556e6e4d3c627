//! The values with which the node makes an engine and gives it sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::guard::dtls::Identity;
use crate::send::outbox::SocketId;

/// What an engine needs to know when it is made.
#[derive(Debug)]
pub struct Config {
    /// One moment on both clocks, from which NTP timestamps are made.
    pub epoch: (Instant, SystemTime),
    /// Seed of everything random: SSRCs, ICE credentials, CNAMEs, first sequence numbers. Must be
    /// unpredictable in service; fixed in tests.
    pub seed: [u8; 32],
    /// Our DTLS certificate.
    pub identity: Identity,
    /// A leg whose agreement lets us receive is lost after this long without a packet.
    pub media_timeout: Duration,
    /// The same for a leg that is held or muted: it may well have nothing to send, but not for ever.
    pub held_timeout: Duration,
    /// How many speakers a bridge mixes.
    pub loudest: usize,
    /// How many datagrams the outbox holds before it first has to grow.
    pub outbox_datagrams: usize,
}

/// Sockets that the node has bound for a leg, and the addresses to advertise for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LegSockets {
    /// A pair of its own.
    Phone {
        /// The RTP socket.
        rtp: SocketId,
        /// The RTCP socket.
        rtcp: SocketId,
        /// Advertised address of the RTP socket.
        rtp_addr: SocketAddr,
        /// Advertised address of the RTCP socket.
        rtcp_addr: SocketAddr,
    },
    /// The shared port.
    Browser {
        /// The shared socket.
        shared: SocketId,
        /// Every advertised address of it; the first stands in the `c=` line.
        candidates: Vec<SocketAddr>,
    },
}
