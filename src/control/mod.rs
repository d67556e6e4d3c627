//! The control plane, one noun per file.
