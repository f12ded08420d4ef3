//! How a job behaves: what its API never tells and only its history shows.

use crate::domain::Instant;

use super::time::{DAY, span_ms};

/// How a job behaves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Temper {
    /// One entry a task, in the order of the settings; more tasks behave like the last.
    pub(super) tasks: Vec<Nature>,
    /// Standard deviation of the logarithm of durations.
    pub(super) sigma: f64,
    /// How an attempt fails by chance, where another may follow.
    pub(super) flake: f64,
    /// How a run fails for good by chance.
    pub(super) doom: f64,
    /// How many times as long it takes now as three weeks ago.
    pub(super) drift: f64,
    /// When the drift has reached its full size.
    pub(super) drifted_at: Instant,
}

/// How one task behaves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nature {
    /// The median of its duration, in minutes.
    pub(super) minutes: f64,
    /// The table that it commits to, or that its errors speak of.
    pub(super) table: String,
    /// Whether its success commits a version of the table.
    pub(super) commits: bool,
    /// The median of the rows that a commit writes.
    pub(super) rows: f64,
}

impl Temper {
    /// A job that nobody described: every task takes about a minute and a half and commits nothing.
    pub(super) fn unknown(at: Instant) -> Self {
        let task = Nature { minutes: 1.5, table: "output".to_owned(), commits: false, rows: 0.0 };
        Self { tasks: vec![task], sigma: 0.15, flake: 0.0, doom: 0.0, drift: 1.0, drifted_at: at }
    }

    /// How a task behaves.
    pub(super) fn task(&self, at: usize) -> &Nature {
        &self.tasks[at.min(self.tasks.len() - 1)]
    }

    /// How many times as long as at first it takes at an instant: nothing for two weeks, then rising within one.
    pub(super) fn drift_at(&self, at: Instant) -> f64 {
        let left_days = span_ms(at, self.drifted_at) as f64 / DAY as f64;
        1.0 + (self.drift - 1.0) * (1.0 - left_days / 7.0).clamp(0.0, 1.0)
    }
}
