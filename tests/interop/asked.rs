//! `campanile call` is asked who it is: by SIPp as a device, and by Kamailio as a proxy in front of the real server,
//! whose nonces end while the call lasts.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Server, campanile};

const PASSWORD: &str = "zanzibar-opens";

/// A call in the clear, and its report.
fn call(uri: &str, transport: &str, seconds: u32, password: Option<&str>) -> Value {
    let mut command = campanile();
    command
        .args(["call", uri, "--transport", transport, "--srtp", "off"])
        .args(["--json", "--duration", &format!("{seconds}s")]);
    if let Some(password) = password {
        command
            .args(["--user", "ann"])
            .env("CAMPANILE_CALL_PASSWORD", password);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(PASSWORD));
    serde_json::from_str(&said).unwrap_or_else(|_| {
        panic!("{said}{}", String::from_utf8_lossy(&output.stderr));
    })
}

/// SIPp is called with that password, and asks; `None` when it is missing.
fn asked(folder: &Path, transport: &str, password: &str) -> Option<(Value, String)> {
    let program = peer("sipp")?;
    let file = repository().join("tests/interop/sipp-called-digest.xml");
    let (local, media) = (free_port(), free_port() & !1);
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args(["-t", if transport == "udp" { "u1" } else { "t1" }])
        .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-m", "1", "-nostdin"])
        .args(["-p", &local.to_string(), "-mp", &media.to_string()])
        .args(["-recv_timeout", "10000", "-timeout", "30"])
        .args(["-timeout_error", "-trace_err", "-sf"])
        .arg(&file);
    let mut sipp = Running::start("sipp", &mut command, &folder.join("sipp.log"));
    // Until SIPp listens, connections are refused.
    thread::sleep(Duration::from_secs(1));
    let uri = format!("sip:device@127.0.0.1:{local}");
    let report = call(&uri, transport, 1, Some(password));
    let ended = sipp.wait(Duration::from_secs(40));
    assert!(ended.success(), "{}", sipp.output());
    Some((report, sipp.output()))
}

#[test]
fn a_device_asks_and_believes_the_answer_in_invite_ack_and_bye() {
    let folder = tempfile::tempdir().unwrap();
    for transport in ["udp", "tcp"] {
        let Some((report, words)) = asked(folder.path(), transport, PASSWORD) else {
            return;
        };
        assert_eq!(report["answered"], true, "{transport} {report:#} {words}");
    }
}

#[test]
fn who_is_not_believed_tries_once_and_says_why_the_call_ends() {
    let folder = tempfile::tempdir().unwrap();
    let Some((report, words)) = asked(folder.path(), "udp", "guessed-wrong") else {
        return;
    };
    assert_eq!(report["answered"], false, "{words}");
    assert_eq!(report["sip_status"], 401);
    assert_eq!(report["ending"], "401: the credentials were refused");
}

/// A proxy that asks who calls and who hangs up, before it lets them through to the server.
fn kamailio(server: &Server, algorithm: &str) -> Option<(Running, SocketAddr)> {
    let program = peer("kamailio")?;
    let folder = server.scratch(algorithm);
    let here: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let file = folder.join("kamailio.cfg");
    let text = PROXY
        .replace("HERE", &here.to_string())
        .replace("SERVER", &server.ready().sip_udp.unwrap().to_string())
        .replace("ALGORITHM", algorithm)
        .replace("PASSWORD", PASSWORD);
    fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command
        .args(["-DD", "-E", "-m", "64", "-M", "8", "-f"])
        .arg(&file)
        .arg("-Y")
        .arg(&folder);
    let mut running = Running::start("kamailio", &mut command, &folder.join("log"));
    running.wait_for_output("it listens", Duration::from_secs(15));
    Some((running, here))
}

const PROXY: &str = r#"#!KAMAILIO
debug=2
log_stderror=yes
children=2
auto_aliases=no
listen=udp:HERE
listen=tcp:HERE
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("auth", "algorithm", "ALGORITHM")
modparam("auth", "nonce_expire", 1)
request_route {
    if (is_method("INVITE|BYE")) {
        if (!pv_proxy_authenticate("test.example", "PASSWORD", "0")) {
            xlog("L_WARN", "asks $rm\n");
            proxy_challenge("test.example", "0");
            exit;
        }
        xlog("L_WARN", "believes $rm\n");
        consume_credentials();
    }
    if (has_totag()) {
        loose_route();
        t_relay();
        exit;
    }
    if (is_method("INVITE")) {
        record_route();
    }
    $du = "sip:SERVER";
    t_relay();
}
event_route[core:worker-one-init] {
    xlog("L_WARN", "it listens\n");
}
"#;

#[test]
fn a_proxy_asks_and_asks_again_when_its_nonce_has_ended() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    for algorithm in ["MD5", "SHA-256"] {
        let Some((kamailio, proxy)) = kamailio(&server, algorithm) else {
            return;
        };
        let uri = format!("sip:{}@{proxy}", meeting.pin);
        let report = call(&uri, "udp", 3, Some(PASSWORD));
        assert_eq!(report["answered"], true, "{report:#}");
        let packets = report["received"]["packets"].as_u64();
        assert!(packets > Some(100), "{report:#}");
        // The BYE came three seconds later, with a nonce that had lived for one.
        let words = kamailio.output();
        let said: Vec<&str> = ["asks", "believes"]
            .iter()
            .flat_map(|word| words.match_indices(word))
            .map(|(at, _)| words[at..].lines().next().unwrap().trim())
            .collect();
        assert_eq!(
            said,
            ["asks INVITE", "asks BYE", "believes INVITE", "believes BYE"],
            "{words}"
        );
        for (password, ending) in [
            (None, "407 Proxy Authentication Required"),
            (Some("guessed-wrong"), "407: the credentials were refused"),
        ] {
            let report = call(&uri, "tcp", 1, password);
            assert_eq!(report["ending"], ending, "{algorithm}");
        }
    }
}
