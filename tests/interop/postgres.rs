//! The server on a real PostgreSQL: all that scripts are promised, a database that goes away, two servers on one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use campanile::store::{BadKey, Database, KeySource, PostgresUrl, Secret, Store, StoreError};
use serde_json::json;

use crate::support::certificates::self_signed;
use crate::support::dialler::Dialler;
use crate::support::peers::python;
use crate::support::ports::free_port;
use crate::support::postgres::{self, Cluster, Syncing};
use crate::support::relay::Relay;
use crate::support::scripts::{script, succeed};
use crate::support::server::{Server, campanile};
use crate::support::signed::Client;
use crate::support::wait_for;

#[test]
fn all_that_scripts_are_promised_on_sqlite_holds_on_postgresql() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    let filters = ["boto3::", "access::", "crash::", "domains::", "objects::"];
    // These end before the database, or say by another client what boto3 has said.
    let without = [
        "every_operation_wants_a_good_signature",
        "every_operation_says_which_member_it_misses",
        "every_operation_of_every_service_goes_well_once_by_the_command_line",
        "the_command_line_client",
        "what_is_not_offered",
        "a_service_may_have_its_own_path",
        "a_url_may_bear_its_signature",
    ];
    let said = postgres::run_again(&cluster.url(), &filters, &without);
    let passed = postgres::passed(&said);
    assert!(passed >= 20, "only {passed} tests ran:\n{said}");
}

/// `GET` of that path on the port of the figures, with its status line.
fn health(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.ready().metrics.unwrap()).unwrap();
    let limit = Some(Duration::from_secs(5));
    stream.set_read_timeout(limit).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One case of `directory.py`.
fn directory(server: &Server, case: &str) -> String {
    let mut command = script(server, "directory.py", &[case]).unwrap();
    succeed(server, &mut command)
}

#[test]
fn a_database_that_goes_away_and_comes_back_is_waited_for_and_calls_go_on() {
    let Some(mut cluster) = Cluster::start(Syncing::On) else {
        return;
    };
    if python().is_none() {
        return;
    }
    let url = cluster.database("campanile");
    // The phones of this test send nothing.
    let server = Server::start(&[("store.database", &url), ("media.timeout", "10m")]);
    let meeting = server.meeting_create();
    directory(&server, "accounts");
    let sip = server.ready().sip_udp.unwrap();
    let mut call = Dialler::new(sip, &meeting.pin);
    let answer = call.invite(OFFER);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");

    cluster.stop();
    directory(&server, "everything_is_unavailable");
    let mut waiting = script(&server, "refusals.py", &["comes_back"]).unwrap();
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(waiting.stdout.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), "away");
    assert!(health(&server, "/live").starts_with("HTTP/1.1 200"));
    let mut another = Dialler::new(sip, &meeting.pin);
    let answer = another.invite(OFFER);
    assert!(answer.starts_with("SIP/2.0 500"), "{answer}");
    assert!(call.options().contains("200"), "the call goes on");

    cluster.run();
    // No word to the server: it finds out by itself. Nor to boto3, which has tried again all the time.
    let told: Vec<String> = told.map(Result::unwrap).collect();
    assert!(waiting.wait().unwrap().success(), "{told:?}");
    wait_for("the database to be used again", RECOVERING, || {
        let mut call = Dialler::new(sip, &meeting.pin);
        let well = call.invite(OFFER).starts_with("SIP/2.0 200");
        well.then(|| call.bye())
    });
    directory(&server, "accounts");
    // The seventh request of the dialog was the OPTIONS.
    call.send("BYE", 8, "");
    assert!(call.read().starts_with("SIP/2.0 200"));
    assert!(!server.log().contains(postgres::PASSWORD));
}

/// Nobody is told that the network loses everything: no end of a connection, no error.
#[test]
fn a_connection_that_falls_silent_amid_a_write_holds_up_writers_for_a_while_only() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    cluster.database("campanile");
    let relay = Relay::start(&cluster.socket());
    let (password, port) = (postgres::PASSWORD, relay.port());
    let url = format!("postgres://campanile:{password}@127.0.0.1:{port}/campanile");
    let server = Server::start(&[("store.database", &url)]);
    let create = |name: &str| {
        let mut client = Client::new(&server);
        let body = format!(r#"{{"Name":"{name}"}}"#);
        let (status, _) = client.exchange(&client.request("POST", "/accounts", &[], &body));
        status
    };
    relay.lose_from("INSERT INTO accounts");
    assert_eq!(create("lost"), 503);
    assert!(relay.has_lost());
    assert_eq!(create("kept"), 201);
    let mut client = Client::new(&server);
    let accounts = client.ask("GET", "/accounts", &[], "");
    let names: Vec<_> = accounts["Accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| &account["Name"])
        .collect();
    assert!(
        names.contains(&&json!("kept")) && !names.contains(&&json!("lost")),
        "{names:?}"
    );
}

#[test]
fn no_secret_lies_in_the_database_in_clear() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    if python().is_none() {
        return;
    }
    let url = cluster.database("campanile");
    let server = Server::start(&[("store.database", &url)]);
    let told = directory(&server, "plant_secrets");
    let meeting = server.meeting_create();
    let dump = cluster.dump(&url);
    let secret = server.credentials().secret_access_key;
    let ours = [secret.as_str(), &meeting.pin, "planted-trunk-password"];
    for planted in ours.into_iter().chain(told.split_whitespace()) {
        assert!(
            planted.len() >= 10 && !dump.contains(planted),
            "{planted} is in clear"
        );
    }
    assert!(dump.contains("planted-trunk-user"), "the right database");
}

#[test]
fn a_wrong_password_or_url_stops_the_start_and_is_not_told() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    let url = cluster.url();
    let data = tempfile::tempdir().unwrap();
    let start = |url: &str, password: Option<&str>| {
        let mut command = campanile();
        command.args(["serve", "--data"]).arg(data.path());
        for listener in ["HTTP", "SIP__TLS", "MEDIA", "METRICS"] {
            command.env(format!("CAMPANILE__{listener}__LISTEN"), "127.0.0.1:0");
        }
        command.env("CAMPANILE__STORE__DATABASE", url);
        if let Some(password) = password {
            command.env("CAMPANILE_STORE_PASSWORD", password);
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), told)
    };
    let (code, told) = start(&url, Some("planted-wrong-word"));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("password authentication failed"), "{told}");
    assert!(!told.contains("planted"), "{told}");
    for (wrong, says) in [
        (url.replace("postgres://", "mysql://"), "mysql"),
        (format!("{url}&sslmode=always"), "sslmode"),
        (format!("{url}&colour=red"), "colour"),
        ("postgres".to_owned(), "no URL"),
    ] {
        let (code, told) = start(&wrong, None);
        assert_eq!(code, Some(64), "{told}");
        assert!(
            told.contains("store.database") && told.contains(says),
            "{told}"
        );
        assert!(!told.contains("planted"), "{told}");
    }
}

#[tokio::test]
async fn a_database_elsewhere_is_spoken_to_over_tls_and_must_be_the_one_that_is_meant() {
    let Some(mut cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = self_signed(folder.path(), "localhost");
    let (another, _) = self_signed(folder.path(), "db.example.org");
    cluster.stop();
    let port = free_port();
    cluster.encrypt(&certificate, &key, port);
    cluster.run();
    let (believed, another) = (certificate.display(), another.display());
    for (host, parameters, well) in [
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", "sslmode=require".to_owned(), true),
        ("localhost", "application_name=campanile".to_owned(), true),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={believed}"),
            true,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={believed}"),
            true,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={believed}"),
            false,
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={another}"),
            false,
        ),
        ("localhost", "sslmode=verify-full".to_owned(), false),
    ] {
        let password = postgres::PASSWORD;
        let url = format!("postgres://campanile:{password}@{host}:{port}/postgres?{parameters}");
        let opened = open(&url, &KeySource::DataFolder).await;
        match &opened {
            Ok((_data, store)) => {
                store.deployment(None, 1).await.unwrap();
                let encrypted = "SELECT bool_and(ssl), count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                    WHERE client_addr IS NOT NULL";
                assert_eq!(cluster.query(&cluster.url(), encrypted), "t|t\n");
            }
            Err(error) => assert!(!error.to_string().contains("planted"), "{error}"),
        }
        assert_eq!(
            opened.is_ok(),
            well,
            "{host} {parameters}: {:?}",
            opened.err()
        );
        // The next one has the database to itself: this one's key went with its folder.
        if opened.is_ok() {
            let emptied = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
            drop(opened);
            cluster.query(&cluster.url(), emptied);
        }
    }
}

/// Opens a store as a server of its own would, with a data folder of its own.
async fn open(url: &str, key: &KeySource) -> Result<(tempfile::TempDir, Store), StoreError> {
    let data = tempfile::tempdir().unwrap();
    let database = Database::Postgres(PostgresUrl::new(url).unwrap());
    let store = Store::open_with(data.path(), &database, key).await?;
    Ok((data, store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_start_at_once_on_one_database_decide_one_deployment() {
    let Some(cluster) = Cluster::start(Syncing::Off) else {
        return;
    };
    let url = cluster.database("campanile");
    let key = KeySource::Text(Secret::new("A".repeat(43) + "="));
    let starts: Vec<_> = (0..6)
        .map(|number| {
            let (url, key) = (url.clone(), key.clone());
            tokio::spawn(async move {
                let (_data, store) = open(&url, &key).await.unwrap();
                let deployment = store.deployment(None, number).await.unwrap();
                let account = &deployment.account_id;
                let first = store
                    .first_administrator(account, number)
                    .await
                    .unwrap()
                    .unwrap();
                let page = store.page_key().await.unwrap();
                (deployment.clone(), first.access_key_id, page)
            })
        })
        .collect();
    let mut decided = Vec::new();
    for start in starts {
        decided.push(start.await.unwrap());
    }
    decided.dedup();
    assert_eq!(decided.len(), 1, "{decided:?}");

    // Whoever comes first with a key of its own has decided which one it is.
    let url = cluster.database("another");
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url, &KeySource::DataFolder).await })
        })
        .collect();
    let mut well = 0;
    for start in starts {
        match start.await.unwrap() {
            Ok(_) => well += 1,
            Err(StoreError::Key(BadKey::Wrong | BadKey::Missing(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(well, 1);
}

const RECOVERING: Duration = Duration::from_secs(30);

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
