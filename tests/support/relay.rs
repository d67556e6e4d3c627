//! A network between a server and its PostgreSQL that loses what it is told to lose, and closes nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Listens on a port of 127.0.0.1 and speaks to a Unix socket for those who come.
pub(crate) struct Relay {
    port: u16,
    lost: Lost,
}

/// The octets from which on a connection's are lost, until one has had them.
type Lost = Arc<Mutex<Option<Vec<u8>>>>;

impl Relay {
    /// Starts one; its threads end with the test.
    pub(crate) fn start(socket: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let lost = Lost::default();
        let (socket, losing) = (socket.to_owned(), Arc::clone(&lost));
        thread::spawn(move || {
            for client in listener.incoming() {
                carry(client.unwrap(), &socket, &losing);
            }
        });
        Self { port, lost }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Of the next connection on which the client says this, nothing arrives any more.
    pub(crate) fn lose_from(&self, said: &str) {
        *self.lost.lock().unwrap() = Some(said.as_bytes().to_vec());
    }

    /// Whether that has come.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.lock().unwrap().is_none()
    }
}

fn carry(client: TcpStream, socket: &Path, lost: &Lost) {
    // A database that does not run yet refuses, as it would without us.
    let Ok(database) = UnixStream::connect(socket) else {
        return;
    };
    let losing = Arc::new(AtomicBool::new(false));
    let (from, to) = (database.try_clone().unwrap(), client.try_clone().unwrap());
    let loses = Arc::clone(&losing);
    thread::spawn(move || {
        pass(from, to, |_| loses.load(Ordering::Relaxed));
    });
    let lost = Arc::clone(lost);
    thread::spawn(move || {
        pass(client, database, |said| {
            let mut lost = lost.lock().unwrap();
            let contains = |lost: &Vec<u8>| said.windows(lost.len()).any(|part| part == lost);
            if lost.as_ref().is_some_and(contains) {
                *lost = None;
                losing.store(true, Ordering::Relaxed);
            }
            losing.load(Ordering::Relaxed)
        });
    });
}

/// Passes on what comes, and its end, unless that is lost.
fn pass<F: Read, T: Write + End>(mut from: F, mut to: T, loses: impl Fn(&[u8]) -> bool) {
    let mut octets = vec![0; 64 * 1024];
    loop {
        // A connection that was broken has ended.
        let count = from.read(&mut octets).unwrap_or(0);
        let said = &octets[..count];
        if loses(said) {
            // Neither end is told that the other one is gone.
            if count == 0 {
                std::mem::forget(to);
                return;
            }
        } else if count == 0 || to.write_all(said).is_err() {
            to.end();
            return;
        }
    }
}

trait End {
    fn end(&self);
}

impl End for TcpStream {
    fn end(&self) {
        // The other end may have done so already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl End for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}
