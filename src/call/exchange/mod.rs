//! Everything that calls, behind three calls: handle, poll, next_timeout.
