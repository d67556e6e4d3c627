//! Domains, as `campanile admin domain` asks for them: `POST /domains/<operation>`.

use serde_json::{Value, json};

use crate::control::{Caller, Control, Refusal};
use crate::http::api::domain_shape as shape;

/// Does one operation with the parameters in `body`.
pub(super) async fn perform(
    control: &Control,
    operation: &str,
    body: &Value,
) -> Result<Value, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let required =
        |name: &'static str| text(name).ok_or_else(|| Refusal::invalid(name, "is required"));
    let owner = text("Owner").unwrap_or(&control.deployment.account_id);
    let caller = Caller::administrator(owner);
    let account = required("AccountId")?;
    if operation == "List" {
        let found = control.domains(&caller, account).await?;
        return Ok(json!({"Domains": found.iter().map(shape).collect::<Vec<_>>()}));
    }
    let name = required("Name")?;
    match operation {
        "Claim" => {
            let claimed = control.claim_domain(&caller, account, name).await?;
            Ok(json!({"Domain": shape(&claimed)}))
        }
        "Verify" => {
            let found = control.verify_domain(&caller, account, name).await?;
            Ok(json!({"Domain": shape(&found)}))
        }
        "Remove" => {
            let done = control.remove_domain(&caller, account, name).await?;
            Ok(json!({"ReleasedUsers": done.released, "SuspendedUsers": done.suspended}))
        }
        _ => Err(Refusal::NotFound("the operation")),
    }
}
