//! The ways that requests take: TCP for large ones, new connections for old calls, connections kept alive.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::baresip::{Baresip, Codec, Phone};
use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};
use crate::support::sip::{header, status};
use crate::support::wait_for;

#[test]
fn an_invite_that_outgrows_udp_reaches_a_phone_that_takes_tcp_only() {
    let Some(program) = peer("sipp") else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = free_port();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["-t", "t1", "-i", "127.0.0.1", "-m", "1", "-nostdin"])
        .args(["-p", &local.to_string(), "-timeout", "30"])
        .args(["-timeout_error", "-trace_err", "-sf"])
        .arg(repository().join("tests/interop/sipp-busy-tcp.xml"));
    let mut sipp = Running::start("sipp", &mut command, &folder.path().join("log"));
    thread::sleep(Duration::from_secs(1));
    let output = campanile()
        .args([
            "call",
            &format!("sip:{}@127.0.0.1:{local}", "a".repeat(700)),
        ])
        .arg("--json")
        .args(["--transport", "udp", "--srtp", "require"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sip_status"], 486, "{report:#}");
    assert!(
        sipp.wait(Duration::from_secs(40)).success(),
        "{}",
        sipp.output()
    );
}

/// Joins one connection to the server, until it is cut.
struct Relay {
    address: SocketAddr,
    ends: thread::JoinHandle<[TcpStream; 2]>,
}

impl Relay {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ends = thread::spawn(move || {
            let (near, _) = listener.accept().unwrap();
            let far = TcpStream::connect(server).unwrap();
            for (from, to) in [(&near, &far), (&far, &near)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                // It ends when the relay is cut.
                thread::spawn(move || io::copy(&mut from, &mut to));
            }
            [near, far]
        });
        Self { address, ends }
    }

    fn cut(self) {
        for end in self.ends.join().unwrap() {
            end.shutdown(Shutdown::Both).unwrap();
        }
    }
}

#[test]
fn a_phone_whose_connection_broke_is_called_back_over_tls_only_with_a_certificate_that_is_believed()
{
    let folder = tempfile::tempdir().unwrap();
    let phone = Phone::new("phone", 440.0, Codec::Opus);
    let Some(mut phone) = Baresip::start(folder.path(), phone) else {
        return;
    };
    let certificate = folder.path().join("certificate.pem");
    let believing = [("sip.tls.server_authorities", certificate.to_str().unwrap())];
    for (overrides, believed) in [(&[][..], false), (&believing[..], true)] {
        let server = Server::start(overrides);
        let meeting = server.meeting_create();
        let relay = Relay::to(server.sip_tls());
        phone.dial(&format!(
            "sip:{}@{};transport=tls",
            meeting.pin, relay.address
        ));
        thread::sleep(Duration::from_secs(1));
        relay.cut();
        thread::sleep(Duration::from_secs(1));
        server.meeting_end(&meeting);
        if believed {
            let why = phone.wait_for_end();
            assert!(phone.output().contains("BYE sip:phone"), "{why}");
        } else {
            wait_for("the BYE to be given up", Duration::from_secs(15), || {
                server.log().contains("gave up").then_some(())
            });
            assert!(server.log().contains("UnknownIssuer"), "{}", server.log());
            assert!(!phone.output().contains("BYE sip:phone"));
            phone.hang_up();
        }
    }
}

/// One SIP message from a stream, after whatever line ends come before it.
fn message(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let mut octet = [0];
    loop {
        assert_eq!(stream.read(&mut octet).unwrap(), 1, "closed");
        if octets.is_empty() && b"\r\n".contains(&octet[0]) {
            continue;
        }
        octets.push(octet[0]);
        let text = String::from_utf8_lossy(&octets);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() == header(head, "Content-Length").parse().unwrap_or(0)
        {
            return text.into_owned();
        }
    }
}

#[test]
fn a_connection_of_ours_is_pinged_as_often_as_wanted_and_is_over_when_no_answer_comes() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = listener.local_addr().unwrap();
    let report = folder.path().join("report.json");
    let mut command = campanile();
    command
        .args(["call", &format!("sip:a@{here}"), "--json", "--srtp", "off"])
        .args(["--transport", "tcp", "--duration", "60s"]);
    let mut call = Running::start("campanile call", &mut command, &report);
    let (mut stream, _) = listener.accept().unwrap();
    // What is connected after this is refused.
    drop(listener);
    let invite = message(&mut stream);
    assert_eq!(status(&invite), None);
    let via = header(&invite, "Via");
    assert!(via.contains(";keep"), "{via}");
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    let mut answer = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nTo: {};tag=t\r\nContact: <sip:a@{here};transport=tcp>\r\n",
        via.replace(";keep", ";keep=2"),
        header(&invite, "To"),
    );
    for name in ["From", "Call-ID", "CSeq"] {
        answer += &format!("{name}: {}\r\n", header(&invite, name));
    }
    answer += &format!(
        "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    stream.write_all(answer.as_bytes()).unwrap();
    assert!(message(&mut stream).starts_with("ACK "));
    let mut ping = [0; 4];
    let mut waits = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        stream.read_exact(&mut ping).unwrap();
        waits.push(begin.elapsed());
        assert_eq!(&ping, b"\r\n\r\n");
        stream.write_all(b"\r\n").unwrap();
    }
    // 80 to 100 % of two seconds, on a machine that may be busy.
    assert!(
        waits[1..]
            .iter()
            .all(|wait| *wait > Duration::from_millis(1400)),
        "{waits:?}"
    );
    // Nothing is answered any more.
    stream.read_exact(&mut ping).unwrap();
    let unanswered = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let rest = io::copy(&mut stream, &mut io::sink());
    let took = unanswered.elapsed();
    assert!(
        took >= Duration::from_secs(9) && took < Duration::from_secs(20),
        "{took:?} {rest:?}"
    );
    call.wait(Duration::from_secs(60));
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["ending"], "connection lost", "{report:#}");
}
