//! AES in Galois/counter mode (RFC 7714).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::GuardError;
use super::keys::{Derivation, Label};

/// Octets of the tag.
pub(super) const TAG: usize = 16;

/// One set of session keys: the expanded key and the salt.
pub(super) struct GcmKeys {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl GcmKeys {
    pub(super) fn new<const KEY: usize>(
        derivation: &Derivation,
        label: &Label,
    ) -> Result<Self, GuardError> {
        let key = derivation.derive::<KEY>(label.cipher);
        Self::from_session(&key, derivation.derive(label.salt))
    }

    pub(super) fn from_session(key: &[u8], salt: [u8; 12]) -> Result<Self, GuardError> {
        let algorithm = if key.len() == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let unbound = UnboundKey::new(algorithm, key).map_err(|_| GuardError::KeyLength)?;
        Ok(Self {
            key: LessSafeKey::new(unbound),
            salt,
        })
    }

    /// The nonce of an RTP packet: SSRC, rollover counter and sequence number (RFC 7714 §8.1). A packet's
    /// 48-bit index is these last two, so RTP and RTCP differ only in how wide the index is (§9.1).
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let [s0, s1, s2, s3] = ssrc.to_be_bytes();
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        let mut nonce = [0, 0, s0, s1, s2, s3, i0, i1, i2, i3, i4, i5];
        for (octet, salt) in nonce.iter_mut().zip(self.salt) {
            *octet ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts in place; the tag goes behind.
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; TAG], GuardError> {
        let nonce = self.nonce(ssrc, index);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
            .map_err(|_| GuardError::Auth)?;
        tag.as_ref().first_chunk().copied().ok_or(GuardError::Auth)
    }

    /// Decrypts ciphertext and tag in place. After an error the data are worthless.
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        aad: &[u8],
        data_and_tag: &mut [u8],
    ) -> Result<(), GuardError> {
        let nonce = self.nonce(ssrc, index);
        self.key
            .open_in_place(nonce, Aad::from(aad), data_and_tag)
            .map(|_| ())
            .map_err(|_| GuardError::Auth)
    }
}
