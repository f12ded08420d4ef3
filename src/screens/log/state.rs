//! What the Log screen remembers: which requests, and which one the cursor holds on to.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::app::model::{Logged, Shared};
use crate::domain::request::{Lane, RequestRecord};

/// The Log screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The requests that fit, newest first.
    pub(super) rows: Vec<Arc<Logged>>,
    /// The request under the cursor; none while the cursor stays on the newest.
    pub(super) selected: Option<u64>,
    /// Where the cursor stands in the rows.
    pub(super) index: usize,
    /// The filter.
    pub(super) filter: String,
    /// Whether only failures are shown.
    pub(super) only_failures: bool,
}

impl State {
    /// The screen with all requests, the cursor on the newest.
    pub fn new(shared: &Shared) -> Self {
        let mut state =
            Self { rows: Vec::new(), selected: None, index: 0, filter: String::new(), only_failures: false };
        state.arrange(shared);
        state
    }

    /// The requests that fit, newest first.
    pub fn rows(&self) -> &[Arc<Logged>] {
        &self.rows
    }

    /// Where the cursor stands in the rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The request under the cursor.
    pub fn row(&self) -> Option<&Arc<Logged>> {
        self.rows.get(self.index)
    }

    /// Whether only failures are shown.
    pub fn only_failures(&self) -> bool {
        self.only_failures
    }

    /// Filters anew.
    pub(super) fn arrange(&mut self, shared: &Shared) {
        let wanted: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        self.rows = shared
            .log
            .iter()
            .filter(|logged| !self.only_failures || is_failure(&logged.record))
            .filter(|logged| {
                wanted.is_empty() || {
                    let words = words(&logged.record);
                    wanted.iter().all(|word| words.contains(word))
                }
            })
            .cloned()
            .collect();
        self.index = match self.selected {
            None => 0,
            // A request that fell out of the log leaves the cursor on the oldest.
            Some(number) => self
                .rows
                .iter()
                .position(|logged| logged.number <= number)
                .unwrap_or_else(|| self.rows.len().saturating_sub(1)),
        };
    }

    /// Puts the cursor on a request and holds on to it; on the newest it stays with the newest.
    pub(super) fn select(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.selected = if self.index == 0 { None } else { self.rows.get(self.index).map(|logged| logged.number) };
    }
}

/// Whether a request ended badly.
pub(super) fn is_failure(record: &RequestRecord) -> bool {
    record.error.is_some() || record.status.is_none_or(|status| status >= 400)
}

/// The lane in one word.
pub(super) fn lane(lane: Lane) -> &'static str {
    match lane {
        Lane::Rollback => "rollback",
        Lane::Act => "act",
        Lane::Look => "look",
        Lane::Poll => "poll",
    }
}

fn words(record: &RequestRecord) -> String {
    let RequestRecord { workspace, method, route, query, .. } = record;
    let mut words = format!("{workspace} {method} {route} {query} {}", lane(record.lane));
    if let Some(status) = record.status {
        // Writing to a string cannot fail.
        let _ = write!(words, " {status}");
    }
    for word in [&record.request_id, &record.error].into_iter().flatten() {
        words.push(' ');
        words.push_str(word);
    }
    words.to_lowercase()
}
