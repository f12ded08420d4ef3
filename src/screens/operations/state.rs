//! What the Operations screen remembers: which operations, which one the cursor holds on to, and whether it is read closely.

use super::prose;
use crate::app::model::Shared;
use crate::app::operations::Operation;
use crate::app::place::{self, Place};
use crate::app::prose::{Prose, furthest};
use crate::operations::plan::OperationId;

/// The Operations screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The operations that fit, newest first.
    pub(super) rows: Vec<OperationId>,
    /// The operation under the cursor; none while the cursor stays on the newest.
    pub(super) selected: Option<OperationId>,
    /// Where the cursor stands in the rows.
    pub(super) index: usize,
    /// The filter.
    pub(super) filter: String,
    /// Whether only what is not over is shown.
    pub(super) only_open: bool,
    /// Whether the operation under the cursor has the whole screen.
    pub(super) zoomed: bool,
    /// Its first row that is seen then.
    pub(super) scroll: usize,
}

impl State {
    /// The screen with all operations; closely on one, if one is meant.
    pub fn new(shared: &Shared, operation: Option<OperationId>) -> Self {
        let mut state = Self {
            rows: Vec::new(),
            selected: operation,
            index: 0,
            filter: String::new(),
            only_open: false,
            zoomed: operation.is_some(),
            scroll: 0,
        };
        state.arrange(shared);
        state
    }

    /// Reads one operation closely.
    pub fn show(&mut self, operation: OperationId, shared: &Shared) {
        (self.selected, self.zoomed, self.scroll) = (Some(operation), true, 0);
        self.filter.clear();
        self.only_open = false;
        self.arrange(shared);
    }

    /// The operations that fit, newest first.
    pub fn rows(&self) -> &[OperationId] {
        &self.rows
    }

    /// Where the cursor stands in the rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether only what is not over is shown.
    pub fn only_open(&self) -> bool {
        self.only_open
    }

    /// Whether one operation has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.zoomed
    }

    /// The first row of its text that is seen.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// The filter.
    pub fn filter_text(&self) -> &str {
        &self.filter
    }

    /// The operation under the cursor.
    pub fn operation<'s>(&self, shared: &'s Shared) -> Option<&'s Operation> {
        shared.operations.get(*self.rows.get(self.index)?)
    }

    /// All that is known of the operation under the cursor.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        self.operation(shared).map(|operation| prose::of(operation, shared)).unwrap_or_default()
    }

    /// Where that text stands when it has the whole screen.
    pub(super) fn place(shared: &Shared) -> Place {
        let (width, height) = place::screen(shared.columns, shared.rows);
        Place { x: 1, y: 1, width: width.saturating_sub(1), height: height.saturating_sub(1) }
    }

    /// The furthest that the text can be scrolled, and how much of it is seen, in rows.
    pub(super) fn reach(&self, shared: &Shared) -> (usize, usize) {
        let text = Self::place(shared);
        let (width, height) = (usize::from(place::text_width(text)), usize::from(text.height));
        (furthest(&self.prose(shared), width, height), height)
    }

    /// Filters anew.
    pub(super) fn arrange(&mut self, shared: &Shared) {
        let wanted: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |operation: &&Operation| {
            (!self.only_open || !operation.record.is_over)
                && (wanted.is_empty() || {
                    let words = words(operation, shared);
                    wanted.iter().all(|word| words.contains(word))
                })
        };
        self.rows = shared.operations.newest_first().filter(fits).map(|operation| operation.record.id).collect();
        let held = self.selected.and_then(|id| self.rows.iter().position(|row| *row == id));
        self.index = match (self.selected, held) {
            (_, Some(index)) => index,
            (None, None) => 0,
            (Some(_), None) => self.index.min(self.rows.len().saturating_sub(1)),
        };
    }

    /// Puts the cursor on an operation and holds on to it.
    pub(super) fn select(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.index).copied();
        self.scroll = 0;
    }
}

fn words(operation: &Operation, shared: &Shared) -> String {
    let id = operation.record.id;
    let phase = operation.phase(shared.now).map_or("unknown", |phase| phase.word());
    let owner = operation.record.owner.as_ref().map_or("", |owner| owner.who.as_str());
    match operation.plan() {
        Some(plan) => {
            let subject = &plan.subject;
            let run = subject.run.map(|run| run.to_string()).unwrap_or_default();
            format!(
                "{id} {phase} {owner} {} {} {} {} {run} {}",
                plan.kind.words(),
                subject.workspace,
                subject.environment.label(),
                subject.name,
                plan.actor
            )
        }
        None => format!("{id} {phase} {owner}"),
    }
    .to_lowercase()
}
