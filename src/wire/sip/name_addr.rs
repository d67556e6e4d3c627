//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::borrow::Cow;
use std::fmt;

use super::params::Params;
use super::scan::{self, Cursor};
use super::uri::Uri;

/// A display name, a URI and the header's parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The header's parameters, such as `tag`. Of a URI without angle brackets, what follows `;` is these.
    pub params: Params,
}

impl NameAddr {
    /// The URI alone.
    #[must_use]
    pub fn new(uri: Uri) -> Self {
        Self {
            display: None,
            uri,
            params: Params::new(),
        }
    }

    /// Reads one value; `Err` says what is wrong.
    ///
    /// # Errors
    /// A short English phrase, for logs and reason phrases.
    pub fn parse(value: &[u8]) -> Result<Self, &'static str> {
        let parts = NameAddrParts::read(value)?;
        Ok(Self {
            display: parts
                .display
                .map(|d| scan::unquote(&scan::text(d)))
                .filter(|d| !d.is_empty()),
            uri: Uri::parse(&parts.uri).map_err(|_| "malformed URI")?,
            params: Params::read(parts.params).ok_or("malformed parameter")?,
        })
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|t| !t.is_empty())
    }

    /// The same with another tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str("\"")?;
            for c in display.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// The pieces of a value, not yet copied.
pub(super) struct NameAddrParts<'a> {
    display: Option<&'a [u8]>,
    pub(super) uri: Cow<'a, str>,
    pub(super) params: Cursor<'a>,
}

impl<'a> NameAddrParts<'a> {
    /// Splits a value. The URI and the parameters are not looked into.
    pub(super) fn read(value: &'a [u8]) -> Result<Self, &'static str> {
        let value = scan::trim(value);
        let mut cursor = Cursor::new(value);
        let display = if cursor.peek() == Some(b'"') {
            let display = cursor.quoted().ok_or("unterminated quoted string")?;
            cursor.skip_lws();
            if cursor.peek() != Some(b'<') {
                return Err("no URI after the display name");
            }
            Some(display)
        } else if let Some(bracket) = unquoted_bracket(value) {
            let (display, rest) = value.split_at(bracket);
            cursor = Cursor::new(rest);
            let display = scan::trim(display);
            // More than tokens is let through, but nothing that could be another header value's part.
            if display.iter().any(|b| b",;\">".contains(b)) {
                return Err("display name needs quotes");
            }
            (!display.is_empty()).then_some(display)
        } else {
            return Self::read_addr_spec(cursor);
        };
        cursor.eat(b'<');
        let uri = cursor.take_while(|b| b != b'>');
        if !cursor.eat(b'>') {
            return Err("unterminated angle bracket");
        }
        Ok(Self {
            display,
            uri: String::from_utf8_lossy(uri),
            params: cursor,
        })
    }

    /// A URI without angle brackets: `;`, `?` and `,` end it (RFC 3261 §20.10).
    fn read_addr_spec(mut cursor: Cursor<'a>) -> Result<Self, &'static str> {
        let uri = cursor.take_while(|b| b != b';' && !scan::is_lws(b));
        if uri.iter().any(|b| b"?,\"".contains(b)) {
            return Err("URI needs angle brackets");
        }
        Ok(Self {
            display: None,
            uri: String::from_utf8_lossy(uri),
            params: cursor,
        })
    }

    /// Whether everything is well-formed, without keeping anything.
    pub(super) fn check(value: &'a [u8]) -> Result<(), &'static str> {
        let parts = Self::read(value)?;
        Uri::check(&parts.uri).map_err(|_| "malformed URI")?;
        if scan::params_are_sound(parts.params) {
            Ok(())
        } else {
            Err("malformed parameter")
        }
    }
}

/// Where the first `<` outside quotes is.
fn unquoted_bracket(value: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => return Some(at),
            _ => {}
        }
    }
    // In `"Mr. J. User <sip:…>` the quote never ends; `read` finds that first.
    None
}
