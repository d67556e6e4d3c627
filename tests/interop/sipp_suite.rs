//! The scenario suite: SIPp plays the races and extensions of SIP as the standards have them, as caller and as
//! called, over UDP, TCP and TLS. Each file in `sipp/` says in its second line what it shows.
//!
//! Most of the time is waiting, so all of them run beside each other; the longest waits for a session to expire.

use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::sipp::stunnel;
use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};

/// Whom a scenario calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// A running meeting.
    Meeting,
    /// An id that no meeting has; at most ten of a server's scenarios may.
    Nobody,
    /// The prompt.
    Prompt,
    /// Nobody: it is called itself, by `campanile call`, which hangs up after so many seconds.
    Called(u64),
}

/// What a scenario runs over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    Udp,
    Tcp,
    Tls,
}

const ALL: &[Over] = &[Over::Udp, Over::Tcp, Over::Tls];
/// Copies of messages exist over datagrams only, or the wait is long and the same over all.
const UDP: &[Over] = &[Over::Udp];
const CLEAR: &[Over] = &[Over::Udp, Over::Tcp];

/// The longest first.
const SCENARIOS: &[(&str, Whom, &[Over])] = &[
    ("expiry", Whom::Meeting, UDP),
    ("refresh-update", Whom::Meeting, UDP),
    ("refresh-invite", Whom::Meeting, UDP),
    ("called-refresh", Whom::Called(48), UDP),
    ("no-ack", Whom::Meeting, UDP),
    ("info", Whom::Prompt, ALL),
    ("prack", Whom::Nobody, ALL),
    ("prack-again", Whom::Nobody, UDP),
    ("prack-wrong", Whom::Nobody, ALL),
    ("cancel-early", Whom::Nobody, ALL),
    ("overlap", Whom::Nobody, ALL),
    ("cancel-late", Whom::Meeting, ALL),
    ("hold", Whom::Meeting, ALL),
    ("interval", Whom::Meeting, ALL),
    ("late-offer", Whom::Meeting, ALL),
    ("order", Whom::Meeting, ALL),
    ("refer", Whom::Meeting, ALL),
    ("update", Whom::Meeting, ALL),
    ("called-prack", Whom::Called(2), CLEAR),
    ("called-interval", Whom::Called(2), CLEAR),
    ("called-again", Whom::Called(2), CLEAR),
];

/// Scenarios beside each other.
const AT_ONCE: usize = 12;

/// RTP packets of early media that must be heard: the announcement is four seconds long.
const HEARD: usize = 100;

/// A server with a meeting, and the way to it.
struct Target {
    over: Over,
    server: Server,
    pin: String,
    to: SocketAddr,
    _tunnel: Option<Running>,
}

impl Target {
    fn new(over: Over) -> Option<Self> {
        let server = Server::start(&[("sip.tls.srtp", "prefer")]);
        let (to, tunnel) = match over {
            Over::Udp => (server.ready().sip_udp.unwrap(), None),
            Over::Tcp => (server.ready().sip_tcp.unwrap(), None),
            Over::Tls => {
                let (tunnel, to) = stunnel(&server.scratch("stunnel"), server.sip_tls())?;
                (to, Some(tunnel))
            }
        };
        Some(Self {
            over,
            pin: server.meeting_create().pin,
            server,
            to,
            _tunnel: tunnel,
        })
    }

    /// Plays one scenario; `Err` with what went wrong.
    fn play(&self, sipp: &Path, name: &str, whom: Whom) -> Result<(), String> {
        let folder = self.server.scratch(&format!("{name}-{:?}", self.over));
        // Early media comes to a socket of ours, where it is counted.
        let ear = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = ear.local_addr().unwrap().port();
        let text = fs::read_to_string(repository().join(format!("tests/interop/sipp/{name}.xml")))
            .unwrap()
            .replace("[media_port]", &port.to_string());
        let file = folder.join("scenario.xml");
        fs::write(&file, text).unwrap();
        let local = free_port();
        let mut command = Command::new(sipp);
        let transport = if self.over == Over::Udp { "u1" } else { "t1" };
        command
            .current_dir(&folder)
            .args(["-t", transport, "-i", "127.0.0.1", "-mi", "127.0.0.1"])
            .args(["-m", "1", "-nostdin", "-p", &local.to_string()])
            .args(["-recv_timeout", "15000", "-timeout", "100"])
            .args(["-timeout_error", "-trace_err", "-sf"])
            .arg(&file);
        match whom {
            Whom::Meeting => command.args(["-s", &self.pin]),
            Whom::Nobody => command.args(["-s", "5555555555"]),
            Whom::Prompt => command.args(["-s", "u"]),
            Whom::Called(_) => &mut command,
        };
        if !matches!(whom, Whom::Called(_)) {
            command.arg(self.to.to_string());
        }
        let mut running = Running::start("sipp", &mut command, &folder.join("sipp.log"));
        if let Whom::Called(seconds) = whom {
            // Until SIPp listens, datagrams are sent again and connections tried again.
            thread::sleep(Duration::from_secs(1));
            let over = if self.over == Over::Udp { "udp" } else { "tcp" };
            let status = campanile()
                .args(["call", &format!("sip:device@127.0.0.1:{local}")])
                .args(["--transport", over, "--srtp", "off", "--json"])
                .args(["--duration", &format!("{seconds}s")])
                .stdout(Stdio::null())
                .status()
                .unwrap();
            // It tells a call without sound as a failure; whether the signaling was right, SIPp tells.
            assert!(status.code().is_some());
        }
        let status = running.wait(Duration::from_secs(110));
        if !status.success() {
            return Err(format!("{}{}", errors(&folder), running.output()));
        }
        let heard = packets(&ear);
        if name == "prack" && heard < HEARD {
            return Err(format!("{heard} packets of early media were heard"));
        }
        Ok(())
    }
}

/// What SIPp wrote about messages that it did not expect.
fn errors(folder: &Path) -> String {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("_errors.log"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// RTP packets that have come to a socket.
fn packets(ear: &UdpSocket) -> usize {
    ear.set_nonblocking(true).unwrap();
    let mut packet = [0; 2048];
    let mut count = 0;
    while let Ok(len) = ear.recv(&mut packet) {
        // Version 2, and no RTCP type in the second octet (RFC 5761 §4).
        let is_rtp = len >= 12 && packet[0] >> 6 == 2 && !(192..224).contains(&packet[1]);
        count += usize::from(is_rtp);
    }
    count
}

#[test]
fn every_scenario_passes_over_every_transport_that_it_is_for() {
    let Some(sipp) = peer("sipp") else { return };
    let targets: Option<Vec<Target>> = ALL.iter().map(|over| Target::new(*over)).collect();
    let Some(targets) = targets else { return };
    let work: VecDeque<(&str, Whom, &Target)> = SCENARIOS
        .iter()
        .flat_map(|(name, whom, overs)| {
            let wanted = targets.iter().filter(|target| overs.contains(&target.over));
            wanted.map(|target| (*name, *whom, target))
        })
        .collect();
    let count = work.len();
    let work = Mutex::new(work);
    let failures = Mutex::new(Vec::new());
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((name, whom, target)) = work.lock().unwrap().pop_front() else {
                        return;
                    };
                    let over = target.over;
                    match target.play(&sipp, name, whom) {
                        Ok(()) => eprintln!("{name:16} {over:?}: passed"),
                        Err(words) => {
                            eprintln!("{name:16} {over:?}: FAILED");
                            failures
                                .lock()
                                .unwrap()
                                .push(format!("{name} over {over:?}:\n{words}"));
                        }
                    }
                }
            });
        }
    });
    eprintln!("{count} scenario runs in {:.0?}", begin.elapsed());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
