//! One SIP party's call, from INVITE to its ending.
