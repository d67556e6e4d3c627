//! The machine's own addresses, and which of them to tell others.
#![allow(unsafe_code)] // one system call; its blocks carry their argument

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every address of every interface that is up, loopback included, link-local excluded.
pub(crate) fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: getifaddrs fills in a list that we free below with freeifaddrs, on every path.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: `next` is a non-null entry of the list that getifaddrs made.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        let up = entry.ifa_flags & libc::IFF_UP as libc::c_uint != 0;
        if up
            && let Some(ip) = address_of(entry.ifa_addr)
            && !is_link_local(ip)
            && !found.contains(&ip)
        {
            found.push(ip);
        }
    }
    // SAFETY: the list came from getifaddrs and is not used after this.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// The addresses at which media bound to `bound` can be reached: those configured, else the bound
/// one, else all of the machine's, with those that others can reach first.
pub(crate) fn advertised(configured: &[IpAddr], bound: IpAddr, local: &[IpAddr]) -> Vec<IpAddr> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let mut all: Vec<IpAddr> = local
        .iter()
        .copied()
        .filter(|ip| bound.is_ipv6() || ip.is_ipv4())
        .collect();
    all.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    all
}

fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: a non-null ifa_addr points to a socket address whose size its family tells.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let v4 = &*address.cast::<libc::sockaddr_in>();
                Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let v6 = &*address.cast::<libc::sockaddr_in6>();
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_among_the_machines_addresses() {
        let all = local_addresses().unwrap();
        assert!(all.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{all:?}");
    }

    #[test]
    fn a_configured_address_beats_a_bound_one_and_a_bound_one_beats_the_machines() {
        let configured = [IpAddr::from([203, 0, 113, 7])];
        let local = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 4])];
        let bound = IpAddr::from([192, 0, 2, 9]);
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        assert_eq!(advertised(&configured, bound, &local), configured);
        assert_eq!(advertised(&[], bound, &local), [bound]);
        assert_eq!(advertised(&[], any, &local), [local[1], local[0]]);
    }
}
