//! chime-sdk-meetings in JSON.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::accounts::done;
use super::dispatch::Call;
use super::input::Input;
use super::model::spelt_arn;
use crate::control::attendees::Wanted;
use crate::control::tags::Tagged;
use crate::control::{Caller, Control, Place, Refusal};
use crate::store::{Attendee, Meeting, NewMeeting};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let id = input.required("MeetingId").to_ascii_lowercase();
    let who = input.required("AttendeeId").to_ascii_lowercase();
    match call.name {
        "CreateMeeting" => {
            let (meeting, _) = control
                .create_meeting(new_meeting(caller, input)?, &[])
                .await?;
            Ok(json!({"Meeting": shape(call, &meeting)}))
        }
        "CreateMeetingWithAttendees" => {
            let wanted = new_attendees(input)?;
            let (meeting, attendees) = control
                .create_meeting(new_meeting(caller, input)?, &wanted)
                .await?;
            let (attendees, errors) = told(wanted.iter().zip(attendees));
            Ok(json!({"Meeting": shape(call, &meeting), "Attendees": attendees, "Errors": errors}))
        }
        "GetMeeting" => {
            let meeting = control.get_meeting(caller, &id).await?;
            Ok(json!({"Meeting": shape(call, &meeting)}))
        }
        "DeleteMeeting" => done(control.end_meeting(caller, &id).await),
        "CreateAttendee" => {
            let made = control
                .create_attendee(caller, &id, &wanted(input)?)
                .await?;
            Ok(json!({"Attendee": attendee(&made)}))
        }
        "BatchCreateAttendee" => {
            control.get_meeting(caller, &id).await?;
            let wanted = new_attendees(input)?;
            let mut made = Vec::with_capacity(wanted.len());
            for asked in &wanted {
                made.push(control.create_attendee(caller, &id, asked).await);
            }
            let (attendees, errors) = told(wanted.iter().zip(made));
            Ok(json!({"Attendees": attendees, "Errors": errors}))
        }
        "GetAttendee" => {
            let found = control.attendee(caller, &id, &who).await?;
            Ok(json!({"Attendee": attendee(&found)}))
        }
        "ListAttendees" => {
            let listed = control.attendees(caller, &id, &call.page()?).await?;
            Ok(call.listed("Attendees", &listed, attendee))
        }
        "DeleteAttendee" => done(control.remove_attendee(caller, &id, &who).await),
        "UpdateAttendeeCapabilities" => {
            let capabilities = capabilities(input)?;
            let updated = control
                .update_attendee(caller, &id, &who, &capabilities)
                .await?;
            Ok(json!({"Attendee": attendee(&updated)}))
        }
        "BatchUpdateAttendeeCapabilitiesExcept" => {
            let excluded: Vec<String> = input
                .list("ExcludedAttendeeIds")
                .map(|item| item.required("AttendeeId").to_ascii_lowercase())
                .collect();
            let capabilities = capabilities(input)?;
            done(
                control
                    .update_attendees_except(caller, &id, excluded, &capabilities)
                    .await,
            )
        }
        "TagResource" => {
            let arn = input.required("ResourceARN");
            done(
                control
                    .tag(caller, &tagged(control, caller, arn)?, &tags(input)?)
                    .await,
            )
        }
        "UntagResource" => {
            let arn = input.required("ResourceARN");
            let keys = input.texts("TagKeys");
            done(
                control
                    .untag(caller, &tagged(control, caller, arn)?, &keys)
                    .await,
            )
        }
        "ListTagsForResource" => {
            let arn = input.required("ResourceARN");
            let tags = control.tags(caller, &tagged(control, caller, arn)?).await?;
            Ok(json!({"Tags": tags}))
        }
        _ => call.missing(),
    }
}

/// Reads `CreateMeeting`, and all of `CreateMeetingWithAttendees` but its attendees: what the model's bounds do not say.
pub(super) fn new_meeting(caller: &Caller, input: &Input<'_>) -> Result<NewMeeting, Refusal> {
    let region = input.required("MediaRegion");
    if !region
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return Err(Refusal::invalid(
            "MediaRegion",
            "must be the name of a region, such as us-east-1",
        ));
    }
    for name in ["ExternalMeetingId", "MeetingHostId"] {
        unreserved(name, input.text(name).unwrap_or_default())?;
    }
    if input.text("PrimaryMeetingId").is_some() {
        return Err(Refusal::NotOffered(
            "PrimaryMeetingId: replica meetings are not offered by this server".to_owned(),
        ));
    }
    let document = |name: &str, empty: Value| input.value(name).cloned().unwrap_or(empty);
    Ok(NewMeeting {
        account_id: caller.account_id.clone(),
        external_meeting_id: input.required("ExternalMeetingId").to_owned(),
        meeting_host_id: input.text("MeetingHostId").map(str::to_owned),
        media_region: region.to_owned(),
        client_request_token: input.required("ClientRequestToken").to_owned(),
        request_digest: request_digest(input),
        features: document("MeetingFeatures", json!({})),
        tenant_ids: document("TenantIds", json!([])),
        tags: tags(input)?,
        notifications: document("NotificationsConfiguration", json!({})),
    })
}

/// Those who are attendees now, and why the others are not.
fn told<'a>(
    made: impl Iterator<Item = (&'a Wanted, Result<Attendee, Refusal>)>,
) -> (Vec<Value>, Vec<Value>) {
    let (mut attendees, mut errors) = (Vec::new(), Vec::new());
    for (asked, made) in made {
        match made {
            Ok(made) => attendees.push(attendee(&made)),
            Err(refusal) => errors.push(json!({
                "ExternalUserId": asked.external_user_id,
                "ErrorCode": refusal.code(),
                "ErrorMessage": refusal.to_string(),
            })),
        }
    }
    (attendees, errors)
}

/// Reads a list of new attendees; nobody twice.
pub(super) fn new_attendees(input: &Input<'_>) -> Result<Vec<Wanted>, Refusal> {
    let attendees = input
        .list("Attendees")
        .map(|item| wanted(&item))
        .collect::<Result<Vec<_>, _>>()?;
    for (at, attendee) in attendees.iter().enumerate() {
        let earlier = attendees.iter().take(at);
        if earlier
            .into_iter()
            .any(|other| other.external_user_id == attendee.external_user_id)
        {
            return Err(Refusal::invalid(
                format!("Attendees.{}.ExternalUserId", at + 1),
                "is there twice",
            ));
        }
    }
    Ok(attendees)
}

fn wanted(input: &Input<'_>) -> Result<Wanted, Refusal> {
    let external_user_id = input.required("ExternalUserId");
    unreserved("ExternalUserId", external_user_id)?;
    let capabilities = match input.object("Capabilities") {
        None => None,
        Some(_) => Some(capabilities(input)?),
    };
    Ok(Wanted {
        external_user_id: external_user_id.to_owned(),
        capabilities,
    })
}

/// Audio, video and content.
fn capabilities(input: &Input<'_>) -> Result<[String; 3], Refusal> {
    let said = input.object("Capabilities");
    let word = |kind: &str| {
        said.and_then(|said| said.text(kind))
            .map(str::to_owned)
            .ok_or_else(|| Refusal::invalid(format!("Capabilities.{kind}"), "is required"))
    };
    Ok([word("Audio")?, word("Video")?, word("Content")?])
}

fn unreserved(name: &str, value: &str) -> Result<(), Refusal> {
    if value.starts_with("aws:") {
        return Err(Refusal::invalid(
            name,
            "must not begin with aws:, which is reserved",
        ));
    }
    Ok(())
}

/// The tags of a request; no key twice.
pub(super) fn tags(input: &Input<'_>) -> Result<Value, Refusal> {
    let mut kept: Vec<Value> = Vec::new();
    for (at, item) in input.list("Tags").enumerate() {
        let (key, value) = (item.required("Key"), item.required("Value"));
        if kept
            .iter()
            .any(|tag| tag.get("Key").and_then(Value::as_str) == Some(key))
        {
            return Err(Refusal::invalid(
                format!("Tags.{}.Key", at + 1),
                "is there twice",
            ));
        }
        kept.push(json!({"Key": key, "Value": value}));
    }
    Ok(Value::Array(kept))
}

/// What an ARN names that can bear tags.
pub(super) fn tagged(control: &Control, caller: &Caller, arn: &str) -> Result<Tagged, Refusal> {
    let arn = spelt_arn(arn);
    let (whose, named) = arn.rsplit_once(':').unwrap_or_default();
    let tagged = match named.split_once('/') {
        Some(("meeting", id)) => Tagged::Meeting(id.to_owned()),
        Some(("vc", id)) => Tagged::Connector(id.to_owned()),
        _ => {
            let rule = "must be the ARN of a meeting or a voice connector";
            return Err(Refusal::invalid("ResourceARN", rule));
        }
    };
    // Another account's, region's or service's thing is none of the caller's, whatever its last part says.
    match super::arn(control, caller, named) == format!("{whose}:{named}") {
        true => Ok(tagged),
        false => Err(Refusal::NotFound("the resource")),
    }
}

fn shape(call: &Call<'_>, of: &Meeting) -> Value {
    meeting(of, &call.control.place, call.host)
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
        Err(Refusal::invalid("MeetingId", "must be a UUID"))
    }
}

/// SHA-256 of all that a request says but its token.
pub(super) fn request_digest(input: &Input<'_>) -> String {
    let mut said = input.map().cloned().unwrap_or_default();
    said.remove("ClientRequestToken");
    said.sort_keys();
    digest(&SHA256, Value::Object(said).to_string().as_bytes())
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
    use axum::http::HeaderMap;

    use super::super::model::MODEL;
    use super::*;

    fn caller() -> Caller {
        Caller::administrator("123456789012")
    }

    /// As the model reads a request of that operation.
    fn checked(query: &str, body: &Value) -> Result<Value, Refusal> {
        let routed = MODEL.route("POST", "/meetings", query).unwrap();
        routed.read(query, &HeaderMap::new(), body)
    }

    fn body(name: &str, value: Value) -> Value {
        let mut body = json!({"ClientRequestToken": "abc", "MediaRegion": "us-east-1", "ExternalMeetingId": "stand-up"});
        body.as_object_mut().unwrap().insert(name.to_owned(), value);
        body
    }

    fn with(name: &str, value: Value) -> Result<NewMeeting, Refusal> {
        let input = checked("", &body(name, value))?;
        new_meeting(&caller(), &Input::new(&input))
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
        let digest = |body: Value| request_digest(&Input::new(&body));
        let one = digest(
            json!({"ClientRequestToken": "a1", "MediaRegion": "r", "ExternalMeetingId": "x"}),
        );
        let two = digest(
            json!({"ExternalMeetingId": "x", "MediaRegion": "r", "ClientRequestToken": "b2"}),
        );
        let other = digest(
            json!({"ExternalMeetingId": "y", "MediaRegion": "r", "ClientRequestToken": "b2"}),
        );
        assert_eq!(one, two);
        assert_ne!(one, other);
    }

    #[test]
    fn attendees_need_a_name_and_all_three_capabilities() {
        let said = |value: Value| {
            let input = checked("operation=create-attendees", &body("Attendees", value))?;
            new_attendees(&Input::new(&input))
        };
        let refusal = |value: Value| said(value).unwrap_err().to_string();
        assert_eq!(refusal(Value::Null), "Attendees: is required");
        assert_eq!(
            refusal(json!([{}])),
            "Attendees.1.ExternalUserId: is required"
        );
        assert_eq!(
            refusal(json!([{"ExternalUserId": "ada", "Capabilities": {"Audio": "Send"}}])),
            "Attendees.1.Capabilities.Content: is required"
        );
        assert_eq!(
            refusal(json!([{"ExternalUserId": "ada"}, {"ExternalUserId": "ada"}])),
            "Attendees.2.ExternalUserId: is there twice"
        );
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
