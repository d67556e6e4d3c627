//! Session keys from a master key: the AES-CM generator at rate 0 (RFC 3711 §4.3, RFC 7714 §11).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};

use super::GuardError;

/// The three labels of a kind of packet (RFC 3711 §4.3.1, §4.3.2).
pub(super) struct Label {
    pub(super) cipher: u8,
    pub(super) auth: u8,
    pub(super) salt: u8,
}

impl Label {
    pub(super) const RTP: Self = Self {
        cipher: 0,
        auth: 1,
        salt: 2,
    };
    pub(super) const RTCP: Self = Self {
        cipher: 3,
        auth: 4,
        salt: 5,
    };
}

/// A master key, ready to derive from. Dropped once the session keys are made.
pub(super) struct Derivation {
    cipher: Master,
    /// The master salt as the generator's input block, zeros behind it. The 12-octet salts of GCM are
    /// extended at the right, as RFC 7714 §11 has them used by a generator made for 14.
    block: [u8; 16],
}

enum Master {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Derivation {
    pub(super) fn new(master_key: &[u8], master_salt: &[u8]) -> Result<Self, GuardError> {
        let mut block = [0u8; 16];
        block
            .get_mut(..master_salt.len().min(14))
            .filter(|place| place.len() == master_salt.len())
            .ok_or(GuardError::KeyLength)?
            .copy_from_slice(master_salt);
        let wrong = |_| GuardError::KeyLength;
        let cipher = match master_key.len() {
            16 => Master::Aes128(Box::new(Aes128::new_from_slice(master_key).map_err(wrong)?)),
            32 => Master::Aes256(Box::new(Aes256::new_from_slice(master_key).map_err(wrong)?)),
            _ => return Err(GuardError::KeyLength),
        };
        Ok(Self { cipher, block })
    }

    /// Whether the master key has 256 bits.
    pub(super) fn is_256_bit(&self) -> bool {
        matches!(self.cipher, Master::Aes256(_))
    }

    /// `N` octets under a label.
    pub(super) fn derive<const N: usize>(&self, label: u8) -> [u8; N] {
        let mut out = [0u8; N];
        for (counter, chunk) in (0u16..).zip(out.chunks_mut(16)) {
            let mut block = self.block;
            // The label sits above the 48 bits of index over rate, which are zero at rate 0.
            block[7] ^= label;
            let [c0, c1] = counter.to_be_bytes();
            block[14] = c0;
            block[15] = c1;
            match &self.cipher {
                Master::Aes128(aes) => aes.encrypt_block((&mut block).into()),
                Master::Aes256(aes) => aes.encrypt_block((&mut block).into()),
            }
            let (used, _) = block.split_at(chunk.len());
            chunk.copy_from_slice(used);
        }
        out
    }
}
