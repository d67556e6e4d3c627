//! Offer and answer with browsers.
