//! SIP messages (RFC 3261): a lossless, tolerant reader and a writer.
//!
//! [`Message::parse`] reads a datagram, [`StreamReader`] a TCP or TLS connection. Header fields keep the
//! bytes in which they arrived ([`Headers`]); the typed readers ([`Headers::from`], [`Headers::vias`] …)
//! interpret them on demand. A request that breaks a rule yields a [`SipError`] that knows its status and
//! carries what is needed to answer it ([`SipError::response`]).

mod build;
mod check;
pub mod digest;
mod error;
mod headers;
mod message;
mod method;
mod name;
mod name_addr;
mod params;
mod read;
mod scan;
mod stream;
mod typed;
mod uri;
mod via;

pub use error::{Fault, HeaderError, Problem, SipError};
pub use headers::{Field, Headers};
pub use message::{Message, StartLine};
pub use method::Method;
pub use name::Name;
pub use name_addr::NameAddr;
pub use params::Params;
pub use read::{Limits, MAX_HEADERS, MAX_MESSAGE};
pub use stream::{StreamError, StreamFault, StreamItem, StreamReader};
pub use typed::{CSeq, Contacts};
pub use uri::{Host, Scheme, Uri, UriError};
pub use via::{MAGIC_COOKIE, Via};

#[cfg(test)]
mod tests;
