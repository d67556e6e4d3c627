//! What is known of a request besides who, what and on what: the values that conditions and variables look at.

use std::collections::BTreeMap;

/// Whether this server knows what is meant by a condition key. A request may well have no value for one that it knows;
/// for one that it does not know, nobody can say.
#[must_use]
pub fn is_known(key: &str) -> bool {
    let begins = |prefix: &str| {
        let start = key.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix)) && key.len() > prefix.len()
    };
    FILLED
        .iter()
        .chain(NEVER)
        .any(|known| match known.strip_suffix('*') {
            Some(prefix) => begins(prefix),
            None => known.eq_ignore_ascii_case(key),
        })
}

/// The tags that a request brings.
pub const REQUEST_TAG: &str = "aws:RequestTag/";

/// The tags of what a request is about.
pub const RESOURCE_TAG: &str = "aws:ResourceTag/";

/// The keys of the tags that a request brings or takes away.
pub const TAG_KEYS: &str = "aws:TagKeys";

/// Keys that have a value wherever there is one to tell.
const FILLED: &[&str] = &[
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalType",
    "aws:Referer",
    "aws:RequestTag/*",
    "aws:RequestedRegion",
    "aws:ResourceTag/*",
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:ViaAWSService",
    "aws:userid",
    "aws:username",
    "s3:prefix",
    "sts:ExternalId",
    "sts:RoleSessionName",
];

/// Keys of what there is none of here, so that they are missing by right: networks within the cloud, organizations,
/// second factors, tags of users, services that ask for others.
const NEVER: &[&str] = &[
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:FederatedProvider",
    "aws:MultiFactorAuthAge",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalTag/*",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
];

/// Condition keys and their values. Keys are compared without regard to case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one value, in place of what the key had.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, [value.into()]);
        self
    }

    /// Sets all values of a key; no values are no key.
    pub fn set(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        let key = key.to_ascii_lowercase();
        if values.is_empty() {
            self.values.remove(&key);
        } else {
            self.values.insert(key, values);
        }
    }

    /// The values of a key, none where it is not known.
    #[must_use]
    pub fn all(&self, key: &str) -> &[String] {
        self.values
            .get(&key.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// The value of a key that has exactly one.
    #[must_use]
    pub fn single(&self, key: &str) -> Option<&str> {
        match self.all(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_are_known_are_those_of_the_document() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policies.md");
        let document = std::fs::read_to_string(file).unwrap();
        let mut told: Vec<&str> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(key, _)| key)
            .collect();
        let mut known: Vec<&str> = FILLED.iter().chain(NEVER).copied().collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known);
    }

    #[test]
    fn keys_are_known_in_any_letters_and_tags_by_what_they_begin_with() {
        for key in ["AWS:sourceip", "aws:requesttag/Env", "aws:ResourceTag/a/b"] {
            assert!(is_known(key), "{key}");
        }
        for key in ["aws:RequestTag/", "aws:Colour", "chime:MeetingId", "", "ä"] {
            assert!(!is_known(key), "{key}");
        }
    }
}
