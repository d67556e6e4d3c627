//! A caller whose signature was found good: who it is, and what it may do.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::policy::{Decision, Policy, Request, evaluate};
use super::principals::check_account_id;
use super::{Context, Managed, managed};
use crate::control::{Control, Refusal};
use crate::store::{AccessKey, AttachedPolicy, Principal, Session, SessionKind, StoreError};

/// A caller whose signature was found good.
#[derive(Clone, PartialEq, Debug)]
pub struct Caller {
    /// The account that everything the caller does happens in.
    pub account_id: String,
    /// The user's name within it; of a session the session's.
    pub user_name: String,
    /// What kind of caller.
    pub kind: CallerKind,
    /// The unique id: `AIDA…` of a user, `AROA…:<session>` of one who took a role, `<account>:<name>` of a federated
    /// user. It is `${aws:userid}`.
    pub principal_id: String,
    /// The public half of the key that signed; none over the administration socket.
    pub access_key_id: Option<String>,
    /// What is known of temporary credentials.
    pub session: Option<SessionContext>,
    /// The account that the caller is of; another than where it acts only of those of the deployment's own.
    home: String,
    arn: String,
    grants: Arc<Grants>,
}

/// What kind of caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerKind {
    /// Whoever may open the administration socket.
    Root,
    /// A user, by its own key or temporary credentials.
    User,
    /// One who took a role.
    AssumedRole,
    /// One whom a user lets in by name.
    FederatedUser,
}

impl CallerKind {
    /// As audit trails spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::User => "IAMUser",
            Self::AssumedRole => "AssumedRole",
            Self::FederatedUser => "FederatedUser",
        }
    }

    /// As the condition key `aws:PrincipalType` spells it.
    fn principal_type(self) -> &'static str {
        match self {
            Self::Root => "Account",
            Self::User => "User",
            Self::AssumedRole => "AssumedRole",
            Self::FederatedUser => "FederatedUser",
        }
    }
}

/// What audit trails tell of temporary credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionContext {
    /// When they were given out, ms since the epoch.
    pub created_ms: i64,
    /// When they end, ms since the epoch.
    pub expires_ms: i64,
    /// The user or role that they act for.
    pub issuer: Principal,
}

/// What a caller may do.
#[derive(Clone, PartialEq, Debug)]
struct Grants {
    /// What its user's or role's policies say.
    own: Vec<Policy>,
    /// Policies of the session, without whose allowance there is none.
    limits: Option<Vec<Policy>>,
}

impl Caller {
    /// Whoever may open the administration socket: may do everything in the account.
    #[must_use]
    pub fn administrator(account_id: &str) -> Self {
        let all = Managed::find(managed::ADMINISTRATOR_ACCESS);
        let own = all.and_then(|all| all.policy().ok());
        Self {
            account_id: account_id.to_owned(),
            user_name: "administrator".to_owned(),
            kind: CallerKind::Root,
            principal_id: account_id.to_owned(),
            access_key_id: None,
            session: None,
            home: account_id.to_owned(),
            arn: format!("arn:aws:iam::{account_id}:root"),
            grants: Arc::new(Grants {
                own: own.into_iter().collect(),
                limits: None,
            }),
        }
    }

    /// Whoever opened the administration socket: a process of that user of the operating system.
    #[must_use]
    pub fn local(account_id: &str, uid: u32) -> Self {
        Self {
            user_name: format!("uid:{uid}"),
            ..Self::administrator(account_id)
        }
    }

    /// The user of a key.
    pub(super) fn user(key: &AccessKey, policies: &[AttachedPolicy]) -> Result<Self, StoreError> {
        Ok(Self {
            account_id: key.account_id.clone(),
            user_name: key.user_name.clone(),
            kind: CallerKind::User,
            principal_id: key.principal_id.clone(),
            access_key_id: Some(key.access_key_id.clone()),
            session: None,
            home: key.account_id.clone(),
            arn: format!("arn:aws:iam::{}:user/{}", key.account_id, key.user_name),
            grants: Arc::new(Grants {
                own: read(policies)?,
                limits: None,
            }),
        })
    }

    /// The holder of temporary credentials that act for `issuer`, whose policies these are.
    pub(super) fn of_session(
        session: &Session,
        issuer: Principal,
        policies: &[AttachedPolicy],
    ) -> Result<Self, StoreError> {
        let asked = &session.asked;
        let (account, name) = (&asked.account_id, &asked.name);
        let (kind, arn, principal_id) = match asked.kind {
            SessionKind::User => (CallerKind::User, issuer.arn(), issuer.principal_id.clone()),
            SessionKind::Role => (
                CallerKind::AssumedRole,
                format!("arn:aws:sts::{account}:assumed-role/{}/{name}", issuer.name),
                format!("{}:{name}", issuer.principal_id),
            ),
            SessionKind::Federated => (
                CallerKind::FederatedUser,
                format!("arn:aws:sts::{account}:federated-user/{name}"),
                format!("{account}:{name}"),
            ),
        };
        let limits = asked.policies.as_ref().map(|texts| {
            let damaged = |_| StoreError::Unreadable("a session's policy".to_owned());
            let policies = texts.iter();
            policies
                .map(|text| Policy::identity(text).map_err(damaged))
                .collect::<Result<Vec<_>, _>>()
        });
        Ok(Self {
            account_id: account.clone(),
            user_name: name.clone(),
            kind,
            principal_id,
            access_key_id: Some(session.access_key_id.clone()),
            session: Some(SessionContext {
                created_ms: session.created_ms,
                expires_ms: session.expires_ms,
                issuer,
            }),
            home: account.clone(),
            arn,
            grants: Arc::new(Grants {
                own: read(policies)?,
                limits: limits.transpose()?,
            }),
        })
    }

    /// Whether the user or role that signed may ask now, and not only later. It counts, whichever of its keys and
    /// sessions asks: everybody may have as many of these as they like.
    #[must_use]
    pub fn may_ask_now(&self, control: &Control) -> bool {
        if self.access_key_id.is_none() {
            return true;
        }
        let issuer = self
            .session
            .as_ref()
            .map(|session| &session.issuer.principal_id);
        let who = issuer.unwrap_or(&self.principal_id);
        control.pace.take(who, Instant::now())
    }

    /// The account that the caller is of, wherever it acts.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The caller as policies and audit trails name it.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Whether its credentials are temporary.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.session.is_some()
    }

    /// What the caller's policies say to this; a session's own policies only narrow what its user or role may.
    #[must_use]
    pub fn decide(&self, action: &str, resource: &str, context: &Context) -> Decision {
        let said = |policies: &[Policy]| self.said_by(policies, action, resource, context);
        let own = said(&self.grants.own);
        match (own, self.grants.limits.as_deref().map(said)) {
            (own, None) => own,
            (Decision::ExplicitDeny, _) | (_, Some(Decision::ExplicitDeny)) => {
                Decision::ExplicitDeny
            }
            (Decision::Allowed, Some(Decision::Allowed)) => Decision::Allowed,
            _ => Decision::ImplicitDeny,
        }
    }

    /// Whether the policies that the session itself was given allow it; without any, all is.
    #[must_use]
    pub fn within_limits(&self, action: &str, resource: &str, context: &Context) -> bool {
        let limits = self.grants.limits.as_deref();
        let said = |limits| self.said_by(limits, action, resource, context);
        limits.is_none_or(|limits| said(limits) == Decision::Allowed)
    }

    /// Whether anything that the caller may do depends on a key of a request that begins so.
    #[must_use]
    pub fn depends_on(&self, prefix: &str) -> bool {
        self.policies().any(|policy| policy.looks_at(prefix))
    }

    /// Whether any policy denies it in a statement that names things.
    #[must_use]
    pub fn denies_by_name(&self, action: &str, resource: &str, context: &Context) -> bool {
        let context = self.known(context.clone());
        let request = self.request(action, resource, &context);
        let mut policies = self.policies();
        policies.any(|policy| policy.denies_by_name(&request))
    }

    fn policies(&self) -> impl Iterator<Item = &Policy> {
        let limits = self.grants.limits.iter().flatten();
        self.grants.own.iter().chain(limits)
    }

    fn said_by(
        &self,
        policies: &[Policy],
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Decision {
        let context = self.known(context.clone());
        evaluate(policies, &self.request(action, resource, &context))
    }

    fn request<'a>(
        &'a self,
        action: &'a str,
        resource: &'a str,
        context: &'a Context,
    ) -> Request<'a> {
        Request {
            principal: &self.arn,
            action,
            resource,
            context,
        }
    }

    /// The context of a request, and in it what is known of who sends it. Nothing of this can a request say itself.
    #[must_use]
    pub fn known(&self, mut context: Context) -> Context {
        let now = Timestamp::now();
        let mut set = |key: &str, value: Option<String>| context.set(key, value);
        let issuer = self.session.as_ref().map(|session| &session.issuer);
        let principal = match (self.kind, issuer) {
            (CallerKind::AssumedRole, Some(role)) => role.arn(),
            _ => self.arn.clone(),
        };
        set("aws:userid", Some(self.principal_id.clone()));
        let is_user = self.kind == CallerKind::User;
        let name = match issuer {
            Some(user) => &user.name,
            None => &self.user_name,
        };
        set("aws:username", is_user.then(|| name.clone()));
        set("aws:PrincipalArn", Some(principal));
        set("aws:PrincipalAccount", Some(self.home.clone()));
        let kind = self.kind.principal_type().to_owned();
        set("aws:PrincipalType", Some(kind));
        // Nobody asks in another's name here.
        set("aws:PrincipalIsAWSService", Some("false".to_owned()));
        set("aws:ViaAWSService", Some("false".to_owned()));
        set("aws:CurrentTime", Some(now.to_string()));
        set("aws:EpochTime", Some(now.as_second().to_string()));
        let issued = self.session.as_ref().and_then(|session| {
            let issued = Timestamp::from_millisecond(session.created_ms).ok()?;
            Some(issued.to_string())
        });
        // Only temporary credentials could bear witness of a second factor, and here none does.
        let factor = issued.is_some().then(|| "false".to_owned());
        set("aws:MultiFactorAuthPresent", factor);
        set("aws:TokenIssueTime", issued);
        context
    }
}

impl Control {
    /// Whether the caller may do this to that: the ARN of something, or `*`.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn authorize(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Refusal> {
        match caller.decide(action, resource, context) {
            Decision::Allowed => Ok(()),
            Decision::ImplicitDeny | Decision::ExplicitDeny => {
                Err(forbidden(caller, action, resource))
            }
        }
    }

    /// That no policy that names things denies the caller to do this to that, whether or not one allows it: for what a
    /// request names beside what it is about. Who may do it to nothing but one thing, and says so by `NotResource`, has
    /// said of that thing what there is to say.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn not_denied(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Refusal> {
        match caller.denies_by_name(action, resource, context) {
            false => Ok(()),
            true => Err(forbidden(caller, action, resource)),
        }
    }

    /// Whether the caller may do this to the deployment as a whole, or to all its accounts: what [`Self::authorize`]
    /// says, but nobody of another account than the deployment's own may, whatever their policies say.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn authorize_for_all(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Result<(), Refusal> {
        if caller.home != self.deployment.account_id {
            return Err(forbidden(caller, action, resource));
        }
        self.authorize(caller, action, resource, context)
    }

    /// The caller as one who acts in another account: for those of the deployment's own, and of them for those whose
    /// policies allow `sts:AssumeRoot` on it. What it does there its policies must allow besides.
    ///
    /// # Errors
    /// It may not, or there is no such account; the store.
    pub async fn act_in(
        &self,
        caller: &Caller,
        account_id: &str,
        context: &Context,
    ) -> Result<Caller, Refusal> {
        check_account_id(account_id)?;
        if account_id == caller.account_id {
            return Ok(caller.clone());
        }
        let root = format!("arn:aws:iam::{account_id}:root");
        self.authorize_for_all(caller, "sts:AssumeRoot", &root, context)?;
        let account = self.owner_account(account_id).await?;
        Ok(Caller {
            account_id: account.account_id,
            ..caller.clone()
        })
    }
}

fn forbidden(caller: &Caller, action: &str, resource: &str) -> Refusal {
    Refusal::Forbidden {
        arn: caller.arn().to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
    }
}

/// Policies as the store has them. One that cannot be read fails the request: it might have denied it.
fn read(policies: &[AttachedPolicy]) -> Result<Vec<Policy>, StoreError> {
    policies
        .iter()
        .map(|attached| {
            let damaged = || StoreError::Unreadable(format!("policy {}", attached.name));
            match &attached.document {
                Some(text) => Policy::identity(text).map_err(|_| damaged()),
                None => Managed::find(&attached.name)
                    .ok_or_else(damaged)?
                    .policy()
                    .map_err(|_| damaged()),
            }
        })
        .collect()
}
