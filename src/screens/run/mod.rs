//! Run: why did it fail.

mod grid;
pub mod layout;
mod prose;
mod state;
mod update;
pub mod view;

pub use grid::{Grid, TaskRow};
pub use state::{Asked, Pane, State, Tab};

use crate::app::command::{self, Act, Command, act, here};
use crate::app::model::Model;
use crate::screens::{Screen, Spec};

/// What can be done on this screen alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show a tab.
    Show(Tab),
    /// To the task that failed first.
    FailedTask,
    /// To the attempt before.
    EarlierAttempt,
    /// To the attempt after.
    LaterAttempt,
    /// Give the text the whole screen, or take it back.
    Zoom,
    /// Open the pipeline that the task updates.
    Pipeline,
}

const fn action(action: Action) -> command::Action {
    command::Action::Run(action)
}

static COMMANDS: [Command; 12] = [
    here("error", "error", "Show the error of the task.", action(Action::Show(Tab::Error))),
    here("trace", "trace", "Show the stack trace of the task.", action(Action::Show(Tab::Trace))),
    here("output", "output", "Show what the task returned and logged.", action(Action::Show(Tab::Output))),
    here("details", "details", "Show times, parameters, attempts and repairs.", action(Action::Show(Tab::Details))),
    here("failed-task", "failed task", "Move to the task that failed first.", action(Action::FailedTask)),
    here("earlier-attempt", "attempt before", "Look at the attempt before.", action(Action::EarlierAttempt))
        .given(has_attempts),
    here("later-attempt", "attempt after", "Look at the attempt after.", action(Action::LaterAttempt))
        .given(has_attempts),
    here("zoom", "zoom", "Give the text the whole screen, or take it back.", action(Action::Zoom)),
    here("pipeline", "pipeline", "Open the pipeline that the task updates.", action(Action::Pipeline))
        .given(has_pipeline),
    act("repair", "repair", "Run the failed tasks of this run again.", Act::Repair),
    act("start", "run now", "Run the job now.", Act::Start),
    act("stop", "cancel", "Cancel this run.", Act::Stop),
];

fn state(model: &Model) -> Option<&State> {
    match model.screen() {
        Screen::Run(state) => Some(state),
        _ => None,
    }
}

fn has_attempts(model: &Model) -> bool {
    state(model).is_some_and(|state| state.attempts() > 1)
}

fn has_pipeline(model: &Model) -> bool {
    state(model).is_some_and(|state| state.pipeline().is_some())
}

/// The line of the registry.
pub static SPEC: Spec = Spec {
    context: "run",
    title: "Run",
    commands: &COMMANDS,
    footer: &["back", "repair", "stop", "trace", "output", "zoom", "copy"],
    sorts: false,
};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
