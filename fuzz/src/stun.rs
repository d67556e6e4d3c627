//! STUN messages.

use std::net::SocketAddr;

use wire::stun::answer::{self, Refusal};
use wire::stun::{BindingRequest, Class, Message};

/// A message: no panic; nothing is authentic under a password that nobody has; every answer to a request
/// reads back.
pub fn stun(data: &[u8]) {
    if let Ok(message) = Message::parse(data) {
        let _ = (message.mapped_address(), message.error_code());
        assert!(!message.is_authentic(b"a password that no seed was made with"));
    }
    let Ok(request) = BindingRequest::parse(data) else {
        return;
    };
    let _ = request.ufrags();
    let id = request.transaction();
    let mut out = [0u8; answer::MAX_ANSWER];
    let from = SocketAddr::from(([192, 0, 2, 1], 5000));
    let len = answer::success(&mut out, &id, from, b"pwd").unwrap_or_default();
    let success = Message::parse(&out[..len]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(success.mapped_address(), Some(from));
    assert!(success.is_authentic(b"pwd"));
    let refusal = request
        .unknown
        .map_or(Refusal::BadRequest, Refusal::UnknownAttribute);
    let len = answer::refuse(&mut out, &id, refusal, None).unwrap_or_default();
    let error = Message::parse(&out[..len]).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        (error.class(), error.error_code()),
        (Class::Error, Some(refusal.code().0))
    );
}
