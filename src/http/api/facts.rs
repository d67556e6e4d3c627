//! What conditions of policies may ask about an operation besides who asks for it: tags that it brings, tags of what it is
//! about, the beginning of a list.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::meetings::tagged;
use crate::control::access::context::{REQUEST_TAG, RESOURCE_TAG, TAG_KEYS};
use crate::control::{Caller, Context, Control, Refusal};

/// The context and what these members of a request and the tags of its resource add to it.
///
/// # Errors
/// The store.
pub(super) async fn known(
    control: &Control,
    caller: &Caller,
    said: &Map<String, Value>,
    resource: &str,
    mut context: Context,
) -> Result<Context, Refusal> {
    let list = |name: &str| {
        said.get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let brought = list("Tags").filter_map(|tag| text(tag, "Key"));
    let taken = list("TagKeys").filter_map(Value::as_str);
    context.set(TAG_KEYS, brought.chain(taken).map(str::to_owned));
    set_tags(&mut context, REQUEST_TAG, list("Tags"));
    if let Some(prefix) = said.get("Prefix").and_then(Value::as_str) {
        context.set("s3:prefix", [prefix.to_owned()]);
    }
    // Few policies look at it, and it is a question to the database.
    if caller.depends_on(RESOURCE_TAG)
        && let Ok(thing) = tagged(control, caller, resource)
    {
        match control.tags(caller, &thing).await {
            Ok(tags) => set_tags(&mut context, RESOURCE_TAG, tags.iter()),
            Err(Refusal::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(context)
}

/// Sets a key for each tag. Keys are compared in any letters: of tags that differ in these only, none is passed over.
fn set_tags<'a>(context: &mut Context, prefix: &str, tags: impl Iterator<Item = &'a Value>) {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in tags {
        if let (Some(key), Some(value)) = (text(tag, "Key"), text(tag, "Value")) {
            let all = values.entry(key.to_ascii_lowercase()).or_default();
            all.push(value.to_owned());
        }
    }
    for (key, values) in values {
        context.set(&format!("{prefix}{key}"), values);
    }
}

fn text<'a>(tag: &'a Value, name: &str) -> Option<&'a str> {
    tag.get(name).and_then(Value::as_str)
}
