//! SIP parties' calls, from INVITE to their endings.
//!
//! `Phones::new(config, seed)`, then the three calls: `handle(now, Input)`, `poll() -> Option<Output>`,
//! `next_timeout()` with `timeout(now)`. A call that arrives is told as [`Output::Arrived`] and decided by
//! [`Input::Accept`] or [`Input::Refuse`]; media is asked for, the offer answered and [`Output::Answered`] told;
//! [`Output::Ended`] comes once, whoever ends it.

mod border;
mod caller;
mod dialled;
mod digits;
mod info;
mod line;
mod phones;
mod replies;

pub use border::{Arrival, Config, Dialled, Input, Output, SrtpPolicies};
pub use caller::{Caller, CallerInput, CallerOutput, Dial};
pub use phones::Phones;

#[cfg(test)]
mod simulate;
#[cfg(test)]
mod tests;
