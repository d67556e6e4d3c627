//! What leaves: packetisation, sender reports, the outbox.
