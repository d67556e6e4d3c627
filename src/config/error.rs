//! What is wrong with a configuration: where it was said, under which key, and the remedy.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where a setting came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A line of the configuration file, counted from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An environment variable, by name.
    Environment(String),
    /// An argument of the command, such as `--data`.
    Argument(&'static str),
    /// Nobody said anything: the built-in default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
            Self::Default => f.write_str("built-in default"),
        }
    }
}

/// A configuration that cannot be run. One line when shown; the process ends with [`EXIT_CODE`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{origin}: {key}: {problem}; {remedy}")]
pub struct ConfigError {
    /// Where it was said.
    pub origin: Origin,
    /// The key, such as `http.listen`, or the words that stood in its place.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// Line breaks would make two log lines of one error, so they become spaces.
    #[must_use]
    pub fn new(
        origin: Origin,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            origin,
            key: key.into(),
            problem: flat(problem.into()),
            remedy: flat(remedy.into()),
        }
    }
}

/// Exit status for bad configuration (`EX_USAGE` of sysexits).
pub const EXIT_CODE: u8 = 64;
