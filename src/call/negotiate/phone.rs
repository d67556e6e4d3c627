//! Offer and answer with SIP parties.
