//! What a wrong configuration is told, and that `config/campanile.toml` keeps in step with the types.

use std::time::Duration;

use super::*;

fn from_text(text: &str) -> Result<Config, ConfigError> {
    let mut settings = source::defaults();
    source::add_file(&mut settings, Path::new("campanile.toml"), text)?;
    Config::from_settings(&settings)
}

fn error(text: &str) -> String {
    from_text(text).unwrap_err().to_string()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(&Sources {
        environment: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    })
}

const SAMPLE: &str = include_str!("../../config/campanile.toml");

#[test]
fn the_defaults_are_a_valid_configuration() {
    let config = Config::defaults().unwrap();
    assert_eq!(config.http.listen, Listen::All(8443));
    assert_eq!(config.sip.tcp.listen, Listen::Off);
    assert_eq!(config.sip.tls.srtp, SrtpPolicy::Require);
    assert_eq!(
        config.media.ports,
        PortRange {
            first: 10_000,
            last: 60_000
        }
    );
    assert_eq!(config.drain.deadline, Duration::from_secs(30));
    assert_eq!(config.tls.files, None);
    assert_eq!(config.sip.client_certificates, ClientCertificates::Off);
}

#[test]
fn the_sample_file_says_every_key_with_its_default() {
    // Keys without a default stand in comments; everything else must be there in clear.
    let uncommented: Vec<&str> = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                rest
            }
            _ => line,
        })
        .collect();
    let mut all = Settings::new();
    source::add_file(&mut all, Path::new("sample"), &uncommented.join("\n")).unwrap();
    let mut clear = Settings::new();
    source::add_file(&mut clear, Path::new("sample"), SAMPLE).unwrap();
    let defaults = source::defaults();
    for key in KEYS {
        assert!(
            all.contains_key(key.path),
            "{} is missing from the sample",
            key.path
        );
        assert_eq!(
            clear.get(key.path).map(|setting| setting.value.to_string()),
            defaults
                .get(key.path)
                .map(|setting| setting.value.to_string()),
            "{}",
            key.path
        );
    }
    Config::from_settings(&all).unwrap();
}

#[test]
fn every_key_is_read_by_the_types() {
    // A value that fits no key must be refused wherever it is put: so nothing is listed and then ignored.
    for key in KEYS {
        let mut settings = source::defaults();
        let value = toml::Value::Table(toml::Table::new());
        settings.insert(
            key.path,
            Setting {
                value,
                raw: None,
                origin: Origin::Default,
            },
        );
        assert_eq!(Config::from_settings(&settings).unwrap_err().key, key.path);
    }
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_neighbour() {
    assert_eq!(
        error("[http]\n\nlisten = \":1\"\nlisen = \":2\"\n"),
        "campanile.toml:4: http.lisen: unknown key; did you mean http.listen?"
    );
}

#[test]
fn an_unknown_section_is_explained_by_its_first_key() {
    assert_eq!(
        error("[htp]\nlisten = \":1\"\n"),
        "campanile.toml:1: htp.listen: unknown key; did you mean http.listen?"
    );
}

#[test]
fn a_section_written_as_a_key_is_refused() {
    assert_eq!(
        error("http = 3"),
        "campanile.toml:1: http: this is a section, not a key; write [http] and its keys below"
    );
}

#[test]
fn broken_toml_is_named_with_its_line() {
    let error = error("[http]\nlisten = \n");
    assert!(error.starts_with("campanile.toml:2: syntax: "), "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn a_value_of_the_wrong_kind_is_told_the_right_one() {
    assert_eq!(
        error("[limits]\nattendees = 251\n"),
        "campanile.toml:2: limits.attendees: 251 does not fit here; write a whole number from 1 to 250"
    );
    assert_eq!(
        error("[record]\nsip_messages = \"yes\"\n"),
        "campanile.toml:2: record.sip_messages: \"yes\" does not fit here; write true or false"
    );
    assert!(error("[drain]\ndeadline = \"30\"\n").contains("write a time with its unit"));
    assert!(
        error("[sip.tls]\nsrtp = \"never\"\n")
            .ends_with("write \"require\" or \"prefer\" or \"off\"")
    );
}

#[test]
fn a_listener_that_is_no_address_is_refused() {
    for bad in ["8443", "localhost:8443", ":99999", "127.0.0.1", ""] {
        let error = error(&format!("[http]\nlisten = \"{bad}\"\n"));
        assert!(
            error.starts_with("campanile.toml:2: http.listen: "),
            "{error}"
        );
    }
}

#[test]
fn two_listeners_cannot_share_a_port() {
    assert_eq!(
        error("[sip.tls]\nlisten = \"127.0.0.1:8443\"\n"),
        "campanile.toml:2: sip.tls.listen: it takes the port of http.listen; give each a port of its own"
    );
    from_text("[sip.tls]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"").unwrap();
}

#[test]
fn ports_of_media_are_kept_apart_and_in_order() {
    assert!(error("[media]\nlisten = \":20000\"\n").contains("its port lies within media.ports"));
    assert!(error("[media]\nports = [60000, 10000]\n").contains("not a usable pair of ports"));
    assert!(error("[media]\nports = [80, 100]\n").contains("not a usable pair of ports"));
}

#[test]
fn addresses_to_advertise_must_be_reachable_ones() {
    assert!(
        error("[media]\nadvertise = [\"0.0.0.0\"]\n")
            .contains("no address that others can send to")
    );
    assert!(
        error("[media]\nadvertise = [\"example.org\"]\n").contains("write a list of IP addresses")
    );
}

#[test]
fn names_and_ids_are_checked() {
    assert!(error("[node]\naccount_id = \"12\"\n").contains("not twelve digits"));
    assert!(error("[node]\nregion = \"Nowhere!\"\n").contains("no region name"));
    assert!(error("[node]\ndomain = \"a..b\"\n").contains("no domain name"));
    assert!(error("[http]\npublic = \"https://x/\"\n").contains("no host name"));
    assert!(error("[record]\nbucket = \"../etc\"\n").contains("no bucket name"));
}

#[test]
fn the_environment_is_stronger_than_the_default_and_keeps_texts_as_they_are() {
    let config = from_environment(&[
        ("CAMPANILE__HTTP__LISTEN", "127.0.0.1:0"),
        ("CAMPANILE__MEDIA__PORTS", "[20000, 20100]"),
        ("CAMPANILE__NODE__ACCOUNT_ID", "012345678901"),
        ("CAMPANILE__SIP__TCP__LISTEN", ":5060"),
        ("CAMPANILE_OTHER", "not ours"),
    ])
    .unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:0".parse().unwrap());
    assert_eq!(config.media.ports.first, 20_000);
    assert_eq!(config.node.account_id.as_deref(), Some("012345678901"));
    assert_eq!(config.sip.tcp.listen, Listen::All(5060));
}

#[test]
fn a_misspelt_variable_is_refused_by_name() {
    assert_eq!(
        from_environment(&[("CAMPANILE__HTTP__LISTENS", ":1")])
            .unwrap_err()
            .to_string(),
        "environment CAMPANILE__HTTP__LISTENS: http.listens: unknown key; did you mean http.listen?"
    );
}

#[test]
fn a_missing_file_is_an_error_and_not_the_defaults() {
    let sources = Sources {
        file: Some("/nonexistent/campanile.toml".into()),
        ..Sources::default()
    };
    assert!(
        Config::load(&sources)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
}

#[test]
fn the_certificate_and_the_key_must_stand_together() {
    assert!(error("[tls]\nkey = \"k.pem\"\n").contains("it stands without tls.certificate"));
}

#[test]
fn unreadable_foreign_and_mismatched_certificates_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (one, other) = (
        rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap(),
        rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap(),
    );
    std::fs::write(path("one.pem"), one.cert.pem()).unwrap();
    std::fs::write(path("one.key"), one.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("other.key"), other.signing_key.serialize_pem()).unwrap();
    std::fs::write(path("rubbish"), "no certificate").unwrap();
    let check = |certificate: &str, key: &str| {
        let mut config = from_text(&format!(
            "[node]\ndata = {:?}\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
            folder.path(),
            path(certificate),
            path(key)
        ))
        .unwrap();
        config.log.level.clear();
        config.check_files().map_err(|error| error.to_string())
    };
    check("one.pem", "one.key").unwrap();
    assert!(
        check("one.pem", "other.key")
            .unwrap_err()
            .contains("campanile.toml:5: tls.key: the key")
    );
    assert!(
        check("absent", "one.key")
            .unwrap_err()
            .contains("campanile.toml:4: tls.certificate")
    );
    assert!(
        check("rubbish", "one.key")
            .unwrap_err()
            .contains("tls.certificate")
    );
    assert!(check("one.pem", "rubbish").unwrap_err().contains("tls.key"));
}

#[test]
fn a_data_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config =
        from_environment(&[("CAMPANILE__NODE__DATA", file.join("data").to_str().unwrap())])
            .unwrap();
    let error = config.check_files().unwrap_err().to_string();
    assert!(
        error.starts_with("environment CAMPANILE__NODE__DATA: node.data: "),
        "{error}"
    );
    assert!(error.contains("cannot be written"), "{error}");
}

#[test]
fn certificates_of_clients_need_authorities() {
    let asked = "[sip.tls]\nclient_certificates = \"require\"\n";
    let said = error(asked);
    assert!(said.contains("sip.tls.client_authorities"), "{said}");
    let both = format!("{asked}client_authorities = \"clients.pem\"\n");
    assert_eq!(
        from_text(&both).unwrap().sip.client_certificates,
        ClientCertificates::Require("clients.pem".into())
    );
}

#[test]
fn files_of_tls_that_cannot_be_used_name_their_key() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("empty.pem"), "").unwrap();
    std::fs::create_dir(here.join("pairs")).unwrap();
    std::fs::write(here.join("pairs/a.pem"), "").unwrap();
    let authorities = |path: PathBuf| {
        format!("[sip.tls]\nclient_certificates = \"request\"\nclient_authorities = {path:?}\n")
    };
    let pairs = |path: PathBuf| format!("[tls]\nfolder = {path:?}\n");
    for (key, text) in [
        ("tls.folder", pairs(here.join("pairs"))),
        ("tls.folder", pairs(here.join("missing"))),
        (
            "sip.tls.client_authorities",
            authorities(here.join("empty.pem")),
        ),
        (
            "sip.tls.client_authorities",
            authorities(here.join("missing")),
        ),
    ] {
        let said = from_text(&text).unwrap().check_files().unwrap_err();
        assert!(said.to_string().contains(key), "{said}");
    }
}

#[test]
fn shards_need_ports_of_their_own() {
    for (text, problem) in [
        (
            "[media]\nlisten = \":9998\"\nshards = 3\n",
            "reach into media.ports",
        ),
        (
            "[media]\nlisten = \":65535\"\nshards = 2\n",
            "no 2 ports from 65535",
        ),
        (
            "[media]\nports = [10000, 10003]\nshards = 3\n",
            "no pair for each",
        ),
        (
            "[media]\nshards = 4\n[sip.udp]\nlisten = \":3481\"\n",
            "the port of sip.udp.listen",
        ),
    ] {
        let said = error(text);
        assert!(
            said.contains("media.shards") && said.contains(problem),
            "{said}"
        );
    }
    assert!(from_text("[media]\nlisten = \":0\"\nshards = 64\n").is_ok());
}

#[test]
fn what_is_wrong_with_users_is_said_without_showing_them() {
    assert_eq!(
        error("[sip.tls]\nusers = [\"ann:hunter2\", \"hunter3\"]\n"),
        "campanile.toml:2: sip.tls.users: entry 2: no colon between name and password; \
         write a list such as [\"name:password\"]"
    );
    for said in [
        "\"ann:hunter2\"",
        "[[\"ann:hunter2\"]]",
        "{ ann = \"hunter2\" }",
    ] {
        let said = error(&format!("[sip.udp]\nusers = {said}\n"));
        assert!(said.contains("sip.udp.users"), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }
    let config = from_environment(&[("CAMPANILE__SIP__TLS__USERS", r#"["ann:hunter2"]"#)]);
    let config = config.unwrap();
    assert_eq!(config.sip.tls.all_users().unwrap().len(), 1);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_name_server_is_an_address_with_a_port() {
    let config = from_text("[sip]\nname_server = \"192.0.2.53:53\"\n").unwrap();
    assert_eq!(config.sip.name_server, "192.0.2.53:53".parse().ok());
    for bad in ["192.0.2.53", "ns.example.org:53", ""] {
        let said = error(&format!("[sip]\nname_server = \"{bad}\"\n"));
        assert!(said.contains("sip.name_server"), "{said}");
    }
}

#[test]
fn the_databases_password_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let config = Config::defaults().unwrap();
    assert!(matches!(config.store.database, Database::DataFolder));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "planted-word\n").unwrap();
    let text = format!(
        "[store]\ndatabase = \"postgres://campanile@db/campanile\"\npassword_file = {file:?}\n"
    );
    let load = |text: &str| {
        let path = folder.path().join("campanile.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&Sources {
            file: Some(path),
            ..Sources::default()
        })
    };
    let shown = format!("{:?}", load(&text).unwrap());
    assert!(shown.contains("Postgres(") && !shown.contains("planted") && !shown.contains("@db"));
    let url = ("CAMPANILE__STORE__DATABASE", "postgres://u:planted@db/x");
    let config = from_environment(&[url, (STORE_PASSWORD, "planted-too")]).unwrap();
    assert!(!format!("{config:?}").contains("planted"));

    let said = from_environment(&[(STORE_PASSWORD, "planted")]).unwrap_err();
    let said = said.to_string();
    assert!(
        said.contains("environment CAMPANILE_STORE_PASSWORD"),
        "{said}"
    );
    assert!(!said.contains("planted"), "{said}");
    let said = error("[store]\ndatabase = \"postgres://u:planted@db/x?planet=1\"\n");
    assert!(
        said.contains("toml:2:") && said.contains("planet"),
        "{said}"
    );
    assert!(!said.contains("planted"), "{said}");
    let said = load("[store]\ndatabase = \"postgres://u@db/x\"\npassword_file = \"/no/such\"\n");
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains("store.password_file") && said.contains("/no/such"),
        "{said}"
    );
    let said = load(&format!("[store]\npassword_file = {file:?}\n"));
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains("store.password_file") && said.contains("store.database"),
        "{said}"
    );
}
