//! Job runs as the Jobs API tells them at one instant (databricks-api.md 3.9): what `sim/http` renders.

use serde::Serialize;

use crate::domain::Instant;

use super::job::{CronSchedule, Task};
use super::state::Phase;

/// A job run, as it stands at the instant of the question.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Kept through repairs. Also `job_run_id`, `number_in_job` and `original_attempt_run_id`.
    pub run_id: u64,
    /// The job.
    pub job_id: u64,
    /// The job's name when it was launched.
    pub run_name: String,
    /// Who launched it; the job's owner for a schedule.
    pub creator_user_name: String,
    /// What launched it.
    pub trigger: Trigger,
    /// Whether it was submitted without a job (`SUBMIT_RUN` on the wire).
    pub is_one_time: bool,
    /// The `run_job_task` run that launched it.
    pub parent_task_run_id: Option<u64>,
    /// The schedule that launched it.
    pub schedule: Option<CronSchedule>,
    /// Where it stands.
    pub phase: Phase,
    /// `state_message`, and the message of the termination details.
    pub state_message: String,
    /// `queue_reason` and the message of `queue_details`, while it is queued.
    pub queue_reason: Option<String>,
    /// When it was launched (or queued).
    pub start_time: Instant,
    /// None while it is active: the wire then says 0.
    pub end_time: Option<Instant>,
    /// How the time was spent. Of a job run only the queue counts: the wire gives 0 for the rest.
    pub spent: Spent,
    /// Total with repairs; 0 while active.
    pub run_duration_ms: u64,
    /// All attempts of all tasks, in the order of the job's tasks, attempts rising.
    pub tasks: Vec<RunTask>,
    /// The clusters of the job, verbatim.
    pub job_clusters: Vec<serde_json::Value>,
    /// All declared parameters, by name.
    pub job_parameters: Vec<RunParameter>,
    /// What the launch overrode, as given.
    pub overriding_parameters: Vec<(String, String)>,
    /// The original attempt first, then the repairs. One element when it was never repaired.
    pub repair_history: Vec<RepairItem>,
}

/// One attempt of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTask {
    /// The task's settings; a run carries a copy of all of them.
    pub task: Task,
    /// `get-output` wants this one.
    pub run_id: u64,
    /// 0 for the first.
    pub attempt_number: u32,
    /// Where it stands.
    pub phase: Phase,
    /// `state_message`, and the message of the termination details.
    pub state_message: String,
    /// None while it is blocked: the wire then says 0.
    pub start_time: Option<Instant>,
    /// None while it is active: the wire then says 0.
    pub end_time: Option<Instant>,
    /// How the time was spent.
    pub spent: Spent,
    /// `cluster_instance.cluster_id`, once there is one.
    pub cluster_id: Option<String>,
    /// A condition task's `outcome`.
    pub outcome: Option<bool>,
    /// A for-each task's counts.
    pub iterations: Option<Iterations>,
    /// The update that a pipeline task started, once it did.
    pub update_id: Option<String>,
    /// The run that a run-job task started, once it did.
    pub child_run_id: Option<u64>,
}

/// How the time of a run or a task was spent, in milliseconds; 0 until known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Waiting for a slot.
    pub queue_ms: u64,
    /// Waiting for compute.
    pub setup_ms: u64,
    /// Running user code.
    pub execution_ms: u64,
    /// Cleaning up.
    pub cleanup_ms: u64,
}

/// `for_each_task.stats.task_run_stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Iterations {
    /// As many as the inputs.
    pub total_iterations: u64,
    /// Begun or over.
    pub scheduled_iterations: u64,
    /// Begun and not over.
    pub active_iterations: u64,
    /// Over.
    pub completed_iterations: u64,
    /// Over and well.
    pub succeeded_iterations: u64,
    /// Over and not well.
    pub failed_iterations: u64,
}

/// What launched a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Trigger {
    /// A schedule.
    Periodic,
    /// A person or a program.
    OneTime,
    /// A task of another job.
    RunJobTask,
    /// Files came.
    FileArrival,
    /// The run before ended.
    Continuous,
}

impl Trigger {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Periodic => "PERIODIC",
            Self::OneTime => "ONE_TIME",
            Self::RunJobTask => "RUN_JOB_TASK",
            Self::FileArrival => "FILE_ARRIVAL",
            Self::Continuous => "CONTINUOUS",
        }
    }
}

/// A parameter of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunParameter {
    /// Unique within the run.
    pub name: String,
    /// What the job declares.
    pub default: String,
    /// What the run has.
    pub value: String,
}

/// One element of `repair_history`.
#[derive(Clone, Debug, PartialEq)]
pub struct RepairItem {
    /// None for the original attempt.
    pub id: Option<u64>,
    /// When it began.
    pub start_time: Instant,
    /// None while it is active.
    pub end_time: Option<Instant>,
    /// Where it stands.
    pub phase: Phase,
    /// As the run's.
    pub state_message: String,
    /// The task runs that it started or took over.
    pub task_run_ids: Vec<u64>,
}

/// What a task run left behind (`get-output`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The error's text.
    pub error: Option<String>,
    /// The stack trace, with the escape sequences that notebooks give.
    pub error_trace: Option<String>,
    /// `notebook_output.result`: present when the notebook exited with a value.
    pub notebook_result: Option<String>,
    /// The log, for those task kinds that have one.
    pub logs: Option<String>,
    /// `run_job_output.run_id`.
    pub run_job_run_id: Option<u64>,
}
