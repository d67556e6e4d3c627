//! Protection of media: SRTP transforms and the DTLS handshake that keys them.
