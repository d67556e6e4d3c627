//! RTP packets (RFC 3550): a view without copies, header extensions, telephone events.
