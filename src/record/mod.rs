//! What is kept: metric log, SIP log, call records; a local spool first.
