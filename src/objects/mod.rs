//! Where what is kept goes: buckets, each a folder or an S3 server's, some of them sealed.
//!
//! ```text
//! Objects ── bucket's name ──► folder or S3     put, get, list, delete; big ones piece by piece
//!               └── sealed? ──► envelope        AES-256-GCM, bound to bucket and path
//! ```

mod acl;
pub mod envelope;
mod pieces;
mod s3;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use thiserror::Error;

use crate::config::{Bucket as Configured, BucketPlace};
use envelope::{BadEnvelope, ObjectKey, Place};
pub use pieces::{Reader, Writer};

/// All buckets. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Objects {
    buckets: Arc<BTreeMap<String, Bucket>>,
    own_account: Arc<str>,
    key: ObjectKey,
}

/// One bucket, open.
#[derive(Debug)]
struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Whether its lists come in the order of the paths, as S3's do.
    in_order: bool,
    sealed: bool,
    accounts: Vec<String>,
}

/// An object in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its path within the bucket.
    pub key: String,
    /// Octets as they are stored.
    pub size: u64,
    /// When it was written, ms since the epoch.
    pub modified_ms: i64,
}

/// Why something was not done with an object.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// No such bucket is configured.
    #[error("{0:?} is no bucket of this server")]
    UnknownBucket(String),
    /// No path.
    #[error("an object must have a name")]
    NoKey,
    /// A path that leads nowhere (dots, control characters, nothing between two slashes), or another way to write one
    /// (a slash at either end).
    #[error("no object can have that name: {0}")]
    BadKey(String),
    /// There is no such object, or its bucket is gone from where it was.
    #[error("there is no such object: {0}")]
    NotFound(String),
    /// The store does not let us: wrong credentials, or a bucket that belongs to another account than expected.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// The store cannot be reached, or fails.
    #[error("the store fails: {0}")]
    Away(String),
    /// The envelope.
    #[error("the object does not open: {0}")]
    Envelope(#[from] BadEnvelope),
    /// No random octets.
    #[error("no random octets: {0}")]
    Random(String),
    /// A folder or a connection that the configuration names cannot be used. Which bucket, and why.
    #[error("bucket {0:?}: {1}")]
    Unusable(String, String),
}

impl Objects {
    /// Opens the configured buckets, and the default one, a folder of that name in `folder` unless it is among them.
    /// Folders are made where they are missing; S3 servers are not asked yet.
    ///
    /// # Errors
    /// [`ObjectError::Unusable`].
    pub fn open(
        configured: &[Configured],
        default: &str,
        folder: &Path,
        own_account: &str,
        key: ObjectKey,
    ) -> Result<Self, ObjectError> {
        let mut buckets = BTreeMap::new();
        for bucket in configured {
            let (store, in_order): (Arc<dyn ObjectStore>, bool) = match &bucket.place {
                BucketPlace::Folder(path) => (open_folder(&bucket.name, path)?, false),
                BucketPlace::S3(asked) => (s3::open(&bucket.name, asked)?, true),
            };
            let (sealed, accounts) = (bucket.sealed, bucket.accounts.clone());
            let opened = Bucket {
                store,
                in_order,
                sealed,
                accounts,
            };
            buckets.insert(bucket.name.clone(), opened);
        }
        if !buckets.contains_key(default) {
            let opened = Bucket {
                store: open_folder(default, &folder.join(default))?,
                in_order: false,
                sealed: false,
                accounts: Vec::new(),
            };
            buckets.insert(default.to_owned(), opened);
        }
        Ok(Self {
            buckets: Arc::new(buckets),
            own_account: own_account.into(),
            key,
        })
    }

    /// Whether an account may have its records put there: the deployment's own anywhere where nothing else is
    /// said, others only where they are named.
    #[must_use]
    pub fn is_open_to(&self, bucket: &str, account: &str) -> bool {
        self.buckets.get(bucket).is_some_and(|bucket| {
            if bucket.accounts.is_empty() {
                account == &*self.own_account
            } else {
                bucket.accounts.iter().any(|named| named == account)
            }
        })
    }

    /// The names of all buckets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.buckets.keys().map(String::as_str)
    }

    /// Puts an object there, in place of one that was there. It is sealed where the bucket says so. On return it is
    /// on disk, or with the S3 server.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), ObjectError> {
        let sealed = self.bucket(bucket)?.sealed;
        self.put_as(bucket, key, body, sealed).await
    }

    /// The same for what is sealed wherever it lies, such as recordings.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn put_sealed(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> Result<(), ObjectError> {
        self.put_as(bucket, key, body, true).await
    }

    async fn put_as(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        sealed: bool,
    ) -> Result<(), ObjectError> {
        let mut writer = self.writer(bucket, key, sealed)?;
        match writer.write(body).await {
            Ok(()) => writer.finish().await,
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Begins an object whose octets come piece by piece. Only [`Writer::finish`] makes it be there.
    ///
    /// # Errors
    /// No such bucket; no random octets.
    pub fn writer(&self, bucket: &str, key: &str, sealed: bool) -> Result<Writer, ObjectError> {
        let path = path(key)?;
        let opened = self.bucket(bucket)?;
        let place = Place {
            bucket,
            path: path.as_ref(),
        };
        let seal = (sealed || opened.sealed).then_some((&self.key, place));
        Writer::new(opened.store.clone(), &path, seal)
    }

    /// An object's octets, opened if it is sealed.
    ///
    /// # Errors
    /// [`ObjectError`]; [`BadEnvelope::NotSealed`] where the bucket holds sealed ones only.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, ObjectError> {
        let sealed = self.bucket(bucket)?.sealed;
        self.reader(bucket, key, sealed).await?.all().await
    }

    /// The same, of an object that must have been sealed.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn get_sealed(&self, bucket: &str, key: &str) -> Result<Bytes, ObjectError> {
        self.reader(bucket, key, true).await?.all().await
    }

    /// An object's octets piece by piece. `sealed` refuses one that is not.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn reader(
        &self,
        bucket: &str,
        key: &str,
        sealed: bool,
    ) -> Result<Reader, ObjectError> {
        let path = path(key)?;
        let opened = self.bucket(bucket)?;
        let place = Place {
            bucket,
            path: path.as_ref(),
        };
        let found = opened.store.get(&path).await?;
        let must = sealed || opened.sealed;
        Ok(Reader::new(found.into_stream(), &self.key, place, must))
    }

    /// At most `limit` objects whose path begins with the segments of `prefix`, in the order of their paths, from
    /// behind `after` on.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Stored>, ObjectError> {
        if prefix.starts_with('/') {
            // Policies may look at it as it was given, and no key begins so.
            let why = format!("{prefix:?} begins with a slash");
            return Err(ObjectError::BadKey(why));
        }
        let prefix = Some(plain(prefix)?).filter(|path| !path.as_ref().is_empty());
        let bucket = self.bucket(bucket)?;
        let found = bucket
            .store
            .list_with_offset(prefix.as_ref(), &plain(after)?);
        first(found, bucket.in_order, limit).await
    }

    /// Takes an object away; one that is not there is no error on S3.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), ObjectError> {
        Ok(self.bucket(bucket)?.store.delete(&path(key)?).await?)
    }

    fn bucket(&self, name: &str) -> Result<&Bucket, ObjectError> {
        self.buckets
            .get(name)
            .ok_or_else(|| ObjectError::UnknownBucket(name.to_owned()))
    }
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error;
        let text = error.to_string();
        match error {
            Error::NotFound { .. } => Self::NotFound(text),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::Refused(text),
            _ => Self::Away(text),
        }
    }
}

/// The first of what is listed, in the order of their paths.
async fn first(
    mut found: BoxStream<'_, object_store::Result<ObjectMeta>>,
    in_order: bool,
    limit: usize,
) -> Result<Vec<Stored>, ObjectError> {
    let mut first = BTreeMap::new();
    while let Some(entry) = found.next().await {
        let entry = entry?;
        let stored = Stored {
            key: entry.location.to_string(),
            size: entry.size,
            modified_ms: entry.last_modified.timestamp_millis(),
        };
        first.insert(stored.key.clone(), stored);
        if in_order && first.len() >= limit {
            break;
        }
        if first.len() > limit {
            first.pop_last();
        }
    }
    Ok(first.into_values().collect())
}

/// A key as it is, so that what lists show is what can be asked for. Nothing in it leads out of a folder.
fn plain(key: &str) -> Result<ObjectPath, ObjectError> {
    ObjectPath::parse(key).map_err(|error| ObjectError::BadKey(error.to_string()))
}

fn path(key: &str) -> Result<ObjectPath, ObjectError> {
    let path = plain(key)?;
    if path.as_ref().is_empty() {
        Err(ObjectError::NoKey)
    } else if path.as_ref() != key {
        // Policies were asked for the key as it was given: were it taken for another, they would be evaded.
        let why = format!("{key:?} is another way to write {:?}", path.as_ref());
        Err(ObjectError::BadKey(why))
    } else {
        Ok(path)
    }
}

/// What the key of all objects is derived from the master key for.
pub const KEY_PURPOSE: &str = "campanile objects 1";

fn open_folder(name: &str, path: &Path) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let unusable =
        |why: String| ObjectError::Unusable(name.to_owned(), format!("{}: {why}", path.display()));
    std::fs::create_dir_all(path).map_err(|error| unusable(error.to_string()))?;
    let folder =
        LocalFileSystem::new_with_prefix(path).map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(folder.with_fsync(true)))
}
