//! What the old API has no operation for: meetings with PINs, links and dial strings; domains of accounts.

use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::dispatch::{Call, present, time};
use super::input::Input;
use super::meetings;
use super::model::MODEL;
use crate::control::{Control, Refusal};
use crate::store::{Domain, Meeting};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call {
        control,
        caller,
        input,
        ..
    } = call;
    let account = input.required("AccountId");
    let name = input.required("Name");
    match call.name {
        "OpenMeeting" => open_meeting(call).await,
        "ListMeetings" => {
            let listed = control.list_meetings(caller, &call.page()?).await?;
            // How one comes in is not told here: who may list everything may not therefore join everything.
            Ok(call.listed("Meetings", &listed, bare))
        }
        "ShowMeeting" => {
            let id = meetings::meeting_id(input.required("MeetingId"))?;
            let meeting = control.get_meeting(caller, &id).await?;
            Ok(invitation(control, &meeting, call.host))
        }
        "CreateDomain" => {
            let claimed = control.claim_domain(caller, account, name).await?;
            Ok(json!({"Domain": shape(&claimed)}))
        }
        "ListDomains" => {
            let found = control.domains(caller, account).await?;
            Ok(json!({"Domains": found.iter().map(shape).collect::<Vec<_>>()}))
        }
        "GetDomain" => {
            let found = control.domain(caller, account, name).await?;
            Ok(json!({"Domain": shape(&found)}))
        }
        "VerifyDomain" => {
            let found = control.verify_domain(caller, account, name).await?;
            Ok(json!({"Domain": shape(&found)}))
        }
        "DeleteDomain" => {
            let done = control.remove_domain(caller, account, name).await?;
            Ok(json!({"ReleasedUsers": done.released, "SuspendedUsers": done.suspended}))
        }
        _ => call.missing(),
    }
}

/// Makes a meeting from nothing but a name, and that may be missing too.
async fn open_meeting(call: &Call<'_>) -> Result<Value, Refusal> {
    let control = call.control;
    let mut full = Map::new();
    let mut put = |name: &str, value: Value| full.insert(name.to_owned(), value);
    put("ClientRequestToken", json!(control.store.request_token()?));
    put("MediaRegion", json!(control.place.region));
    put("ExternalMeetingId", json!("meeting"));
    let said = call.input.map().into_iter().flatten();
    full.extend(said.map(|(name, value)| (name.clone(), value.clone())));
    let routed = MODEL
        .route("POST", "/meetings", "")
        .ok_or_else(|| Refusal::Failed("the model has no CreateMeeting".to_owned()))?;
    let said = routed.read("", &HeaderMap::new(), &Value::Object(full))?;
    let asked = meetings::new_meeting(call.caller, &Input::new(&said))?;
    let (meeting, _) = control.create_meeting(asked, &[]).await?;
    Ok(invitation(control, &meeting, call.host))
}

/// How people come into a meeting.
fn invitation(control: &Control, meeting: &Meeting, host: &str) -> Value {
    let mut told = bare(meeting);
    told["Pin"] = json!(meeting.pin);
    told["DialString"] = json!(control.place.dial_string(meeting));
    told["JoinUrl"] = json!(control.place.join_url(meeting, host));
    told
}

fn bare(meeting: &Meeting) -> Value {
    json!({
        "MeetingId": meeting.meeting_id,
        "ExternalMeetingId": meeting.asked.external_meeting_id,
        "CreatedTimestamp": time(meeting.created_ms),
    })
}

/// A claim, with the record that proves it.
fn shape(domain: &Domain) -> Value {
    present([
        ("AccountId", Some(json!(domain.account_id))),
        ("Name", Some(json!(domain.name))),
        ("Status", Some(json!(domain.status()))),
        ("RecordName", Some(json!(domain.record_name()))),
        ("RecordType", Some(json!("TXT"))),
        ("RecordValue", Some(json!(domain.record_value()))),
        ("CreatedTimestamp", Some(time(domain.created_ms))),
        ("VerifiedTimestamp", domain.verified_ms.map(time)),
        ("CheckedTimestamp", domain.checked_ms.map(time)),
    ])
}
