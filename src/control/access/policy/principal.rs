//! Whom a trust policy names.

use serde_json::Value;

use super::document::texts;
use super::{Fault, PolicyError};

/// One that is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Principal {
    /// `*`.
    Everyone,
    /// An account, by its twelve digits or its root's ARN.
    Account(String),
    /// A user, role or session, by its ARN.
    Arn(String),
    /// A service or an identity provider: no caller of ours.
    Other,
}

/// How a caller is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Named {
    /// Not at all.
    No,
    /// As one of an account, whose administrators say who that may be.
    ByAccount,
    /// By itself, or as everybody.
    Directly,
}

impl Principal {
    pub(super) fn read(at: &str, value: &Value) -> Result<Vec<Self>, PolicyError> {
        let bad = |at: &str, fault| PolicyError::Bad {
            at: at.to_owned(),
            fault,
        };
        let kinds = match value {
            Value::String(text) if text == "*" => return Ok(vec![Self::Everyone]),
            Value::Object(kinds) if kinds.is_empty() => return Err(bad(at, Fault::Empty)),
            Value::Object(kinds) => kinds,
            _ => {
                return Err(bad(
                    at,
                    Fault::NotA(r#""*" or an object such as {"AWS": …}"#),
                ));
            }
        };
        let mut principals = Vec::new();
        for (kind, names) in kinds {
            let at = format!("{at}.{kind}");
            for (at, name) in texts(&at, names)? {
                principals.push(match kind.as_str() {
                    "AWS" => Self::aws(name).map_err(|fault| bad(&at, fault))?,
                    "Service" | "Federated" | "CanonicalUser" => Self::Other,
                    _ => return Err(bad(&at, Fault::NotHere)),
                });
            }
        }
        Ok(principals)
    }

    fn aws(name: &str) -> Result<Self, Fault> {
        if name == "*" {
            return Ok(Self::Everyone);
        }
        if is_account(name) {
            return Ok(Self::Account(name.to_owned()));
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "iam", "", account, "root"] if is_account(account) => {
                Ok(Self::Account((*account).to_owned()))
            }
            ["arn", _, "iam" | "sts", "", account, _] if is_account(account) => {
                Ok(Self::Arn(name.to_owned()))
            }
            _ => Err(Fault::NotA("an account id, the ARN of a principal, or *")),
        }
    }

    /// How it names the caller of that ARN.
    pub(super) fn names(&self, arn: &str) -> Named {
        match self {
            Self::Everyone => Named::Directly,
            Self::Account(account) if arn.split(':').nth(4) == Some(account) => Named::ByAccount,
            Self::Arn(named) if named == arn || Some(named) == role_of(arn).as_ref() => {
                Named::Directly
            }
            _ => Named::No,
        }
    }
}

/// The role that a session is of: whoever names the role names its sessions.
fn role_of(arn: &str) -> Option<String> {
    let (account, session) = arn
        .strip_prefix("arn:aws:sts::")?
        .split_once(":assumed-role/")?;
    let (role, _) = session.split_once('/')?;
    Some(format!("arn:aws:iam::{account}:role/{role}"))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
