//! Domains: claimed by the signed API and `campanile admin`, proved to the real server by a real answer of DNS.

use std::time::Duration;

use serde_json::Value;

use crate::support::dns::NameServer;
use crate::support::peers::python;
use crate::support::scripts::{script, succeed};
use crate::support::server::{Server, campanile};
use crate::support::signed::Client;
use crate::support::wait_for;

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

#[test]
fn a_pending_domain_is_looked_for_again_and_again_without_anybody_asking() {
    if python().is_none() {
        return;
    }
    let dns = NameServer::start(Vec::new());
    let server = Server::start(&[
        ("domains.name_server", &dns.address.to_string()),
        ("domains.first_check", "1s"),
    ]);
    let mut client = Client::new(&server);
    let account = client.ask("POST", "/accounts", &[], r#"{"Name":"A"}"#);
    let account = account["Account"]["AccountId"].as_str().unwrap().to_owned();
    let path = format!("/campanile/accounts/{account}/domains");
    let claim = client.ask("POST", &path, &[], r#"{"Name":"example.test"}"#);
    let (name, value) = (
        claim["Domain"]["RecordName"].as_str().unwrap(),
        claim["Domain"]["RecordValue"].as_str().unwrap(),
    );
    let line = "16 _campanile.example.test";
    wait_for("the record to be looked for twice", WAITING, || {
        let asked = dns.asked();
        (asked.iter().filter(|it| *it == line).count() >= 2).then_some(())
    });
    let status = |client: &mut Client| {
        let told = client.ask("GET", &format!("{path}/example.test"), &[], "");
        told["Domain"]["Status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(&mut client), "Pending verification");
    // A name server that fails is asked again as well.
    dns.fail(true);
    let before = dns.asked().len();
    wait_for("a name server that fails to be asked", WAITING, || {
        (dns.asked().len() > before).then_some(())
    });
    dns.fail(false);
    dns.add(name, TXT, txt(&[value]));
    wait_for("the domain to be verified", WAITING, || {
        (status(&mut client) == "Verified").then_some(())
    });
    let told = client.ask("GET", &format!("/accounts/{account}"), &[], "");
    assert_eq!(told["Account"]["AccountType"], "EnterpriseLWA");
    // Nobody looks any more.
    let asked = dns.asked().len();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(dns.asked().len(), asked);
}

/// Each time is twice as far from the claim as the one before.
const WAITING: Duration = Duration::from_secs(60);
