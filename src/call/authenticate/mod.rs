//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), both sides of it, pure: time and random octets are
//! arguments.
//!
//! [`Challenger`] asks callers who they are and checks what they say; [`Answerer`] answers those who ask us.

mod answerer;
mod challenger;
mod nonce;
mod response;

pub use answerer::{Account, Answerer, Unanswerable};
pub use challenger::{Challenger, Denial, Users, algorithms};
pub use response::{Ha1, Password, Secret};

#[cfg(test)]
mod tests;
