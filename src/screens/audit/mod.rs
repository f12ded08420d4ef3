//! Audit: who did what, and whether the record of it is whole.

mod prose;
mod state;
mod update;
pub mod view;

pub use state::State;

use crate::app::audit_export::Form;
use crate::app::command::{self, Command, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only entries of acts and decisions, or all again.
    OnlyDeeds,
    /// Go to the operation.
    Follow,
    /// Compare all of the ledger that was sealed with what is there.
    Verify,
    /// Write what is shown to a file.
    Export(Form),
}

const fn action(action: Action) -> command::Action {
    command::Action::Audit(action)
}

static COMMANDS: [Command; 6] = [
    here(
        "only-deeds",
        "only deeds",
        "Show only what somebody decided or did, or all again.",
        action(Action::OnlyDeeds),
    ),
    here("operation", "operation", "Go to the operation that the entry belongs to.", action(Action::Follow)),
    here(
        "verify",
        "verify",
        "Compare all of the ledger that was sealed with what is there; name what was changed.",
        action(Action::Verify),
    ),
    here("export", "export", "Write what is shown to a CSV file.", action(Action::Export(Form::Csv))),
    here("export-json", "as JSON", "Write what is shown to a JSON file.", action(Action::Export(Form::Json))),
    here(
        "export-report",
        "as report",
        "Write what is shown to a Markdown report.",
        action(Action::Export(Form::Markdown)),
    ),
];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "audit",
    title: "Audit",
    commands: &COMMANDS,
    footer: &["back", "open", "filter", "only-deeds", "operation", "verify", "export", "export-report", "copy"],
    sorts: false,
};

#[cfg(test)]
pub(crate) mod tests;
