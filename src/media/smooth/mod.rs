//! The jitter buffer and concealment.
