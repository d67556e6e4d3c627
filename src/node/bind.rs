//! Binding the TCP and UDP listeners, all of them before any is served.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

use crate::config::{Config, ConfigError, Listen};

/// A TCP listener, or none where the key says off.
///
/// # Errors
/// The configuration error that names the key, when the address cannot be bound.
pub(super) fn tcp(
    config: &Config,
    key: &'static str,
    listen: Listen,
) -> Result<Option<TcpListener>, ConfigError> {
    let Some(address) = listen.address() else {
        return Ok(None);
    };
    let bind = |address| -> io::Result<TcpListener> {
        let socket = open(address, Type::STREAM, Protocol::TCP)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    or_ipv4(listen, address, bind)
        .map(Some)
        .map_err(|error| refuse(config, key, address, &error))
}

/// A UDP socket for SIP, or none where the key says off.
///
/// # Errors
/// As [`tcp`].
pub(super) fn udp(
    config: &Config,
    key: &'static str,
    listen: Listen,
) -> Result<Option<UdpSocket>, ConfigError> {
    let Some(address) = listen.address() else {
        return Ok(None);
    };
    let bind = |address| -> io::Result<UdpSocket> {
        let socket = open(address, Type::DGRAM, Protocol::UDP)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    or_ipv4(listen, address, bind)
        .map(Some)
        .map_err(|error| refuse(config, key, address, &error))
}

/// The error of an address that cannot be bound.
pub(super) fn refuse(
    config: &Config,
    key: &'static str,
    address: SocketAddr,
    error: &io::Error,
) -> ConfigError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the program that has the port, or name another one (0 lets the kernel choose)"
        }
        io::ErrorKind::AddrNotAvailable => "name an address of this machine",
        io::ErrorKind::PermissionDenied => {
            "name a port above 1023, or give the process the right to this one"
        }
        _ => "name an address and port that this machine can listen on",
    };
    config.refuse(key, format!("cannot listen on {address}: {error}"), remedy)
}

/// The address to tell others on this machine: one bound to all addresses is reached by loopback.
pub(super) fn reachable(bound: SocketAddr) -> SocketAddr {
    if bound.ip().is_unspecified() {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port())
    } else {
        bound
    }
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // `[::]` serves IPv4 as well.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A machine without IPv6 listens on all its IPv4 addresses instead.
fn or_ipv4<T>(
    listen: Listen,
    address: SocketAddr,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let no_ipv6 = |error: &io::Error| {
        matches!(
            error.raw_os_error(),
            Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
        )
    };
    match bind(address) {
        Err(error) if matches!(listen, Listen::All(_)) && no_ipv6(&error) => bind(SocketAddr::new(
            Ipv4Addr::UNSPECIFIED.into(),
            address.port(),
        )),
        result => result,
    }
}

const BACKLOG: i32 = 1024;
