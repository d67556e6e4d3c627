//! Temporary credentials: roles taken, people let in by name, a user's own.

use super::policy::{Decision, Policy, Request, Trust};
use super::{Caller, CallerKind, Context, Managed};
use crate::control::{Control, Refusal, now_ms};
use crate::store::{NewSession, PrincipalKind, Secret, Session, SessionKind};

/// Wishes for temporary credentials.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// How long, in seconds; the operation's own default where nothing is said.
    pub seconds: Option<i64>,
    /// A policy that narrows what may be done.
    pub policy: Option<String>,
    /// Managed policies that do, by ARN. With `policy` they are one limit together.
    pub policy_arns: Vec<String>,
}

/// Temporary credentials, and whose they are.
#[derive(Clone, Debug)]
pub struct Given {
    /// The credentials.
    pub session: Session,
    /// Their token.
    pub token: Secret,
    /// Who acts with them.
    pub caller: Caller,
}

impl Control {
    /// Takes a role, if its trust policy lets the caller, and the caller's own policies where they are asked: a trust
    /// in the caller's account leaves it to that account whom it sends, one in the caller itself does not, unless
    /// the role is another account's.
    ///
    /// # Errors
    /// A wish that cannot be met; the caller may not; the store.
    pub async fn assume_role(
        &self,
        caller: &Caller,
        role_arn: &str,
        name: &str,
        wanted: &Wanted,
        context: &Context,
    ) -> Result<Given, Refusal> {
        let (account, role_name) = role(role_arn)?;
        check_name("RoleSessionName", name, 2..=64)?;
        let limits = limits(wanted)?;
        let action = "sts:AssumeRole";
        let forbidden = || Refusal::Forbidden {
            arn: caller.arn().to_owned(),
            action: action.to_owned(),
            resource: role_arn.to_owned(),
        };
        if caller.kind == CallerKind::FederatedUser {
            return Err(forbidden());
        }
        let store = &self.store;
        let found = store.principal(account, PrincipalKind::Role, role_name);
        // Nobody learns which roles there are.
        let role = found.await?.ok_or_else(forbidden)?;
        let trust = role.trust_policy.as_deref().unwrap_or_default();
        let trust = Policy::trust(trust).map_err(|error| {
            tracing::error!(role = role_arn, %error, "a stored trust policy is damaged");
            forbidden()
        })?;
        let known = caller
            .known(context.clone())
            .with("sts:RoleSessionName", name);
        // The role's own spelling: it is found whatever the case of the letters that were asked for.
        let role_arn = role.arn();
        let trusted = trust.trusts(&Request {
            principal: caller.arn(),
            action,
            resource: &role_arn,
            context: &known,
        });
        let own = caller.decide(action, &role_arn, context);
        // A trust in the caller stands in for policies of the caller's own, never for those that narrow its session.
        let by_itself = trusted == Trust::Caller
            && role.account_id == caller.account_id
            && caller.within_limits(action, &role_arn, context);
        let allowed = match (trusted, own) {
            (Trust::Refused, _) | (_, Decision::ExplicitDeny) => false,
            (_, Decision::Allowed) => true,
            (_, Decision::ImplicitDeny) => by_itself,
        };
        if !allowed {
            return Err(forbidden());
        }
        let most = if caller.is_temporary() {
            CHAINED
        } else {
            role.max_session_seconds
        };
        let seconds = seconds(wanted, HOUR.min(most), most)?;
        self.give(NewSession {
            account_id: role.account_id.clone(),
            kind: SessionKind::Role,
            principal_id: role.principal_id,
            name: name.to_owned(),
            policies: limits,
            seconds,
        })
        .await
    }

    /// Lets somebody in by name, with what the user's policies and those of the session both allow; without any of
    /// the session that is nothing.
    ///
    /// # Errors
    /// A wish that cannot be met; the caller may not; the store.
    pub async fn federate(
        &self,
        caller: &Caller,
        name: &str,
        wanted: &Wanted,
        context: &Context,
    ) -> Result<Given, Refusal> {
        check_name("Name", name, 2..=32)?;
        let limits = limits(wanted)?;
        let arn = format!("arn:aws:sts::{}:federated-user/{name}", caller.account_id);
        let principal_id = lasting_user(caller, "sts:GetFederationToken", &arn)?;
        self.authorize(caller, "sts:GetFederationToken", &arn, context)?;
        let seconds = seconds(wanted, HALF_DAY, DAY_AND_HALF)?;
        self.give(NewSession {
            account_id: caller.account_id.clone(),
            kind: SessionKind::Federated,
            principal_id,
            name: name.to_owned(),
            policies: Some(limits.unwrap_or_default()),
            seconds,
        })
        .await
    }

    /// Gives a user temporary credentials of its own. It needs no leave: they can do no more than its key.
    ///
    /// # Errors
    /// A wish that cannot be met; the caller has temporary ones already; the store.
    pub async fn own_session(&self, caller: &Caller, wanted: &Wanted) -> Result<Given, Refusal> {
        let principal_id = lasting_user(caller, "sts:GetSessionToken", "*")?;
        let seconds = seconds(wanted, HALF_DAY, DAY_AND_HALF)?;
        self.give(NewSession {
            account_id: caller.account_id.clone(),
            kind: SessionKind::User,
            principal_id,
            name: caller.user_name.clone(),
            policies: None,
            seconds,
        })
        .await
    }

    async fn give(&self, asked: NewSession) -> Result<Given, Refusal> {
        let (session, token) = self.store.create_session(asked, now_ms()).await?;
        let id = &session.asked.principal_id;
        let gone = || Refusal::Failed("whom the session acts for is gone".to_owned());
        let issuer = self.store.principal_by_id(id).await?.ok_or_else(gone)?;
        let policies = self.store.policies_of(id).await?;
        Ok(Given {
            caller: Caller::of_session(&session, issuer, &policies)?,
            session,
            token,
        })
    }
}

/// The unique id of a user who came with a lasting key; others may not make sessions of sessions.
fn lasting_user(caller: &Caller, action: &str, resource: &str) -> Result<String, Refusal> {
    if caller.kind == CallerKind::User && !caller.is_temporary() {
        Ok(caller.principal_id.clone())
    } else {
        Err(Refusal::Forbidden {
            arn: caller.arn().to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

/// Account and name out of `arn:aws:iam::<account>:role/<name>`.
fn role(arn: &str) -> Result<(&str, &str), Refusal> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    if let ["arn", "aws", "iam", "", account, role] = parts.as_slice()
        && let Some(name) = role.strip_prefix("role/")
        && account.len() == 12
        && !name.is_empty()
    {
        return Ok((account, name));
    }
    Err(invalid(
        "RoleArn",
        "must be the ARN of a role, such as arn:aws:iam::123456789012:role/on-call",
    ))
}

fn check_name(
    field: &str,
    name: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<(), Refusal> {
    if length.contains(&name.len()) && super::principals::is_name(name) {
        Ok(())
    } else {
        let (least, most) = (length.start(), length.end());
        let rule = format!("must be {least} to {most} letters, digits and any of _+=,.@-");
        Err(invalid(field, rule))
    }
}

/// The policies of a session, read and found good.
fn limits(wanted: &Wanted) -> Result<Option<Vec<String>>, Refusal> {
    let mut limits = Vec::new();
    for arn in &wanted.policy_arns {
        let managed = Managed::find(arn)
            .filter(|managed| managed.arn() == *arn)
            .ok_or_else(|| invalid("PolicyArns", format!("{arn} is no managed policy")))?;
        limits.push(managed.document.to_owned());
    }
    if limits.len() > MOST_POLICY_ARNS {
        return Err(invalid("PolicyArns", "has more than ten members"));
    }
    if let Some(text) = &wanted.policy {
        Policy::identity(text).map_err(|error| Refusal::BadPolicy(error.to_string()))?;
        limits.push(text.clone());
    }
    Ok((!limits.is_empty()).then_some(limits))
}

fn seconds(wanted: &Wanted, default: i64, most: i64) -> Result<i64, Refusal> {
    match wanted.seconds {
        None => Ok(default),
        Some(seconds) if (QUARTER_HOUR..=most).contains(&seconds) => Ok(seconds),
        Some(_) => Err(invalid(
            "DurationSeconds",
            format!("must be {QUARTER_HOUR} to {most}"),
        )),
    }
}

fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::Invalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

/// Seconds.
const QUARTER_HOUR: i64 = 900;
/// Seconds.
const HOUR: i64 = 3600;
/// Seconds.
const HALF_DAY: i64 = 43_200;
/// Seconds.
const DAY_AND_HALF: i64 = 129_600;

/// How long a role may be held that was taken from within a session.
const CHAINED: i64 = HOUR;

/// Managed policies of one session.
const MOST_POLICY_ARNS: usize = 10;
