//! Sealed objects: AES-256-GCM in chunks, bound to bucket and path, as `docs/sealed-objects.md` describes them for
//! whoever wants to open one without us.
//!
//! Every object has a key of its own, derived from the key of all objects and a salt in the object's head, so chunk
//! numbers may serve as nonces. Head, number of the chunk and whether it is the last one are associated data: chunks
//! can be neither swapped nor left out, nor can an object be cut at their border.

#[cfg(test)]
mod tests;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use thiserror::Error;

/// Where an object lies. An envelope opens nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The path in it.
    pub path: &'a str,
}

/// The key that all objects' keys are derived from. Cloning copies it.
#[derive(Clone)]
pub struct ObjectKey {
    octets: [u8; 32],
    id: [u8; ID_LEN],
}

impl std::fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectKey(hidden)")
    }
}

/// Why an envelope does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadEnvelope {
    /// It does not begin like one.
    #[error("it is not sealed")]
    NotSealed,
    /// A form that this version does not know.
    #[error("it is sealed in form {0}, which this version does not know")]
    Version(u8),
    /// Another key opens it.
    #[error("it was sealed with another key")]
    ForeignKey,
    /// It was sealed for another bucket or path.
    #[error("it was sealed for another place")]
    Moved,
    /// Its end is missing.
    #[error("its end is missing")]
    Truncated,
    /// Not what was written; perhaps cut off within a chunk.
    #[error("it was changed")]
    Changed,
    /// The cipher gave up, which no input can bring about.
    #[error("the cipher failed")]
    Cipher,
}

impl ObjectKey {
    /// From 32 octets that are used for nothing else.
    ///
    /// # Errors
    /// [`BadEnvelope::Cipher`], which cannot be.
    pub fn new(octets: [u8; 32]) -> Result<Self, BadEnvelope> {
        let mut id = [0; ID_LEN];
        Salt::new(HKDF_SHA256, &[])
            .extract(&octets)
            .expand(&[KEY_ID], Length(ID_LEN))
            .and_then(|okm| okm.fill(&mut id))
            .map_err(|_| BadEnvelope::Cipher)?;
        Ok(Self { octets, id })
    }

    fn of_object(&self, salt: &[u8]) -> Result<LessSafeKey, BadEnvelope> {
        let prk = Salt::new(HKDF_SHA256, salt).extract(&self.octets);
        let okm = prk.expand(&[OBJECT], &AES_256_GCM);
        let key = UnboundKey::from(okm.map_err(|_| BadEnvelope::Cipher)?);
        Ok(LessSafeKey::new(key))
    }
}

/// Seals one object while it is being written.
pub struct Sealer {
    key: LessSafeKey,
    head: [u8; HEAD_LEN],
    number: u64,
    clear: Vec<u8>,
}

impl Sealer {
    /// Begins an object. `salt` must be drawn for it alone; the head goes to `out`.
    ///
    /// # Errors
    /// [`BadEnvelope::Cipher`], which cannot be.
    pub fn new(
        key: &ObjectKey,
        place: Place<'_>,
        salt: [u8; SALT_LEN],
        out: &mut Vec<u8>,
    ) -> Result<Self, BadEnvelope> {
        let mut head = [0; HEAD_LEN];
        let parts = [
            MAGIC.as_slice(),
            &[VERSION],
            &key.id,
            &salt,
            &place.digest(),
        ];
        for (octet, from) in head.iter_mut().zip(parts.concat()) {
            *octet = from;
        }
        out.extend_from_slice(&head);
        Ok(Self {
            key: key.of_object(&salt)?,
            head,
            number: 0,
            clear: Vec::new(),
        })
    }

    /// The next octets, however many. What is complete of them goes to `out`.
    ///
    /// # Errors
    /// [`BadEnvelope::Cipher`], which cannot be.
    pub fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        while !octets.is_empty() {
            // A full chunk is kept back: only with the next octet is it known not to be the last.
            if self.clear.len() == CHUNK {
                self.seal(false, out)?;
            }
            let room = CHUNK - self.clear.len();
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.clear.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// The last chunk.
    ///
    /// # Errors
    /// [`BadEnvelope::Cipher`], which cannot be.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        let (nonce, data) = bound(&self.head, self.number, last);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(data), &mut self.clear)
            .map_err(|_| BadEnvelope::Cipher)?;
        out.extend_from_slice(&self.clear);
        out.extend_from_slice(tag.as_ref());
        self.clear.clear();
        self.number += 1;
        Ok(())
    }
}

/// Opens one object while it is being read. What it gives out is authentic; whether that is the whole object, only
/// [`Opener::finish`] tells.
pub struct Opener {
    key: ObjectKey,
    place: [u8; 32],
    begun: Option<(LessSafeKey, [u8; HEAD_LEN])>,
    number: u64,
    sealed: Vec<u8>,
}

impl Opener {
    /// For an object that was read from that place.
    #[must_use]
    pub fn new(key: &ObjectKey, place: Place<'_>) -> Self {
        Self {
            key: key.clone(),
            place: place.digest(),
            begun: None,
            number: 0,
            sealed: Vec::new(),
        }
    }

    /// The next octets, however many. What opens of them goes to `out`.
    ///
    /// # Errors
    /// What is wrong with the envelope; nothing of this object is to be believed to be all of it then.
    pub fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        while !octets.is_empty() {
            let full = if self.begun.is_none() {
                HEAD_LEN
            } else {
                CHUNK + TAG_LEN
            };
            if self.sealed.len() == full {
                self.turn(out)?;
                continue;
            }
            let room = full - self.sealed.len();
            let (now, later) = octets.split_at(room.min(octets.len()));
            self.sealed.extend_from_slice(now);
            octets = later;
        }
        Ok(())
    }

    /// The end of the object.
    ///
    /// # Errors
    /// What is wrong with the envelope.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        if self.begun.is_none() {
            self.begin()?;
        }
        if self.sealed.len() < TAG_LEN {
            return Err(BadEnvelope::Truncated);
        }
        // Only an object without any octets ends with a chunk without any.
        if self.sealed.len() == TAG_LEN && self.number > 0 {
            return Err(BadEnvelope::Changed);
        }
        let kept = self.sealed.clone();
        match self.open(true, out) {
            Err(BadEnvelope::Changed) => {
                self.sealed = kept;
                // Whole, but not the last: what followed it is gone.
                match self.open(false, &mut Vec::new()) {
                    Ok(()) => Err(BadEnvelope::Truncated),
                    Err(error) => Err(error),
                }
            }
            result => result,
        }
    }

    fn turn(&mut self, out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        if self.begun.is_none() {
            self.begin()
        } else {
            self.open(false, out)
        }
    }

    fn begin(&mut self) -> Result<(), BadEnvelope> {
        let magic = self.sealed.len().min(MAGIC.len());
        if self.sealed.get(..magic) != MAGIC.get(..magic) || magic == 0 {
            return Err(BadEnvelope::NotSealed);
        }
        match self.sealed.get(MAGIC.len()) {
            None => return Err(BadEnvelope::Truncated),
            Some(&VERSION) => {}
            Some(other) => return Err(BadEnvelope::Version(*other)),
        }
        let head: [u8; HEAD_LEN] = self
            .sealed
            .as_slice()
            .try_into()
            .map_err(|_| BadEnvelope::Truncated)?;
        let (_, rest) = head.split_at(MAGIC.len() + 1);
        let (id, rest) = rest.split_at(ID_LEN);
        let (salt, place) = rest.split_at(SALT_LEN);
        if id != self.key.id {
            return Err(BadEnvelope::ForeignKey);
        }
        if place != self.place {
            return Err(BadEnvelope::Moved);
        }
        self.begun = Some((self.key.of_object(salt)?, head));
        self.sealed.clear();
        Ok(())
    }

    fn open(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), BadEnvelope> {
        let Some((key, head)) = &self.begun else {
            return Err(BadEnvelope::Truncated);
        };
        let (nonce, data) = bound(head, self.number, last);
        let clear = key
            .open_in_place(nonce, Aad::from(data), &mut self.sealed)
            .map_err(|_| BadEnvelope::Changed)?;
        out.extend_from_slice(clear);
        self.sealed.clear();
        self.number += 1;
        Ok(())
    }
}

/// Whether these first octets of an object are those of an envelope.
#[must_use]
pub fn is_sealed(octets: &[u8]) -> bool {
    octets.starts_with(MAGIC)
}

impl Place<'_> {
    fn digest(self) -> [u8; 32] {
        let mut octets = Vec::new();
        for part in [self.bucket, self.path] {
            octets.extend_from_slice(&(part.len() as u64).to_be_bytes());
            octets.extend_from_slice(part.as_bytes());
        }
        let mut out = [0; 32];
        for (octet, from) in out.iter_mut().zip(digest(&SHA256, &octets).as_ref()) {
            *octet = *from;
        }
        out
    }
}

/// What a chunk is bound to.
fn bound(head: &[u8; HEAD_LEN], number: u64, last: bool) -> (Nonce, [u8; HEAD_LEN + 9]) {
    let tail = [number.to_be_bytes().as_slice(), &[u8::from(last)]].concat();
    let mut data = [0; HEAD_LEN + 9];
    for (octet, from) in data.iter_mut().zip(head.iter().chain(&tail)) {
        *octet = *from;
    }
    let mut nonce = [0; NONCE_LEN];
    for (octet, from) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *octet = from;
    }
    (Nonce::assume_unique_for_key(nonce), data)
}

/// Octets of derived key material.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const MAGIC: &[u8; 7] = b"campobj";
const VERSION: u8 = 1;
const ID_LEN: usize = 8;
/// Octets of an object's salt.
pub const SALT_LEN: usize = 32;
const TAG_LEN: usize = 16;
/// Magic, version, key id, salt and the digest of the place.
pub const HEAD_LEN: usize = 7 + 1 + ID_LEN + SALT_LEN + 32;
/// Octets in clear of every chunk but the last.
pub const CHUNK: usize = 64 * 1024;
const KEY_ID: &[u8] = b"campanile object key id";
const OBJECT: &[u8] = b"campanile object 1";
