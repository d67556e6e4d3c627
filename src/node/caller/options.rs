//! What a scripted call is asked to do, and why it cannot be.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use call::authenticate::Account;
use call::exchange::Transport;
use call::negotiate::phone::{Keying, SrtpPolicy};
use wire::plan::{AudioCodec, SrtpProfile};

use crate::node::SystemFault;
use crate::node::shard::ShardError;
use crate::node::sound::SoundError;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom to call.
    pub uri: String,
    /// How to reach them where the URI does not say; `None`: as DNS says (RFC 3263).
    pub transport: Option<Transport>,
    /// The name server to ask; `None`: whom the machine asks.
    pub name_server: Option<SocketAddr>,
    /// Who we are to those who ask for credentials.
    pub account: Option<Account>,
    /// Whether media is protected.
    pub srtp: SrtpPolicy,
    /// Where keys come from.
    pub keying: Keying,
    /// The one crypto suite to offer; `None` offers several.
    pub suite: Option<SrtpProfile>,
    /// What to offer; `None` offers everything.
    pub codec: Option<AudioCodec>,
    /// What to say, over and over; `None` is a tone of 440 Hz.
    pub play: Option<PathBuf>,
    /// Where to keep what was heard.
    pub record: Option<PathBuf>,
    /// Keys to press once the call is answered.
    pub dtmf: Option<String>,
    /// How long to talk.
    pub duration: Duration,
    /// Whose certificates to believe.
    pub trust: Trust,
    /// Tell what happens while it happens, on standard error.
    pub progress: bool,
}

/// Whose certificates to believe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The system's.
    System,
    /// Those of a PEM file.
    File(PathBuf),
    /// Any (`--insecure`).
    Nobody,
}

/// Why a call could not even be tried.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Not a SIP URI.
    #[error("{uri} is no SIP URI: {why}")]
    BadUri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        why: String,
    },
    /// A host that no certificate can be for.
    #[error("{0} is no host name")]
    BadHost(String),
    /// The host is unknown or does not answer.
    #[error("cannot reach {what}: {source}")]
    Unreachable {
        /// Host or address.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The TLS handshake.
    #[error(
        "TLS with {peer}: {source} (--ca FILE names the certificate to trust, --insecure trusts any)"
    )]
    Tls {
        /// Whom we called.
        peer: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// `--ca`.
    #[error("cannot use the certificates in {path}: {why}", path = path.display())]
    BadRoots {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// This system keeps no trusted certificates where they usually are.
    #[error(
        "no trusted certificates found on this system; name them with --ca FILE, or trust any with --insecure"
    )]
    NoRoots,
    /// `--dtmf`.
    #[error("{0:?} is no telephone key; use 0-9, *, #, A-D")]
    BadKey(char),
    /// `--play` or `--record`.
    #[error(transparent)]
    Sound(#[from] SoundError),
    /// The media thread.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Random bytes or certificates.
    #[error(transparent)]
    System(#[from] SystemFault),
}
