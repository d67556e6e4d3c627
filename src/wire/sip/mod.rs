//! SIP messages (RFC 3261): a lossless, tolerant reader and a writer.
