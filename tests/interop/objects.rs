//! Buckets: call records of real calls in an S3 that is not ours and in sealed folders, read by boto3 and opened by
//! Python's cryptography.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile::config::{Bucket, BucketPlace, buckets};
use campanile::objects::envelope::ObjectKey;
use campanile::objects::{ObjectError, Objects};
use serde_json::Value;

use crate::support::dialler::Dialler;
use crate::support::peers::{python, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Credentials, Server, campanile};
use crate::support::wait_for;

/// The account that moto's buckets belong to, and the one whose bucket somebody else took.
const OWNER: &str = "123456789012";
const STRANGER: &str = "999999999999";
const KMS_KEY: &str = "alias/call-records";
const SECRET: &str = "planted-secret-of-the-s3-user";

/// moto, that heeds whose bucket it is.
struct S3 {
    python: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Running,
}

impl S3 {
    /// `None` after a loud line where there is no Python.
    fn start(folder: &Path) -> Option<Self> {
        let python = python()?;
        fs::create_dir_all(folder).unwrap();
        let port = free_port();
        let process = Self::launch(&python, folder, port);
        let folder = folder.to_owned();
        Some(Self {
            python,
            folder,
            port,
            process,
        })
    }

    fn launch(python: &Path, folder: &Path, port: u16) -> Running {
        let mut command = Command::new(python);
        command
            .arg(repository().join("tests/interop/s3_server.py"))
            .arg(port.to_string())
            .arg(folder.join("journal"));
        let log = folder.join(format!("s3-{}.log", free_port()));
        let mut process = Running::start("s3_server.py", &mut command, &log);
        process.wait_for_output("port ", Duration::from_secs(60));
        process
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// It is gone, and everything in it.
    fn away(&mut self) {
        self.process.signal("KILL");
        self.process.wait(Duration::from_secs(5));
    }

    /// It answers again, empty.
    fn back(&mut self) {
        self.process = Self::launch(&self.python, &self.folder, self.port);
    }

    /// One case of `objects.py`.
    fn python(&self, server: Option<&Server>, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(&self.python);
        command
            .arg(repository().join("tests/interop/objects.py"))
            .args(arguments)
            .env("S3_ENDPOINT", self.endpoint());
        run(command, server)
    }

    fn objects(&self, bucket: &str) -> Vec<Value> {
        serde_json::from_slice(&self.python(None, &["show", bucket])).unwrap()
    }

    /// What is in a bucket, once there are as many.
    fn records(&self, bucket: &str, count: usize) -> Vec<Value> {
        wait_for("records in S3", Duration::from_secs(30), || {
            let found = self.objects(bucket);
            (found.len() >= count).then_some(found)
        })
    }

    /// The requests that it saw.
    fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("journal")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn run(mut command: Command, server: Option<&Server>) -> Vec<u8> {
    if let Some(server) = server {
        let Credentials {
            access_key_id,
            secret_access_key,
            region,
            ..
        } = server.credentials();
        let https = server.ready().https.unwrap();
        command
            .env("ENDPOINT", format!("https://{https}"))
            .env("ACCESS_KEY", access_key_id)
            .env("SECRET_KEY", secret_access_key)
            .env("REGION", region);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// A call over plain UDP that is answered, and ended by the phone.
fn call(server: &Server) {
    let meeting = server.meeting_create();
    let mut phone = Dialler::new(server.ready().sip_udp.unwrap(), &meeting.pin);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
               m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    let answer = phone.invite(sdp);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    phone.bye();
}

fn spooled(server: &Server) -> usize {
    let ready = server.data().join("spool/ready");
    fs::read_dir(ready).map_or(0, |entries| entries.count())
}

/// Once as many records wait.
fn wait_spooled(server: &Server, count: usize) {
    wait_for("the spool", Duration::from_secs(20), || {
        (spooled(server) == count).then_some(())
    });
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[test]
fn call_records_reach_the_s3_bucket_of_the_setting_whatever_happens_to_it_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut s3) = S3::start(&folder.path().join("s3")) else {
        return;
    };
    let credentials = folder.path().join("credentials");
    let text =
        format!("[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = {SECRET}\n");
    fs::write(&credentials, text).unwrap();
    let bucket = |name: &str| {
        let endpoint = s3.endpoint();
        format!(
            "{{ name = \"{name}\", s3 = \"{endpoint}\", credentials = {credentials:?}, \
             owner = \"{OWNER}\", kms_key = \"{KMS_KEY}\" }}"
        )
    };
    let others = "{ name = \"others\", folder = \"others\", accounts = [\"210987654321\"] }";
    let configured = format!("[{}, {}, {others}]", bucket("records"), bucket("taken"));
    let configured = configured.replace(
        "\"others\", accounts",
        &format!("{:?}, accounts", folder.path().join("others")),
    );
    let mut server = Server::start(&[
        ("objects.buckets", &configured),
        ("sip.udp.srtp", "prefer"),
        ("log.level", "trace"),
    ]);
    let taken = format!("taken={STRANGER}");
    let make = ["make", "records", &taken, "--"];
    let refused = ["cannot_send_records_to", "nowhere-at-all", "others", "--"];
    let send = ["send_records_to", "records"];
    s3.python(Some(&server), &[make.as_slice(), &refused, &send].concat());
    call(&server);
    let found = s3.records("records", 1);
    assert_eq!(found[0]["encryption"], "aws:kms");
    assert_eq!(found[0]["kms_key"], KMS_KEY);
    assert!(found[0]["body"]["TransactionId"].is_string(), "{found:#?}");
    let key = found[0]["key"].as_str().unwrap();
    assert!(
        key.starts_with("Amazon-Chime-Voice-Connector-CDRs/json/"),
        "{key}"
    );
    wait_spooled(&server, 0);

    // Somebody else has taken a bucket of that name: nothing goes there, nothing is lost.
    s3.python(Some(&server), &["send_records_to", "taken"]);
    call(&server);
    wait_for("the refusal", Duration::from_secs(20), || {
        server.log().contains("the store refuses").then_some(())
    });
    assert_eq!(spooled(&server), 1);
    let given_back = format!("taken={OWNER}");
    let seen = s3.python(None, &["show", "taken", "--", "make", &given_back]);
    assert_eq!(String::from_utf8_lossy(&seen).trim(), "[]");
    s3.records("taken", 1);
    wait_spooled(&server, 0);
    assert!(
        s3.journal()
            .iter()
            .filter(|asked| asked["path"].as_str().unwrap().starts_with("/taken/"))
            .any(|asked| asked["refused"] == true && asked["owner"] == OWNER)
    );

    // The server is away, and ours dies meanwhile.
    s3.python(Some(&server), &["send_records_to", "records"]);
    s3.away();
    call(&server);
    wait_spooled(&server, 1);
    server.kill();
    server.start_again();
    call(&server);
    wait_spooled(&server, 2);
    s3.back();
    s3.python(None, &["make", "records"]);
    let since = Instant::now();
    wait_spooled(&server, 0);
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "{:?}",
        since.elapsed()
    );
    let ids: Vec<Value> = s3
        .objects("records")
        .into_iter()
        .map(|found| found["body"]["TransactionId"].clone())
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_ne!(ids[0], ids[1]);

    // No setting any more: the default bucket, a folder.
    s3.python(Some(&server), &["send_records_to", ""]);
    call(&server);
    wait_for("the default bucket", Duration::from_secs(20), || {
        let found = server.objects();
        (found.len() == 1 && found[0].0.starts_with("campanile-records/")).then_some(())
    });
    let seen = format!("{}{}", server.log(), server.metrics());
    assert!(!seen.contains(SECRET), "the credentials are in the log");
    for file in files_below(&server.data()) {
        // It is written all the while; what is gone by now is looked for in vain.
        let held = fs::read(&file).unwrap_or_default();
        assert!(
            !held.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()),
            "{file:?}"
        );
    }
}

#[test]
fn big_objects_go_to_s3_in_parts_and_sealed_ones_open_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let Some(s3) = S3::start(&folder.path().join("s3")) else {
        return;
    };
    s3.python(
        None,
        &["make", "plain", "vault", &format!("taken={STRANGER}")],
    );
    let keys = buckets::AwsKeys {
        access_key_id: "AKIDTEST".to_owned(),
        secret_access_key: campanile::store::Secret::new(SECRET.to_owned()),
        session_token: None,
    };
    let configured: Vec<Bucket> = ["plain", "vault", "taken"]
        .map(|name| Bucket {
            name: name.to_owned(),
            place: BucketPlace::S3(Box::new(buckets::S3 {
                endpoint: s3.endpoint(),
                region: "us-east-1".to_owned(),
                credentials: buckets::Credentials::Environment(Some(keys.clone())),
                kms_key: Some(KMS_KEY.to_owned()),
                owner: Some(OWNER.to_owned()),
                authorities: None,
            })),
            sealed: name == "vault",
            accounts: Vec::new(),
        })
        .into();
    // The master key is 32 octets of 7; what objects' keys come from is derived from it.
    let master =
        campanile::store::Secret::new("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".to_owned());
    let derived = derived(&folder.path().join("store"), &master);
    let key = ObjectKey::new(derived).unwrap();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let objects = Objects::open(&configured, "default", folder.path(), OWNER, key).unwrap();
    let objects = Arc::new(objects);
    let body: Bytes = (0..9_000_003_usize).map(|at| (at % 253) as u8).collect();
    runtime.block_on(async {
        for bucket in ["plain", "vault"] {
            objects.put(bucket, "big/one", body.clone()).await.unwrap();
            objects
                .put(bucket, "small", Bytes::from_static(b"{}"))
                .await
                .unwrap();
            assert_eq!(objects.get(bucket, "big/one").await.unwrap(), body);
            let listed = objects.list(bucket, "", "", 10).await.unwrap();
            let listed: Vec<&str> = listed.iter().map(|stored| stored.key.as_str()).collect();
            assert_eq!(listed, ["big/one", "small"]);
            objects.delete(bucket, "small").await.unwrap();
            let gone = objects.get(bucket, "small").await.unwrap_err();
            assert!(matches!(gone, ObjectError::NotFound(_)), "{gone}");
        }
        for size in [2, body.len()] {
            let refused = objects
                .put("taken", "x", body.slice(..size))
                .await
                .unwrap_err();
            assert!(matches!(refused, ObjectError::Refused(_)), "{refused}");
            assert!(!refused.to_string().contains(SECRET));
        }
        let refused = objects.get("taken", "x").await.unwrap_err();
        assert!(matches!(refused, ObjectError::Refused(_)), "{refused}");
    });
    for (bucket, size) in [("plain", 9_000_003), ("vault", 9_000_003 + 80 + 138 * 16)] {
        let found = s3.objects(bucket);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["encryption"], "aws:kms", "{found:?}");
        assert_eq!(found[0]["size"], size, "{found:?}");
        let etag = found[0]["etag"].as_str().unwrap();
        assert!(etag.ends_with("-2\""), "two parts: {etag}");
    }
    let opened = s3.python(
        None,
        &[
            "open_s3",
            "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            "vault",
            "big/one",
        ],
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    assert_eq!(
        String::from_utf8_lossy(&opened).trim(),
        format!("9000003 {hex}")
    );
}

fn derived(data: &Path, master: &campanile::store::Secret) -> [u8; 32] {
    fs::create_dir_all(data).unwrap();
    let key = campanile::store::KeySource::Text(master.clone());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store =
            campanile::store::Store::open_with(data, &campanile::store::Database::DataFolder, &key)
                .await
                .unwrap();
        store
            .seal()
            .derive(campanile::objects::KEY_PURPOSE)
            .unwrap()
    })
}

#[test]
fn a_sealed_bucket_holds_nothing_in_clear_and_opens_for_its_owner() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let vault = folder.path().join("vault");
    let configured = format!("[{{ name = \"vault\", folder = {vault:?}, sealed = true }}]");
    let server = Server::start(&[
        ("objects.buckets", &configured),
        ("record.bucket", "vault"),
        ("sip.udp.srtp", "prefer"),
    ]);
    call(&server);
    let files = wait_for("the sealed record", Duration::from_secs(20), || {
        // An object that is being written has a name with a # for as long.
        let finished = |path: &Path| !path.to_string_lossy().contains('#');
        Some(files_below(&vault)).filter(|files| files.len() == 1 && finished(&files[0]))
    });
    let stored = fs::read(&files[0]).unwrap();
    assert!(stored.starts_with(b"campobj"));
    assert!(!String::from_utf8_lossy(&stored).contains("TransactionId"));
    let admin = |arguments: &[&str]| {
        let mut command = campanile();
        command.args(["admin", "--data"]).arg(server.data());
        command.args(arguments).output().unwrap()
    };
    let buckets = admin(&["object", "buckets"]).stdout;
    assert_eq!(String::from_utf8_lossy(&buckets).trim(), "Name\nvault");
    let listed: Value =
        serde_json::from_slice(&admin(&["object", "list", "vault", "--json"]).stdout).unwrap();
    let key = listed["Objects"][0]["Key"].as_str().unwrap();
    assert_eq!(listed["Objects"].as_array().unwrap().len(), 1);
    let opened = admin(&["object", "get", "vault", key]).stdout;
    let record: Value = serde_json::from_slice(&opened).unwrap();
    assert!(record["TransactionId"].is_string());

    // Another implementation, from the description alone.
    let mut command = Command::new(&python);
    command
        .arg(repository().join("tests/interop/objects.py"))
        .arg("open_file")
        .arg(&files[0])
        .arg(server.data().join("secrets.key"))
        .args(["vault", key]);
    assert_eq!(run(command, None), opened);

    // Under another name it does not open, not even for the administrator; nor does it leave half a file.
    fs::copy(&files[0], vault.join("renamed")).unwrap();
    let out = folder.path().join("out");
    let refused = admin(&[
        "object",
        "get",
        "vault",
        "renamed",
        "--output",
        out.to_str().unwrap(),
    ]);
    assert!(!refused.status.success() && !out.exists());
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("sealed for another place"), "{why}");
    let refused = admin(&["object", "get", "vault", "no/such"]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("the object was not found"), "{why}");
}
