//! What policies say, one behaviour each.

use serde_json::{Value, json};

use super::*;

const ADA: &str = "arn:aws:iam::123456789012:user/ada";
pub(super) const MEETING: &str = "arn:aws:chime:us-east-1:123456789012:meeting/stand-up";

pub(super) fn identity(statement: &Value) -> Policy {
    let document = json!({"Version": "2012-10-17", "Statement": statement});
    Policy::identity(&document.to_string()).unwrap()
}

pub(super) fn judge(policy: &Policy, action: &str, resource: &str, context: &Context) -> Decision {
    let request = Request {
        principal: ADA,
        action,
        resource,
        context,
    };
    evaluate([policy], &request)
}

/// What becomes of an allowance under that condition.
pub(super) fn under(condition: &Value, context: &Context) -> bool {
    let policy = identity(
        &json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}),
    );
    judge(&policy, "chime:GetMeeting", MEETING, context) == Decision::Allowed
}

fn refusal(document: &Value) -> String {
    Policy::identity(&document.to_string())
        .unwrap_err()
        .to_string()
}

#[test]
fn nothing_is_allowed_that_no_statement_allows() {
    let policy = identity(&json!([{"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"}]));
    let ask = |action| judge(&policy, action, "*", &Context::new());
    assert_eq!(ask("chime:GetMeeting"), Decision::Allowed);
    assert_eq!(ask("chime:DeleteMeeting"), Decision::ImplicitDeny);
    let request = Request {
        principal: ADA,
        action: "chime:GetMeeting",
        resource: "*",
        context: &Context::new(),
    };
    assert_eq!(evaluate([], &request), Decision::ImplicitDeny);
}

#[test]
fn an_explicit_deny_wins_in_whatever_order_and_policy() {
    let allow = identity(&json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    let deny =
        identity(&json!({"Effect": "Deny", "Action": "chime:DeleteMeeting", "Resource": "*"}));
    let context = Context::new();
    let request = Request {
        principal: ADA,
        action: "chime:DeleteMeeting",
        resource: MEETING,
        context: &context,
    };
    assert_eq!(evaluate([&allow, &deny], &request), Decision::ExplicitDeny);
    assert_eq!(evaluate([&deny, &allow], &request), Decision::ExplicitDeny);
    assert_eq!(evaluate([&allow], &request), Decision::Allowed);
}

#[test]
fn actions_have_no_case_and_resources_have() {
    let policy = identity(
        &json!({"Effect": "Allow", "Action": "CHIME:get*", "Resource": "arn:aws:chime:*:*:meeting/Stand-*"}),
    );
    let ask = |action, resource| judge(&policy, action, resource, &Context::new());
    assert_eq!(
        ask(
            "chime:GetMeeting",
            "arn:aws:chime:us-east-1:123456789012:meeting/Stand-up"
        ),
        Decision::Allowed
    );
    assert_eq!(ask("chime:GetMeeting", MEETING), Decision::ImplicitDeny);
}

#[test]
fn what_is_not_named_is_meant_by_not_action_and_not_resource() {
    let policy = identity(
        &json!({"Effect": "Allow", "NotAction": ["chime:Delete*", "s3:*"],
        "NotResource": "arn:aws:chime:*:*:meeting/secret-*"}),
    );
    let ask = |action, resource| judge(&policy, action, resource, &Context::new());
    assert_eq!(ask("chime:GetMeeting", MEETING), Decision::Allowed);
    assert_eq!(ask("chime:DeleteMeeting", MEETING), Decision::ImplicitDeny);
    assert_eq!(
        ask(
            "chime:GetMeeting",
            "arn:aws:chime:us-east-1:1:meeting/secret-1"
        ),
        Decision::ImplicitDeny
    );
}

#[test]
fn a_wildcard_does_not_reach_over_the_colons_of_an_arn() {
    let resource = |pattern: &str, arn: &str| {
        let policy = identity(&json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
        judge(&policy, "chime:GetMeeting", arn, &Context::new()) == Decision::Allowed
    };
    assert!(resource("arn:aws:chime:*:123456789012:meeting/*", MEETING));
    assert!(!resource("arn:aws:chime:*:meeting/*:*", MEETING));
    assert!(resource("arn:aws:chime:*", MEETING));
    assert!(!resource("arn:aws:s3:*", MEETING));
    // The last part has colons of its own.
    assert!(resource(
        "arn:aws:logs:*:*:log-group:*",
        "arn:aws:logs:r:1:log-group:a:b"
    ));
    // What an operation makes is not there yet: only `*` speaks of it.
    assert!(!resource("arn:aws:chime:*:*:*", "*"));
    assert!(resource("*", "*"));
}

#[test]
fn a_variable_is_the_callers_own_value_and_never_a_wildcard() {
    let policy = identity(&json!({"Effect": "Allow", "Action": "*",
        "Resource": "arn:aws:chime:*:*:user/${aws:username}/*"}));
    let ask = |name: &str, resource| {
        judge(
            &policy,
            "chime:GetUser",
            resource,
            &Context::new().with("AWS:UserName", name),
        )
    };
    let adas = "arn:aws:chime:r:123456789012:user/ada/x";
    assert_eq!(ask("ada", adas), Decision::Allowed);
    assert_eq!(ask("bob", adas), Decision::ImplicitDeny);
    assert_eq!(ask("*", adas), Decision::ImplicitDeny);
    // A session's id has a colon, which is no border of the ARN.
    let policy = identity(&json!({"Effect": "Allow", "Action": "*",
        "Resource": "arn:aws:connect:*:*:instance/i/user/${aws:userid}"}));
    let session = Context::new().with("aws:userid", "AROAEXAMPLE:ada");
    let own = "arn:aws:connect:r:123456789012:instance/i/user/AROAEXAMPLE:ada";
    assert_eq!(
        judge(&policy, "connect:GetFederationToken", own, &session),
        Decision::Allowed
    );
}

#[test]
fn a_variable_without_value_never_allows_and_denies_only_what_it_could_mean() {
    let statement = |effect: &str| {
        identity(
            &json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": effect, "Action": "*",
                "Resource": "arn:aws:chime:*:*:user/${aws:username}"}]),
        )
    };
    let only = identity(&json!({"Effect": "Allow", "Action": "*",
        "Resource": "arn:aws:chime:*:*:user/${aws:username}"}));
    let none = Context::new();
    let user = "arn:aws:chime:r:123456789012:user/ada";
    assert_eq!(judge(&only, "a:b", user, &none), Decision::ImplicitDeny);
    assert_eq!(
        judge(&statement("Deny"), "a:b", user, &none),
        Decision::ExplicitDeny
    );
    assert_eq!(
        judge(&statement("Deny"), "a:b", MEETING, &none),
        Decision::Allowed
    );
}

#[test]
fn variables_have_defaults_and_ways_to_write_their_own_signs() {
    let equals = |pattern: &str, value: &str| {
        let condition = json!({"StringEquals": {"k": pattern}});
        under(&condition, &Context::new().with("k", value))
    };
    assert!(equals("${aws:username, 'nobody'}", "nobody"));
    assert!(equals("a${*}${?}${$}{", "a*?${"));
    let like = json!({"StringLike": {"k": "a${*}?"}});
    assert!(under(&like, &Context::new().with("k", "a*x")));
    assert!(!under(&like, &Context::new().with("k", "abx")));
    // Policies from before 2012 have no variables.
    let old = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"k": "${aws:username}"}}}});
    let old = Policy::identity(&old.to_string()).unwrap();
    let context = Context::new().with("k", "${aws:username}");
    assert_eq!(judge(&old, "a:b", "*", &context), Decision::Allowed);
}

#[test]
fn a_wrong_policy_is_told_what_is_wrong_and_where() {
    let statement = |more: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                statement.as_object_mut().unwrap().remove(name);
            } else {
                statement[name] = value.clone();
            }
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    for (document, said) in [
        (json!([]), "the policy: is not an object"),
        (json!({}), "Statement: is missing"),
        (json!({"Statement": []}), "Statement: is empty"),
        (
            json!({"Version": "2026-01-01", "Statement": []}),
            "Version: is not \"2012-10-17\"",
        ),
        (json!({"Statements": []}), "Statements: has no meaning here"),
        (
            statement(json!({"Effect": "Permit"})),
            "Statement[0].Effect: is not \"Allow\" or \"Deny\"",
        ),
        (
            statement(json!({"Effect": null})),
            "Statement[0].Effect: is missing",
        ),
        (
            statement(json!({"NotAction": "a:b"})),
            "Statement[0].NotAction: cannot stand beside Action",
        ),
        (
            statement(json!({"Action": ["chime:*", "GetMeeting"]})),
            "Statement[0].Action[1]: is not an action such as chime:GetMeeting, or *",
        ),
        (
            statement(json!({"Action": []})),
            "Statement[0].Action: is empty",
        ),
        (
            statement(json!({"Resource": "meeting/1"})),
            "Statement[0].Resource: is not an ARN of six parts, or *",
        ),
        (
            statement(json!({"Resource": null})),
            "Statement[0].Resource: is missing",
        ),
        (
            statement(json!({"Resource": "arn:aws:chime:::x/${aws:username"})),
            "Statement[0].Resource: is not a text whose ${ is closed by }",
        ),
        (
            statement(json!({"Principal": "*"})),
            "Statement[0].Principal: has no meaning here",
        ),
        (
            statement(json!({"Sid": "not one word"})),
            "Statement[0].Sid: is not a text of letters and digits",
        ),
        (
            statement(
                json!({"Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "10.0.0.0/33"]}}}),
            ),
            "Statement[0].Condition.IpAddress.aws:SourceIp[1]: is not an address or a range such as 203.0.113.0/24 or 2001:db8::/32",
        ),
        (
            statement(json!({"Condition": {"NumericEquals": {"k": "inf"}}})),
            "Statement[0].Condition.NumericEquals.k: is not a number",
        ),
        (
            statement(json!({"Condition": {"StringEquals": {"k": []}}})),
            "Statement[0].Condition.StringEquals.k: is empty",
        ),
        (
            statement(json!({"Condition": {"StringEquals": "k"}})),
            "Statement[0].Condition.StringEquals: is not an object",
        ),
    ] {
        assert_eq!(refusal(&document), said);
    }
    let twice = json!({"Statement": [
        {"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"}]});
    assert_eq!(refusal(&twice), "Statement[1].Sid: is there twice");
    let said = Policy::identity("{\"Statement\": [], \"Statement\": {}}").unwrap_err();
    let twice = "the policy is no JSON: \"Statement\" is there twice at line 1 column ";
    assert!(said.to_string().starts_with(twice), "{said}");
    let long = format!("{{\"Id\": \"{}\"}}", "x".repeat(20_000));
    assert_eq!(
        Policy::identity(&long),
        Err(PolicyError::TooLong(20_011 - 1))
    );
    let deep = "[".repeat(5000);
    assert!(matches!(
        Policy::identity(&deep),
        Err(PolicyError::NotJson(_))
    ));
}

#[test]
fn a_trust_policy_names_accounts_users_and_roles() {
    let trust = |principal: Value, arn: &str| {
        let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Principal": principal, "Action": "sts:AssumeRole"}});
        let request = Request {
            principal: arn,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::123456789012:role/r",
            context: &Context::new(),
        };
        Policy::trust(&document.to_string())
            .unwrap()
            .trusts(&request)
    };
    assert_eq!(trust(json!("*"), ADA), Trust::Caller);
    assert_eq!(trust(json!({"AWS": ADA}), ADA), Trust::Caller);
    assert_eq!(trust(json!({"AWS": "123456789012"}), ADA), Trust::Account);
    assert_eq!(
        trust(
            json!({"AWS": ["999999999999", "arn:aws:iam::123456789012:root"]}),
            ADA
        ),
        Trust::Account
    );
    assert_eq!(trust(json!({"AWS": "999999999999"}), ADA), Trust::Refused);
    assert_eq!(
        trust(json!({"Service": "chime.amazonaws.com"}), ADA),
        Trust::Refused
    );
    let role = json!({"AWS": "arn:aws:iam::123456789012:role/on-call"});
    let session = "arn:aws:sts::123456789012:assumed-role/on-call/ada";
    assert_eq!(trust(role.clone(), session), Trust::Caller);
    let other = "arn:aws:sts::123456789012:assumed-role/on-call-2/ada";
    assert_eq!(trust(role, other), Trust::Refused);
    for (document, said) in [
        (
            json!({"Statement": {"Effect": "Allow", "Action": "*"}}),
            "Statement[0].Principal: is missing",
        ),
        (
            json!({"Statement": {"Effect": "Allow", "Action": "*", "Principal": {"AWS": "ada"}}}),
            "Statement[0].Principal.AWS: is not an account id, the ARN of a principal, or *",
        ),
        (
            json!({"Statement": {"Effect": "Allow", "Action": "*", "Principal": "*", "Resource": "*"}}),
            "Statement[0].Resource: has no meaning here",
        ),
    ] {
        let refused = Policy::trust(&document.to_string()).unwrap_err();
        assert_eq!(refused.to_string(), said);
    }
}

#[test]
fn a_pattern_full_of_stars_is_done_soon() {
    let pattern = format!("chime:{}", "*a".repeat(2000));
    let policy = identity(&json!({"Effect": "Allow", "Action": pattern, "Resource": "*"}));
    let action = format!("chime:{}b", "a".repeat(2000));
    let begun = std::time::Instant::now();
    assert_eq!(
        judge(&policy, &action, "*", &Context::new()),
        Decision::ImplicitDeny
    );
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
}
