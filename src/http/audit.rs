//! From a request and its answer to their entry in the audit trail.

use std::io;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use serde_json::Value;

use super::api::sigv4;
use super::caller::Local;
use crate::control::audit::{Entry, Identity, Resource, seconds};
use crate::control::{Caller, Control, Refusal, now_ms};

/// Which call it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Such as `chime`: what stands before `.amazonaws.com`.
    pub(super) service: &'a str,
    /// The operation.
    pub(super) name: &'a str,
    /// As the answer tells it.
    pub(super) request_id: &'a str,
}

/// What is learnt of a call while it is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Who signed it.
    pub(super) caller: Option<Caller>,
    /// What it is about: an ARN, or `*`.
    pub(super) resource: Option<String>,
    /// What it says, without secrets.
    pub(super) parameters: Value,
    /// What is answered, without secrets.
    pub(super) elements: Value,
}

/// Makes sure, before a call changes something, that it can be taken into the trail.
///
/// # Errors
/// The trail: the call must not be begun.
pub(super) async fn reserve(control: &Control, name: &str) -> Result<(), Refusal> {
    control
        .trail
        .reserve()
        .await
        .map_err(|error| unrecorded(&error, name))
}

/// Takes a call into the trail. Whatever was done, no success may be told where this fails.
///
/// # Errors
/// The trail.
pub(super) async fn keep(
    control: &Control,
    parts: &Parts,
    asked: Asked<'_>,
    known: Known,
    refused: Option<(&str, &str)>,
) -> Result<(), Refusal> {
    let at_ms = now_ms();
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
    let has_room = match &known.caller {
        None => control.trail.has_room_for_a_stranger(peer),
        Some(caller) if refused.is_some_and(|(code, _)| code.starts_with("Throttl")) => {
            let key = caller.access_key_id.as_deref().unwrap_or_default();
            control.trail.has_room_for_haste(key)
        }
        Some(_) => true,
    };
    if !has_room {
        return Ok(());
    }
    let (identity, account) = match &known.caller {
        Some(caller) => (Identity::of(caller), caller.account_id.clone()),
        // Who is not known has no trail but the deployment's: nobody writes into that of others.
        None => (
            Identity::unknown(claimed(parts)),
            control.deployment.account_id.clone(),
        ),
    };
    let read_only = reads(asked.name);
    let local = parts.extensions.get::<Local>();
    let local = local.map(|_| "localhost".to_owned());
    let entry = Entry {
        event_version: Entry::VERSION.to_owned(),
        user_identity: identity,
        event_time: seconds(at_ms),
        event_source: format!("{}.amazonaws.com", asked.service),
        event_name: asked.name.to_owned(),
        aws_region: control.place.region.clone(),
        source_ip_address: peer
            .map(|peer| peer.to_string())
            .or(local)
            .unwrap_or_default(),
        user_agent: header(header::USER_AGENT)
            .unwrap_or_default()
            .chars()
            .take(MOST_AGENT)
            .collect(),
        error_code: refused.map(|(code, _)| code.to_owned()),
        error_message: refused.map(|(_, message)| message.chars().take(MOST_MESSAGE).collect()),
        request_parameters: bounded(known.parameters),
        response_elements: match refused {
            Some(_) => Value::Null,
            None => bounded(known.elements),
        },
        request_id: asked.request_id.to_owned(),
        event_id: control.store.event_id(at_ms)?,
        read_only,
        resources: known
            .resource
            .as_deref()
            .and_then(|arn| resource(&account, arn))
            .into_iter()
            .collect(),
        event_type: "AwsApiCall".to_owned(),
        management_event: true,
        recipient_account_id: account,
        event_category: "Management".to_owned(),
    };
    let lasting = refused.is_none() && (!read_only || !entry.response_elements.is_null());
    let kept = control.trail.keep(&entry, lasting).await;
    kept.map_err(|error| unrecorded(&error, asked.name))
}

fn unrecorded(error: &io::Error, operation: &str) -> Refusal {
    metrics::counter!("campanile_audit_failed_total").increment(1);
    tracing::error!(%error, operation, "a call cannot be recorded in the audit trail");
    Refusal::Unavailable("the request cannot be recorded".to_owned())
}

/// Whether operations of that name change nothing. CloudTrail counts those that give out temporary credentials so.
pub(super) fn reads(name: &str) -> bool {
    const READING: [&str; 9] = [
        "Get",
        "List",
        "Show",
        "Describe",
        "Search",
        "Lookup",
        "Filter",
        "BatchGet",
        "AssumeRole",
    ];
    READING.iter().any(|begin| name.starts_with(begin))
}

/// The key that a request says it is signed with.
fn claimed(parts: &Parts) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let claim = sigv4::claim(&parts.headers).ok();
    let claim = claim.or_else(|| sigv4::claim_of_query(query)?.ok());
    // Nothing else has a place among key ids.
    claim.map(|claim| claim.access_key_id).filter(|id| {
        (16..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn resource(account: &str, arn: &str) -> Option<Resource> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, named) = (parts.next()?, parts.nth(2)?);
    let kind = match service {
        "iam" if named.starts_with("user/") => "AWS::IAM::User".to_owned(),
        "iam" if named.starts_with("role/") => "AWS::IAM::Role".to_owned(),
        "s3" if named.contains('/') => "AWS::S3::Object".to_owned(),
        "s3" => "AWS::S3::Bucket".to_owned(),
        _ => {
            // Of a thing within a thing the inner one.
            let kind = named.rsplit('/').nth(1)?;
            let (_, kind) = KINDS.iter().find(|(known, _)| *known == kind)?;
            format!("AWS::Chime::{kind}")
        }
    };
    Some(Resource {
        account_id: account.to_owned(),
        kind,
        arn: arn.to_owned(),
    })
}

/// CloudTrail leaves out what is larger.
fn bounded(value: Value) -> Value {
    match value.to_string().len() <= MOST_OCTETS {
        true => value,
        false => Value::String("omitted: too large".to_owned()),
    }
}

const KINDS: [(&str, &str); 8] = [
    ("account", "Account"),
    ("user", "User"),
    ("room", "Room"),
    ("bot", "Bot"),
    ("meeting", "Meeting"),
    ("vc", "VoiceConnector"),
    ("vcg", "VoiceConnectorGroup"),
    ("phone-number", "PhoneNumber"),
];

/// Characters, as CloudTrail cuts them.
const MOST_AGENT: usize = 1024;
const MOST_MESSAGE: usize = 1024;
/// Octets of parameters or elements: 100 kB.
const MOST_OCTETS: usize = 102_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thing_that_a_call_is_about_is_the_innermost() {
        let of = |named: &str| {
            let found = resource("1", &format!("arn:aws:chime:us-east-1:1:{named}"))?;
            Some(found.kind)
        };
        assert_eq!(of("meeting/m").as_deref(), Some("AWS::Chime::Meeting"));
        assert_eq!(of("account/a/user/u").as_deref(), Some("AWS::Chime::User"));
        assert_eq!(of("log-group:/aws/x:log-stream:"), None);
        assert_eq!(resource("1", "*"), None);
        let of = |arn: &str| resource("1", arn).map(|found| found.kind);
        assert_eq!(
            of("arn:aws:iam::1:user/ada").as_deref(),
            Some("AWS::IAM::User")
        );
        assert_eq!(
            of("arn:aws:s3:::vault/a/b").as_deref(),
            Some("AWS::S3::Object")
        );
    }

    #[test]
    fn what_reads_is_told_from_what_changes() {
        for name in [
            "GetUser",
            "ListRooms",
            "SearchAvailablePhoneNumbers",
            "AssumeRole",
            "GetSessionToken",
            "ShowMeeting",
        ] {
            assert!(reads(name), "{name}");
        }
        for name in [
            "CreateUser",
            "BatchSuspendUser",
            "ResetPersonalPIN",
            "TagResource",
            "OpenMeeting",
        ] {
            assert!(!reads(name), "{name}");
        }
    }
}
