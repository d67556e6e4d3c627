//! Which operation a request means: by method, path, and what its query says beside the members.

use std::collections::BTreeMap;

use super::super::sigv4::decode;
use super::{Model, Operation};
use crate::control::numbers;

/// An operation and what stood in its path.
#[derive(Debug)]
pub(crate) struct Routed<'a> {
    pub(crate) operation: &'a Operation,
    /// By the names that the path's template has; decoded, and spelt in the one way in which policies, the store and
    /// the audit trail know it.
    pub(crate) path: BTreeMap<&'a str, String>,
}

/// Path prefixes that stand for a service, for clients with an endpoint of their own for each.
const SERVICES: [&str; 6] = [
    "chime",
    "chime-sdk-meetings",
    "chime-sdk-voice",
    "chime-sdk-identity",
    "chime-sdk-messaging",
    "chime-sdk-media-pipelines",
];

impl Model {
    /// The operation, `None` where method and path mean nothing.
    pub(crate) fn route(&self, method: &str, path: &str, query: &str) -> Option<Routed<'_>> {
        let mut given: Vec<String> = segments(path).map(text).collect();
        if given
            .first()
            .is_some_and(|first| SERVICES.contains(&first.as_str()))
        {
            given.remove(0);
        }
        let candidates = self.routes.get(&(method.to_owned(), given.len()))?;
        let said = pairs(query);
        let fits = |operation: &Operation| match &operation.query {
            // A template without a query must not take what is meant for one with it.
            None => !said.iter().any(|(name, _)| name == "operation"),
            Some(needed) => said
                .iter()
                .any(|(name, value)| needed.split_once('=') == Some((name, value))),
        };
        candidates
            .iter()
            .filter_map(|at| self.operations.get(*at))
            .filter(|operation| fits(operation))
            .filter_map(|operation| matched(operation, &given))
            // What is named literally goes before what any text fits, and what a query names before what none does.
            .min_by_key(|routed| (routed.path.len(), routed.operation.query.is_none()))
    }
}

impl Routed<'_> {
    /// What the request is about, as the last part of an ARN; `None` where that is not in its path.
    pub(crate) fn resource(&self) -> Option<String> {
        let of_path = |name| self.thing(name, self.in_path(name)?);
        if let Some(account) = self.in_path("AccountId") {
            let inner = ["UserId", "RoomId", "BotId"].into_iter().find_map(of_path);
            return Some(inner.unwrap_or_else(|| format!("account/{account}")));
        }
        [
            "MeetingId",
            "VoiceConnectorId",
            "VoiceConnectorGroupId",
            "PhoneNumberId",
        ]
        .into_iter()
        .find_map(of_path)
    }

    /// What the path says in that place.
    pub(super) fn in_path(&self, name: &str) -> Option<&str> {
        let found = self
            .path
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn matched<'a>(operation: &'a Operation, given: &[String]) -> Option<Routed<'a>> {
    let mut path = BTreeMap::new();
    for (template, given) in segments(&operation.path).zip(given) {
        match template
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(name) => {
                if given.is_empty() {
                    return None;
                }
                let name = name.trim_end_matches('+');
                path.insert(name, spelt(name, given));
            }
            None if template == given => {}
            None => return None,
        }
    }
    Some(Routed { operation, path })
}

/// An id as it is kept, of the ways in which clients may write it: UUIDs in capitals, numbers without their plus. It
/// is found whichever is used, and so a policy that names it must fit whichever is used.
pub(crate) fn spelt(name: &str, given: &str) -> String {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("phoneNumberId") {
        numbers::canonical(given)
    } else if UUIDS.into_iter().any(is) {
        given.to_ascii_lowercase()
    } else {
        given.to_owned()
    }
}

/// The same of the id at the end of an ARN.
pub(crate) fn spelt_arn(arn: &str) -> String {
    match arn.rsplit_once(":meeting/") {
        Some((whose, id)) => format!("{whose}:meeting/{}", spelt("meetingId", id)),
        None => arn.to_owned(),
    }
}

/// Path members that are UUIDs.
const UUIDS: [&str; 7] = [
    "accountId",
    "attendeeId",
    "meetingId",
    "memberId",
    "phoneNumberOrderId",
    "roomId",
    "userId",
];

pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/').split('/')
}

/// The query's pairs, decoded.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (text(name), text(value))
        })
        .collect()
}

fn text(encoded: &str) -> String {
    String::from_utf8_lossy(&decode(encoded)).into_owned()
}
