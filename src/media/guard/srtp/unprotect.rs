//! The receiving side.

use std::fmt;

use wire::plan::{MAX_SDES_KEYS, SdesKey};
use wire::rtp::Header;

use super::master::{Master, Session};
use super::streams::{MAX_SSRCS, Streams};
use super::window::estimate;
use super::{ENCRYPTED, GuardError, RTCP_CLEAR, SRTCP_INDEX, associated, gcm, rollover, sender};

/// Authentic packets under new keys after which the old ones are not tried any more: five seconds of sound. What
/// was under way when the keys changed has come by then.
const OVERLAP: u32 = 250;
/// Agreements whose indices are remembered after they were replaced: a party that was put aside for music or a
/// consultation comes back under its old keys.
const MOST_RETIRED: usize = 4;

/// Authenticates and decrypts what arrives. What does not authenticate leaves no trace in it.
pub struct Unprotector {
    current: KeySet,
    /// What new keys have replaced, the latest last.
    retired: Vec<KeySet>,
    /// Authentic packets since the keys changed; until [`OVERLAP`] the latest of the retired is tried too.
    since: u32,
    /// The packet as it came, for a second try: a failed one may have spoilt it.
    copy: Vec<u8>,
}

impl Unprotector {
    /// Expands one key.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`].
    pub fn new(key: &SdesKey) -> Result<Self, GuardError> {
        Self::with_keys(std::slice::from_ref(key))
    }

    /// Expands keys of one profile that are in use at once: one, or up to [`MAX_SDES_KEYS`] with an identifier each.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`], also for keys that packets could not tell apart.
    pub fn with_keys(keys: &[SdesKey]) -> Result<Self, GuardError> {
        Ok(Self {
            current: KeySet::new(keys)?,
            retired: Vec::new(),
            since: OVERLAP,
            copy: Vec::new(),
        })
    }

    /// Puts new keys in the place of those in use, which are still taken until the new ones have settled.
    ///
    /// The rollover counter goes on across a change of keys (RFC 3711 §3.3.1), yet many devices begin anew with
    /// each agreement: a stream's first packets under a new key are tried both ways, and what authenticates
    /// decides. Keys that come back find their indices as they left them.
    ///
    /// # Errors
    /// [`GuardError::KeyLength`]; then everything stays as it was.
    pub fn rekey(&mut self, keys: &[SdesKey]) -> Result<(), GuardError> {
        let next = match self.retired.iter().position(|set| set.keys == keys) {
            Some(at) => self.retired.remove(at),
            None => KeySet::new(keys)?,
        };
        let before = std::mem::replace(&mut self.current, next);
        if self.retired.len() >= MOST_RETIRED {
            self.retired.remove(0);
        }
        self.retired.push(before);
        self.since = 0;
        self.copy.reserve(LONGEST);
        Ok(())
    }

    /// Authenticates and decrypts an SRTP packet in place; returns the length of the RTP packet. After an
    /// error the buffer's contents are worthless.
    ///
    /// # Errors
    /// [`GuardError::TooShort`], [`GuardError::Auth`], [`GuardError::UnknownKey`], [`GuardError::Replay`],
    /// [`GuardError::TooManySsrcs`], [`GuardError::IndexExhausted`].
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, GuardError> {
        let header = Header::parse(packet).map_err(|_| GuardError::TooShort)?;
        let head = Head {
            len: header.len,
            ssrc: header.ssrc,
            sequence: header.sequence,
        };
        if self.since < OVERLAP {
            return self.rtp_after_rekey(packet, head);
        }
        let index = estimate(self.current.rtp.window(head.ssrc).highest(), head.sequence)?;
        self.current.open_rtp(packet, head, index)
    }

    /// Authenticates and decrypts an SRTCP packet in place; returns the length of the RTCP compound.
    ///
    /// # Errors
    /// As [`Unprotector::unprotect_rtp`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, GuardError> {
        if self.since >= OVERLAP {
            return self.current.open_rtcp(packet);
        }
        self.keep_copy(packet);
        let first = self.current.open_rtcp(packet);
        let Some(previous) = self.retired.last_mut().filter(|_| first.is_err()) else {
            return first;
        };
        packet.copy_from_slice(&self.copy);
        previous.open_rtcp(packet).or(first)
    }

    /// How many streams have shown an authentic packet under the keys in use.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.current.rtp.len()
    }

    fn rtp_after_rekey(&mut self, packet: &mut [u8], head: Head) -> Result<usize, GuardError> {
        self.keep_copy(packet);
        let Some(previous) = self.retired.last_mut() else {
            return Err(GuardError::Auth);
        };
        let known = self.current.rtp.window(head.ssrc).highest();
        let before = previous.rtp.window(head.ssrc).highest();
        let going_on = estimate(known.or(before), head.sequence);
        let anew = u64::from(head.sequence);
        let second = (known.is_none() && going_on != Ok(anew)).then_some(anew);
        let mut outcome = Err(GuardError::Auth);
        for index in [going_on.ok(), second].into_iter().flatten() {
            outcome = self.current.open_rtp(packet, head, index);
            if outcome.is_ok() {
                self.since += 1;
                return outcome;
            }
            packet.copy_from_slice(&self.copy);
        }
        let index = estimate(before, head.sequence)?;
        previous.open_rtp(packet, head, index).or(outcome)
    }

    fn keep_copy(&mut self, packet: &[u8]) {
        self.copy.clear();
        self.copy.extend_from_slice(packet);
    }

    #[cfg(test)]
    pub(super) fn replace_session(&mut self, session: Session) {
        if let Some(master) = self.current.masters.first_mut() {
            master.session = session;
        }
    }
}

impl fmt::Debug for Unprotector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unprotector {{ streams: {} }}", self.streams())
    }
}

/// What of an RTP header decides how it is opened.
#[derive(Clone, Copy)]
struct Head {
    len: usize,
    ssrc: u32,
    sequence: u16,
}

/// The keys of one agreement, with the indices used under them.
struct KeySet {
    keys: Vec<SdesKey>,
    masters: Vec<Master>,
    rtp: Streams,
    rtcp: Streams,
}

impl KeySet {
    fn new(keys: &[SdesKey]) -> Result<Self, GuardError> {
        let masters = keys
            .iter()
            .map(Master::new)
            .collect::<Result<Vec<_>, _>>()?;
        let distinct = |(at, master): (usize, &Master)| {
            let others = masters.get(at + 1..).unwrap_or_default();
            others.iter().all(|other| {
                other.identifier().len() == master.identifier().len()
                    && other.identifier() != master.identifier()
            })
        };
        let fits = (1..=MAX_SDES_KEYS).contains(&masters.len())
            && keys
                .iter()
                .all(|key| Some(key.profile) == keys.first().map(|k| k.profile))
            && masters.iter().enumerate().all(distinct);
        if !fits {
            return Err(GuardError::KeyLength);
        }
        Ok(Self {
            keys: keys.to_vec(),
            masters,
            rtp: Streams::new(MAX_SSRCS),
            rtcp: Streams::new(MAX_SSRCS),
        })
    }

    fn open_rtp(&mut self, packet: &mut [u8], head: Head, index: u64) -> Result<usize, GuardError> {
        let Head {
            ssrc, len: from, ..
        } = head;
        self.rtp.window(ssrc).check(index)?;
        let first = self.masters.first().ok_or(GuardError::Auth)?;
        let len = packet
            .len()
            .checked_sub(first.rtp_trailer())
            .filter(|len| *len >= from)
            .ok_or(GuardError::TooShort)?;
        let name_at = match first.session {
            Session::Cm { .. } => len,
            Session::Gcm { .. } => len + gcm::TAG,
        };
        let master = named(&mut self.masters, packet, name_at)?;
        let name_len = master.identifier().len();
        match &master.session {
            Session::Cm { rtp, .. } => {
                let (packet, trailer) = packet.split_at_mut(len);
                let (_, tag) = trailer.split_at(name_len);
                if !rtp.is_authentic(packet, rollover(index), tag) {
                    return Err(GuardError::Auth);
                }
                rtp.apply(ssrc, index, packet.get_mut(from..).unwrap_or_default());
            }
            Session::Gcm { rtp, .. } => {
                let (sealed, _) = packet.split_at_mut(name_at);
                let (head, rest) = sealed.split_at_mut(from);
                rtp.open(ssrc, index, head, rest)?;
            }
        }
        master.spend_rtp()?;
        self.rtp.mark(ssrc, index)?;
        Ok(len)
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, GuardError> {
        let ssrc = sender(packet)?;
        let first = self.masters.first().ok_or(GuardError::Auth)?;
        let len = packet
            .len()
            .checked_sub(first.rtcp_trailer())
            .filter(|len| *len >= RTCP_CLEAR)
            .ok_or(GuardError::TooShort)?;
        let word_at = match first.session {
            Session::Cm { .. } => len,
            Session::Gcm { .. } => len + gcm::TAG,
        };
        let word = packet
            .get(word_at..)
            .and_then(|rest| rest.first_chunk::<SRTCP_INDEX>())
            .map(|octets| u32::from_be_bytes(*octets))
            .ok_or(GuardError::TooShort)?;
        let encrypted = word & ENCRYPTED != 0;
        let index = u64::from(word & !ENCRYPTED);
        self.rtcp.window(ssrc).check(index)?;
        let name_at = word_at + SRTCP_INDEX;
        let master = named(&mut self.masters, packet, name_at)?;
        let name_len = master.identifier().len();
        match &master.session {
            Session::Cm { rtcp, .. } => {
                let (packet, trailer) = packet.split_at_mut(len);
                let (_, tag) = trailer.split_at(SRTCP_INDEX + name_len);
                if !rtcp.is_authentic(packet, word, tag) {
                    return Err(GuardError::Auth);
                }
                if encrypted {
                    let body = packet.get_mut(RTCP_CLEAR..).unwrap_or_default();
                    rtcp.apply(ssrc, index, body);
                }
            }
            Session::Gcm { rtcp, .. } if encrypted => {
                let (sealed, _) = packet.split_at_mut(word_at);
                let (head, rest) = sealed.split_at_mut(RTCP_CLEAR);
                let aad = associated(head, word);
                rtcp.open(ssrc, index, &aad, rest)?;
            }
            Session::Gcm { rtcp, .. } => {
                // All of it is associated data, and the word with it: rotate the word in front of the tag, so
                // that both parts lie in one piece (RFC 7714 §9.3).
                let trailer = packet.get_mut(len..name_at).ok_or(GuardError::TooShort)?;
                trailer.rotate_right(SRTCP_INDEX);
                let (aad, tag) = trailer_of(packet, name_at, len + SRTCP_INDEX);
                rtcp.open(ssrc, index, aad, tag)?;
            }
        }
        master.spend_rtcp()?;
        self.rtcp.mark(ssrc, index)?;
        Ok(len)
    }
}

/// A packet up to `end`, cut at `at`.
fn trailer_of(packet: &mut [u8], end: usize, at: usize) -> (&[u8], &mut [u8]) {
    let (whole, _) = packet.split_at_mut(end);
    let (aad, tag) = whole.split_at_mut(at);
    (aad, tag)
}

/// The key that a packet names at `at`; where none is named there is but one.
fn named<'a>(
    masters: &'a mut [Master],
    packet: &[u8],
    at: usize,
) -> Result<&'a mut Master, GuardError> {
    let names = |master: &Master| {
        let identifier = master.identifier();
        packet.get(at..at + identifier.len()) == Some(identifier)
    };
    masters
        .iter_mut()
        .find(|master| names(master))
        .ok_or(GuardError::UnknownKey)
}

/// No datagram of ours is longer; a longer one makes the copy grow once.
const LONGEST: usize = 2048;
