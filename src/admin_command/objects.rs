//! `campanile admin object`: what lies in the buckets, opened if it is sealed.

use std::io::Write;
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Subcommand;
use serde_json::{Value, json};

use super::table::{pretty, table, text};
use super::{AdminError, Answer};

#[derive(Subcommand, Debug)]
pub(super) enum ObjectVerb {
    /// List the buckets.
    Buckets {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List what is in a bucket, in the order of the keys.
    List {
        /// The bucket.
        bucket: String,
        /// Only keys that begin with these segments.
        #[arg(long, value_name = "KEY", default_value = "")]
        prefix: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Write an object to a file or to standard output; a sealed one is opened.
    Get {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// The file, which must not be there yet.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Asks for a page of lists.
pub(super) type Ask<'a> = &'a dyn Fn(Method, &str, Option<Value>) -> Answer;

/// Has an object's octets written somewhere, all of them or an error.
pub(super) type Fetch<'a> = &'a dyn Fn(&str, &mut dyn Write) -> Result<(), AdminError>;

/// What is to be printed; nothing where the object itself went to standard output.
pub(super) fn object(
    verb: &ObjectVerb,
    ask: Ask<'_>,
    fetch: Fetch<'_>,
) -> Result<Option<String>, AdminError> {
    match verb {
        ObjectVerb::Buckets { json } => {
            let found = ask(Method::GET, "/buckets", None)?;
            Ok(Some(if *json {
                pretty(&found)
            } else {
                table(&["Name"], found.get("Buckets"))
            }))
        }
        ObjectVerb::List {
            bucket,
            prefix,
            json,
        } => {
            let mut all = Vec::new();
            let mut after = String::new();
            loop {
                let query = query(&[("bucket", bucket), ("prefix", prefix), ("after", &after)]);
                let mut page = ask(Method::GET, &format!("/objects?{query}"), None)?;
                after = text(&page, "NextAfter");
                if let Some(Value::Array(found)) = page.get_mut("Objects").map(Value::take) {
                    all.extend(found);
                }
                if after.is_empty() {
                    break;
                }
            }
            let found = json!({"Objects": all});
            Ok(Some(if *json {
                pretty(&found)
            } else {
                table(&["LastModified", "Size", "Key"], found.get("Objects"))
            }))
        }
        ObjectVerb::Get {
            bucket,
            key,
            output,
        } => {
            let path = format!("/object?{}", query(&[("bucket", bucket), ("key", key)]));
            match output {
                None => fetch(&path, &mut std::io::stdout().lock())?,
                Some(file) => save(&path, file, fetch)?,
            }
            Ok(None)
        }
    }
}

/// Half an object is none: it is taken away again.
fn save(path: &str, file: &Path, fetch: Fetch<'_>) -> Result<(), AdminError> {
    let broken = |error: std::io::Error| AdminError::Broken(format!("{}: {error}", file.display()));
    let mut out = std::fs::File::create_new(file).map_err(broken)?;
    let done = fetch(path, &mut out).and_then(|()| out.sync_all().map_err(broken));
    if done.is_err() {
        let _ = std::fs::remove_file(file);
    }
    done
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}
