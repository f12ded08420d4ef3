//! One step of a plan: what is asked of the platform, what must hold before, how to tell whether it happened, how to take
//! it back. All of it is data, so that a plan can be hashed, shown, resumed elsewhere and simulated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::{Evidence, Thing};
use crate::domain::ids::{JobId, PipelineId, RepairId, RunId, UpdateId};

/// One step. Steps of one wave may go at once; waves go one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Rises through the plan.
    pub wave: u32,
    /// What is asked.
    pub action: Action,
    /// What is read and must hold immediately before it is asked.
    pub precondition: Condition,
    /// How to tell whether it happened, when no answer told.
    pub probe: Probe,
    /// What must be seen before it counts as verified.
    pub verify: Probe,
    /// How long after the act it may take until that is seen, in seconds.
    pub patience_s: u32,
    /// Names the act so that the platform does it once. At most 64 characters (databricks-api.md 3.4).
    pub token: Option<String>,
    /// When it may be asked again.
    pub repeat: Repeat,
    /// How it is taken back.
    pub undo: Undo,
    /// Whether an abort is refused once it was asked.
    pub point_of_no_return: bool,
}

/// What is asked of the platform: one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Action {
    /// Start a run.
    RunNow {
        /// The job.
        job: JobId,
        /// Job parameters that differ from their defaults.
        parameters: BTreeMap<String, String>,
        /// Task keys to run, with `+` for what is upstream or downstream; empty is all.
        only: Vec<String>,
    },
    /// Cancel a run.
    CancelRun {
        /// The run.
        run: RunId,
    },
    /// Repair a run.
    RepairRun {
        /// The run.
        run: RunId,
        /// The newest repair that was seen when it was planned: the platform refuses if there is a newer one.
        latest_repair: Option<RepairId>,
        /// Task keys; empty is all that failed or did not run.
        tasks: Vec<String>,
        /// With all that depends on them.
        dependents: bool,
    },
    /// Start an update.
    StartUpdate {
        /// The pipeline.
        pipeline: PipelineId,
        /// Only check, write nothing.
        validate_only: bool,
        /// Tables to refresh; empty is all.
        tables: Vec<String>,
    },
    /// Stop the active update, whichever it is.
    StopPipeline {
        /// The pipeline.
        pipeline: PipelineId,
    },
}

/// What must hold before an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holds", rename_all = "snake_case")]
pub enum Condition {
    /// The job is there and a new run would not be skipped.
    JobTakesRuns {
        /// The job.
        job: JobId,
    },
    /// The run is not over.
    RunIsActive {
        /// The run.
        run: RunId,
    },
    /// The run is over, and its newest repair is this one.
    RunIsOver {
        /// The run.
        run: RunId,
        /// Its newest repair.
        latest_repair: Option<RepairId>,
    },
    /// This very repair is there, and its run is not over: a read that does not know it yet says nothing of it.
    RepairIsActive {
        /// The repaired run.
        run: RunId,
        /// The repair.
        repair: RepairId,
    },
    /// No update is active.
    PipelineIsIdle {
        /// The pipeline.
        pipeline: PipelineId,
    },
    /// This very update is active.
    UpdateIsActive {
        /// The pipeline.
        pipeline: PipelineId,
        /// The update.
        update: UpdateId,
    },
}

/// A read that tells whether an act happened, or whether what it led to is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look_for", rename_all = "snake_case")]
pub enum Probe {
    /// A run that the step's token started: if the job has runs since the intent that may be it, the order is given again
    /// with the same token, which names the first run instead of starting another.
    RunOfToken {
        /// The job.
        job: JobId,
    },
    /// What the step itself started, by the id in its evidence.
    WhatStarted,
    /// The run is being canceled or is over.
    RunIsEnding {
        /// The run.
        run: RunId,
    },
    /// The run is over.
    RunEnded {
        /// The run.
        run: RunId,
    },
    /// The repair is there, and its run is being canceled or is over.
    RepairIsEnding {
        /// The repaired run.
        run: RunId,
        /// The repair.
        repair: RepairId,
    },
    /// The repair is there, and its run is over.
    RepairEnded {
        /// The repaired run.
        run: RunId,
        /// The repair.
        repair: RepairId,
    },
    /// The run has a repair newer than this one.
    RepairAfter {
        /// The run.
        run: RunId,
        /// The newest repair before.
        latest_repair: Option<RepairId>,
    },
    /// An update that the API started since the intent.
    UpdateSince {
        /// The pipeline.
        pipeline: PipelineId,
        /// Whether it only checks.
        validate_only: bool,
    },
    /// The update is being stopped or is over.
    UpdateIsEnding {
        /// The pipeline.
        pipeline: PipelineId,
        /// The update.
        update: UpdateId,
    },
    /// The update is over.
    UpdateEnded {
        /// The pipeline.
        pipeline: PipelineId,
        /// The update.
        update: UpdateId,
    },
}

/// When a step may be asked again after an attempt whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// At once: the token makes it one act.
    ByToken,
    /// At once: the platform compares and refuses the second (`latest_repair_id`).
    Guarded,
    /// At once, since a second time changes nothing; but one that arrives late may do harm, so it is waited for.
    Idempotent,
    /// Only once a late arrival can be ruled out and it is seen that nothing happened.
    AfterSettling,
}

impl Repeat {
    /// Whether an attempt that arrives late, after another one has worked, does nothing.
    pub fn is_late_proof(self) -> bool {
        matches!(self, Self::ByToken | Self::Guarded)
    }
}

/// How a step is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// Cancel the run that it started or repaired.
    CancelRun,
    /// Stop the update that it started.
    StopUpdate,
}

impl Undo {
    /// What is read and must hold before it is taken back, what is asked, and what must be seen in the end. None if there is
    /// nothing to take back.
    pub fn orders(self, evidence: &Evidence) -> Option<(Condition, Action, Probe, Probe)> {
        match (self, &evidence.thing) {
            (Self::CancelRun, Thing::Repair { run, repair }) => Some((
                Condition::RepairIsActive { run: *run, repair: *repair },
                Action::CancelRun { run: *run },
                Probe::RepairIsEnding { run: *run, repair: *repair },
                Probe::RepairEnded { run: *run, repair: *repair },
            )),
            (Self::CancelRun, Thing::Run { run }) => Some((
                Condition::RunIsActive { run: *run },
                Action::CancelRun { run: *run },
                Probe::RunIsEnding { run: *run },
                Probe::RunEnded { run: *run },
            )),
            (Self::StopUpdate, Thing::Update { pipeline, update }) => Some((
                Condition::UpdateIsActive { pipeline: pipeline.clone(), update: update.clone() },
                Action::StopPipeline { pipeline: pipeline.clone() },
                Probe::UpdateIsEnding { pipeline: pipeline.clone(), update: update.clone() },
                Probe::UpdateEnded { pipeline: pipeline.clone(), update: update.clone() },
            )),
            _ => None,
        }
    }
}

impl Action {
    /// What it does, in a few words for a list of steps.
    pub fn words(&self) -> String {
        match self {
            Self::RunNow { job, parameters, only } => {
                let with: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
                let only = if only.is_empty() { String::new() } else { format!(", only {}", only.join(", ")) };
                format!("start a run of job {job}{with}{only}")
            }
            Self::CancelRun { run } => format!("cancel run {run}"),
            Self::RepairRun { run, tasks, .. } if tasks.is_empty() => {
                format!("run all failed tasks of run {run} again")
            }
            Self::RepairRun { run, tasks, dependents, .. } => {
                let with = if *dependents { " and what depends on them" } else { "" };
                format!("run {} of run {run} again{with}", tasks.join(", "))
            }
            Self::StartUpdate { pipeline, validate_only: true, .. } => format!("validate pipeline {pipeline}"),
            Self::StartUpdate { pipeline, tables, .. } if tables.is_empty() => {
                format!("start an update of pipeline {pipeline}")
            }
            Self::StartUpdate { pipeline, tables, .. } => {
                format!("start an update of pipeline {pipeline}, only {}", tables.join(", "))
            }
            Self::StopPipeline { pipeline } => format!("stop pipeline {pipeline}"),
        }
    }
}
