//! Packets in order of their sequence numbers, in memory that never grows.

/// One audio packet as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Extended sequence number (RFC 3550 §A.1).
    pub sequence: u64,
    /// RTP timestamp as on the wire.
    pub timestamp: u32,
    /// RTP payload type; decides the codec.
    pub payload_type: u8,
    /// RTP marker: the first packet after silence (RFC 3551 §4.1).
    pub marker: bool,
    /// Level that the packet announces, 0 (loudest) to 127 (RFC 6464); `None` where it does not.
    pub level: Option<u8>,
    /// The payload.
    pub payload: &'a [u8],
}

/// What became of a packet that was put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It waits for its time.
    Kept,
    /// Its time was over already.
    Late,
    /// It was there already.
    Duplicate,
    /// No codec is agreed for its payload type.
    UnknownType,
    /// Its payload is empty, too long, or not of its codec.
    Malformed,
}

/// A packet that waits. Its payload is in the buffer under `cell`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) sequence: u64,
    /// Position of its first sample.
    pub(crate) position: i64,
    /// Samples at 48 kHz that it holds.
    pub(crate) samples: i64,
    /// Index of its format.
    pub(crate) format: usize,
    pub(crate) marker: bool,
    pub(crate) level: Option<u8>,
    cell: usize,
    length: usize,
}

/// Ordered storage for at most [`JitterBuffer::CAPACITY`] packets.
pub struct JitterBuffer {
    /// In order of sequence.
    waiting: Vec<Waiting>,
    /// One cell of [`JitterBuffer::MAX_PAYLOAD`] octets per packet.
    cells: Vec<u8>,
    /// Cells not in use. Last out, first in: few cells are ever touched while the buffer is short.
    free: Vec<usize>,
    seen: Seen,
}

impl JitterBuffer {
    /// Packets that it can hold: more than 200 ms even in packets of 5 ms.
    pub const CAPACITY: usize = 48;
    /// The longest payload in octets.
    pub const MAX_PAYLOAD: usize = 1_500;

    /// An empty buffer with all its memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            waiting: Vec::with_capacity(Self::CAPACITY),
            cells: vec![0; Self::CAPACITY * Self::MAX_PAYLOAD],
            free: (0..Self::CAPACITY).rev().collect(),
            seen: Seen::default(),
        }
    }

    /// Number of packets that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no packet waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the next packet would need room that is not there.
    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    /// Marks a sequence number as arrived; `false` when it was already.
    pub(crate) fn mark(&mut self, sequence: u64) -> bool {
        self.seen.mark(sequence)
    }

    /// Whether a sequence number arrived.
    pub(crate) fn has(&self, sequence: u64) -> bool {
        self.seen.has(sequence)
    }

    /// How many sequence numbers strictly between two did not arrive.
    pub(crate) fn missing_between(&self, after: u64, before: u64) -> u64 {
        self.seen.missing_between(after, before)
    }

    /// Keeps a packet. The caller has marked it and made room.
    pub(crate) fn insert(
        &mut self,
        arrived: &Arrived<'_>,
        position: i64,
        samples: i64,
        format: usize,
    ) -> Put {
        if arrived.payload.len() > Self::MAX_PAYLOAD {
            return Put::Malformed;
        }
        let Some(cell) = self.free.pop() else {
            return Put::Late;
        };
        let from = cell * Self::MAX_PAYLOAD;
        self.cells[from..from + arrived.payload.len()].copy_from_slice(arrived.payload);
        let place = self
            .waiting
            .partition_point(|other| other.sequence < arrived.sequence);
        self.waiting.insert(
            place,
            Waiting {
                sequence: arrived.sequence,
                position,
                samples,
                format,
                marker: arrived.marker,
                level: arrived.level,
                cell,
                length: arrived.payload.len(),
            },
        );
        Put::Kept
    }

    /// The packet whose turn is next.
    pub(crate) fn first(&self) -> Option<&Waiting> {
        self.waiting.first()
    }

    /// All packets, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// The payload of a packet that waits, or that was just removed.
    pub(crate) fn payload(&self, packet: &Waiting) -> &[u8] {
        let from = packet.cell * Self::MAX_PAYLOAD;
        &self.cells[from..from + packet.length]
    }

    /// Removes the first packet. Its payload stays readable until the next insertion.
    pub(crate) fn remove_first(&mut self) -> Option<Waiting> {
        if self.waiting.is_empty() {
            return None;
        }
        let packet = self.waiting.remove(0);
        self.free.push(packet.cell);
        Some(packet)
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> [usize; 3] {
        [
            self.waiting.capacity(),
            self.cells.capacity(),
            self.free.capacity(),
        ]
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        while self.remove_first().is_some() {}
        self.seen = Seen::default();
    }
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Which of the last 128 sequence numbers arrived.
#[derive(Default)]
struct Seen {
    newest: u64,
    /// Bit `n` stands for `newest - n`; all zero before the first packet.
    bits: u128,
}

impl Seen {
    fn mark(&mut self, sequence: u64) -> bool {
        if self.bits == 0 {
            self.newest = sequence;
            self.bits = 1;
            return true;
        }
        if sequence > self.newest {
            let ahead = sequence - self.newest;
            self.bits = if ahead < 128 { self.bits << ahead } else { 0 };
            self.bits |= 1;
            self.newest = sequence;
            return true;
        }
        let behind = self.newest - sequence;
        if behind >= 128 {
            // Too old to tell; late in any case.
            return true;
        }
        let bit = 1_u128 << behind;
        let fresh = self.bits & bit == 0;
        self.bits |= bit;
        fresh
    }

    fn has(&self, sequence: u64) -> bool {
        self.newest
            .checked_sub(sequence)
            .is_some_and(|behind| behind < 128 && self.bits >> behind & 1 == 1)
    }

    fn missing_between(&self, after: u64, before: u64) -> u64 {
        let Some(between) = before.checked_sub(after + 1) else {
            return 0;
        };
        let arrived = (1..=between.min(128))
            .filter(|back| self.has(before - back))
            .count() as u64;
        between - arrived
    }
}
