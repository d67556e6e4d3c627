//! What a request names beside what it is about: twenty numbers to delete, a user to let into a room, the connector that a
//! number is taken from. Whoever may call the operation may do so to all of them, unless a policy denies it for one.

use serde_json::{Map, Value};

use super::model::Routed;
use super::{arn, facts};
use crate::control::{Caller, Context, Control, Refusal};

/// The action of a request, the ARN of what it is about, and what else is known of it but tags.
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) members: &'a Map<String, Value>,
    pub(super) context: &'a Context,
}

/// That no policy denies the caller the action on anything that these members name. They are within their bounds: that
/// is also a bound of how many things there are to ask for.
///
/// # Errors
/// It is denied for one; the store.
pub(super) async fn judge(
    control: &Control,
    caller: &Caller,
    routed: &Routed<'_>,
    asked: Asked<'_>,
    said: &Value,
) -> Result<(), Refusal> {
    let mut things = routed.named(said);
    if said.get(FORCE).and_then(Value::as_bool) == Some(true) {
        for number in numbers(said) {
            let held = control.holder_of_number(caller, number).await?;
            things.extend(held.and_then(|(kind, id)| routed.thing(&kind, &id)));
        }
    }
    for thing in things {
        let thing = arn(control, caller, &thing);
        if thing == asked.resource {
            continue;
        }
        let context = asked.context.clone();
        let context = facts::known(control, caller, asked.members, &thing, context).await?;
        control.not_denied(caller, asked.action, &thing, &context)?;
    }
    Ok(())
}

/// The numbers that a request assigns.
fn numbers(said: &Value) -> impl Iterator<Item = &str> {
    let several = said.get("E164PhoneNumbers").and_then(Value::as_array);
    several.into_iter().flatten().filter_map(Value::as_str)
}

/// The member by which numbers are taken from what they are assigned to.
const FORCE: &str = "ForceAssociate";
