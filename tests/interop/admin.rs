//! `campanile admin` both ways, over the socket and by the signed API: what it does, what it refuses and how it says so,
//! and what the audit trail keeps of it.

mod remote;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::access::text;
use crate::support::scripts::{script, succeed};
use crate::support::server::{Server, campanile};

/// A key to the API.
#[derive(Clone)]
pub(crate) struct Key {
    id: String,
    secret: String,
}

impl Key {
    /// The one in what made it.
    fn new(made: &Value) -> Self {
        Self {
            id: text(made, "/AccessKey/AccessKeyId"),
            secret: text(made, "/AccessKey/SecretAccessKey"),
        }
    }
}

/// How the server is reached.
pub(crate) enum Way {
    Socket,
    Remote(Key),
}

fn certificate(server: &Server) -> PathBuf {
    server.data().join("tls/certificate.pem")
}

fn endpoint(server: &Server) -> String {
    format!("https://{}", server.ready().https.unwrap())
}

/// `campanile admin` with nothing of AWS's in the environment.
fn bare(arguments: &[&str]) -> Command {
    let mut command = campanile();
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.arg("admin").args(arguments);
    command
}

fn run(server: &Server, way: &Way, arguments: &[&str]) -> Output {
    let mut command = bare(arguments);
    match way {
        Way::Socket => command.arg("--data").arg(server.data()),
        Way::Remote(key) => command
            .args(["--endpoint", &endpoint(server), "--ca"])
            .arg(certificate(server))
            .env("AWS_ACCESS_KEY_ID", &key.id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret),
    };
    command.output().unwrap()
}

/// What it prints for people.
pub(crate) fn told(server: &Server, way: &Way, arguments: &[&str]) -> String {
    let output = run(server, way, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints for programs.
pub(crate) fn done(server: &Server, way: &Way, arguments: &[&str]) -> Value {
    let with = [arguments, &["--json"]].concat();
    serde_json::from_str(&told(server, way, &with)).unwrap()
}

/// The one line that says why not.
fn line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.strip_prefix("campanile admin: ").unwrap().to_owned()
}

pub(crate) fn refused(server: &Server, way: &Way, arguments: &[&str], why: &str) {
    let said = line(&run(server, way, arguments));
    assert!(said.contains(why), "{arguments:?}: {said}");
}

pub(crate) fn administrator(server: &Server) -> Way {
    let key = server.credentials();
    Way::Remote(Key {
        id: key.access_key_id,
        secret: key.secret_access_key,
    })
}

fn document(server: &Server, name: &str, statement: &Value) -> String {
    let path = server.scratch("policies").join(name);
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    fs::write(&path, document.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_is_done_one_way_is_seen_the_other() {
    let server = Server::start(&[]);
    let ways = [Way::Socket, administrator(&server)];
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": server.credentials().account_id},
        "Action": "sts:AssumeRole"});
    let trust = document(&server, "trust.json", &trust);
    let read = json!({"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"});
    let read = document(&server, "read.json", &read);
    for (way, name) in ways.iter().zip(["ada", "bob"]) {
        let run = |arguments: &[&str]| done(&server, way, arguments);
        run(&["user", "create", name]);
        let made = run(&["key", "create", name]);
        let (id, secret) = (Key::new(&made).id, Key::new(&made).secret);
        run(&["key", "deactivate", &id]);
        run(&["policy", "attach", "AmazonChimeReadOnly", "--user", name]);
        run(&["policy", "put", "own", &read, "--user", name]);
        run(&["role", "create", &format!("{name}-role"), "--trust", &trust]);
        run(&[
            "policy",
            "put",
            "own",
            &read,
            "--role",
            &format!("{name}-role"),
        ]);
        run(&["account", "create", &format!("{name}'s")]);
        let meeting = run(&["meeting", "create", "--external-id", name]);
        let id_of_meeting = text(&meeting, "/MeetingId");
        let shown = told(&server, way, &["meeting", "show", &id_of_meeting]);
        assert!(shown.contains(&text(&meeting, "/Pin")), "{shown}");
        let ended = run(&["meeting", "create", "--external-id", "short"]);
        let ended = text(&ended, "/MeetingId");
        run(&["meeting", "end", &ended]);
        refused(&server, way, &["meeting", "end", &ended], "was not found");
        let link = format!("{}/meet/", endpoint(&server));
        assert!(text(&meeting, "/JoinUrl").starts_with(&link), "{meeting}");
        let listed = run(&["key", "list", "--user", name]);
        assert_eq!(text(&listed, "/AccessKeys/0/Status"), "Inactive");
        assert!(!listed.to_string().contains(&secret));
    }
    let account = text(
        &done(&server, &ways[0], &["account", "list"]),
        "/Accounts/1/AccountId",
    );
    let lists: [&[&str]; 13] = [
        &["user", "list"],
        &["key", "list"],
        &["role", "list"],
        &["policy", "list"],
        &["policy", "list", "--user", "ada"],
        &["policy", "show", "own", "--user", "bob"],
        &["policy", "show", "own", "--role", "ada-role"],
        &["policy", "show", "AmazonChimeReadOnly"],
        &["account", "list"],
        &["user", "list", "--account", &account],
        &["meeting", "list"],
        &["object", "buckets"],
        &["object", "list", "campanile-records"],
    ];
    for list in lists {
        let tables = ways.each_ref().map(|way| told(&server, way, list));
        // The key that looks is seen to be used.
        if list != ["key", "list"] {
            assert_eq!(tables[0], tables[1], "{list:?}");
        }
        let lines = tables[0].lines().count();
        assert!(
            lines > 1 || list[0] == "object" || list[1] == "show",
            "{list:?}: {}",
            tables[0]
        );
        let json = ways.each_ref().map(|way| done(&server, way, list));
        assert_eq!(
            json[0].as_object().unwrap().len(),
            json[1].as_object().unwrap().len()
        );
    }
    let meetings = told(&server, &ways[1], &["meeting", "list"]);
    assert!(meetings.contains("ada") && meetings.contains("bob") && !meetings.contains("short"));
    // And undone the other way.
    for (way, name) in ways.iter().rev().zip(["ada", "bob"]) {
        let run = |arguments: &[&str]| done(&server, way, arguments);
        run(&["policy", "detach", "AmazonChimeReadOnly", "--user", name]);
        run(&["policy", "detach", "own", "--user", name]);
        let none = run(&["policy", "list", "--user", name]);
        assert_eq!(none["Policies"], json!([]));
        run(&["role", "delete", &format!("{name}-role")]);
        run(&["user", "delete", name]);
    }
    let left = done(&server, &ways[0], &["user", "list"]);
    assert_eq!(left["Users"].as_array().unwrap().len(), 1, "{left}");
    // A page ends where it ends, and an object comes whole.
    let folder = server.data().join("objects/campanile-records/many");
    fs::create_dir_all(&folder).unwrap();
    let big = vec![7; 3_000_000];
    fs::write(folder.join("big file+1.bin"), &big).unwrap();
    for at in 0..1003 {
        fs::write(folder.join(format!("{at:04}")), b"x").unwrap();
    }
    for way in &ways {
        let list = ["object", "list", "campanile-records", "--prefix", "many"];
        let found = done(&server, way, &list);
        assert_eq!(found["Objects"].as_array().unwrap().len(), 1004);
        let get = ["object", "get", "campanile-records", "many/big file+1.bin"];
        assert!(run(&server, way, &get).stdout == big);
    }
}

#[test]
fn what_is_not_allowed_is_refused_in_one_line() {
    let server = Server::start(&[]);
    let key = server.credentials();
    let good = administrator(&server);
    let made = done(&server, &good, &["account", "create", "Branch office"]);
    let (other, foreign) = (
        text(&made, "/Account/AccountId"),
        Way::Remote(Key::new(&made)),
    );
    done(&server, &good, &["user", "create", "nobody"]);
    let nobody = Way::Remote(Key::new(&done(
        &server,
        &good,
        &["key", "create", "nobody"],
    )));
    let meeting = text(&done(&server, &good, &["meeting", "create"]), "/MeetingId");

    // Keys that are none.
    let with = |id: &str, secret: &str| {
        let (id, secret) = (id.to_owned(), secret.to_owned());
        Way::Remote(Key { id, secret })
    };
    let wrong = with(&key.access_key_id, "wrong");
    refused(
        &server,
        &wrong,
        &["user", "list"],
        "signature we calculated does not match",
    );
    let unknown = with("AKIAIOSFODNN7EXAMPLE", &key.secret_access_key);
    refused(
        &server,
        &unknown,
        &["user", "list"],
        "security token included in the request is invalid",
    );

    // A user without policies, and one with all of `chime:`, which is not what makes users.
    let arn = format!("arn:aws:iam::{}:user/nobody", key.account_id);
    let denied =
        |action: &str| format!("User: {arn} is not authorized to perform: {action} on resource: ");
    for (arguments, action) in [
        (&["user", "create", "eve"][..], "iam:CreateUser"),
        (&["key", "create", "administrator"], "iam:CreateAccessKey"),
        (
            &[
                "policy",
                "attach",
                "AdministratorAccess",
                "--user",
                "nobody",
            ],
            "iam:AttachUserPolicy",
        ),
        (
            &["key", "delete", &key.access_key_id],
            "iam:DeleteAccessKey",
        ),
        (
            &["account", "create", "mine"],
            "organizations:CreateAccount",
        ),
        (&["account", "list"], "organizations:ListAccounts"),
        (&["user", "list", "--account", &other], "sts:AssumeRoot"),
        (&["object", "get", "campanile-records", "x"], "s3:GetObject"),
    ] {
        refused(&server, &nobody, arguments, &denied(action));
        done(
            &server,
            &good,
            &[
                "policy",
                "attach",
                "AmazonChimeFullAccess",
                "--user",
                "nobody",
            ],
        );
        refused(&server, &nobody, arguments, &denied(action));
        done(
            &server,
            &good,
            &[
                "policy",
                "detach",
                "AmazonChimeFullAccess",
                "--user",
                "nobody",
            ],
        );
    }
    refused(
        &server,
        &nobody,
        &["meeting", "create"],
        &denied("chime:OpenMeeting"),
    );
    // Who may see to one user may not see to others, whatever letters their names are written in.
    let one = json!([
        {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::*:user/administrator"},
    ]);
    let one = document(&server, "one.json", &one);
    done(
        &server,
        &good,
        &["policy", "put", "one", &one, "--user", "nobody"],
    );
    let keys = done(&server, &nobody, &["key", "list", "--user", "nobody"]);
    assert_eq!(keys["AccessKeys"].as_array().unwrap().len(), 1);
    for name in ["administrator", "Administrator"] {
        let create = ["key", "create", name];
        refused(&server, &nobody, &create, &denied("iam:CreateAccessKey"));
    }
    let delete = ["key", "delete", &key.access_key_id];
    refused(&server, &nobody, &delete, &denied("iam:DeleteAccessKey"));

    // Another account's administrator may do everything, in that account.
    let users = done(&server, &foreign, &["user", "list"]);
    let arn = format!("arn:aws:iam::{other}:user/administrator");
    assert_eq!(users["Users"].as_array().unwrap().len(), 1);
    assert_eq!(text(&users, "/Users/0/Arn"), arn);
    done(&server, &foreign, &["user", "create", "nobody"]);
    for arguments in [
        &["account", "create", "mine"][..],
        &["account", "list"],
        &["object", "buckets"],
        &["object", "list", "campanile-records"],
        &["user", "list", "--account", &key.account_id],
        &["user", "list", "--account", "999999999999"],
    ] {
        let why = format!("User: {arn} is not authorized to perform: ");
        refused(&server, &foreign, arguments, &why);
    }
    let never = server.scratch("never").join("x");
    let get = [
        "object",
        "get",
        "campanile-records",
        "x",
        "--output",
        never.to_str().unwrap(),
    ];
    refused(&server, &foreign, &get, "s3:GetObject");
    assert!(!never.exists());
    for arguments in [
        &["key", "deactivate", &key.access_key_id][..],
        &["key", "delete", &key.access_key_id],
        &["meeting", "show", &meeting],
        &["meeting", "end", &meeting],
        &["user", "delete", "bob"],
        &["role", "delete", "bob"],
        &["policy", "show", "own", "--user", "nobody"],
        &["policy", "show", "own"],
        &["domain", "list", "00000000-0000-4000-8000-000000000000"],
    ] {
        let why = match arguments {
            ["policy", "show", "own"] => "--user or --role",
            _ => "was not found",
        };
        refused(&server, &foreign, arguments, why);
    }
    // What is bad, by both ways.
    for way in [&Way::Socket, &good] {
        refused(
            &server,
            way,
            &["user", "create", "a b"],
            "UserName: must be 1 to 64",
        );
        refused(
            &server,
            way,
            &["user", "create", "nobody"],
            "the name nobody is taken",
        );
        refused(
            &server,
            way,
            &["user", "list", "--account", "12"],
            "AccountId: must be twelve digits",
        );
        refused(
            &server,
            way,
            &["user", "list", "--account", "999999999999"],
            "the account was not found",
        );
        refused(
            &server,
            way,
            &["policy", "attach", "Nonsense", "--user", "nobody"],
            "policy was not found",
        );
        refused(
            &server,
            way,
            &["object", "list", "nowhere"],
            "the bucket was not found",
        );
    }
    let log = server.log();
    assert!(!log.contains(&Key::new(&made).secret) && !log.contains(&key.secret_access_key));
}

#[test]
fn each_administration_call_leaves_one_entry_without_secrets() {
    let server = Server::start(&[]);
    let good = administrator(&server);
    let mut secrets = vec![server.credentials().secret_access_key];
    let made = done(
        &server,
        &Way::Socket,
        &["account", "create", "Branch office"],
    );
    let (other, foreign) = (text(&made, "/Account/AccountId"), Key::new(&made));
    secrets.push(foreign.secret.clone());
    for (way, name) in [(&Way::Socket, "ada"), (&good, "bob")] {
        done(&server, way, &["user", "create", name]);
        secrets.push(Key::new(&done(&server, way, &["key", "create", name])).secret);
        let meeting = done(&server, way, &["meeting", "create"]);
        secrets.push(text(&meeting, "/Pin"));
        refused(&server, way, &["user", "delete", "eve"], "was not found");
        done(&server, way, &["user", "list", "--account", &other]);
    }
    let theirs = Way::Remote(foreign.clone());
    refused(
        &server,
        &theirs,
        &["account", "list"],
        "organizations:ListAccounts",
    );
    let own = server.credentials().account_id;
    refused(
        &server,
        &theirs,
        &["user", "list", "--account", &own],
        "sts:AssumeRoot",
    );
    let Some(mut command) = script(&server, "admin.py", &["entries"]) else {
        return;
    };
    // The server's user is the test's, who opened the socket.
    let uid = fs::metadata(server.data()).unwrap().uid();
    command
        .env("OTHER_ACCOUNT", &other)
        .env("OTHER_KEY", &foreign.id)
        .env("OTHER_SECRET", &foreign.secret)
        .env("UID_OF_SOCKET", uid.to_string())
        .env("SECRETS", json!(secrets).to_string());
    succeed(&server, &mut command);
    let log = server.log();
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn no_operation_of_ours_serves_another_account_or_a_user_without_policies() {
    let patient = ("limits.http_header_timeout", "2m");
    let server = Server::start(&[patient]);
    let good = administrator(&server);
    let made = done(&server, &good, &["account", "create", "Branch office"]);
    let foreign = Key::new(&made);
    done(&server, &good, &["user", "create", "nobody"]);
    let nobody = Key::new(&done(&server, &good, &["key", "create", "nobody"]));
    let Some(mut command) = script(&server, "admin.py", &["walk"]) else {
        return;
    };
    command
        .env("OTHER_ACCOUNT", text(&made, "/Account/AccountId"))
        .env("OTHER_KEY", &foreign.id)
        .env("OTHER_SECRET", &foreign.secret)
        .env("NOBODY_KEY", &nobody.id)
        .env("NOBODY_SECRET", &nobody.secret);
    succeed(&server, &mut command);
}
