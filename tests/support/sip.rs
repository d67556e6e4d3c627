//! SIP over real sockets, as bytes: what a test sends is exactly what it wrote.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::server::Server;

/// What SIP travels on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carrier {
    Udp,
    Tcp,
    Tls,
}

impl Carrier {
    pub(crate) const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// As Via has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Where the server takes it.
    pub(crate) fn listener(self, server: &Server) -> SocketAddr {
        let ready = server.ready();
        match self {
            Self::Udp => ready.sip_udp,
            Self::Tcp => ready.sip_tcp,
            Self::Tls => ready.sip_tls,
        }
        .unwrap()
    }
}

/// One way to the server: a connection, or a UDP socket.
pub(crate) struct Line {
    way: Way,
    received: Vec<u8>,
    closed: bool,
}

enum Way {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    /// Opens it; a UDP socket gets the address that is given.
    pub(crate) fn open(server: &Server, carrier: Carrier, from: SocketAddr) -> Self {
        let to = carrier.listener(server);
        let way = match carrier {
            Carrier::Udp => Way::Udp(UdpSocket::bind(from).unwrap(), to),
            Carrier::Tcp => Way::Tcp(connect(to)),
            Carrier::Tls => {
                let name = ServerName::try_from("localhost").unwrap();
                let config = client_config(&server.data().join("tls/certificate.pem"));
                let session = ClientConnection::new(config, name).unwrap();
                Way::Tls(Box::new(StreamOwned::new(session, connect(to))))
            }
        };
        Self {
            way,
            received: Vec::new(),
            closed: false,
        }
    }

    /// Our own address.
    pub(crate) fn local(&self) -> SocketAddr {
        match &self.way {
            Way::Udp(socket, _) => socket.local_addr(),
            Way::Tcp(stream) => stream.local_addr(),
            Way::Tls(stream) => stream.sock.local_addr(),
        }
        .unwrap()
    }

    /// Sends the bytes. A connection that the server has closed meanwhile takes them as well.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = match &mut self.way {
            Way::Udp(socket, to) => socket.send_to(bytes, *to).map(|_| ()),
            Way::Tcp(stream) => stream.write_all(bytes),
            Way::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        self.closed |= sent.is_err();
    }

    /// The next message; `None` when none comes in that time, or the connection is closed.
    pub(crate) fn next(&mut self, most: Duration) -> Option<String> {
        let deadline = Instant::now() + most;
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.closed {
                return None;
            }
            match self.read(&mut buffer, left) {
                Ok(0) => self.closed = true,
                Ok(len) => self.received.extend_from_slice(&buffer[..len]),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            // As a machine that was stopped does.
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(_) => self.closed = true,
            }
        }
    }

    /// Whether the server has closed the connection, or does so in that time.
    pub(crate) fn closes_within(&mut self, most: Duration) -> bool {
        while !self.closed && self.next(most).is_some() {}
        self.closed
    }

    fn read(&mut self, buffer: &mut [u8], most: Duration) -> io::Result<usize> {
        let most = Some(most.max(Duration::from_millis(1)));
        match &mut self.way {
            Way::Udp(socket, _) => {
                socket.set_read_timeout(most)?;
                socket.recv(buffer)
            }
            Way::Tcp(stream) => {
                stream.set_read_timeout(most)?;
                stream.read(buffer)
            }
            Way::Tls(stream) => {
                stream.sock.set_read_timeout(most)?;
                stream.read(buffer)
            }
        }
    }

    /// Takes a whole message out of what was received. A datagram is one.
    fn take(&mut self) -> Option<String> {
        if matches!(self.way, Way::Udp(..)) {
            let all = std::mem::take(&mut self.received);
            return (!all.is_empty()).then(|| String::from_utf8_lossy(&all).into_owned());
        }
        let blank = self.received.iter().take_while(|b| b"\r\n".contains(b));
        let blank = blank.count();
        self.received.drain(..blank);
        let head = self.received.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&self.received[..head]).into_owned();
        let length: usize = header(&text, "Content-Length").parse().unwrap_or(0);
        if self.received.len() < head + length {
            return None;
        }
        let message: Vec<u8> = self.received.drain(..head + length).collect();
        Some(String::from_utf8_lossy(&message).into_owned())
    }
}

/// The value of a header in what the server sends; empty when it is missing.
pub(crate) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    message
        .lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_default()
        .trim()
}

/// The status of a response; `None` for a request.
pub(crate) fn status(message: &str) -> Option<u16> {
    message.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// Loopback addresses that nobody else uses, for peers that must have port 5060: every `127.x.y.z` is ours.
pub(crate) struct Loopback {
    net: [u8; 2],
    next: u8,
}

impl Loopback {
    pub(crate) fn new() -> Self {
        // The kernel gives a port to one process at a time.
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let [high, low] = port.to_be_bytes();
        Self {
            net: [high, low],
            next: 0,
        }
    }

    pub(crate) fn take(&mut self) -> IpAddr {
        self.next = self.next.checked_add(1).unwrap();
        IpAddr::from([127, self.net[0], self.net[1], self.next])
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Believes that one certificate.
pub(crate) fn client_config(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Arc::new(
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}
