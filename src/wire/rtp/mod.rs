//! RTP packets (RFC 3550): a view without copies, header extensions, telephone events, redundant audio.
//!
//! Reading never copies and never allocates; rewriting happens in place. A packet is taken apart in two
//! steps because SRTP leaves the header clear and hides the rest: [`Header::parse`] before decryption,
//! [`RtpView::parse`] after it (only then can the padding count be believed).

mod class;
pub mod dtmf;
mod extension;
mod header;
mod red;

pub use class::{DemuxClass, demux_class, is_rtcp};
pub use extension::{AudioLevel, Extensions, MAX_EXTENSIONS};
pub use header::{FixedHeader, Header, RtpError, RtpMut, RtpView};
pub use red::{Copied, Red, RedError, write_red};
