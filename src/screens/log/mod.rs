//! Log: what the console itself has done.

mod state;
mod update;
pub mod view;

pub use state::State;

use crate::app::command::{self, Command, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only requests that failed, or all again.
    OnlyFailures,
}

static COMMANDS: [Command; 1] = [here(
    "only-failures",
    "only failures",
    "Show only requests that failed, or all again.",
    command::Action::Log(Action::OnlyFailures),
)];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "log",
    title: "Log",
    commands: &COMMANDS,
    footer: &["back", "filter", "only-failures", "copy"],
    sorts: false,
};
