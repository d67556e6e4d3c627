//! Voice connectors: what a trunk may do, where it leads, which numbers are on it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Caller, Control, Refusal, now_ms};
use crate::store::{Assignment, InUse, Listed, NewVoiceConnector, Page, Secret, VoiceConnector};

/// What can be set for a voice connector, by the API's name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Who may call out, where to, how often.
    Termination,
    /// Where calls in are led to.
    Origination,
    /// Which logs are kept.
    LoggingConfiguration,
    /// Live streams of the sound.
    StreamingConfiguration,
    /// Numbers to dial for emergency services.
    EmergencyCallingConfiguration,
    /// What stands at the other end.
    ExternalSystemsConfiguration,
}

impl Setting {
    /// The API's name, also in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Termination => "Termination",
            Self::Origination => "Origination",
            Self::LoggingConfiguration => "LoggingConfiguration",
            Self::StreamingConfiguration => "StreamingConfiguration",
            Self::EmergencyCallingConfiguration => "EmergencyCallingConfiguration",
            Self::ExternalSystemsConfiguration => "ExternalSystemsConfiguration",
        }
    }

    /// What holds where nothing was set; `None` where then there is nothing.
    fn unset(self) -> Option<Value> {
        match self {
            Self::LoggingConfiguration => {
                Some(json!({"EnableSIPLogs": false, "EnableMediaMetricLogs": false}))
            }
            _ => None,
        }
    }

    /// What the model's bounds do not say.
    fn check(self, document: &Value) -> Result<(), Refusal> {
        let texts = |member: &str| -> Vec<String> {
            let items = document.get(member).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        match self {
            // One that is turned off needs neither.
            Self::Termination => {
                for member in ["CallingRegions", "CidrAllowedList"] {
                    if is_on(Some(document)) && texts(member).is_empty() {
                        let field = format!("Termination.{member}");
                        return Err(Refusal::invalid(field, "is required"));
                    }
                }
                for (at, cidr) in texts("CidrAllowedList").iter().enumerate() {
                    if !is_cidr(cidr) {
                        return Err(Refusal::invalid(
                            format!("Termination.CidrAllowedList.{}", at + 1),
                            "must be a range of addresses such as 192.0.2.0/28",
                        ));
                    }
                }
                for (at, country) in texts("CallingRegions").iter().enumerate() {
                    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase())
                    {
                        return Err(Refusal::invalid(
                            format!("Termination.CallingRegions.{}", at + 1),
                            "must be a country of two capital letters",
                        ));
                    }
                }
            }
            Self::Origination => {
                let routes = document.get("Routes").and_then(Value::as_array);
                let count = routes.map_or(0, Vec::len);
                if count > MOST_ROUTES || (count == 0 && is_on(Some(document))) {
                    return Err(Refusal::invalid(
                        "Origination.Routes",
                        format!("must have 1 to {MOST_ROUTES} members"),
                    ));
                }
                for (at, route) in routes.into_iter().flatten().enumerate() {
                    let host = route.get("Host").and_then(Value::as_str);
                    if !host.is_some_and(is_host) {
                        return Err(Refusal::invalid(
                            format!("Origination.Routes.{}.Host", at + 1),
                            "must be a host name or an address",
                        ));
                    }
                }
            }
            Self::EmergencyCallingConfiguration => {
                let numbers = document.get("DNIS").and_then(Value::as_array);
                for (at, number) in numbers.into_iter().flatten().enumerate() {
                    if number.get("CallingCountry").and_then(Value::as_str) != Some("US") {
                        return Err(Refusal::invalid(
                            format!(
                                "EmergencyCallingConfiguration.DNIS.{}.CallingCountry",
                                at + 1
                            ),
                            "must be US, the one country with emergency calls",
                        ));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The document with what holds where nothing is said.
    fn filled(self, document: &Value) -> Value {
        let mut document = document.clone();
        let mut fill = |pointer: &str, name: &str, value: Value| {
            let object = document.pointer_mut(pointer).and_then(Value::as_object_mut);
            if let Some(object) = object {
                object.entry(name).or_insert(value);
            }
        };
        match self {
            Self::Termination => {
                fill("", "CpsLimit", json!(1));
                fill("", "Disabled", json!(false));
            }
            Self::Origination => {
                fill("", "Disabled", json!(false));
                for at in 0..MOST_ROUTES {
                    fill(&format!("/Routes/{at}"), "Port", json!(5060));
                }
            }
            _ => {}
        }
        document
    }

    /// Whether it may be set to that, or unset, beside what else is set: emergency calls go out and come back, so they
    /// need both ways, and must go before one of these.
    fn goes_with(
        self,
        document: Option<&Value>,
        others: &BTreeMap<String, Value>,
    ) -> Result<(), Refusal> {
        let set = |setting: Self| others.get(setting.name());
        let emergency = Self::EmergencyCallingConfiguration;
        match self {
            Self::Termination | Self::Origination
                if set(emergency).is_some() && !is_on(document) =>
            {
                let rule = "is needed by the emergency calling configuration; delete that first";
                Err(Refusal::invalid(self.name(), rule))
            }
            Self::EmergencyCallingConfiguration
                if document.is_some()
                    && !(is_on(set(Self::Termination)) && is_on(set(Self::Origination))) =>
            {
                let rule = "needs termination and origination, both turned on";
                Err(Refusal::invalid(self.name(), rule))
            }
            _ => Ok(()),
        }
    }
}

/// Whether termination or origination is set and not turned off.
fn is_on(document: Option<&Value>) -> bool {
    let disabled = |document: &Value| document.get("Disabled").and_then(Value::as_bool);
    document.is_some_and(|document| disabled(document) != Some(true))
}

/// Of one origination.
const MOST_ROUTES: usize = 20;

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most)
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253
            && text.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            }))
}

impl Control {
    /// Makes a voice connector.
    ///
    /// # Errors
    /// The account has too many; the store.
    pub async fn create_connector(
        &self,
        caller: &Caller,
        asked: NewVoiceConnector,
    ) -> Result<VoiceConnector, Refusal> {
        let made = self
            .store
            .create_connector(&caller.account_id, asked, now_ms());
        Ok(made.await??)
    }

    /// A voice connector of the caller's.
    ///
    /// # Errors
    /// No such connector; the store.
    pub async fn connector(&self, caller: &Caller, id: &str) -> Result<VoiceConnector, Refusal> {
        self.store
            .connector(&caller.account_id, id)
            .await?
            .ok_or(Refusal::NotFound("the voice connector"))
    }

    /// The caller's voice connectors.
    ///
    /// # Errors
    /// The store.
    pub async fn connectors(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Listed<VoiceConnector>, Refusal> {
        Ok(self.store.connectors(&caller.account_id, page).await?)
    }

    /// Renames a voice connector and says whether only TLS and SRTP will do.
    ///
    /// # Errors
    /// No such connector; the store.
    pub async fn update_connector(
        &self,
        caller: &Caller,
        id: &str,
        name: &str,
        require_encryption: bool,
    ) -> Result<VoiceConnector, Refusal> {
        let asked = (name, require_encryption);
        let updated = self
            .store
            .update_connector(&caller.account_id, id, asked, now_ms());
        updated
            .await?
            .ok_or(Refusal::NotFound("the voice connector"))
    }

    /// Deletes a voice connector that no number is on and no group names.
    ///
    /// # Errors
    /// No such connector; something depends on it; the store.
    pub async fn delete_connector(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let connector = self.connector(caller, id).await?;
        let (owner, id) = (&connector.owner, &connector.voice_connector_id);
        let deleted = self.store.delete_connector(owner, id).await?;
        deleted.map_err(|why| match why {
            InUse::Grouped => Refusal::Conflict(
                "a voice connector group has the voice connector; take it out first".to_owned(),
            ),
            InUse::Numbered => Refusal::Conflict(
                "phone numbers are on the voice connector; disassociate them first".to_owned(),
            ),
        })
    }

    /// What is set for a voice connector.
    ///
    /// # Errors
    /// No such connector; nothing is set; the store.
    pub async fn connector_setting(
        &self,
        caller: &Caller,
        id: &str,
        setting: Setting,
    ) -> Result<Value, Refusal> {
        let connector = self.connector(caller, id).await?;
        self.store
            .connector_setting(&connector.voice_connector_id, setting.name())
            .await?
            .or_else(|| setting.unset())
            .ok_or(Refusal::NotFound("the configuration"))
    }

    /// Sets it, with what holds where nothing is said, and returns it so.
    ///
    /// # Errors
    /// No such connector; it breaks a rule, or does not go with what else is set; the store.
    pub async fn put_connector_setting(
        &self,
        caller: &Caller,
        id: &str,
        setting: Setting,
        document: &Value,
    ) -> Result<Value, Refusal> {
        // First of all: who has no such connector is told that, and nothing of its settings.
        let connector = self.connector(caller, id).await?;
        let document = setting.filled(document);
        setting.check(&document)?;
        let (id, name) = (&connector.voice_connector_id, setting.name());
        let may = |others: &BTreeMap<String, Value>| setting.goes_with(Some(&document), others);
        self.store
            .put_connector_setting(id, name, Some(&document), may)
            .await??;
        Ok(document)
    }

    /// Unsets it; no error where nothing was set.
    ///
    /// # Errors
    /// No such connector; something else that is set needs it; the store.
    pub async fn delete_connector_setting(
        &self,
        caller: &Caller,
        id: &str,
        setting: Setting,
    ) -> Result<(), Refusal> {
        let connector = self.connector(caller, id).await?;
        let (id, name) = (&connector.voice_connector_id, setting.name());
        let may = |others: &BTreeMap<String, Value>| setting.goes_with(None, others);
        self.store
            .put_connector_setting(id, name, None, may)
            .await?
    }

    /// Gives a voice connector digest credentials; known names get another password.
    ///
    /// # Errors
    /// No such connector; the store.
    pub async fn put_credentials(
        &self,
        caller: &Caller,
        id: &str,
        credentials: &[(String, Secret)],
    ) -> Result<(), Refusal> {
        let connector = self.connector(caller, id).await?;
        Ok(self
            .store
            .put_credentials(&connector.voice_connector_id, credentials)
            .await?)
    }

    /// The names of its digest credentials.
    ///
    /// # Errors
    /// No such connector; the store.
    pub async fn credential_names(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<String>, Refusal> {
        let connector = self.connector(caller, id).await?;
        Ok(self
            .store
            .credential_names(&connector.voice_connector_id)
            .await?)
    }

    /// Takes digest credentials away.
    ///
    /// # Errors
    /// No such connector; the store.
    pub async fn delete_credentials(
        &self,
        caller: &Caller,
        id: &str,
        names: &[String],
    ) -> Result<(), Refusal> {
        let connector = self.connector(caller, id).await?;
        Ok(self
            .store
            .delete_credentials(&connector.voice_connector_id, names)
            .await?)
    }

    /// Puts a number on a voice connector or group.
    ///
    /// # Errors
    /// No such number; it is for something else, or taken; the store.
    pub async fn assign_to_trunk(
        &self,
        caller: &Caller,
        to: &'static str,
        value: &str,
        e164: &str,
        force: bool,
    ) -> Result<(), Refusal> {
        let assignment = Assignment {
            to,
            value: value.to_owned(),
            account: None,
        };
        self.assign(caller, e164, &assignment, force).await
    }

    /// Takes a number off a voice connector or group.
    ///
    /// # Errors
    /// No such number, or it is not on it; the store.
    pub async fn unassign_from_trunk(
        &self,
        caller: &Caller,
        to: &str,
        value: &str,
        e164: &str,
    ) -> Result<(), Refusal> {
        let number = self.number(caller, e164).await?;
        let done = self
            .store
            .unassign_number(&caller.account_id, &number.e164, to, value, now_ms())
            .await?;
        if done {
            Ok(())
        } else {
            Err(Refusal::NotFound("the association"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_has_an_address_and_a_prefix() {
        for good in ["192.0.2.0/28", "2001:db8::/64", "10.0.0.1/32"] {
            assert!(is_cidr(good), "{good}");
        }
        for bad in ["192.0.2.0", "192.0.2.0/33", "192.0.2/24", "x/8", "", "/8"] {
            assert!(!is_cidr(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_not_said_has_its_default_and_what_is_on_is_complete() {
        let routes = json!({"Routes": [{"Host": "pbx.example.org"}, {"Host": "a", "Port": 5062}]});
        let filled = Setting::Origination.filled(&routes);
        assert_eq!(filled.pointer("/Routes/0/Port"), Some(&json!(5060)));
        assert_eq!(filled.pointer("/Routes/1/Port"), Some(&json!(5062)));
        assert_eq!(filled.pointer("/Disabled"), Some(&json!(false)));
        let well = |setting: Setting, document: Value| setting.check(&setting.filled(&document));
        assert!(well(Setting::Origination, routes).is_ok());
        assert!(well(Setting::Origination, json!({"Disabled": true})).is_ok());
        let host = json!({"Host": "a"});
        for routes in [json!([]), vec![host; 21].into()] {
            let refused = well(Setting::Origination, json!({"Routes": routes})).unwrap_err();
            assert!(refused.to_string().contains("1 to 20"), "{refused}");
        }
        let both = json!({"CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/28"]});
        assert_eq!(Setting::Termination.filled(&both)["CpsLimit"], 1);
        assert!(well(Setting::Termination, both.clone()).is_ok());
        for missing in ["CallingRegions", "CidrAllowedList"] {
            let mut one = both.clone();
            one.as_object_mut().unwrap().remove(missing);
            let refused = well(Setting::Termination, one.clone()).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("Termination.{missing}: is required")
            );
            one["Disabled"] = json!(true);
            assert!(well(Setting::Termination, one).is_ok());
        }
        let abroad = json!({"DNIS": [{"EmergencyPhoneNumber": "+441", "CallingCountry": "GB"}]});
        assert!(well(Setting::EmergencyCallingConfiguration, abroad).is_err());
    }

    #[test]
    fn emergency_calls_need_both_ways() {
        let (on, off) = (json!({"Disabled": false}), json!({"Disabled": true}));
        let set = |names: &[&str]| {
            let all = names.iter().map(|name| ((*name).to_owned(), on.clone()));
            all.collect::<BTreeMap<_, _>>()
        };
        let emergency = Setting::EmergencyCallingConfiguration;
        let both = ["Termination", "Origination"];
        assert!(emergency.goes_with(Some(&on), &set(&both)).is_ok());
        for lacking in [&both[..1], &both[1..], &[]] {
            assert!(emergency.goes_with(Some(&on), &set(lacking)).is_err());
            assert!(emergency.goes_with(None, &set(lacking)).is_ok());
        }
        let all = set(&[
            "Termination",
            "Origination",
            "EmergencyCallingConfiguration",
        ]);
        for way in [Setting::Termination, Setting::Origination] {
            assert!(way.goes_with(Some(&on), &all).is_ok());
            assert!(way.goes_with(Some(&off), &all).is_err());
            assert!(way.goes_with(None, &all).is_err());
            assert!(way.goes_with(None, &set(&both)).is_ok());
        }
    }

    #[test]
    fn a_route_leads_to_a_host() {
        for good in ["pbx.example.org", "192.0.2.1", "2001:db8::1", "a-b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "-a", "a..b", "a b", "sip:x", "x/y"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
