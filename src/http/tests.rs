//! Whole requests through the router, with the far end of the desk's channel in the test's hand.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use call::exchange::Lookup;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::api::sigv4::testing::sign;
use super::caller::Local;
use super::*;
use crate::config::Config;
use crate::control::access::Pace;
use crate::control::{Inventory, Place, now_ms};
use crate::node::desk::{Handle, ToDesk};
use crate::store::{AccessKey, AuditAttribute, Page, Store};

pub(super) struct Server {
    pub(super) router: Router,
    pub(super) shared: Shared,
    pub(super) key: AccessKey,
    pub(super) desk: mpsc::Receiver<ToDesk>,
    data: tempfile::TempDir,
}

pub(super) async fn server() -> Server {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let deployment = store.deployment(None, 1).await.unwrap();
    let key = store
        .first_administrator(&deployment.account_id, 1)
        .await
        .unwrap()
        .unwrap();
    let (to_desk, desk) = mpsc::channel(16);
    let trail = crate::control::audit::testing::trail(&store, data.path());
    let control = Control {
        logs: crate::record::logs::Logs::new(data.path().join("logs")),
        figures: crate::record::figures::Figures::new(data.path().join("metrics")),
        trail,
        store,
        objects: crate::objects::tests::folders(data.path()),
        desk: Handle::new(to_desk),
        deployment,
        place: Place {
            region: "us-east-1".to_owned(),
            public: None,
            https: "127.0.0.1:8443".to_owned(),
            dial: "meet.example.org".to_owned(),
            audio: "127.0.0.1:3478".to_owned(),
        },
        names: crate::node::names::Names::system(),
        domain_checks: crate::control::domains::DomainChecks::new(Duration::from_secs(60)),
        max_attendees: 250,
        inventory: Arc::new(Inventory::default()),
        page_key: "key".into(),
        pace: Arc::new(Pace::new(PACE)),
        noting: Arc::default(),
    };
    let mut limits = Config::defaults().unwrap().limits;
    limits.joins_per_minute = 3;
    let shared = Shared::new(control, &limits);
    Server {
        router: router(shared.clone()),
        shared,
        key,
        desk,
        data,
    }
}

impl Server {
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> (StatusCode, Value, axum::http::HeaderMap) {
        let mut request = request;
        let peer: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            parts.headers,
        )
    }

    pub(super) async fn call(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = sign(&self.key, now_ms() / 1000, method, path, &body);
        let (status, json, headers) = self.send(request).await;
        assert_eq!(
            headers.contains_key("x-amzn-errortype"),
            !status.is_success()
        );
        assert!(headers.contains_key("x-amzn-requestid"));
        (status, json)
    }

    /// A meeting's id and a visitor's join token.
    pub(super) async fn place(&self) -> (String, String) {
        let meeting = self.meeting().await;
        let (_, place) = self.join(text(&meeting, "/Pin")).await;
        (
            text(&meeting, "/MeetingId").to_owned(),
            text(&place, "/JoinInfo/Attendee/JoinToken").to_owned(),
        )
    }

    async fn meeting(&self) -> Value {
        let (status, body) = self.call("POST", "/campanile/meetings", &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    async fn join(&self, meeting: &str) -> (StatusCode, Value) {
        let body = json!({"Meeting": meeting, "Name": "Ada"}).to_string();
        let request = Request::post("/join")
            .header("host", "h:1")
            .body(Body::from(body))
            .unwrap();
        let (status, json, _) = self.send(request).await;
        (status, json)
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[tokio::test]
async fn a_meeting_is_made_read_and_ended() {
    let mut server = server().await;
    let asked = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "stand-up",
        "Attendees": [{"ExternalUserId": "ada"}]});
    let (status, made) = server
        .call("POST", "/meetings?operation=create-attendees", &asked)
        .await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let id = text(&made, "/Meeting/MeetingId").to_owned();
    assert_eq!(
        text(&made, "/Meeting/MediaPlacement/SignalingUrl"),
        format!("wss://localhost/signal/{id}")
    );
    assert_eq!(
        text(&made, "/Attendees/0/Capabilities/Video"),
        "SendReceive"
    );
    let (_, again) = server
        .call("POST", "/meetings?operation=create-attendees", &asked)
        .await;
    assert_eq!(made, again);
    let (status, _) = server
        .call("GET", &format!("/meetings/{id}"), &Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, body) = server
        .call("DELETE", &format!("/meetings/{id}"), &Value::Null)
        .await;
    assert_eq!((status, body), (StatusCode::NO_CONTENT, Value::Null));
    assert!(
        matches!(server.desk.recv().await, Some(ToDesk::EndMeeting { meeting }) if meeting == id)
    );
    let (status, gone) = server
        .call("GET", &format!("/meetings/{id}"), &Value::Null)
        .await;
    assert_eq!(
        (status, text(&gone, "/Code")),
        (StatusCode::NOT_FOUND, "NotFound")
    );
}

#[tokio::test]
async fn a_token_of_another_request_is_a_conflict() {
    let server = server().await;
    let mut asked = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "one"});
    server.call("POST", "/meetings", &asked).await;
    asked["ExternalMeetingId"] = json!("other");
    let (status, body) = server.call("POST", "/meetings", &asked).await;
    assert_eq!(
        (status, text(&body, "/Code")),
        (StatusCode::CONFLICT, "Conflict")
    );
}

#[tokio::test]
async fn another_accounts_meeting_does_not_exist() {
    let mut server = server().await;
    let meeting = server.meeting().await;
    let store = &server.shared.control.store;
    let other = store.create_owner_account(Some("999999999999"), "Eve's", 1);
    let (_, key) = other.await.unwrap().unwrap();
    server.key = key;
    let id = text(&meeting, "/MeetingId");
    for (method, path) in [
        ("GET", format!("/meetings/{id}")),
        ("DELETE", format!("/meetings/{id}")),
        ("GET", format!("/campanile/meetings/{id}")),
    ] {
        let (status, _) = server.call(method, &path, &Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let (status, _) = server
        .call(
            "POST",
            &format!("/meetings/{id}/attendees"),
            &json!({"ExternalUserId": "eve"}),
        )
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn strangers_are_refused_and_told_why() {
    let server = server().await;
    let code = |json: &Value| text(json, "/Code").to_owned();
    let plain = Request::get("/meetings/x")
        .header("host", "h")
        .body(Body::empty())
        .unwrap();
    let (status, body, _) = server.send(plain).await;
    assert_eq!(
        (status, code(&body).as_str()),
        (StatusCode::FORBIDDEN, "MissingAuthenticationToken")
    );

    let mut unknown = server.key.clone();
    unknown.access_key_id = "AKIAUNKNOWNUNKNOWNXX".to_owned();
    let (status, body, _) = server
        .send(sign(&unknown, now_ms() / 1000, "GET", "/meetings/x", ""))
        .await;
    assert_eq!(
        (status, code(&body).as_str()),
        (StatusCode::FORBIDDEN, "UnrecognizedClient")
    );

    let late = sign(&server.key, now_ms() / 1000 - 301, "GET", "/meetings/x", "");
    let (status, body, _) = server.send(late).await;
    assert_eq!(
        (status, code(&body).as_str()),
        (StatusCode::FORBIDDEN, "InvalidSignature")
    );

    let mut forged = sign(&server.key, now_ms() / 1000, "POST", "/meetings", "{}");
    *forged.body_mut() = Body::from("{\"a\":1}");
    let (status, body, _) = server.send(forged).await;
    assert_eq!(
        (status, code(&body).as_str()),
        (StatusCode::FORBIDDEN, "InvalidSignature")
    );

    server
        .shared
        .control
        .store
        .revoke_access_key(&server.key.access_key_id, 2)
        .await
        .unwrap();
    let revoked = sign(&server.key, now_ms() / 1000, "GET", "/meetings/x", "");
    let (status, body, _) = server.send(revoked).await;
    assert_eq!(
        (status, code(&body).as_str()),
        (StatusCode::FORBIDDEN, "UnrecognizedClient")
    );
}

#[tokio::test]
async fn bad_requests_get_typed_errors() {
    let server = server().await;
    let cases = [
        (
            "GET",
            "/nowhere",
            Value::Null,
            StatusCode::NOT_FOUND,
            "UnknownOperation",
        ),
        (
            "GET",
            "/sip-rules",
            Value::Null,
            StatusCode::NOT_IMPLEMENTED,
            "UnsupportedOperation",
        ),
        (
            "GET",
            "/meetings/x",
            Value::Null,
            StatusCode::BAD_REQUEST,
            "BadRequest",
        ),
        (
            "POST",
            "/meetings",
            json!([1]),
            StatusCode::BAD_REQUEST,
            "BadRequest",
        ),
        (
            "POST",
            "/meetings",
            json!({"ClientRequestToken": "ab"}),
            StatusCode::BAD_REQUEST,
            "BadRequest",
        ),
    ];
    for (method, path, body, status, code) in cases {
        let (said, json) = server.call(method, path, &body).await;
        assert_eq!(
            (said, text(&json, "/Code")),
            (status, code),
            "{method} {path}"
        );
    }
    let unsigned = Request::get("/nowhere").body(Body::empty()).unwrap();
    assert_eq!(server.send(unsigned).await.0, StatusCode::NOT_FOUND);
    let large = "x".repeat((1 << 20) + 1);
    let (status, body, _) = server
        .send(sign(
            &server.key,
            now_ms() / 1000,
            "POST",
            "/meetings",
            &large,
        ))
        .await;
    assert_eq!(
        (status, text(&body, "/Code")),
        (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
    );
}

#[tokio::test]
async fn a_visitor_joins_by_pin_and_is_admitted_with_the_token() {
    let server = server().await;
    let meeting = server.meeting().await;
    let (status, place) = server.join(text(&meeting, "/Pin")).await;
    assert_eq!(status, StatusCode::OK, "{place}");
    assert_eq!(
        text(&place, "/DialIn/DialString"),
        format!("{}@meet.example.org", text(&meeting, "/Pin"))
    );
    assert!(text(&place, "/JoinInfo/Attendee/ExternalUserId").ends_with("#Ada"));
    let id = text(&meeting, "/MeetingId");
    let token = text(&place, "/JoinInfo/Attendee/JoinToken");
    let control = &server.shared.control;
    let admitted = control.admit(id, token).await.unwrap();
    assert_eq!(admitted.meeting.id, id);
    assert!(!admitted.content);
    assert!(
        control
            .admit(id, &format!("{token}#content"))
            .await
            .unwrap()
            .content
    );
    assert_eq!(
        control.admit(id, "wrong").await,
        Err(call::admit::SignalRefusal::BadToken)
    );
    let other = server.meeting().await;
    assert_eq!(
        control.admit(text(&other, "/MeetingId"), token).await,
        Err(call::admit::SignalRefusal::BadToken)
    );
    control.store.end_meeting(id, 5).await.unwrap();
    assert_eq!(
        control.admit(id, token).await,
        Err(call::admit::SignalRefusal::MeetingEnded)
    );
    assert_eq!(
        server.join(text(&meeting, "/Pin")).await.0,
        StatusCode::GONE
    );
}

#[tokio::test]
async fn guessing_pins_is_soon_refused_even_for_the_right_one() {
    let server = server().await;
    let meeting = server.meeting().await;
    for _ in 0..3 {
        assert_eq!(server.join("1234567890").await.0, StatusCode::NOT_FOUND);
    }
    let body = json!({"Meeting": text(&meeting, "/Pin"), "Name": "Ada"}).to_string();
    let request = Request::post("/join")
        .header("host", "h:1")
        .body(Body::from(body))
        .unwrap();
    let (status, body, headers) = server.send(request).await;
    assert_eq!(
        (status, text(&body, "/Code")),
        (StatusCode::TOO_MANY_REQUESTS, "Throttling")
    );
    assert_eq!(headers["retry-after"], "60");
}

/// Signed requests in a row that [`server()`] takes from one key, and half as many again each second.
const PACE: u32 = 50;

#[tokio::test]
async fn who_asks_too_fast_is_told_429_by_the_name_of_each_service_and_others_are_not() {
    let mut server = server().await;
    let account = server.key.account_id.clone();
    let control = server.shared.control.clone();
    control.create_api_user(&account, "other").await.unwrap();
    let other = control.create_key(&account, "other").await.unwrap();
    let paths = [
        ("/accounts", "ThrottledClientException"),
        ("/meetings/a/attendees", "ThrottlingException"),
        ("/campanile/meetings", "ThrottledClientException"),
    ];
    let mut refused = 0;
    // More than a slow machine asks while the tokens come back.
    for round in 0..12 * PACE {
        let (path, exception) = paths[round as usize % paths.len()];
        let request = sign(&server.key, now_ms() / 1000, "GET", path, "");
        let (status, body, headers) = server.send(request).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(headers["x-amzn-errortype"], exception);
            assert!(text(&body, "/Message").contains("Rate exceeded"));
            assert_eq!(headers["retry-after"], "1");
            refused += 1;
        }
    }
    assert!(refused > 0);
    // Some of it is in the trail, and not as much as one likes to ask.
    let Control { store, trail, .. } = server.shared.control.clone();
    trail.indexed().await.unwrap();
    let any = (AuditAttribute::EventCategory, "Management");
    let page = Page::first(5000);
    let found = store.audit_rows(&account, any, (0, i64::MAX), &page);
    let found = found.await.unwrap().items;
    let hasty = found.iter().filter(|row| row.document.contains("Throttl"));
    let hasty = hasty.count();
    assert!(
        hasty > 0 && hasty <= 40.min(refused),
        "{hasty} of {refused}"
    );
    server.key = other;
    let (status, _) = server.call("GET", "/accounts", &json!(null)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_call_whose_client_hangs_up_is_done_and_recorded_all_the_same() {
    let server = server().await;
    let body = r#"{"Name":"hung up"}"#;
    let request = sign(&server.key, now_ms() / 1000, "POST", "/accounts", body);
    let mut answering = Box::pin(server.router.clone().oneshot(request));
    // Begun, and then nobody waits for it any more.
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(answering.as_mut().poll(context).is_pending())
    });
    assert!(begun.await);
    drop(answering);
    let Control { store, trail, .. } = server.shared.control.clone();
    let owner = &server.shared.control.deployment.account_id;
    let all = ((0, i64::MAX), Page::first(10));
    let recorded = async {
        loop {
            trail.indexed().await.unwrap();
            let any = (AuditAttribute::EventCategory, "Management");
            let found = store.audit_rows(owner, any, all.0, &all.1).await.unwrap();
            if let [row] = found.items.as_slice() {
                return row.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let row = tokio::time::timeout(Duration::from_secs(20), recorded);
    let row = row.await.unwrap();
    assert_eq!(row.event_name, "CreateAccount");
    assert!(row.document.contains("hung up"), "{}", row.document);
    let (_, listed) = server.call("GET", "/accounts", &json!(null)).await;
    assert_eq!(listed["Accounts"][0]["Name"], "hung up");
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_not_begun() {
    let server = server().await;
    let spool = server.data.path().join("spool/audit");
    std::fs::remove_dir_all(&spool).unwrap();
    let (status, refused) = server
        .call("POST", "/accounts", &json!({"Name": "unrecorded"}))
        .await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused}");
    std::fs::create_dir_all(&spool).unwrap();
    let (_, listed) = server.call("GET", "/accounts", &json!(null)).await;
    assert_eq!(listed["Accounts"], json!([]));
    let (status, _) = server
        .call("POST", "/accounts", &json!({"Name": "recorded"}))
        .await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn client_events_need_a_join_token_and_answer_other_origins() {
    let server = server().await;
    let meeting = server.meeting().await;
    let (_, place) = server.join(text(&meeting, "/Pin")).await;
    let report = |token: &str| {
        Request::post("/client-events")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(
                r#"{"events":[{"payloads":[{"name":"meetingEnded"}]}]}"#,
            ))
            .unwrap()
    };
    let (status, _, headers) = server
        .send(report(text(&place, "/JoinInfo/Attendee/JoinToken")))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers.get("access-control-allow-origin").unwrap(), "*");
    assert_eq!(server.send(report("wrong")).await.0, StatusCode::FORBIDDEN);
    let ask = Request::options("/client-events")
        .body(Body::empty())
        .unwrap();
    assert_eq!(server.send(ask).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_administrators_socket_needs_no_signature_and_nothing_else_is_it() {
    let mut server = server().await;
    let whole = std::mem::replace(&mut server.router, admin::router(server.shared.clone()));
    let request = |method: &str, path: &str, body: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let local = |method: &str, path: &str, body: &str| {
        let mut request = request(method, path, body);
        request.extensions_mut().insert(Local { uid: 1000 });
        request
    };
    let named = r#"{"ExternalMeetingId":"review"}"#;
    let (status, made, _) = server
        .send(local("POST", "/campanile/meetings", named))
        .await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(
        text(&made, "/JoinUrl"),
        format!("https://127.0.0.1:8443/meet/{}", text(&made, "/Pin"))
    );
    let list = || local("GET", "/campanile/meetings", "");
    let (_, listed, _) = server.send(list()).await;
    let mut bare = made.clone();
    for invited in ["Pin", "DialString", "JoinUrl"] {
        assert!(bare.as_object_mut().unwrap().remove(invited).is_some());
    }
    assert_eq!(listed, json!({"Meetings": [bare]}));
    let end = format!("/meetings/{}", text(&made, "/MeetingId"));
    let ended = server.send(local("DELETE", &end, "")).await;
    assert_eq!(ended.0, StatusCode::NO_CONTENT);
    let (_, listed, _) = server.send(list()).await;
    assert_eq!(listed, json!({"Meetings": []}));
    let (_, keys, _) = server.send(local("GET", "/campanile/keys", "")).await;
    assert_eq!(
        text(&keys, "/AccessKeys/0/AccessKeyId"),
        server.key.access_key_id
    );
    let secret = server.key.secret_access_key.expose();
    assert!(!keys.to_string().contains(secret));
    // A path that means nothing, and a connection that is not the socket's.
    let (status, _, _) = server.send(local("GET", "/nonsense", "")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for router in [server.router.clone(), whole] {
        server.router = router;
        let (status, _, _) = server.send(request("GET", "/campanile/keys", "")).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn the_directory_does_not_keep_the_desk_alive() {
    let mut server = server().await;
    let meeting = server.meeting().await;
    let directory = server.shared.control.directory();
    let (_, receiver) = mpsc::channel(1);
    let mut desk = std::mem::replace(&mut server.desk, receiver);
    drop(server.router);
    drop(server.shared);
    assert!(desk.recv().await.is_none());
    let found = directory.find_by_dialled(text(&meeting, "/Pin")).await;
    let Lookup::Meeting { info, who: None } = found else {
        panic!("{found:?}")
    };
    assert_eq!(info.id, text(&meeting, "/MeetingId"));
}

#[tokio::test]
async fn thirteen_digits_say_who_dials_and_whether_it_is_the_host() {
    let server = server().await;
    let meeting = server.meeting().await;
    let directory = server.shared.control.directory();
    let store = &server.shared.control.store;
    let plain = store.meeting(text(&meeting, "/MeetingId")).await.unwrap();
    let mut asked = plain.unwrap().asked;
    asked.meeting_host_id = Some("host".to_owned());
    asked.client_request_token = "another".to_owned();
    let (meeting, _) = store.create_meeting(asked, &[], 1).await.unwrap();
    let (id, pin) = (meeting.meeting_id.as_str(), meeting.pin.as_str());
    let mut suffixes = Vec::new();
    for name in ["host", "guest"] {
        let asked = crate::store::NewAttendee {
            external_user_id: name.to_owned(),
            audio: "SendReceive".to_owned(),
            video: "SendReceive".to_owned(),
            content: "SendReceive".to_owned(),
        };
        let made = store.create_attendee(id, &asked, 1).await.unwrap();
        let suffix = made.unwrap().dial_suffix.unwrap();
        let found = directory.find_by_dialled(&format!("{pin}{suffix}")).await;
        let Lookup::Meeting { who: Some(who), .. } = found else {
            panic!("{found:?}")
        };
        assert_eq!(who.attendee.external_user_id, name);
        assert_eq!(who.moderator, name == "host");
        suffixes.push(suffix);
    }
    let wrong = (0..1000)
        .map(|number| format!("{number:03}"))
        .find(|suffix| !suffixes.contains(suffix))
        .unwrap();
    let nobody = directory.find_by_dialled(&format!("{pin}{wrong}")).await;
    assert_eq!(nobody, Lookup::Unknown);
    store.end_meeting(id, 2).await.unwrap();
    assert_eq!(directory.find_by_dialled(pin).await, Lookup::Ended);
    assert_eq!(
        directory.find_by_dialled("0000000000").await,
        Lookup::Unknown
    );
    assert_eq!(directory.find_by_dialled("ü").await, Lookup::Unknown);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_told_and_recorded_by_every_front() {
    let server = server().await;
    let large = "x".repeat(2 << 20);
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let cbor = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let form = "application/x-www-form-urlencoded";
    let scope =
        "AWS4-HMAC-SHA256 Credential=AKIAUNKNOWNUNKNOWNXX/20260101/us-east-1/sts/aws4_request";
    for (path, headers, told) in [
        ("/accounts", vec![], "RequestEntityTooLargeException"),
        (
            "/campanile/meetings",
            vec![],
            "RequestEntityTooLargeException",
        ),
        ("/", vec![("x-amz-target", target)], "\"__type\""),
        (cbor, vec![("smithy-protocol", "rpc-v2-cbor")], "__type"),
        (
            "/",
            vec![("content-type", form), ("authorization", scope)],
            "<Code>RequestEntityTooLarge</Code>",
        ),
    ] {
        let mut request = Request::post(path).header("host", "h");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(large.clone())).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let named = format!("{:?}", response.headers());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let said = named + &String::from_utf8_lossy(&body);
        assert!(said.contains(told), "{path}: {said}");
    }
    let Control { store, trail, .. } = server.shared.control.clone();
    trail.indexed().await.unwrap();
    let owner = &server.shared.control.deployment.account_id;
    let any = (AuditAttribute::EventCategory, "Management");
    let page = Page::first(10);
    let found = store.audit_rows(owner, any, (0, i64::MAX), &page);
    let found = found.await.unwrap().items;
    let mut names: Vec<&str> = found.iter().map(|row| row.event_name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CreateAccount",
            "ListMetrics",
            "LookupEvents",
            "OpenMeeting"
        ]
    );
    let large = |row: &crate::store::AuditRow| row.document.contains("RequestEntityTooLarge");
    assert!(found.iter().all(large));
}

#[tokio::test]
async fn a_full_meeting_takes_nobody_in_by_any_way_and_says_so() {
    let server = server().await;
    let asked = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "full",
        "Attendees": [{"ExternalUserId": "ada"}]});
    let make = "/meetings?operation=create-attendees";
    let (status, made) = server.call("POST", make, &asked).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let id = text(&made, "/Meeting/MeetingId");
    let store = &server.shared.control.store;
    store.fill_meeting(id, 1).await;
    let attendees = format!("/meetings/{id}/attendees");
    let two = json!({"Attendees": [{"ExternalUserId": "bob"}, {"ExternalUserId": "eve"}]});
    let (status, batch) = server
        .call("POST", &format!("{attendees}?operation=batch-create"), &two)
        .await;
    assert_eq!(status, StatusCode::OK, "{batch}");
    assert_eq!(text(&batch, "/Attendees/0/ExternalUserId"), "bob");
    assert_eq!(
        batch["Errors"],
        json!([{"ExternalUserId": "eve", "ErrorCode": "ResourceLimitExceeded",
            "ErrorMessage": "a meeting has 2500 attendees at most"}])
    );
    let eve = json!({"ExternalUserId": "eve"});
    let (status, refused) = server.call("POST", &attendees, &eve).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(text(&refused, "/Code"), "LimitExceeded");
    let ada = json!({"ExternalUserId": "ada"});
    let (status, again) = server.call("POST", &attendees, &ada).await;
    assert_eq!(status, StatusCode::OK, "{again}");
    assert_eq!(again["Attendee"], made["Attendees"][0]);
    let meeting = store.meeting(id).await.unwrap().unwrap();
    let (status, refused) = server.join(&meeting.pin).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(text(&refused, "/Code"), "LimitExceeded");
}

#[tokio::test]
async fn all_running_meetings_are_listed_page_by_page() {
    let server = server().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(text(&server.meeting().await, "/MeetingId").to_owned());
    }
    let (mut listed, mut next) = (Vec::new(), String::new());
    loop {
        let page = format!("/campanile/meetings?max-results=2{next}");
        let (status, page) = server.call("GET", &page, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let meetings = page["Meetings"].as_array().unwrap();
        assert!(meetings.len() <= 2);
        listed.extend(meetings.iter().map(|it| text(it, "/MeetingId").to_owned()));
        match page.get("NextToken") {
            Some(token) => next = format!("&next-token={}", token.as_str().unwrap()),
            None => break,
        }
    }
    listed.sort();
    made.sort();
    assert_eq!(listed, made);
}
