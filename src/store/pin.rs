//! Ten digits that a phone dials: those of meetings and those of people are one set.

use sqlx::{Any, Transaction};

use super::{StoreError, draw};

/// A PIN that no meeting ever had and no user has. The caller holds the write lock, so it stays free.
pub(super) async fn free(
    transaction: &mut Transaction<'static, Any>,
) -> Result<String, StoreError> {
    loop {
        let pin = draw::pin()?;
        let taken = sqlx::query(
            "SELECT 1 FROM meetings WHERE pin = $1 UNION ALL SELECT 1 FROM users WHERE personal_pin = $1",
        )
        .bind(pin.clone())
        .fetch_optional(&mut **transaction)
        .await?;
        if taken.is_none() {
            return Ok(pin);
        }
    }
}
