//! Which operations are offered, and which noun carries each out.

use serde_json::{Value, json};

use super::input::Input;
use super::model::Operation;
use super::page::Pager;
use super::{
    access, accounts, connectors, events, figures, logs, meetings, numbers, objects, ours, owners,
    rooms, users,
};
use crate::control::{Caller, Control, Refusal};
use crate::store::{Listed, Page};

/// Whose operation it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Noun {
    Accounts,
    Users,
    Rooms,
    Numbers,
    Connectors,
    Meetings,
    Events,
    Logs,
    Metrics,
    Ours,
    Owners,
    Access,
    Objects,
}

impl Noun {
    /// The service that it alone belongs to.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::Events => Some("cloudtrail"),
            Self::Logs => Some("logs"),
            Self::Metrics => Some("cloudwatch"),
            Self::Ours => Some("campanile"),
            Self::Owners => Some("organizations"),
            Self::Access => Some("iam"),
            Self::Objects => Some("s3"),
            _ => None,
        }
    }
}

/// Every operation that is carried out here. What the model knows beyond is answered as not offered.
#[rustfmt::skip]
pub(crate) const OFFERED: &[(Noun, &[&str])] = &[
    (Noun::Accounts, &[
        "CreateAccount", "GetAccount", "ListAccounts", "UpdateAccount", "DeleteAccount",
        "GetAccountSettings", "UpdateAccountSettings", "GetRetentionSettings", "PutRetentionSettings",
        "AssociateSigninDelegateGroupsWithAccount", "DisassociateSigninDelegateGroupsFromAccount",
        "GetGlobalSettings", "UpdateGlobalSettings",
    ]),
    (Noun::Users, &[
        "CreateUser", "InviteUsers", "GetUser", "ListUsers", "UpdateUser", "BatchUpdateUser",
        "BatchSuspendUser", "BatchUnsuspendUser", "LogoutUser", "ResetPersonalPIN",
        "GetUserSettings", "UpdateUserSettings",
        "AssociatePhoneNumberWithUser", "DisassociatePhoneNumberFromUser",
    ]),
    (Noun::Rooms, &[
        "CreateRoom", "GetRoom", "ListRooms", "UpdateRoom", "DeleteRoom",
        "CreateRoomMembership", "BatchCreateRoomMembership", "ListRoomMemberships",
        "UpdateRoomMembership", "DeleteRoomMembership",
    ]),
    (Noun::Numbers, &[
        "SearchAvailablePhoneNumbers", "ListSupportedPhoneNumberCountries",
        "CreatePhoneNumberOrder", "GetPhoneNumberOrder", "ListPhoneNumberOrders",
        "GetPhoneNumber", "ListPhoneNumbers", "UpdatePhoneNumber", "BatchUpdatePhoneNumber",
        "DeletePhoneNumber", "BatchDeletePhoneNumber", "RestorePhoneNumber",
        "GetPhoneNumberSettings", "UpdatePhoneNumberSettings",
    ]),
    (Noun::Connectors, &[
        "CreateVoiceConnector", "GetVoiceConnector", "ListVoiceConnectors", "UpdateVoiceConnector",
        "DeleteVoiceConnector", "ListAvailableVoiceConnectorRegions",
        "PutVoiceConnectorTermination", "GetVoiceConnectorTermination", "DeleteVoiceConnectorTermination",
        "GetVoiceConnectorTerminationHealth",
        "PutVoiceConnectorTerminationCredentials", "ListVoiceConnectorTerminationCredentials",
        "DeleteVoiceConnectorTerminationCredentials",
        "PutVoiceConnectorOrigination", "GetVoiceConnectorOrigination", "DeleteVoiceConnectorOrigination",
        "PutVoiceConnectorLoggingConfiguration", "GetVoiceConnectorLoggingConfiguration",
        "PutVoiceConnectorStreamingConfiguration", "GetVoiceConnectorStreamingConfiguration",
        "DeleteVoiceConnectorStreamingConfiguration",
        "PutVoiceConnectorEmergencyCallingConfiguration", "GetVoiceConnectorEmergencyCallingConfiguration",
        "DeleteVoiceConnectorEmergencyCallingConfiguration",
        "PutVoiceConnectorExternalSystemsConfiguration", "GetVoiceConnectorExternalSystemsConfiguration",
        "DeleteVoiceConnectorExternalSystemsConfiguration",
        "AssociatePhoneNumbersWithVoiceConnector", "DisassociatePhoneNumbersFromVoiceConnector",
        "CreateVoiceConnectorGroup", "GetVoiceConnectorGroup", "ListVoiceConnectorGroups",
        "UpdateVoiceConnectorGroup", "DeleteVoiceConnectorGroup",
        "AssociatePhoneNumbersWithVoiceConnectorGroup", "DisassociatePhoneNumbersFromVoiceConnectorGroup",
    ]),
    (Noun::Meetings, &[
        "CreateMeeting", "CreateMeetingWithAttendees", "GetMeeting", "DeleteMeeting",
        "CreateAttendee", "BatchCreateAttendee", "GetAttendee", "ListAttendees", "DeleteAttendee",
        "UpdateAttendeeCapabilities", "BatchUpdateAttendeeCapabilitiesExcept",
        "TagResource", "UntagResource", "ListTagsForResource",
    ]),
    (Noun::Events, &["LookupEvents"]),
    (Noun::Logs, &["DescribeLogGroups", "DescribeLogStreams", "FilterLogEvents", "GetLogEvents"]),
    (Noun::Metrics, &["ListMetrics", "GetMetricData", "GetMetricStatistics"]),
    (Noun::Ours, &[
        "OpenMeeting", "ListMeetings", "ShowMeeting",
        "CreateDomain", "ListDomains", "GetDomain", "VerifyDomain", "DeleteDomain",
    ]),
    (Noun::Owners, &["CreateOwnerAccount", "ListOwnerAccounts"]),
    (Noun::Access, &[
        "CreateApiUser", "ListApiUsers", "DeleteApiUser",
        "CreateAccessKey", "ListAccessKeys", "ListAccessKeysOfUser", "UpdateAccessKey", "DeleteAccessKey",
        "CreateRole", "ListRoles", "DeleteRole", "ListPolicies", "GetPolicy",
        "ListUserPolicies", "GetUserPolicy", "PutUserPolicy", "DeleteUserPolicy",
        "AttachUserPolicy", "DetachUserPolicy",
        "ListRolePolicies", "GetRolePolicy", "PutRolePolicy", "DeleteRolePolicy",
        "AttachRolePolicy", "DetachRolePolicy",
    ]),
    (Noun::Objects, &["ListBuckets", "ListObjects", "GetObject"]),
];

/// Whose an operation is; `None` where it is not offered.
pub(crate) fn noun(operation: &Operation) -> Option<Noun> {
    // Several services have operations of one name.
    let service = operation.service.as_str();
    let is_apart = OFFERED
        .iter()
        .any(|(noun, _)| noun.service() == Some(service));
    OFFERED
        .iter()
        .filter(|(noun, _)| match noun.service() {
            Some(own) => own == service,
            None => !is_apart,
        })
        .find(|(_, operations)| operations.contains(&operation.name.as_str()))
        .map(|(noun, _)| *noun)
}

/// A request whose caller and members are known to be good.
pub(super) struct Call<'a> {
    pub(super) control: &'a Control,
    pub(super) caller: &'a Caller,
    /// The operation.
    pub(super) name: &'a str,
    pub(super) input: Input<'a>,
    pub(super) pager: Pager,
    /// `host:port` of links in the answer.
    pub(super) host: &'a str,
}

impl Call<'_> {
    /// Carries it out. An answer without members is an empty object.
    pub(super) async fn perform(&self, noun: Noun) -> Result<Value, Refusal> {
        // Each on the heap: the largest of them must not make all of them large.
        match noun {
            Noun::Accounts => Box::pin(accounts::perform(self)).await,
            Noun::Users => Box::pin(users::perform(self)).await,
            Noun::Rooms => Box::pin(rooms::perform(self)).await,
            Noun::Numbers => Box::pin(numbers::perform(self)).await,
            Noun::Connectors => Box::pin(connectors::perform(self)).await,
            Noun::Meetings => Box::pin(meetings::perform(self)).await,
            Noun::Events => Box::pin(events::perform(self)).await,
            Noun::Logs => Box::pin(logs::perform(self)).await,
            Noun::Metrics => Box::pin(figures::perform(self)).await,
            Noun::Ours => Box::pin(ours::perform(self)).await,
            Noun::Owners => Box::pin(owners::perform(self)).await,
            Noun::Access => Box::pin(access::perform(self)).await,
            Noun::Objects => Box::pin(objects::perform(self)).await,
        }
    }

    /// The page of a list that is asked for.
    pub(super) fn page(&self) -> Result<Page, Refusal> {
        self.pager.page(
            self.input.text("NextToken"),
            self.input.number("MaxResults"),
        )
    }

    /// A page of a list as its answer.
    pub(super) fn listed<T>(
        &self,
        name: &str,
        listed: &Listed<T>,
        shape: impl Fn(&T) -> Value,
    ) -> Value {
        let items: Vec<Value> = listed.items.iter().map(shape).collect();
        let mut answer = json!({name: items});
        if let (Some(next), Some(answer)) = (&listed.next, answer.as_object_mut()) {
            answer.insert(
                "NextToken".to_owned(),
                Value::String(self.pager.token(next)),
            );
        }
        answer
    }

    /// For an operation that a noun's table has and its code has not.
    pub(super) fn missing(&self) -> Result<Value, Refusal> {
        Err(Refusal::Failed(format!("{} is not carried out", self.name)))
    }
}

/// An object of what there is: members without a value are left out, as the API does.
pub(super) fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A time in the API's form (ISO 8601).
pub(super) fn time(ms: i64) -> Value {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    Value::String(time.to_string())
}

/// What became of many things in one request: an entry for each that failed.
pub(super) fn failures(id: &str, done: Vec<(String, Result<(), Refusal>)>) -> Vec<Value> {
    done.into_iter()
        .filter_map(|(key, done)| {
            let refusal = done.err()?;
            Some(json!({
                id: key,
                "ErrorCode": refusal.code(),
                "ErrorMessage": refusal.to_string(),
            }))
        })
        .collect()
}
