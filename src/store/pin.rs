//! Ten digits that a phone dials: those of meetings and those of people are one set. They are sealed at rest.

use super::seal::Place;
use super::{Seal, StoreError, Writing, draw};

/// Where those of meetings stand, but for the row.
pub(super) const OF_MEETING: Place<'static> = Place {
    table: "meetings",
    column: "pin",
    row: "",
};

/// Where those of people stand, but for the row.
pub(super) const OF_USER: Place<'static> = Place {
    table: "users",
    column: "personal_pin",
    row: "",
};

/// A PIN, as it is stored.
pub(super) struct Stored {
    /// For its row only.
    pub(super) sealed: String,
    /// By what it is looked up.
    pub(super) found_by: String,
}

/// How a PIN is stored in that place.
pub(super) fn stored(seal: &Seal, place: Place<'_>, pin: &str) -> Result<Stored, StoreError> {
    Ok(Stored {
        sealed: seal.seal(place, pin)?,
        found_by: found_by(seal, pin),
    })
}

/// By what a PIN is found.
pub(super) fn found_by(seal: &Seal, pin: &str) -> String {
    seal.found_by("pin", pin)
}

/// A PIN that no meeting ever had and no user has. The caller holds the write lock, so it stays free.
pub(super) async fn free(transaction: &mut Writing, seal: &Seal) -> Result<String, StoreError> {
    loop {
        let pin = draw::pin()?;
        let taken = sqlx::query(
            "SELECT 1 FROM meetings WHERE pin_found_by = $1 \
             UNION ALL SELECT 1 FROM users WHERE personal_pin_found_by = $1",
        )
        .bind(found_by(seal, &pin))
        .fetch_optional(&mut **transaction)
        .await?;
        if taken.is_none() {
            return Ok(pin);
        }
    }
}
