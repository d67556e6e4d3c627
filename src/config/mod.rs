//! Typed configuration: defaults, checks, and errors that name file, line, key and remedy.
