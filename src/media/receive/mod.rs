//! What arrives: extended sequence numbers, duplicates, loss, jitter.
