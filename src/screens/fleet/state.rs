//! What the Fleet screen remembers: which rows in which order, and which object the cursor holds on to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::app::model::Shared;
use crate::domain::fleet::{Counts, FleetRow, ObjectId, SortKey};

/// The Fleet screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The rows that fit the filter, in order.
    pub(super) rows: Vec<Arc<FleetRow>>,
    /// The object under the cursor: the cursor follows it, whatever happens to the order.
    pub(super) selected: Option<ObjectId>,
    /// Where the cursor stands in the rows.
    pub(super) index: usize,
    /// By what the rows are sorted.
    pub(super) sort: SortKey,
    /// Whether the order is turned round.
    pub(super) reversed: bool,
    /// The filter.
    pub(super) filter: String,
}

impl State {
    /// The screen with all rows by urgency, the cursor on the most urgent.
    pub fn new(shared: &Shared) -> Self {
        let mut state = Self {
            rows: Vec::new(),
            selected: None,
            index: 0,
            sort: SortKey::default(),
            reversed: false,
            filter: String::new(),
        };
        state.arrange(shared);
        state
    }

    /// The rows that fit the filter, in order.
    pub fn rows(&self) -> &[Arc<FleetRow>] {
        &self.rows
    }

    /// Where the cursor stands in the rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The row under the cursor.
    pub fn row(&self) -> Option<&Arc<FleetRow>> {
        self.rows.get(self.index)
    }

    /// By what the rows are sorted, and whether the order is turned round.
    pub fn order(&self) -> (SortKey, bool) {
        (self.sort, self.reversed)
    }

    /// How many rows of which kind the filter hides.
    pub fn hidden(&self, shared: &Shared) -> Counts {
        let shown = Counts::of(self.rows.iter().map(Arc::as_ref));
        let all = shared.fleet.counts();
        Counts {
            unreadable: all.unreadable.saturating_sub(shown.unreadable),
            total: all.total.saturating_sub(shown.total),
            failing: all.failing.saturating_sub(shown.failing),
            lagging: all.lagging.saturating_sub(shown.lagging),
            running: all.running.saturating_sub(shown.running),
            long: all.long.saturating_sub(shown.long),
            reading: all.reading.saturating_sub(shown.reading),
        }
    }

    /// Filters and sorts anew.
    pub(super) fn arrange(&mut self, shared: &Shared) {
        self.rows = shared.fleet.rows().filter(|row| row.matches(&self.filter)).cloned().collect();
        let now = shared.clock();
        self.rows.sort_by(|a, b| {
            let order = self.sort.compare(a, b, now);
            if self.reversed { order.reverse() } else { order }
        });
        self.follow();
    }

    /// Takes newer rows without moving any: those that are gone leave, new ones come last.
    pub(super) fn renew(&mut self, shared: &Shared) {
        let mut fresh: HashMap<&ObjectId, &Arc<FleetRow>> = shared.fleet.rows().map(|row| (&row.id, row)).collect();
        let mut rows: Vec<Arc<FleetRow>> =
            self.rows.iter().filter_map(|row| fresh.remove(&row.id)).map(Arc::clone).collect();
        let mut new: Vec<&Arc<FleetRow>> = fresh.into_values().filter(|row| row.matches(&self.filter)).collect();
        new.sort_by(|a, b| a.id.cmp(&b.id));
        rows.extend(new.into_iter().map(Arc::clone));
        self.rows = rows;
        self.follow();
    }

    /// Puts the cursor on a row and holds on to its object.
    pub(super) fn select(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.index).map(|row| row.id.clone());
    }

    /// Puts the cursor on the first row when the object that it held on to is not shown: after typing, that is the best
    /// match. The object is held on to, for when the filter goes.
    pub(super) fn fall_back_to_the_first(&mut self) {
        if self.row().map(|row| &row.id) != self.selected.as_ref() {
            self.index = 0;
        }
    }

    /// Finds the object under the cursor again; if it is gone, its place is kept.
    fn follow(&mut self) {
        let found = self.selected.as_ref().and_then(|id| self.rows.iter().position(|row| row.id == *id));
        match found {
            Some(index) => self.index = index,
            // A filter may hide the object for a moment: hold on to it unless a person moves.
            None if self.selected.is_some() => self.index = self.index.min(self.rows.len().saturating_sub(1)),
            // Until a person moves, the cursor stays on the most urgent row.
            None => self.index = 0,
        }
    }
}
