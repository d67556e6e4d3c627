use std::collections::BTreeSet;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::super::dispatch::{self, OFFERED};
use super::*;

fn name(method: &str, path: &str, query: &str) -> Option<&'static str> {
    let routed = MODEL.route(method, path, query)?;
    Some(routed.operation.name.as_str())
}

#[test]
fn every_operation_is_found_by_its_own_method_path_and_query() {
    for operation in MODEL.operations() {
        if let Some(target) = &operation.target {
            let found = MODEL.targeted(target).unwrap();
            assert_eq!(
                (&found.name, &found.service),
                (&operation.name, &operation.service)
            );
            continue;
        }
        let query = operation.query.clone().unwrap_or_default();
        let path = operation.path.replace(['{', '}', '+'], "");
        let found = MODEL.route(&operation.method, &path, &query).unwrap();
        assert_eq!(found.operation.name, operation.name, "{}", operation.path);
    }
}

#[test]
fn what_is_offered_is_in_the_model_once() {
    let mut seen = BTreeSet::new();
    for (noun, name) in OFFERED
        .iter()
        .flat_map(|(noun, names)| names.iter().map(move |name| (noun, name)))
    {
        assert!(seen.insert(name), "{name} is there twice");
        let mut operations = MODEL.operations().iter();
        let operation = operations
            .find(|operation| operation.name == **name && dispatch::noun(operation) == Some(*noun))
            .unwrap_or_else(|| panic!("{name} is not in the model"));
        assert!(operation.status.is_some(), "{name}");
        for shape in [&operation.input, &operation.output].into_iter().flatten() {
            assert!(MODEL.shape(shape).is_some(), "{name}: {shape}");
        }
    }
}

#[test]
fn every_shape_that_is_named_is_there() {
    for (name, shape) in MODEL.shapes() {
        let members = shape.members.values().map(|member| &member.shape);
        for inner in members.chain(&shape.member).chain(&shape.value) {
            assert!(MODEL.shape(inner).is_some(), "{name} has {inner}");
        }
        for required in &shape.required {
            assert!(
                shape.members.contains_key(required),
                "{name} has {required}"
            );
        }
    }
}

#[test]
fn the_operation_parameter_tells_two_of_one_path_apart() {
    assert_eq!(name("POST", "/meetings", ""), Some("CreateMeeting"));
    assert_eq!(
        name("POST", "/meetings", "operation=create-attendees"),
        Some("CreateMeetingWithAttendees")
    );
    assert_eq!(name("POST", "/meetings", "operation=other"), None);
    assert_eq!(
        name("GET", "/search", "type=phone-numbers&area-code=206"),
        Some("SearchAvailablePhoneNumbers")
    );
    assert_eq!(name("GET", "/search", ""), None);
    assert_eq!(name("PATCH", "/meetings", ""), None);
    assert_eq!(name("GET", "/favicon.ico", ""), None);
}

#[test]
fn what_is_named_literally_goes_before_what_any_text_fits() {
    let found = name(
        "PUT",
        "/meetings/x/attendees/capabilities",
        "operation=batch-update-except",
    );
    assert_eq!(found, Some("BatchUpdateAttendeeCapabilitiesExcept"));
}

#[test]
fn a_service_may_stand_before_the_path() {
    assert_eq!(
        name("POST", "/chime-sdk-meetings/meetings", ""),
        Some("CreateMeeting")
    );
    assert_eq!(
        name("GET", "/chime-sdk-voice/voice-connectors", ""),
        Some("ListVoiceConnectors")
    );
}

#[test]
fn members_come_out_of_path_query_and_body() {
    let number = MODEL
        .route("GET", "/phone-numbers/%2B12065550100", "")
        .unwrap();
    let said = number.read("", &HeaderMap::new(), &json!({})).unwrap();
    assert_eq!(said, json!({"PhoneNumberId": "+12065550100"}));
    let users = MODEL.route("GET", "/accounts/a/users", "").unwrap();
    let said = users.read(
        "max-results=5&user-email=a%40b.c&next-token=t",
        &HeaderMap::new(),
        &json!({}),
    );
    assert_eq!(
        said.unwrap(),
        json!({"AccountId": "a", "MaxResults": 5, "UserEmail": "a@b.c", "NextToken": "t"})
    );
    let refused = |query: &str| {
        let said = users.read(query, &HeaderMap::new(), &json!({}));
        said.unwrap_err().to_string()
    };
    assert_eq!(
        refused("max-results=many"),
        "MaxResults: must be a whole number"
    );
    assert_eq!(refused("max-results=0"), "MaxResults: must be 1 to 200");
    assert_eq!(
        refused("max-results=5&max-results=6"),
        "MaxResults: is there twice"
    );
}

#[test]
fn a_body_cannot_say_what_the_path_says() {
    let routed = MODEL.route("GET", "/accounts/mine", "").unwrap();
    let said = routed
        .read("", &HeaderMap::new(), &json!({"AccountId": "other"}))
        .unwrap();
    assert_eq!(said, json!({"AccountId": "mine"}));
}

/// A value of that shape that breaks one bound, and where; `None` where the shape has none.
fn broken(shape: &Shape) -> Option<Value> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match shape.kind {
        Kind::String if !shape.words.is_empty() => Some(json!("no such word")),
        Kind::String => match (shape.max, &shape.pattern) {
            (Some(max), _) => Some(json!("x".repeat(max as usize + 1))),
            // A pattern such as `.*\S.*` takes nearly anything.
            (None, Some(pattern)) => ["\u{1}", " "]
                .into_iter()
                .find(|text| !pattern.is_match(text))
                .map(|text| json!(text)),
            (None, None) => Some(json!(7)),
        },
        Kind::Integer => Some(shape.max.map_or(json!("7"), |max| json!(max as i64 + 1))),
        Kind::Float => Some(json!("7")),
        Kind::Boolean => Some(json!("yes")),
        Kind::List | Kind::Map | Kind::Structure => Some(json!("x")),
        Kind::Timestamp => Some(json!("yesterday")),
    }
}

#[test]
fn every_member_of_every_offered_operation_is_held_to_its_bounds() {
    let mut held = 0;
    for operation in MODEL.operations() {
        let Some(shape) = operation
            .input
            .as_deref()
            .and_then(|name| MODEL.shape(name))
        else {
            continue;
        };
        for (name, member) in &shape.members {
            let Some(inner) = MODEL.shape(&member.shape) else {
                continue;
            };
            let only = Shape {
                required: Vec::new(),
                members: shape
                    .members
                    .iter()
                    .filter(|(other, _)| *other == name)
                    .map(|(name, member)| {
                        let member = Member {
                            shape: member.shape.clone(),
                            place: None,
                            called: None,
                        };
                        (name.clone(), member)
                    })
                    .collect(),
                kind: Kind::Structure,
                ..serde_json::from_value(json!({"type": "structure"})).unwrap()
            };
            let Some(value) = broken(inner) else { continue };
            let refused = MODEL.check(&only, "", json!({name: value}));
            let said = refused.unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("{name}: ")),
                "{}: {said}",
                operation.name
            );
            held += 1;
        }
    }
    assert!(held > 300, "{held}");
}

#[test]
fn a_value_nested_without_end_is_refused() {
    let mut value = json!({});
    for _ in 0..100 {
        value = json!([value]);
    }
    let routed = MODEL.route("POST", "/meetings", "").unwrap();
    let said = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "x2", "Tags": value});
    let refused = routed.read("", &HeaderMap::new(), &said).unwrap_err();
    assert!(refused.to_string().starts_with("Tags.1: "), "{refused}");
}

#[test]
fn what_is_below_campanile_is_all_offered_and_says_what_policies_call_it() {
    let ours: Vec<&Operation> = MODEL
        .operations()
        .iter()
        .filter(|operation| operation.path.starts_with("/campanile/"))
        .collect();
    assert!(ours.len() > 30);
    for operation in ours {
        assert!(dispatch::noun(operation).is_some(), "{}", operation.name);
        let (service, action) = operation.action();
        let own = match operation.service.as_str() {
            "campanile" => ("chime", operation.name.as_str()),
            service => (service, action),
        };
        assert_eq!((service, action), own, "{}", operation.name);
        // Each name in the ARN is one of the path, or is found by the key.
        let template = operation.resource.as_deref().unwrap_or_default();
        for part in template.split('{').skip(1) {
            let (name, _) = part.split_once('}').unwrap();
            let known = operation.path.contains(&format!("{{{name}}}"))
                || name == "account"
                || (name == "UserName" && operation.path.contains("{AccessKeyId}"));
            assert!(known, "{}: {name}", operation.name);
        }
        // All objects are of the deployment's; so are its accounts.
        let of_all = ["s3", "organizations"].contains(&service);
        assert_eq!(operation.deployment, of_all, "{}", operation.name);
    }
}
