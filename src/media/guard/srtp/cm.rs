//! AES counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1; with 256-bit keys RFC 6188).

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit as _};
use aes::{Aes128, Aes256};
use ctr::cipher::StreamCipher;
use ctr::cipher::StreamCipherCoreWrapper;
use ctr::cipher::consts::U16;
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::GuardError;
use super::keys::{Derivation, Label};

/// Octets of the longest tag: that of the 80-bit suites, and of SRTCP in all of them.
pub(super) const TAG: usize = 10;
/// Octets of the tag that the 32-bit suites put on RTP (RFC 4568 §6.2.2).
pub(super) const SHORT_TAG: usize = 4;

/// One set of session keys: the AES round keys, the salt, and the HMAC with both pads already hashed.
pub(super) struct CmKeys {
    aes: Cipher,
    /// The salt at its place in the counter block, zeros behind it.
    salt: [u8; 16],
    mac: Hmac<Sha1>,
    tag: usize,
}

enum Cipher {
    Aes128(Aes128),
    Aes256(Aes256),
}

impl CmKeys {
    /// Session keys with a cipher key as long as the master key, and tags of `tag` octets.
    pub(super) fn new(
        derivation: &Derivation,
        label: &Label,
        tag: usize,
    ) -> Result<Self, GuardError> {
        let salt = derivation.derive::<14>(label.salt);
        let auth = derivation.derive(label.auth);
        if derivation.is_256_bit() {
            Self::from_session(&derivation.derive::<32>(label.cipher), &salt, &auth, tag)
        } else {
            Self::from_session(&derivation.derive::<16>(label.cipher), &salt, &auth, tag)
        }
    }

    pub(super) fn from_session(
        key: &[u8],
        salt: &[u8; 14],
        auth: &[u8; 20],
        tag: usize,
    ) -> Result<Self, GuardError> {
        let mut block = [0u8; 16];
        let (front, _) = block.split_at_mut(14);
        front.copy_from_slice(salt);
        // HMAC pads keys that are shorter than SHA-1's block of 64 octets with zeros.
        let mut auth_block = [0u8; 64];
        let (front, _) = auth_block.split_at_mut(20);
        front.copy_from_slice(auth);
        let wrong = |_| GuardError::KeyLength;
        let aes = if key.len() == 32 {
            Cipher::Aes256(Aes256::new_from_slice(key).map_err(wrong)?)
        } else {
            Cipher::Aes128(Aes128::new_from_slice(key).map_err(wrong)?)
        };
        Ok(Self {
            aes,
            salt: block,
            mac: Hmac::new((&auth_block).into()),
            tag: tag.min(TAG),
        })
    }

    /// Octets of the tag.
    pub(super) fn tag_len(&self) -> usize {
        self.tag
    }

    /// Encrypts or decrypts in place. `index` has 48 bits for RTP and 31 for RTCP.
    pub(super) fn apply(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = self.salt;
        xor(&mut iv, 4, &ssrc.to_be_bytes());
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        xor(&mut iv, 8, &[i0, i1, i2, i3, i4, i5]);
        match &self.aes {
            Cipher::Aes128(aes) => keystream(aes, &iv, data),
            Cipher::Aes256(aes) => keystream(aes, &iv, data),
        }
    }

    /// Writes the tag over a packet and what follows it (rollover counter, or index with E bit); `place` has
    /// [`CmKeys::tag_len`] octets.
    pub(super) fn write_tag(&self, packet: &[u8], tail: u32, place: &mut [u8]) {
        let full = self.full_tag(packet, tail);
        for (to, from) in place.iter_mut().take(self.tag).zip(full) {
            *to = from;
        }
    }

    /// Whether a tag is right, compared in constant time.
    pub(super) fn is_authentic(&self, packet: &[u8], tail: u32, tag: &[u8]) -> bool {
        let full = self.full_tag(packet, tail);
        full.get(..self.tag)
            .is_some_and(|right| right.ct_eq(tag).into())
    }

    fn full_tag(&self, packet: &[u8], tail: u32) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(&tail.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn keystream<C>(aes: &C, iv: &[u8; 16], data: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let core: CtrCore<&C, Ctr128BE> = CtrCore::inner_iv_init(aes, iv.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(data);
}

fn xor(block: &mut [u8; 16], at: usize, with: &[u8]) {
    for (octet, w) in block.iter_mut().skip(at).zip(with) {
        *octet ^= w;
    }
}
