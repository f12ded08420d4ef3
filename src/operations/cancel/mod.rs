//! Cancel: asks for a run to end, and sees it ended. There is no way back.

mod plan;
mod steps;

pub use plan::plan;
