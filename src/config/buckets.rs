//! Buckets beside the default one: tables in a list, `[[objects.buckets]]`.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::Value;

use super::check::{account_id, bucket_name};
use crate::store::Secret;

/// One configured bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name, here and on its S3 server.
    pub name: String,
    /// Where it is.
    pub place: BucketPlace,
    /// Whether everything in it is sealed.
    pub sealed: bool,
    /// The accounts that may have records put there; empty: the deployment's own only.
    pub accounts: Vec<String>,
}

/// Where a bucket is.
#[derive(Clone, Debug)]
pub enum BucketPlace {
    /// A folder.
    Folder(PathBuf),
    /// On an S3 server.
    S3(Box<S3>),
}

/// A bucket of an S3 server.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `https://host[:port]`, or `http://…` where the network is private.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Who we are there.
    pub credentials: Credentials,
    /// The KMS key that the server encrypts with.
    pub kms_key: Option<String>,
    /// The account that the bucket must belong to.
    pub owner: Option<String>,
    /// The authorities whose certificate of the server is believed beside the system's, PEM.
    pub authorities: Option<PathBuf>,
}

/// Where the credentials of an S3 server come from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A file in the form of the AWS tools' `credentials`.
    File(PathBuf),
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and perhaps `AWS_SESSION_TOKEN`, if they are there.
    Environment(Option<AwsKeys>),
}

/// An access key.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// Which.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// For temporary ones.
    pub session_token: Option<Secret>,
}

/// Why a file of credentials cannot be used. Nothing of what it holds is shown.
#[derive(Debug, thiserror::Error)]
pub enum BadCredentials {
    /// It cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It says no key.
    #[error("{} has no aws_access_key_id and aws_secret_access_key in its profile \"default\"", .0.display())]
    NoKey(PathBuf),
}

/// Reads the profile `default`, or what stands before any profile.
///
/// # Errors
/// [`BadCredentials`].
pub fn read_credentials(path: &Path) -> Result<AwsKeys, BadCredentials> {
    let text = std::fs::read_to_string(path).map_err(|error| BadCredentials::File {
        path: path.to_owned(),
        error,
    })?;
    let mut ours = true;
    let said: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            if let Some(profile) = line.strip_prefix('[') {
                ours = profile.trim_end_matches(']').trim() == "default";
            }
            let (name, value) = line.split_once('=')?;
            ours.then_some((name.trim(), value.trim()))
        })
        .collect();
    keys(|name| {
        let name = name.to_ascii_lowercase();
        let found = said.iter().find(|(said, _)| *said == name);
        found.map(|(_, value)| (*value).to_owned())
    })
    .ok_or_else(|| BadCredentials::NoKey(path.to_owned()))
}

/// A key of what has these names.
pub(super) fn keys(named: impl Fn(&str) -> Option<String>) -> Option<AwsKeys> {
    let named = |name| named(name).filter(|value| !value.is_empty());
    Some(AwsKeys {
        access_key_id: named("AWS_ACCESS_KEY_ID")?,
        secret_access_key: Secret::new(named("AWS_SECRET_ACCESS_KEY")?),
        session_token: named("AWS_SESSION_TOKEN").map(Secret::new),
    })
}

/// What is wrong with a bucket, and what to do.
pub(super) type Fault = (String, &'static str);

/// One table. `region` is that of buckets which say none.
pub(super) fn bucket(said: &Value, region: &str) -> Result<Bucket, Fault> {
    let table = said.as_table().ok_or_else(|| {
        let remedy = "write tables such as { name = \"records\", folder = \"/srv/records\" }";
        ("it is no table".to_owned(), remedy)
    })?;
    if let Some(unknown) = table.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        let problem = format!("{unknown:?} is no key of a bucket");
        return Err((problem, REMEDY));
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err((format!("{key} does not fit"), "write a text in quotes")),
    };
    let name = text("name")?.ok_or_else(|| ("it has no name".to_owned(), "set name"))?;
    if !bucket_name(&name) {
        let remedy = "write 3 to 63 of a-z, 0-9, - and .";
        return Err((format!("{name:?} is no bucket name"), remedy));
    }
    let sealed = match table.get("sealed") {
        None => false,
        Some(Value::Boolean(sealed)) => *sealed,
        Some(_) => return Err(("sealed does not fit".to_owned(), "write true or false")),
    };
    let place = match (text("folder")?, text("s3")?) {
        (Some(folder), None) => {
            if let Some(odd) = ONLY_S3.iter().find(|key| table.contains_key(**key)) {
                let problem = format!("{odd} means nothing for a folder");
                return Err((problem, "leave it out, or set s3 in place of folder"));
            }
            BucketPlace::Folder(folder.into())
        }
        (None, Some(endpoint)) => {
            let url = url::Url::parse(&endpoint).ok();
            let good = url.is_some_and(|url| {
                matches!(url.scheme(), "https" | "http")
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
            });
            if !good {
                let remedy = "write \"https://s3.eu-central-1.amazonaws.com\"";
                return Err(("s3 is no address of a server".to_owned(), remedy));
            }
            let owner = text("owner")?;
            if owner.as_deref().is_some_and(|owner| !account_id(owner)) {
                let problem = "owner is not twelve digits".to_owned();
                return Err((problem, "write \"123456789012\""));
            }
            BucketPlace::S3(Box::new(S3 {
                endpoint,
                region: text("region")?.unwrap_or_else(|| region.to_owned()),
                credentials: match text("credentials")? {
                    Some(path) => Credentials::File(path.into()),
                    None => Credentials::Environment(None),
                },
                kms_key: text("kms_key")?,
                owner,
                authorities: text("authorities")?.map(PathBuf::from),
            }))
        }
        _ => {
            let problem = "it must have either folder or s3".to_owned();
            return Err((problem, "say where it is"));
        }
    };
    let accounts = match table.get("accounts") {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().filter(|id| account_id(id)).map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    let Some(accounts) = accounts else {
        let problem = "accounts is no list of accounts".to_owned();
        return Err((problem, "write [\"123456789012\"]"));
    };
    Ok(Bucket {
        name,
        place,
        sealed,
        accounts,
    })
}

const KNOWN: &[&str] = &[
    "name",
    "folder",
    "sealed",
    "accounts",
    "s3",
    "region",
    "credentials",
    "kms_key",
    "owner",
    "authorities",
];

/// Keys that a folder has no use for.
const ONLY_S3: &[&str] = &["region", "credentials", "kms_key", "owner", "authorities"];

const REMEDY: &str =
    "write name, folder, sealed, accounts, s3, region, credentials, kms_key, owner or authorities";
