//! What the TLS listeners show and ask for, kept in step with the files it comes from.
//!
//! [`Certificates`] reads all files when the node starts, and [`Certificates::watch`] reads them anew when
//! they change. New connections get the new settings; those that are open keep theirs. Files that cannot be
//! used, such as a certificate whose key is still the old one, change nothing: the last good settings stay,
//! the log says why, and the files are tried again at their next change.

mod choose;
mod own;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::tls::{self, BadTls};
use crate::config::{ClientCertificates, Config, TlsFiles};

use choose::Choice;
pub(super) use own::names as own_names;

/// The TLS settings of one kind of listener, as they are now.
pub(crate) type TlsSettings = watch::Receiver<Arc<ServerConfig>>;

/// The TLS settings of all listeners, and the files behind them.
pub(super) struct Certificates {
    sources: Sources,
    seen: Vec<Stamp>,
    https: watch::Sender<Arc<ServerConfig>>,
    sip: watch::Sender<Arc<ServerConfig>>,
}

/// What a look at the files brought.
#[derive(Debug)]
pub(super) enum Look {
    /// They are as they were.
    Same,
    /// They were read, and serve new connections.
    Renewed,
    /// They changed into something that cannot be used; what was read before goes on serving.
    Kept(CertificateError),
}

impl Certificates {
    /// Reads the files. Without a certificate of the operator's, one is made for `names` and kept under
    /// `<data>/tls`.
    ///
    /// # Errors
    /// [`CertificateError`] when files cannot be read or written.
    pub(super) fn load(config: &Config, names: Vec<String>) -> Result<Self, CertificateError> {
        let main = match &config.tls.files {
            Some(files) => files.clone(),
            None => own::files(&config.node.data, names)?,
        };
        Self::of(Sources {
            main,
            folder: config.tls.folder.clone(),
            clients: config.sip.client_certificates.clone(),
        })
    }

    fn of(sources: Sources) -> Result<Self, CertificateError> {
        // Stamped before they are read: a change in between is then seen as one.
        let seen = sources.stamps();
        let (https, sip) = sources.read()?;
        Ok(Self {
            sources,
            seen,
            https: watch::Sender::new(Arc::new(https)),
            sip: watch::Sender::new(Arc::new(sip)),
        })
    }

    /// For HTTPS.
    pub(super) fn https(&self) -> TlsSettings {
        self.https.subscribe()
    }

    /// For SIP over TLS, which may ask for certificates of clients.
    pub(super) fn sip(&self) -> TlsSettings {
        self.sip.subscribe()
    }

    /// Reads the files anew if they changed since the last look.
    pub(super) fn look(&mut self) -> Look {
        let stamps = self.sources.stamps();
        if stamps == self.seen {
            return Look::Same;
        }
        self.seen = stamps;
        match self.sources.read() {
            Ok((https, sip)) => {
                self.https.send_replace(Arc::new(https));
                self.sip.send_replace(Arc::new(sip));
                Look::Renewed
            }
            Err(error) => Look::Kept(error),
        }
    }

    /// Looks every second until the node stops.
    pub(super) async fn watch(mut self, stop: CancellationToken) {
        let usable = metrics::gauge!("campanile_certificate_files_usable");
        usable.set(1.0);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
            // The files may lie on a disk that is slow to answer.
            let looked = tokio::task::spawn_blocking(move || {
                let look = self.look();
                (self, look)
            });
            let Ok((back, look)) = looked.await else {
                tracing::error!("certificates are no longer watched");
                return;
            };
            self = back;
            match look {
                Look::Same => {}
                Look::Renewed => {
                    usable.set(1.0);
                    tracing::info!("certificates were read anew");
                }
                Look::Kept(error) => {
                    usable.set(0.0);
                    tracing::warn!(%error, "the changed certificates cannot be used; the old ones stay");
                }
            }
        }
    }
}

/// Where everything comes from.
struct Sources {
    main: TlsFiles,
    folder: Option<PathBuf>,
    clients: ClientCertificates,
}

impl Sources {
    /// Settings for HTTPS, and for SIP.
    ///
    /// TLS 1.2 and 1.3; all suites of the provider are forward-secret.
    fn read(&self) -> Result<(ServerConfig, ServerConfig), CertificateError> {
        let others = match &self.folder {
            Some(folder) => tls::load_folder(folder)?,
            None => Vec::new(),
        };
        let choice = Arc::new(Choice::new(tls::load(&self.main)?, others));
        let mut https = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(choice.clone());
        https.alpn_protocols = vec![b"http/1.1".to_vec()];
        let sip = match &self.clients {
            ClientCertificates::Off => ServerConfig::builder().with_no_client_auth(),
            ClientCertificates::Request(authorities) | ClientCertificates::Require(authorities) => {
                let roots = Arc::new(tls::load_authorities(authorities)?);
                let mut verifier = WebPkiClientVerifier::builder(roots);
                if matches!(self.clients, ClientCertificates::Request(_)) {
                    verifier = verifier.allow_unauthenticated();
                }
                ServerConfig::builder().with_client_cert_verifier(verifier.build()?)
            }
        };
        Ok((https, sip.with_cert_resolver(choice)))
    }

    /// What tells one state of the files from another.
    fn stamps(&self) -> Vec<Stamp> {
        let mut paths = vec![self.main.certificate.clone(), self.main.key.clone()];
        if let Some(folder) = &self.folder {
            paths.extend(tls::folder_files(folder).unwrap_or_default());
        }
        if let ClientCertificates::Request(authorities) | ClientCertificates::Require(authorities) =
            &self.clients
        {
            paths.push(authorities.clone());
        }
        paths.into_iter().map(Stamp::of).collect()
    }
}

/// One file as it was: its digest, as clocks are too coarse to tell one swap from the next.
#[derive(PartialEq, Eq, Debug)]
struct Stamp {
    path: PathBuf,
    /// SHA-256; `None` for a file that cannot be read.
    content: Option<Vec<u8>>,
}

impl Stamp {
    fn of(path: PathBuf) -> Self {
        let content = fs::read(&path).ok();
        let digest = |bytes: Vec<u8>| digest(&SHA256, &bytes).as_ref().to_vec();
        Self {
            path,
            content: content.map(digest),
        }
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Files that cannot be used.
    #[error(transparent)]
    Files(#[from] BadTls),
    /// Authorities for clients that cannot be used.
    #[error("cannot check certificates of clients: {0}")]
    Clients(#[from] VerifierBuilderError),
    /// A certificate of our own could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A certificate of our own could not be kept.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How soon a changed file serves.
const LOOK_EVERY: Duration = Duration::from_secs(1);
