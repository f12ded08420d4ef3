//! The clock as a thing that is handed in: no code below `runtime` reads time by itself.

use super::Instant;

/// Tells the present instant. Delays are not its business: those who wait use tokio's timers, which tests pause.
pub trait Clock: Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> Instant;
}
