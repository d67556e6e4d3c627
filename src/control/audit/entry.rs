//! One entry of the audit trail: CloudTrail's record of an API call.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::Caller;
use crate::control::access::CallerKind;
use crate::store::{AuditAttribute, AuditRow, PrincipalKind};

/// What happened, in CloudTrail's spelling.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// [`Entry::VERSION`].
    pub event_version: String,
    /// Who asked.
    pub user_identity: Identity,
    /// When, to the second, UTC.
    pub event_time: String,
    /// Such as `chime.amazonaws.com`.
    pub event_source: String,
    /// The operation.
    pub event_name: String,
    /// The deployment's.
    pub aws_region: String,
    /// Where from.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    /// With what, as it calls itself.
    pub user_agent: String,
    /// The exception's name; only of a refused call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What was asked, without secrets; null where nothing was.
    pub request_parameters: Value,
    /// What was answered, without secrets; null of calls that change nothing.
    pub response_elements: Value,
    /// `x-amzn-RequestId` of the answer.
    #[serde(rename = "requestID")]
    pub request_id: String,
    /// A UUID of version 7.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// Whether such a call changes nothing.
    pub read_only: bool,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// `AwsApiCall`.
    pub event_type: String,
    /// Always: there are no data events.
    pub management_event: bool,
    /// In whose trail it is.
    pub recipient_account_id: String,
    /// `Management`.
    pub event_category: String,
}

/// Who asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `Root`, `IAMUser`, `AssumedRole`, `FederatedUser`; `AWSAccount` where nobody knows.
    #[serde(rename = "type")]
    pub kind: String,
    /// Such as `AIDA…`.
    pub principal_id: String,
    /// The caller's ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Twelve digits, or [`Identity::ANONYMOUS`].
    pub account_id: String,
    /// The public half of the key that signed, or was said to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// A user's name; of who opened the administration socket `uid:` and the operating system's number of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Of temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_context: Option<SessionContext>,
}

/// What is known of temporary credentials.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// Whom they act for.
    pub session_issuer: Issuer,
    /// How they were given out.
    pub attributes: SessionAttributes,
}

/// The user or role that temporary credentials act for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// `Role` or `IAMUser`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its unique id.
    pub principal_id: String,
    /// Its ARN.
    pub arn: String,
    /// Its account.
    pub account_id: String,
    /// Its name.
    pub user_name: String,
}

/// How temporary credentials were given out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionAttributes {
    /// When.
    pub creation_date: String,
    /// `false`: nobody here shows a second factor.
    pub mfa_authenticated: String,
}

/// What a call was about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The account.
    pub account_id: String,
    /// Such as `AWS::Chime::Meeting`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which.
    #[serde(rename = "ARN")]
    pub arn: String,
}

impl Entry {
    /// The version of CloudTrail's record that this is.
    pub const VERSION: &'static str = "1.08";

    /// As the index has it: the document whole, as it was written; what is looked up by cut to what an index can hold.
    pub(super) fn row(&self, document: &str) -> AuditRow {
        let who = &self.user_identity;
        let session = who.principal_id.split_once(':').map(|(_, name)| name);
        let user_name = who.user_name.as_deref().or(session);
        let about = self.resources.first();
        let cut = |text: Option<&str>| AuditAttribute::cut(text.unwrap_or_default()).to_owned();
        AuditRow {
            event_id: self.event_id.clone(),
            owner: self.recipient_account_id.clone(),
            event_category: cut(Some(&self.event_category)),
            event_name: cut(Some(&self.event_name)),
            event_source: cut(Some(&self.event_source)),
            user_name: cut(user_name),
            access_key_id: cut(who.access_key_id.as_deref()),
            read_only: self.read_only.to_string(),
            resource_type: cut(about.map(|about| about.kind.as_str())),
            resource_name: cut(about.map(|about| about.arn.as_str())),
            document: document.to_owned(),
        }
    }
}

impl Identity {
    /// The account of whom nobody knows.
    pub const ANONYMOUS: &'static str = "ANONYMOUS_PRINCIPAL";

    /// Somebody whose signature is good.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let session_context = caller.session.as_ref().map(|session| {
            let issuer = &session.issuer;
            SessionContext {
                session_issuer: Issuer {
                    kind: match issuer.kind {
                        PrincipalKind::Role => "Role".to_owned(),
                        PrincipalKind::User => "IAMUser".to_owned(),
                    },
                    principal_id: issuer.principal_id.clone(),
                    arn: issuer.arn(),
                    account_id: issuer.account_id.clone(),
                    user_name: issuer.name.clone(),
                },
                attributes: SessionAttributes {
                    creation_date: seconds(session.created_ms),
                    mfa_authenticated: "false".to_owned(),
                },
            }
        });
        let user_name = match (caller.kind, &caller.session) {
            (CallerKind::User, Some(session)) => Some(session.issuer.name.clone()),
            (CallerKind::User | CallerKind::Root, None) => Some(caller.user_name.clone()),
            _ => None,
        };
        Self {
            kind: caller.kind.name().to_owned(),
            principal_id: caller.principal_id.clone(),
            arn: Some(caller.arn().to_owned()),
            account_id: caller.home().to_owned(),
            access_key_id: caller.access_key_id.clone(),
            user_name,
            session_context,
        }
    }

    /// Somebody without a good signature; `access_key_id` is what was said.
    #[must_use]
    pub fn unknown(access_key_id: Option<String>) -> Self {
        Self {
            kind: "AWSAccount".to_owned(),
            principal_id: String::new(),
            arn: None,
            account_id: Self::ANONYMOUS.to_owned(),
            access_key_id,
            user_name: None,
            session_context: None,
        }
    }
}

/// A time to the second, such as `2026-01-31T12:00:00Z`.
pub(crate) fn seconds(at_ms: i64) -> String {
    let at = Timestamp::from_second(at_ms.div_euclid(1000)).unwrap_or_default();
    at.to_string()
}
