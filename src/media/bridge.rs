//! The legs of one meeting: audio mixed, video forwarded.
