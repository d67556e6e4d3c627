//! The files by which others find a running node: `ready.json`, `credentials.json`, and the lock that
//! keeps a second node out of the same data folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where everything listens, written when all of it does. A listener that is off is null.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// API, page, browser signaling.
    pub https: Option<SocketAddr>,
    /// SIP over TLS.
    pub sip_tls: Option<SocketAddr>,
    /// SIP over TCP.
    pub sip_tcp: Option<SocketAddr>,
    /// SIP over UDP.
    pub sip_udp: Option<SocketAddr>,
    /// Browser media.
    pub media: Option<SocketAddr>,
    /// Liveness, readiness, metrics.
    pub metrics: Option<SocketAddr>,
    /// What follows the `@` of a dial string.
    pub meet_domain: String,
    /// Our process.
    pub pid: u32,
}

/// The first administrator's key, in the words of an AWS credentials file.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    /// The key's public half.
    pub access_key_id: String,
    /// The key's secret half.
    pub secret_access_key: String,
    /// For the client's `region`.
    pub region: String,
    /// The deployment's account.
    pub account_id: String,
}

/// `<data>/run`, ours alone while this value lives.
#[derive(Debug)]
pub struct RunFolder {
    folder: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder and takes its lock.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another node has it; else what the file system said.
    pub fn take(data: &Path) -> io::Result<Self> {
        let folder = data.join("run");
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            fs::TryLockError::Error(error) => error,
        })?;
        // What a killed node left would mislead those who wait for this one.
        let _ = fs::remove_file(folder.join("ready.json"));
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Says that everything listens.
    ///
    /// # Errors
    /// What the file system said.
    pub fn ready(&self, ready: &Ready) -> io::Result<()> {
        self.write("ready.json", ready, 0o644)
    }

    /// Leaves the first administrator's key, readable by the owner alone.
    ///
    /// # Errors
    /// What the file system said.
    pub fn credentials(&self, credentials: Option<&Credentials>) -> io::Result<()> {
        let name = "credentials.json";
        match credentials {
            Some(credentials) => self.write(name, credentials, 0o600),
            None => match fs::remove_file(self.path(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    fn write(&self, name: &str, value: &impl Serialize, mode: u32) -> io::Result<()> {
        let beside = self.path(&format!("{name}.new"));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(mode)
            .open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        fs::rename(&beside, self.path(name))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A node that has ended is not ready; what cannot be removed now is removed by the next one.
        let _ = fs::remove_file(self.path("ready.json"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_node_is_kept_out_and_a_third_may_follow_the_first() {
        let data = tempfile::tempdir().unwrap();
        let first = RunFolder::take(data.path()).unwrap();
        assert_eq!(
            RunFolder::take(data.path()).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(first);
        RunFolder::take(data.path()).unwrap();
    }

    #[test]
    fn credentials_are_for_their_owner_only_and_survive_the_node() {
        let data = tempfile::tempdir().unwrap();
        let run = RunFolder::take(data.path()).unwrap();
        let path = run.path("credentials.json");
        fs::write(&path, "old").unwrap();
        let credentials = Credentials {
            access_key_id: "A".into(),
            secret_access_key: "S".into(),
            region: "r".into(),
            account_id: "1".into(),
        };
        run.credentials(Some(&credentials)).unwrap();
        drop(run);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["SecretAccessKey"], "S");
        let run = RunFolder::take(data.path()).unwrap();
        for _ in 0..2 {
            run.credentials(None).unwrap();
            assert!(!path.exists());
        }
    }
}
