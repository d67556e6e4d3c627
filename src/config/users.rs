//! Those who may call over a SIP listener: `name:password`, or `name:{ALGORITHM}hash`, from configuration and files.
//! No error here shows what was said: it may be a password.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use call::authenticate::{Ha1, Password, Secret, Users, algorithms};
use wire::sip::digest::Algorithm;

/// Why an entry cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadEntry {
    /// Not a text at all.
    #[error("it is not a text")]
    NoText,
    /// No colon.
    #[error("no colon between name and password")]
    NoColon,
    /// Nothing before or after the colon.
    #[error("name and password must not be empty")]
    Empty,
    /// Not the hash that it says.
    #[error("not as many hexadecimal digits as its algorithm gives")]
    NoHash,
    /// A second secret of one name.
    #[error("the name was there before")]
    Repeated,
}

/// Why users cannot be taken from a file, or not all of them together.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line cannot be used.
    #[error("{path}, line {line}: {bad}", path = path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        bad: BadEntry,
    },
    /// Nobody could call.
    #[error("{path} names nobody", path = path.display())]
    Nobody {
        /// The file.
        path: PathBuf,
    },
    /// No challenge could be answered by all.
    #[error("some names have only an MD5 hash and others only a SHA-256 hash")]
    NothingInCommon,
}

impl UsersError {
    /// Whether the file is to blame, and not the list.
    #[must_use]
    pub fn is_of_file(&self) -> bool {
        !matches!(self, Self::NothingInCommon)
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a file that this user may read",
            Self::BadLine { .. } => {
                "write name:password on each line, or name:{SHA-256}hash, or name:{MD5}hash"
            }
            Self::Nobody { .. } => "write name:password on each line, or leave the key out",
            Self::NothingInCommon => "give every name a hash of the same algorithm",
        }
    }
}

/// Adds an entry. A name may have two of them when both are hashes, of different algorithms.
///
/// # Errors
/// [`BadEntry`].
pub fn add(users: &mut Users, entry: &str) -> Result<(), BadEntry> {
    let (name, secret) = entry.split_once(':').ok_or(BadEntry::NoColon)?;
    if name.is_empty() || secret.is_empty() {
        return Err(BadEntry::Empty);
    }
    let secret = read(secret)?;
    match users.entry(name.to_owned()) {
        Entry::Vacant(vacant) => {
            vacant.insert(secret);
            Ok(())
        }
        Entry::Occupied(mut known) => match (known.get_mut(), secret) {
            (Secret::Hashed(known), Secret::Hashed(new))
                if new.keys().all(|algorithm| !known.contains_key(algorithm)) =>
            {
                known.extend(new);
                Ok(())
            }
            _ => Err(BadEntry::Repeated),
        },
    }
}

fn read(secret: &str) -> Result<Secret, BadEntry> {
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        if let Some(digits) = secret.strip_prefix(&format!("{{{algorithm}}}")) {
            let hash = Ha1::read(algorithm, digits).ok_or(BadEntry::NoHash)?;
            return Ok(Secret::Hashed(BTreeMap::from([(algorithm, hash)])));
        }
    }
    Ok(Secret::Password(Password::new(secret)))
}

/// Those of the list and those of the file. In the file empty lines, and those that begin with `#`, are left out.
///
/// # Errors
/// [`UsersError`].
pub(super) fn all(list: &Users, file: Option<&Path>) -> Result<Users, UsersError> {
    let mut users = list.clone();
    if let Some(path) = file {
        add_file(&mut users, path)?;
    }
    if algorithms(&users).is_empty() {
        return Err(UsersError::NothingInCommon);
    }
    Ok(users)
}

fn add_file(users: &mut Users, path: &Path) -> Result<(), UsersError> {
    let text = std::fs::read_to_string(path).map_err(|source| UsersError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut found = false;
    for (line, entry) in (1..).zip(text.lines()) {
        if entry.trim().is_empty() || entry.starts_with('#') {
            continue;
        }
        found = true;
        add(users, entry).map_err(|bad| UsersError::BadLine {
            path: path.to_owned(),
            line,
            bad,
        })?;
    }
    if found {
        Ok(())
    } else {
        Err(UsersError::Nobody {
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(list: &Users, text: &str) -> Result<Users, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, text).unwrap();
        all(list, Some(&path)).map_err(|error| {
            let text = error.to_string();
            text.replace(&path.display().to_string(), "FILE")
        })
    }

    #[test]
    fn names_and_passwords_are_read_line_by_line() {
        let text = "# who may call\nann:secret\n\nben:with:colon\r\n";
        let users = from_file(&Users::new(), text).unwrap();
        assert_eq!(users.len(), 2);
        let password = |text: &str| Secret::Password(Password::new(text));
        assert_eq!(users["ann"], password("secret"));
        assert_eq!(users["ben"], password("with:colon"));
    }

    #[test]
    fn a_name_may_have_a_hash_of_each_algorithm() {
        let (md5, sha256) = ("0".repeat(32), "A".repeat(64));
        let text = format!("ann:{{MD5}}{md5}\nann:{{SHA-256}}{sha256}\n");
        let users = from_file(&Users::new(), &text).unwrap();
        let hash = |algorithm, digits: &str| (algorithm, Ha1::read(algorithm, digits).unwrap());
        let both = [
            hash(Algorithm::Md5, &md5),
            hash(Algorithm::Sha256, &"a".repeat(64)),
        ];
        assert_eq!(users["ann"], Secret::Hashed(both.into()));
    }

    #[test]
    fn a_bad_line_is_named_and_no_password_shown() {
        let mut list = Users::new();
        add(&mut list, "eve:hunter1").unwrap();
        let md5 = "0".repeat(32);
        for (text, why) in [
            (
                "ann:hunter2\nben\n",
                "FILE, line 2: no colon between name and password",
            ),
            (
                "ann:\n",
                "FILE, line 1: name and password must not be empty",
            ),
            (
                "ann:hunter2\nann:hunter3",
                "FILE, line 2: the name was there before",
            ),
            ("eve:hunter2", "FILE, line 1: the name was there before"),
            (
                "ann:{MD5}hunter2",
                "FILE, line 1: not as many hexadecimal digits as its algorithm gives",
            ),
            ("# nobody\n", "FILE names nobody"),
        ] {
            assert_eq!(from_file(&list, text).unwrap_err(), why);
        }
        let apart = format!("ann:{{MD5}}{md5}\nben:{{SHA-256}}{md5}{md5}\n");
        assert_eq!(
            from_file(&list, &apart).unwrap_err(),
            "some names have only an MD5 hash and others only a SHA-256 hash"
        );
    }
}
