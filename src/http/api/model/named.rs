//! What a request names, wherever in it: a policy that denies something for a thing must hold whether its id stands in the
//! path or among fifty others in the body.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Kind, MODEL, Routed, Shape, route};

impl Routed<'_> {
    /// The things that these members name, as the last parts of their ARNs, each once.
    pub(crate) fn named(&self, said: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if let Some(shape) = self.operation.input_shape() {
            self.collect(shape, "", said, &mut found);
        }
        found
    }

    fn collect(&self, shape: &Shape, name: &str, said: &Value, found: &mut BTreeSet<String>) {
        let inner = |name: &Option<String>| MODEL.shape(name.as_deref()?);
        match (shape.kind, said) {
            (Kind::Structure, Value::Object(members)) => {
                for (name, said) in members {
                    let known = shape.members.get(name);
                    if let Some(inner) = known.and_then(|known| MODEL.shape(&known.shape)) {
                        self.collect(inner, name, said, found);
                    }
                }
            }
            // What a list or a map is called, its members are.
            (Kind::List, Value::Array(items)) => {
                for item in items {
                    if let Some(inner) = inner(&shape.member) {
                        self.collect(inner, name, item, found);
                    }
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                for value in entries.values() {
                    if let Some(inner) = inner(&shape.value) {
                        self.collect(inner, name, value, found);
                    }
                }
            }
            (Kind::String, Value::String(id)) => found.extend(self.thing(name, id)),
            _ => {}
        }
    }

    /// What an id names that is called so, as the last part of its ARN; `None` where it is no id of anything that
    /// policies know.
    pub(crate) fn thing(&self, name: &str, id: &str) -> Option<String> {
        let (_, of, kind) = THINGS
            .into_iter()
            .find(|(known, _, _)| known.eq_ignore_ascii_case(name))?;
        let id = route::spelt(of, id);
        if !INNER.contains(&kind) {
            return Some(format!("{kind}/{id}"));
        }
        let account = self.in_path("AccountId")?;
        Some(format!("account/{account}/{kind}/{id}"))
    }
}

/// The members that hold ids, how such an id is called in paths, and what ARNs call what it names.
const THINGS: [(&str, &str, &str); 16] = [
    ("BotId", "BotId", "bot"),
    ("RoomId", "RoomId", "room"),
    ("UserId", "UserId", "user"),
    ("UserIdList", "UserId", "user"),
    ("MemberId", "UserId", "user"),
    ("MeetingId", "MeetingId", "meeting"),
    ("PrimaryMeetingId", "MeetingId", "meeting"),
    ("VoiceConnectorId", "VoiceConnectorId", "vc"),
    ("VoiceConnectorGroupId", "VoiceConnectorGroupId", "vcg"),
    ("PhoneNumberId", "PhoneNumberId", "phone-number"),
    ("PhoneNumberIds", "PhoneNumberId", "phone-number"),
    ("E164PhoneNumber", "PhoneNumberId", "phone-number"),
    ("E164PhoneNumbers", "PhoneNumberId", "phone-number"),
    ("DefaultPhoneNumber", "PhoneNumberId", "phone-number"),
    ("EmergencyPhoneNumber", "PhoneNumberId", "phone-number"),
    ("TestPhoneNumber", "PhoneNumberId", "phone-number"),
];

/// What is an account's, and has that account's name in its own.
const INNER: [&str; 3] = ["bot", "room", "user"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::super::dispatch;
    use super::*;

    fn named(method: &str, path: &str, query: &str, said: &Value) -> Vec<String> {
        let routed = MODEL.route(method, path, query).unwrap();
        routed.named(said).into_iter().collect()
    }

    #[test]
    fn what_a_body_names_is_found_in_lists_and_structures_in_its_one_spelling() {
        let batch = json!({"UpdatePhoneNumberRequestItems": [
            {"PhoneNumberId": "12065550170", "Name": "12065550179"}, {"PhoneNumberId": "%2B12065550171"},
            {"PhoneNumberId": "+12065550170"}]});
        assert_eq!(
            named("POST", "/phone-numbers", "operation=batch-update", &batch),
            ["phone-number/+12065550170", "phone-number/+12065550171"]
        );
        let members =
            json!({"AccountId": "a", "RoomId": "r", "MembershipItemList": [{"MemberId": "U-1"}]});
        let path = "/accounts/A/rooms/R/memberships";
        assert_eq!(
            named("POST", path, "operation=batch-create", &members),
            ["account/a/room/r", "account/a/user/u-1"]
        );
        let group =
            json!({"Name": "g", "VoiceConnectorItems": [{"VoiceConnectorId": "v", "Priority": 1}]});
        assert_eq!(
            named("POST", "/voice-connector-groups", "", &group),
            ["vc/v"]
        );
    }

    /// The names of all texts in a request, with one of the operations that has each.
    fn texts(shape: &Shape, name: &str, of: &str, found: &mut BTreeMap<String, String>) {
        if shape.kind == Kind::String {
            found.insert(name.to_owned(), of.to_owned());
        }
        for (name, member) in &shape.members {
            texts(MODEL.shape(&member.shape).unwrap(), name, of, found);
        }
        for inner in [&shape.member, &shape.value].into_iter().flatten() {
            texts(MODEL.shape(inner).unwrap(), name, of, found);
        }
    }

    #[test]
    fn no_id_or_number_of_the_model_is_passed_over() {
        let mut found = BTreeMap::new();
        for operation in MODEL.operations() {
            // The others ask for no thing of which there is an ARN in the body.
            let chime = operation.service.starts_with("chime") || operation.service == "campanile";
            if let Some(shape) = operation.input_shape()
                && chime
                && dispatch::noun(operation).is_some()
            {
                texts(shape, "", &operation.name, &mut found);
            }
        }
        // Ids in the words of who asks, ARNs of other services, and what is part of something that is named beside it.
        let of_nothing = [
            "AccountId",
            "AlexaForBusinessRoomArn",
            "AttendeeId",
            "ConfigurationArn",
            "ExternalMeetingId",
            "ExternalUserId",
            "LambdaFunctionArn",
            "MeetingHostId",
            "PhoneNumberOrderId",
            "ResourceARN",
            "SnsTopicArn",
            "SqsQueueArn",
            "TenantIds",
        ];
        let mut ids = 0;
        for (name, operation) in found {
            let says = ["Id", "Ids", "IdList", "ARN", "Arn", "Number", "Numbers"];
            if !says.into_iter().any(|end| name.ends_with(end)) {
                continue;
            }
            ids += 1;
            let known = THINGS.iter().any(|(known, _, _)| *known == name);
            let of_nothing = of_nothing.contains(&name.as_str());
            assert!(known != of_nothing, "{name} of {operation}");
        }
        assert!(ids > 20, "{ids}");
    }
}
