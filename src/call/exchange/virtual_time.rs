//! The beginning of virtual time in tests.

use std::time::Instant;

/// Some instant to count from; tests add to it and never read the clock again.
#[allow(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made in another way"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
