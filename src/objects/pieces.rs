//! Objects that are written and read piece by piece, however big they are.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::io::AsyncWriteExt;

use super::ObjectError;
use super::envelope::{BadEnvelope, ObjectKey, Opener, Place, SALT_LEN, Sealer, is_sealed};

/// An object that is being written. Dropping it leaves nothing in a folder; what an S3 server has of it by then is
/// for that server's lifecycle rules, unless [`Writer::abort`] takes it back.
pub struct Writer {
    out: BufWriter,
    sealer: Option<Sealer>,
    sealed: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        path: &ObjectPath,
        seal: Option<(&ObjectKey, Place<'_>)>,
    ) -> Result<Self, ObjectError> {
        let mut sealed = Vec::new();
        let sealer = match seal {
            None => None,
            Some((key, place)) => {
                let mut salt = [0; SALT_LEN];
                SysRng
                    .try_fill_bytes(&mut salt)
                    .map_err(|error| ObjectError::Random(error.to_string()))?;
                Some(Sealer::new(key, place, salt, &mut sealed)?)
            }
        };
        Ok(Self {
            out: BufWriter::with_capacity(store, path.clone(), PART),
            sealer,
            sealed,
        })
    }

    /// The next octets.
    ///
    /// # Errors
    /// The store, or the cipher.
    pub async fn write(&mut self, octets: Bytes) -> Result<(), ObjectError> {
        let octets = match &mut self.sealer {
            None => octets,
            Some(sealer) => {
                sealer.push(&octets, &mut self.sealed)?;
                std::mem::take(&mut self.sealed).into()
            }
        };
        Ok(self.out.put(octets).await?)
    }

    /// The end: on return the object is there, whole.
    ///
    /// # Errors
    /// The store, or the cipher; then there is no such object, or still the old one.
    pub async fn finish(mut self) -> Result<(), ObjectError> {
        if let Some(sealer) = self.sealer.take() {
            sealer.finish(&mut self.sealed)?;
            self.out.put(self.sealed.into()).await?;
        }
        // It takes back the parts by itself where this fails.
        self.out
            .shutdown()
            .await
            .map_err(|error| match error.downcast::<object_store::Error>() {
                Ok(error) => error.into(),
                Err(error) => ObjectError::Away(error.to_string()),
            })
    }

    /// Takes back what was written so far.
    pub async fn abort(mut self) {
        if let Err(error) = self.out.abort().await {
            tracing::warn!(%error, "an object that was begun cannot be taken back");
        }
    }
}

/// An object that is being read.
pub struct Reader {
    stored: BoxStream<'static, object_store::Result<Bytes>>,
    form: Form,
    must_be_sealed: bool,
}

enum Form {
    /// The first octets tell; there are not enough of them yet.
    Unknown(Vec<u8>, Box<Opener>),
    Plain,
    Sealed(Box<Opener>),
    Ended,
    /// There was an error: whatever comes now, this is not the whole object.
    Broken,
}

impl Reader {
    pub(super) fn new(
        stored: BoxStream<'static, object_store::Result<Bytes>>,
        key: &ObjectKey,
        place: Place<'_>,
        must_be_sealed: bool,
    ) -> Self {
        let opener = Box::new(Opener::new(key, place));
        Self {
            stored,
            form: Form::Unknown(Vec::new(), opener),
            must_be_sealed,
        }
    }

    /// The next octets, never none; `None` once the object has ended and is known to be whole.
    ///
    /// # Errors
    /// The store, or what is wrong with the envelope. What came before an error is not the whole object.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        loop {
            let form = match std::mem::replace(&mut self.form, Form::Broken) {
                Form::Ended => {
                    self.form = Form::Ended;
                    return Ok(None);
                }
                Form::Broken => return Err(ObjectError::Away("it broke off before".to_owned())),
                form => form,
            };
            let came = self.stored.next().await.transpose()?;
            let mut out = Vec::new();
            self.form = self.took(form, came, &mut out)?;
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
    }

    /// What has come makes of a form, and what it gives out. Nothing more comes where nothing came.
    fn took(
        &self,
        form: Form,
        came: Option<Bytes>,
        out: &mut Vec<u8>,
    ) -> Result<Form, ObjectError> {
        let ended = came.is_none();
        let came = came.unwrap_or_default();
        Ok(match form {
            Form::Unknown(mut begin, mut opener) => {
                begin.extend_from_slice(&came);
                if begin.len() < ENOUGH && !ended {
                    return Ok(Form::Unknown(begin, opener));
                }
                if is_sealed(&begin) {
                    opener.push(&begin, out)?;
                    if ended {
                        opener.finish(out)?;
                        return Ok(Form::Ended);
                    }
                    return Ok(Form::Sealed(opener));
                }
                if self.must_be_sealed {
                    return Err(BadEnvelope::NotSealed.into());
                }
                *out = begin;
                if ended { Form::Ended } else { Form::Plain }
            }
            Form::Sealed(mut opener) => {
                if ended {
                    opener.finish(out)?;
                    return Ok(Form::Ended);
                }
                opener.push(&came, out)?;
                Form::Sealed(opener)
            }
            Form::Plain if !ended => {
                out.extend_from_slice(&came);
                Form::Plain
            }
            Form::Plain | Form::Ended => Form::Ended,
            Form::Broken => Form::Broken,
        })
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn all(mut self) -> Result<Bytes, ObjectError> {
        let mut all = Vec::new();
        while let Some(octets) = self.next().await? {
            all.extend_from_slice(&octets);
        }
        Ok(all.into())
    }
}

/// Octets that go to an S3 server in one request; what is bigger goes in parts of this size. S3 takes at most 10,000
/// parts of an object, which makes 80 GiB.
const PART: usize = 8 << 20;

/// Octets by which an envelope is known.
const ENOUGH: usize = 8;
