//! AES counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).

use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit as _};
use ctr::cipher::StreamCipher;
use ctr::cipher::StreamCipherCoreWrapper;
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::keys::{Derivation, Label};

/// Octets of the truncated tag.
pub(super) const TAG: usize = 10;

/// One set of session keys: the AES round keys, the salt, and the HMAC with both pads already hashed.
pub(super) struct CmKeys {
    aes: Aes128,
    /// The salt at its place in the counter block, zeros behind it.
    salt: [u8; 16],
    mac: Hmac<Sha1>,
}

impl CmKeys {
    pub(super) fn new(derivation: &Derivation, label: &Label) -> Self {
        let salt = derivation.derive::<14>(label.salt);
        Self::from_session(
            &derivation.derive(label.cipher),
            &salt,
            &derivation.derive(label.auth),
        )
    }

    pub(super) fn from_session(key: &[u8; 16], salt: &[u8; 14], auth: &[u8; 20]) -> Self {
        let mut block = [0u8; 16];
        let (front, _) = block.split_at_mut(14);
        front.copy_from_slice(salt);
        // HMAC pads keys that are shorter than SHA-1's block of 64 octets with zeros.
        let mut auth_block = [0u8; 64];
        let (front, _) = auth_block.split_at_mut(20);
        front.copy_from_slice(auth);
        Self {
            aes: Aes128::new(key.into()),
            salt: block,
            mac: Hmac::new((&auth_block).into()),
        }
    }

    /// Encrypts or decrypts in place. `index` has 48 bits for RTP and 31 for RTCP.
    pub(super) fn apply(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = self.salt;
        xor(&mut iv, 4, &ssrc.to_be_bytes());
        let [_, _, i0, i1, i2, i3, i4, i5] = index.to_be_bytes();
        xor(&mut iv, 8, &[i0, i1, i2, i3, i4, i5]);
        let core: CtrCore<&Aes128, Ctr128BE> = CtrCore::inner_iv_init(&self.aes, (&iv).into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(data);
    }

    /// The tag over a packet and what follows it (rollover counter, or index with E bit).
    pub(super) fn tag(&self, packet: &[u8], tail: u32) -> [u8; TAG] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(&tail.to_be_bytes());
        let full = mac.finalize().into_bytes();
        full.first_chunk().copied().unwrap_or_default()
    }

    /// Whether a tag is right, compared in constant time.
    pub(super) fn is_authentic(&self, packet: &[u8], tail: u32, tag: &[u8]) -> bool {
        self.tag(packet, tail).ct_eq(tag).into()
    }
}

fn xor(block: &mut [u8; 16], at: usize, with: &[u8]) {
    for (octet, w) in block.iter_mut().skip(at).zip(with) {
        *octet ^= w;
    }
}
