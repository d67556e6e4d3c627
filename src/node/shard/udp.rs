//! UDP sockets of a shard: batches in by recvmmsg, batches out by sendmmsg with segmentation offload.
//!
//! All buffers are made once. A run of equal-sized packets to one receiver leaves as one GSO burst,
//! because the kernel charges a send by the call, not by the byte (`ARCHITECTURE.md` has the figures).
#![allow(unsafe_code)] // system calls; each block carries its argument

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};

/// A non-blocking UDP socket bound to one address.
#[derive(Debug)]
pub(super) struct UdpSocket {
    fd: OwnedFd,
    local: SocketAddr,
}

impl UdpSocket {
    /// Binds; the kernel's buffers are asked to hold about a second of video.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        stamp_arrivals(&socket)?;
        // Best effort: the kernel clamps to net.core.rmem_max.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.bind(&address.into())?;
        let local = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("not an internet socket"))?;
        Ok(Self {
            fd: socket.into(),
            local,
        })
    }

    /// The bound address.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Room for one batch of received packets.
pub(super) struct ReceiveBatch {
    buffers: Vec<[u8; PACKET]>,
    names: Vec<libc::sockaddr_storage>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    controls: Vec<StampControl>,
}

/// Room for one time stamp as control message, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct StampControl([u8; 64]);

impl ReceiveBatch {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; PACKET]; BATCH],
            // SAFETY: all four structs are plain C data for which all zeroes is a valid value.
            names: vec![unsafe { mem::zeroed() }; BATCH],
            iovecs: vec![unsafe { mem::zeroed() }; BATCH],
            headers: vec![unsafe { mem::zeroed() }; BATCH],
            controls: vec![StampControl([0; 64]); BATCH],
        }
    }

    /// Receives what waits, at most one batch. Zero when nothing waits.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for i in 0..BATCH {
            self.iovecs[i] = libc::iovec {
                iov_base: self.buffers[i].as_mut_ptr().cast(),
                iov_len: PACKET,
            };
            let header = &mut self.headers[i];
            header.msg_len = 0;
            header.msg_hdr.msg_name = (&raw mut self.names[i]).cast();
            header.msg_hdr.msg_namelen = socklen::<libc::sockaddr_storage>();
            header.msg_hdr.msg_iov = &raw mut self.iovecs[i];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = size_of::<StampControl>() as _;
            header.msg_hdr.msg_flags = 0;
        }
        // SAFETY: every header points into this struct's own vectors, which live and stay in place
        // for the whole call; their lengths are BATCH.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        match io::Error::last_os_error() {
            // ICMP errors of earlier sends are reported on receive; they say nothing of this socket.
            e if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock
                    | io::ErrorKind::Interrupted
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
            ) =>
            {
                Ok(0)
            }
            e => Err(e),
        }
    }

    /// When the `i`th packet of the last batch came to this machine, by the kernel's stamp; `now` (the same moment on
    /// both clocks) where it has none, or one that makes no sense because the wall clock was set meanwhile.
    pub(super) fn arrived(&self, i: usize, now: (Instant, SystemTime)) -> Instant {
        let age = self
            .stamp(i)
            .and_then(|stamp| now.1.duration_since(UNIX_EPOCH).ok()?.checked_sub(stamp))
            .filter(|age| *age < OLDEST)
            .unwrap_or(Duration::ZERO);
        now.0.checked_sub(age).unwrap_or(now.0)
    }

    /// The kernel's stamp, since the Unix epoch.
    fn stamp(&self, i: usize) -> Option<Duration> {
        let header = &self.headers[i].msg_hdr;
        // SAFETY: after recvmmsg msg_control and msg_controllen describe what the kernel wrote into our own buffer of
        // the same index, so CMSG_FIRSTHDR returns null or a whole header inside it; a stamp is followed by a
        // timespec, for which the length is checked before it is read unaligned.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            if control.is_null()
                || (*control).cmsg_level != libc::SOL_SOCKET
                || (*control).cmsg_type != libc::SCM_TIMESTAMPNS
                || ((*control).cmsg_len as usize)
                    < libc::CMSG_LEN(size_of::<libc::timespec>() as u32) as usize
            {
                return None;
            }
            let time = libc::CMSG_DATA(control)
                .cast::<libc::timespec>()
                .read_unaligned();
            let seconds = u64::try_from(time.tv_sec).ok()?;
            Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
        }
    }

    /// The `i`th packet of the last batch and where it came from; `None` when it was cut off or its
    /// source is no internet address.
    pub(super) fn packet(&mut self, i: usize) -> Option<(SocketAddr, &mut [u8])> {
        let header = &self.headers[i];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let from = from_storage(&self.names[i])?;
        let len = (header.msg_len as usize).min(PACKET);
        Some((from, &mut self.buffers[i][..len]))
    }
}

/// Room for one batch of packets to send on one socket.
pub(super) struct SendBatch {
    names: Vec<libc::sockaddr_storage>,
    iovecs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    controls: Vec<SegmentControl>,
    bursts: usize,
    vectors: usize,
    /// What the burst being built goes to and the size of its packets, to see whether the next one fits.
    open: Option<(SocketAddr, usize, usize)>,
    segmentation: bool,
}

/// A control message of two octets, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct SegmentControl([u8; 24]);

impl SendBatch {
    pub(super) fn new() -> Self {
        Self {
            // SAFETY: plain C data for which all zeroes is a valid value.
            names: vec![unsafe { mem::zeroed() }; BATCH],
            iovecs: vec![unsafe { mem::zeroed() }; BATCH * MAX_SEGMENTS],
            headers: vec![unsafe { mem::zeroed() }; BATCH],
            controls: vec![SegmentControl([0; 24]); BATCH],
            bursts: 0,
            vectors: 0,
            open: None,
            segmentation: true,
        }
    }

    /// Sends `packets` in order on `socket`. Returns how many the kernel took and how many it refused;
    /// media is not queued behind a full socket, because late audio is worth nothing.
    pub(super) fn send<'a>(
        &mut self,
        socket: &UdpSocket,
        packets: impl Iterator<Item = (SocketAddr, &'a [u8])>,
    ) -> Sent {
        let mut sent = Sent::default();
        for (to, packet) in packets {
            if !self.append(to, packet) {
                self.flush(socket, &mut sent);
                self.append(to, packet);
            }
        }
        self.flush(socket, &mut sent);
        sent
    }

    /// Adds a packet to the open burst or begins a new one; false when the batch is full.
    fn append(&mut self, to: SocketAddr, packet: &[u8]) -> bool {
        let vector = libc::iovec {
            iov_base: packet.as_ptr().cast_mut().cast(),
            iov_len: packet.len(),
        };
        if let Some((open_to, size, total)) = self.open
            && self.segmentation
            && open_to == to
            && packet.len() == size
            && total + size <= MAX_BURST
            && self.headers[self.bursts - 1].msg_hdr.msg_iovlen < MAX_SEGMENTS
        {
            self.iovecs[self.vectors] = vector;
            self.vectors += 1;
            self.headers[self.bursts - 1].msg_hdr.msg_iovlen += 1;
            self.open = Some((to, size, total + size));
            return true;
        }
        if self.bursts == BATCH || self.vectors == self.iovecs.len() {
            return false;
        }
        let i = self.bursts;
        let name_len = to_storage(to, &mut self.names[i]);
        self.iovecs[self.vectors] = vector;
        let header = &mut self.headers[i].msg_hdr;
        header.msg_name = (&raw mut self.names[i]).cast();
        header.msg_namelen = name_len;
        header.msg_iov = &raw mut self.iovecs[self.vectors];
        header.msg_iovlen = 1;
        header.msg_control = std::ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        self.vectors += 1;
        self.bursts += 1;
        self.open = Some((to, packet.len(), packet.len()));
        true
    }

    fn flush(&mut self, socket: &UdpSocket, sent: &mut Sent) {
        for i in 0..self.bursts {
            if self.headers[i].msg_hdr.msg_iovlen > 1 {
                self.ask_for_segments(i);
            }
        }
        let mut first = 0;
        while first < self.bursts {
            // SAFETY: headers[first..bursts] point to names, iovecs and controls of this struct and,
            // through the iovecs, to packets borrowed for the whole of `send`, which outlives this
            // call. The kernel only reads them.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers[first..].as_mut_ptr(),
                    (self.bursts - first) as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            };
            if count > 0 {
                let done = &self.headers[first..first + count as usize];
                sent.taken += done.iter().map(|h| h.msg_hdr.msg_iovlen).sum::<usize>();
                first += count as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            if self.headers[first].msg_hdr.msg_iovlen > 1 && offload_missing(&error) {
                self.segmentation = false;
                self.send_one_by_one(socket, first, sent);
            } else {
                // The kernel stops at the packet that failed: skip it, and try the rest.
                sent.refused += self.headers[first].msg_hdr.msg_iovlen;
            }
            first += 1;
        }
        self.bursts = 0;
        self.vectors = 0;
        self.open = None;
    }

    /// Writes the UDP_SEGMENT control message of burst `i`.
    fn ask_for_segments(&mut self, i: usize) {
        let header = &mut self.headers[i].msg_hdr;
        // SAFETY: an mmsghdr with msg_iovlen > 0 points to a valid iovec of ours.
        let size = unsafe { (*header.msg_iov).iov_len } as u16;
        header.msg_control = self.controls[i].0.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute. The control buffer is 24 octets, aligned to
        // 8, which CMSG_SPACE(2) fills exactly on Linux, so CMSG_FIRSTHDR returns its start and the
        // writes of header and two data octets stay inside.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(2) as _;
            let control = libc::CMSG_FIRSTHDR(header);
            (*control).cmsg_level = libc::SOL_UDP;
            (*control).cmsg_type = libc::UDP_SEGMENT;
            (*control).cmsg_len = libc::CMSG_LEN(2) as _;
            libc::CMSG_DATA(control).cast::<u16>().write_unaligned(size);
        }
    }

    fn send_one_by_one(&mut self, socket: &UdpSocket, burst: usize, sent: &mut Sent) {
        let header = self.headers[burst].msg_hdr;
        for k in 0..header.msg_iovlen {
            // SAFETY: the burst's iovecs are consecutive in `self.iovecs`, msg_iovlen of them, and
            // point to packets borrowed by `send`; the kernel only reads.
            let result = unsafe {
                let vector = *header.msg_iov.add(k);
                libc::sendto(
                    socket.as_raw_fd(),
                    vector.iov_base,
                    vector.iov_len,
                    libc::MSG_DONTWAIT,
                    header.msg_name.cast(),
                    header.msg_namelen,
                )
            };
            if result >= 0 {
                sent.taken += 1;
            } else {
                sent.refused += 1;
            }
        }
    }
}

/// Asks the kernel to say when each datagram arrived.
fn stamp_arrivals(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: an open socket, and a pointer to an int with its size; the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            socklen::<libc::c_int>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

// SAFETY: the raw pointers in `headers` and `iovecs` point into the same value or are stale; each is
// written anew before the system call that reads it, so moving the value between threads between
// calls leaves nothing behind.
unsafe impl Send for ReceiveBatch {}
// SAFETY: as above.
unsafe impl Send for SendBatch {}

/// What became of a batch of packets.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Packets that the kernel took.
    pub(super) taken: usize,
    /// Packets that it refused (buffer full, no route).
    pub(super) refused: usize,
}

fn offload_missing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

fn socklen<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

fn from_storage(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a sockaddr_in, as the family says; sockaddr_storage is larger
            // and at least as aligned.
            let v4 = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn to_storage(address: SocketAddr, storage: &mut libc::sockaddr_storage) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*v4.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: sockaddr_storage is larger than and at least as aligned as sockaddr_in.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in>().write(value) };
            socklen::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above, for sockaddr_in6.
            unsafe {
                (&raw mut *storage)
                    .cast::<libc::sockaddr_in6>()
                    .write(value);
            };
            socklen::<libc::sockaddr_in6>()
        }
    }
}

/// Packets in a batch.
const BATCH: usize = 64;
/// Room for a packet: an Ethernet frame's worth and some more, as media never uses fragments.
const PACKET: usize = 2048;
/// Packets in one GSO burst; the kernel takes 64.
const MAX_SEGMENTS: usize = 48;
/// Octets in one GSO burst; the kernel takes 65,507 together.
const MAX_BURST: usize = 60_000;
const KERNEL_BUFFER: usize = 4 << 20;
/// No packet waits longer in a socket that is read; an older stamp is a wall clock that was set.
const OLDEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let any = "127.0.0.1:0".parse().unwrap();
        (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap())
    }

    fn wait_readable(socket: &UdpSocket) {
        let mut poll = libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd on the stack.
        assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 2000) }, 1);
    }

    #[test]
    fn a_burst_of_equal_packets_arrives_whole_and_in_order() {
        let (a, b) = pair();
        let packets: Vec<Vec<u8>> = (0..150u8).map(|n| vec![n; 300]).collect();
        let sent = SendBatch::new().send(&a, packets.iter().map(|p| (b.local(), p.as_slice())));
        assert_eq!(
            sent,
            Sent {
                taken: 150,
                refused: 0
            }
        );

        let mut batch = ReceiveBatch::new();
        let mut seen = Vec::new();
        while seen.len() < 150 {
            wait_readable(&b);
            let count = batch.receive(&b).unwrap();
            for i in 0..count {
                let (from, packet) = batch.packet(i).unwrap();
                assert_eq!(from, a.local());
                assert_eq!(packet.len(), 300);
                seen.push(packet[0]);
            }
        }
        assert_eq!(seen, (0..150u8).collect::<Vec<_>>());
    }

    #[test]
    fn a_packets_time_is_that_of_its_arrival_and_not_of_its_reading() {
        let (a, b) = pair();
        let mut batch = ReceiveBatch::new();
        let slack = Duration::from_millis(2);
        // Linux stamps packets from some time after it was asked to; and between two clocks a busy machine may stand still.
        let well = (0..50).any(|_| {
            let before = Instant::now();
            SendBatch::new().send(&a, [(b.local(), [1_u8; 20].as_slice())].into_iter());
            wait_readable(&b);
            let there = Instant::now();
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(batch.receive(&b).unwrap(), 1);
            let arrived = batch.arrived(0, (Instant::now(), SystemTime::now()));
            arrived + slack >= before && arrived <= there + slack
        });
        assert!(well, "never the time of arrival");
    }

    #[test]
    fn packets_of_different_sizes_and_receivers_keep_their_borders() {
        let (a, b) = pair();
        let c = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let packets = [
            (b.local(), vec![1; 100]),
            (c.local(), vec![2; 100]),
            (b.local(), vec![3; 50]),
        ];
        let sent = SendBatch::new().send(&a, packets.iter().map(|(to, p)| (*to, p.as_slice())));
        assert_eq!(sent.taken, 3);
        let mut batch = ReceiveBatch::new();
        wait_readable(&c);
        assert_eq!(batch.receive(&c).unwrap(), 1);
        assert_eq!(batch.packet(0).unwrap().1, vec![2; 100]);
        let mut sizes = Vec::new();
        while sizes.len() < 2 {
            wait_readable(&b);
            for i in 0..batch.receive(&b).unwrap() {
                sizes.push(batch.packet(i).unwrap().1.len());
            }
        }
        assert_eq!(sizes, [100, 50]);
    }

    #[test]
    fn a_packet_larger_than_the_buffer_is_not_passed_on_cut_off() {
        let (a, b) = pair();
        SendBatch::new().send(&a, [(b.local(), [7u8; PACKET + 1].as_slice())].into_iter());
        wait_readable(&b);
        let mut batch = ReceiveBatch::new();
        assert_eq!(batch.receive(&b).unwrap(), 1);
        assert!(batch.packet(0).is_none());
    }

    #[test]
    fn nothing_waiting_is_an_empty_batch() {
        let (a, _) = pair();
        assert_eq!(ReceiveBatch::new().receive(&a).unwrap(), 0);
    }
}
