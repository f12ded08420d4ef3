//! Fleet: is anything on fire, where, since when.

mod state;
mod update;
pub mod view;

pub use state::State;

use crate::app::command::{self, Act, Command, act, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To the next row that somebody should look at.
    NextProblem,
    /// To the one before.
    PreviousProblem,
}

static COMMANDS: [Command; 5] = [
    here(
        "next-problem",
        "next problem",
        "To the next row that failed, lags or takes too long.",
        command::Action::Fleet(Action::NextProblem),
    ),
    here(
        "previous-problem",
        "problem before",
        "Back to one that failed, lags or takes too long.",
        command::Action::Fleet(Action::PreviousProblem),
    ),
    act("repair", "repair", "Run the failed tasks of the newest run again.", Act::Repair),
    act("start", "run now", "Run the job now, or start the pipeline.", Act::Start),
    act("stop", "cancel", "Cancel the newest run, or stop the pipeline's update.", Act::Stop),
];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "fleet",
    title: "Fleet",
    commands: &COMMANDS,
    footer: &["open", "filter", "repair", "start", "stop", "next-problem", "sort", "copy"],
    sorts: true,
};
