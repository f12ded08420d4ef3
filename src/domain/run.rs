//! Job runs and their tasks.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::ids::{JobId, RepairId, RunId};

/// One run of a job. A repair reopens it: a terminal state is not final (databricks-api.md 3.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The job run's id; kept through repairs.
    pub id: RunId,
    /// The job; synthetic for submitted runs.
    pub job: JobId,
    /// Run name, usually the job's name. From outside.
    pub name: String,
    /// Where it stands.
    pub state: RunState,
    /// What the platform says about the state, from outside; may be empty.
    pub message: String,
    /// What started it, spelled as on the wire (`PERIODIC`, `ONE_TIME`, ...); empty if not said.
    pub trigger: String,
    /// Who started it.
    pub creator: Option<String>,
    /// When it was launched (the cluster was asked for, not when user code began).
    pub started_at: Option<Instant>,
    /// When it ended; none while it is active.
    pub ended_at: Option<Instant>,
    /// How the time was spent.
    pub spent: Spent,
    /// Total including repairs, in milliseconds; 0 until known.
    pub run_ms: u64,
    /// Attempts beyond the first at the level of the run.
    pub attempt: u32,
    /// The run's page in the vendor's UI.
    pub page_url: Option<String>,
    /// Parameters as the run resolved them: name and value.
    pub parameters: Vec<(String, String)>,
    /// Repairs in order, without the original attempt; empty unless history was asked for.
    pub repairs: Vec<Repair>,
    /// All attempts of all tasks; empty when the listing did not expand tasks.
    pub tasks: Vec<TaskRun>,
}

/// A repair of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// What the next repair must name as `latest_repair_id`.
    pub id: RepairId,
    /// When it began.
    pub started_at: Option<Instant>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// Where it stands.
    pub state: RunState,
}

/// One attempt of one task within a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    /// The task's own run id: `get-output` wants this one.
    pub id: RunId,
    /// The task's key.
    pub key: String,
    /// 0 for the first; retries and repairs count up.
    pub attempt: u32,
    /// Keys of the tasks that it waits for.
    pub depends_on: Vec<String>,
    /// The payload's kind: `notebook`, `pipeline`, `sql`, ...
    pub kind: String,
    /// Where it stands.
    pub state: RunState,
    /// What the platform says about the state, from outside; may be empty.
    pub message: String,
    /// When it was launched.
    pub started_at: Option<Instant>,
    /// When it ended; none while it is active.
    pub ended_at: Option<Instant>,
    /// How the time was spent.
    pub spent: Spent,
}

/// How the time of a run or a task was spent, in milliseconds; 0 until known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Waiting for a slot.
    pub queued_ms: u64,
    /// Waiting for compute and libraries.
    pub setup_ms: u64,
    /// Running user code.
    pub execution_ms: u64,
    /// Cleaning up.
    pub cleanup_ms: u64,
}

/// Where a run or a task stands, one word for the pair `state` and `status` of the wire (databricks-api.md 3.10, 3.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// Waits for a slot.
    Queued,
    /// A task that waits for its upstream.
    Blocked,
    /// Compute is starting.
    Pending,
    /// Runs.
    Running,
    /// Waits for a retry.
    Retrying,
    /// Cleaning up or being canceled.
    Terminating,
    /// It is over, until somebody repairs it.
    Ended(Outcome),
    /// A state that this version does not know, as spelled on the wire.
    Unknown(String),
}

/// How a run or a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All of it worked.
    Succeeded,
    /// The job worked although tolerated tasks failed.
    SucceededWithFailures,
    /// A task failed, or the platform did.
    Failed,
    /// Ran into its time limit.
    TimedOut,
    /// A person or the platform stopped it.
    Canceled,
    /// It never ran: concurrency limit, condition false, or disabled.
    Skipped,
    /// A task that never ran because something before it failed or was canceled.
    UpstreamFailed,
    /// An outcome that this version does not know, as spelled on the wire.
    Unknown(String),
}

impl RunState {
    /// Whether the run still holds a slot or waits for one. Unknown states count as active, so that they stay watched.
    pub fn is_active(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }

    /// Whether it ended in a way that a person must look at.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Ended(Outcome::Failed | Outcome::TimedOut | Outcome::UpstreamFailed))
    }

    /// Whether it ended well.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ended(Outcome::Succeeded | Outcome::SucceededWithFailures))
    }
}

impl Run {
    /// How long it took, or has taken by `now`, in milliseconds; none before it was launched.
    pub fn took_ms(&self, now: Instant) -> Option<u64> {
        if self.run_ms > 0 && !self.state.is_active() {
            return Some(self.run_ms);
        }
        elapsed_ms(self.started_at, self.ended_at, now)
    }

    /// The newest attempt of each task, in the order in which the tasks first appear.
    pub fn latest_tasks(&self) -> Vec<&TaskRun> {
        let mut latest: Vec<&TaskRun> = Vec::new();
        for task in &self.tasks {
            match latest.iter_mut().find(|seen| seen.key == task.key) {
                Some(seen) if seen.attempt <= task.attempt => *seen = task,
                Some(_) => {}
                None => latest.push(task),
            }
        }
        latest
    }

    /// The first task, in order of time, whose newest attempt failed by itself (not because of its upstream).
    pub fn failed_task(&self) -> Option<&TaskRun> {
        self.latest_tasks()
            .into_iter()
            .filter(|task| matches!(task.state, RunState::Ended(Outcome::Failed | Outcome::TimedOut)))
            .min_by_key(|task| task.ended_at)
    }
}

impl TaskRun {
    /// How long it took, or has taken by `now`, in milliseconds; none before it was launched.
    pub fn took_ms(&self, now: Instant) -> Option<u64> {
        elapsed_ms(self.started_at, self.ended_at, now)
    }
}

fn elapsed_ms(from: Option<Instant>, to: Option<Instant>, now: Instant) -> Option<u64> {
    let span = to.unwrap_or(now).signed_duration_since(from?);
    Some(u64::try_from(span.num_milliseconds()).unwrap_or(0))
}

/// What a task left behind (`runs/get-output`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The error's text, from outside.
    pub error: Option<String>,
    /// The stack trace, from outside: may hold escape sequences.
    pub trace: Option<String>,
    /// What a notebook returned, or a query's or another task's result.
    pub result: Option<String>,
    /// The last part of the log, for those task kinds that have one.
    pub logs: Option<String>,
    /// Whether the platform cut the result or the logs.
    pub truncated: bool,
}
