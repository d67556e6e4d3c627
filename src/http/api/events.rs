//! The audit trail in JSON, as CloudTrail's clients read it.

use serde_json::{Value, json};

use super::dispatch::{Call, present};
use super::input::Input;
use crate::control::Refusal;
use crate::control::audit::Lookup;
use crate::store::{AuditAttribute, AuditRow, Page};

pub(super) async fn perform(call: &Call<'_>) -> Result<Value, Refusal> {
    match call.name {
        "LookupEvents" => {
            let lookup = lookup(&call.input)?;
            if call.input.text("EventCategory").is_some() {
                // Insights are the only category that can be asked for, and here nobody draws any.
                return Ok(json!({"Events": []}));
            }
            let page = Page {
                most: match call.input.number("MaxResults") {
                    None => USUAL,
                    Some(_) => call.page()?.most,
                },
                ..call.page()?
            };
            let listed = call.control.lookup_events(call.caller, &lookup, &page);
            Ok(call.listed("Events", &listed.await?, shape))
        }
        _ => call.missing(),
    }
}

fn lookup(input: &Input<'_>) -> Result<Lookup, Refusal> {
    let mut attributes = input.list("LookupAttributes");
    // The model knows the same keys.
    let attribute = attributes.next().and_then(|attribute| {
        let named = attribute.required("AttributeKey");
        let (_, known) = ATTRIBUTES.iter().find(|(name, _)| *name == named)?;
        Some((*known, attribute.required("AttributeValue").to_owned()))
    });
    if attributes.next().is_some() {
        return Err(Refusal::invalid(
            "LookupAttributes",
            "must have at most 1 member",
        ));
    }
    Ok(Lookup {
        attribute,
        from: input.seconds("StartTime")?,
        to: input.seconds("EndTime")?,
    })
}

fn shape(row: &AuditRow) -> Value {
    let entry: Value = serde_json::from_str(&row.document).unwrap_or_default();
    let time = entry.get("eventTime").and_then(Value::as_str);
    let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let known = |text: &str| (!text.is_empty()).then(|| json!(text));
    let resources = match row.resource_name.as_str() {
        "" => json!([]),
        name => json!([{"ResourceType": row.resource_type, "ResourceName": name}]),
    };
    present([
        ("EventId", known(&row.event_id)),
        ("EventName", known(&row.event_name)),
        ("ReadOnly", known(&row.read_only)),
        ("AccessKeyId", known(&row.access_key_id)),
        ("EventTime", time.map(|time| json!(time.as_second()))),
        ("EventSource", known(&row.event_source)),
        ("Username", known(&row.user_name)),
        ("Resources", Some(resources)),
        ("CloudTrailEvent", known(&row.document)),
    ])
}

const ATTRIBUTES: [(&str, AuditAttribute); 8] = [
    ("EventId", AuditAttribute::EventId),
    ("EventName", AuditAttribute::EventName),
    ("ReadOnly", AuditAttribute::ReadOnly),
    ("Username", AuditAttribute::UserName),
    ("ResourceType", AuditAttribute::ResourceType),
    ("ResourceName", AuditAttribute::ResourceName),
    ("EventSource", AuditAttribute::EventSource),
    ("AccessKeyId", AuditAttribute::AccessKeyId),
];

/// Entries on a page where nothing else is asked for, which is also the most.
const USUAL: u32 = 50;
