//! The ledger: every datagram that came in is either consumed or dropped, and each drop has a reason.

/// Packets in and out of an engine since it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    packets_in: u64,
    bytes_in: u64,
    consumed: [u64; Consumed::ALL.len()],
    dropped: [u64; Dropped::ALL.len()],
    sent: [u64; Sent::ALL.len()],
    bytes_out: u64,
    withheld: [u64; Withheld::ALL.len()],
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self {
            packets_in: 0,
            bytes_in: 0,
            consumed: [0; Consumed::ALL.len()],
            dropped: [0; Dropped::ALL.len()],
            sent: [0; Sent::ALL.len()],
            bytes_out: 0,
            withheld: [0; Withheld::ALL.len()],
        }
    }

    /// Datagrams that came in.
    #[must_use]
    pub fn packets_in(&self) -> u64 {
        self.packets_in
    }

    /// UDP payload octets that came in.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Datagrams handed to the outbox.
    #[must_use]
    pub fn packets_out(&self) -> u64 {
        self.sent.iter().sum()
    }

    /// UDP payload octets handed to the outbox.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Datagrams consumed as `kind`.
    #[must_use]
    pub fn consumed(&self, kind: Consumed) -> u64 {
        self.consumed.get(kind as usize).copied().unwrap_or(0)
    }

    /// Datagrams dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// Datagrams sent as `kind`.
    #[must_use]
    pub fn sent(&self, kind: Sent) -> u64 {
        self.sent.get(kind as usize).copied().unwrap_or(0)
    }

    /// Copies of video packets that a viewer was not sent, for `reason`.
    #[must_use]
    pub fn withheld(&self, reason: Withheld) -> u64 {
        self.withheld.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every drop with its name, for metrics.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Dropped::ALL
            .iter()
            .map(|reason| (reason.name(), self.dropped(*reason)))
    }

    /// Every kind of consumption with its name, for metrics.
    pub fn consumption(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Consumed::ALL
            .iter()
            .map(|kind| (kind.name(), self.consumed(*kind)))
    }

    /// Every kind of sent packet with its name, for metrics.
    pub fn sending(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Sent::ALL.iter().map(|kind| (kind.name(), self.sent(*kind)))
    }

    /// Whether packets in = consumed + dropped.
    #[must_use]
    pub fn balances(&self) -> bool {
        let accounted: u64 = self.consumed.iter().chain(&self.dropped).sum();
        accounted == self.packets_in
    }

    /// Adds what another engine counted.
    pub fn add(&mut self, other: &Self) {
        self.packets_in += other.packets_in;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        let sums = [
            (self.consumed.as_mut_slice(), other.consumed.as_slice()),
            (&mut self.dropped, &other.dropped),
            (&mut self.sent, &other.sent),
            (&mut self.withheld, &other.withheld),
        ];
        for (sums, counts) in sums {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    pub(crate) fn count_in(&mut self, bytes: usize, outcome: Result<Consumed, Dropped>) {
        self.packets_in += 1;
        self.bytes_in += bytes as u64;
        let slot = match outcome {
            Ok(kind) => self.consumed.get_mut(kind as usize),
            Err(reason) => self.dropped.get_mut(reason as usize),
        };
        if let Some(slot) = slot {
            *slot += 1;
        }
    }

    pub(crate) fn count_out(&mut self, kind: Sent, bytes: usize) {
        if let Some(slot) = self.sent.get_mut(kind as usize) {
            *slot += 1;
        }
        self.bytes_out += bytes as u64;
    }

    pub(crate) fn count_withheld(&mut self, reason: Withheld) {
        if let Some(slot) = self.withheld.get_mut(reason as usize) {
            *slot += 1;
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[$entry_doc:meta])* $entry:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$entry_doc])* $entry,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$entry,)+];

            /// Name for metrics and logs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$entry => $text,)+ }
            }
        }
    };
}

counted! {
    /// What a datagram was used as.
    Consumed {
        /// A valid ICE connectivity check, answered.
        Stun = "stun",
        /// A DTLS record handed to a handshake.
        Dtls = "dtls",
        /// RTCP, read.
        Rtcp = "rtcp",
        /// Audio, put into the jitter buffer.
        Audio = "audio",
        /// A telephone event.
        Digit = "digit",
        /// Video, handed to the viewers of its stream (who may be none).
        Video = "video",
    }
}

counted! {
    /// Why a datagram was not used.
    Dropped {
        /// No octets, or a first octet that RFC 7983 gives to nothing we speak.
        NotMedia = "not_media",
        /// No leg is on that socket or address.
        UnknownSender = "unknown_sender",
        /// Larger than any datagram that we take.
        TooLong = "too_long",
        /// STUN that is malformed, for nobody, or fails its integrity check.
        BadStun = "bad_stun",
        /// DTLS for a leg without DTLS, or from an address that ICE has not validated.
        UnexpectedDtls = "unexpected_dtls",
        /// Media before the leg was configured, or after it was closed.
        NotConfigured = "not_configured",
        /// Protected media before there are keys.
        NoKeys = "no_keys",
        /// The path's latching or consent rules refuse that source.
        WrongSource = "wrong_source",
        /// Not RTP or RTCP by form.
        Malformed = "malformed",
        /// SRTP or SRTCP that fails authentication.
        Unauthentic = "unauthentic",
        /// SRTP or SRTCP seen before, or too old to tell.
        Replayed = "replayed",
        /// More synchronisation sources than a leg may have.
        TooManySources = "too_many_sources",
        /// A payload type that was not agreed.
        UnknownPayloadType = "unknown_payload_type",
        /// An SSRC of which the agreement knows nothing.
        WrongSsrc = "wrong_ssrc",
        /// Our direction does not receive.
        NotReceiving = "not_receiving",
        /// A first packet of a new or jumping source, held back until the next confirms it (RFC 3550 A.1).
        OnProbation = "on_probation",
        /// An RTP sequence number seen before.
        Duplicate = "duplicate",
        /// Audio whose time to be played has passed.
        Late = "late",
        /// Audio for which the jitter buffer had no room.
        Overflow = "overflow",
        /// Padding or an empty payload.
        Empty = "empty",
        /// A retransmission (RFC 4588); sources are not asked for any yet.
        Retransmission = "retransmission",
    }
}

counted! {
    /// What was sent.
    Sent {
        /// STUN responses.
        Stun = "stun",
        /// DTLS records.
        Dtls = "dtls",
        /// RTCP.
        Rtcp = "rtcp",
        /// Audio.
        Audio = "audio",
        /// Telephone events.
        Digit = "digit",
        /// Video.
        Video = "video",
    }
}

counted! {
    /// Why a viewer was not sent its copy of a video packet.
    Withheld {
        /// It has not had a key frame of that source yet.
        AwaitsKeyFrame = "awaits_key_frame",
        /// It does not take that codec.
        CodecNotTaken = "codec_not_taken",
        /// Its path or keys are not ready.
        NotReady = "not_ready",
        /// Nobody drains the outbox, or protection failed.
        NotSent = "not_sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_balances_only_while_every_packet_has_an_outcome() {
        let mut ledger = Ledger::new();
        ledger.count_in(100, Ok(Consumed::Audio));
        ledger.count_in(20, Err(Dropped::NotMedia));
        assert!(ledger.balances());
        assert_eq!(ledger.packets_in(), 2);
        assert_eq!(ledger.bytes_in(), 120);
        let mut both = ledger.clone();
        both.add(&ledger);
        assert!(both.balances());
        assert_eq!((both.packets_in(), both.dropped(Dropped::NotMedia)), (4, 2));
        ledger.packets_in += 1;
        assert!(!ledger.balances());
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = Dropped::ALL.iter().map(|d| d.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Dropped::ALL.len());
    }
}
