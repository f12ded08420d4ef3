//! Pipeline: is the stream healthy.

mod flows;
pub mod layout;
mod prose;
mod state;
mod update;
pub mod view;

pub use flows::Flow;
pub use state::{Guard, Pane, State};

use crate::app::command::{self, Act, Command, act, here};
use crate::screens::Spec;

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave out less or more grave events.
    Level,
    /// Stay with the newest event.
    Follow,
    /// Show the whole event, or go back to the lists.
    Zoom,
}

const fn action(action: Action) -> command::Action {
    command::Action::Pipeline(action)
}

static COMMANDS: [Command; 6] = [
    here("level", "level", "Show only warnings and errors, only errors, or all events again.", action(Action::Level)),
    here("follow", "follow", "Go to the newest event and stay with the newest.", action(Action::Follow)),
    here("zoom", "zoom", "Show the whole event, or go back to the lists.", action(Action::Zoom)),
    act("start", "start", "Start an update of the pipeline.", Act::Start),
    act("stop", "stop", "Stop the pipeline's active update.", Act::Stop),
    act("full-refresh", "full refresh", "Tell why tables are not built anew from here.", Act::FullRefresh),
];

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "pipeline",
    title: "Pipeline",
    commands: &COMMANDS,
    footer: &["back", "start", "stop", "next-pane", "level", "filter", "open"],
    sorts: false,
};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
