//! Published digests, and both sides against each other.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::sip::digest::{Algorithm, Credentials, DigestError};
use wire::sip::{Message, Method, Name, Uri};

use super::response::response;
use super::{
    Account, Answerer, Challenger, Denial, Ha1, Password, Secret, Unanswerable, Users, algorithms,
};

/// Credentials of the examples, whose URI is not SIP's.
fn example(text: &str) -> Credentials {
    Credentials::parse(text.as_bytes()).unwrap()
}

fn computed(credentials: &Credentials, password: &str, method: &str) -> String {
    let who = Ha1::new(
        credentials.algorithm,
        &credentials.username,
        &credentials.realm,
        &Password::new(password),
    );
    response(credentials, &who, &Method::from_token(method))
}

#[test]
fn the_digest_of_rfc_2617_section_3_5() {
    let credentials = example(
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
         cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", \
         opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    assert_eq!(
        computed(&credentials, "Circle Of Life", "GET"),
        credentials.response
    );
}

#[test]
fn the_digests_of_rfc_7616_section_3_9_1() {
    for (algorithm, digest) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let credentials = example(&format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{digest}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        ));
        assert_eq!(computed(&credentials, "Circle of Life", "GET"), digest);
    }
}

/// The digest printed in RFC 7616 §3.9.2 was made with a truncated SHA-512; this is erratum 4897's.
#[test]
fn the_digest_of_rfc_7616_section_3_9_2_as_corrected() {
    let credentials = example(
        "Digest username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\", \
         realm=\"api@example.org\", uri=\"/doe.json\", algorithm=SHA-512-256, \
         nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", nc=00000001, \
         cnonce=\"NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v\", qop=auth, \
         response=\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\", \
         opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", userhash=true",
    );
    // The name is hashed in the header only.
    let plain = Credentials {
        username: "J\u{e4}s\u{f8}n Doe".to_owned(),
        ..credentials.clone()
    };
    assert_eq!(
        computed(&plain, "Secret, or not?", "GET"),
        credentials.response
    );
}

/// RFC 8760 names the algorithms and gives no digest; these are Python's `hashlib`'s.
#[test]
fn a_sip_digest_of_each_algorithm_as_other_programs_compute_it() {
    for (algorithm, digest) in [
        (Algorithm::Md5, "d842aeb901c6e474dad4af7f84c64e56"),
        (
            Algorithm::Sha256,
            "6beb7b2bfe7a50d425314e7961c7f01bcd8afed8bf5c87c2f5479d1dca2d498f",
        ),
        (
            Algorithm::Sha512_256,
            "ff36f0111fa81b909a997021f3a040d2f75674daead33f422a33dbdc6966897e",
        ),
    ] {
        let credentials = Credentials {
            username: "bob".to_owned(),
            realm: "biloxi.example.com".to_owned(),
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".to_owned(),
            uri: "sip:bob@biloxi.example.com".to_owned(),
            response: String::new(),
            algorithm,
            opaque: None,
            auth: Some(("0a4f113b".to_owned(), 1)),
        };
        assert_eq!(computed(&credentials, "zanzibar", "INVITE"), digest);
    }
}

fn ann() -> Users {
    let secret = Secret::Password(Password::new("secret"));
    Users::from([("ann".to_owned(), secret)])
}

const LIFETIME: Duration = Duration::from_secs(300);

struct World {
    now: Instant,
    random: StdRng,
    challenger: Challenger,
}

impl World {
    #[allow(
        clippy::disallowed_methods,
        reason = "an Instant has to come from somewhere; only differences count"
    )]
    fn new() -> Self {
        let now = Instant::now();
        let mut random = StdRng::from_seed([1; 32]);
        Self {
            challenger: Challenger::new(now, "example.com", ann(), LIFETIME, &mut random),
            now,
            random,
        }
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// What the server says to a request: its user, or the 401 or 400.
    fn ask(&mut self, request: &Message) -> Result<String, Box<(Denial, Message)>> {
        let serves = |uri: &Uri| uri.host.to_string().eq_ignore_ascii_case("example.com");
        match self.challenger.check(self.now, request, serves) {
            Ok(user) => Ok(user.to_owned()),
            Err(denial) => {
                let mut response = Message::response_to(request, denial.status(), "Unauthorized");
                for challenge in self
                    .challenger
                    .challenges(self.now, denial, &mut self.random)
                {
                    response.headers.push(Name::WwwAuthenticate, challenge);
                }
                Err(Box::new((denial, response)))
            }
        }
    }

    /// An INVITE with the answer to a challenge of right now.
    fn answered(&mut self, password: &str) -> (Answerer, Message) {
        let (_, refusal) = *self.ask(&invite()).unwrap_err();
        let mut answerer = answerer(password);
        answerer.take(&refusal).unwrap();
        let mut request = invite();
        answerer.answer(&mut request, "c");
        (answerer, request)
    }
}

fn invite() -> Message {
    Message::parse(
        b"INVITE sip:u@example.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1\r\n\
          From: <sip:ann@example.com>;tag=a\r\nTo: <sip:u@example.com>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n",
    )
    .unwrap()
}

fn answerer(password: &str) -> Answerer {
    Answerer::new(Account {
        user: "ann".to_owned(),
        password: Password::new(password),
    })
}

#[test]
fn a_caller_with_the_password_is_believed_and_sha_256_is_preferred() {
    let mut world = World::new();
    let (denial, refusal) = *world.ask(&invite()).unwrap_err();
    assert_eq!((denial, denial.status()), (Denial::Missing, 401));
    assert_eq!(refusal.headers.count(Name::WwwAuthenticate), 2);
    let (_, request) = world.answered("secret");
    let value = request.headers.get(Name::Authorization).unwrap();
    assert_eq!(
        Credentials::parse(value).unwrap().algorithm,
        Algorithm::Sha256
    );
    assert_eq!(world.ask(&request).unwrap(), "ann");
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_asked_again_and_the_client_gives_up() {
    let mut world = World::new();
    let (mut client, request) = world.answered("guess");
    let (denial, again) = *world.ask(&request).unwrap_err();
    assert_eq!(denial, Denial::Wrong);
    assert_eq!(client.take(&again), Err(Unanswerable::Refused));
    let (_, mut request) = world.answered("secret");
    request.headers.rewrite(|name, value| {
        (name == Name::Authorization).then(|| {
            let text = String::from_utf8_lossy(value).replace("\"ann\"", "\"eve\"");
            text.into_bytes()
        })
    });
    assert_eq!(world.ask(&request).unwrap_err().0, Denial::Wrong);
    assert_eq!(world.challenger.held(), 0, "strangers leave nothing behind");
}

#[test]
fn a_count_is_good_once_and_the_next_one_after_it() {
    let mut world = World::new();
    let (mut client, request) = world.answered("secret");
    world.ask(&request).unwrap();
    let (denial, again) = *world.ask(&request).unwrap_err();
    assert_eq!(denial, Denial::Stale);
    let mut next = invite();
    client.answer(&mut next, "d");
    assert_eq!(world.ask(&next).unwrap(), "ann");
    // Told that its nonce was stale, a client takes the new one.
    client.take(&again).unwrap();
    let mut fresh = invite();
    client.answer(&mut fresh, "e");
    assert_eq!(world.ask(&fresh).unwrap(), "ann");
}

#[test]
fn an_old_nonce_is_stale_and_forgotten() {
    let mut world = World::new();
    let (_, request) = world.answered("secret");
    let (_, other) = world.answered("secret");
    world.ask(&request).unwrap();
    assert_eq!(world.challenger.held(), 1);
    world.later(301);
    let (denial, refusal) = *world.ask(&other).unwrap_err();
    assert_eq!(denial, Denial::Stale);
    let text = String::from_utf8(refusal.to_bytes()).unwrap();
    assert_eq!(text.matches("stale=true").count(), 2);
    let (_, request) = world.answered("secret");
    world.ask(&request).unwrap();
    assert_eq!(world.challenger.held(), 1, "the old one is gone");
}

#[test]
fn a_nonce_of_somebody_else_is_stale_only_for_who_knows_the_password() {
    let mut elsewhere = World::new();
    elsewhere.random = StdRng::from_seed([9; 32]);
    elsewhere.challenger = Challenger::new(
        elsewhere.now,
        "example.com",
        ann(),
        LIFETIME,
        &mut elsewhere.random,
    );
    let mut world = World::new();
    let (_, right) = elsewhere.answered("secret");
    assert_eq!(world.ask(&right).unwrap_err().0, Denial::Stale);
    let (_, wrong) = elsewhere.answered("guess");
    assert_eq!(world.ask(&wrong).unwrap_err().0, Denial::Wrong);
}

#[test]
fn a_digest_for_another_method_or_for_a_uri_of_others_is_not_believed() {
    let mut world = World::new();
    let (_, request) = world.answered("secret");
    let bytes = String::from_utf8(request.to_bytes()).unwrap();
    for foreign in ["sip:u@example.net", "/index.html"] {
        let other = bytes.replace("uri=\"sip:u@example.com\"", &format!("uri=\"{foreign}\""));
        let denial = world.ask(&Message::parse(other.as_bytes()).unwrap());
        assert_eq!(denial.unwrap_err().0, Denial::OtherUri);
    }
    let other = bytes.replace("INVITE", "OPTIONS");
    let denial = world.ask(&Message::parse(other.as_bytes()).unwrap());
    assert_eq!(denial.unwrap_err().0, Denial::Wrong);
    // RFC 3261 §22.4: a proxy may have changed the Request-URI on its way.
    let same = bytes.replace("INVITE sip:u@example.com", "INVITE sip:v@192.0.2.9:5070");
    world
        .ask(&Message::parse(same.as_bytes()).unwrap())
        .unwrap();
}

/// The hashes are those of `printf 'ann:example.com:secret' | md5sum` and `… | sha256sum`.
#[test]
fn a_server_that_keeps_hashes_asks_only_for_what_it_can_check() {
    let md5 = Ha1::read(Algorithm::Md5, "0fe3d9a8be1e06fe15178179f556ac52").unwrap();
    let sha256 = Ha1::read(
        Algorithm::Sha256,
        "f4d196fa28debae30332a1cb10237605f918d94a611860030604e4f3de40b2e3",
    )
    .unwrap();
    for (hashes, asked) in [
        (vec![(Algorithm::Md5, md5.clone())], vec![Algorithm::Md5]),
        (
            vec![(Algorithm::Md5, md5), (Algorithm::Sha256, sha256)],
            vec![Algorithm::Sha256, Algorithm::Md5],
        ),
    ] {
        let mut world = World::new();
        let mut users = Users::from([(
            "ann".to_owned(),
            Secret::Hashed(hashes.into_iter().collect()),
        )]);
        users.insert("ben".to_owned(), Secret::Password(Password::new("other")));
        assert_eq!(algorithms(&users), asked);
        world.challenger =
            Challenger::new(world.now, "example.com", users, LIFETIME, &mut world.random);
        let (_, request) = world.answered("secret");
        let value = request.headers.get(Name::Authorization).unwrap();
        assert_eq!(Credentials::parse(value).unwrap().algorithm, asked[0]);
        assert_eq!(world.ask(&request).unwrap(), "ann");
        let (_, request) = world.answered("guess");
        assert_eq!(world.ask(&request).unwrap_err().0, Denial::Wrong);
    }
    assert_eq!(Ha1::read(Algorithm::Md5, "00"), None);
    assert_eq!(Ha1::read(Algorithm::Sha256, &"g".repeat(64)), None);
}

#[test]
fn auth_int_and_digests_without_a_count_are_refused_with_400() {
    let mut world = World::new();
    for (old, new, error) in [
        ("qop=auth", "qop=auth-int", DigestError::AuthInt),
        (", qop=auth, nc=00000001", "", DigestError::Missing("qop")),
    ] {
        let (_, request) = world.answered("secret");
        let text = String::from_utf8(request.to_bytes()).unwrap();
        assert!(text.contains(old));
        let changed = Message::parse(text.replace(old, new).as_bytes()).unwrap();
        let (denial, _) = *world.ask(&changed).unwrap_err();
        assert_eq!(denial, Denial::Unusable(error));
        assert_eq!(denial.status(), 400);
    }
}

#[test]
fn a_client_answers_the_first_challenge_that_it_can_of_each_realm() {
    let mut refusal = Message::response_to(&invite(), 401, "Unauthorized");
    for (name, value) in [
        (
            Name::WwwAuthenticate,
            "Digest realm=\"a\", nonce=\"1\", algorithm=SHA3-512",
        ),
        (
            Name::WwwAuthenticate,
            "Digest realm=\"a\", nonce=\"2\", algorithm=MD5, qop=\"auth\"",
        ),
        (
            Name::WwwAuthenticate,
            "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"",
        ),
        (
            Name::ProxyAuthenticate,
            "Digest realm=\"p\", nonce=\"4\", opaque=\"o\"",
        ),
    ] {
        refusal.headers.push(name, value);
    }
    let mut client = answerer("secret");
    client.take(&refusal).unwrap();
    let mut request = invite();
    client.answer(&mut request, "c");
    let server = Credentials::parse(request.headers.get(Name::Authorization).unwrap()).unwrap();
    assert_eq!(server.nonce, "2");
    let proxy = Credentials::parse(request.headers.get(Name::ProxyAuthorization).unwrap()).unwrap();
    assert_eq!(
        (proxy.nonce.as_str(), proxy.opaque.as_deref(), proxy.auth),
        ("4", Some("o"), None)
    );
}

#[test]
fn a_client_says_why_it_cannot_answer() {
    let why = |value: Option<&str>| {
        let mut refusal = Message::response_to(&invite(), 401, "Unauthorized");
        if let Some(value) = value {
            refusal.headers.push(Name::WwwAuthenticate, value);
        }
        answerer("secret").take(&refusal).unwrap_err()
    };
    assert_eq!(why(None), Unanswerable::NoChallenge);
    assert_eq!(
        why(Some("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"")),
        Unanswerable::Unusable(DigestError::AuthInt)
    );
    assert_eq!(
        why(Some("Basic realm=\"r\"")),
        Unanswerable::Unusable(DigestError::Scheme)
    );
}

#[test]
fn no_password_is_shown() {
    assert!(!format!("{:?}", answerer("hunter2")).contains("hunter2"));
    let hash = "0123456789abcdef0123456789abcdef";
    let ha1 = Ha1::read(Algorithm::Md5, hash).unwrap();
    let secret = Secret::Hashed([(Algorithm::Md5, ha1)].into());
    assert!(!format!("{secret:?}").contains(hash));
}
