//! Where packets of a leg may come from and go to: latching and ICE-lite.

mod ice_lite;
mod latching;

pub use ice_lite::{Checked, EXPIRY, IceLitePath, MAX_ADDRESSES, Verdict};
pub use latching::{Nearness, Source, StaticPath};
