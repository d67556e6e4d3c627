//! The signed API of a server elsewhere: TLS to it, and the key of the environment.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::client::AdminError;
use crate::control::now_ms;
use crate::http::api::sigv4::Signer;
use crate::node::caller::{CallError, Trust, client_config};
use crate::store::Secret;

/// A server, and who we are to it.
pub(super) struct Remote {
    endpoint: String,
    host: String,
    address: (String, u16),
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    region: String,
}

impl Remote {
    /// The server at `https://host[:port]`, with the key in AWS's variables of the environment; `ca` goes before
    /// `AWS_CA_BUNDLE`, and that before the system's certificates.
    pub(super) fn new(
        endpoint: &str,
        ca: Option<PathBuf>,
        environment: &HashMap<String, String>,
    ) -> Result<Self, AdminError> {
        let usage = |text: String| AdminError::Usage(text);
        // What was given is not repeated: somebody may have written a secret into it.
        let wrong = |why: &str| usage(format!("--endpoint: {why}"));
        let shape = "must be https://host or https://host:port";
        let url = Url::parse(endpoint).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => wrong(shape),
            error => wrong(&error.to_string()),
        })?;
        let is_plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if url.scheme() != "https" || !is_plain {
            return Err(wrong(shape));
        }
        let host = url.host().ok_or_else(|| wrong("names no host"))?;
        let dialled = match &host {
            Host::Domain(name) => (*name).to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let name = ServerName::try_from(dialled.clone());
        let set = |name: &str| {
            environment
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        };
        let needed = |name: &str| {
            set(name).ok_or_else(|| {
                usage(format!(
                    "--endpoint needs a key in the environment: {name} is not set"
                ))
            })
        };
        let trust = ca.or_else(|| set("AWS_CA_BUNDLE").map(PathBuf::from));
        let trust = trust.map_or(Trust::System, Trust::File);
        let tls = client_config(&trust).map_err(|error| match error {
            CallError::NoRoots => usage(
                "no trusted certificates found on this system; name them with --ca".to_owned(),
            ),
            error => usage(error.to_string()),
        })?;
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            host: match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_string(),
            },
            address: (dialled, port),
            name: name.map_err(|_| wrong("its host is no name that a certificate has"))?,
            tls,
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: Secret::new(needed("AWS_SECRET_ACCESS_KEY")?),
            session_token: set("AWS_SESSION_TOKEN").map(Secret::new),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        })
    }

    /// `host[:port]` as requests name it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Signs a request that has all its headers.
    pub(super) fn sign<B>(&self, request: &mut Request<B>, body: &[u8]) -> Result<(), AdminError> {
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
            session_token: self.session_token.as_ref().map(Secret::expose),
            region: &self.region,
            service: "chime",
        };
        signer
            .sign(now_ms() / 1000, request, body)
            .map_err(|error| AdminError::Usage(error.to_string()))
    }

    /// A connection to the server that is meant, and to no other.
    pub(super) async fn connect(&self) -> Result<TlsStream<TcpStream>, AdminError> {
        let connecting = async {
            let (host, port) = &self.address;
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            connector.connect(self.name.clone(), stream).await
        };
        let at = self.endpoint.clone();
        match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(blame(at, &error)),
            Err(_) => Err(AdminError::Unreachable {
                at,
                why: "it did not answer in time".to_owned(),
            }),
        }
    }
}

fn blame(at: String, error: &io::Error) -> AdminError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => AdminError::Untrusted {
            at,
            why: error.to_string(),
        },
        _ => AdminError::Unreachable {
            at,
            why: error.to_string(),
        },
    }
}

/// For a connection, TLS and all.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
