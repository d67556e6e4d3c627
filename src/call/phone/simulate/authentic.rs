//! Listeners with users, and callers with passwords: who is asked, who is believed, and who gives up.

use std::time::Duration;

use wire::sip::digest::{Challenge, Credentials};
use wire::sip::{Message, Method, Name};

use super::{Side, World, config, dial};
use crate::authenticate::{Account, Denial, Password, Secret, Users};
use crate::ending::Cause;
use crate::negotiate::phone::SrtpPolicy;
use crate::note::{CallDirection, CallStart, Note, Party};
use crate::phone::Config;
use crate::transaction::Transport;

fn config_with_users() -> Config {
    let secret = Secret::Password(Password::new("zanzibar"));
    let users = Users::from([("ann".to_owned(), secret)]);
    let mut config = config();
    config.realm = "example.com".to_owned();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        config.users.insert(transport, users.clone());
    }
    config
}

fn world(transport: Transport, password: Option<&str>, config: Config) -> World {
    let mut dial = dial(transport, SrtpPolicy::Require);
    dial.account = password.map(|password| Account {
        user: "ann".to_owned(),
        password: Password::new(password),
    });
    World::with(1, transport, dial, config)
}

fn credentials(message: &Message) -> Credentials {
    Credentials::parse(message.headers.get(Name::Authorization).unwrap()).unwrap()
}

fn sent(world: &World, method: &Method) -> Vec<Message> {
    let of_caller = world
        .messages
        .iter()
        .filter(|(from, message)| *from == Side::Caller && message.method() == Some(method));
    of_caller.map(|(_, message)| message.clone()).collect()
}

/// The user that a call is noted to be of.
fn noted_user(world: &World) -> Option<String> {
    world
        .notes
        .iter()
        .find_map(|note| match note {
            Note::CallStarted(CallStart {
                party: Party::Sip { auth_user, .. },
                direction: CallDirection::Inbound,
                ..
            }) => Some(auth_user.clone()),
            _ => None,
        })
        .unwrap()
}

#[test]
fn a_caller_is_asked_once_and_talks_over_every_transport() {
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let mut world = world(transport, Some("zanzibar"), config_with_users());
        world.run_ms(1000);
        assert_eq!(
            world.ladder,
            [
                "caller INVITE",
                "phones 401 INVITE",
                "caller ACK",
                "caller INVITE",
                "phones 100 INVITE",
                "phones 200 INVITE",
                "caller ACK"
            ]
        );
        assert_eq!(noted_user(&world).as_deref(), Some("ann"));
        let [first, second] = &sent(&world, &Method::Invite)[..] else {
            panic!("{:?}", world.ladder);
        };
        // RFC 3261 §22.2: the same call, one number later.
        assert_eq!(first.headers.call_id(), second.headers.call_id());
        let number = |message: &Message| message.headers.cseq().unwrap().number;
        assert_eq!(number(first) + 1, number(second));
        assert!(!first.headers.has(Name::Authorization));
        // RFC 3261 §22.1: the ACK of the 200 has the credentials of its INVITE.
        let ack = sent(&world, &Method::Ack).pop().unwrap();
        assert_eq!(
            ack.headers.get(Name::Authorization),
            second.headers.get(Name::Authorization)
        );
        world.caller_hangs_up();
        world.run_ms(1000);
        let bye = sent(&world, &Method::Bye).pop().unwrap();
        assert_eq!(
            credentials(&bye).auth.unwrap().1,
            2,
            "the nonce's second use"
        );
        assert_eq!(world.phones_ended[0].cause, Cause::HungUp);
        world.assert_nothing_left();
    }
}

#[test]
fn the_challenges_are_sha_256_before_md5_with_auth_only() {
    let mut world = world(Transport::Tls, None, config_with_users());
    world.run_ms(1000);
    let refusal = world.last(Side::Phones, "401 INVITE");
    let challenges: Vec<String> = refusal
        .headers
        .get_all(Name::WwwAuthenticate)
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
        .collect();
    assert_eq!(challenges.len(), 2);
    for (text, algorithm) in challenges.iter().zip(["SHA-256", "MD5"]) {
        assert!(text.starts_with("Digest realm=\"example.com\", nonce=\""));
        assert!(
            text.ends_with(&format!(", algorithm={algorithm}, qop=\"auth\"")),
            "{text}"
        );
        let challenge = Challenge::parse(text.as_bytes()).unwrap();
        assert!(!challenge.stale);
    }
    assert_eq!(world.caller_ended[0].cause, Cause::Rejected(401));
    world.assert_nothing_left();
}

#[test]
fn a_wrong_password_ends_the_call_after_one_try_and_makes_none_here() {
    for transport in [Transport::Udp, Transport::Tls] {
        let mut world = world(transport, Some("guess"), config_with_users());
        world.run_ms(1000);
        assert_eq!(world.count("caller INVITE"), 2);
        assert_eq!(world.count("phones 401 INVITE"), 2);
        let ending = &world.caller_ended[0];
        assert_eq!(ending.cause, Cause::CredentialsRefused);
        assert_eq!(ending.sip_status, Some(401));
        assert!(world.arrived.is_empty());
        let denied: Vec<Denial> = world
            .notes
            .iter()
            .filter_map(|note| match note {
                Note::Denied { why, .. } => Some(*why),
                _ => None,
            })
            .collect();
        assert_eq!(denied, [Denial::Missing, Denial::Wrong]);
        world.assert_nothing_left();
    }
}

#[test]
fn a_nonce_that_is_always_too_old_is_answered_a_few_times_only() {
    let mut config = config_with_users();
    config.nonce_lifetime = Duration::from_millis(1);
    let mut world = world(Transport::Tcp, Some("zanzibar"), config);
    world.run_ms(2000);
    assert_eq!(world.count("caller INVITE"), 6);
    let stale = world.last(Side::Phones, "401 INVITE");
    let value = stale.headers.get(Name::WwwAuthenticate).unwrap();
    assert!(Challenge::parse(value).unwrap().stale);
    assert_eq!(world.caller_ended[0].cause, Cause::CredentialsRefused);
    world.assert_nothing_left();
}

#[test]
fn a_challenge_with_auth_int_only_is_not_answered() {
    let mut world = world(Transport::Tcp, Some("zanzibar"), config_with_users());
    world.mangle = Box::new(|from, message| {
        if from == Side::Phones {
            message.headers.rewrite(|name, value| {
                let text = String::from_utf8_lossy(value);
                (name == Name::WwwAuthenticate)
                    .then(|| text.replace("\"auth\"", "\"auth-int\"").into_bytes())
            });
        }
    });
    world.run_ms(1000);
    assert_eq!(world.count("caller INVITE"), 1);
    let ending = &world.caller_ended[0];
    assert_eq!(ending.cause, Cause::Unanswerable);
    assert_eq!(ending.text, "401: digest with auth-int is refused");
    world.assert_nothing_left();
}

#[test]
fn what_follows_within_the_dialog_needs_no_credentials() {
    let mut world = world(Transport::Tls, Some("zanzibar"), config_with_users());
    world.run_ms(1000);
    world.mangle = Box::new(|from, message| {
        if from == Side::Caller {
            message.headers.remove(Name::Authorization);
        }
    });
    world.caller_renegotiates();
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 INVITE"), 2);
    world.caller_hangs_up();
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 BYE"), 1);
    assert_eq!(world.count("phones 401 INVITE"), 1, "the first one's");
    world.assert_nothing_left();
}

#[test]
fn an_invite_that_nobody_answers_for_can_be_cancelled_without_credentials() {
    let mut world = world(Transport::Udp, Some("zanzibar"), config_with_users());
    world.decision = super::Decision::Wait;
    world.run_ms(1000);
    world.caller_hangs_up();
    world.run_ms(1000);
    assert_eq!(world.count("phones 200 CANCEL"), 1);
    assert_eq!(world.count("phones 487 INVITE"), 1);
    assert!(
        !world
            .last(Side::Caller, "CANCEL")
            .headers
            .has(Name::Authorization)
    );
    world.assert_nothing_left();
}

/// The other side asks again within the dialog, with a nonce of which it does not say that the old one was stale.
#[test]
fn a_bye_that_is_asked_for_credentials_is_sent_again_once() {
    for always in [false, true] {
        let mut world = world(Transport::Tcp, Some("zanzibar"), config_with_users());
        world.run_ms(1000);
        let mut asked = 0;
        world.mangle = Box::new(move |from, message| {
            let of_bye = message.headers.cseq().unwrap().method == Method::Bye;
            if from != Side::Phones || !of_bye || (asked > 0 && !always) {
                return;
            }
            asked += 1;
            let mut refusal = Message::response_to(message, 401, "Unauthorized");
            let challenge =
                format!("Digest realm=\"example.com\", nonce=\"new{asked}\", qop=\"auth\"");
            refusal.headers.push(Name::WwwAuthenticate, challenge);
            *message = refusal;
        });
        world.caller_hangs_up();
        world.run_ms(1000);
        let byes = sent(&world, &Method::Bye);
        assert_eq!(byes.len(), 2);
        let number = |message: &Message| message.headers.cseq().unwrap().number;
        assert_eq!(number(&byes[0]) + 1, number(&byes[1]));
        assert_eq!(credentials(&byes[1]).nonce, "new1");
        world.assert_nothing_left();
    }
}
