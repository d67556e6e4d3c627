//! The policies that exist by name in every account, and that nobody can change.

use super::policy::{Policy, PolicyError};

/// A policy that belongs to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Managed {
    /// Its name, such as `AmazonChimeReadOnly`.
    pub name: &'static str,
    /// Its text.
    pub document: &'static str,
}

/// All of them, by name.
pub const MANAGED: &[Managed] = &[
    Managed {
        name: ADMINISTRATOR_ACCESS,
        document: include_str!("managed/AdministratorAccess.json"),
    },
    Managed {
        name: "AmazonChimeFullAccess",
        document: include_str!("managed/AmazonChimeFullAccess.json"),
    },
    Managed {
        name: "AmazonChimeReadOnly",
        document: include_str!("managed/AmazonChimeReadOnly.json"),
    },
    Managed {
        name: "AmazonChimeUserManagement",
        document: include_str!("managed/AmazonChimeUserManagement.json"),
    },
    Managed {
        name: "AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
        document: include_str!("managed/AmazonChimeVoiceConnectorServiceLinkedRolePolicy.json"),
    },
];

/// The policy of each account's first administrator: everything on everything.
pub const ADMINISTRATOR_ACCESS: &str = "AdministratorAccess";

impl Managed {
    /// The one of that name or ARN.
    #[must_use]
    pub fn find(name_or_arn: &str) -> Option<&'static Self> {
        let name = match name_or_arn.strip_prefix(ARN_PREFIX) {
            // The service's own keep their path in ARNs: aws-service-role/NAME.
            Some(path) => path.rsplit('/').next().unwrap_or(path),
            None => name_or_arn,
        };
        MANAGED.iter().find(|managed| managed.name == name)
    }

    /// `arn:aws:iam::aws:policy/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("{ARN_PREFIX}{}", self.name)
    }

    /// The policy.
    ///
    /// # Errors
    /// Never, as a test shows.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        Policy::identity(self.document)
    }
}

const ARN_PREFIX: &str = "arn:aws:iam::aws:policy/";

#[cfg(test)]
mod tests {
    use super::super::policy::{Decision, Request, evaluate};
    use super::super::{Context, Managed};
    use super::*;

    fn allows(name: &str, action: &str, resource: &str) -> bool {
        let policy = Managed::find(name).unwrap().policy().unwrap();
        let request = Request {
            principal: "arn:aws:iam::123456789012:user/ada",
            action,
            resource,
            context: &Context::new(),
        };
        evaluate([&policy], &request) == Decision::Allowed
    }

    #[test]
    fn every_managed_policy_is_one_and_is_found_by_name_and_arn() {
        for managed in MANAGED {
            let policy = managed.policy().unwrap();
            assert_eq!(policy.unknown_operators(), Vec::<&str>::new());
            assert_eq!(Managed::find(managed.name), Some(managed));
            assert_eq!(Managed::find(&managed.arn()), Some(managed));
        }
        assert_eq!(Managed::find("AmazonChimeSomething"), None);
        assert_eq!(Managed::find("arn:aws:iam::123456789012:policy/x"), None);
    }

    #[test]
    fn full_access_is_all_of_chime_and_what_delivery_needs() {
        let name = "AmazonChimeFullAccess";
        assert!(allows(name, "chime:DeleteVoiceConnector", "*"));
        assert!(allows(name, "s3:GetBucketAcl", "arn:aws:s3:::records"));
        assert!(!allows(name, "s3:DeleteBucket", "arn:aws:s3:::records"));
        assert!(allows(
            name,
            "sns:CreateTopic",
            "arn:aws:sns:us-east-1:123456789012:ChimeVoiceConnector-Streaming-x"
        ));
        assert!(!allows(
            name,
            "sns:CreateTopic",
            "arn:aws:sns:us-east-1:123456789012:other"
        ));
        assert!(!allows(
            name,
            "sts:AssumeRole",
            "arn:aws:iam::123456789012:role/r"
        ));
    }

    #[test]
    fn read_only_reads_only() {
        let name = "AmazonChimeReadOnly";
        for (action, allowed) in [
            ("chime:GetMeeting", true),
            ("chime:ListUsers", true),
            ("chime:SearchAvailablePhoneNumbers", true),
            ("chime:CreateMeeting", false),
            ("chime:DeleteMeeting", false),
            ("logs:GetLogEvents", false),
        ] {
            assert_eq!(allows(name, action, "*"), allowed, "{action}");
        }
    }

    #[test]
    fn user_management_is_its_fixed_list() {
        let name = "AmazonChimeUserManagement";
        assert!(allows(name, "chime:InviteUsers", "*"));
        assert!(allows(name, "chime:ResetPersonalPIN", "*"));
        assert!(!allows(name, "chime:DeleteAccount", "*"));
        assert!(!allows(name, "chime:CreateMeeting", "*"));
    }
}
