//! Messages that peers send, and the verdict on each.
