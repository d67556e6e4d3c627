//! A SIP phone of a few lines, over UDP, that sends exactly what a test tells it to.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One INVITE dialog over UDP.
pub(crate) struct Dialler {
    socket: UdpSocket,
    server: SocketAddr,
    user: String,
    call_id: String,
    to: String,
}

impl Dialler {
    pub(crate) fn new(server: SocketAddr, user: &str) -> Self {
        Self::at(Ipv4Addr::LOCALHOST, server, user)
    }

    /// The same from an address of its own.
    pub(crate) fn at(source: Ipv4Addr, server: SocketAddr, user: &str) -> Self {
        let socket = UdpSocket::bind((source, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let call_id = format!(
            "hostile-{}-{}",
            socket.local_addr().unwrap().port(),
            CALLS.fetch_add(1, Ordering::Relaxed)
        );
        Self {
            socket,
            server,
            user: user.to_owned(),
            call_id,
            to: String::new(),
        }
    }

    /// Sends an INVITE with this body and returns the final response, acknowledged when it is a 2xx.
    pub(crate) fn invite(&mut self, sdp: &str) -> String {
        let answer = self.invite_unacknowledged(sdp);
        self.send("ACK", 1, "");
        answer
    }

    /// The same without the acknowledgement.
    pub(crate) fn invite_unacknowledged(&mut self, sdp: &str) -> String {
        self.send("INVITE", 1, sdp);
        self.final_response()
    }

    /// Waits for a final response, whose tag is then the dialog's.
    pub(crate) fn final_response(&mut self) -> String {
        let answer = loop {
            let message = self.read();
            if message.starts_with("SIP/2.0 ") && !message.starts_with("SIP/2.0 1") {
                break message;
            }
        };
        self.to = header(&answer, "To").to_owned();
        answer
    }

    /// Ends the call.
    pub(crate) fn bye(&mut self) {
        self.send("BYE", 2, "");
        assert!(self.read().starts_with("SIP/2.0 200"));
    }

    /// The status of an OPTIONS.
    pub(crate) fn options(&mut self) -> String {
        self.send("OPTIONS", 7, "");
        self.read().lines().next().unwrap_or_default().to_owned()
    }

    /// Sends a request. One that cancels goes the way of its INVITE (RFC 3261 §9.1).
    pub(crate) fn send(&self, method: &str, cseq: u32, body: &str) {
        let branch = match method {
            "CANCEL" => "INVITE",
            other => other,
        };
        let (server, user, local) = (self.server, &self.user, self.socket.local_addr().unwrap());
        let to = if self.to.is_empty() {
            format!("<sip:{user}@{server}>")
        } else {
            self.to.clone()
        };
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let message = format!(
            "{method} sip:{user}@{server} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{}{branch}{cseq};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:mallory@{local}>;tag=m\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:mallory@{local}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.call_id,
            self.call_id,
            body.len()
        );
        self.socket.send_to(message.as_bytes(), server).unwrap();
    }

    /// The next message.
    pub(crate) fn read(&self) -> String {
        let mut buffer = [0; 65_536];
        let len = self
            .socket
            .recv(&mut buffer)
            .expect("no SIP answer within five seconds");
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }
}

/// The value of a header; empty when it is missing.
pub(crate) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    message
        .lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_default()
        .trim()
}

/// The audio port of a session description.
pub(crate) fn audio_port(message: &str) -> u16 {
    let line = message
        .lines()
        .find(|line| line.starts_with("m=audio "))
        .expect("no audio section");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
