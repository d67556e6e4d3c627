//! Who is told to own what we put into a bucket of somebody else's.
//!
//! A bucket's policy may let us put objects there only under the canned ACL `bucket-owner-full-control`. `object_store` has
//! no place for that header but in every request, and S3 knows it in those alone that begin an object; so it is put in and
//! the request signed anew on its way out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, Method, header};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{
    CredentialProvider, HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpService,
};

/// The client behind it, and what requests are signed with.
#[derive(Debug)]
pub(super) struct OwnersControl {
    pub(super) client: HttpClient,
    pub(super) credentials: Arc<dyn CredentialProvider<Credential = AwsCredential>>,
    pub(super) region: String,
}

impl OwnersControl {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if begins_object(&request) {
            let failed = |error| HttpError::new(HttpErrorKind::Unknown, error);
            let credential = self.credentials.get_credential().await.map_err(failed)?;
            let hash = request.headers().get(&HASH).and_then(octets);
            let headers = request.headers_mut();
            headers.remove(header::AUTHORIZATION);
            headers.insert(ACL, HeaderValue::from_static("bucket-owner-full-control"));
            AwsAuthorizer::new(&credential, "s3", &self.region)
                .try_authorize(&mut request, hash.as_deref())
                .map_err(failed)?;
        }
        self.client.execute(request).await
    }
}

impl HttpService for OwnersControl {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.send(request))
    }
}

/// `PutObject` or `CreateMultipartUpload`; a part has the upload's.
fn begins_object(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let has =
        |name: &str| url::form_urlencoded::parse(query.as_bytes()).any(|(known, _)| known == name);
    match *request.method() {
        Method::PUT => !has("partNumber"),
        Method::POST => has("uploads"),
        _ => false,
    }
}

/// The octets that a header says in hexadecimal digits.
fn octets(value: &HeaderValue) -> Option<Vec<u8>> {
    let digits = value.to_str().ok()?;
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

const ACL: HeaderName = HeaderName::from_static("x-amz-acl");
/// What the body hashes to.
const HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
