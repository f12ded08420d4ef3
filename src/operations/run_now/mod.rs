//! Run now: one run of a job, exactly once by its idempotency token.

mod plan;
mod steps;

pub use plan::{Order, plan};
