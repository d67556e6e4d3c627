//! Looking up entries of the caller's own account.

use super::keep::KEPT_MS;
use crate::control::{Caller, Control, Refusal, now_ms};
use crate::store::{AuditAttribute, AuditRow, Listed, Page};

/// Which entries are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lookup {
    /// Those with that value.
    pub attribute: Option<(AuditAttribute, String)>,
    /// Those of that second or later, since the epoch.
    pub from: Option<i64>,
    /// Those of that second or earlier.
    pub to: Option<i64>,
}

impl Control {
    /// Entries of the last 90 days, newest first, those of a moment ago among them.
    ///
    /// # Errors
    /// The times are the wrong way round; the trail or the store.
    pub async fn lookup_events(
        &self,
        caller: &Caller,
        lookup: &Lookup,
        page: &Page,
    ) -> Result<Listed<AuditRow>, Refusal> {
        let now = now_ms();
        let from = lookup.from.unwrap_or(0).saturating_mul(1000);
        // The second that is named is one of those asked for.
        let to = match lookup.to {
            None => now + AHEAD_MS,
            Some(to) => to.saturating_add(1).saturating_mul(1000),
        };
        if from >= to {
            return Err(Refusal::invalid("StartTime", "must not be after EndTime"));
        }
        let range = (from.max(now - KEPT_MS), to);
        self.trail.indexed().await.map_err(|behind| {
            tracing::error!("a lookup in the audit trail failed");
            Refusal::Unavailable(behind.to_string())
        })?;
        let attribute = match &lookup.attribute {
            Some((attribute, value)) => (*attribute, value.as_str()),
            None => (AuditAttribute::EventCategory, "Management"),
        };
        let found = self
            .store
            .audit_rows(&caller.account_id, attribute, range, page);
        Ok(found.await?)
    }
}

/// Of clocks of other nodes that are fast.
const AHEAD_MS: i64 = 60_000;
