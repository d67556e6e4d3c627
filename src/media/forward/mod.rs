//! Video on its way from one leg to many: header rewriting and key frame requests.
//!
//! [`key_frame`] tells where a picture can be entered, [`rewrite`] keeps a viewer's sequence numbers and
//! timestamps continuous through changes of source, [`requests`] asks a source for key frames no more often
//! than it can make them. To come, each in a file of its own: `history` (packets kept for NACK and RTX),
//! `layer` (simulcast and SVC layer choice), and the feedback of `estimate` (TWCC) that the choice needs.

pub mod key_frame;
pub mod requests;
pub mod rewrite;
