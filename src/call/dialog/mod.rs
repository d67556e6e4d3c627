//! SIP dialogs (RFC 3261 §12).
