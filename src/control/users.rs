//! Users: made, invited, told apart by address, suspended, logged out.

use serde_json::{Value, json};

use super::accounts::{document, is_enterprise, merge};
use super::{Caller, Control, Refusal, now_ms};
use crate::store::{Account, Assignment, Listed, NewUser, Page, User, UserField};

/// What of a user a request changes.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct UserChange {
    /// The tier.
    pub license_type: Option<String>,
    /// `PrivateUser` or `SharedDevice`.
    pub user_type: Option<String>,
    /// `AlexaForBusinessMetadata`, an object.
    pub metadata: Option<Value>,
}

impl Control {
    /// Makes a user who needs no invitation: a device of the house, or a person known to be one.
    ///
    /// # Errors
    /// No such account; neither name nor address; the address is taken; the store.
    pub async fn create_user(
        &self,
        caller: &Caller,
        account_id: &str,
        username: Option<&str>,
        email: Option<&str>,
        user_type: Option<&str>,
    ) -> Result<User, Refusal> {
        let account = self.account(caller, account_id).await?;
        if username.is_none() && email.is_none() {
            return Err(Refusal::invalid("Username", "or Email is required"));
        }
        let asked = NewUser {
            email: email.map(str::to_owned),
            display_name: username.map(str::to_owned),
            user_type: user_type.unwrap_or("PrivateUser").to_owned(),
            license_type: account.default_license.clone(),
            invited: false,
        };
        self.store
            .create_user(&account.account_id, &asked, now_ms())
            .await?
            .ok_or_else(|| Refusal::Conflict("the account has a user of that address".to_owned()))
    }

    /// Invites people by their addresses; each has a user afterwards, and says of them whether they had one before.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn invite_users(
        &self,
        caller: &Caller,
        account_id: &str,
        emails: &[String],
        user_type: Option<&str>,
    ) -> Result<Vec<(String, Option<User>)>, Refusal> {
        let account = self.account(caller, account_id).await?;
        let mut invites = Vec::with_capacity(emails.len());
        for email in emails {
            let asked = NewUser {
                email: Some(email.trim().to_owned()),
                display_name: None,
                user_type: user_type.unwrap_or("PrivateUser").to_owned(),
                license_type: account.default_license.clone(),
                invited: true,
            };
            let made = self
                .store
                .create_user(&account.account_id, &asked, now_ms())
                .await?;
            invites.push((email.clone(), made));
        }
        Ok(invites)
    }

    /// A user of an account of the caller's.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<User, Refusal> {
        let account = self.account(caller, account_id).await?;
        self.user_of(&account, user_id).await
    }

    async fn user_of(&self, account: &Account, user_id: &str) -> Result<User, Refusal> {
        self.store
            .user(&account.account_id, user_id)
            .await?
            .ok_or(Refusal::NotFound("the user"))
    }

    /// The number that is assigned to a user.
    ///
    /// # Errors
    /// The store.
    pub async fn number_of(&self, caller: &Caller, user: &User) -> Result<Option<String>, Refusal> {
        let filter = crate::store::NumberFilter {
            assignment: Some(("UserId".to_owned(), user.user_id.clone())),
            ..Default::default()
        };
        let listed = self
            .store
            .numbers(&caller.account_id, &filter, &Page::first(1))
            .await?;
        Ok(listed.items.into_iter().next().map(|number| number.e164))
    }

    /// An account's users.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn users(
        &self,
        caller: &Caller,
        account_id: &str,
        email: Option<&str>,
        user_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<User>, Refusal> {
        let account = self.account(caller, account_id).await?;
        Ok(self
            .store
            .users(&account.account_id, email, user_type, page)
            .await?)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn update_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
        change: &UserChange,
    ) -> Result<User, Refusal> {
        let account = self.account(caller, account_id).await?;
        let user = self.user_of(&account, user_id).await?;
        let fields: Vec<(UserField, String)> = [
            change
                .license_type
                .clone()
                .map(|license| (UserField::LicenseType, license)),
            change
                .user_type
                .clone()
                .map(|kind| (UserField::UserType, kind)),
            change
                .metadata
                .as_ref()
                .map(|metadata| (UserField::Metadata, metadata.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.store
            .update_user(&account.account_id, &user.user_id, &fields)
            .await?;
        self.user_of(&account, user_id).await
    }

    /// Suspends a user of an enterprise; lets one of a team go.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn suspend_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        let user_id = user_id.to_ascii_lowercase();
        let suspended = self
            .store
            .suspend_user(&account.account_id, &user_id, now_ms());
        match suspended.await? {
            true => Ok(()),
            false => Err(Refusal::NotFound("the user")),
        }
    }

    /// Lets a suspended user of an enterprise in again; one who is not suspended stays as is.
    ///
    /// # Errors
    /// No such account or user; the account is a team's; the store.
    pub async fn unsuspend_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        if !is_enterprise(&account) {
            return Err(Refusal::NotAllowed(
                "only users of Enterprise accounts can be unsuspended".to_owned(),
            ));
        }
        let user = self.user_of(&account, user_id).await?;
        self.store
            .unsuspend_user(&account.account_id, &user.user_id)
            .await?;
        Ok(())
    }

    /// Ends a user's sign-ins everywhere.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn log_out_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        if self
            .store
            .log_out(&account.account_id, user_id, now_ms())
            .await?
        {
            Ok(())
        } else {
            Err(Refusal::NotFound("the user"))
        }
    }

    /// Gives a user another personal PIN.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn reset_personal_pin(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<User, Refusal> {
        let account = self.account(caller, account_id).await?;
        self.store.reset_pin(&account.account_id, user_id).await?;
        self.user_of(&account, user_id).await
    }

    /// What a user may do by telephone.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn user_settings(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<Value, Refusal> {
        let user = self.user(caller, account_id, user_id).await?;
        let mut telephony =
            json!({"InboundCalling": false, "OutboundCalling": false, "SMS": false});
        merge(&mut telephony, &document(&user.telephony));
        Ok(telephony)
    }

    /// Sets it.
    ///
    /// # Errors
    /// No such account or user; the store.
    pub async fn update_user_settings(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
        telephony: &Value,
    ) -> Result<(), Refusal> {
        let account = self.account(caller, account_id).await?;
        let user = self.user_of(&account, user_id).await?;
        let fields = [(UserField::Telephony, telephony.to_string())];
        self.store
            .update_user(&account.account_id, &user.user_id, &fields)
            .await?;
        Ok(())
    }

    /// Assigns a number for business calling to a user who has none.
    ///
    /// # Errors
    /// No such account, user or number; the number is for something else, or taken; the user has one; the store.
    pub async fn assign_to_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
        e164: &str,
    ) -> Result<(), Refusal> {
        let user = self.user(caller, account_id, user_id).await?;
        match self.number_of(caller, &user).await? {
            Some(number) if number == e164 => return Ok(()),
            Some(_) => {
                return Err(Refusal::NotAllowed(
                    "the user has a phone number; disassociate it first".to_owned(),
                ));
            }
            None => {}
        }
        let assignment = Assignment {
            to: "UserId",
            value: user.user_id,
            account: Some(user.account_id),
        };
        self.assign(caller, e164, &assignment, false).await
    }

    /// Takes a user's number away.
    ///
    /// # Errors
    /// No such account or user; the user has none; the store.
    pub async fn unassign_from_user(
        &self,
        caller: &Caller,
        account_id: &str,
        user_id: &str,
    ) -> Result<(), Refusal> {
        let user = self.user(caller, account_id, user_id).await?;
        let number = self
            .number_of(caller, &user)
            .await?
            .ok_or(Refusal::NotFound("the user's phone number"))?;
        self.store
            .unassign_number(
                &caller.account_id,
                &number,
                "UserId",
                &user.user_id,
                now_ms(),
            )
            .await?;
        Ok(())
    }
}
