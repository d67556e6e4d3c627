//! Answers to binding requests, written into a buffer without allocating (RFC 8489 §6.3, RFC 8445 §7.3).

use std::net::SocketAddr;

use super::message::{Class, StunError, TransactionId, Writer, attr};

/// Octets that hold any answer of this file.
pub const MAX_ANSWER: usize = 128;

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// 400: it lacks what it must carry.
    BadRequest,
    /// 401: user name or MESSAGE-INTEGRITY are wrong.
    Unauthenticated,
    /// 420: it carries an attribute that must be understood and is not.
    UnknownAttribute(u16),
    /// 487: both sides claim one role; the other is to switch.
    RoleConflict,
}

impl Refusal {
    /// The error's number and phrase.
    #[must_use]
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthenticated => (401, "Unauthenticated"),
            Self::UnknownAttribute(_) => (420, "Unknown Attribute"),
            Self::RoleConflict => (487, "Role Conflict"),
        }
    }
}

/// Writes a success response that tells the peer its address; returns the length.
///
/// # Errors
/// [`StunError::NoRoom`].
pub fn success(
    out: &mut [u8],
    transaction: &TransactionId,
    mapped: SocketAddr,
    password: &[u8],
) -> Result<usize, StunError> {
    let mut writer = Writer::binding(out, Class::Success, transaction)?;
    writer.mapped_address(mapped, transaction)?;
    writer.integrity(password)?;
    writer.finish()
}

/// Writes an error response; returns the length. `password` is `None` where the request was not
/// authenticated (RFC 8489 §9.1.3: such an answer carries no MESSAGE-INTEGRITY).
///
/// # Errors
/// [`StunError::NoRoom`].
pub fn refuse(
    out: &mut [u8],
    transaction: &TransactionId,
    refusal: Refusal,
    password: Option<&[u8]>,
) -> Result<usize, StunError> {
    let (code, phrase) = refusal.code();
    let mut value = [0u8; 4 + 32];
    let len = 4 + phrase.len();
    // Hundreds and remainder of three-digit codes always fit an octet.
    value[2] = u8::try_from(code / 100).unwrap_or(5);
    value[3] = u8::try_from(code % 100).unwrap_or(0);
    value
        .get_mut(4..len)
        .ok_or(StunError::NoRoom)?
        .copy_from_slice(phrase.as_bytes());
    let mut writer = Writer::binding(out, Class::Error, transaction)?;
    writer.attribute(attr::ERROR_CODE, value.get(..len).unwrap_or_default())?;
    if let Refusal::UnknownAttribute(kind) = refusal {
        writer.attribute(attr::UNKNOWN_ATTRIBUTES, &kind.to_be_bytes())?;
    }
    if let Some(password) = password {
        writer.integrity(password)?;
    }
    writer.finish()
}
