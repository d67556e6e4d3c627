use std::path::Path;

use super::super::{Config, ConfigError, Sources, source};
use super::*;

fn from_text(text: &str) -> Result<Config, ConfigError> {
    let mut settings = source::defaults();
    source::add_file(&mut settings, Path::new("campanile.toml"), text)?;
    Config::from_settings(&settings)
}

const TWO_BUCKETS: &str = r#"
[[objects.buckets]]
name = "vault"
folder = "/srv/vault"
sealed = true
accounts = ["123456789012"]
[[objects.buckets]]
name = "records"
s3 = "https://s3.example.org:9000"
owner = "210987654321"
kms_key = "alias/records"
"#;

#[test]
fn buckets_are_tables_and_may_come_from_the_environment_too() {
    let config = from_text(TWO_BUCKETS).unwrap();
    let [vault, records] = config.buckets.as_slice() else {
        panic!("{:?}", config.buckets);
    };
    assert!(vault.sealed && vault.accounts == ["123456789012"]);
    assert!(matches!(&vault.place, BucketPlace::Folder(path) if path == Path::new("/srv/vault")));
    let BucketPlace::S3(s3) = &records.place else {
        panic!("{records:?}");
    };
    assert_eq!(s3.endpoint, "https://s3.example.org:9000");
    assert_eq!(s3.region, "us-east-1", "the node's");
    assert_eq!(s3.owner.as_deref(), Some("210987654321"));
    assert_eq!(s3.kms_key.as_deref(), Some("alias/records"));
    let one = r#"[{ name = "here", folder = "/srv/here" }]"#;
    let sources = Sources {
        environment: vec![("CAMPANILE__OBJECTS__BUCKETS".to_owned(), one.to_owned())],
        ..Sources::default()
    };
    assert_eq!(Config::load(&sources).unwrap().buckets[0].name, "here");
}

#[test]
fn a_bucket_that_cannot_be_is_refused_with_its_number_and_the_reason() {
    for (said, wanted) in [
        (r#"["records"]"#, "bucket 1: it is no table"),
        (r#"[{ folder = "/srv" }]"#, "bucket 1: it has no name"),
        (
            r#"[{ name = "Records", folder = "/srv" }]"#,
            "is no bucket name",
        ),
        (r#"[{ name = "records" }]"#, "either folder or s3"),
        (
            r#"[{ name = "records", folder = "/srv", s3 = "https://a" }]"#,
            "either folder or s3",
        ),
        (
            r#"[{ name = "records", folder = "/srv", owner = "123456789012" }]"#,
            "owner means nothing",
        ),
        (
            r#"[{ name = "records", s3 = "ftp://a" }]"#,
            "no address of a server",
        ),
        (
            r#"[{ name = "records", s3 = "https://key:secret@a" }]"#,
            "no address of a server",
        ),
        (
            r#"[{ name = "records", s3 = "https://a", owner = "12" }]"#,
            "owner is not twelve digits",
        ),
        (
            r#"[{ name = "records", folder = "/srv", sealed = "yes" }]"#,
            "sealed does not fit",
        ),
        (
            r#"[{ name = "records", folder = "/srv", accounts = ["x"] }]"#,
            "no list of accounts",
        ),
        (
            r#"[{ name = "records", folder = "/srv", seald = true }]"#,
            "\"seald\" is no key",
        ),
        (
            r#"[{ name = "aaa", folder = "/a" }, { name = "aaa", folder = "/b" }]"#,
            "bucket 2: its name was",
        ),
    ] {
        let error = from_text(&format!("[objects]\nbuckets = {said}"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("campanile.toml:2: objects.buckets: "),
            "{error}"
        );
        assert!(error.contains(wanted), "{error}");
        assert!(!error.contains("key:secret"), "{error}");
    }
}

#[test]
fn an_s3_bucket_wants_credentials_and_shows_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campanile.toml");
    let with = |credentials: &str, environment: &[(&str, &str)]| {
        let text = format!(
            "[node]\ndata = {:?}\n[objects]\nbuckets = [{{ name = \"records\", s3 = \"http://127.0.0.1:1\"{credentials} }}]",
            folder.path().join("data")
        );
        std::fs::write(&file, text).unwrap();
        let environment = environment.iter();
        Config::load(&Sources {
            file: Some(file.clone()),
            environment: environment
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            ..Sources::default()
        })
        .unwrap()
    };
    let error = with("", &[]).check_files().unwrap_err().to_string();
    assert!(error.contains("nothing says who we are"), "{error}");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDPLANTED"),
        ("AWS_SECRET_ACCESS_KEY", "planted-secret"),
    ];
    let config = with("", &keys);
    config.check_files().unwrap();
    assert!(!format!("{config:?}").contains("planted-secret"));
    let shared = folder.path().join("credentials");
    let said = format!(", credentials = {shared:?}");
    assert!(
        with(&said, &keys).check_files().is_err(),
        "the file counts, and is not there"
    );
    std::fs::write(
        &shared,
        "[other]\naws_access_key_id = B\naws_secret_access_key = C\n",
    )
    .unwrap();
    let error = with(&said, &[]).check_files().unwrap_err().to_string();
    assert!(error.contains("has no aws_access_key_id"), "{error}");
    let text = "[other]\naws_access_key_id = B\n[default]\naws_access_key_id = A\naws_secret_access_key=pl/anted==\n";
    std::fs::write(&shared, text).unwrap();
    with(&said, &[]).check_files().unwrap();
    let read = read_credentials(&shared).unwrap();
    assert_eq!(
        (read.access_key_id.as_str(), read.secret_access_key.expose()),
        ("A", "pl/anted==")
    );
}
