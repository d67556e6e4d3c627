//! Audio codecs at their own rates, and resampling to the mixer's.
