//! RFC 3263 with the real `campanile call`, a name server of the test's own, and the real server behind records.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::dns::NameServer;
use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};

const A: u16 = 1;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

fn name(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.') {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

fn srv(priority: u16, port: u16, target: &str) -> Vec<u8> {
    let numbers = [priority, 0, port].map(u16::to_be_bytes).concat();
    [numbers, name(target)].concat()
}

fn naptr(order: u16, services: &str, replacement: &str) -> Vec<u8> {
    let mut octets = [order, 0].map(u16::to_be_bytes).concat();
    for text in ["s", services, ""] {
        octets.push(text.len() as u8);
        octets.extend(text.as_bytes());
    }
    octets.extend(name(replacement));
    octets
}

/// A call of a second, and its report.
fn call(server: &Server, dns: &NameServer, uri: &str, transport: &str, srtp: &str) -> Value {
    let mut command = campanile();
    command
        .args(["call", uri, "--insecure", "--json", "--duration", "1s"])
        .args(["--transport", transport, "--srtp", srtp])
        .args(["--name-server", &dns.address.to_string()]);
    let report = server.scratch("located").join(format!("{transport}.json"));
    let mut phone = Running::start("campanile call", &mut command, &report);
    phone.wait(Duration::from_secs(60));
    serde_json::from_str(&phone.output()).unwrap_or_else(|_| panic!("{}", phone.output()))
}

/// SIPp refuses the first call with 503, over UDP. `None` when it is missing.
fn full_server(server: &Server) -> Option<(Running, u16)> {
    let program = peer("sipp")?;
    let folder = server.scratch("full");
    let file = repository().join("tests/interop/sipp-busy-tcp.xml");
    let text = fs::read_to_string(file)
        .unwrap()
        .replace("486 Busy Here", "503 Service Unavailable")
        .replace("SIP/2.0/TCP", "SIP/2.0/UDP");
    fs::write(folder.join("full.xml"), text).unwrap();
    let port = free_port();
    let mut command = Command::new(program);
    command
        .current_dir(&folder)
        .args(["-t", "u1", "-i", "127.0.0.1", "-m", "1", "-nostdin"])
        .args(["-p", &port.to_string(), "-timeout", "30"])
        .args(["-timeout_error", "-sf", "full.xml"]);
    let sipp = Running::start("sipp", &mut command, &folder.join("log"));
    std::thread::sleep(Duration::from_secs(1));
    Some((sipp, port))
}

#[test]
fn a_server_that_says_503_is_passed_over_for_the_next_one() {
    let server = Server::start(&[("node.domain", "example.test")]);
    let Some((mut full, port)) = full_server(&server) else {
        return;
    };
    let next = server.ready().sip_udp.unwrap().port();
    let dns = NameServer::start(vec![
        (
            "_sip._udp.meet.example.test",
            SRV,
            srv(1, port, "a.example.test"),
        ),
        (
            "_sip._udp.meet.example.test",
            SRV,
            srv(2, next, "b.example.test"),
        ),
        ("a.example.test", A, vec![127, 0, 0, 1]),
        ("b.example.test", A, vec![127, 0, 0, 1]),
    ]);
    let report = call(&server, &dns, "sip:u@meet.example.test", "udp", "off");
    assert_eq!(report["answered"], true, "{report:#}");
    assert!(
        full.wait(Duration::from_secs(40)).success(),
        "{}",
        full.output()
    );
}

/// A port at which nobody listens, kept from others.
fn dead_port() -> (TcpListener, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_call_to_a_domain_follows_naptr_and_srv_past_a_server_that_is_down() {
    let server = Server::start(&[("node.domain", "example.test")]);
    let (_bound, dead) = dead_port();
    let local = vec![127, 0, 0, 1];
    let dns = NameServer::start(vec![
        (
            "meet.example.test",
            NAPTR,
            naptr(20, "SIP+D2U", "_sip._udp.meet.example.test"),
        ),
        (
            "meet.example.test",
            NAPTR,
            naptr(10, "SIPS+D2T", "_sips._tcp.meet.example.test"),
        ),
        (
            "_sips._tcp.meet.example.test",
            SRV,
            srv(2, server.sip_tls().port(), "b.example.test"),
        ),
        (
            "_sips._tcp.meet.example.test",
            SRV,
            srv(1, dead, "a.example.test"),
        ),
        ("a.example.test", A, local.clone()),
        ("b.example.test", A, local),
    ]);
    let report = call(&server, &dns, "sip:u@meet.example.test", "auto", "require");
    assert_eq!(report["answered"], true, "{report:#}");
    assert!(
        report["received"]["packets"].as_u64() > Some(10),
        "{report:#}"
    );
    let asked = dns.asked();
    let order = |what: &str| asked.iter().position(|a| a == what);
    assert_eq!(asked[0], "35 meet.example.test", "{asked:?}");
    assert_eq!(asked[1], "33 _sips._tcp.meet.example.test", "{asked:?}");
    assert!(
        order("1 a.example.test") < order("1 b.example.test"),
        "{asked:?}"
    );
    assert_eq!(order("33 _sip._udp.meet.example.test"), None, "not needed");
}

#[test]
fn a_stated_transport_asks_for_its_service_and_a_large_invite_takes_tcp_where_it_is_served() {
    let server = Server::start(&[("node.domain", "example.test")]);
    let ready = server.ready().clone();
    let dns = NameServer::start(vec![
        (
            "_sip._udp.meet.example.test",
            SRV,
            srv(1, ready.sip_udp.unwrap().port(), "a.example.test"),
        ),
        ("a.example.test", A, vec![127, 0, 0, 1]),
    ]);
    let report = call(&server, &dns, "sip:u@meet.example.test", "udp", "require");
    assert_eq!(report["answered"], true, "{report:#}");
    assert_eq!(dns.asked()[0], "33 _sip._udp.meet.example.test");
}
