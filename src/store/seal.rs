//! Secrets at rest: AES-256-GCM under a master key that the database does not hold, each text bound to the table,
//! column and row that it stands in, so that none can be read elsewhere or moved.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::{Secret, StoreError, draw};

/// Where the master key comes from.
#[derive(Clone, Debug, Default)]
pub enum KeySource {
    /// `secrets.key` in the data folder, made at the first start.
    #[default]
    DataFolder,
    /// A file that somebody else keeps; it must be there.
    File(PathBuf),
    /// The key itself, as the environment gives it.
    Text(Secret),
}

/// What is wrong with the master key. Always the configuration's fault.
#[derive(Debug, Error)]
pub enum BadKey {
    /// Its file cannot be read or made.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not 32 octets in base64.
    #[error("the key is not {KEY_OCTETS} octets in base64")]
    Shape,
    /// The database was sealed with a key, and that one is gone.
    #[error("{} is missing, and the database's secrets were sealed with it", .0.display())]
    Missing(PathBuf),
    /// It is not the key that the database's secrets were sealed with.
    #[error("the database's secrets were sealed with another key")]
    Wrong,
}

/// The place of one sealed text. Table and column are names, the row its primary key.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's primary key.
    pub row: &'a str,
}

/// Seals and opens the secrets of one database. Cloning shares the keys.
#[derive(Clone)]
pub struct Seal {
    key: Arc<LessSafeKey>,
    /// Another one, made of the master key, by which sealed texts are found again.
    finding: Arc<hmac::Key>,
    /// The master key as HKDF (RFC 5869) derives others from it.
    others: Prk,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(hidden)")
    }
}

impl Seal {
    /// Finds the master key. In the data folder it is made where it is missing, unless something was `sealed`
    /// already: a new key could not open that.
    pub(super) fn find(source: &KeySource, data: &Path, sealed: bool) -> Result<Self, StoreError> {
        let text = match source {
            KeySource::Text(text) => text.clone(),
            KeySource::File(path) => read(path).map_err(|error| BadKey::File {
                path: path.clone(),
                error,
            })?,
            KeySource::DataFolder => {
                let path = data.join(FILE);
                match read(&path) {
                    Ok(text) => text,
                    Err(error) if error.kind() == io::ErrorKind::NotFound && sealed => {
                        return Err(BadKey::Missing(path).into());
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        let text = draw::master_key()?;
                        make(&path, &text).map_err(|error| BadKey::File { path, error })?;
                        text
                    }
                    Err(error) => return Err(BadKey::File { path, error }.into()),
                }
            }
        };
        Self::new(&text).map_err(StoreError::from)
    }

    fn new(text: &Secret) -> Result<Self, BadKey> {
        let octets = STANDARD
            .decode(text.expose().trim())
            .map_err(|_| BadKey::Shape)?;
        let key = UnboundKey::new(&AES_256_GCM, &octets).map_err(|_| BadKey::Shape)?;
        // HMAC as a key derivation function (NIST SP 800-108): neither key says anything of the other.
        let master = hmac::Key::new(hmac::HMAC_SHA256, &octets);
        let finding = hmac::sign(&master, FINDING);
        Ok(Self {
            key: Arc::new(LessSafeKey::new(key)),
            finding: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, finding.as_ref())),
            others: Salt::new(HKDF_SHA256, &[]).extract(&octets),
        })
    }

    /// A key for another purpose than the database. Whoever has the master key can work it out again (RFC 5869, no
    /// salt, the purpose as info), with no database at hand.
    ///
    /// # Errors
    /// The cipher library; nothing that input can bring about.
    pub fn derive(&self, purpose: &'static str) -> Result<[u8; KEY_OCTETS], StoreError> {
        let mut octets = [0; KEY_OCTETS];
        self.others
            .expand(&[purpose.as_bytes()], DerivedKey)
            .and_then(|okm| okm.fill(&mut octets))
            .map_err(|_| StoreError::Unreadable(format!("the key of {purpose}")))?;
        Ok(octets)
    }

    /// The text as it is stored in that place.
    ///
    /// # Errors
    /// No random octets.
    pub fn seal(&self, place: Place<'_>, clear: &str) -> Result<String, StoreError> {
        let nonce = draw::octets::<NONCE_LEN>()?;
        let mut octets = clear.as_bytes().to_vec();
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.octets()),
                &mut octets,
            )
            .map_err(|_| StoreError::Unsealed(place.table, place.column))?;
        let whole = [nonce.as_slice(), &octets, tag.as_ref()].concat();
        Ok(format!("{PREFIX}{}", STANDARD.encode(whole)))
    }

    /// By what a sealed text is found: the same for the same text, and nothing to who has not the key, however few
    /// digits the text has. `what` keeps apart texts that are not looked up together.
    pub(super) fn found_by(&self, what: &'static str, clear: &str) -> String {
        let octets = [what, clear].join("\0").into_bytes();
        STANDARD.encode(hmac::sign(&self.finding, &octets))
    }

    /// The secret that is stored in that place.
    ///
    /// # Errors
    /// [`StoreError::Unsealed`] where it is none of ours, was changed, or stood in another place.
    pub fn open(&self, place: Place<'_>, stored: &str) -> Result<Secret, StoreError> {
        self.try_open(place, stored)
            .ok_or(StoreError::Unsealed(place.table, place.column))
    }

    fn try_open(&self, place: Place<'_>, stored: &str) -> Option<Secret> {
        let mut whole = STANDARD.decode(stored.strip_prefix(PREFIX)?).ok()?;
        let (nonce, octets) = whole.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let clear = self
            .key
            .open_in_place(nonce, Aad::from(place.octets()), octets)
            .ok()?;
        Some(Secret::new(String::from_utf8(clear.to_vec()).ok()?))
    }
}

/// The length of a derived key.
struct DerivedKey;

impl KeyType for DerivedKey {
    fn len(&self) -> usize {
        KEY_OCTETS
    }
}

impl Place<'_> {
    /// No name holds a zero octet, so no two places read the same.
    fn octets(self) -> Vec<u8> {
        [self.table, self.column, self.row].join("\0").into_bytes()
    }
}

/// Whether a stored text is sealed. None of our secrets in clear has a colon.
pub(super) fn is_sealed(stored: &str) -> bool {
    stored.starts_with(PREFIX)
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut text = String::new();
    // Nothing that long is a key; a device file would never end.
    OpenOptions::new()
        .read(true)
        .open(path)?
        .take(1024)
        .read_to_string(&mut text)?;
    Ok(Secret::new(text))
}

/// Says so where anybody on this machine may read the key's file.
pub(super) fn warn_of_open_file(source: &KeySource, data: &Path) {
    if let Some(path) = open_file(source, data) {
        let path = path.display();
        tracing::warn!(%path, "anybody on this machine may read the key of the secrets at rest; make it mode 0600");
    }
}

/// The key's file, where it is open to others than its owner and group.
fn open_file(source: &KeySource, data: &Path) -> Option<PathBuf> {
    let path = match source {
        KeySource::DataFolder => data.join(FILE),
        KeySource::File(path) => path.clone(),
        KeySource::Text(_) => return None,
    };
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (mode & 0o007 != 0).then_some(path)
}

/// Written whole under another name first, so that a crash leaves no half key behind.
fn make(path: &Path, text: &Secret) -> io::Result<()> {
    let draft = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", text.expose())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The key's file in the data folder.
pub const FILE: &str = "secrets.key";

/// What a sealed text begins with; the number is that of the method.
const PREFIX: &str = "sealed:1:";

/// What the second key is made for.
const FINDING: &[u8] = b"campanile: texts that are found by their value";

/// Octets of a master key.
pub const KEY_OCTETS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place {
        table: "access_keys",
        column: "secret_access_key",
        row: "AKIA1",
    };

    #[test]
    fn a_key_that_anybody_may_read_is_told() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let own = KeySource::DataFolder;
        make(&data.join(FILE), &Secret::new("k".to_owned())).unwrap();
        assert_eq!(open_file(&own, data), None);
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(data.join(FILE), mode(0o644)).unwrap();
        let told = Some(data.join(FILE));
        assert_eq!(open_file(&own, data), told);
        let elsewhere = KeySource::File(data.join(FILE));
        assert_eq!(open_file(&elsewhere, Path::new("/")), told);
        std::fs::set_permissions(data.join(FILE), mode(0o640)).unwrap();
        assert_eq!(open_file(&own, data), None);
    }

    const EXPECTED: [u8; 32] = [
        147, 122, 155, 149, 85, 180, 111, 26, 125, 92, 150, 49, 152, 61, 65, 74, 187, 34, 237, 139,
        233, 2, 244, 206, 194, 200, 147, 3, 147, 244, 94, 41,
    ];

    fn seal() -> Seal {
        Seal::new(&Secret::new(STANDARD.encode([7; 32]))).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let seal = seal();
        let stored = seal.seal(PLACE, "open sesame").unwrap();
        assert!(is_sealed(&stored) && !stored.contains("sesame"));
        assert!(seal.open(PLACE, &stored).unwrap().matches("open sesame"));
        for place in [
            Place {
                row: "AKIA2",
                ..PLACE
            },
            Place {
                column: "other",
                ..PLACE
            },
            Place {
                table: "sessions",
                ..PLACE
            },
        ] {
            assert!(seal.open(place, &stored).is_err(), "{place:?}");
        }
        // The same text never looks the same.
        assert_ne!(seal.seal(PLACE, "open sesame").unwrap(), stored);
    }

    #[test]
    fn a_text_is_found_by_the_same_with_the_same_key_only() {
        let other = Seal::new(&Secret::new(STANDARD.encode([8; 32]))).unwrap();
        let found = seal().found_by("pin", "1234567890");
        assert_eq!(seal().found_by("pin", "1234567890"), found);
        for else_found in [
            seal().found_by("pin", "1234567891"),
            seal().found_by("join_token", "1234567890"),
            other.found_by("pin", "1234567890"),
        ] {
            assert_ne!(else_found, found);
        }
        // RFC 4231's construction over the derived key, worked out by the standard library's rules in Python:
        // key = hmac(bytes([7] * 32), FINDING), hmac(key, b"pin\x001234567890").
        assert_eq!(found, "tB6QJ6YI8QjuMgtGyD4wJgQn2nnyM6VsZ4YLiEEejsk=");
    }

    #[test]
    fn a_changed_text_or_another_key_opens_nothing() {
        let seal = seal();
        let stored = seal.seal(PLACE, "open sesame").unwrap();
        let other = Seal::new(&Secret::new(STANDARD.encode([8; 32]))).unwrap();
        assert!(other.open(PLACE, &stored).is_err());
        let body = stored.strip_prefix(PREFIX).unwrap();
        let mut octets = STANDARD.decode(body).unwrap();
        for at in 0..octets.len() {
            octets[at] ^= 1;
            let changed = format!("{PREFIX}{}", STANDARD.encode(&octets));
            assert!(seal.open(PLACE, &changed).is_err(), "octet {at}");
            octets[at] ^= 1;
        }
        for text in ["", "open sesame", PREFIX, "sealed:1:AAAA", "sealed:2:AAAA"] {
            assert!(seal.open(PLACE, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_for_another_purpose_is_what_another_hkdf_makes_of_it() {
        let seal = Seal::new(&Secret::new(STANDARD.encode([0x0b; 32]))).unwrap();
        // By Python's cryptography: HKDF(SHA256(), 32, salt=None, info=b"campanile objects 1").
        assert_eq!(seal.derive("campanile objects 1").unwrap(), EXPECTED);
        assert_ne!(seal.derive("campanile objects 2").unwrap(), EXPECTED);
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        for text in ["", "AAEC", "not base64!", &STANDARD.encode([7; 33])] {
            let refused = Seal::new(&Secret::new(text.to_owned()));
            assert!(matches!(refused, Err(BadKey::Shape)), "{text}");
        }
    }

    #[test]
    fn the_data_folders_key_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let find = |sealed| Seal::find(&KeySource::DataFolder, data.path(), sealed);
        assert!(matches!(
            find(true),
            Err(StoreError::Key(BadKey::Missing(_)))
        ));
        let stored = find(false).unwrap().seal(PLACE, "x").unwrap();
        assert!(find(true).unwrap().open(PLACE, &stored).is_ok());
        let mode = std::fs::metadata(data.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
}
