//! Orders of phone numbers: what was asked for, and what of it was had.

use super::numbers::COLUMNS as OF_NUMBER;
use super::{Listed, Page, Store, StoreError, draw, row};

row! {
    /// An order of numbers.
    #[derive(Clone, PartialEq, Debug)]
    pub struct NumberOrder {
        /// UUID.
        pub order_id: String,
        /// Whose.
        pub owner: String,
        /// What for.
        pub product_type: String,
        /// `Successful`, `Partial` or `Failed`.
        pub status: String,
        /// `OrderedPhoneNumbers` as JSON.
        pub numbers: String,
        /// ms since the epoch.
        pub created_ms: i64,
        /// ms since the epoch.
        pub updated_ms: i64,
    }

    const COLUMNS;
}

/// A number as an order asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// E.164.
    pub e164: String,
    /// ISO 3166-1; `None` where the inventory does not have it, so that it cannot be had.
    pub country: Option<String>,
    /// `Local` or `TollFree`.
    pub number_type: String,
}

impl Store {
    /// Orders numbers: each is had unless somebody has it already or the inventory does not know it.
    ///
    /// # Errors
    /// The database.
    pub async fn order_numbers(
        &self,
        owner: &str,
        product_type: &str,
        name: Option<&str>,
        wishes: &[Wish],
        now_ms: i64,
    ) -> Result<NumberOrder, StoreError> {
        let mut transaction = self.write().await?;
        let order_id = draw::ordered_uuid(now_ms)?;
        let mut ordered = Vec::with_capacity(wishes.len());
        let mut had = 0;
        for wish in wishes {
            let done = match &wish.country {
                None => 0,
                Some(country) => sqlx::query(sqlx::AssertSqlSafe(format!(
                    "INSERT INTO phone_numbers ({OF_NUMBER}) VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL, $7, NULL, NULL, \
                     NULL, NULL, $8, $9, NULL) ON CONFLICT (e164) DO NOTHING"
                )))
                .bind(wish.e164.clone())
                .bind(owner.to_owned())
                .bind(country.clone())
                .bind(wish.number_type.clone())
                .bind(product_type.to_owned())
                .bind(name.map(str::to_owned))
                .bind(order_id.clone())
                .bind(now_ms)
                .bind(now_ms)
                .execute(&mut *transaction)
                .await?
                .rows_affected(),
            };
            let status = if done == 1 { "Acquired" } else { "Failed" };
            had += usize::from(done == 1);
            ordered.push(serde_json::json!({"E164PhoneNumber": wish.e164, "Status": status}));
        }
        let order = NumberOrder {
            order_id,
            owner: owner.to_owned(),
            product_type: product_type.to_owned(),
            status: match had {
                0 => "Failed",
                all if all == wishes.len() => "Successful",
                _ => "Partial",
            }
            .to_owned(),
            numbers: serde_json::Value::Array(ordered).to_string(),
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        sqlx::query("INSERT INTO phone_number_orders (order_id, owner, product_type, status, numbers, created_ms, updated_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(order.order_id.clone())
            .bind(order.owner.clone())
            .bind(order.product_type.clone())
            .bind(order.status.clone())
            .bind(order.numbers.clone())
            .bind(now_ms)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(order)
    }

    /// An order of that owner.
    ///
    /// # Errors
    /// The database.
    pub async fn number_order(
        &self,
        owner: &str,
        order_id: &str,
    ) -> Result<Option<NumberOrder>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM phone_number_orders WHERE order_id = $1 AND owner = $2"
        )))
        .bind(order_id.to_ascii_lowercase())
        .bind(owner.to_owned())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The owner's orders, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn number_orders(
        &self,
        owner: &str,
        page: &Page,
    ) -> Result<Listed<NumberOrder>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM phone_number_orders WHERE owner = $1 AND order_id > $2 ORDER BY order_id LIMIT $3 + 0"
        );
        let rows = self.page_of(sql, owner, page).await?;
        Ok(page.cut(rows, |order: &NumberOrder| &order.order_id))
    }
}
