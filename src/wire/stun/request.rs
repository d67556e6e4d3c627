//! ICE connectivity checks: a binding request with what an agent puts into it (RFC 8445 §7.1).

use super::message::{Class, Message, StunError, TransactionId, Writer, attr};

/// The role that a peer claims, with its tie-breaker (RFC 8445 §7.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IceRole {
    /// ICE-CONTROLLING.
    Controlling(u64),
    /// ICE-CONTROLLED.
    Controlled(u64),
}

/// A binding request as read; nothing in it is trusted before [`BindingRequest::is_authentic`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BindingRequest<'a> {
    message: Message<'a>,
    /// USERNAME, where it is UTF-8.
    pub username: Option<&'a str>,
    /// PRIORITY.
    pub priority: Option<u32>,
    /// USE-CANDIDATE: the peer nominates this pair.
    pub use_candidate: bool,
    /// The role that the peer claims.
    pub role: Option<IceRole>,
    /// MESSAGE-INTEGRITY is there; whether it is right is another question.
    pub has_integrity: bool,
    /// The first attribute that must be understood and is not (types below 0x8000, RFC 8489 §14).
    pub unknown: Option<u16>,
}

impl<'a> BindingRequest<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// Those of [`Message::parse`], and [`StunError::NotBindingRequest`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let message = Message::parse(bytes)?;
        if message.class() != Class::Request || message.method() != 1 {
            return Err(StunError::NotBindingRequest);
        }
        let mut request = Self {
            message,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            has_integrity: false,
            unknown: None,
        };
        for attribute in message.attributes() {
            let value = attribute.value;
            match attribute.kind {
                attr::USERNAME => {
                    // The first of a repeated attribute counts (RFC 8489 §14).
                    request.username = request.username.or(std::str::from_utf8(value).ok());
                }
                attr::PRIORITY => {
                    let read = <[u8; 4]>::try_from(value).ok().map(u32::from_be_bytes);
                    request.priority = request.priority.or(read);
                }
                attr::USE_CANDIDATE => request.use_candidate = true,
                attr::ICE_CONTROLLING => {
                    let read = <[u8; 8]>::try_from(value).ok().map(u64::from_be_bytes);
                    request.role = request.role.or(read.map(IceRole::Controlling));
                }
                attr::ICE_CONTROLLED => {
                    let read = <[u8; 8]>::try_from(value).ok().map(u64::from_be_bytes);
                    request.role = request.role.or(read.map(IceRole::Controlled));
                }
                attr::MESSAGE_INTEGRITY => request.has_integrity = true,
                kind if kind < 0x8000 => request.unknown = request.unknown.or(Some(kind)),
                _ => {}
            }
        }
        Ok(request)
    }

    /// The transaction id, for the answer.
    #[must_use]
    pub fn transaction(&self) -> TransactionId {
        self.message.transaction()
    }

    /// Both halves of USERNAME: the receiver's user fragment, then the sender's.
    #[must_use]
    pub fn ufrags(&self) -> Option<(&'a str, &'a str)> {
        self.username.and_then(|name| name.split_once(':'))
    }

    /// Whether MESSAGE-INTEGRITY is right under the receiver's ICE password.
    #[must_use]
    pub fn is_authentic(&self, password: &[u8]) -> bool {
        self.message.is_authentic(password)
    }
}

/// What goes into a check that we send (tools and tests; a lite agent sends none).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestWriter<'a> {
    /// `theirs:ours`.
    pub username: &'a str,
    /// The receiver's password.
    pub password: &'a [u8],
    /// Priority of the candidate (RFC 8445 §7.1.1).
    pub priority: u32,
    /// Nominate.
    pub use_candidate: bool,
    /// Our role.
    pub role: IceRole,
}

impl RequestWriter<'_> {
    /// Writes the request; returns its length. 256 octets hold any with names of common length.
    ///
    /// # Errors
    /// [`StunError::NoRoom`].
    pub fn write(&self, out: &mut [u8], transaction: &TransactionId) -> Result<usize, StunError> {
        let mut writer = Writer::binding(out, Class::Request, transaction)?;
        writer.attribute(attr::USERNAME, self.username.as_bytes())?;
        writer.attribute(attr::PRIORITY, &self.priority.to_be_bytes())?;
        let (kind, tie_breaker) = match self.role {
            IceRole::Controlling(t) => (attr::ICE_CONTROLLING, t),
            IceRole::Controlled(t) => (attr::ICE_CONTROLLED, t),
        };
        writer.attribute(kind, &tie_breaker.to_be_bytes())?;
        if self.use_candidate {
            writer.attribute(attr::USE_CANDIDATE, &[])?;
        }
        writer.integrity(self.password)?;
        writer.finish()
    }
}
