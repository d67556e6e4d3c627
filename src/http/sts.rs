//! The Security Token Service, as its clients know it: parameters in a form, answers in XML.

mod error;

use std::time::Instant;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::api::HIDDEN;
use super::audit::{self, Asked, Known};
use super::caller::{Unidentified, context, identify};
use super::query::{Named, QueryService, Xml, parameters};
use super::{Came, in_time};
use crate::control::access::NoKey;
use crate::control::access::sessions::{Given, Wanted};
use crate::control::audit::seconds;
use crate::control::{Control, Refusal};
use error::StsError;

/// As its clients know it.
pub(super) const SERVICE: QueryService = QueryService {
    signing: "sts",
    paths: &["/sts"],
    version: "2011-06-15",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    most_octets: 64 << 10,
    most_parameters: 100,
};

/// Answers one request.
pub(super) async fn answer(control: &Control, came: Came<'_>) -> Response {
    let (parts, body) = (came.parts, came.body);
    let begun = Instant::now();
    let request_id = control.store.request_token().unwrap_or_default();
    let form = match came.broken {
        None => SERVICE.form(parts, body),
        Some(error) => Err(error),
    };
    let named = form
        .as_ref()
        .map_or_else(|_| Named::default(), |form| SERVICE.named(form));
    let action = named.action.as_deref();
    let name = ACTIONS
        .iter()
        .find(|known| Some(**known) == action)
        .copied()
        .unwrap_or("unknown");
    let mut known = Known::default();
    let done = match form {
        Ok(form) => in_time(perform(control, parts, body, form, &mut known)).await,
        Err(error) => Err(error.into()),
    };
    let done = match action.filter(|action| is_name(action)) {
        None => done,
        Some(name) => {
            let asked = Asked {
                service: SERVICE.signing,
                name,
                request_id: &request_id,
            };
            let refused = done.as_ref().err();
            let refused = refused.map(|error| (error.code, error.message.as_str()));
            match audit::keep(control, parts, asked, known, refused).await {
                Ok(()) => done,
                Err(refusal) => Err(refusal.into()),
            }
        }
    };
    if let Err(error) = &done {
        tracing::debug!(operation = name, error = error.code, message = %error.message, request_id, "refused");
    }
    let done = done.as_ref().map_err(StsError::fault);
    let response = SERVICE.response(name, done, &request_id);
    let status = response.status().as_u16();
    tracing::info!(operation = name, status, request_id, "sts");
    metrics::counter!("campanile_api_requests_total", "operation" => name, "status" => status.to_string()).increment(1);
    metrics::histogram!("campanile_api_request_seconds", "operation" => name)
        .record(begun.elapsed());
    response
}

async fn perform(
    control: &Control,
    parts: &Parts,
    body: &Bytes,
    form: &[u8],
    learnt: &mut Known,
) -> Result<Xml, StsError> {
    let caller = identify(control, parts, body, SERVICE.signing).await?;
    learnt.caller = Some(caller.clone());
    if !caller.may_ask_now(control) {
        return Err(Refusal::Throttled.into());
    }
    let parameters = Parameters::read(form)?;
    learnt.parameters = parameters.told();
    let action = parameters.get("Action").ok_or_else(|| {
        let text = "Missing Action parameter";
        StsError::new(StatusCode::BAD_REQUEST, "MissingAction", text)
    })?;
    let version = parameters.get("Version").unwrap_or_default();
    if version != SERVICE.version || !ACTIONS.contains(&action) {
        return Err(StsError::new(
            StatusCode::BAD_REQUEST,
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        ));
    }
    let known = context(control, parts);
    match action {
        "GetCallerIdentity" => {
            parameters.only(&[])?;
            Ok(Xml::new()
                .leaf("UserId", &caller.principal_id)
                .leaf("Account", &caller.account_id)
                .leaf("Arn", caller.arn()))
        }
        "AssumeRole" => {
            parameters.only(&[
                "RoleArn",
                "RoleSessionName",
                "Policy",
                "DurationSeconds",
                "ExternalId",
            ])?;
            let mut known = known;
            if let Some(id) = parameters.get("ExternalId") {
                known = known.with("sts:ExternalId", id);
            }
            let role = parameters.required("RoleArn")?;
            let name = parameters.required("RoleSessionName")?;
            let wanted = parameters.wanted()?;
            let given = control.assume_role(&caller, role, name, &wanted, &known);
            let given = given.await?;
            learnt.elements = told(&given, Some(("assumedRoleUser", "assumedRoleId")));
            let user = Xml::new()
                .leaf("AssumedRoleId", &given.caller.principal_id)
                .leaf("Arn", given.caller.arn());
            Ok(wanted_size(
                credentials(&given).within("AssumedRoleUser", &user),
                &wanted,
            ))
        }
        "GetFederationToken" => {
            parameters.only(&["Name", "Policy", "DurationSeconds"])?;
            let name = parameters.required("Name")?;
            let wanted = parameters.wanted()?;
            let given = control.federate(&caller, name, &wanted, &known).await?;
            learnt.elements = told(&given, Some(("federatedUser", "federatedUserId")));
            let user = Xml::new()
                .leaf("FederatedUserId", &given.caller.principal_id)
                .leaf("Arn", given.caller.arn());
            Ok(wanted_size(
                credentials(&given).within("FederatedUser", &user),
                &wanted,
            ))
        }
        _ => {
            parameters.only(&["DurationSeconds"])?;
            let wanted = parameters.wanted()?;
            let given = control.own_session(&caller, &wanted).await?;
            learnt.elements = told(&given, None);
            Ok(credentials(&given))
        }
    }
}

/// What was given out, as the audit trail tells it.
fn told(given: &Given, user: Option<(&str, &str)>) -> Value {
    let mut told = json!({"credentials": {
        "accessKeyId": given.session.access_key_id,
        "secretAccessKey": HIDDEN,
        "sessionToken": HIDDEN,
        "expiration": seconds(given.session.expires_ms),
    }});
    if let (Some((user, id)), Some(told)) = (user, told.as_object_mut()) {
        let about = json!({id: given.caller.principal_id, "arn": given.caller.arn()});
        told.insert(user.to_owned(), about);
    }
    told
}

/// Whether it may be the name of an action.
fn is_name(action: &str) -> bool {
    (1..=64).contains(&action.len()) && action.bytes().all(|octet| octet.is_ascii_alphanumeric())
}

fn credentials(given: &Given) -> Xml {
    let session = &given.session;
    let ends = jiff::Timestamp::from_second(session.expires_ms / 1000).unwrap_or_default();
    Xml::new().within(
        "Credentials",
        &Xml::new()
            .leaf("AccessKeyId", &session.access_key_id)
            .leaf("SecretAccessKey", session.secret_access_key.expose())
            .leaf("SessionToken", given.token.expose())
            .leaf("Expiration", &ends.to_string()),
    )
}

/// How much of the room for policies a session's take, in percent; at least one if there are any.
fn wanted_size(xml: Xml, wanted: &Wanted) -> Xml {
    let Some(policy) = &wanted.policy else {
        return xml;
    };
    let percent = policy.len() * 100 / MOST_POLICY_OCTETS;
    xml.leaf("PackedPolicySize", &percent.max(1).to_string())
}

/// The parameters of a request, each at most once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(form: &[u8]) -> Result<Self, StsError> {
        let mut all = parameters(form).map_err(|name| validation(&name, "is there twice"))?;
        // Those of a signature in the query are none of the action's.
        all.retain(|(name, _)| !name.starts_with("X-Amz-"));
        Ok(Self(all))
    }

    /// The parameters as the audit trail tells them: those that are known, none of which is a secret.
    fn told(&self) -> Value {
        let spelt = [
            ("RoleArn", "roleArn"),
            ("RoleSessionName", "roleSessionName"),
            ("Name", "name"),
            ("DurationSeconds", "durationSeconds"),
            ("ExternalId", "externalId"),
            ("Policy", "policy"),
        ];
        let told: Map<String, Value> = spelt
            .into_iter()
            .filter_map(|(name, spelt)| Some((spelt.to_owned(), self.get(name)?.into())))
            .collect();
        match told.is_empty() {
            true => Value::Null,
            false => told.into(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, StsError> {
        self.get(name)
            .ok_or_else(|| validation(name, "is required"))
    }

    /// Refuses what an action does not know, rather than do without it.
    fn only(&self, names: &[&str]) -> Result<(), StsError> {
        let lists = names.contains(&"Policy");
        let known = |name: &str| {
            names.contains(&name)
                || matches!(name, "Action" | "Version")
                || (lists && name.starts_with(POLICY_ARNS))
        };
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(validation(name, "is not offered by this server")),
            None => Ok(()),
        }
    }

    fn wanted(&self) -> Result<Wanted, StsError> {
        let seconds = self.get("DurationSeconds").map(|text| {
            text.parse()
                .map_err(|_| validation("DurationSeconds", "must be a whole number"))
        });
        let arns = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with(POLICY_ARNS));
        let mut policy_arns = Vec::new();
        // One more than there may be, for that to be told.
        for at in 1..=arns.count().min(MOST_POLICY_ARNS + 1) {
            policy_arns.push(self.required(&format!("{POLICY_ARNS}{at}.arn"))?.to_owned());
        }
        Ok(Wanted {
            seconds: seconds.transpose()?,
            policy: self.get("Policy").map(str::to_owned),
            policy_arns,
        })
    }
}

fn validation(field: &str, rule: &str) -> StsError {
    StsError::from(Refusal::Invalid {
        field: field.to_owned(),
        rule: rule.to_owned(),
    })
}

impl From<Unidentified> for StsError {
    fn from(why: Unidentified) -> Self {
        match why {
            Unidentified::Signature(bad) => bad.into(),
            Unidentified::Expired => Self::new(
                StatusCode::FORBIDDEN,
                "ExpiredToken",
                NoKey::Expired.to_string(),
            ),
            Unidentified::Failed(refusal) => refusal.into(),
        }
    }
}

const ACTIONS: [&str; 4] = [
    "AssumeRole",
    "GetCallerIdentity",
    "GetFederationToken",
    "GetSessionToken",
];

/// Policies that a session may be given by their ARNs.
const MOST_POLICY_ARNS: usize = 10;

/// `PolicyArns.member.1.arn` and so on.
const POLICY_ARNS: &str = "PolicyArns.member.";

/// Octets of a policy that are all there is room for.
const MOST_POLICY_OCTETS: usize = 10_240;
