//! RTCP compounds (RFC 3550, 4585): reports, feedback, goodbyes.
