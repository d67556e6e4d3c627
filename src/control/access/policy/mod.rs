//! Policies in IAM's JSON: read once, asked often.
//!
//! Nothing is allowed that no statement allows; a statement that denies wins over all that allow. What cannot be
//! decided, such as a condition by an operator or on a key that nobody knows, never allows and always denies. Pure: all that a
//! decision rests on is in the [`Request`].

#[cfg(test)]
mod agreement;
mod condition;
#[cfg(test)]
mod condition_tests;
mod document;
mod pattern;
mod principal;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod truth;

use thiserror::Error;

use super::Context;
use condition::Condition;
use document::Kind;
pub(crate) use document::MOST_OCTETS;
use pattern::Pattern;
use principal::{Named, Principal};
use truth::Truth;

/// A policy that was understood.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Why a text is no policy.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PolicyError {
    /// It is longer than any that is taken.
    #[error("the policy has {0} octets, more than {max}", max = document::MOST_OCTETS)]
    TooLong(usize),
    /// It is no JSON, or names one thing twice; with line and column.
    #[error("the policy is no JSON: {0}")]
    NotJson(String),
    /// An element of it is wrong.
    #[error("{at}: {fault}")]
    Bad {
        /// Where it stands, such as `Statement[0].Condition.IpAddress.aws:SourceIp[1]`.
        at: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with an element of a policy.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// It is needed.
    #[error("is missing")]
    Missing,
    /// No such element stands there.
    #[error("has no meaning here")]
    NotHere,
    /// It must be something else.
    #[error("is not {0}")]
    NotA(&'static str),
    /// It cannot stand beside the other.
    #[error("cannot stand beside {0}")]
    Beside(&'static str),
    /// It lists nothing.
    #[error("is empty")]
    Empty,
    /// Another has the same.
    #[error("is there twice")]
    Twice,
}

/// A question to policies.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The ARN of who asks.
    pub principal: &'a str,
    /// What for, such as `chime:GetMeeting`.
    pub action: &'a str,
    /// The ARN of what it is to be done to; `*` where that is nothing that is there already.
    pub resource: &'a str,
    /// What else is known.
    pub context: &'a Context,
}

/// The answer of policies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decision {
    /// Some statement allows it and none denies it.
    Allowed,
    /// No statement speaks of it.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

/// The answer of a role's trust policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The caller may not take the role.
    Refused,
    /// Those of the caller's account may whom that account's own policies allow it.
    Account,
    /// The caller itself may.
    Caller,
}

impl Policy {
    /// Reads a policy that says what its bearer may do.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn identity(text: &str) -> Result<Self, PolicyError> {
        document::parse(text, Kind::Identity)
    }

    /// Reads a policy that says who may take a role.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn trust(text: &str) -> Result<Self, PolicyError> {
        document::parse(text, Kind::Trust)
    }

    /// The condition operators that nobody knows: their statements allow nothing and deny all that they name.
    #[must_use]
    pub fn unknown_operators(&self) -> Vec<&str> {
        self.statements
            .iter()
            .flat_map(|statement| &statement.conditions)
            .filter_map(Condition::unknown_operator)
            .collect()
    }

    /// The condition keys that nobody knows, likewise.
    #[must_use]
    pub fn unknown_keys(&self) -> Vec<&str> {
        self.statements
            .iter()
            .flat_map(|statement| &statement.conditions)
            .filter_map(Condition::unknown_key)
            .collect()
    }

    /// Whether it looks at any key of a request that begins so.
    #[must_use]
    pub fn looks_at(&self, prefix: &str) -> bool {
        let begins = |key: &str| {
            let start = key.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        self.statements.iter().any(|statement| {
            let resources = statement.resources.iter();
            let variables = resources.flat_map(|resources| &resources.patterns);
            let mut keys = variables
                .flat_map(Pattern::variables)
                .chain(statement.conditions.iter().flat_map(Condition::keys));
            keys.any(begins)
        })
    }

    /// Whether a statement denies it that names things, and not all of them, or all but some.
    #[must_use]
    pub fn denies_by_name(&self, request: &Request<'_>) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect == Effect::Deny
                && statement
                    .resources
                    .as_ref()
                    .is_some_and(Matched::is_of_some)
                && statement.applies(request) != Truth::No
        })
    }

    /// Whether a role with this trust policy may be taken.
    #[must_use]
    pub fn trusts(&self, request: &Request<'_>) -> Trust {
        if evaluate([self], request) != Decision::Allowed {
            return Trust::Refused;
        }
        let named = self
            .statements
            .iter()
            .filter(|statement| {
                statement.effect == Effect::Allow && statement.applies(request) == Truth::Yes
            })
            .map(|statement| statement.names(request.principal))
            .max();
        match named {
            Some(Named::Directly) => Trust::Caller,
            _ => Trust::Account,
        }
    }
}

/// What all the policies of one bearer say together.
pub fn evaluate<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    request: &Request<'_>,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in policies.into_iter().flat_map(|policy| &policy.statements) {
        match (statement.effect, statement.applies(request)) {
            (_, Truth::No) | (Effect::Allow, Truth::Unknown) => {}
            (Effect::Allow, Truth::Yes) => decision = Decision::Allowed,
            (Effect::Deny, Truth::Yes | Truth::Unknown) => return Decision::ExplicitDeny,
        }
    }
    decision
}

#[derive(Clone, PartialEq, Debug)]
struct Statement {
    sid: Option<String>,
    effect: Effect,
    /// Only in trust policies.
    principals: Option<Vec<Principal>>,
    actions: Matched,
    /// Only in identity policies.
    resources: Option<Matched>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Allow,
    Deny,
}

/// Patterns one of which must match, or (`NotAction`, `NotResource`) none of which may.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Matched {
    patterns: Vec<Pattern>,
    but: bool,
}

impl Matched {
    fn is_of_some(&self) -> bool {
        !self.but && !self.patterns.iter().any(Pattern::is_any)
    }
}

impl Statement {
    fn applies(&self, request: &Request<'_>) -> Truth {
        let context = request.context;
        let named = Truth::from(self.names(request.principal) != Named::No);
        let action = self.actions.patterns.iter();
        let action = Truth::any(action.map(|pattern| pattern.matches(request.action, context)));
        let resource = self.resources.as_ref().map_or(Truth::Yes, |resources| {
            let patterns = resources.patterns.iter();
            Truth::any(patterns.map(|pattern| pattern.matches_arn(request.resource, context)))
                .not_if(resources.but)
        });
        let own = [named, action.not_if(self.actions.but), resource];
        let conditions = self.conditions.iter().map(|one| one.holds(context));
        Truth::all(own.into_iter().chain(conditions))
    }

    /// How it names the caller; a statement that names nobody is about its bearer.
    fn names(&self, arn: &str) -> Named {
        self.principals.as_ref().map_or(Named::Directly, |named| {
            let named = named.iter().map(|principal| principal.names(arn));
            named.max().unwrap_or(Named::No)
        })
    }
}
