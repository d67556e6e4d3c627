//! Waiting on many sockets: epoll, and an eventfd by which other threads wake a shard.
#![allow(unsafe_code)] // system calls; each block carries its argument

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// The set of descriptors that a shard waits on; each carries a token of the caller's.
#[derive(Debug)]
pub(super) struct Poll {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    events: Vec<libc::epoll_event>,
}

/// Wakes a [`Poll`] from another thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Poll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the calls take no pointers; each returns a new descriptor, checked before it is owned.
        let epoll = own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let wake = own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        let poll = Self {
            epoll,
            wake: Arc::new(wake),
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
        };
        poll.add(poll.wake.as_raw_fd(), WAKE)?;
        Ok(poll)
    }

    pub(super) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Waits for `fd` to be readable from now on. Closing the descriptor removes it.
    pub(super) fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        // SAFETY: both descriptors are open; the event lives on the stack for the call.
        let result = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd,
                &raw mut event,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Waits for `fd` no longer; it stays open.
    pub(super) fn remove(&self, fd: RawFd) -> io::Result<()> {
        // SAFETY: both descriptors are open; this operation reads no event.
        let result = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                fd,
                std::ptr::null_mut(),
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Waits until something is readable, the waker was used, or `timeout` has passed, and calls
    /// `ready` with the token of each readable descriptor.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(u64),
    ) -> io::Result<()> {
        let spec = timeout.map(|t| libc::timespec {
            tv_sec: t.as_secs().min(3600) as libc::time_t,
            tv_nsec: t.subsec_nanos().into(),
        });
        let spec = spec.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // The plain epoll_wait counts in milliseconds, too coarse for a 20 ms tick.
        // SAFETY: `events` has EVENTS entries; `spec` is null or points to a timespec on the stack;
        // the signal mask is null, for which its size does not matter.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS as libc::c_int,
                spec,
                std::ptr::null::<libc::sigset_t>(),
                size_of::<libc::sigset_t>(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted {
                Ok(())
            } else {
                Err(error)
            };
        }
        for event in &self.events[..count as usize] {
            if event.u64 == WAKE {
                self.clear_wake();
            } else {
                ready(event.u64);
            }
        }
        Ok(())
    }

    fn clear_wake(&self) {
        let mut count = 0u64;
        // SAFETY: reads eight octets, an eventfd's unit, into a u64 on the stack.
        unsafe { libc::read(self.wake.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl Waker {
    /// Makes the shard's wait return.
    pub(crate) fn wake(&self) {
        let one = 1u64;
        // SAFETY: writes eight octets, an eventfd's unit, from a u64 on the stack. A full counter
        // (EAGAIN) means that a wake-up is already under way.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

fn own(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just returned by the kernel and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

const EVENTS: usize = 256;
/// The waker's token; sockets use tokens below it.
const WAKE: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waker_ends_the_wait_and_is_not_reported_as_a_socket() {
        let mut poll = Poll::new().unwrap();
        let waker = poll.waker();
        waker.wake();
        waker.wake();
        poll.wait(None, |_| panic!("no socket is ready")).unwrap();
        // The wake-up is consumed: the next wait runs into its time-out.
        poll.wait(Some(Duration::from_millis(1)), |_| {
            panic!("no socket is ready")
        })
        .unwrap();
    }
}
