//! What a meeting is while it runs: parties, roster, video streams.
