//! Arguments → configuration → node → run → drain.

fn main() {}
