//! The spoken prompt that takes a meeting id by keypad.
