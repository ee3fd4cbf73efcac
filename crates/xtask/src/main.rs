//! The one entry tool: tidy, gen, test, bench.
fn main() {}
