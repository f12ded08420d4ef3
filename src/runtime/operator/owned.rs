//! That this process owns an operation, as far as it may rely on it: a lease on the local journal.
//!
//! Who gives no sign of life for [`HUNG_AFTER`] may be replaced. So nothing is sent for an operation whose last proof of
//! ownership is older than [`RELIED_ON`], by either clock of the machine: the one stands still while the machine sleeps, the
//! other can be set. A process that stood still between an intent and its request finds its proof stale and sends nothing;
//! its next look at the journal tells whether it still has the operation.

use std::sync::{Arc, Mutex, PoisonError};

#[cfg(doc)]
use crate::store::HUNG_AFTER;
use chrono::TimeDelta;

use crate::databricks::transport::Permit;
use crate::domain::Instant;
use crate::domain::clock::Clock;

/// How long a proof of ownership is relied on: shorter than an owner may be silent, so that nobody else has the operation
/// while something is sent for it.
pub(super) const RELIED_ON: TimeDelta = TimeDelta::seconds(10);

/// A moment by both clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    steady: tokio::time::Instant,
    at: Instant,
}

impl Seen {
    /// The present.
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self { steady: tokio::time::Instant::now(), at: clock.now() }
    }
}

/// When this process was last known to own an operation.
#[derive(Clone)]
pub(super) struct Owned {
    clock: Arc<dyn Clock>,
    proven: Arc<Mutex<Seen>>,
}

impl Owned {
    /// Proven by a write that began at `seen`.
    pub(super) fn new(clock: Arc<dyn Clock>, seen: Seen) -> Self {
        Self { clock, proven: Arc::new(Mutex::new(seen)) }
    }

    /// Proven anew, by a write that began at `seen`.
    pub(super) fn prove(&self, seen: Seen) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Whether the newest proof can be relied on.
    pub(super) fn is_fresh(&self) -> bool {
        let proven = *self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let by_steady = TimeDelta::from_std(proven.steady.elapsed()).unwrap_or(TimeDelta::MAX);
        let by_day = self.clock.now().signed_duration_since(proven.at).abs();
        by_steady < RELIED_ON && by_day < RELIED_ON
    }

    /// The permit to send something for the operation.
    pub(super) fn permit(&self) -> Permit {
        let owned = self.clone();
        Permit::new(move || {
            if owned.is_fresh() {
                return Ok(());
            }
            Err("never sent: this process stood still, and somebody else may have gone on".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runtime::clock::tests::SetClock;

    #[tokio::test(start_paused = true)]
    async fn a_proof_is_relied_on_by_both_clocks_and_for_less_time_than_an_owner_may_be_silent() {
        assert!(RELIED_ON < crate::store::HUNG_AFTER);
        let clock = Arc::new(SetClock::default());
        let seen = || Seen::now(clock.as_ref());
        let owned = Owned::new(Arc::clone(&clock) as Arc<dyn Clock>, seen());
        let permit = owned.permit();
        assert_eq!(permit.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(permit.check().expect_err("stale").starts_with("never sent"), "it was stopped");
        owned.prove(seen());
        assert_eq!(permit.check(), Ok(()));
        clock.set(clock.now() + TimeDelta::seconds(11));
        assert!(permit.check().is_err(), "the machine slept: only the time of day went on");
        owned.prove(seen());
        clock.set(clock.now() - TimeDelta::hours(1));
        assert!(permit.check().is_err(), "by a clock that is set back nothing can be told");
    }
}
