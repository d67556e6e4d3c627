//! Accounts, users, roles, keys and policies: made, listed, changed and removed by administrators.

use super::policy::Policy;
use super::{Managed, policy::PolicyError};
use crate::control::{Control, Refusal, now_ms};
use crate::store::{
    AccessKey, AttachedPolicy, NewPrincipal, NoNewKey, OwnerAccount, Principal, PrincipalKind,
};

impl Control {
    /// Makes an account of its own, with an administrator and a key for them.
    ///
    /// # Errors
    /// A wish that cannot be met; the store.
    pub async fn create_owner_account(
        &self,
        name: &str,
        wish: Option<&str>,
    ) -> Result<(OwnerAccount, AccessKey), Refusal> {
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(invalid("Name", "must be 1 to 100 printable characters"));
        }
        if let Some(id) = wish {
            check_account_id(id)?;
        }
        let made = self.store.create_owner_account(wish, name, now_ms());
        made.await?
            .ok_or_else(|| Refusal::Conflict("there is an account of that id".to_owned()))
    }

    /// The account itself, if there is one.
    ///
    /// # Errors
    /// There is none; the store.
    pub async fn owner_account(&self, account_id: &str) -> Result<OwnerAccount, Refusal> {
        check_account_id(account_id)?;
        let found = self.store.owner_account(account_id).await?;
        found.ok_or(Refusal::NotFound("the account"))
    }

    /// Makes a user, who may do nothing yet.
    ///
    /// # Errors
    /// A name that cannot be; the account has too many; the store.
    pub async fn create_api_user(
        &self,
        account_id: &str,
        name: &str,
    ) -> Result<Principal, Refusal> {
        check_principal_name("UserName", name)?;
        self.create_principal(&NewPrincipal::user(account_id, name))
            .await
    }

    /// Makes a role that those may take whom its trust policy lets.
    ///
    /// # Errors
    /// A name or policy that cannot be; the account has too many; the store.
    pub async fn create_role(
        &self,
        account_id: &str,
        name: &str,
        trust: &str,
        max_session_seconds: i64,
    ) -> Result<Principal, Refusal> {
        check_principal_name("RoleName", name)?;
        Policy::trust(trust).map_err(|error| bad_policy(&error))?;
        if !(3600..=43_200).contains(&max_session_seconds) {
            return Err(invalid("MaxSessionDuration", "must be 3600 to 43200"));
        }
        self.create_principal(&NewPrincipal {
            account_id: account_id.to_owned(),
            name: name.to_owned(),
            trust_policy: Some(trust.to_owned()),
            max_session_seconds,
        })
        .await
    }

    async fn create_principal(&self, asked: &NewPrincipal) -> Result<Principal, Refusal> {
        self.owner_account(&asked.account_id).await?;
        let made = self.store.create_principal(asked, now_ms()).await??;
        made.ok_or_else(|| Refusal::Conflict(format!("the name {} is taken", asked.name)))
    }

    /// A user or role by its name.
    ///
    /// # Errors
    /// There is none; the store.
    pub async fn principal(
        &self,
        account_id: &str,
        kind: PrincipalKind,
        name: &str,
    ) -> Result<Principal, Refusal> {
        let found = self.store.principal(account_id, kind, name).await?;
        found.ok_or(Refusal::NotFound(match kind {
            PrincipalKind::User => "the user",
            PrincipalKind::Role => "the role",
        }))
    }

    /// Removes a user or role: its keys and the sessions that act for it are of no use from then on.
    ///
    /// # Errors
    /// There is none, or it is the first administrator; the store.
    pub async fn delete_principal(
        &self,
        account_id: &str,
        kind: PrincipalKind,
        name: &str,
    ) -> Result<(), Refusal> {
        let found = self.principal(account_id, kind, name).await?;
        if kind == PrincipalKind::User && found.name == "administrator" {
            return Err(Refusal::Conflict(
                "the first administrator stays; deactivate its keys instead".to_owned(),
            ));
        }
        self.store.delete_principal(&found.principal_id).await?;
        Ok(())
    }

    /// Makes a key for a user.
    ///
    /// # Errors
    /// No such user, or it has two already; the store.
    pub async fn create_key(&self, account_id: &str, user: &str) -> Result<AccessKey, Refusal> {
        let made = self.store.create_access_key(account_id, user, now_ms());
        made.await?.map_err(|why| match why {
            NoNewKey::NoUser => Refusal::NotFound("the user"),
            NoNewKey::TooMany => Refusal::Conflict(why.to_string()),
        })
    }

    /// Takes a key out of use for the time being, or into it again.
    ///
    /// # Errors
    /// There is none in this account; the store.
    pub async fn set_key_active(
        &self,
        account_id: &str,
        access_key_id: &str,
        active: bool,
    ) -> Result<(), Refusal> {
        self.own_key(account_id, access_key_id).await?;
        let store = &self.store;
        let done = store.set_access_key_active(access_key_id, active, now_ms());
        found(done.await?)
    }

    /// Takes a key out of use for good.
    ///
    /// # Errors
    /// There is none in this account; the store.
    pub async fn delete_key(&self, account_id: &str, access_key_id: &str) -> Result<(), Refusal> {
        self.own_key(account_id, access_key_id).await?;
        let done = self.store.revoke_access_key(access_key_id, now_ms());
        found(done.await?)
    }

    /// A key of that account.
    ///
    /// # Errors
    /// There is none; the store.
    pub async fn own_key(
        &self,
        account_id: &str,
        access_key_id: &str,
    ) -> Result<AccessKey, Refusal> {
        let found = self.store.access_key(access_key_id).await?;
        found
            .filter(|key| key.account_id == account_id)
            .ok_or(Refusal::NotFound("the key"))
    }

    /// Gives a user or role a managed policy, by name or ARN.
    ///
    /// # Errors
    /// There is no such policy; the store.
    pub async fn attach_policy(
        &self,
        principal: &Principal,
        name_or_arn: &str,
    ) -> Result<String, Refusal> {
        let managed = Managed::find(name_or_arn).ok_or(Refusal::NotFound("the managed policy"))?;
        let policy = AttachedPolicy {
            name: managed.arn(),
            document: None,
        };
        let put = self
            .store
            .put_policy(&principal.principal_id, &policy, now_ms());
        put.await??;
        Ok(policy.name)
    }

    /// Gives a user or role a policy of its own. What comes back are warnings.
    ///
    /// # Errors
    /// It is no policy; there are too many; the store.
    pub async fn put_policy(
        &self,
        principal: &Principal,
        name: &str,
        document: &str,
    ) -> Result<Vec<String>, Refusal> {
        if !is_name(name) || name.len() > 128 {
            return Err(invalid(
                "PolicyName",
                "must be 1 to 128 letters, digits and any of _+=,.@-",
            ));
        }
        if Managed::find(name).is_some() {
            return Err(Refusal::Conflict(format!("{name} is a managed policy")));
        }
        let read = Policy::identity(document).map_err(|error| bad_policy(&error))?;
        let policy = AttachedPolicy {
            name: name.to_owned(),
            document: Some(document.to_owned()),
        };
        let id = &principal.principal_id;
        self.store.put_policy(id, &policy, now_ms()).await??;
        let operators = read.unknown_operators().into_iter();
        let keys = read.unknown_keys().into_iter();
        let unknown = operators
            .map(|operator| format!("operator {operator}"))
            .chain(keys.map(|key| format!("condition key {key}")));
        let warned = unknown.map(|what| {
            format!(
                "nobody knows the {what}: its statement allows nothing and denies what it names"
            )
        });
        Ok(warned.collect())
    }

    /// Takes a managed policy from a user or role, by name or ARN.
    ///
    /// # Errors
    /// It does not have that one; the store.
    pub async fn detach_policy(
        &self,
        principal: &Principal,
        name_or_arn: &str,
    ) -> Result<(), Refusal> {
        let managed = Managed::find(name_or_arn).ok_or(Refusal::NotFound("the policy"))?;
        self.remove_policy(principal, &managed.arn()).await
    }

    /// Removes a user's or role's own policy.
    ///
    /// # Errors
    /// It has none of that name; the store.
    pub async fn delete_policy(&self, principal: &Principal, name: &str) -> Result<(), Refusal> {
        // A managed one is kept under its ARN, which is no name.
        match is_name(name) {
            true => self.remove_policy(principal, name).await,
            false => Err(Refusal::NotFound("the policy")),
        }
    }

    async fn remove_policy(&self, principal: &Principal, name: &str) -> Result<(), Refusal> {
        let id = &principal.principal_id;
        match self.store.remove_policy(id, name).await? {
            true => Ok(()),
            false => Err(Refusal::NotFound("the policy")),
        }
    }
}

/// Whether a name has nothing in it but what names of principals, sessions and policies may have.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn check_principal_name(field: &str, name: &str) -> Result<(), Refusal> {
    if is_name(name) && name.len() <= 64 {
        Ok(())
    } else {
        Err(invalid(
            field,
            "must be 1 to 64 letters, digits and any of _+=,.@-",
        ))
    }
}

pub(super) fn check_account_id(id: &str) -> Result<(), Refusal> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(invalid("AccountId", "must be twelve digits"))
    }
}

fn found(done: bool) -> Result<(), Refusal> {
    if done {
        Ok(())
    } else {
        Err(Refusal::NotFound("the key"))
    }
}

fn bad_policy(error: &PolicyError) -> Refusal {
    Refusal::BadPolicy(error.to_string())
}

fn invalid(field: &str, rule: &str) -> Refusal {
    Refusal::Invalid {
        field: field.to_owned(),
        rule: rule.to_owned(),
    }
}
