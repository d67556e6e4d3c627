//! OpenSSL as the client: which versions and suites are spoken, and that changed files serve at once.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::certificates::self_signed;
use crate::support::peers::peer;
use crate::support::server::Server;
use crate::support::wait_for;

struct OpenSsl(PathBuf);

impl OpenSsl {
    /// A handshake; `None` when it fails, else what OpenSSL says of it.
    fn handshake(&self, to: SocketAddr, arguments: &[&str]) -> Option<String> {
        let mut child = Command::new(&self.0)
            .args(["s_client", "-connect", &to.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // "Q" ends it in good order once the handshake is done.
        child.stdin.take().unwrap().write_all(b"Q\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success() && said.contains("BEGIN CERTIFICATE")).then_some(said)
    }
}

#[test]
fn old_versions_and_suites_without_forward_secrecy_are_refused() {
    let Some(openssl) = peer("openssl").map(OpenSsl) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // An RSA certificate, as the suites without forward secrecy need one.
    let (certificate, key) = self_signed(folder.path(), "meet.example.org");
    let server = Server::start(&[
        ("tls.certificate", certificate.to_str().unwrap()),
        ("tls.key", key.to_str().unwrap()),
    ]);
    let https = server.ready().https.unwrap();
    for to in [server.sip_tls(), https] {
        for (arguments, spoken) in [
            (&["-tls1_3"] as &[_], Some("TLSv1.3")),
            (
                &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
                Some("ECDHE-RSA-AES256-GCM-SHA384"),
            ),
            (
                &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                Some("ECDHE-RSA-AES128-GCM-SHA256"),
            ),
            (&["-tls1_2", "-cipher", "AES128-GCM-SHA256"], None),
            (&["-tls1_2", "-cipher", "AES256-SHA256"], None),
            (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], None),
            (&["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], None),
        ] {
            let said = openssl.handshake(to, arguments);
            match spoken {
                Some(word) => assert!(
                    said.as_ref().is_some_and(|said| said.contains(word)),
                    "{to} {arguments:?} {said:?}"
                ),
                None => assert!(said.is_none(), "{to} {arguments:?} {said:?}"),
            }
        }
    }
}

#[test]
fn changed_certificates_serve_at_once_and_unusable_ones_never() {
    let Some(openssl) = peer("openssl").map(OpenSsl) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (live, live_key) = (here.join("live.crt"), here.join("live.secret"));
    let put = |name: &str| {
        let (certificate, key) = self_signed(here, name);
        fs::copy(certificate, &live).unwrap();
        fs::copy(key, &live_key).unwrap();
    };
    put("first.example.org");
    let more = here.join("more");
    fs::create_dir(&more).unwrap();
    self_signed(&more, "rooms.example.org");
    let server = Server::start(&[
        ("tls.certificate", live.to_str().unwrap()),
        ("tls.key", live_key.to_str().unwrap()),
        ("tls.folder", more.to_str().unwrap()),
    ]);
    let https = server.ready().https.unwrap();
    let subject = |to, name: &str| {
        let said = openssl.handshake(to, &["-servername", name]).unwrap();
        let line = said.lines().find(|line| line.starts_with("subject="));
        line.unwrap()
            .trim_start_matches("subject=")
            .replace(' ', "")
    };
    let shows = |name: &str, wanted: &str| {
        for to in [server.sip_tls(), https] {
            wait_for(wanted, Duration::from_secs(10), || {
                (subject(to, name) == format!("CN={wanted}")).then_some(())
            });
        }
    };
    shows("unknown.example.org", "first.example.org");
    shows("rooms.example.org", "rooms.example.org");

    put("second.example.org");
    shows("unknown.example.org", "second.example.org");
    shows("rooms.example.org", "rooms.example.org");

    fs::write(&live, "no certificate").unwrap();
    wait_for("the log to say so", Duration::from_secs(10), || {
        let said = "the changed certificates cannot be used; the old ones stay";
        server.log().contains(said).then_some(())
    });
    assert!(
        server
            .metrics()
            .contains("campanile_certificate_files_usable 0")
    );
    shows("unknown.example.org", "second.example.org");

    put("third.example.org");
    shows("unknown.example.org", "third.example.org");
    assert!(
        server
            .metrics()
            .contains("campanile_certificate_files_usable 1")
    );
}
