//! One request at a time to the server: over its socket, or signed to its API.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::remote::Remote;
use super::table::text;
use crate::config::ConfigError;
use crate::http::ACCOUNT;
use crate::http::api::sigv4::encode;

/// Why an administration command did not succeed.
#[derive(Debug, Error)]
pub(super) enum AdminError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("no server answers at {}: {why}; start one with this data folder, or name its folder with --data", path.display())]
    NoServer { path: PathBuf, why: String },
    #[error("this user may not open {}: ask as root or as the server's user, or by its API with --endpoint", .0.display())]
    NotOurs(PathBuf),
    #[error("no server answers at {at}: {why}")]
    Unreachable { at: String, why: String },
    #[error(
        "the server at {at} cannot be trusted: {why}; name the certificates to believe with --ca"
    )]
    Untrusted { at: String, why: String },
    #[error("{0}")]
    Usage(String),
    #[error("the server broke off: {0}")]
    Broken(String),
    /// It is about something that is not there.
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Refused(String),
}

/// What the server answers to an operation.
pub(super) type Answer = Result<Value, AdminError>;

/// The way to a server.
pub(super) enum Way {
    /// The socket in the run folder of one on this machine.
    Socket(PathBuf),
    /// The signed API of any.
    Remote(Remote),
}

/// The server.
pub(super) struct Client {
    runtime: Runtime,
    way: Way,
    account: Option<String>,
}

impl Client {
    /// A client that acts in `account`, or else in the one that it is known by.
    pub(super) fn new(way: Way, account: Option<String>) -> Result<Self, AdminError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| AdminError::Broken(error.to_string()))?;
        Ok(Self {
            runtime,
            way,
            account,
        })
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None)
    }

    pub(super) fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None)
    }

    pub(super) fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body))
    }

    pub(super) fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body))
    }

    /// All pages of a list, as one.
    pub(super) fn all(&self, path: &str, field: &str) -> Answer {
        let mut all = Vec::new();
        let mut page = self.get(path)?;
        loop {
            if let Some(Value::Array(found)) = page.get_mut(field).map(Value::take) {
                all.extend(found);
            }
            let next = page.get("NextToken").and_then(Value::as_str);
            let Some(next) = next else {
                return Ok(json!({field: all}));
            };
            let and = if path.contains('?') { '&' } else { '?' };
            page = self.get(&format!("{path}{and}next-token={}", escaped(next)))?;
        }
    }

    /// Writes the octets of an answer as they come, all of them or an error.
    pub(super) fn fetch(&self, path: &str, out: &mut dyn Write) -> Result<(), AdminError> {
        self.runtime.block_on(async {
            let mut response = self.send(Method::GET, path, None).await?;
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            while let Some(frame) = in_time(response.frame()).await? {
                let frame = frame.map_err(broken)?;
                if let Some(octets) = frame.data_ref() {
                    out.write_all(octets).map_err(broken)?;
                }
            }
            out.flush().map_err(broken)
        })
    }

    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.runtime.block_on(async {
            let response = self.send(method, path, body.map(trimmed)).await?;
            match response.status().is_success() {
                true => read(response).await,
                false => Err(refusal(response).await),
            }
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response<Incoming>, AdminError> {
        let named = path.split('?').next().unwrap_or_default();
        if named.split('/').skip(1).any(str::is_empty) {
            return Err(AdminError::Usage("a name or id is empty".to_owned()));
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let host = match &self.way {
            Way::Socket(_) => "localhost",
            Way::Remote(remote) => remote.host(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(
                header::USER_AGENT,
                concat!("campanile-admin/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.clone())))
            .map_err(broken)?;
        if let Some(account) = &self.account {
            let account = HeaderValue::from_str(account)
                .map_err(|_| AdminError::Usage("--account: must be twelve digits".to_owned()))?;
            request.headers_mut().insert(ACCOUNT, account);
        }
        match &self.way {
            Way::Socket(path) => {
                let opened = UnixStream::connect(path).await;
                let stream = opened.map_err(|error| no_server(path, &error))?;
                exchange(stream, request).await
            }
            Way::Remote(remote) => {
                remote.sign(&mut request, body.as_bytes())?;
                exchange(remote.connect().await?, request).await
            }
        }
    }
}

/// Why a socket does not open: it is another user's, or nobody listens there.
fn no_server(path: &Path, error: &io::Error) -> AdminError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied => AdminError::NotOurs(path),
        _ => AdminError::NoServer {
            path,
            why: error.to_string(),
        },
    }
}

/// A path of segments, each of which may hold anything.
pub(super) fn path(segments: &[&str]) -> String {
    segments.iter().fold(String::new(), |path, segment| {
        // Dots alone would mean the folder itself or the one above.
        let dots = segment.bytes().all(|byte| byte == b'.');
        path + "/"
            + &if dots {
                segment.replace('.', "%2E")
            } else {
                escaped(segment)
            }
    })
}

/// A query of what there is, with its question mark; nothing where there is nothing.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, value)| {
        let value = escaped((*value)?);
        Some(format!("{name}={value}"))
    });
    let given: Vec<String> = given.collect();
    match given.is_empty() {
        true => String::new(),
        false => format!("?{}", given.join("&")),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    encode(&mut escaped, text.bytes());
    escaped
}

/// Members without a value are not sent.
fn trimmed(body: Value) -> Value {
    match body {
        Value::Object(members) => {
            let given = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.collect::<Map<_, _>>())
        }
        other => other,
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, AdminError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(broken)?;
    tokio::spawn(connection);
    in_time(sender.send_request(request)).await?.map_err(broken)
}

async fn read(response: Response<Incoming>) -> Answer {
    let status = response.status();
    let body = in_time(response.into_body().collect()).await?;
    let octets = body.map_err(broken)?.to_bytes();
    if octets.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&octets).map_err(|_| {
        AdminError::Broken(format!(
            "{status}, and no answer of this API; is it the right server?"
        ))
    })
}

async fn refusal(response: Response<Incoming>) -> AdminError {
    let status = response.status();
    match read(response).await {
        Err(error) => error,
        Ok(answer) => match text(&answer, "Message") {
            message if message.is_empty() => AdminError::Refused(status.to_string()),
            message if status == StatusCode::NOT_FOUND => AdminError::Missing(message),
            message => AdminError::Refused(message),
        },
    }
}

async fn in_time<T>(waiting: impl Future<Output = T>) -> Result<T, AdminError> {
    let done = tokio::time::timeout(PATIENCE, waiting).await;
    done.map_err(|_| AdminError::Broken("nothing came for a minute".to_owned()))
}

fn broken(error: impl std::error::Error) -> AdminError {
    AdminError::Broken(error.to_string())
}

/// For the next piece of an answer.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_or_query_stays_in_its_place() {
        assert_eq!(
            path(&["a", "+1/2?", "..", "ü"]),
            "/a/%2B1%2F2%3F/%2E%2E/%C3%BC"
        );
        assert_eq!(query(&[("a", None), ("b", Some("x&c=1"))]), "?b=x%26c%3D1");
        assert_eq!(query(&[("a", None)]), "");
    }

    #[test]
    fn a_socket_of_somebody_elses_is_not_called_missing() {
        let path = Path::new("d/run/admin.sock");
        let told = no_server(path, &io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(
            told.starts_with("this user may not open d/run/admin.sock: ask as root"),
            "{told}"
        );
        let told = no_server(path, &io::ErrorKind::NotFound.into()).to_string();
        assert!(told.contains("start one with this data folder"), "{told}");
    }

    #[test]
    fn an_empty_name_is_told_before_anybody_is_asked() {
        let nobody = Way::Socket("no/such/socket".into());
        let client = Client::new(nobody, None).unwrap();
        for segments in [["campanile", "users", ""], ["campanile", "", "keys"]] {
            let told = client.get(&path(&segments)).unwrap_err().to_string();
            assert_eq!(told, "a name or id is empty");
        }
    }
}
