//! What the Audit screen remembers: which entries, which one the cursor holds on to, and whether it is read closely.

use super::prose;
use crate::app::audit::{self, Entry, Known};
use crate::app::model::Shared;
use crate::app::place::{self, Place};
use crate::app::prose::{Prose, furthest};
use crate::operations::journal::Event;

/// The Audit screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The entries that fit, newest first.
    pub(super) rows: Vec<Entry>,
    /// The entry under the cursor; none while the cursor stays on the newest.
    pub(super) selected: Option<Entry>,
    /// Where the cursor stands in the rows.
    pub(super) index: usize,
    /// The filter.
    pub(super) filter: String,
    /// Whether only decisions and deeds are shown.
    pub(super) only_deeds: bool,
    /// Whether the entry under the cursor has the whole screen.
    pub(super) zoomed: bool,
    /// Its first row that is seen then.
    pub(super) scroll: usize,
}

impl State {
    /// The screen with all entries, the cursor on the newest.
    pub fn new(shared: &Shared) -> Self {
        let mut state = Self {
            rows: Vec::new(),
            selected: None,
            index: 0,
            filter: String::new(),
            only_deeds: false,
            zoomed: false,
            scroll: 0,
        };
        state.arrange(shared);
        state
    }

    /// The entries that fit, newest first.
    pub fn rows(&self) -> &[Entry] {
        &self.rows
    }

    /// Where the cursor stands in the rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether only decisions and deeds are shown.
    pub fn only_deeds(&self) -> bool {
        self.only_deeds
    }

    /// Whether one entry has the whole screen.
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

    /// The entry under the cursor.
    pub fn entry<'s>(&self, shared: &'s Shared) -> Option<Known<'s>> {
        self.rows.get(self.index)?.known(&shared.operations)
    }

    /// All that is known of the entry under the cursor.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        self.entry(shared).map(|known| prose::of(&known, shared)).unwrap_or_default()
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
        let fits = |entry: &Entry| {
            let Some(known) = entry.known(&shared.operations) else { return false };
            if self.only_deeds && !is_deed(&known.recorded.event) {
                return false;
            }
            wanted.is_empty() || {
                let words = known.words();
                wanted.iter().all(|word| words.contains(word))
            }
        };
        self.rows = audit::entries(&shared.operations).into_iter().filter(fits).collect();
        let held = self.selected.and_then(|entry| self.rows.iter().position(|row| *row == entry));
        self.index = match (self.selected, held) {
            (_, Some(index)) => index,
            (None, None) => 0,
            (Some(_), None) => self.index.min(self.rows.len().saturating_sub(1)),
        };
    }

    /// Puts the cursor on an entry and holds on to it; on the newest it stays with the newest.
    pub(super) fn select(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.selected = if self.index == 0 { None } else { self.rows.get(self.index).copied() };
        self.scroll = 0;
    }
}

/// Whether somebody decided or did something, rather than the program looking or waiting.
fn is_deed(event: &Event) -> bool {
    !matches!(
        event,
        Event::Intended { .. }
            | Event::Absent { .. }
            | Event::Settled { .. }
            | Event::Verified { .. }
            | Event::CheckFailed { .. }
    )
}
