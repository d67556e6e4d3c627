//! Descriptions that peers send, read and written back.
