//! Settings before they have types: the file's, then the environment's over them, each with its origin.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::keys::{KEYS, is_section, nearest};

/// One value and where it was said.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: Value,
    /// The untouched text of an environment variable, for keys that want text whatever it looks like.
    pub(super) raw: Option<String>,
    pub(super) origin: Origin,
}

/// All that was said, by key.
pub(super) type Settings = BTreeMap<&'static str, Setting>;

/// What environment variables of ours begin with; two underscores part section and key.
const PREFIX: &str = "CAMPANILE__";

/// The built-in defaults.
pub(super) fn defaults() -> Settings {
    KEYS.iter()
        .filter_map(|key| {
            let value = scalar(key.default?)?;
            let origin = Origin::Default;
            Some((
                key.path,
                Setting {
                    value,
                    raw: None,
                    origin,
                },
            ))
        })
        .collect()
}

/// Lays the file's settings over those given.
pub(super) fn add_file(
    settings: &mut Settings,
    path: &Path,
    text: &str,
) -> Result<(), ConfigError> {
    let lines = Lines { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        ConfigError::new(
            lines.at(error.span().map_or(0, |span| span.start)),
            "syntax",
            error.message(),
            "write TOML 1.0: [section] lines and name = value lines",
        )
    })?;
    walk(settings, &lines, "", table.get_ref())
}

fn walk(
    settings: &mut Settings,
    lines: &Lines<'_>,
    prefix: &str,
    table: &DeTable<'_>,
) -> Result<(), ConfigError> {
    // The table is sorted by name; errors should come in the order of the file.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in entries {
        let path = match prefix {
            "" => name.get_ref().to_string(),
            _ => format!("{prefix}.{}", name.get_ref()),
        };
        let origin = lines.at(name.span().start);
        if let Some(known) = KEYS.iter().find(|key| key.path == path) {
            let Some(value) = owned(value.get_ref()) else {
                return Err(ConfigError::new(
                    origin,
                    path,
                    "the number does not fit in 64 bits",
                    "write a smaller one",
                ));
            };
            settings.insert(
                known.path,
                Setting {
                    value,
                    raw: None,
                    origin,
                },
            );
        } else if let (DeValue::Table(inner), true) = (value.get_ref(), is_section(&path)) {
            walk(settings, lines, &path, inner)?;
        } else if is_section(&path) {
            return Err(ConfigError::new(
                origin,
                path.clone(),
                "this is a section, not a key",
                format!("write [{path}] and its keys below"),
            ));
        } else if let DeValue::Table(inner) = value.get_ref() {
            // A misspelt section is best explained by its first key.
            let inner = inner.iter().min_by_key(|(name, _)| name.span().start);
            let full = inner.map_or_else(
                || path.clone(),
                |(key, _)| format!("{path}.{}", key.get_ref()),
            );
            return Err(unknown(origin, &full));
        } else {
            return Err(unknown(origin, &path));
        }
    }
    Ok(())
}

/// Lays settings from environment variables over those given. Other variables are none of our business.
pub(super) fn add_environment(
    settings: &mut Settings,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let ours: HashMap<String, String> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    let mut ours: Vec<_> = ours.into_iter().collect();
    ours.sort();
    for (name, text) in ours {
        let path = name
            .trim_start_matches(PREFIX)
            .replace("__", ".")
            .to_ascii_lowercase();
        let origin = Origin::Environment(name);
        let Some(known) = KEYS.iter().find(|key| key.path == path) else {
            return Err(unknown(origin, &path));
        };
        let value = scalar(&text).unwrap_or_else(|| Value::String(text.clone()));
        let raw = Some(text);
        settings.insert(known.path, Setting { value, raw, origin });
    }
    Ok(())
}

fn unknown(origin: Origin, path: &str) -> ConfigError {
    ConfigError::new(
        origin,
        path,
        "unknown key",
        format!("did you mean {}?", nearest(path)),
    )
}

/// A lone TOML value; `None` when the text is none.
fn scalar(text: &str) -> Option<Value> {
    DeValue::parse(text)
        .ok()
        .and_then(|value| owned(value.get_ref()))
}

fn owned(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(Cow::clone(text).into_owned()),
        DeValue::Integer(number) => Value::Integer(
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()?,
        ),
        DeValue::Float(number) => Value::Float(number.as_str().replace('_', "").parse().ok()?),
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(when) => Value::Datetime(*when),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| owned(item.get_ref()))
                .collect::<Option<_>>()?,
        ),
        DeValue::Table(entries) => Value::Table(
            entries
                .iter()
                .map(|(name, value)| Some((name.get_ref().to_string(), owned(value.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
    })
}

struct Lines<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Lines<'_> {
    fn at(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        Origin::File {
            path: self.path.to_owned(),
            line: before.filter(|byte| **byte == b'\n').count() + 1,
        }
    }
}
