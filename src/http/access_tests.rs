//! Policies and signatures against whole requests: what evades neither, and what a stranger makes the server do.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::api::sigv4::testing::sign;
use super::tests::{Server, server};
use crate::control::now_ms;
use crate::store::{AccessKey, AttachedPolicy, PrincipalKind, Wish};

/// The key of a new user who may do everything that these statements do not deny.
async fn denied(server: &Server, name: &str, deny: &[Value]) -> AccessKey {
    let control = &server.shared.control;
    let account = &server.key.account_id;
    let user = control.create_api_user(account, name).await.unwrap();
    let mut statements = vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"})];
    statements.extend(deny.iter().map(|deny| {
        let mut statement = deny.clone();
        statement["Effect"] = json!("Deny");
        statement
    }));
    let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let warned = control.put_policy(&user, "own", &document).await.unwrap();
    assert_eq!(warned, [""; 0]);
    control.create_key(account, name).await.unwrap()
}

/// The status of a request of that key's.
async fn status(server: &Server, key: &AccessKey, asked: (&str, &str), body: &Value) -> StatusCode {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let request = sign(key, now_ms() / 1000, asked.0, asked.1, &body);
    server.send(request).await.0
}

#[tokio::test]
async fn a_deny_on_an_object_holds_however_its_key_is_written() {
    let server = server().await;
    let objects = &server.shared.control.objects;
    for key in ["open/x", "secret/x", "secret.json"] {
        let body = Bytes::from_static(b"octets");
        objects.put("vault", key, body).await.unwrap();
    }
    let deny = ["secret/*", "secret.json"].map(
        |key| json!({"Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::vault/{key}")}),
    );
    let key = denied(&server, "ada", &deny).await;
    let get = async |spelt: &str| {
        let path = format!("/campanile/buckets/vault/objects/{spelt}");
        status(&server, &key, ("GET", &path), &Value::Null).await
    };
    assert_eq!(get("open%2Fx").await, StatusCode::OK);
    assert_eq!(get("secret%2Fx").await, StatusCode::FORBIDDEN);
    assert_eq!(get("%73ecret.json").await, StatusCode::FORBIDDEN);
    for spelt in [
        "%2Fsecret%2Fx",
        "%2Fsecret%2Fx%2F",
        "%2F%2Fsecret%2Fx",
        "open%2F..%2Fsecret%2Fx",
        ".%2Fsecret%2Fx",
        "secret.json%2F",
        "%2Fsecret.json",
        "%2Fopen%2Fx",
        "open%2Fx%2F",
    ] {
        assert_eq!(get(spelt).await, StatusCode::BAD_REQUEST, "{spelt}");
    }
}

#[tokio::test]
async fn a_strangers_form_is_bounded_and_not_read_before_it_is_known_who_sends_it() {
    let server = server().await;
    let post = async |form: String| {
        let request = Request::post("/")
            .header("host", "h")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    for (asks, pairs, octets) in [
        ("Action=GetCallerIdentity&Version=2011-06-15", 100, 64 << 10),
        ("Action=ListMetrics&Version=2010-08-01", 10_000, 1 << 20),
    ] {
        // What is wrong with it is nothing that a stranger is told.
        let (status, said) = post(format!("{asks}&twice=1&twice=1")).await;
        let unsigned = "<Code>MissingAuthenticationToken</Code>";
        assert!(
            said.contains(unsigned) && status.is_client_error(),
            "{said}"
        );
        let (status, said) = post(format!("{asks}{}", "&a".repeat(pairs))).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
        assert!(
            said.contains("<Code>RequestEntityTooLarge</Code>"),
            "{said}"
        );
        let large = format!("{asks}&a={}", "x".repeat(octets - asks.len()));
        let (status, _) = post(large).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    // The version at the end is found as well.
    let (_, said) = post("Action=GetCallerIdentity&a=b&Version=2011-06-15".to_owned()).await;
    assert!(said.contains("sts.amazonaws.com"), "{said}");
}

#[tokio::test]
async fn whose_signature_is_wrong_has_no_policies_read() {
    let server = server().await;
    let control = &server.shared.control;
    let key = denied(&server, "ada", &[]).await;
    let kind = PrincipalKind::User;
    let user = control.principal(&key.account_id, kind, "ada").await;
    let damaged = AttachedPolicy {
        name: "damaged".to_owned(),
        document: Some("{".to_owned()),
    };
    let id = &user.unwrap().principal_id;
    let put = control.store.put_policy(id, &damaged, 1).await;
    put.unwrap().unwrap();
    let get = ("GET", "/accounts");
    let good = status(&server, &key, get, &Value::Null).await;
    assert_eq!(good, StatusCode::INTERNAL_SERVER_ERROR);
    let mut forged = key.clone();
    forged.secret_access_key = server.key.secret_access_key.clone();
    let bad = status(&server, &forged, get, &Value::Null).await;
    assert_eq!(bad, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn one_signed_request_is_as_good_the_second_time() {
    let server = server().await;
    let now = now_ms() / 1000;
    for _ in 0..2 {
        let body = r#"{"Name":"twice"}"#;
        // As it is signed at one moment, it is the same to the octet.
        let request = sign(&server.key, now, "POST", "/accounts", body);
        assert_eq!(server.send(request).await.0, StatusCode::CREATED);
    }
    let (_, listed) = server.call("GET", "/accounts", &Value::Null).await;
    assert_eq!(listed["Accounts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn conditions_ask_for_tags_and_for_what_a_list_begins_with() {
    let server = server().await;
    let tagged = |name: &str, key: &str, value: &str| {
        json!({"ClientRequestToken": name, "MediaRegion": "us-east-1", "ExternalMeetingId": name,
            "Tags": [{"Key": key, "Value": value}]})
    };
    let made = async |name: &str, key: &str, value: &str| {
        let body = tagged(name, key, value);
        let (status, made) = server.call("POST", "/meetings", &body).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        made["Meeting"]["MeetingId"].as_str().unwrap().to_owned()
    };
    let (kept, other) = (
        made("kept", "Keep", "yes").await,
        made("other", "Keep", "no").await,
    );
    let when = |action: &str, condition: Value| json!({"Action": action, "Resource": "*", "Condition": condition});
    let key = denied(
        &server,
        "ada",
        &[
            when(
                "chime:CreateMeeting",
                json!({"StringEquals": {"aws:RequestTag/env": "prod"}}),
            ),
            when(
                "chime:*Meeting",
                json!({"StringEquals": {"aws:ResourceTag/keep": "yes"}}),
            ),
            when(
                "chime:*Resource",
                json!({"ForAnyValue:StringLike": {"aws:TagKeys": "secret*"}}),
            ),
            when(
                "s3:ListBucket",
                json!({"StringNotLike": {"s3:prefix": "open/*"}}),
            ),
        ],
    )
    .await;
    let ask = async |method: &str, path: &str, body: &Value| {
        status(&server, &key, (method, path), body).await
    };
    let (yes, no) = (StatusCode::OK, StatusCode::FORBIDDEN);
    for (name, tag, value, answer) in [
        ("one", "env", "prod", no),
        ("two", "ENV", "prod", no),
        ("three", "env", "test", yes),
        ("four", "other", "prod", yes),
    ] {
        let body = tagged(name, tag, value);
        assert_eq!(ask("POST", "/meetings", &body).await, answer, "{name}");
    }
    // Both are meant where keys differ in their letters only.
    let mut both = tagged("five", "env", "test");
    let tags = both["Tags"].as_array_mut().unwrap();
    tags.push(json!({"Key": "ENV", "Value": "prod"}));
    assert_eq!(ask("POST", "/meetings", &both).await, no);
    for (id, answer) in [(&kept, no), (&other, StatusCode::NO_CONTENT)] {
        let path = format!("/meetings/{}", id.to_uppercase());
        assert_eq!(ask("DELETE", &path, &Value::Null).await, answer);
    }
    let gone = format!("/meetings/{other}");
    assert_eq!(ask("GET", &gone, &Value::Null).await, StatusCode::NOT_FOUND);

    let (_, meeting) = server
        .call("GET", &format!("/meetings/{kept}"), &Value::Null)
        .await;
    let arn = &meeting["Meeting"]["MeetingArn"];
    let path = "/tags?operation=untag-resource";
    let done = StatusCode::NO_CONTENT;
    for (names, answer) in [(json!(["a", "secret-1"]), no), (json!(["a"]), done)] {
        let body = json!({"ResourceARN": arn, "TagKeys": names});
        assert_eq!(ask("POST", path, &body).await, answer, "{names}");
    }
    let path = "/tags?operation=tag-resource";
    for (name, answer) in [("secret", no), ("a", done)] {
        let body = json!({"ResourceARN": arn, "Tags": [{"Key": name, "Value": ""}]});
        assert_eq!(ask("POST", path, &body).await, answer, "{name}");
    }
    for (prefix, answer) in [
        ("", no),
        ("?prefix=secret%2F", no),
        ("?prefix=open%2F", StatusCode::OK),
    ] {
        let path = format!("/campanile/buckets/vault/objects{prefix}");
        assert_eq!(ask("GET", &path, &Value::Null).await, answer, "{prefix}");
    }
}

#[tokio::test]
async fn whoever_stores_a_condition_on_a_key_that_nobody_knows_is_warned() {
    let server = server().await;
    server.call("PUT", "/campanile/users/ada", &json!({})).await;
    let path = "/campanile/users/ada/policies/own";
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"chime:Colour": "red", "aws:RequestTag/a": "b"}}}});
    let body = json!({"PolicyDocument": document.to_string()});
    let (status, said) = server.call("PUT", path, &body).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let warned = said["Warnings"].as_array().unwrap();
    assert_eq!(warned.len(), 1, "{said}");
    assert!(
        warned[0]
            .as_str()
            .unwrap()
            .contains("condition key chime:Colour"),
        "{said}"
    );
}

/// A request's answer: its status, and what it says.
async fn asked(server: &Server, key: &AccessKey, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = sign(key, now_ms() / 1000, "POST", path, &body.to_string());
    let (status, said, _) = server.send(request).await;
    (status, said)
}

/// Gives the deployment's account numbers for trunks.
async fn order(server: &Server, numbers: &[&str]) {
    let wish = |number: &&str| Wish {
        e164: (*number).to_owned(),
        country: Some("US".to_owned()),
        number_type: "Local".to_owned(),
    };
    let wishes: Vec<Wish> = numbers.iter().map(wish).collect();
    let (store, account) = (&server.shared.control.store, &server.key.account_id);
    let ordered = store.order_numbers(account, "VoiceConnector", None, &wishes, now_ms());
    assert_eq!(ordered.await.unwrap().status, "Successful");
}

#[tokio::test]
async fn a_deny_on_a_thing_holds_where_a_body_names_it() {
    let server = server().await;
    let (kept, free) = ("+12065550170", "+12065550171");
    order(&server, &[kept, free]).await;
    let made = async |path: &str, body: Value, pointer: &str| {
        let (status, made) = server.call("POST", path, &body).await;
        assert!(status.is_success(), "{path}: {made}");
        made.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let connector = async |name: &str| {
        let body = json!({"Name": name, "RequireEncryption": true});
        made(
            "/voice-connectors",
            body,
            "/VoiceConnector/VoiceConnectorId",
        )
        .await
    };
    let (theirs, ours) = (connector("theirs").await, connector("ours").await);
    let team = made("/accounts", json!({"Name": "x"}), "/Account/AccountId").await;
    let path = format!("/accounts/{team}/users");
    let mut users = Vec::new();
    for name in ["ada", "bob"] {
        let body = json!({"Email": format!("{name}@example.org")});
        users.push(made(&format!("{path}?operation=create"), body, "/User/UserId").await);
    }
    let room = json!({"Name": "r"});
    let room = made(&format!("/accounts/{team}/rooms"), room, "/Room/RoomId").await;

    let arn = |thing: &str| format!("arn:aws:chime:*:*:{thing}");
    let things = [
        format!("phone-number/{kept}"),
        format!("vc/{theirs}"),
        format!("account/{team}/user/{}", users[0]),
    ];
    let deny = things.map(|thing| json!({"Action": "chime:*", "Resource": arn(&thing)}));
    let eve = denied(&server, "eve", &deny).await;
    let bare = kept.trim_start_matches('+');
    let escaped = format!("%2B{bare}");
    let capitals = users[0].to_uppercase();
    let associate = "operation=associate-phone-numbers";
    let numbers = |number: &str| json!({"E164PhoneNumbers": [free, number]});
    let item = |number: &str| {
        let item = json!({"PhoneNumberId": number, "Name": "n"});
        json!({"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": free, "Name": "n"}, item]})
    };
    let refused = [
        (
            "/phone-numbers?operation=batch-delete".to_owned(),
            json!({"PhoneNumberIds": [free, kept]}),
        ),
        (
            "/phone-numbers?operation=batch-delete".to_owned(),
            json!({"PhoneNumberIds": [bare]}),
        ),
        (
            "/phone-numbers?operation=batch-delete".to_owned(),
            json!({"PhoneNumberIds": [escaped]}),
        ),
        (
            "/phone-numbers?operation=batch-update".to_owned(),
            item(kept),
        ),
        (
            format!("/voice-connectors/{ours}?{associate}"),
            numbers(kept),
        ),
        (
            format!("/voice-connectors/{ours}?{associate}"),
            numbers(bare),
        ),
        (
            "/voice-connector-groups".to_owned(),
            json!({"Name": "g", "VoiceConnectorItems": [{"VoiceConnectorId": theirs, "Priority": 1}]}),
        ),
        (
            path.clone(),
            json!({"UpdateUserRequestItems": [{"UserId": users[0], "LicenseType": "Pro"}]}),
        ),
        (
            format!("{path}?operation=suspend"),
            json!({"UserIdList": [users[1], users[0]]}),
        ),
        (
            format!("{path}?operation=suspend"),
            json!({"UserIdList": [capitals]}),
        ),
        (
            format!("/accounts/{team}/rooms/{room}/memberships"),
            json!({"MemberId": users[0]}),
        ),
        (
            format!("/accounts/{team}/rooms/{room}/memberships?operation=batch-create"),
            json!({"MembershipItemList": [{"MemberId": users[0], "Role": "Member"}]}),
        ),
    ];
    for (path, body) in &refused {
        let (status, said) = asked(&server, &eve, path, body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path} {body}: {said}");
        let told = said["Message"].as_str().unwrap();
        let named = [kept, &theirs, &users[0]];
        assert!(named.iter().any(|id| told.ends_with(*id)), "{told}");
        let (status, said) = asked(&server, &server.key, path, body).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{path} {body}: {said}");
    }
}

#[tokio::test]
async fn who_is_denied_all_but_one_thing_may_name_others_to_it() {
    let server = server().await;
    let number = "+12065550173";
    order(&server, &[number]).await;
    let body = json!({"Name": "ours", "RequireEncryption": true});
    let (_, made) = server.call("POST", "/voice-connectors", &body).await;
    let ours = made["VoiceConnector"]["VoiceConnectorId"].as_str().unwrap();
    let but = format!("arn:aws:chime:*:*:vc/{ours}");
    let deny = [json!({"Action": "chime:*", "NotResource": but})];
    let bob = denied(&server, "bob", &deny).await;
    let path = format!("/voice-connectors/{ours}?operation=associate-phone-numbers");
    let body = json!({"E164PhoneNumbers": [number]});
    let (status, said) = asked(&server, &bob, &path, &body).await;
    assert_eq!(
        (status, &said["PhoneNumberErrors"]),
        (StatusCode::OK, &json!([])),
        "{said}"
    );
    let (status, said) = asked(
        &server,
        &bob,
        "/phone-numbers?operation=batch-delete",
        &json!({"PhoneNumberIds": [number]}),
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
}

#[tokio::test]
async fn a_number_is_not_taken_from_a_connector_that_is_denied() {
    let server = server().await;
    let number = "+12065550172";
    order(&server, &[number]).await;
    let mut connectors = Vec::new();
    for name in ["theirs", "ours"] {
        let body = json!({"Name": name, "RequireEncryption": true});
        let (_, made) = server.call("POST", "/voice-connectors", &body).await;
        let id = made["VoiceConnector"]["VoiceConnectorId"].as_str();
        connectors.push(id.unwrap().to_owned());
    }
    let associate = |connector: &str| {
        format!("/voice-connectors/{connector}?operation=associate-phone-numbers")
    };
    let mut body = json!({"E164PhoneNumbers": [number]});
    server.call("POST", &associate(&connectors[0]), &body).await;
    let theirs = format!("arn:aws:chime:*:*:vc/{}", connectors[0]);
    let eve = denied(
        &server,
        "eve",
        &[json!({"Action": "chime:*", "Resource": theirs})],
    )
    .await;
    let ours = associate(&connectors[1]);
    let (status, said) = asked(&server, &eve, &ours, &body).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(
        said["PhoneNumberErrors"][0]["PhoneNumberId"], number,
        "{said}"
    );
    body["ForceAssociate"] = json!(true);
    let (status, said) = asked(&server, &eve, &ours, &body).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
    let (_, held) = server
        .call("GET", &format!("/phone-numbers/{number}"), &Value::Null)
        .await;
    let on = held["PhoneNumber"]["Associations"].to_string();
    assert!(on.contains(&connectors[0]), "{held}");
    let (status, said) = asked(&server, &server.key, &ours, &body).await;
    assert!(
        status.is_success() && said["PhoneNumberErrors"] == json!([]),
        "{said}"
    );
}

#[tokio::test]
async fn a_numbers_id_may_be_written_as_aws_shows_it() {
    let server = server().await;
    let number = "+12065550173";
    order(&server, &[number]).await;
    // A client encodes what it is given: the id `%2B1…` is `%252B1…` in its path.
    for spelt in [
        "%252B12065550173",
        "%252b12065550173",
        "%2B12065550173",
        "12065550173",
    ] {
        let path = format!("/phone-numbers/{spelt}");
        let (status, said) = server.call("GET", &path, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{spelt}: {said}");
        assert_eq!(said["PhoneNumber"]["PhoneNumberId"], number);
    }
    let body = json!({"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": "%2B12065550173", "Name": "desk"}]});
    let path = "/phone-numbers?operation=batch-update";
    let (_, said) = server.call("POST", path, &body).await;
    assert_eq!(said["PhoneNumberErrors"], json!([]));
    let deny = json!({"Action": "chime:*", "Resource": format!("arn:aws:chime:*:*:phone-number/{number}")});
    let eve = denied(&server, "eve", &[deny]).await;
    let path = "/phone-numbers/%252B12065550173";
    let got = status(&server, &eve, ("GET", path), &Value::Null).await;
    assert_eq!(got, StatusCode::FORBIDDEN);
    let body = json!({"PhoneNumberIds": ["%2b12065550173"]});
    let (_, said) = server
        .call("POST", "/phone-numbers?operation=batch-delete", &body)
        .await;
    assert_eq!(said["PhoneNumberErrors"], json!([]));
    let (_, said) = server.call("GET", path, &Value::Null).await;
    assert_eq!(said["PhoneNumber"]["Status"], "DeleteInProgress");
    assert_eq!(said["PhoneNumber"]["Name"], "desk");
}
