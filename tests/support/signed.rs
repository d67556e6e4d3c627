//! A client of the API over HTTPS that keeps its connection and signs by hand (Signature Version 4), so that what a
//! measurement sees is the server's doing.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use super::server::{Credentials, Server};
use super::sip::client_config;

/// One connection.
pub(crate) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    key: Credentials,
    host: String,
}

impl Client {
    /// Connects with the first administrator's key.
    pub(crate) fn new(server: &Server) -> Self {
        let address = server.ready().https.unwrap();
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let config = client_config(&server.data().join("tls/certificate.pem"));
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(config, name).unwrap();
        Self {
            stream: StreamOwned::new(tls, socket),
            key: server.credentials(),
            host: address.to_string(),
        }
    }

    /// A signed request. `query` is given as names and values, sorted by name.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: &str,
    ) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = jiff::Timestamp::from_second(now.as_secs().try_into().unwrap())
            .unwrap()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let query = query.join("&");
        let (host, hash) = (&self.host, hex(digest(&SHA256, body.as_bytes()).as_ref()));
        let canonical = format!(
            "{method}\n{}\n{query}\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n{hash}",
            path.split('/').map(escaped).collect::<Vec<_>>().join("/")
        );
        let scope = format!("{}/{}/chime/aws4_request", &time[..8], self.key.region);
        let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let first = format!("AWS4{}", self.key.secret_access_key).into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &to_sign));
        let question = if query.is_empty() { "" } else { "?" };
        let id = &self.key.access_key_id;
        format!(
            "{method} {path}{question}{query} HTTP/1.1\r\nhost: {host}\r\nx-amz-date: {time}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders=host;x-amz-date, \
             Signature={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Sends those octets and reads one response: its status and its body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).unwrap();
        self.stream.flush().unwrap();
        let mut said = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "closed after {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&buffer[..count]);
            let Some(head) = said.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let text = String::from_utf8_lossy(&said[..head]).to_ascii_lowercase();
            let mut lines = text.lines();
            let status = lines.next().unwrap().split(' ').nth(1).unwrap();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a content-length").trim().parse().unwrap();
            if said.len() >= head + 4 + length {
                return (status.parse().unwrap(), said.split_off(head + 4));
            }
        }
    }

    /// Both at once, for an answer of JSON that must be well.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: &str,
    ) -> Value {
        let request = self.request(method, path, query, body);
        let (status, body) = self.exchange(&request);
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).unwrap()
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// As RFC 3986 leaves unreserved, and nothing else.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, octet| {
        if octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            let _ = write!(escaped, "%{octet:02X}");
        }
        escaped
    })
}
