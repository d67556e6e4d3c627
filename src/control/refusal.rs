//! Why an operation was not done: one variant per kind of fault, whoever asked and by whatever way.

use thiserror::Error;

use crate::store::{Full, NoNewAttendee, StoreError};

/// A refused operation.
#[derive(Debug, Error)]
pub enum Refusal {
    /// A field of the request breaks a rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// The field, as the request spells it; nested ones with dots.
        field: String,
        /// What it must be.
        rule: String,
    },
    /// The caller's policies do not allow it.
    #[error("User: {arn} is not authorized to perform: {action} on resource: {resource}")]
    Forbidden {
        /// The caller.
        arn: String,
        /// What it asked for, such as `chime:GetMeeting`.
        action: String,
        /// What for: an ARN, or `*`.
        resource: String,
    },
    /// A policy that is none: what is wrong, and where.
    #[error("{0}")]
    BadPolicy(String),
    /// There is no such thing, or it belongs to another account.
    #[error("{0} was not found")]
    NotFound(&'static str),
    /// The meeting was there and has ended.
    #[error("the meeting has ended")]
    Ended,
    /// It does not go with what is there already.
    #[error("{0}")]
    Conflict(String),
    /// The account, or what it is in, does not allow it.
    #[error("{0}")]
    NotAllowed(String),
    /// It is well formed, but what it is about is not in the state for it.
    #[error("{0}")]
    Unprocessable(String),
    /// There would be more of something than may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// It is valid, but this server does not do it.
    #[error("{0}")]
    NotOffered(String),
    /// Too many requests or tries for now.
    #[error("Rate exceeded: too many tries, wait a while")]
    Throttled,
    /// It may well go by itself: the database is away, or somebody else whom we must ask.
    #[error("{0}")]
    Unavailable(String),
    /// Ours: the store, or a node on its way down.
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    /// A field that breaks a rule.
    pub fn invalid(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            rule: rule.into(),
        }
    }

    /// The word for it in the list of errors of an operation on many things.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } | Self::NotOffered(_) | Self::BadPolicy(_) => "BadRequest",
            Self::Forbidden { .. } => "AccessDenied",
            Self::NotFound(_) => "NotFound",
            Self::Ended => "Gone",
            Self::Conflict(_) => "Conflict",
            Self::NotAllowed(_) => "Forbidden",
            Self::Unprocessable(_) => "Unprocessable",
            Self::LimitExceeded(_) => "ResourceLimitExceeded",
            Self::Throttled => "Throttled",
            Self::Unavailable(_) => "ServiceUnavailable",
            Self::Failed(_) => "ServiceFailure",
        }
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self::LimitExceeded(full.to_string())
    }
}

impl From<NoNewAttendee> for Refusal {
    fn from(why: NoNewAttendee) -> Self {
        match why {
            NoNewAttendee::Ended => Self::NotFound("the meeting"),
            NoNewAttendee::Full => Self::LimitExceeded(why.to_string()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if error.is_of_text() {
            return Self::invalid("", "no text may have the character U+0000 in it");
        }
        // What it is about was there when it was looked for, and has gone since.
        if error.is_of_missing() {
            return Self::NotFound("what the request is about");
        }
        // The caller learns that it failed; what failed is for our own log.
        tracing::error!(%error, "the store failed");
        if error.is_passing() {
            return Self::Unavailable("the service is unavailable; try again".to_owned());
        }
        Self::Failed("the request could not be carried out".to_owned())
    }
}
