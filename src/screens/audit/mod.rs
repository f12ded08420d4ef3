//! Audit: who did what, and whether the record of it is whole.

mod prose;
mod state;
mod update;
pub mod view;

pub use state::State;

use crate::app::command::{self, Command, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only entries of acts and decisions, or all again.
    OnlyDeeds,
    /// Go to the operation.
    Follow,
    /// Write what is shown to a file.
    Export,
}

const fn action(action: Action) -> command::Action {
    command::Action::Audit(action)
}

static COMMANDS: [Command; 3] = [
    here(
        "only-deeds",
        "only deeds",
        "Show only what somebody decided or did, or all again.",
        action(Action::OnlyDeeds),
    ),
    here("operation", "operation", "Go to the operation that the entry belongs to.", action(Action::Follow)),
    here("export", "export", "Write what is shown to a CSV file.", action(Action::Export)),
];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "audit",
    title: "Audit",
    commands: &COMMANDS,
    footer: &["back", "open", "filter", "only-deeds", "operation", "export", "copy"],
    sorts: false,
};

#[cfg(test)]
mod tests;
