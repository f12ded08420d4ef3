//! Operations: what was begun, how far it is, what it waits for, and who has it in hand.

mod prose;
mod state;
mod update;
pub mod view;

pub use state::State;

use crate::app::act::Steer;
use crate::app::command::{self, Command, Danger, Group, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only what is not over, or all again.
    OnlyOpen,
    /// Ask for another course of the operation under the cursor.
    Steer(Steer),
}

const fn steer(name: &'static str, label: &'static str, sentence: &'static str, steer: Steer) -> Command {
    let action = command::Action::Operations(Action::Steer(steer));
    Command { danger: Danger::Costly, group: Group::Act, ..here(name, label, sentence, action) }
}

static COMMANDS: [Command; 5] = [
    here(
        "only-open",
        "only open",
        "Show only what is not over, or all again.",
        command::Action::Operations(Action::OnlyOpen),
    ),
    steer("resume", "resume", "Let it go on; take it over if nobody works on it.", Steer::Resume),
    steer("pause", "pause", "Hold it before its next request.", Steer::Pause),
    steer("abort", "abort", "Take back what it has done.", Steer::Abort),
    steer("close", "close", "Give it up as it stands, once the rest was seen to by hand.", Steer::Close),
];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "operations",
    title: "Operations",
    commands: &COMMANDS,
    footer: &["back", "open", "resume", "abort", "pause", "only-open", "filter", "copy"],
    sorts: false,
};

#[cfg(test)]
pub(crate) mod tests;
