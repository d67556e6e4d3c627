//! One browser's signaling session.
