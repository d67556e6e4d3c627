//! A request or an answer as the audit trail tells it: what the model knows of it, without secrets.

use serde_json::{Map, Value};

use super::{Kind, MODEL, Model, Shape};

/// What stands for what is not told, CloudTrail's word for it.
pub(crate) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Nothing of ours is deeper.
const DEEPEST: usize = 16;

impl Model {
    /// A value of that shape, with names as CloudTrail spells them. Members that the model does not know are left out, and
    /// what is not of the kind that it should be is hidden: nobody can tell what it is.
    pub(crate) fn told(&self, shape: &Shape, value: &Value) -> Value {
        self.tell(shape, value, 0)
    }

    fn tell(&self, shape: &Shape, value: &Value, depth: usize) -> Value {
        let hidden = || Value::String(HIDDEN.to_owned());
        if shape.sensitive || depth > DEEPEST {
            return hidden();
        }
        let inner = |name: Option<&String>, value: &Value| match name.and_then(|n| self.shape(n)) {
            Some(shape) => self.tell(shape, value, depth + 1),
            None => hidden(),
        };
        match (shape.kind, value) {
            (_, Value::Null) => Value::Null,
            (Kind::Structure, Value::Object(object)) => {
                let told = object.iter().filter_map(|(name, value)| {
                    let member = shape.members.get(name)?;
                    let told = match is_secret(name) && !value.is_null() {
                        true => hidden(),
                        false => inner(Some(&member.shape), value),
                    };
                    Some((spelt(name), told))
                });
                Value::Object(told.collect::<Map<_, _>>())
            }
            (Kind::Map, Value::Object(object)) => {
                let told = object
                    .iter()
                    .map(|(key, value)| (key.clone(), inner(shape.value.as_ref(), value)));
                Value::Object(told.collect())
            }
            (Kind::List, Value::Array(items)) => {
                let told = items.iter().map(|item| inner(shape.member.as_ref(), item));
                Value::Array(told.collect())
            }
            (Kind::String, Value::String(_))
            | (Kind::Integer | Kind::Float | Kind::Timestamp, Value::Number(_))
            | (Kind::Timestamp, Value::String(_))
            | (Kind::Boolean, Value::Bool(_)) => value.clone(),
            _ => hidden(),
        }
    }
}

/// A value of the shape of that name; null where there is no such shape.
pub(crate) fn told(shape: Option<&str>, value: &Value) -> Value {
    match shape.and_then(|name| MODEL.shape(name)) {
        Some(shape) => MODEL.told(shape, value),
        None => Value::Null,
    }
}

/// With a small first letter.
fn spelt(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Whether a member is a secret, also where the model forgot to say so.
fn is_secret(name: &str) -> bool {
    let ends = [
        "pin",
        "passcode",
        "password",
        "secret",
        "secretaccesskey",
        "sessiontoken",
        "securitytoken",
        "jointoken",
        "accesstoken",
    ];
    let name = name.to_ascii_lowercase();
    ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_whether_the_model_says_so_or_not() {
        let user = json!({"UserId": "u", "PersonalPIN": "1234567890", "Unknown": "x"});
        assert_eq!(
            told(Some("User"), &user),
            json!({"userId": "u", "personalPIN": HIDDEN})
        );
        let put = json!({
            "VoiceConnectorId": "v",
            "Credentials": [{"Username": "ada", "Password": "hush"}, "ada:hush"],
        });
        assert_eq!(
            told(Some("PutVoiceConnectorTerminationCredentialsRequest"), &put),
            json!({
                "voiceConnectorId": "v",
                "credentials": [{"username": HIDDEN, "password": HIDDEN}, HIDDEN],
            })
        );
        let attendee =
            json!({"Attendee": {"AttendeeId": "a", "JoinToken": "t", "ExternalUserId": "e"}});
        assert_eq!(
            told(Some("CreateAttendeeResponse"), &attendee),
            json!({"attendee": {"attendeeId": "a", "joinToken": HIDDEN, "externalUserId": HIDDEN}})
        );
    }

    #[test]
    fn what_is_of_another_kind_than_it_should_be_is_hidden() {
        let said = json!({"Name": {"Password": "hush"}, "Nothing": null});
        assert_eq!(
            told(Some("CreateAccountRequest"), &said),
            json!({"name": HIDDEN})
        );
        assert_eq!(
            told(Some("CreateAccountRequest"), &json!("hush")),
            json!(HIDDEN)
        );
        assert_eq!(told(None, &said), Value::Null);
    }
}
