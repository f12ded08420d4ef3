//! An operation in hand: where it stands, and what is in flight for it.

use std::sync::Arc;

use futures::future::AbortHandle;

use super::owned::{Owned, Seen};
use super::pace::Pace;
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ulid::Ulid;
use crate::operations::engine::{Effect, Moment, State, apply, fold};
use crate::operations::journal::Recorded;
use crate::operations::plan::Plan;

/// See the module's page.
pub(super) struct Hand {
    pub(super) plan: Plan,
    /// What the journal says, by the time of day at which it was written.
    pub(super) state: State,
    /// The same in steady time: by this one it is waited. The time of day can be set, and goes on while the machine sleeps.
    pub(super) steady: State,
    pub(super) flights: Vec<Flight>,
    pub(super) pace: Pace,
    pub(super) acknowledged: u64,
    /// What cannot be looked at at present, and why.
    pub(super) trouble: Option<(Effect, String)>,
    pub(super) owned: Owned,
    /// The entry with which it came into these hands.
    pub(super) taken_by: Ulid,
}

/// An effect that was started. It goes on only while its operation is in hand: what is dropped here asks nothing further.
pub(super) struct Flight {
    pub(super) effect: Effect,
    pub(super) has_landed: bool,
    pub(super) handle: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Hand {
    /// An operation by its journal, owned by a write that began at `seen`; `now` is the present in steady time. Who goes on
    /// with it waits anew for all that was waited for, so only what seems to lie ahead must not stay there.
    pub(super) fn new(plan: Plan, journal: &[Recorded], now: Instant, clock: Arc<dyn Clock>, seen: Seen) -> Self {
        let state = fold(&plan, journal);
        let mut steady = State::new(&plan);
        for entry in journal {
            apply(&mut steady, &Recorded { at: entry.at.min(now), ..entry.clone() });
        }
        let (flights, pace, owned) = (Vec::new(), Pace::default(), Owned::new(clock, seen));
        // Until an entry says that it was taken up here, it is in the hands of whoever wrote the first.
        let taken_by = journal.first().map_or(plan.id.0, |entry| entry.event_id);
        Self { plan, state, steady, flights, pace, acknowledged: 0, trouble: None, owned, taken_by }
    }

    /// The states after further entries, by the time of day and in steady time.
    pub(super) fn after(&self, entries: &[Recorded], now: Instant) -> (State, State) {
        let (mut state, mut steady) = (self.state.clone(), self.steady.clone());
        for entry in entries {
            apply(&mut state, entry);
            apply(&mut steady, &Recorded { at: now, ..entry.clone() });
        }
        (state, steady)
    }

    pub(super) fn moment(&self, at: Instant) -> Moment {
        Moment { at, acknowledged: self.acknowledged }
    }

    pub(super) fn waits_for_ledger(&self) -> bool {
        let newest = self.state.steps.iter().map(|at| at.forward.intended_seq).max();
        self.plan.tier.waits_for_ledger() && newest.is_some_and(|newest| self.acknowledged < newest)
    }

    pub(super) fn is_known(&self, effect: &Effect) -> bool {
        self.flights.iter().any(|flight| flight.effect == *effect)
    }
}
