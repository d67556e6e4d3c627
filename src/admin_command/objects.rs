//! `campanile admin object`: what lies in the buckets, opened if it is sealed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Output;
use super::client::{AdminError, Client, path, query};

#[derive(Subcommand, Debug)]
pub(super) enum ObjectVerb {
    /// List the buckets.
    Buckets,
    /// List what is in a bucket, in the order of the keys.
    List {
        /// The bucket.
        bucket: String,
        /// Only keys that begin with these segments.
        #[arg(long, value_name = "KEY")]
        prefix: Option<String>,
    },
    /// Write an object to a file or to standard output; a sealed one is opened.
    Get {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// The file, which must not be there yet.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What is to be printed; nothing where the object itself went to standard output.
pub(super) fn object(verb: &ObjectVerb, client: &Client) -> Result<Option<Output>, AdminError> {
    let folder = |bucket: &str| path(&["campanile", "buckets", bucket, "objects"]);
    match verb {
        ObjectVerb::Buckets => {
            let found = client.get("/campanile/buckets")?;
            Ok(Some(Output::table(found, "Buckets", &["Name"])))
        }
        ObjectVerb::List { bucket, prefix } => {
            let asked = [("prefix", prefix.as_deref()), ("max-results", Some("1000"))];
            let found = client.all(&(folder(bucket) + &query(&asked)), "Objects")?;
            let columns = ["LastModified", "Size", "Key"];
            Ok(Some(Output::table(found, "Objects", &columns)))
        }
        ObjectVerb::Get {
            bucket,
            key,
            output,
        } => {
            if key.is_empty() {
                return Err(AdminError::Usage("Key: must not be empty".to_owned()));
            }
            let place = folder(bucket) + &path(&[key]);
            match output {
                None => client.fetch(&place, &mut io::stdout().lock())?,
                Some(file) => save(client, &place, file)?,
            }
            Ok(None)
        }
    }
}

/// Half an object is none: it is taken away again.
fn save(client: &Client, place: &str, file: &Path) -> Result<(), AdminError> {
    let broken = |error: io::Error| AdminError::Usage(format!("{}: {error}", file.display()));
    let mut out = create(file).map_err(broken)?;
    let done = client.fetch(place, &mut out);
    let done = done.and_then(|()| out.sync_all().map_err(broken));
    if done.is_err() {
        let _ = std::fs::remove_file(file);
    }
    done
}

/// A file that was not there. What may have been sealed is nobody else's to read.
fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_saved_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let mode = create(&file).unwrap().metadata().unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(create(&file).is_err(), "it was there");
    }
}
