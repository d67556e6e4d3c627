//! The outbox: every datagram that the engine wants sent, back to back in memory that is kept.
//!
//! The engine appends, the node sends what [`Outbox::iter`] or [`Outbox::runs`] show and then calls
//! [`Outbox::clear`]. Nothing is allocated once the memory has grown to the busiest batch.

use std::net::SocketAddr;

/// A socket of the node, numbered by the node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u32);

/// Datagrams waiting for the node, in the order in which they were made.
#[derive(Debug)]
pub struct Outbox {
    bytes: Vec<u8>,
    used: usize,
    entries: Vec<Entry>,
    refused: u64,
}

/// A run of consecutive datagrams to one destination, all of one size but perhaps a shorter last one:
/// what a single UDP GSO send takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run<'a> {
    /// The socket to send from.
    pub socket: SocketId,
    /// Where to.
    pub to: SocketAddr,
    /// Size of each datagram (the last may be shorter).
    pub segment: usize,
    /// How many datagrams.
    pub count: usize,
    /// The datagrams, back to back.
    pub bytes: &'a [u8],
}

impl Outbox {
    /// An outbox that holds `datagrams` of usual size before it has to grow.
    #[must_use]
    pub fn with_capacity(datagrams: usize) -> Self {
        Self {
            bytes: vec![0; datagrams.max(1) * USUAL_DATAGRAM + MAX_DATAGRAM],
            used: 0,
            entries: Vec::with_capacity(datagrams.max(1)),
            refused: 0,
        }
    }

    /// Appends one datagram: `write` fills the given room (at least [`MAX_DATAGRAM`] octets) and says how
    /// many octets it wrote, or `None` to send nothing. Returns the datagram's size if one was appended.
    ///
    /// When nobody drains the outbox and [`MAX_BYTES`] are waiting, the datagram is refused and counted.
    pub fn push_with(
        &mut self,
        socket: SocketId,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        if self.bytes.len() - self.used < MAX_DATAGRAM {
            if self.bytes.len() >= MAX_BYTES {
                self.refused += 1;
                return None;
            }
            let grown = (self.bytes.len() * 2).min(MAX_BYTES + MAX_DATAGRAM);
            self.bytes.resize(grown, 0);
        }
        let room = self.bytes.get_mut(self.used..self.used + MAX_DATAGRAM)?;
        let len = write(room).filter(|len| (1..=MAX_DATAGRAM).contains(len))?;
        self.entries.push(Entry {
            socket,
            to,
            start: self.used,
            len,
        });
        self.used += len;
        Some(len)
    }

    /// Appends a copy of `datagram`. Returns whether it was taken.
    pub fn push(&mut self, socket: SocketId, to: SocketAddr, datagram: &[u8]) -> bool {
        self.push_with(socket, to, |room| {
            room.get_mut(..datagram.len())?.copy_from_slice(datagram);
            Some(datagram.len())
        })
        .is_some()
    }

    /// Number of datagrams waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Datagrams refused because nobody drained the outbox.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Every waiting datagram in order.
    pub fn iter(&self) -> impl Iterator<Item = (SocketId, SocketAddr, &[u8])> {
        self.entries.iter().map(|entry| {
            let bytes = self.bytes.get(entry.start..entry.start + entry.len);
            (entry.socket, entry.to, bytes.unwrap_or_default())
        })
    }

    /// The waiting datagrams in order, joined into runs for UDP GSO where neighbours allow it. A run has at
    /// most [`MAX_RUN`] datagrams and 65,000 octets.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = self.entries.get(at)?;
            let mut count = 1;
            let mut len = first.len;
            while let Some(next) = self.entries.get(at + count) {
                let previous = self.entries.get(at + count - 1)?;
                let fits = next.socket == first.socket
                    && next.to == first.to
                    && previous.len == first.len
                    && next.len <= first.len
                    && count < MAX_RUN
                    && len + next.len <= MAX_RUN_BYTES;
                if !fits {
                    break;
                }
                len += next.len;
                count += 1;
            }
            at += count;
            Some(Run {
                socket: first.socket,
                to: first.to,
                segment: first.len,
                count,
                bytes: self.bytes.get(first.start..first.start + len)?,
            })
        })
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.used = 0;
    }
}

/// Room that a writer is given for one datagram, in octets.
pub const MAX_DATAGRAM: usize = 2048;

/// Octets that may wait before datagrams are refused.
pub const MAX_BYTES: usize = 32 << 20;

/// Datagrams in one run (the kernel's `UDP_MAX_SEGMENTS` of old).
pub const MAX_RUN: usize = 64;

const MAX_RUN_BYTES: usize = 65_000;
const USUAL_DATAGRAM: usize = 1280;

#[derive(Clone, Copy, Debug)]
struct Entry {
    socket: SocketId,
    to: SocketAddr,
    start: usize,
    len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn neighbours_to_one_destination_and_of_one_size_make_a_run_that_a_shorter_one_ends() {
        let mut outbox = Outbox::with_capacity(4);
        for (port, len) in [(1, 100), (1, 100), (1, 60), (1, 60), (2, 60), (1, 80)] {
            assert!(outbox.push(SocketId(7), to(port), &vec![port as u8; len]));
        }
        let runs: Vec<_> = outbox
            .runs()
            .map(|r| (r.to.port(), r.count, r.segment, r.bytes.len()))
            .collect();
        assert_eq!(
            runs,
            [
                (1, 3, 100, 260),
                (1, 1, 60, 60),
                (2, 1, 60, 60),
                (1, 1, 80, 80)
            ]
        );
        assert_eq!(outbox.iter().count(), 6);
    }

    #[test]
    fn a_writer_that_declines_leaves_no_trace() {
        let mut outbox = Outbox::with_capacity(1);
        assert_eq!(outbox.push_with(SocketId(0), to(1), |_| None), None);
        assert_eq!(
            outbox.push_with(SocketId(0), to(1), |_| Some(MAX_DATAGRAM + 1)),
            None
        );
        assert!(outbox.is_empty());
    }

    #[test]
    fn more_than_the_first_capacity_is_kept_and_an_undrained_outbox_refuses_at_last() {
        let mut outbox = Outbox::with_capacity(1);
        let mut taken = 0_u64;
        for _ in 0..MAX_BYTES / 1000 + 100 {
            taken += u64::from(outbox.push(SocketId(0), to(1), &[1; 1000]));
        }
        assert!(outbox.refused() > 0);
        assert_eq!(taken as usize, outbox.len());
        outbox.clear();
        assert!(outbox.push(SocketId(0), to(1), &[1; 1000]));
    }
}
