//! Attributes about keys: SDES (RFC 4568), certificate fingerprints (RFC 8122), DTLS roles (RFC 5763).

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use crate::plan::Mki;

use crate::plan::{Fingerprint, SdesKey};

/// `a=crypto:tag suite key-params [session-params]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crypto {
    /// Tag, unique within the section; the answer repeats it.
    pub tag: u32,
    /// Crypto suite, as written.
    pub suite: String,
    /// Keys; more than one only with an MKI each.
    pub keys: Vec<CryptoKey>,
    /// Session parameters, as written, such as `UNENCRYPTED_SRTP` or `KDR=1`.
    pub session: Vec<String>,
}

/// `inline:key||salt[|lifetime][|MKI:length]`.
#[derive(Clone, PartialEq, Eq)]
pub struct CryptoKey {
    /// Master key then master salt.
    pub key_salt: Vec<u8>,
    /// Packets that may be protected with it, where given.
    pub lifetime: Option<u64>,
    /// The master key identifier, where given.
    pub mki: Option<Mki>,
}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CryptoKey {{ key_salt: (hidden), lifetime: {:?}, mki: {:?} }}",
            self.lifetime, self.mki
        )
    }
}

/// Padding is optional: some devices leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Crypto {
    /// A line with one key, for an offer or an answer.
    #[must_use]
    pub fn new(tag: u32, key: &SdesKey) -> Self {
        Self {
            tag,
            suite: key.profile.suite_name().to_owned(),
            keys: vec![CryptoKey {
                key_salt: key.key_salt.clone(),
                lifetime: key.lifetime,
                mki: key.mki,
            }],
            session: Vec::new(),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = words.next()?.to_owned();
        let keys: Option<Vec<_>> = words
            .next()?
            .split(';')
            .filter(|k| !k.is_empty())
            .map(CryptoKey::parse)
            .collect();
        let keys = keys.filter(|k| !k.is_empty())?;
        Some(Self {
            tag,
            suite,
            keys,
            session: words.map(str::to_owned).collect(),
        })
    }
}

impl CryptoKey {
    fn parse(text: &str) -> Option<Self> {
        let (method, info) = text.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") {
            return None;
        }
        let mut parts = info.split('|');
        let key_salt = BASE64.decode(parts.next()?).ok()?;
        let mut key = Self {
            key_salt,
            lifetime: None,
            mki: None,
        };
        for part in parts {
            match part.split_once(':') {
                Some((value, length)) => {
                    key.mki = Some(Mki {
                        value: value.parse().ok()?,
                        length: length.parse().ok().filter(|l| (1..=128).contains(l))?,
                    });
                }
                None => key.lifetime = Some(lifetime(part)?),
            }
        }
        Some(key)
    }
}

/// `2^48` or a plain number (RFC 4568 §6.1).
fn lifetime(text: &str) -> Option<u64> {
    match text.strip_prefix("2^") {
        Some(power) => 1_u64.checked_shl(power.parse().ok()?),
        None => text.parse().ok(),
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tag, self.suite)?;
        for (index, key) in self.keys.iter().enumerate() {
            f.write_str(if index == 0 { " " } else { ";" })?;
            write!(f, "inline:{}", BASE64.encode(&key.key_salt))?;
            match key.lifetime {
                Some(l) if l.is_power_of_two() => write!(f, "|2^{}", l.trailing_zeros())?,
                Some(l) => write!(f, "|{l}")?,
                None => {}
            }
            if let Some(mki) = key.mki {
                write!(f, "|{}:{}", mki.value, mki.length)?;
            }
        }
        for param in &self.session {
            write!(f, " {param}")?;
        }
        Ok(())
    }
}

/// `a=setup` (RFC 4145 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setup {
    /// Sends the ClientHello.
    Active,
    /// Waits for it.
    Passive,
    /// Either: the answerer chooses.
    ActPass,
    /// Not now.
    HoldConn,
}

impl Setup {
    pub(super) fn parse(value: &str) -> Option<Self> {
        Some(match value.trim().to_ascii_lowercase().as_str() {
            "active" => Self::Active,
            "passive" => Self::Passive,
            "actpass" => Self::ActPass,
            "holdconn" => Self::HoldConn,
            _ => return None,
        })
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        })
    }
}

/// `hash AB:CD:…` (RFC 8122 §5).
pub(super) fn fingerprint(value: &str) -> Option<Fingerprint> {
    let mut words = value.split_whitespace();
    let hash = words.next()?.to_ascii_lowercase();
    let digest: Option<Vec<u8>> = words
        .next()?
        .split(':')
        .map(|octet| {
            (octet.len() == 2)
                .then(|| u8::from_str_radix(octet, 16).ok())
                .flatten()
        })
        .collect();
    Some(Fingerprint {
        hash,
        digest: digest?,
    })
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hash)?;
        for (index, octet) in self.digest.iter().enumerate() {
            let before = if index == 0 { ' ' } else { ':' };
            write!(f, "{before}{octet:02X}")?;
        }
        Ok(())
    }
}
