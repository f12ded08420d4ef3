//! Repair: runs failed tasks of a run again. The platform compares `latest_repair_id`, so a second repair is refused.

mod plan;
mod steps;

pub use plan::{Order, plan, to_repair};
