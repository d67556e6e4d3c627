//! The query protocol of older services: parameters in a form, answers in XML.

mod xml;

use std::borrow::Cow;

use axum::body::Bytes;
use axum::http::header::{self, CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

pub(super) use xml::Xml;

use super::api::ApiError;

/// A service that is spoken to so.
#[derive(Debug)]
pub(super) struct QueryService {
    /// In the scope of signatures.
    pub(super) signing: &'static str,
    /// The paths that are its own beside `/`.
    pub(super) paths: &'static [&'static str],
    /// The only version of it that there is.
    pub(super) version: &'static str,
    /// Of the elements of its answers.
    pub(super) namespace: &'static str,
    /// Octets of a form. What is larger is refused before it is known who sends it, and so before it is read.
    pub(super) most_octets: usize,
    /// Parameters in a form, likewise.
    pub(super) most_parameters: usize,
}

/// What a form asks for. The rest of it is read once it is known who asks: a stranger's costs no memory.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) action: Option<String>,
    pub(super) version: Option<String>,
}

/// An answer that is not the one asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault<'a> {
    pub(super) status: StatusCode,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

impl QueryService {
    /// Whether a request is for this service: a form, or a query with an action, on one of its paths, of its version
    /// or signed for it.
    pub(super) fn is_meant(&self, parts: &Parts, body: &Bytes) -> bool {
        let path = parts.uri.path().trim_end_matches('/');
        if !path.is_empty() && !self.paths.contains(&path) {
            return false;
        }
        let Some(form) = form(parts, body) else {
            return false;
        };
        let claim = parts.headers.get(header::AUTHORIZATION);
        let claim = claim.and_then(|claim| claim.to_str().ok());
        let scope = format!("/{}/aws4_request", self.signing);
        claim.is_some_and(|claim| claim.contains(&scope))
            || self
                .pairs(form)
                .any(|(name, value)| name == "Version" && value == self.version)
    }

    /// The parameters as they came.
    ///
    /// # Errors
    /// There is more of them than there may be.
    pub(super) fn form<'a>(&self, parts: &'a Parts, body: &'a Bytes) -> Result<&'a [u8], ApiError> {
        let form = form(parts, body).unwrap_or_default();
        let parameters = form.iter().filter(|octet| **octet == b'&').count() + 1;
        let too_many = |most: usize, what: &str| {
            let why = format!("the form has more than {most} {what}");
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                why,
            )
        };
        if form.len() > self.most_octets {
            Err(too_many(self.most_octets, "octets"))
        } else if parameters > self.most_parameters {
            Err(too_many(self.most_parameters, "parameters"))
        } else {
            Ok(form)
        }
    }

    /// What a form asks for.
    pub(super) fn named(&self, form: &[u8]) -> Named {
        let mut named = Named::default();
        for (name, value) in self.pairs(form) {
            match &*name {
                "Action" if named.action.is_none() => named.action = Some(value.into_owned()),
                "Version" if named.version.is_none() => named.version = Some(value.into_owned()),
                _ => {}
            }
        }
        named
    }

    /// A form's pairs one by one, as far as one may go on.
    fn pairs<'a>(
        &self,
        form: &'a [u8],
    ) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        let readable = form.len().min(self.most_octets);
        form_urlencoded::parse(form.get(..readable).unwrap_or_default()).take(self.most_parameters)
    }

    /// The answer of that action.
    pub(super) fn response(
        &self,
        action: &str,
        done: Result<&Xml, Fault<'_>>,
        request_id: &str,
    ) -> Response {
        let (status, document) = match done {
            Ok(result) => {
                let about = Xml::new().leaf("RequestId", request_id);
                let answer = Xml::new()
                    .within(&format!("{action}Result"), result)
                    .within("ResponseMetadata", &about);
                let name = format!("{action}Response");
                (StatusCode::OK, answer.document(&name, self.namespace))
            }
            Err(fault) => {
                let whose = match fault.status.is_server_error() {
                    true => "Receiver",
                    false => "Sender",
                };
                let told = Xml::new()
                    .leaf("Type", whose)
                    .leaf("Code", fault.code)
                    .leaf("Message", fault.message);
                let answer = Xml::new()
                    .within("Error", &told)
                    .leaf("RequestId", request_id);
                let document = answer.document("ErrorResponse", self.namespace);
                (fault.status, document)
            }
        };
        let mut response = (status, document).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, value);
        }
        response
    }
}

/// The parameters as they came: in the body of a POST, in the query of a GET.
fn form<'a>(parts: &'a Parts, body: &'a Bytes) -> Option<&'a [u8]> {
    match parts.method {
        Method::POST => {
            let kind = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
                .then_some(body.as_ref())
        }
        Method::GET => parts.uri.query().map(str::as_bytes),
        _ => None,
    }
}

/// Name and value of each parameter in the order of names; the name of one that is there twice instead.
pub(super) fn parameters(form: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut all: Vec<(String, String)> = form_urlencoded::parse(form)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    all.sort();
    let twice = all.windows(2).find_map(|pair| match pair {
        [(one, _), (other, _)] if one == other => Some(one.clone()),
        _ => None,
    });
    match twice {
        Some(name) => Err(name),
        None => Ok(all),
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
