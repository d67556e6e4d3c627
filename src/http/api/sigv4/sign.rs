//! The client's side: a request is signed as AWS's own clients sign it.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderName, HeaderValue, Request};
use jiff::Timestamp;

use super::canonical::signature;
use super::{ALGORITHM, BadSignature, Claim, MEANT, Received};

/// A key, and what it signs for.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The public half of the key.
    pub access_key_id: &'a str,
    /// The other half.
    pub secret_access_key: &'a str,
    /// What goes with temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region's name.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
}

impl Signer<'_> {
    /// Signs a request that has its Host and all other headers, with that body, at `now` (seconds since the epoch).
    ///
    /// # Errors
    /// A header that cannot be signed.
    pub fn sign<B>(
        &self,
        now: i64,
        request: &mut Request<B>,
        body: &[u8],
    ) -> Result<(), BadSignature> {
        let unfit = |what: &str| BadSignature::Incomplete(format!("{what} cannot be signed."));
        let time = Timestamp::from_second(now)
            .map_err(|_| unfit("The time"))?
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let mut put = |name: HeaderName, value: &str, what: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| unfit(what))?;
            request.headers_mut().insert(name, value);
            Ok(())
        };
        put(DATE, &time, "The time")?;
        if let Some(token) = self.session_token {
            put(TOKEN, token, "The session token")?;
        }
        let is_signed = |name: &&str| {
            [HOST.as_str(), CONTENT_TYPE.as_str()].contains(name)
                || MEANT.iter().any(|prefix| name.starts_with(prefix))
        };
        let names = request.headers().keys().map(HeaderName::as_str);
        let mut signed_headers: Vec<String> = names.filter(is_signed).map(str::to_owned).collect();
        signed_headers.sort();
        let claim = Claim {
            access_key_id: self.access_key_id.to_owned(),
            date: time.chars().take(8).collect(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
            signed_headers,
            signature: String::new(),
            time,
            seconds: now,
            expires: None,
            token: None,
        };
        let received = Received {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            body,
        };
        let signature = signature(&claim, received, self.secret_access_key)?;
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}/{}/{}/aws4_request, SignedHeaders={}, Signature={signature}",
            claim.access_key_id,
            claim.date,
            claim.region,
            claim.service,
            claim.signed_headers.join(";"),
        );
        let authorization =
            HeaderValue::from_str(&authorization).map_err(|_| unfit("The access key's id"))?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        Ok(())
    }
}

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
