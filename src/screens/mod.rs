//! The screens: a folder and a line of the registry each, dispatched by an enum.

pub mod audit;
pub mod fleet;
pub mod log;
pub mod operations;
pub mod pipeline;
pub mod run;

use crate::app::act::{Steer, Wish};
use crate::app::command::{Action, Command};
use crate::app::copy::Copyable;
use crate::app::effect::Effect;
use crate::app::message::{Feed, Observed};
use crate::app::model::Shared;
use crate::domain::danger::Danger;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::ids::{JobId, PipelineId, RunId, WorkspaceName};
use crate::domain::snapshot::FeedFailure;
use crate::operations::plan::OperationId;

/// What a screen is, before anything is on it.
#[derive(Debug)]
pub struct Spec {
    /// The name of its context in the keymap; unique.
    pub context: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What can be done on it alone.
    pub commands: &'static [Command],
    /// The commands that its footer shows, its own or global ones, the most useful first.
    pub footer: &'static [&'static str],
    /// Whether its rows can be sorted.
    pub sorts: bool,
}

/// The registry.
pub static SPECS: [&Spec; 6] = [&fleet::SPEC, &run::SPEC, &pipeline::SPEC, &operations::SPEC, &audit::SPEC, &log::SPEC];

/// A screen that was opened.
#[derive(Clone, Debug)]
pub enum Screen {
    /// Every job and pipeline of all workspaces.
    Fleet(fleet::State),
    /// One run of a job: its tasks, times and errors.
    Run(run::State),
    /// One pipeline: its flows, expectations and events.
    Pipeline(pipeline::State),
    /// Every request that this console has made.
    Log(log::State),
    /// Operations of this machine, and one of them closely.
    Operations(operations::State),
    /// Who did what.
    Audit(audit::State),
}

/// What a screen is opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The fleet.
    Fleet,
    /// The requests.
    Log,
    /// The operations.
    Operations,
    /// Who did what.
    Audit,
    /// One operation.
    Operation(OperationId),
    /// The newest run of a job.
    Job(WorkspaceName, JobId),
    /// One run.
    Run(WorkspaceName, RunId),
    /// A pipeline.
    Pipeline(WorkspaceName, PipelineId),
}

impl Target {
    /// The screen on which an object is looked at closely.
    pub fn of(id: &ObjectId) -> Self {
        match &id.object {
            Object::Job(job) => Self::Job(id.workspace.clone(), *job),
            Object::Pipeline(pipeline) => Self::Pipeline(id.workspace.clone(), pipeline.clone()),
        }
    }
}

/// What a screen asks of the core after an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Open a screen on top.
    Open(Target),
    /// Say something in the footer for a while.
    Tell(String),
    /// Have the runtime do something.
    Order(Effect),
    /// Ask for an act.
    Wish(ObjectId, Wish),
    /// Say why something is not done from here.
    Never {
        /// What it would be about.
        object: ObjectId,
        /// The verb.
        verb: &'static str,
        /// How dangerous it would be.
        danger: Danger,
        /// Why.
        why: String,
    },
    /// Ask for another course of an operation.
    Steer(OperationId, Steer),
}

impl Screen {
    /// Opens a screen.
    pub fn open(target: &Target, shared: &Shared) -> Self {
        match target {
            Target::Log => Self::Log(log::State::new(shared)),
            Target::Audit => Self::Audit(audit::State::new(shared)),
            Target::Operations => Self::Operations(operations::State::new(shared, None)),
            Target::Operation(id) => Self::Operations(operations::State::new(shared, Some(*id))),
            Target::Fleet => Self::Fleet(fleet::State::new(shared)),
            Target::Job(workspace, job) => Self::Run(run::State::new(workspace.clone(), run::Asked::Newest(*job))),
            Target::Run(workspace, run) => Self::Run(run::State::new(workspace.clone(), run::Asked::Run(*run))),
            Target::Pipeline(workspace, id) => {
                Self::Pipeline(pipeline::State::new(workspace.clone(), id.clone(), shared))
            }
        }
    }

    /// The screen's state, to look at.
    pub fn page(&self) -> &dyn Page {
        match self {
            Self::Fleet(state) => state,
            Self::Run(state) => state,
            Self::Pipeline(state) => state,
            Self::Log(state) => state,
            Self::Operations(state) => state,
            Self::Audit(state) => state,
        }
    }

    /// The screen's state, to change.
    pub fn page_mut(&mut self) -> &mut dyn Page {
        match self {
            Self::Fleet(state) => state,
            Self::Run(state) => state,
            Self::Pipeline(state) => state,
            Self::Log(state) => state,
            Self::Operations(state) => state,
            Self::Audit(state) => state,
        }
    }
}

/// What the core asks of every screen. Pure: state, what is shared, and what happened.
pub trait Page {
    /// What the screen is.
    fn spec(&self) -> &'static Spec;

    /// What must be kept fresh while the screen is visible, besides the fleet.
    fn feeds(&self, _shared: &Shared) -> Vec<Feed> {
        Vec::new()
    }

    /// Takes the answer of a feed that the screen asked for.
    fn observed(&mut self, _feed: &Feed, _result: Result<Observed, FeedFailure>, _shared: &Shared) {}

    /// Follows what is shared after it changed. The order of rows must stay as it is while `frozen`.
    fn settle(&mut self, _shared: &Shared, _frozen: bool) {}

    /// Does what a person asked for.
    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step>;

    /// Goes one step back within the screen; whether there was one. Else the screen is left.
    fn back(&mut self, _shared: &Shared) -> bool {
        false
    }

    /// The filter, if the screen has one; empty if nothing is filtered.
    fn filter(&self) -> Option<&str> {
        None
    }

    /// Shows only what holds all words of a filter.
    fn set_filter(&mut self, _text: &str, _shared: &Shared) {}

    /// What can be copied about what is under the cursor.
    fn copies(&self, _shared: &Shared) -> Vec<Copyable> {
        Vec::new()
    }

    /// The address of what is under the cursor in the vendor's own pages.
    fn url(&self, _shared: &Shared) -> Option<String> {
        None
    }

    /// The workspace of what is under the cursor: where an act would be done.
    fn workspace(&self) -> Option<WorkspaceName> {
        None
    }
}
