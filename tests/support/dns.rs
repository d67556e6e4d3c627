//! DNS as a test wants it (RFC 1035).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// A name server on loopback that knows a few records, and remembers what it was asked.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    known: Arc<Mutex<Known>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Name, type, and data as they stand in an answer.
pub(crate) type Record<'a> = (&'a str, u16, Vec<u8>);

#[derive(Default)]
struct Known {
    records: Vec<(String, u16, Vec<u8>)>,
    failing: bool,
}

impl NameServer {
    pub(crate) fn start(records: Vec<Record<'_>>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let known = Arc::new(Mutex::new(Known::default()));
        let knows = known.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
                let (name, kind, question) = question(&buffer[..len]);
                log.lock().unwrap().push(format!("{kind} {name}"));
                let known = knows.lock().unwrap();
                let of_name = known
                    .records
                    .iter()
                    .filter(|(n, k, _)| *n == name && *k == kind);
                let found: Vec<_> = of_name.filter(|_| !known.failing).collect();
                // SERVFAIL, where it is told to fail (RFC 1035 section 4.1.1).
                let code = if known.failing { 2 } else { 0 };
                let mut answer = buffer[..2].to_vec();
                answer.extend([0x85, 0x80 | code, 0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
                answer.extend(question);
                for (_, kind, data) in found {
                    // The name is the question's; class IN, one minute.
                    answer.extend([0xc0, 12]);
                    answer.extend(kind.to_be_bytes());
                    answer.extend([0, 1, 0, 0, 0, 60]);
                    answer.extend((data.len() as u16).to_be_bytes());
                    answer.extend(data);
                }
                socket.send_to(&answer, peer).unwrap();
            }
        });
        let server = Self {
            address,
            known,
            asked,
        };
        for (name, kind, data) in records {
            server.add(name, kind, data);
        }
        server
    }

    /// Knows one more record from now on.
    pub(crate) fn add(&self, name: &str, kind: u16, data: Vec<u8>) {
        self.known
            .lock()
            .unwrap()
            .records
            .push((name.to_owned(), kind, data));
    }

    /// Answers that it cannot answer, or goes on as before.
    pub(crate) fn fail(&self, failing: bool) {
        self.known.lock().unwrap().failing = failing;
    }

    /// Type and name of every question so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Name, type, and the octets of a query's question.
fn question(query: &[u8]) -> (String, u16, Vec<u8>) {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let len = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + len]).to_lowercase());
        at += 1 + len;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join("."), kind, query[12..at + 5].to_vec())
}
