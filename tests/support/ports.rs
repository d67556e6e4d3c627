//! Free ports for programs that cannot be asked which one they chose.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use super::wait_for;

/// A TCP port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A free port whose successor is free too: baresip takes TLS calls one above the plain port.
pub(crate) fn free_port_pair() -> u16 {
    wait_for("two free ports in a row", Duration::from_secs(5), || {
        let port = free_port();
        let next = port.checked_add(1)?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, next))
            .is_ok()
            .then_some(port)
    })
}
