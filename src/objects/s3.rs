//! A bucket of an S3 server.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::client::{
    Certificate, ClientOptions, CredentialProvider, HttpClient, HttpConnector, ReqwestConnector,
};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::ObjectError;
use super::acl::OwnersControl;
use crate::config::buckets::{AwsKeys, Credentials, S3, read_credentials};

/// The header by which S3 refuses what would go to another account's bucket (the counterpart of `aws:SourceAccount`).
const EXPECTED_OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");

pub(super) fn open(bucket: &str, asked: &S3) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let unusable = |why: String| ObjectError::Unusable(bucket.to_owned(), why);
    let mut options = ClientOptions::new()
        .with_allow_http(asked.endpoint.starts_with("http://"))
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST);
    if let Some(path) = &asked.authorities {
        let pem = std::fs::read(path)
            .map_err(|error| unusable(format!("{} cannot be read: {error}", path.display())))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| unusable(format!("{}: {error}", path.display())))?;
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    if let Some(owner) = &asked.owner {
        let mut headers = HeaderMap::new();
        let owner = HeaderValue::from_str(owner).map_err(|error| unusable(error.to_string()))?;
        headers.insert(EXPECTED_OWNER, owner);
        options = options.with_default_headers(headers);
    }
    let credentials = match &asked.credentials {
        Credentials::File(path) => Known::File(path.clone()),
        Credentials::Environment(Some(keys)) => Known::Fixed(Arc::new(credential(keys))),
        Credentials::Environment(None) => {
            return Err(unusable("there are no credentials for it".to_owned()));
        }
    };
    let credentials: Arc<dyn CredentialProvider<Credential = AwsCredential>> =
        Arc::new(credentials);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(asked.endpoint.trim_end_matches('/'))
        .with_region(&asked.region)
        .with_credentials(credentials.clone())
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: 2,
            retry_timeout: Duration::from_secs(5),
        })
        .with_client_options(options)
        .with_http_connector(Connector {
            credentials,
            region: asked.region.clone(),
        });
    if let Some(key) = &asked.kms_key {
        builder = builder.with_sse_kms_encryption(key);
    }
    let store = builder
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(store))
}

/// Leaves the default headers to `object_store`, which signs them where it adds them itself. Added once more by the
/// HTTP client they would also stand, unsigned, in the one request where it does not (lists), and S3 refuses
/// requests with `x-amz-` headers that are not signed.
#[derive(Debug)]
struct Connector {
    credentials: Arc<dyn CredentialProvider<Credential = AwsCredential>>,
    region: String,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let without = options.clone().with_default_headers(HeaderMap::new());
        Ok(HttpClient::new(OwnersControl {
            client: ReqwestConnector::default().connect(&without)?,
            credentials: self.credentials.clone(),
            region: self.region.clone(),
        }))
    }
}

/// Where credentials come from. Their `Debug` shows none.
enum Known {
    Fixed(Arc<AwsCredential>),
    /// Read for every request, so that new ones hold at once.
    File(PathBuf),
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known(hidden)")
    }
}

impl CredentialProvider for Known {
    type Credential = AwsCredential;

    fn get_credential<'a, 'b>(
        &'a self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            match self {
                Self::Fixed(credential) => Ok(credential.clone()),
                Self::File(path) => match read_credentials(path) {
                    Ok(keys) => Ok(Arc::new(credential(&keys))),
                    Err(error) => Err(object_store::Error::Generic {
                        store: "S3",
                        source: error.into(),
                    }),
                },
            }
        })
    }
}

fn credential(keys: &AwsKeys) -> AwsCredential {
    AwsCredential {
        key_id: keys.access_key_id.clone(),
        secret_key: keys.secret_access_key.expose().to_owned(),
        token: keys
            .session_token
            .as_ref()
            .map(|token| token.expose().to_owned()),
    }
}

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a request may take, the largest part of an object included.
const REQUEST: Duration = Duration::from_secs(60);
