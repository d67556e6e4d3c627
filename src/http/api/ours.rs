//! What the old API has no operation for, under `/campanile/…` and signed alike: meetings with PINs, links and dial
//! strings; domains of accounts.

use axum::http::request::Parts;
use serde_json::{Value, json};

use super::dispatch::{present, time};
use super::model::told;
use super::{invitation, meetings, open_meeting};
use crate::control::{Caller, Control, Refusal};
use crate::store::Domain;

/// One such operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ours {
    /// A meeting with PIN, dial string and link, from nothing but a name.
    OpenMeeting,
    /// The running meetings with PINs.
    ListMeetings,
    /// One meeting with its PIN.
    ShowMeeting(String),
    /// Something with the domains of an account.
    Domains(DomainVerb, String),
}

/// What is done with domains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum DomainVerb {
    /// Claims one; the answer says which TXT record to add.
    Create,
    List,
    Get(String),
    /// Looks for the record.
    Verify(String),
    Delete(String),
}

impl Ours {
    pub(super) fn route(parts: &Parts) -> Option<Self> {
        let path = parts.uri.path().strip_prefix("/campanile/")?;
        let segments: Vec<&str> = path.split('/').collect();
        let operation = parts.uri.query();
        match (parts.method.as_str(), segments.as_slice()) {
            ("POST", ["meetings"]) => Some(Self::OpenMeeting),
            ("GET", ["meetings"]) => Some(Self::ListMeetings),
            ("GET", ["meetings", id]) => Some(Self::ShowMeeting((*id).to_owned())),
            (method, ["accounts", account, "domains", rest @ ..]) => {
                let verb = match (method, rest) {
                    ("POST", []) => DomainVerb::Create,
                    ("GET", []) => DomainVerb::List,
                    ("GET", [name]) => DomainVerb::Get((*name).to_owned()),
                    ("POST", [name]) if operation == Some("operation=verify") => {
                        DomainVerb::Verify((*name).to_owned())
                    }
                    ("DELETE", [name]) => DomainVerb::Delete((*name).to_owned()),
                    _ => return None,
                };
                Some(Self::Domains(verb, (*account).to_owned()))
            }
            _ => None,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::OpenMeeting => "OpenMeeting",
            Self::ListMeetings => "ListMeetings",
            Self::ShowMeeting(_) => "ShowMeeting",
            Self::Domains(DomainVerb::Create, _) => "CreateDomain",
            Self::Domains(DomainVerb::List, _) => "ListDomains",
            Self::Domains(DomainVerb::Get(_), _) => "GetDomain",
            Self::Domains(DomainVerb::Verify(_), _) => "VerifyDomain",
            Self::Domains(DomainVerb::Delete(_), _) => "DeleteDomain",
        }
    }

    /// The request as the audit trail tells it.
    pub(super) fn told(&self, said: Option<&Value>) -> Value {
        let member = |name: &str| said.and_then(|said| said.get(name)).and_then(Value::as_str);
        match self {
            Self::OpenMeeting => match said {
                Some(said) => told(Some("CreateMeetingRequest"), said),
                None => Value::Null,
            },
            Self::ListMeetings => Value::Null,
            Self::ShowMeeting(id) => json!({"meetingId": id}),
            Self::Domains(verb, account) => {
                let name = match verb {
                    DomainVerb::Create => member("Name"),
                    DomainVerb::List => None,
                    DomainVerb::Get(name) | DomainVerb::Verify(name) | DomainVerb::Delete(name) => {
                        Some(name.as_str())
                    }
                };
                present([
                    ("accountId", Some(json!(account))),
                    ("name", name.map(|name| json!(name))),
                ])
            }
        }
    }

    /// What it is about, as policies name it; `None` for nothing in particular.
    pub(super) fn resource(&self) -> Option<String> {
        match self {
            Self::OpenMeeting | Self::ListMeetings => None,
            Self::ShowMeeting(id) => Some(format!("meeting/{id}")),
            Self::Domains(_, account) => Some(format!("account/{account}")),
        }
    }

    pub(super) async fn perform(
        self,
        control: &Control,
        caller: &Caller,
        said: &Value,
        host: &str,
    ) -> Result<Value, Refusal> {
        match self {
            Self::OpenMeeting => open_meeting(control, caller, said, host).await,
            Self::ListMeetings => {
                let found = control.list_meetings(caller).await?;
                let listed: Vec<Value> = found
                    .iter()
                    .map(|meeting| invitation(control, meeting, host))
                    .collect();
                Ok(json!({"Meetings": listed}))
            }
            Self::ShowMeeting(id) => {
                let meeting = control
                    .get_meeting(caller, &meetings::meeting_id(&id)?)
                    .await?;
                Ok(invitation(control, &meeting, host))
            }
            Self::Domains(verb, account) => verb.perform(control, caller, &account, said).await,
        }
    }
}

/// An answer as the audit trail tells it: nothing of how to come into a meeting.
pub(super) fn told_answer(answer: &Value) -> Value {
    let text = |at: &str| answer.pointer(at).cloned();
    present([
        ("meetingId", text("/MeetingId")),
        ("name", text("/Domain/Name")),
        ("status", text("/Domain/Status")),
        ("releasedUsers", text("/ReleasedUsers")),
        ("suspendedUsers", text("/SuspendedUsers")),
    ])
}

impl DomainVerb {
    async fn perform(
        self,
        control: &Control,
        caller: &Caller,
        account: &str,
        said: &Value,
    ) -> Result<Value, Refusal> {
        match self {
            Self::Create => {
                let name = said.get("Name").and_then(Value::as_str);
                let name = name.ok_or_else(|| Refusal::invalid("Name", "is required"))?;
                let claimed = control.claim_domain(caller, account, name).await?;
                Ok(json!({"Domain": shape(&claimed)}))
            }
            Self::List => {
                let found = control.domains(caller, account).await?;
                Ok(json!({"Domains": found.iter().map(shape).collect::<Vec<_>>()}))
            }
            Self::Get(name) => {
                let found = control.domain(caller, account, &name).await?;
                Ok(json!({"Domain": shape(&found)}))
            }
            Self::Verify(name) => {
                let found = control.verify_domain(caller, account, &name).await?;
                Ok(json!({"Domain": shape(&found)}))
            }
            Self::Delete(name) => {
                let done = control.remove_domain(caller, account, &name).await?;
                Ok(json!({"ReleasedUsers": done.released, "SuspendedUsers": done.suspended}))
            }
        }
    }
}

/// A claim, with the record that proves it.
pub(crate) fn shape(domain: &Domain) -> Value {
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
