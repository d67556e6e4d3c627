//! Domains: claimed by the signed API and `campanile admin`, proved to the real server by a real answer of DNS.

use serde_json::Value;

use crate::support::dns::NameServer;
use crate::support::peers::python;
use crate::support::scripts::{script, succeed};
use crate::support::server::{Server, campanile};

const TXT: u16 = 16;

/// The data of a TXT record in pieces (RFC 1035 section 3.3.14).
fn txt(pieces: &[&str]) -> Vec<u8> {
    let piece = |text: &&str| [&[text.len() as u8], text.as_bytes()].concat();
    pieces.iter().flat_map(piece).collect()
}

fn admin(server: &Server, arguments: &[&str]) -> String {
    let mut command = campanile();
    let output = command
        .args(["admin", "--data"])
        .arg(server.data())
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_domain_is_an_accounts_once_its_record_is_found_and_nobody_elses() {
    if python().is_none() {
        return;
    }
    let dns = NameServer::start(Vec::new());
    let mut server = Server::start(&[("domains.name_server", &dns.address.to_string())]);
    let foreign: Value =
        serde_json::from_str(&admin(&server, &["account", "create", "foreign", "--json"])).unwrap();
    let case = |server: &Server, arguments: &[&str]| {
        let foreign = |member: &str| foreign["AccessKey"][member].as_str().unwrap().to_owned();
        let mut command = script(server, "domains.py", arguments).unwrap();
        command
            .env("FOREIGN_KEY", foreign("AccessKeyId"))
            .env("FOREIGN_SECRET", foreign("SecretAccessKey"));
        succeed(server, &mut command)
    };
    let told: Value = serde_json::from_str(&case(&server, &["claim"])).unwrap();
    let text = |member: &str| told[member].as_str().unwrap();
    let (a, b) = (text("a"), text("b"));
    assert_eq!(text("name"), "_campanile.example.test");
    assert_eq!(dns.asked(), ["16 _campanile.example.test"]);
    dns.fail(true);
    case(&server, &["fails", a]);
    dns.fail(false);

    // What was told outlives the process; what is like the record is not it; in pieces it is still the same.
    server.kill();
    server.start_again();
    let listed = admin(&server, &["domain", "list", a]);
    assert!(
        listed.contains("Pending verification") && listed.contains(text("value")),
        "{listed}"
    );
    let again = admin(&server, &["domain", "claim", a, "example.test"]);
    assert!(
        again.contains(&format!("TXT  \"{}\"", text("value"))),
        "{again}"
    );
    let (begin, end) = text("value").split_at(40);
    dns.add(text("name"), TXT, txt(&["v=spf1 -all"]));
    dns.add(text("name"), TXT, txt(&[begin]));
    let mut early = campanile();
    let early = early.args(["admin", "--data"]).arg(server.data());
    let early = early
        .args(["domain", "verify", a, "example.test"])
        .output()
        .unwrap();
    assert!(!early.status.success());
    dns.add(text("name"), TXT, txt(&[begin, end]));
    let verified = admin(&server, &["domain", "verify", a, "Example.Test."]);
    assert_eq!(verified.trim(), "example.test: Verified");
    server.kill();
    server.start_again();
    case(&server, &["verified", a, b]);
    assert_eq!(admin(&server, &["domain", "list", b]).lines().count(), 2);
}
