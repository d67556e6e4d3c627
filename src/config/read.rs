//! From settings to typed values; each refusal says what the key takes.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use call::authenticate::Users;
use toml::Value;

use super::error::{ConfigError, Origin};
use super::source::{Setting, Settings};
use super::{Bucket, Listen, PortRange, buckets, users};
use crate::control::inventory::Range;

/// Takes typed values out of settings by key.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
}

impl Reader<'_> {
    /// Where the value of a key was said.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.settings
            .get(key)
            .map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// A refusal of a key's value.
    pub(super) fn refuse(
        &self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError::new(self.origin(key), key, problem, remedy)
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        match self.settings.get(key) {
            None => Ok(None),
            Some(Setting {
                value: Value::String(text),
                ..
            }) => Ok(Some(text.clone())),
            Some(Setting { raw: Some(raw), .. }) => Ok(Some(raw.clone())),
            Some(setting) => Err(self.wrong(key, setting, "a text in quotes")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<String, ConfigError> {
        self.optional_text(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.settings.get(key) {
            Some(Setting {
                value: Value::Boolean(yes),
                ..
            }) => Ok(*yes),
            Some(setting) => Err(self.wrong(key, setting, "true or false")),
            None => Err(self.missing(key)),
        }
    }

    /// A whole number within bounds, both included.
    pub(super) fn number<T>(&self, key: &str, least: T, most: T) -> Result<T, ConfigError>
    where
        T: TryFrom<i64> + PartialOrd + Copy + std::fmt::Display,
    {
        let wants = format!("a whole number from {least} to {most}");
        match self.settings.get(key) {
            Some(
                setting @ Setting {
                    value: Value::Integer(number),
                    ..
                },
            ) => T::try_from(*number)
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| self.wrong(key, setting, &wants)),
            Some(setting) => Err(self.wrong(key, setting, &wants)),
            None => Err(self.missing(key)),
        }
    }

    /// A time with its unit, such as `"30s"`, within bounds, both included.
    pub(super) fn duration(
        &self,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Result<Duration, ConfigError> {
        let text = self.text(key)?;
        let wants = format!(
            "write a time with its unit from \"{least:?}\" to \"{most:?}\", such as \"30s\", \"500ms\" or \"5m\""
        );
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..) {
            Some("ms") => Some(1),
            Some("s") => Some(1_000),
            Some("m") => Some(60_000),
            Some("h") => Some(3_600_000),
            _ => None,
        };
        digits
            .parse::<u64>()
            .ok()
            .zip(unit)
            .and_then(|(count, unit)| count.checked_mul(unit))
            .map(Duration::from_millis)
            .filter(|duration| (least..=most).contains(duration))
            .ok_or_else(|| self.refuse(key, format!("{text:?} is not such a time"), wants))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let text = self.text(key)?;
        choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let words: Vec<_> = choices
                    .iter()
                    .map(|(word, _)| format!("\"{word}\""))
                    .collect();
                self.refuse(
                    key,
                    format!("{text:?} is not known"),
                    format!("write {}", words.join(" or ")),
                )
            })
    }

    pub(super) fn listen(&self, key: &str) -> Result<Listen, ConfigError> {
        let text = self.text(key)?;
        Listen::from_str(&text).map_err(|problem| {
            self.refuse(
                key,
                format!("{text:?} {problem}"),
                "write \":8443\" for every address of the machine, \"127.0.0.1:8443\" or \"[::1]:8443\" for one, or \"off\"",
            )
        })
    }

    pub(super) fn optional_address(&self, key: &str) -> Result<Option<SocketAddr>, ConfigError> {
        self.optional_text(key)?
            .map(|text| {
                text.parse().map_err(|_| {
                    let remedy = "write an address with a port, such as \"192.0.2.53:53\"";
                    self.refuse(key, format!("{text:?} is none"), remedy)
                })
            })
            .transpose()
    }

    pub(super) fn port_range(&self, key: &str) -> Result<PortRange, ConfigError> {
        let remedy = "write [first, last] with 1024 <= first, last <= 65535 and room for a pair";
        let Some(Setting {
            value: Value::Array(items),
            ..
        }) = self.settings.get(key)
        else {
            return Err(self.refuse(key, "this is not a pair of ports", remedy));
        };
        let port = |item: Option<&Value>| {
            item.and_then(Value::as_integer)
                .and_then(|n| u16::try_from(n).ok())
        };
        match (port(items.first()), port(items.get(1)), items.len()) {
            (Some(first), Some(last), 2) if first >= 1024 && last > first => {
                Ok(PortRange { first, last })
            }
            _ => Err(self.refuse(key, "this is not a usable pair of ports", remedy)),
        }
    }

    pub(super) fn addresses(&self, key: &str) -> Result<Vec<IpAddr>, ConfigError> {
        let remedy = "write a list of IP addresses, such as [\"203.0.113.7\"]";
        self.list(key, remedy)?
            .iter()
            .map(|item| {
                let parsed = item.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                let usable = parsed.filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
                usable.ok_or_else(|| {
                    self.refuse(
                        key,
                        format!("{item} is no address that others can send to"),
                        remedy,
                    )
                })
            })
            .collect()
    }

    /// A list of those who may call. What is refused is not shown: it may be a password.
    pub(super) fn users(&self, key: &str) -> Result<Users, ConfigError> {
        let remedy = "write a list such as [\"name:password\"]";
        let mut users = Users::new();
        for (number, item) in (1..).zip(self.list(key, remedy)?) {
            let added = item
                .as_str()
                .ok_or(users::BadEntry::NoText)
                .and_then(|text| users::add(&mut users, text));
            if let Err(bad) = added {
                return Err(self.refuse(key, format!("entry {number}: {bad}"), remedy));
            }
        }
        Ok(users)
    }

    /// A list of ranges of phone numbers.
    pub(super) fn inventory(&self, key: &str) -> Result<Vec<Range>, ConfigError> {
        let remedy = "write a list such as [\"+12065550100-+12065550199 US Local Seattle WA\"]";
        self.list(key, remedy)?
            .iter()
            .map(|item| {
                let text = item.as_str().unwrap_or_default();
                text.parse::<Range>()
                    .map_err(|_| self.refuse(key, format!("{item} is no range of numbers"), remedy))
            })
            .collect()
    }

    /// A list of buckets, each of another name.
    pub(super) fn buckets(&self, key: &str) -> Result<Vec<Bucket>, ConfigError> {
        let remedy = "write [[objects.buckets]] and its keys below";
        let region = self.text("node.region")?;
        let mut found: Vec<Bucket> = Vec::new();
        for (number, item) in (1..).zip(self.list(key, remedy)?) {
            let bucket = buckets::bucket(item, &region).map_err(|(bad, remedy)| {
                self.refuse(key, format!("bucket {number}: {bad}"), remedy)
            })?;
            if found.iter().any(|other| other.name == bucket.name) {
                let problem = format!("bucket {number}: its name was there before");
                return Err(self.refuse(key, problem, "give each a name of its own"));
            }
            found.push(bucket);
        }
        Ok(found)
    }

    fn list(&self, key: &str, remedy: &str) -> Result<&[Value], ConfigError> {
        match self.settings.get(key) {
            Some(Setting {
                value: Value::Array(items),
                ..
            }) => Ok(items),
            _ => Err(self.refuse(key, "this is not a list", remedy)),
        }
    }

    fn wrong(&self, key: &str, setting: &Setting, wants: &str) -> ConfigError {
        let said = match &setting.value {
            Value::Table(_) => "a section".to_owned(),
            other => other.to_string(),
        };
        self.refuse(
            key,
            format!("{said} does not fit here"),
            format!("write {wants}"),
        )
    }

    fn missing(&self, key: &str) -> ConfigError {
        self.refuse(key, "it has no value", "set it")
    }
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix(':') {
            return port
                .parse()
                .map(Self::All)
                .map_err(|_| "has no port from 0 to 65535");
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_unspecified() && address.is_ipv6() => {
                Ok(Self::All(address.port()))
            }
            Ok(address) => Ok(Self::At(address)),
            Err(_) => Err("is not an address with a port"),
        }
    }
}
