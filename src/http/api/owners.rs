//! The accounts of the deployment, isolated from each other: the business of the deployment's own account alone.

use serde_json::{Value, json};

use super::access::key_with_secret;
use super::dispatch::{Call, time};
use crate::control::Refusal;
use crate::store::OwnerAccount;

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    let Call { control, input, .. } = call;
    match call.name {
        "CreateOwnerAccount" => {
            let wish = input.text("AccountId");
            let made = control.create_owner_account(input.required("Name"), wish);
            let (made, key) = made.await?;
            Ok(json!({"Account": shape(&made), "AccessKey": key_with_secret(&key)}))
        }
        "ListOwnerAccounts" => {
            let found = control.store.owner_accounts().await?;
            let listed: Vec<Value> = found.iter().map(shape).collect();
            Ok(json!({"Accounts": listed}))
        }
        _ => call.missing(),
    }
}

fn shape(account: &OwnerAccount) -> Value {
    json!({
        "AccountId": account.account_id,
        "Name": account.name,
        "CreateDate": time(account.created_ms),
    })
}
