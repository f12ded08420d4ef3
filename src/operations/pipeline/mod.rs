//! Start and stop of a pipeline. A start has no token, so after a lost answer it waits until a late arrival can be ruled
//! out (databricks-api.md 4.4); a stop stops whatever is active, so the very update is named and read first.

mod plan;
mod steps;

pub use plan::{Start, start, stop};
