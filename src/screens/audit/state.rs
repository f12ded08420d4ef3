//! What the Audit screen remembers: which entries, which one the cursor holds on to, and whether it is read closely.

use super::prose;
use crate::app::audit::{self, Entry, Known};
use crate::app::audit_filter::Wanted;
use crate::app::browse::Browse;
use crate::app::model::Shared;
use crate::app::prose::Prose;
use crate::operations::journal::Event;

/// The Audit screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The entries that fit, newest first, and the cursor.
    pub(super) list: Browse<Entry>,
    /// How many entries there are, fitting or not.
    pub(super) total: usize,
    /// Whether only decisions and deeds are shown.
    pub(super) only_deeds: bool,
}

impl State {
    /// The screen with all entries, the cursor on the newest.
    pub fn new(shared: &Shared) -> Self {
        let mut state = Self { list: Browse::default(), total: 0, only_deeds: false };
        state.arrange(shared);
        state
    }

    /// The entries that fit, and the cursor.
    pub fn list(&self) -> &Browse<Entry> {
        &self.list
    }

    /// How many entries there are, fitting or not.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether only decisions and deeds are shown.
    pub fn only_deeds(&self) -> bool {
        self.only_deeds
    }

    /// Whether one entry has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.list.is_zoomed()
    }

    /// The entry under the cursor.
    pub fn entry<'s>(&self, shared: &'s Shared) -> Option<Known<'s>> {
        self.list.row()?.known(&shared.operations)
    }

    /// All that is known of the entry under the cursor.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        self.entry(shared).map(|known| prose::of(&known, shared)).unwrap_or_default()
    }

    /// Filters anew.
    pub(super) fn arrange(&mut self, shared: &Shared) {
        let wanted = Wanted::read(self.list.filter(), shared.now);
        let all = audit::entries(&shared.operations);
        self.total = all.len();
        let fits = |entry: &Entry| {
            let Some(known) = entry.known(&shared.operations) else { return false };
            (!self.only_deeds || is_deed(&known)) && wanted.fits(&known)
        };
        self.list.arrange(all.into_iter().filter(fits).collect());
    }
}

/// Whether somebody decided or did something, rather than the program looking or waiting.
fn is_deed(known: &Known<'_>) -> bool {
    let Known::Journal { recorded, .. } = known else { return true };
    !matches!(
        recorded.event,
        Event::Intended { .. }
            | Event::Absent { .. }
            | Event::Settled { .. }
            | Event::Verified { .. }
            | Event::CheckFailed { .. }
    )
}
