use axum::http::{HeaderName, HeaderValue};

use super::canonical::canonical_path;
use super::*;

/// The published example credentials and time.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW: i64 = 1_440_938_160; // 2015-08-30 12:36:00 UTC

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn authorization(service: &str, signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
         SignedHeaders={signed}, Signature={signature}"
    )
}

fn check(
    method: &str,
    path: &str,
    query: &str,
    lines: &[(&str, &str)],
    body: &str,
    now: i64,
) -> Result<(), BadSignature> {
    let headers = headers(lines);
    let received = Received {
        method,
        path,
        query,
        headers: &headers,
        body: body.as_bytes(),
    };
    let claim = claim(&headers)?;
    let service = claim.service.clone();
    claim.verify(received, SECRET, &service, now)
}

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

fn vanilla(path: &str, signature: &str, now: i64) -> Result<(), BadSignature> {
    let authorization = authorization("service", "host;x-amz-date", signature);
    let lines = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    check("GET", path, "", &lines, "", now)
}

#[test]
fn the_suites_plain_get_verifies() {
    vanilla("/", VANILLA, NOW).unwrap();
}

#[test]
fn the_suites_relative_paths_are_normalised() {
    for path in ["/example/..", "//", "/./", "/example1/example2/../.."] {
        vanilla(path, VANILLA, NOW).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn the_suites_post_verifies() {
    let authorization = authorization(
        "service",
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    let lines = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    check("POST", "/", "", &lines, "", NOW).unwrap();
}

#[test]
fn the_suites_unordered_query_verifies() {
    let authorization = authorization(
        "service",
        "host;x-amz-date",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    );
    let lines = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    check("GET", "/", "Param2=value2&Param1=value1", &lines, "", NOW).unwrap();
}

#[test]
fn the_manuals_example_verifies() {
    let authorization = authorization(
        "iam",
        "content-type;host;x-amz-date",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
    let lines = [
        (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ("host", "iam.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    check(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        &lines,
        "",
        NOW,
    )
    .unwrap();
}

#[test]
fn an_encoded_path_is_encoded_again() {
    assert_eq!(
        canonical_path("/phone-numbers/%2B1555"),
        "/phone-numbers/%252B1555"
    );
    assert_eq!(canonical_path("/a/"), "/a/");
    assert_eq!(canonical_path(""), "/");
}

#[test]
fn a_changed_method_path_body_or_signature_is_refused() {
    let good = authorization("service", "host;x-amz-date", VANILLA);
    let lines = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", good.as_str()),
    ];
    for (method, path, query, body) in [
        ("POST", "/", "", ""),
        ("GET", "/a", "", ""),
        ("GET", "/", "a=b", ""),
        ("GET", "/", "", "x"),
    ] {
        assert_eq!(
            check(method, path, query, &lines, body, NOW),
            Err(BadSignature::Mismatch)
        );
    }
    assert_eq!(
        vanilla("/", &VANILLA.replace('5', "6"), NOW),
        Err(BadSignature::Mismatch)
    );
    assert_eq!(vanilla("/", "", NOW), Err(BadSignature::Mismatch));
}

#[test]
fn a_signature_holds_five_minutes_in_both_directions() {
    vanilla("/", VANILLA, NOW + MAX_SKEW).unwrap();
    vanilla("/", VANILLA, NOW - MAX_SKEW).unwrap();
    assert!(
        matches!(vanilla("/", VANILLA, NOW + MAX_SKEW + 1), Err(BadSignature::Time(text)) if text.contains("expired"))
    );
    assert!(
        matches!(vanilla("/", VANILLA, NOW - MAX_SKEW - 1), Err(BadSignature::Time(text)) if text.contains("not yet"))
    );
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let authorization = authorization("s3", "host;x-amz-date", VANILLA);
    let headers = headers(&[
        ("host", "h"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", &authorization),
    ]);
    let received = Received {
        method: "GET",
        path: "/",
        query: "",
        headers: &headers,
        body: b"",
    };
    assert!(matches!(
        claim(&headers)
            .unwrap()
            .verify(received, SECRET, "chime", NOW),
        Err(BadSignature::Scope(_))
    ));
}

#[test]
fn a_request_without_signature_says_so() {
    assert_eq!(claim(&headers(&[])), Err(BadSignature::Missing));
    assert_eq!(
        claim(&headers(&[("authorization", "Bearer x")])),
        Err(BadSignature::Missing)
    );
}

#[test]
fn parts_that_are_missing_are_named() {
    let missing = |lines: &[(&str, &str)]| match claim(&headers(lines)) {
        Err(BadSignature::Incomplete(text)) => text,
        other => panic!("{other:?}"),
    };
    let date = ("x-amz-date", "20150830T123600Z");
    assert!(
        missing(&[
            date,
            ("authorization", "AWS4-HMAC-SHA256 SignedHeaders=host")
        ])
        .contains("'Credential'")
    );
    assert!(
        missing(&[
            date,
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x"
            )
        ])
        .contains("the form")
    );
    let full = authorization("service", "host", VANILLA);
    assert!(missing(&[("authorization", full.as_str())]).contains("X-Amz-Date"));
    assert!(
        missing(&[
            ("authorization", full.as_str()),
            ("x-amz-date", "yesterday")
        ])
        .contains("the form")
    );
}

#[test]
fn headers_that_matter_must_be_signed() {
    let authorization = authorization("service", "host;x-amz-date", VANILLA);
    let lines = [
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("x-amz-security-token", "t"),
        ("authorization", authorization.as_str()),
    ];
    assert!(
        matches!(check("GET", "/", "", &lines, "", NOW), Err(BadSignature::Incomplete(text)) if text.contains("x-amz-security-token"))
    );
}

#[test]
fn broken_escapes_stay_as_they_are() {
    assert_eq!(decode("%2B%zz%4"), b"+%zz%4");
    assert_eq!(decode("%€"), "%€".as_bytes());
}

#[test]
fn a_request_is_signed_as_the_published_example_is_and_so_that_it_is_believed() {
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: SECRET,
        session_token: None,
        region: "us-east-1",
        service: "service",
    };
    let request = |path: &str| {
        axum::http::Request::get(path)
            .header("host", "example.amazonaws.com")
            .body(())
            .unwrap()
    };
    let mut plain = request("/");
    signer.sign(NOW, &mut plain, b"").unwrap();
    assert_eq!(
        plain.headers()["authorization"],
        authorization("service", "host;x-amz-date", VANILLA)
    );
    // What changes the meaning is signed, and must be.
    let mut full = request("/phone-numbers/%2B1555?b=2&a=%2F");
    let headers = full.headers_mut();
    headers.insert("x-campanile-account", "123456789012".parse().unwrap());
    headers.insert("user-agent", "test".parse().unwrap());
    let temporary = Signer {
        session_token: Some("token"),
        ..signer
    };
    temporary.sign(NOW, &mut full, b"body").unwrap();
    let said = full.headers()["authorization"].to_str().unwrap().to_owned();
    let signed = "SignedHeaders=host;x-amz-date;x-amz-security-token;x-campanile-account,";
    assert!(said.contains(signed), "{said}");
    let verify = |headers: &HeaderMap| {
        let received = Received {
            method: "GET",
            path: full.uri().path(),
            query: full.uri().query().unwrap(),
            headers,
            body: b"body",
        };
        claim(headers)
            .unwrap()
            .verify(received, SECRET, "service", NOW)
    };
    assert_eq!(verify(full.headers()), Ok(()));
    let mut changed = full.headers().clone();
    changed.insert("x-campanile-account", "210987654321".parse().unwrap());
    assert_eq!(verify(&changed), Err(BadSignature::Mismatch));
    let mut plain = plain.headers().clone();
    plain.insert("x-campanile-account", "210987654321".parse().unwrap());
    assert!(matches!(verify(&plain), Err(BadSignature::Incomplete(_))));
}
