//! How a session is protected: what an offer allows, what we answer, what an answer settles.
//!
//! Keys in SDP (RFC 4568), keys from DTLS (RFC 5763), both also in an offer in the clear (RFC 8643).

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{
    Fingerprint, LocalMedia, MAX_MKI, MAX_SDES_KEYS, Mki, Protection, SdesKey, SrtpProfile,
};
use wire::sdp::{Crypto, CryptoKey, Media, Section, Setup};

use super::rules::{Refusal, SrtpPolicy};

/// What an offer lets us protect with.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Nothing.
    Plain,
    /// The keys of a crypto line.
    Sdes {
        /// Its tag, which the answer repeats.
        tag: u32,
        /// Their keys.
        keys: Vec<SdesKey>,
    },
    /// A DTLS association.
    Dtls {
        /// The role that they leave us.
        setup: Setup,
        /// The fingerprint of their certificate.
        fingerprint: Fingerprint,
    },
}

impl Wanted {
    /// The best that a section offers and the policy allows. Keys in SDP come before DTLS where a section has both,
    /// as they are there from the first packet; a DTLS transport has DTLS only.
    pub(super) fn of(section: Section<'_>, srtp: SrtpPolicy) -> Result<Self, Refusal> {
        let protocol = &section.media.protocol;
        let secure = protocol.is_secure();
        if srtp == SrtpPolicy::Off {
            return if secure {
                Err(Refusal::ProtectionForbidden)
            } else {
                Ok(Self::Plain)
            };
        }
        let sdes = || {
            let lines = section.media.attributes.cryptos();
            lines.iter().find_map(|line| {
                Some(Self::Sdes {
                    tag: line.tag,
                    keys: keys_of(line)?,
                })
            })
        };
        let usable = Some(())
            .filter(|()| !protocol.is_dtls())
            .and_then(|()| sdes())
            .or_else(|| Self::dtls(section));
        match usable {
            Some(wanted) => Ok(wanted),
            None if secure => Err(Refusal::NoCrypto),
            None if srtp == SrtpPolicy::Require => Err(Refusal::ProtectionRequired),
            None => Ok(Self::Plain),
        }
    }

    fn dtls(section: Section<'_>) -> Option<Self> {
        let fingerprint = usable_fingerprint(section)?;
        // Who offers without a role means to be active (RFC 4145 §4.1).
        match section.setup().unwrap_or(Setup::Active) {
            Setup::HoldConn => None,
            setup => Some(Self::Dtls { setup, fingerprint }),
        }
    }
}

/// What protects a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Security {
    /// Nothing.
    Plain,
    /// Keys of both sides from SDP; ours stays as long as theirs do.
    Sdes {
        /// Ours.
        local: SdesKey,
        /// Theirs.
        remote: Vec<SdesKey>,
    },
    /// A DTLS association; it stays as long as their certificate does (RFC 8842 §4).
    Dtls {
        /// Whether we send the ClientHello.
        active: bool,
        /// Their certificate's fingerprint.
        remote: Fingerprint,
    },
}

impl Security {
    /// What answers an offer, given what is in use.
    pub(super) fn answering(before: Option<&Self>, wanted: &Wanted, random: &mut StdRng) -> Self {
        match (wanted, before) {
            (Wanted::Plain, _) => Self::Plain,
            // Unchanged keys are answered unchanged; a new one of theirs may mean another party, which must not
            // share ours with the one before (RFC 4568 §7.1.4).
            (Wanted::Sdes { keys, .. }, Some(Self::Sdes { local, remote })) if remote == keys => {
                Self::Sdes {
                    local: local.clone(),
                    remote: remote.clone(),
                }
            }
            (Wanted::Sdes { keys, .. }, _) => Self::Sdes {
                local: key_like(keys.first(), random),
                remote: keys.clone(),
            },
            (Wanted::Dtls { setup, fingerprint }, before) => {
                let role = match before {
                    Some(Self::Dtls { active, remote }) if remote == fingerprint => Some(*active),
                    _ => None,
                };
                Self::Dtls {
                    active: match setup {
                        Setup::Passive => true,
                        Setup::Active | Setup::HoldConn => false,
                        // Passive where we may choose: behind a NAT only the other side can begin.
                        Setup::ActPass => role.unwrap_or(false),
                    },
                    remote: fingerprint.clone(),
                }
            }
        }
    }

    /// What an answer settles, given the keys of our crypto lines by tag.
    pub(super) fn settled(
        before: Option<&Self>,
        ours: &Media,
        own_keys: &[(u32, SdesKey)],
        section: Section<'_>,
        srtp: SrtpPolicy,
    ) -> Result<Self, Refusal> {
        let lines = section.media.attributes.cryptos();
        let sdes = lines.iter().find_map(|line| {
            let (_, local) = own_keys.iter().find(|(tag, _)| *tag == line.tag)?;
            let remote = keys_of(line)?;
            let same = remote.first().map(|key| key.profile) == Some(local.profile);
            same.then(|| Self::Sdes {
                local: local.clone(),
                remote,
            })
        });
        let dtls = || {
            ours.attributes.fingerprint()?;
            let remote = usable_fingerprint(section)?;
            let active = match before {
                Some(Self::Dtls {
                    active,
                    remote: known,
                }) if *known == remote => *active,
                // Without a role they are active (RFC 4145 §4.1).
                _ => section.setup() == Some(Setup::Passive),
            };
            Some(Self::Dtls { active, remote })
        };
        if let Some(settled) = sdes.or_else(dtls) {
            return Ok(settled);
        }
        if section.media.protocol.is_secure() {
            return Err(Refusal::NoCrypto);
        }
        let protected = before.is_some_and(|before| *before != Self::Plain);
        if srtp == SrtpPolicy::Require || protected {
            return Err(Refusal::ProtectionRequired);
        }
        Ok(Self::Plain)
    }

    /// The same for media.
    pub(super) fn protection(&self) -> Protection {
        match self {
            Self::Plain => Protection::Plain,
            Self::Sdes { local, remote } => Protection::Sdes {
                local: local.clone(),
                remote: remote.clone(),
            },
            Self::Dtls { active, remote } => Protection::Dtls {
                active: *active,
                remote_fingerprint: remote.clone(),
            },
        }
    }

    /// Adds the lines that say it to the answer of an offer.
    pub(super) fn describe(
        &self,
        media: &mut Media,
        wanted: &Wanted,
        local: &LocalMedia,
    ) -> Result<(), Refusal> {
        match (self, wanted) {
            (Self::Sdes { local, .. }, Wanted::Sdes { tag, .. }) => crypto(media, *tag, local),
            (Self::Dtls { active, .. }, _) => {
                let role = if *active {
                    Setup::Active
                } else {
                    Setup::Passive
                };
                certificate(media, role, local)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// `a=crypto` with our key.
pub(super) fn crypto(media: &mut Media, tag: u32, key: &SdesKey) {
    media.attributes.add("crypto", Crypto::new(tag, key));
}

/// `a=fingerprint` and `a=setup`.
pub(super) fn certificate(
    media: &mut Media,
    role: Setup,
    local: &LocalMedia,
) -> Result<(), Refusal> {
    let fingerprint = local.fingerprint.as_ref().ok_or(Refusal::NoCrypto)?;
    media
        .attributes
        .add("fingerprint", format!("sha-256 {fingerprint}"));
    media.attributes.add("setup", role);
    Ok(())
}

/// A fresh master key.
pub(super) fn fresh_key(profile: SrtpProfile, random: &mut StdRng) -> SdesKey {
    let mut key_salt = vec![0; profile.key_len() + profile.salt_len()];
    random.fill(key_salt.as_mut_slice());
    SdesKey::new(profile, key_salt)
}

/// A fresh key of the same profile, with an identifier of the same length where theirs has one: many devices have
/// one switch for both directions.
fn key_like(theirs: Option<&SdesKey>, random: &mut StdRng) -> SdesKey {
    let profile = theirs.map_or(SrtpProfile::AesCm128HmacSha1_80, |key| key.profile);
    SdesKey {
        mki: theirs
            .and_then(|key| key.mki)
            .map(|Mki { length, .. }| Mki { value: 1, length }),
        ..fresh_key(profile, random)
    }
}

/// The keys of a crypto line, if we can do everything that the line asks for.
///
/// Passed over are lines with a session parameter that changes what packets look like (RFC 4568 §6.3), with an
/// identifier beyond [`MAX_MKI`] octets, with several keys that no identifier tells apart, or with a lifetime that
/// the suite cannot have. A window size hint asks nothing of us, a key derivation rate of 0 is the default, and what
/// begins with `-` may be ignored.
pub(super) fn keys_of(line: &Crypto) -> Option<Vec<SdesKey>> {
    let profile = SrtpProfile::of_suite(&line.suite)?;
    let harmless = |parameter: &String| {
        let parameter = parameter.to_ascii_uppercase();
        parameter.starts_with("WSH=") || parameter == "KDR=0" || parameter.starts_with('-')
    };
    if !line.session.iter().all(harmless) || !(1..=MAX_SDES_KEYS).contains(&line.keys.len()) {
        return None;
    }
    let told_apart = line.keys.iter().enumerate().all(|(at, key)| {
        let length = |key: &CryptoKey| key.mki.map(|mki| mki.length);
        let mut others = line.keys.iter().skip(at + 1);
        others
            .all(|other| key.mki.is_some() && other.mki != key.mki && length(other) == length(key))
    });
    if !told_apart {
        return None;
    }
    line.keys.iter().map(|key| key_of(profile, key)).collect()
}

fn key_of(profile: SrtpProfile, key: &CryptoKey) -> Option<SdesKey> {
    let fits = key.key_salt.len() == profile.key_len() + profile.salt_len()
        && key.mki.is_none_or(|mki| mki.length <= MAX_MKI)
        && key
            .lifetime
            .is_none_or(|lifetime| (1..=LONGEST_LIFE).contains(&lifetime));
    fits.then(|| SdesKey {
        profile,
        key_salt: key.key_salt.clone(),
        mki: key.mki,
        lifetime: key.lifetime,
    })
}

/// The fingerprint to hold their certificate against: of a hash that is not broken (RFC 8122 §5).
fn usable_fingerprint(section: Section<'_>) -> Option<Fingerprint> {
    let own = section.media.attributes.fingerprints();
    let all = if own.is_empty() {
        section.session.attributes.fingerprints()
    } else {
        own
    };
    [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)]
        .into_iter()
        .find_map(|(hash, octets)| {
            all.iter()
                .find(|print| print.hash == hash && print.digest.len() == octets)
        })
        .cloned()
}

/// Packets that any suite can protect under one key (RFC 3711 §9.2).
const LONGEST_LIFE: u64 = 1 << 48;
