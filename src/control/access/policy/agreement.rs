//! Random policies and requests: they mean what the plain account of them says.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::*;

const ADA: &str = "arn:aws:iam::123456789012:user/ada";

const ACTIONS: &[&str] = &["chime:GetMeeting", "chime:ListUsers", "s3:GetObject"];
const ACTION_PATTERNS: &[&str] = &[
    "*",
    "chime:*",
    "CHIME:Get*",
    "chime:?etMeeting",
    "*:*Object",
    "chime:GetMeeting",
    "s3:*",
];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:chime:us-east-1:123456789012:meeting/stand-up",
    "arn:aws:chime:eu-west-1:123456789012:user/ada",
    "arn:aws:s3:::records/a:b",
];
const RESOURCE_PATTERNS: &[&str] = &[
    "*",
    "arn:aws:chime:*",
    "arn:aws:chime:*:*:meeting/*",
    "arn:aws:chime:us-?ast-1:123456789012:*",
    "arn:aws:chime:*:*:user/${aws:username}",
    "arn:aws:s3:::records/a?*",
];
/// Operators, and values for them.
const OPERATORS: &[(&str, &[&str])] = &[
    ("StringEquals", &["a", "ada", "${aws:username}"]),
    ("StringNotEquals", &["a", "ada", "${aws:username}"]),
    ("StringEqualsIgnoreCase", &["A", "ADA"]),
    ("StringNotEqualsIgnoreCase", &["A", "ADA"]),
    ("StringLike", &["a*", "?", "*b*", "a${aws:username}*"]),
    ("StringNotLike", &["a*", "?", "*b*"]),
    ("NumericEquals", &["1", "2"]),
    ("NumericNotEquals", &["1", "2"]),
    ("NumericLessThan", &["1", "2"]),
    ("NumericGreaterThanEquals", &["1", "2"]),
    ("Bool", &["true", "false"]),
    ("IpAddress", &["10.0.0.0/8", "192.0.2.0/24", "10.1.2.3"]),
    ("NotIpAddress", &["10.0.0.0/8", "192.0.2.0/24"]),
    ("DateGreaterThan", &["2026-03-01T00:00:00Z"]),
    ("DateLessThanEquals", &["2026-03-02T00:00:00Z"]),
    ("ArnLike", &["*", "arn:aws:chime:*:*:user/${aws:username}"]),
    ("ArnNotEquals", &["arn:aws:chime:*:*:meeting/*"]),
    ("StringResembles", &["a"]),
];
/// A key that requests sometimes have, though nobody knows it.
const UNKNOWN_KEY: &str = "test:Text";

/// Keys that the operators of one kind look at, and the values that requests have for them.
fn key_of(operator: &str) -> (&'static str, &'static [&'static str]) {
    if operator.starts_with("Numeric") {
        ("aws:EpochTime", &["1", "2", "3", "many"])
    } else if operator.starts_with("Bool") {
        ("aws:SecureTransport", &["true", "false"])
    } else if operator.contains("Ip") {
        ("aws:SourceIp", &["10.1.2.3", "192.0.2.9"])
    } else if operator.starts_with("Date") {
        (
            "aws:CurrentTime",
            &[
                "2026-03-01T00:00:00Z",
                "2026-03-02T00:00:00Z",
                "2026-03-03T00:00:00Z",
            ],
        )
    } else if operator.starts_with("Arn") {
        ("aws:PrincipalArn", RESOURCES)
    } else {
        ("aws:UserAgent", &["a", "ada", "Ada", "abc", "b"])
    }
}

fn pick(list: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(list).prop_map(str::to_owned);
    prop::collection::vec(one, 1..=2)
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let quantifier = prop::sample::select(&["", "", "", "ForAnyValue:", "ForAllValues:"][..]);
    let suffix = prop::sample::select(&["", "", "IfExists"][..]);
    prop::sample::select(OPERATORS).prop_flat_map(move |(operator, values)| {
        let null = (operator == "Bool").then_some("Null").into_iter();
        let names: Vec<&str> = [operator].into_iter().chain(null).collect();
        let name = prop::sample::select(names);
        let known = prop::bool::weighted(0.9);
        (
            name,
            quantifier.clone(),
            suffix.clone(),
            pick(values),
            known,
        )
            .prop_map(|(name, quantifier, suffix, values, known)| {
                let (key, _) = key_of(name);
                let text = key == "aws:UserAgent";
                let key = if text && !known { UNKNOWN_KEY } else { key };
                if name == "Null" {
                    return ("Null".to_owned(), key.to_owned(), json!(values));
                }
                let operator = format!("{quantifier}{name}{suffix}");
                (operator, key.to_owned(), json!(values))
            })
    })
}

fn statement() -> impl Strategy<Value = Value> {
    let conditions = prop::collection::vec(condition(), 0..=2);
    (
        prop::sample::select(&["Allow", "Allow", "Deny"][..]),
        prop::sample::select(&["Action", "Action", "NotAction"][..]),
        pick(ACTION_PATTERNS),
        prop::sample::select(&["Resource", "Resource", "NotResource"][..]),
        pick(RESOURCE_PATTERNS),
        conditions,
    )
        .prop_map(
            |(effect, action, actions, resource, resources, conditions)| {
                let mut statement = json!({"Effect": effect, action: actions, resource: resources});
                for (operator, key, values) in conditions {
                    statement["Condition"][operator][key] = values;
                }
                statement
            },
        )
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(), 1..=3)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn context() -> impl Strategy<Value = Context> {
    let values = |list: &'static [&'static str]| {
        let one = prop::sample::select(list).prop_map(str::to_owned);
        prop::collection::vec(one, 0..=2)
    };
    let of = |operator| {
        let (key, list) = key_of(operator);
        values(list).prop_map(move |values| (key, values))
    };
    let name = prop::option::of(prop::sample::select(&["ada", "a", "bc"][..])).prop_map(|name| {
        (
            "aws:username",
            name.into_iter().map(str::to_owned).collect(),
        )
    });
    (
        of("Numeric"),
        of("Bool"),
        of("Ip"),
        of("Date"),
        of("Arn"),
        of("String"),
        values(&["a", "ada"]).prop_map(|values| (UNKNOWN_KEY, values)),
        name,
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| {
            let mut context = Context::new();
            for (key, values) in [a, b, c, d, e, f, g, h] {
                context.set(key, values);
            }
            context
        })
}

#[test]
fn policies_mean_what_the_plain_account_of_them_says() {
    let config = Config {
        cases: 6000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[4; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let questions = (
        prop::collection::vec(document(), 1..=2),
        prop::sample::select(ACTIONS),
        prop::sample::select(RESOURCES),
        context(),
    );
    let seen = RefCell::new(HashMap::<Decision, usize>::new());
    runner
        .run(&questions, |(documents, action, resource, context)| {
            let request = Request {
                principal: ADA,
                action,
                resource,
                context: &context,
            };
            let policies: Vec<Policy> = documents
                .iter()
                .map(|document| Policy::identity(&document.to_string()).unwrap())
                .collect();
            let decision = evaluate(&policies, &request);
            prop_assert_eq!(decision, reference::decide(&documents, &request));
            *seen.borrow_mut().entry(decision).or_default() += 1;
            Ok(())
        })
        .unwrap();
    // A comparison in which one answer hardly comes up would show little.
    for decision in [
        Decision::Allowed,
        Decision::ImplicitDeny,
        Decision::ExplicitDeny,
    ] {
        let count = seen.borrow().get(&decision).copied().unwrap_or_default();
        assert!(count > 300, "{decision:?} came up {count} times");
    }
}
