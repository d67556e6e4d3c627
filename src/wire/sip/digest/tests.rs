//! Challenges and credentials as RFCs and devices write them.

use super::{Algorithm, Challenge, Credentials, DigestError};

/// RFC 3261 §20.44.
const CHALLENGE: &str = "Digest realm=\"atlanta.com\",\r\n  domain=\"sip:boxesbybob.com\", qop=\"auth\",\r\n  \
                         nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", opaque=\"\", stale=FALSE, algorithm=MD5";

/// RFC 7616 §3.9.1, the second.
const CREDENTIALS: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
     algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
     cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
     response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

fn credentials(text: &str) -> Result<Credentials, DigestError> {
    Credentials::parse(text.as_bytes())
}

#[test]
fn the_challenge_of_rfc_3261_is_read() {
    let challenge = Challenge::parse(CHALLENGE.as_bytes()).unwrap();
    assert_eq!(
        challenge,
        Challenge {
            realm: "atlanta.com".to_owned(),
            nonce: "f84f1cec41e6cbe5aea9c8e88d359".to_owned(),
            opaque: Some(String::new()),
            algorithm: Algorithm::Md5,
            stale: false,
            qop: true,
        }
    );
    assert_eq!(
        Challenge::parse(challenge.to_string().as_bytes()),
        Ok(challenge)
    );
}

#[test]
fn the_credentials_of_rfc_7616_are_read_and_written() {
    let read = credentials(CREDENTIALS).unwrap();
    assert_eq!(read.username, "Mufasa");
    assert_eq!(read.algorithm, Algorithm::Sha256);
    assert_eq!(read.auth.as_ref().map(|auth| auth.1), Some(1));
    assert_eq!(credentials(&read.to_string()), Ok(read));
}

#[test]
fn quotes_and_backslashes_survive() {
    let mut read = credentials(CREDENTIALS).unwrap();
    read.username = "a\"b\\c, d=\"e".to_owned();
    assert_eq!(credentials(&read.to_string()), Ok(read));
}

#[test]
fn names_schemes_and_space_are_read_tolerantly() {
    let text = "dIGEST  Realm = \"r\" ,, NONCE=\"n\",Stale=True , qop=auth";
    let challenge = Challenge::parse(text.as_bytes()).unwrap();
    assert!(challenge.stale && challenge.qop);
    let old = Challenge::parse(b"Digest realm=\"r\", nonce=\"n\"").unwrap();
    assert_eq!((old.algorithm, old.qop), (Algorithm::Md5, false));
}

#[test]
fn auth_int_is_refused_unless_auth_is_offered_beside_it() {
    let of = |qop: &str| {
        Challenge::parse(format!("Digest realm=\"r\", nonce=\"n\", qop={qop}").as_bytes())
            .map(|challenge| challenge.qop)
    };
    assert_eq!(of("\"auth-int\""), Err(DigestError::AuthInt));
    assert_eq!(of("\"auth-int, auth\""), Ok(true));
    assert_eq!(of("\"new-stuff\""), Err(DigestError::Qop));
    let text = CREDENTIALS.replace("qop=auth", "qop=auth-int");
    assert_eq!(credentials(&text), Err(DigestError::AuthInt));
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let with = |old: &str, new: &str| {
        assert!(CREDENTIALS.contains(old));
        credentials(&CREDENTIALS.replace(old, new)).unwrap_err()
    };
    assert_eq!(with("Digest", "Basic"), DigestError::Scheme);
    assert_eq!(with("SHA-256", "SHA3-256"), DigestError::Algorithm);
    assert_eq!(with("nc=00000001", "nc=1"), DigestError::NonceCount);
    assert_eq!(with("nc=00000001", "nc=00000000"), DigestError::NonceCount);
    assert_eq!(with("nc=00000001", "nc=+0000001"), DigestError::NonceCount);
    assert_eq!(with("nc=00000001, ", ""), DigestError::Missing("nc"));
    assert_eq!(with("753927fa", "53927fa"), DigestError::Response);
    assert_eq!(with("753927fa", "75392_fa"), DigestError::Response);
    assert_eq!(
        with("qop=auth", "qop=auth, realm=\"x\""),
        DigestError::Repeated("realm")
    );
    assert_eq!(with("qop=auth", "qop"), DigestError::Syntax);
    assert_eq!(with("uri=\"/dir", "uri=/dir"), DigestError::Syntax);
    assert_eq!(credentials("Digest"), Err(DigestError::Syntax));
    assert_eq!(credentials(""), Err(DigestError::Syntax));
}

#[test]
fn debug_does_not_show_the_digest() {
    let shown = format!("{:?}", credentials(CREDENTIALS).unwrap());
    assert!(shown.contains("Mufasa") && !shown.contains("753927fa"));
}
