//! Garbage to every port while a call is in progress: the call does not notice, and every listener
//! still answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::support::dialler::Dialler;
use crate::support::running::Running;
use crate::support::server::{Meeting, Server, campanile};
use crate::support::sound::Sound;

/// A call of ten seconds with a tone of its own.
fn call(server: &Server, meeting: &Meeting, name: &str, hz: f64) -> Running {
    let folder = server.scratch(name);
    Sound::tone(48_000, hz, 20.0, -12.0).write(&folder.join("tone.wav"));
    let mut command = campanile();
    command
        .args(["call", &format!("sip:{}@{}", meeting.pin, server.sip_tls())])
        .args(["--insecure", "--json", "--duration", "10s", "--play"])
        .arg(folder.join("tone.wav"))
        .arg("--record")
        .arg(folder.join("heard.wav"));
    Running::start(name, &mut command, &folder.join("report.json"))
}

/// A cheap generator of the same garbage every time.
struct Garbage(u64);

impl Garbage {
    fn next(&mut self) -> u8 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// Datagrams that look like STUN, DTLS, RTP, RTCP and SIP for their first octets, and like nothing after.
fn datagrams(to: SocketAddr, garbage: &mut Garbage) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let starts: [&[u8]; 8] = [
        b"",
        &[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42],
        &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[0x80, 0x80],
        &[0x90, 111],
        &[0x80, 200, 0, 6],
        b"INVITE sip:",
        b"SIP/2.0 200 OK\r\n",
    ];
    for round in 0..40 {
        for start in starts {
            let mut packet = start.to_vec();
            packet.extend(garbage.bytes(round * 31));
            // A kernel buffer that is full may refuse one; that is its right.
            let _ = socket.send_to(&packet, to);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Connections that say nothing sensible, and some that begin sensibly.
fn streams(to: SocketAddr, garbage: &mut Garbage) {
    let starts: [&[u8]; 7] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /meetings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nX: ",
        &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3],
    ];
    for start in starts {
        let Ok(mut stream) = TcpStream::connect(to) else {
            continue;
        };
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        // The server may hang up before all is said.
        let _ = stream.write_all(start);
        let _ = stream.write_all(&garbage.bytes(5000));
        let _ = stream.read(&mut [0; 1024]);
    }
}

#[test]
fn garbage_to_every_port_disturbs_no_call_and_every_listener_still_answers() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let (mut ann, mut ben) = (
        call(&server, &meeting, "ann", 440.0),
        call(&server, &meeting, "ben", 1000.0),
    );
    std::thread::sleep(Duration::from_secs(2));
    let ready = server.ready().clone();
    let mut garbage = Garbage(1);
    let mut media_ports: Vec<SocketAddr> = sip_answers(&server)
        .iter()
        .map(|answer| {
            SocketAddr::from(([127, 0, 0, 1], crate::support::dialler::audio_port(answer)))
        })
        .collect();
    assert_eq!(media_ports.len(), 2, "two answers name two ports");
    media_ports.extend([ready.media.unwrap(), ready.sip_udp.unwrap()]);
    for to in media_ports {
        datagrams(to, &mut garbage);
    }
    for to in [ready.https, ready.sip_tls, ready.sip_tcp, ready.metrics] {
        streams(to.unwrap(), &mut garbage);
    }

    assert!(
        Dialler::new(ready.sip_udp.unwrap(), "u")
            .options()
            .starts_with("SIP/2.0 200")
    );
    assert!(!server.metrics().is_empty());
    assert!(server.meeting_create().pin.len() == 10);
    for (phone, name, own, other) in [
        (&mut ann, "ann", 440.0, 1000.0),
        (&mut ben, "ben", 1000.0, 440.0),
    ] {
        assert!(
            phone.wait(Duration::from_secs(40)).success(),
            "{}",
            phone.output()
        );
        let report: Value = serde_json::from_str(&phone.output()).unwrap();
        assert_eq!(report["received"]["lost"], 0, "{report:#}");
        assert_eq!(report["sent"]["lost"], 0, "{report:#}");
        let heard = Sound::read(&server.scratch(name).join("heard.wav"));
        assert!(heard.has_tone(other) && !heard.has_tone(own), "{report:#}");
    }
}

/// The 200s to INVITEs that the server has logged.
fn sip_answers(server: &Server) -> Vec<String> {
    let messages = server.logs("ChimeVoiceConnectorSipMessages");
    let texts = messages
        .iter()
        .filter_map(|line| line["sip_message"].as_str());
    texts
        .filter(|text| text.starts_with("SIP/2.0 200") && text.contains("m=audio"))
        .map(str::to_owned)
        .collect()
}
