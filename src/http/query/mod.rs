//! The query protocol of older services: parameters in a form, answers in XML.

mod xml;

use axum::body::Bytes;
use axum::http::header::{self, CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

pub(super) use xml::Xml;

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
            || form_urlencoded::parse(form)
                .any(|(name, value)| name == "Version" && value == self.version)
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
pub(super) fn form<'a>(parts: &'a Parts, body: &'a Bytes) -> Option<&'a [u8]> {
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
