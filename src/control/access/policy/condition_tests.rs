//! What conditions let pass, one behaviour each.

use serde_json::{Value, json};

use super::tests::{MEETING, identity, judge, under};
use super::*;

#[test]
fn each_operator_compares_as_its_name_says() {
    // Operator, value in the policy, value that passes, value that does not.
    let cases = [
        ("StringEquals", "Ada", "Ada", "ada"),
        ("StringNotEquals", "Ada", "ada", "Ada"),
        ("StringEqualsIgnoreCase", "Ada", "aDA", "adam"),
        ("StringNotEqualsIgnoreCase", "Ada", "adam", "aDA"),
        ("StringLike", "a?a*", "adam", "eve"),
        ("StringNotLike", "a?a*", "eve", "adam"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericNotEquals", "10", "11", "10.0"),
        ("NumericLessThan", "10", "9.5", "10"),
        ("NumericLessThanEquals", "10", "10", "10.5"),
        ("NumericGreaterThan", "10", "11", "10"),
        ("NumericGreaterThanEquals", "10", "10", "9"),
        (
            "DateEquals",
            "2026-03-01",
            "2026-03-01T01:00:00+01:00",
            "2026-03-01T00:00:01Z",
        ),
        ("DateNotEquals", "2026-03-01", "2026-03-02", "2026-03-01"),
        (
            "DateLessThan",
            "2026-03-01T00:00:00Z",
            "1740000000",
            "1780000000",
        ),
        (
            "DateLessThanEquals",
            "2026-03-01",
            "2026-03-01",
            "2026-03-02",
        ),
        ("DateGreaterThan", "2026-03-01", "2026-03-02", "2026-03-01"),
        (
            "DateGreaterThanEquals",
            "2026-03-01",
            "2026-03-01",
            "2026-02-28",
        ),
        ("Bool", "true", "True", "false"),
        ("IpAddress", "203.0.113.0/24", "203.0.113.77", "203.0.114.1"),
        (
            "IpAddress",
            "203.0.113.9",
            "::ffff:203.0.113.9",
            "203.0.113.8",
        ),
        (
            "IpAddress",
            "2001:db8::/33",
            "2001:db8:7fff::1",
            "2001:db8:8000::1",
        ),
        ("IpAddress", "0.0.0.0/0", "8.8.8.8", "2001:db8::1"),
        (
            "NotIpAddress",
            "203.0.113.0/24",
            "203.0.114.1",
            "203.0.113.77",
        ),
        (
            "ArnEquals",
            "arn:aws:iam::*:user/a*",
            "arn:aws:iam::123456789012:user/ada",
            "arn:aws:iam::123456789012:user/bob",
        ),
        (
            "ArnLike",
            "arn:aws:iam::*:user/ada",
            "arn:aws:iam::123456789012:user/ada",
            "arn:aws:iam::1:x:user/ada",
        ),
        (
            "ArnNotEquals",
            "arn:aws:iam::*:user/ada",
            "arn:aws:iam::1:user/bob",
            "arn:aws:iam::1:user/ada",
        ),
        (
            "ArnNotLike",
            "arn:aws:iam::*:user/ada",
            "arn:aws:iam::1:user/bob",
            "arn:aws:iam::1:user/ada",
        ),
        ("BinaryEquals", "AAEC", "AAEC", "AAED"),
    ];
    for (operator, wanted, passes, fails) in cases {
        let condition = json!({operator: {"k": wanted}});
        let with = |value: &str| under(&condition, &Context::new().with("k", value));
        assert!(with(passes), "{operator} {wanted} refuses {passes}");
        assert!(!with(fails), "{operator} {wanted} lets {fails} pass");
    }
}

#[test]
fn a_missing_key_meets_only_negations_and_if_exists() {
    let none = Context::new();
    for (condition, met) in [
        (json!({"StringEquals": {"aws:Referer": "a"}}), false),
        (json!({"StringNotEquals": {"aws:Referer": "a"}}), true),
        (json!({"NotIpAddress": {"aws:Referer": "10.0.0.0/8"}}), true),
        (json!({"StringEqualsIfExists": {"aws:Referer": "a"}}), true),
        (json!({"BoolIfExists": {"aws:Referer": "true"}}), true),
        (
            json!({"ForAllValues:StringEquals": {"aws:Referer": "a"}}),
            true,
        ),
        (
            json!({"ForAnyValue:StringEquals": {"aws:Referer": "a"}}),
            false,
        ),
        (
            json!({"ForAnyValue:StringNotEquals": {"aws:Referer": "a"}}),
            false,
        ),
        (
            json!({"ForAnyValue:StringEqualsIfExists": {"aws:Referer": "a"}}),
            true,
        ),
        (json!({"Null": {"aws:Referer": "true"}}), true),
        (json!({"Null": {"aws:Referer": false}}), false),
    ] {
        assert_eq!(under(&condition, &none), met, "{condition}");
    }
    let there = none.with("aws:Referer", "x");
    assert!(under(&json!({"Null": {"AWS:referer": "false"}}), &there));
    assert!(!under(&json!({"Null": {"aws:Referer": "true"}}), &there));
    assert!(!under(
        &json!({"StringEqualsIfExists": {"aws:Referer": "a"}}),
        &there
    ));
}

#[test]
fn all_conditions_must_be_met_by_one_of_their_values_each() {
    let condition = json!({"StringEquals": {"a": ["1", "2"], "b": "3"}, "Bool": {"c": true}});
    let context = |a: &str, b: &str, c: &str| Context::new().with("a", a).with("b", b).with("c", c);
    assert!(under(&condition, &context("2", "3", "true")));
    assert!(!under(&condition, &context("4", "3", "true")));
    assert!(!under(&condition, &context("1", "4", "true")));
    assert!(!under(&condition, &context("1", "3", "false")));
}

#[test]
fn several_values_are_compared_as_the_set_operator_says() {
    let mut context = Context::new();
    context.set("k", ["a".to_owned(), "b".to_owned()]);
    for (condition, met) in [
        (json!({"ForAnyValue:StringEquals": {"k": ["b", "c"]}}), true),
        (json!({"ForAnyValue:StringEquals": {"k": "c"}}), false),
        (
            json!({"ForAllValues:StringEquals": {"k": ["a", "b", "c"]}}),
            true,
        ),
        (
            json!({"ForAllValues:StringEquals": {"k": ["b", "c"]}}),
            false,
        ),
        (json!({"ForAllValues:StringNotEquals": {"k": "c"}}), true),
        (json!({"ForAllValues:StringNotEquals": {"k": "a"}}), false),
        // Without a set operator nobody knows which is meant.
        (json!({"StringEquals": {"k": ["a", "b"]}}), false),
        (json!({"StringNotEquals": {"k": "c"}}), false),
    ] {
        assert_eq!(under(&condition, &context), met, "{condition}");
    }
}

#[test]
fn an_operator_that_nobody_knows_never_allows_and_always_denies() {
    for operator in [
        "StringResembles",
        "stringEquals",
        "ForSomeValues:StringEquals",
        "NullIfExists",
        "ForAnyValue:Null",
        "IfExists",
    ] {
        let condition = json!({operator: {"k": "a"}});
        let context = Context::new().with("k", "a");
        assert!(!under(&condition, &context), "{operator}");
        let policy = identity(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "chime:DeleteMeeting", "Resource": "*", "Condition": condition}]));
        assert_eq!(policy.unknown_operators(), [operator]);
        let ask = |action| judge(&policy, action, MEETING, &context);
        assert_eq!(ask("chime:DeleteMeeting"), Decision::ExplicitDeny);
        assert_eq!(ask("chime:GetMeeting"), Decision::Allowed);
    }
}

#[test]
fn a_key_that_nobody_knows_never_allows_and_always_denies() {
    for condition in [
        json!({"StringEquals": {"chime:Colour": "red"}}),
        json!({"StringNotEquals": {"chime:Colour": "red"}}),
        json!({"StringEqualsIfExists": {"chime:Colour": "red"}}),
        json!({"ForAnyValue:StringEquals": {"chime:Colour": "red"}}),
        json!({"ForAllValues:StringEquals": {"chime:Colour": "red"}}),
        json!({"Null": {"chime:Colour": "true"}}),
        json!({"Null": {"chime:Colour": "false"}}),
    ] {
        let context = Context::new().with("aws:username", "ada");
        assert!(!under(&condition, &context), "{condition}");
        let policy = identity(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "chime:DeleteMeeting", "Resource": "*", "Condition": condition}]));
        assert_eq!(policy.unknown_keys(), ["chime:Colour"]);
        let ask = |action| judge(&policy, action, MEETING, &context);
        assert_eq!(ask("chime:DeleteMeeting"), Decision::ExplicitDeny);
        assert_eq!(ask("chime:GetMeeting"), Decision::Allowed);
    }
    // What else its statement asks for decides as ever.
    let condition = json!({"StringEquals": {"chime:Colour": "red", "aws:username": "bob"}});
    let deny = identity(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}]));
    let ada = Context::new().with("aws:username", "ada");
    assert_eq!(judge(&deny, "a:b", "*", &ada), Decision::Allowed);
}

#[test]
fn a_policy_looks_at_the_keys_of_its_conditions_and_of_all_its_variables() {
    let looks = |statement: Value| identity(&statement).looks_at("aws:ResourceTag/");
    let with = |name: &str, value: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        statement[name] = value;
        statement
    };
    assert!(!looks(with("Sid", json!("a"))));
    let key = json!({"StringEquals": {"aws:username": "ada", "AWS:resourceTag/env": "x"}});
    assert!(looks(with("Condition", key)));
    let variable = json!({"StringEquals": {"aws:username": "${aws:ResourceTag/owner}"}});
    assert!(looks(with("Condition", variable)));
    let resource = json!("arn:aws:chime:*:*:meeting/${aws:resourcetag/id, 'x'}");
    assert!(looks(with("Resource", resource)));
}

#[test]
fn a_value_that_cannot_be_compared_never_allows_and_always_denies() {
    for (operator, wanted) in [
        ("NumericNotEquals", "1"),
        ("DateLessThan", "2026-01-01"),
        ("NotIpAddress", "10.0.0.0/8"),
        ("Bool", "true"),
        ("BinaryEquals", "AAEC"),
    ] {
        let condition = json!({operator: {"k": wanted}});
        let context = Context::new().with("k", "!");
        assert!(!under(&condition, &context), "{operator}");
        let deny = identity(
            &json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}),
        );
        let decision = judge(&deny, "a:b", "*", &context);
        assert_eq!(decision, Decision::ExplicitDeny, "{operator}");
    }
}
