//! Steady time: the machine's clock as it was at one moment, and since then what a clock that nobody sets has counted.
//!
//! What an operation waits for must not end early because somebody set the clock ahead, nor late because it was set back.
//! While a machine sleeps steady time stands still, so that its waits take longer, which does no harm.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::clock::Clock;

/// See the module's page.
pub(super) struct Steady {
    clock: Arc<dyn Clock>,
    anchor: Instant,
    since: tokio::time::Instant,
}

impl Steady {
    /// Begins at the machine's time.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { anchor: clock.now(), since: tokio::time::Instant::now(), clock }
    }

    /// Begins anew at the machine's time.
    pub(super) fn set(&mut self) {
        (self.anchor, self.since) = (self.clock.now(), tokio::time::Instant::now());
    }

    /// The present.
    pub(super) fn now(&self) -> Instant {
        self.anchor + TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runtime::clock::tests::SetClock;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_does_not_move_it_until_it_begins_anew() {
        let noon = crate::domain::fixture::now();
        let clock = Arc::new(SetClock::default());
        let mut steady = Steady::new(Arc::clone(&clock) as Arc<dyn Clock>);
        clock.set(noon + TimeDelta::hours(3));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(steady.now(), noon + TimeDelta::seconds(5));
        steady.set();
        assert_eq!(steady.now(), noon + TimeDelta::hours(3));
    }
}
