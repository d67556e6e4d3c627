//! Phone numbers: found in the inventory, ordered, assigned, deleted and restored.

use serde_json::{Value, json};

use super::{Caller, Control, Refusal, now_ms};
use crate::store::{
    Assignment, Document, Listed, NumberFilter, NumberOrder, Page, PhoneNumber, Wish,
};

/// What of a number a request changes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NumberChange {
    /// What it is for.
    pub product_type: Option<String>,
    /// What callees see; empty for nothing.
    pub calling_name: Option<String>,
    /// The owner's name for it; empty for none.
    pub name: Option<String>,
}

impl NumberChange {
    fn apply(&self, number: &mut PhoneNumber, now_ms: i64) -> Result<(), Refusal> {
        if number.deleted_ms.is_some() {
            return Err(Refusal::Conflict(
                "the phone number is deleted; restore it first".to_owned(),
            ));
        }
        if let Some(product) = &self.product_type
            && *product != number.product_type
        {
            if number.assigned_to.is_some() {
                return Err(Refusal::Conflict(
                    "the phone number is assigned; disassociate it first".to_owned(),
                ));
            }
            number.product_type.clone_from(product);
        }
        if let Some(name) = &self.name {
            number.name = (!name.is_empty()).then(|| name.clone());
        }
        if let Some(calling_name) = &self.calling_name {
            let wish = (!calling_name.is_empty()).then(|| calling_name.clone());
            if wish != number.calling_name {
                rested(number.calling_name_ms)?;
                number.calling_name = wish;
                number.calling_name_ms = Some(now_ms);
            }
        }
        Ok(())
    }
}

/// The setting that holds the owner's own calling name.
const CALLING_NAME: &str = "CallingName";

impl Control {
    /// Orders numbers.
    ///
    /// # Errors
    /// A number twice; the store. Numbers that cannot be had are told in the order.
    pub async fn order_numbers(
        &self,
        caller: &Caller,
        product_type: &str,
        name: Option<&str>,
        numbers: &[String],
    ) -> Result<NumberOrder, Refusal> {
        self.release_numbers().await?;
        let mut wishes: Vec<Wish> = Vec::with_capacity(numbers.len());
        for number in numbers {
            let e164 = canonical(number);
            if wishes.iter().any(|wish| wish.e164 == e164) {
                return Err(Refusal::invalid(
                    "E164PhoneNumbers",
                    format!("has {e164} twice"),
                ));
            }
            let found = self.inventory.find(&e164);
            wishes.push(Wish {
                e164,
                country: found.map(|range| range.country.clone()),
                number_type: found.map_or_else(String::new, |range| range.number_type().to_owned()),
            });
        }
        Ok(self
            .store
            .order_numbers(&caller.account_id, product_type, name, &wishes, now_ms())
            .await?)
    }

    /// An order of the caller's.
    ///
    /// # Errors
    /// No such order; the store.
    pub async fn number_order(
        &self,
        caller: &Caller,
        order_id: &str,
    ) -> Result<NumberOrder, Refusal> {
        self.store
            .number_order(&caller.account_id, order_id)
            .await?
            .ok_or(Refusal::NotFound("the order"))
    }

    /// The caller's orders.
    ///
    /// # Errors
    /// The store.
    pub async fn number_orders(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Listed<NumberOrder>, Refusal> {
        Ok(self.store.number_orders(&caller.account_id, page).await?)
    }

    /// A number of the caller's, deleted ones too as long as they can be restored.
    ///
    /// # Errors
    /// No such number; the store.
    pub async fn number(&self, caller: &Caller, id: &str) -> Result<PhoneNumber, Refusal> {
        self.store
            .number(&caller.account_id, &canonical(id))
            .await?
            .filter(|number| {
                number
                    .deleted_ms
                    .is_none_or(|deleted| deleted > now_ms() - QUEUE_MS)
            })
            .ok_or(Refusal::NotFound("the phone number"))
    }

    /// What a number of the caller's is assigned to, as the member that names it and its id; `None` where it is free, or
    /// none of the caller's.
    ///
    /// # Errors
    /// The store.
    pub async fn holder_of_number(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Option<(String, String)>, Refusal> {
        let e164 = canonical(id);
        let number = self.store.number(&caller.account_id, &e164).await?;
        Ok(number.and_then(|number| number.assigned_to.zip(number.assigned_value)))
    }

    /// The caller's numbers.
    ///
    /// # Errors
    /// The store.
    pub async fn numbers(
        &self,
        caller: &Caller,
        filter: &NumberFilter,
        page: &Page,
    ) -> Result<Listed<PhoneNumber>, Refusal> {
        self.release_numbers().await?;
        Ok(self.store.numbers(&caller.account_id, filter, page).await?)
    }

    /// Changes a number.
    ///
    /// # Errors
    /// No such number; it is assigned, so that it cannot be for something else; its calling name was changed less than
    /// seven days ago; the store.
    pub async fn update_number(
        &self,
        caller: &Caller,
        id: &str,
        change: &NumberChange,
    ) -> Result<PhoneNumber, Refusal> {
        let number = self.number(caller, id).await?;
        let now = now_ms();
        self.store
            .edit_number(&caller.account_id, &number.e164, now, |number| {
                change.apply(number, now)
            })
            .await?
            .ok_or(Refusal::NotFound("the phone number"))
    }

    /// Puts a number into the queue of deleted ones, for seven days.
    ///
    /// # Errors
    /// No such number; it is assigned; the store.
    pub async fn delete_number(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let number = self.number(caller, id).await?;
        let done = self
            .store
            .delete_number(&caller.account_id, &number.e164, now_ms())
            .await?;
        if done || number.deleted_ms.is_some() {
            return Ok(());
        }
        Err(Refusal::NotAllowed(
            "the phone number is assigned; disassociate it first".to_owned(),
        ))
    }

    /// Takes a number out of that queue.
    ///
    /// # Errors
    /// No such number; it is not deleted; the store.
    pub async fn restore_number(&self, caller: &Caller, id: &str) -> Result<PhoneNumber, Refusal> {
        let number = self.number(caller, id).await?;
        let done = self
            .store
            .restore_number(&caller.account_id, &number.e164, now_ms())
            .await?;
        if !done {
            return Err(Refusal::invalid(
                "PhoneNumberId",
                "is not in the deletion queue",
            ));
        }
        self.number(caller, id).await
    }

    /// Assigns a number that is for the product of what it is assigned to.
    pub(super) async fn assign(
        &self,
        caller: &Caller,
        id: &str,
        assignment: &Assignment,
        force: bool,
    ) -> Result<(), Refusal> {
        let (owner, e164) = (&caller.account_id, canonical(id));
        let assigned = self
            .store
            .assign_number(owner, &e164, assignment, force, now_ms());
        if assigned.await? {
            return Ok(());
        }
        // Looked at afterwards: what it was before may be no reason any more.
        let number = self.number(caller, id).await?;
        let product_type = assignment.product_type();
        Err(Refusal::NotAllowed(if number.deleted_ms.is_some() {
            "the phone number is deleted; restore it first".to_owned()
        } else if number.product_type != product_type {
            format!(
                "the phone number's product type is {}, not {product_type}",
                number.product_type
            )
        } else {
            "the phone number is assigned to something else".to_owned()
        }))
    }

    /// The calling name of numbers without one of their own, and when it was set, ms since the epoch.
    ///
    /// # Errors
    /// The store.
    pub async fn calling_name(&self, caller: &Caller) -> Result<(String, Option<i64>), Refusal> {
        let stored = self.store.setting(&caller.account_id, CALLING_NAME).await?;
        let stored = stored.unwrap_or_else(|| json!({}));
        let (name, since) = named(&stored);
        Ok((name.to_owned(), since))
    }

    /// Sets it; empty for none.
    ///
    /// # Errors
    /// It was changed less than seven days ago; the store.
    pub async fn set_calling_name(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        let (setting, account) = (Document::Setting(CALLING_NAME), &caller.account_id);
        self.change_document(setting, account, "the setting", |stored| {
            let (known, since) = named(&stored);
            if known == name {
                return Ok(stored);
            }
            rested(since)?;
            Ok(json!({"Name": name, "Ms": now_ms()}))
        })
        .await?;
        Ok(())
    }

    pub(super) async fn release_numbers(&self) -> Result<(), Refusal> {
        let released = self.store.release_numbers(now_ms() - QUEUE_MS).await?;
        if released > 0 {
            tracing::info!(released, "deleted phone numbers are back in the inventory");
        }
        Ok(())
    }
}

/// A stored calling name, and since when.
fn named(stored: &Value) -> (&str, Option<i64>) {
    let name = stored.get("Name").and_then(Value::as_str);
    let since = stored.get("Ms").and_then(Value::as_i64);
    (name.unwrap_or_default(), since)
}

/// A calling name may change once in seven days.
fn rested(since_ms: Option<i64>) -> Result<(), Refusal> {
    match since_ms {
        Some(since) if since > now_ms() - QUEUE_MS => Err(Refusal::invalid(
            "CallingName",
            "may change once in seven days",
        )),
        _ => Ok(()),
    }
}

/// A number with its plus sign, which may be missing, or be written as in a URL: so AWS shows its ids, and so scripts
/// have them in paths (where they are then encoded twice) and bodies.
pub(crate) fn canonical(number: &str) -> String {
    let plain = number
        .strip_prefix("%2B")
        .or_else(|| number.strip_prefix("%2b"));
    let digits = plain.unwrap_or(number).trim_start_matches('+');
    format!("+{digits}")
}

/// Seven days.
const QUEUE_MS: i64 = 7 * 24 * 3600 * 1000;
