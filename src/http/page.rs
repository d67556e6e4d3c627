//! The web page, embedded in the binary; or what to do where it was not built.

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What the web build left in `web/dist`.
#[derive(RustEmbed)]
#[folder = "web/dist"]
struct Dist;

/// Answers a GET or HEAD for the page or one of its files; `None` where there is no such file.
pub(super) fn answer(
    method: &Method,
    path: &str,
    if_none_match: Option<&str>,
    policy: &HeaderValue,
) -> Option<Response> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    let is_page = path == "/"
        || path
            .strip_prefix("/meet/")
            .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
    let name = if is_page {
        "index.html"
    } else {
        path.trim_start_matches('/')
    };
    match Dist::get(name) {
        Some(file) => Some(serve(name, &file, if_none_match, policy)),
        None if is_page => Some(not_built(policy)),
        None => None,
    }
}

fn serve(
    name: &str,
    file: &EmbeddedFile,
    if_none_match: Option<&str>,
    policy: &HeaderValue,
) -> Response {
    let tag: String = file
        .metadata
        .sha256_hash()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let mut response =
        if if_none_match.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            file.data.clone().into_owned().into_response()
        };
    let headers = response.headers_mut();
    // Built files carry a hash of their content in their names; the page itself must be asked for again.
    let caching = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let mime = file.metadata.mimetype();
    let mime = if mime.starts_with("text/") {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    };
    if let Ok(mime) = HeaderValue::from_str(&mime) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    protect(&mut response, policy);
    response
}

fn not_built(policy: &HeaderValue) -> Response {
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    protect(&mut response, policy);
    response
}

fn protect(response: &mut Response, policy: &HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// What the page may load and reach: itself only. The SDK starts workers from blobs, and draws to them.
pub(super) fn content_security_policy(public: Option<&str>) -> HeaderValue {
    // Where links carry a configured name, signaling goes there even from a page opened by address.
    let named = public
        .map(|host| format!(" https://{host} wss://{host}"))
        .unwrap_or_default();
    let text = format!(
        "default-src 'self'; connect-src 'self'{named}; worker-src 'self' blob:; media-src 'self' blob:; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>campanile</title></head>\n\
<body><h1>campanile</h1>\n<p>The server runs; API, signaling and phones work. This page was not built into it, because \
Node was missing when the server was built.</p>\n<p>Install Node 20 or newer and run <code>tools/run</code>, or build it \
by hand: <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>, then build the server again.</p></body></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Option<Response> {
        answer(&Method::GET, path, None, &content_security_policy(None))
    }

    #[test]
    fn the_page_answers_at_its_root_and_at_every_meeting() {
        for path in ["/", "/meet/1234567890"] {
            let response = get(path).unwrap();
            assert!(
                response
                    .headers()
                    .get("content-type")
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with("text/html")
            );
            assert!(response.headers().contains_key("content-security-policy"));
        }
    }

    #[test]
    fn no_path_leads_out_of_the_page() {
        for path in [
            "/../Cargo.toml",
            "/meet/",
            "/meet/a/b",
            "/assets/../../Cargo.toml",
            "/meetings/x",
            "/..",
        ] {
            assert!(get(path).is_none(), "{path}");
        }
        assert!(answer(&Method::POST, "/", None, &content_security_policy(None)).is_none());
    }

    #[test]
    fn the_policy_names_the_public_host() {
        let policy = content_security_policy(Some("meet.example.org"));
        assert!(
            policy
                .to_str()
                .unwrap()
                .contains("connect-src 'self' https://meet.example.org wss://meet.example.org;")
        );
    }
}
