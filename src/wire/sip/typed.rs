//! Typed readers of header fields. Each reads on demand and says which field it could not read.

use super::error::HeaderError;
use super::headers::Headers;
use super::method::Method;
use super::name::Name;
use super::name_addr::NameAddr;
use super::scan::{self, Cursor};
use super::via::Via;

/// CSeq (RFC 3261 §20.16).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CSeq {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl std::fmt::Display for CSeq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// All Contact values (RFC 3261 §20.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contacts {
    /// `*`: all registrations.
    Star,
    /// Addresses; empty when there is no Contact.
    List(Vec<NameAddr>),
}

impl Headers {
    /// Every Via, the topmost first.
    ///
    /// # Errors
    /// When one is missing or malformed.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        let vias: Result<Vec<_>, _> = self
            .items(Name::Via)
            .map(|v| Via::parse(v).map_err(|e| HeaderError::malformed(Name::Via, e)))
            .collect();
        match vias {
            Ok(vias) if vias.is_empty() => Err(HeaderError::missing(Name::Via)),
            other => other,
        }
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let value = self
            .items(Name::Via)
            .next()
            .ok_or(HeaderError::missing(Name::Via))?;
        Via::parse(value).map_err(|e| HeaderError::malformed(Name::Via, e))
    }

    /// Puts a changed topmost Via in place of the one that is there; the others stay as they are.
    pub fn set_top_via(&mut self, via: &Via) {
        let mut done = false;
        self.rewrite(|name, value| {
            if done || name != Name::Via {
                return None;
            }
            done = true;
            let mut text = via.to_string().into_bytes();
            for other in scan::items(value).skip(1) {
                text.extend_from_slice(b", ");
                text.extend_from_slice(other);
            }
            Some(text)
        });
    }

    /// From.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.address(Name::From)
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.address(Name::To)
    }

    /// The first value of any header field that holds addresses, such as Refer-To or P-Asserted-Identity.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn address(&self, name: Name<'static>) -> Result<NameAddr, HeaderError> {
        let value = self.get(name).ok_or(HeaderError::missing(name))?;
        NameAddr::parse(value).map_err(|e| HeaderError::malformed(name, e))
    }

    /// Every value of a header field that holds a list of addresses; empty when it is not there.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn addresses(&self, name: Name<'static>) -> Result<Vec<NameAddr>, HeaderError> {
        self.items(name)
            .map(|v| NameAddr::parse(v).map_err(|e| HeaderError::malformed(name, e)))
            .collect()
    }

    /// Call-ID, as text.
    ///
    /// # Errors
    /// When it is missing.
    pub fn call_id(&self) -> Result<String, HeaderError> {
        self.text(Name::CallId)
            .map(std::borrow::Cow::into_owned)
            .ok_or(HeaderError::missing(Name::CallId))
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing or malformed, or its number does not fit 32 bits.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        let (number, method) = self.cseq_parts()?;
        Ok(CSeq {
            number,
            method: Method::from_token(&scan::text(method)),
        })
    }

    pub(super) fn cseq_parts(&self) -> Result<(u32, &[u8]), HeaderError> {
        let value = self
            .get(Name::CSeq)
            .ok_or(HeaderError::missing(Name::CSeq))?;
        let malformed = |what| HeaderError::malformed(Name::CSeq, what);
        let mut cursor = Cursor::new(value);
        let number = scan::number(cursor.take_while(|b| b.is_ascii_digit()))
            .and_then(|n| u32::try_from(n).ok())
            .ok_or(malformed("no 32-bit number"))?;
        if !cursor.skip_lws() {
            return Err(malformed("no method"));
        }
        let method = cursor.token().ok_or(malformed("no method"))?;
        if !cursor.is_empty() {
            return Err(malformed("something after the method"));
        }
        Ok((number, method))
    }

    /// Every Contact.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        if self.items(Name::Contact).any(|v| v == b"*") {
            return Ok(Contacts::Star);
        }
        self.addresses(Name::Contact).map(Contacts::List)
    }

    /// The first Contact that is an address.
    ///
    /// # Errors
    /// When it is missing or malformed, or `*`.
    pub fn contact(&self) -> Result<NameAddr, HeaderError> {
        let value = self
            .items(Name::Contact)
            .next()
            .ok_or(HeaderError::missing(Name::Contact))?;
        NameAddr::parse(value).map_err(|e| HeaderError::malformed(Name::Contact, e))
    }

    /// Every Record-Route, the topmost first.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(Name::RecordRoute)
    }

    /// Every Route, the topmost first.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(Name::Route)
    }

    /// Max-Forwards, 0 to 255.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.number(Name::MaxForwards)?
            .map(|n| {
                u8::try_from(n)
                    .map_err(|_| HeaderError::malformed(Name::MaxForwards, "more than 255"))
            })
            .transpose()
    }

    /// Content-Length in octets.
    ///
    /// # Errors
    /// When it is no number, or two fields differ.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        let name = Name::ContentLength;
        let mut found = None;
        for value in self.get_all(name) {
            let length = scan::number(value)
                .and_then(|n| usize::try_from(n).ok())
                .ok_or(HeaderError::malformed(name, "no number"))?;
            if found.is_some_and(|other| other != length) {
                return Err(HeaderError::malformed(name, "conflicting values"));
            }
            found = Some(length);
        }
        Ok(found)
    }

    /// The media type of the body in lower case, without parameters, such as `application/sdp`.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let text = self.text(Name::ContentType)?;
        let media = text.split(';').next().unwrap_or_default();
        Some(
            media
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect::<String>()
                .to_ascii_lowercase(),
        )
    }

    /// Expires in seconds; a number beyond 32 bits, or none, counts as absent (RFC 4475 §3.1.2.4).
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.number(Name::Expires).ok()??.try_into().ok()
    }

    /// The number that starts a value, such as that of Expires, RSeq, Min-SE or Session-Expires.
    ///
    /// # Errors
    /// When it starts with no number, or a number beyond 64 bits.
    pub fn number(&self, name: Name<'static>) -> Result<Option<u64>, HeaderError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(value);
        let number = scan::number(cursor.take_while(|b| b.is_ascii_digit()))
            .ok_or(HeaderError::malformed(name, "no number"))?;
        cursor.skip_lws();
        // Session-Expires has parameters, Retry-After a comment.
        match cursor.peek() {
            None | Some(b';' | b'(') => Ok(Some(number)),
            Some(_) => Err(HeaderError::malformed(name, "something after the number")),
        }
    }

    /// The parameters of a value, which follow its first `;`; `None` when absent or malformed.
    #[must_use]
    pub fn params(&self, name: Name<'_>) -> Option<super::params::Params> {
        let value = self.text(name)?;
        let at = value.find(';')?;
        super::params::Params::read(Cursor::new(value.as_bytes().get(at..)?))
    }

    /// Tokens of a list such as Require, Supported, Allow or Accept, as written; empty ones left out.
    pub fn tokens<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = String> + 'a {
        self.items(name)
            .map(|v| scan::text(v).into_owned())
            .filter(|v| !v.is_empty())
    }

    /// Whether a list holds the token, without regard to case.
    #[must_use]
    pub fn lists(&self, name: Name<'_>, token: &str) -> bool {
        self.items(name)
            .any(|v| v.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Option tags of Require that are not among `supported`: what a 420 names in Unsupported (§8.2.2.3).
    #[must_use]
    pub fn unsupported(&self, supported: &[&str]) -> Vec<String> {
        self.tokens(Name::Require)
            .filter(|tag| !supported.iter().any(|s| s.eq_ignore_ascii_case(tag)))
            .collect()
    }

    /// Methods that Allow names; empty when it is not there.
    #[must_use]
    pub fn allowed(&self) -> Vec<Method> {
        self.tokens(Name::Allow)
            .map(|t| Method::from_token(&t))
            .collect()
    }
}
