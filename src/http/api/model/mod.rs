//! The API's model: which operations there are, by which method and path they come, and the bounds of every member.
//!
//! The facts stand in `operations.json`, which `tools/api-model` writes, and those of operations that the old API has not,
//! all below `/campanile/`, in `ours.json`. Everything that is the same for all operations
//! is done by them: routing, reading a request, naming the field that breaks a rule, describing the API.

mod check;
mod named;
mod read;
mod route;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::{Deserialize, Deserializer};

pub(crate) use route::{Routed, spelt_arn};
pub(crate) use told::{HIDDEN, told};

/// All of it.
pub(crate) struct Model {
    operations: Vec<Operation>,
    shapes: BTreeMap<String, Shape>,
    /// By method and number of segments.
    routes: HashMap<(String, usize), Vec<usize>>,
    /// By what `X-Amz-Target` says.
    targets: HashMap<String, usize>,
}

/// An operation of the API.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// Such as `CreateAccount`.
    pub(crate) name: String,
    /// Such as `chime-sdk-voice`; of several that have it, one.
    pub(crate) service: String,
    /// Such as `POST`.
    pub(crate) method: String,
    /// Such as `/accounts/{accountId}`.
    pub(crate) path: String,
    /// `name=value` that tells it from others of its path.
    #[serde(default)]
    pub(crate) query: Option<String>,
    /// What `X-Amz-Target` says of a service whose requests name their operation.
    #[serde(default)]
    pub(crate) target: Option<String>,
    /// The status of its good answer; `None` where only the operation's name is known.
    #[serde(default)]
    pub(crate) status: Option<u16>,
    /// The name of its request's shape.
    #[serde(default)]
    pub(crate) input: Option<String>,
    /// The name of its answer's shape; without one the answer is empty.
    #[serde(default)]
    pub(crate) output: Option<String>,
    /// What policies and the audit trail call it, such as `iam:CreateUser`; only where that is not `chime:` and its name.
    #[serde(default)]
    pub(crate) action: Option<String>,
    /// The ARN of what it is about, with `{account}` and the names of its path in it; only where the path's names do not
    /// say it.
    #[serde(default)]
    pub(crate) resource: Option<String>,
    /// Whether it is about the deployment as a whole: callers of other accounts than the deployment's own are refused.
    #[serde(default)]
    pub(crate) deployment: bool,
    /// Whether its good answer is octets and no JSON.
    #[serde(default)]
    pub(crate) octets: bool,
}

/// What a value must be.
#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    /// What kind of value.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// Of characters, members or the number itself, at least.
    #[serde(default)]
    pub(crate) min: Option<f64>,
    /// The same at most.
    #[serde(default)]
    pub(crate) max: Option<f64>,
    /// The words it may be; any where there are none.
    #[serde(default, rename = "enum")]
    pub(crate) words: Vec<String>,
    /// All of the text matches it.
    #[serde(default, deserialize_with = "pattern")]
    pub(crate) pattern: Option<Regex>,
    /// None of the text's whole matches one of these.
    #[serde(default, rename = "not", deserialize_with = "patterns")]
    pub(crate) never: Vec<Regex>,
    /// Equal characters in a row, at most.
    #[serde(default)]
    pub(crate) run: Option<usize>,
    /// Whether it must not be shown in logs.
    #[serde(default)]
    pub(crate) sensitive: bool,
    /// Whether a time is written as seconds since the epoch.
    #[serde(default)]
    pub(crate) epoch: bool,
    /// A structure's.
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Member>,
    /// The names of members that must be there.
    #[serde(default)]
    pub(crate) required: Vec<String>,
    /// The shape of a list's members.
    #[serde(default)]
    pub(crate) member: Option<String>,
    /// The shape of a map's values.
    #[serde(default)]
    pub(crate) value: Option<String>,
}

/// See [`Shape`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Float,
    Boolean,
    /// ISO 8601 in JSON.
    Timestamp,
}

/// A member of a structure.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    /// The name of its shape.
    pub(crate) shape: String,
    /// Where in the request it stands; in the body where nothing is said.
    #[serde(default, rename = "in")]
    pub(crate) place: Option<Where>,
    /// Its name there.
    #[serde(default, rename = "as")]
    pub(crate) called: Option<String>,
}

/// Where in a request a member stands that is not in the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Where {
    Path,
    Query,
    Header,
}

#[derive(Deserialize)]
struct File {
    operations: Vec<Operation>,
    shapes: BTreeMap<String, Shape>,
}

/// The model that this server was built with.
#[allow(clippy::panic)] // files of ours that a test reads as well
pub(crate) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let read = |name: &str, text: &str| -> File {
        match serde_json::from_str(text) {
            Ok(file) => file,
            Err(error) => panic!("{name}: {error}"),
        }
    };
    let mut file = read("operations.json", include_str!("operations.json"));
    let ours = read("ours.json", include_str!("ours.json"));
    file.operations.extend(ours.operations);
    for (name, shape) in ours.shapes {
        if file.shapes.insert(name.clone(), shape).is_some() {
            panic!("ours.json: {name} is a shape of operations.json");
        }
    }
    Model::new(file.operations, file.shapes)
});

impl Operation {
    /// What policies and the audit trail call it: its service and its name there.
    pub(crate) fn action(&self) -> (&str, &str) {
        let own = self.action.as_deref();
        let own = own.and_then(|action| action.split_once(':'));
        own.unwrap_or((super::SERVICE, &self.name))
    }
}

impl Model {
    fn new(operations: Vec<Operation>, shapes: BTreeMap<String, Shape>) -> Self {
        let mut routes: HashMap<(String, usize), Vec<usize>> = HashMap::new();
        let mut targets = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            if let Some(target) = &operation.target {
                targets.insert(target.clone(), at);
                continue;
            }
            let key = (
                operation.method.clone(),
                route::segments(&operation.path).count(),
            );
            routes.entry(key).or_default().push(at);
        }
        Self {
            operations,
            shapes,
            routes,
            targets,
        }
    }

    /// The operation that a request names.
    pub(crate) fn targeted(&self, target: &str) -> Option<&Operation> {
        self.operations.get(*self.targets.get(target)?)
    }

    /// Every operation.
    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Every shape by its name.
    #[cfg(test)]
    pub(crate) fn shapes(&self) -> &BTreeMap<String, Shape> {
        &self.shapes
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.get(name)
    }
}

fn pattern<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Regex>, D::Error> {
    whole(&String::deserialize(from)?).map(Some)
}

fn patterns<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Regex>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| whole(text)).collect()
}

fn whole<E: serde::de::Error>(text: &str) -> Result<Regex, E> {
    Regex::new(&format!("^(?:{text})$")).map_err(E::custom)
}
