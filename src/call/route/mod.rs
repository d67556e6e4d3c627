//! Where requests to a URI go: RFC 3263, pure. Names are asked for and answered as values; who asks DNS is the
//! node.
//!
//! [`Locate::next`] asks a [`Question`], names a [`Hop`] to try, or says that none is left. Questions are
//! asked only when their answer is needed: what fails over asks the next.

mod locate;
mod records;

pub use locate::{Hop, Locate, LocateError, Next, Question};
pub use records::{Answer, Naptr, Srv};

#[cfg(test)]
mod tests;
