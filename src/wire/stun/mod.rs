//! STUN binding requests and their answers (RFC 8489), as ICE uses them.
