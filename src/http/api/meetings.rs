//! chime-sdk-meetings in JSON: requests read by the bounds of its model, answers written in its shapes.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::fields::{Fields, refuse};
use crate::control::attendees::{CAPABILITIES, Wanted};
use crate::control::{Caller, Place, Refusal};
use crate::store::{Attendee, Meeting, NewMeeting};

/// Reads `CreateMeeting`, and all of `CreateMeetingWithAttendees` but its attendees.
pub(super) fn new_meeting(caller: &Caller, body: &Value) -> Result<NewMeeting, Refusal> {
    let fields = Fields::of(body)?;
    let token = fields.required_text("ClientRequestToken", 2..=64)?;
    if !token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    {
        return Err(fields.refuse(
            "ClientRequestToken",
            "must hold only letters, digits, - and _",
        ));
    }
    let region = fields.required_text("MediaRegion", 2..=64)?;
    if !region
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return Err(fields.refuse(
            "MediaRegion",
            "must be the name of a region, such as us-east-1",
        ));
    }
    let external = fields.required_text("ExternalMeetingId", 2..=64)?;
    let host = fields.text("MeetingHostId", 2..=64)?;
    for (name, value) in [
        ("ExternalMeetingId", Some(external)),
        ("MeetingHostId", host),
    ] {
        if value.is_some_and(|value| value.starts_with("aws:")) {
            return Err(fields.refuse(name, "must not begin with aws:, which is reserved"));
        }
    }
    if fields.text("PrimaryMeetingId", 2..=64)?.is_some() {
        return Err(Refusal::NotOffered(
            "PrimaryMeetingId: replica meetings are not offered by this server".to_owned(),
        ));
    }
    fields.choice("MediaPlacementNetworkType", &["Ipv4Only", "DualStack"])?;
    Ok(NewMeeting {
        account_id: caller.account_id.clone(),
        external_meeting_id: external.to_owned(),
        meeting_host_id: host.map(str::to_owned),
        media_region: region.to_owned(),
        client_request_token: token.to_owned(),
        request_digest: request_digest(body),
        features: features(&fields)?,
        tenant_ids: tenant_ids(&fields)?,
        tags: tags(&fields)?,
        notifications: notifications(&fields)?,
    })
}

/// Reads the attendees of `CreateMeetingWithAttendees`; nobody twice.
pub(super) fn new_attendees(body: &Value) -> Result<Vec<Wanted>, Refusal> {
    let fields = Fields::of(body)?;
    let items = fields
        .objects("Attendees", 1..=20)?
        .ok_or_else(|| fields.refuse("Attendees", "is required"))?;
    let attendees = items.iter().map(wanted).collect::<Result<Vec<_>, _>>()?;
    for (at, attendee) in attendees.iter().enumerate() {
        let earlier = attendees.iter().take(at);
        if earlier
            .into_iter()
            .any(|other| other.external_user_id == attendee.external_user_id)
        {
            return Err(fields.refuse(
                format!("Attendees.{}.ExternalUserId", at + 1),
                "is there twice",
            ));
        }
    }
    Ok(attendees)
}

/// Reads `CreateAttendee`.
pub(super) fn new_attendee(body: &Value) -> Result<Wanted, Refusal> {
    wanted(&Fields::of(body)?)
}

fn wanted(fields: &Fields<'_>) -> Result<Wanted, Refusal> {
    let external_user_id = fields.required_text("ExternalUserId", 2..=64)?;
    if external_user_id.starts_with("aws:") {
        return Err(fields.refuse(
            "ExternalUserId",
            "must not begin with aws:, which is reserved",
        ));
    }
    let capabilities = match fields.object("Capabilities")? {
        None => None,
        Some(capabilities) => {
            let word = |kind: &str| {
                capabilities
                    .choice(kind, &CAPABILITIES)?
                    .map(str::to_owned)
                    .ok_or_else(|| capabilities.refuse(kind, "is required"))
            };
            Some([word("Audio")?, word("Video")?, word("Content")?])
        }
    };
    Ok(Wanted {
        external_user_id: external_user_id.to_owned(),
        capabilities,
    })
}

/// `MeetingFeatures`, with nothing in it that the model does not know.
fn features(fields: &Fields<'_>) -> Result<Value, Refusal> {
    let Some(features) = fields.object("MeetingFeatures")? else {
        return Ok(json!({}));
    };
    let mut kept = Map::new();
    let words = [
        (
            "Audio",
            "EchoReduction",
            ["AVAILABLE", "UNAVAILABLE"].as_slice(),
        ),
        ("Video", "MaxResolution", ["None", "HD", "FHD"].as_slice()),
        (
            "Content",
            "MaxResolution",
            ["None", "FHD", "UHD"].as_slice(),
        ),
    ];
    for (kind, name, choices) in words {
        if let Some(inner) = features.object(kind)? {
            let value = inner.choice(name, choices)?;
            kept.insert(
                kind.to_owned(),
                value.map_or_else(|| json!({}), |value| json!({name: value})),
            );
        }
    }
    if let Some(attendee) = features.object("Attendee")? {
        let count = attendee.number("MaxCount", 1..=250)?;
        kept.insert(
            "Attendee".to_owned(),
            count.map_or_else(|| json!({}), |count| json!({"MaxCount": count})),
        );
    }
    Ok(Value::Object(kept))
}

fn tenant_ids(fields: &Fields<'_>) -> Result<Value, Refusal> {
    let Some(items) = fields.list("TenantIds", 1..=5)? else {
        return Ok(json!([]));
    };
    for (at, item) in items.iter().enumerate() {
        let fits = item.as_str().is_some_and(|id| {
            (2..=256).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_!@#$".contains(&byte))
                // The model forbids four equal characters in a row.
                && !id.as_bytes().windows(4).any(|four| four.iter().all(|byte| Some(byte) == four.first()))
        });
        if !fits {
            return Err(fields.refuse(
                format!("TenantIds.{}", at + 1),
                "must have 2 to 256 of letters, digits and -_!@#$, no four equal ones in a row",
            ));
        }
    }
    Ok(json!(items))
}

fn tags(fields: &Fields<'_>) -> Result<Value, Refusal> {
    let Some(items) = fields.objects("Tags", 0..=50)? else {
        return Ok(json!([]));
    };
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let key = item.required_text("Key", 1..=128)?;
        let value = item.required_text("Value", 0..=256)?;
        if kept
            .iter()
            .any(|tag| tag.get("Key").and_then(Value::as_str) == Some(key))
        {
            return Err(item.refuse("Key", "is there twice"));
        }
        kept.push(json!({"Key": key, "Value": value}));
    }
    Ok(Value::Array(kept))
}

fn notifications(fields: &Fields<'_>) -> Result<Value, Refusal> {
    let Some(inner) = fields.object("NotificationsConfiguration")? else {
        return Ok(json!({}));
    };
    let mut kept = Map::new();
    for name in ["LambdaFunctionArn", "SnsTopicArn", "SqsQueueArn"] {
        if let Some(arn) = inner.text(name, 1..=1024)? {
            if !arn.starts_with("arn") {
                return Err(inner.refuse(name, "must be an ARN"));
            }
            kept.insert(name.to_owned(), json!(arn));
        }
    }
    Ok(Value::Object(kept))
}

/// A meeting id in a path: a UUID, told from others in lower case.
pub(crate) fn meeting_id(text: &str) -> Result<String, Refusal> {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if digits && groups == [8, 4, 4, 4, 12] {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(refuse("MeetingId", "must be a UUID"))
    }
}

/// SHA-256 of all that a request says but its token.
pub(super) fn request_digest(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(object) = body.as_object_mut() {
        object.remove("ClientRequestToken");
        object.sort_keys();
    }
    digest(&SHA256, body.to_string().as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A meeting in the API's shape, its URLs at `host`.
pub(crate) fn meeting(meeting: &Meeting, place: &Place, host: &str) -> Value {
    let id = &meeting.meeting_id;
    let asked = &meeting.asked;
    let signaling = format!("wss://{host}/signal/{id}");
    let mut shape = json!({
        "MeetingId": id,
        "ExternalMeetingId": asked.external_meeting_id,
        "MediaRegion": asked.media_region,
        "MediaPlacement": {
            "AudioHostUrl": place.audio,
            // Audio, video and screens all travel by one signaling connection here.
            "AudioFallbackUrl": signaling,
            "SignalingUrl": signaling,
            "ScreenDataUrl": signaling,
            "ScreenViewingUrl": signaling,
            "ScreenSharingUrl": signaling,
            "EventIngestionUrl": format!("https://{host}/client-events"),
        },
        "MeetingFeatures": features_with_defaults(&asked.features),
        "TenantIds": asked.tenant_ids,
        "MeetingArn": format!("arn:aws:chime:{}:{}:meeting/{id}", place.region, asked.account_id),
    });
    if let (Some(host_id), Some(shape)) = (&asked.meeting_host_id, shape.as_object_mut()) {
        shape.insert("MeetingHostId".to_owned(), json!(host_id));
    }
    shape
}

/// An attendee in the API's shape. Here, and nowhere else, its token is given out.
pub(crate) fn attendee(attendee: &Attendee) -> Value {
    json!({
        "ExternalUserId": attendee.asked.external_user_id,
        "AttendeeId": attendee.attendee_id,
        "JoinToken": attendee.join_token.expose(),
        "Capabilities": {
            "Audio": attendee.asked.audio,
            "Video": attendee.asked.video,
            "Content": attendee.asked.content,
        },
    })
}

fn features_with_defaults(asked: &Value) -> Value {
    let mut features = json!({
        "Audio": {"EchoReduction": "UNAVAILABLE"},
        "Video": {"MaxResolution": "HD"},
        "Content": {"MaxResolution": "FHD"},
        "Attendee": {"MaxCount": 250},
    });
    for (kind, inner) in asked.as_object().into_iter().flatten() {
        for (name, value) in inner.as_object().into_iter().flatten() {
            if let Some(slot) = features.get_mut(kind).and_then(Value::as_object_mut) {
                slot.insert(name.clone(), value.clone());
            }
        }
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller::administrator("123456789012")
    }

    fn with(name: &str, value: Value) -> Result<NewMeeting, Refusal> {
        let mut body = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "stand-up"});
        body.as_object_mut().unwrap().insert(name.to_owned(), value);
        new_meeting(&caller(), &body)
    }

    #[test]
    fn every_broken_field_is_named() {
        let cases = [
            ("ClientRequestToken", json!("a"), "ClientRequestToken: "),
            ("ClientRequestToken", json!("a b c"), "ClientRequestToken: "),
            (
                "ClientRequestToken",
                Value::Null,
                "ClientRequestToken: is required",
            ),
            (
                "ClientRequestToken",
                json!(7),
                "ClientRequestToken: must be a string",
            ),
            ("MediaRegion", json!("x"), "MediaRegion: "),
            ("MediaRegion", json!("no where"), "MediaRegion: "),
            (
                "ExternalMeetingId",
                json!("x"),
                "ExternalMeetingId: must have 2 to 64 characters",
            ),
            (
                "ExternalMeetingId",
                json!("é".repeat(65)),
                "ExternalMeetingId: ",
            ),
            ("ExternalMeetingId", json!("aws:x"), "ExternalMeetingId: "),
            ("MeetingHostId", json!("x"), "MeetingHostId: "),
            ("PrimaryMeetingId", json!("abc"), "PrimaryMeetingId: "),
            ("TenantIds", json!([]), "TenantIds: "),
            ("TenantIds", json!(["ok", "aaaa"]), "TenantIds.2: "),
            ("Tags", json!([{"Key": "k"}]), "Tags.1.Value: is required"),
            (
                "Tags",
                json!([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]),
                "Tags.2.Key: ",
            ),
            ("Tags", json!("x"), "Tags: must be a list"),
            (
                "MeetingFeatures",
                json!({"Video": {"MaxResolution": "8K"}}),
                "MeetingFeatures.Video.MaxResolution: ",
            ),
            (
                "MeetingFeatures",
                json!({"Attendee": {"MaxCount": 251}}),
                "MeetingFeatures.Attendee.MaxCount: ",
            ),
            (
                "MeetingFeatures",
                json!([]),
                "MeetingFeatures: must be an object",
            ),
            (
                "NotificationsConfiguration",
                json!({"SnsTopicArn": "x"}),
                "NotificationsConfiguration.SnsTopicArn: ",
            ),
            (
                "MediaPlacementNetworkType",
                json!("Ipv6"),
                "MediaPlacementNetworkType: ",
            ),
        ];
        for (name, value, expected) in cases {
            let said = with(name, value).unwrap_err().to_string();
            assert!(
                said.starts_with(expected),
                "{said} does not begin with {expected}"
            );
        }
    }

    #[test]
    fn a_length_counts_characters_and_not_octets() {
        with("ExternalMeetingId", json!("é".repeat(64))).unwrap();
    }

    #[test]
    fn a_retry_has_the_same_digest_whatever_its_token_and_order() {
        let one = json!({"ClientRequestToken": "a1", "MediaRegion": "r", "ExternalMeetingId": "x"});
        let two = json!({"ExternalMeetingId": "x", "MediaRegion": "r", "ClientRequestToken": "b2"});
        let other =
            json!({"ExternalMeetingId": "y", "MediaRegion": "r", "ClientRequestToken": "b2"});
        assert_eq!(request_digest(&one), request_digest(&two));
        assert_ne!(request_digest(&one), request_digest(&other));
    }

    #[test]
    fn attendees_need_a_name_and_all_three_capabilities() {
        let said = |body: Value| new_attendees(&body).unwrap_err().to_string();
        assert_eq!(said(json!({})), "Attendees: is required");
        assert_eq!(
            said(json!({"Attendees": [{}]})),
            "Attendees.1.ExternalUserId: is required"
        );
        assert_eq!(
            said(
                json!({"Attendees": [{"ExternalUserId": "ada", "Capabilities": {"Audio": "Send"}}]})
            ),
            "Attendees.1.Capabilities.Video: is required"
        );
        let twice = json!({"Attendees": [{"ExternalUserId": "ada"}, {"ExternalUserId": "ada"}]});
        assert_eq!(said(twice), "Attendees.2.ExternalUserId: is there twice");
    }

    #[test]
    fn a_meeting_id_is_a_uuid_in_any_case() {
        assert_eq!(
            meeting_id("00112233-4455-4677-8899-AABBCCDDEEFF").unwrap(),
            "00112233-4455-4677-8899-aabbccddeeff"
        );
        for bad in [
            "",
            "x",
            "00112233-4455-4677-8899-aabbccddeef",
            "00112233-4455-4677-8899-aabbccddeegg",
            "----",
        ] {
            assert!(meeting_id(bad).is_err(), "{bad}");
        }
    }
}
