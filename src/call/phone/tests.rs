//! Single messages and what they are answered.
