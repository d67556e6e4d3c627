//! All legs of a shard behind three calls: command or receive, poll, timeout.
