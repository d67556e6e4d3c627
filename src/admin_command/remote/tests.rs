use super::*;

const KEY: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    ),
];

fn environment(more: &[(&str, &str)]) -> HashMap<String, String> {
    let both = KEY.iter().chain(more);
    both.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The certificate of an authority that nobody has.
fn authority() -> tempfile::NamedTempFile {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    file
}

fn remote(endpoint: &str, more: &[(&str, &str)]) -> Result<Remote, String> {
    let ca = authority();
    let path = Some(ca.path().to_owned());
    Remote::new(endpoint, path, &environment(more)).map_err(|error| error.to_string())
}

#[test]
fn an_endpoint_is_a_host_over_tls_and_nothing_more() {
    let hosts = [
        ("https://meet.example.org", "meet.example.org", 443),
        ("https://127.0.0.1:8443/", "127.0.0.1:8443", 8443),
        ("https://[::1]:8443", "[::1]:8443", 8443),
    ];
    for (endpoint, host, port) in hosts {
        let remote = remote(endpoint, &[]).unwrap();
        assert_eq!((remote.host(), remote.address.1), (host, port));
    }
    for endpoint in [
        "http://meet.example.org",
        "meet.example.org",
        "https://meet.example.org/api",
        "https://ada:hush@meet.example.org",
        "https://:hush@meet.example.org",
        "https://meet.example.org/#hush",
        "https://meet.example.org?x",
    ] {
        let refused = remote(endpoint, &[]).err().unwrap();
        assert!(
            refused.starts_with("--endpoint: ") && !refused.contains("hush"),
            "{refused}"
        );
    }
}

#[test]
fn a_key_is_asked_for_and_the_region_has_a_default() {
    let ca = authority();
    let path = Some(ca.path().to_owned());
    let empty = HashMap::from([("AWS_ACCESS_KEY_ID".to_owned(), String::new())]);
    let refused = Remote::new("https://localhost", path, &empty)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("AWS_ACCESS_KEY_ID is not set"));
    let region = |more: &[(&str, &str)]| remote("https://localhost", more).unwrap().region;
    assert_eq!(region(&[]), "us-east-1");
    let both = [("AWS_REGION", "eu-1"), ("AWS_DEFAULT_REGION", "eu-2")];
    assert_eq!(region(&both), "eu-1");
    assert_eq!(region(&both[1..]), "eu-2");
}

#[test]
fn an_endpoint_without_https_is_told_how_to_write_it() {
    for endpoint in ["127.0.0.1:8443", "localhost:8443", "meet.example.org"] {
        let told = remote(endpoint, &[]).err().unwrap();
        assert_eq!(
            told,
            "--endpoint: must be https://host or https://host:port"
        );
    }
}

#[test]
fn certificates_that_cannot_be_read_are_told() {
    let missing = Some(PathBuf::from("/no/such.pem"));
    let refused = Remote::new("https://localhost", missing, &environment(&[]));
    let told = refused.err().unwrap().to_string();
    assert!(told.contains("/no/such.pem"), "{told}");
}
