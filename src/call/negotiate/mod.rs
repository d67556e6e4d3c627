//! Offer and answer (RFC 3264).
