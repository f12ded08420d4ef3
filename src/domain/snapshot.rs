//! What a poller knows about a workspace at one instant: values, each with its age.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Instant;
use super::ids::RunId;
use super::job::Job;
use super::pipeline::{Backlog, Expectation, Pipeline, PipelineEvent, Update};
use super::run::{Output, Run};
use super::workspace::Workspace;

/// A value that a feed refreshes, with how old it is and whether the feed works.
///
/// `observed_at` and `since` are local time (ours), not the workspace's: they tell how long ago *we* looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section<T> {
    /// The last good value, kept when later polls fail.
    pub value: Option<T>,
    /// When the last good value was complete, in local time.
    pub observed_at: Option<Instant>,
    /// Why the newest poll failed, if it did.
    pub failure: Option<FeedFailure>,
    /// Seconds between polls at present; older than two of these is stale (console.md 3).
    pub interval_s: u32,
    /// Whether the value came from the last-good cache of an earlier process and was not polled since.
    pub cached: bool,
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self { value: None, observed_at: None, failure: None, interval_s: 10, cached: false }
    }
}

/// How far a section's value can be trusted. Ages in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing was ever seen and nothing failed yet.
    Loading,
    /// Younger than two polls.
    Fresh {
        /// Age of the value.
        age_s: u64,
    },
    /// Older than two polls, or from the cache of an earlier process.
    Stale {
        /// Age of the value.
        age_s: u64,
    },
    /// The newest poll failed. The last good value, if any, is still there.
    Failed {
        /// What went wrong.
        failure: FeedFailure,
        /// Age of the last good value.
        age_s: Option<u64>,
    },
}

impl<T> Section<T> {
    /// How far the value can be trusted at `now` (local time).
    pub fn freshness(&self, now: Instant) -> Freshness {
        match Freshness::of(self.observed_at, self.failure.as_ref(), self.interval_s, now) {
            Freshness::Fresh { age_s } if self.cached => Freshness::Stale { age_s },
            freshness => freshness,
        }
    }
}

impl Freshness {
    /// Of what was last read at `read_at` and is read every `interval_s` seconds, at `now` (local time).
    fn of(read_at: Option<Instant>, failure: Option<&FeedFailure>, interval_s: u32, now: Instant) -> Self {
        let age_s = read_at.map(|at| u64::try_from(now.signed_duration_since(at).num_seconds()).unwrap_or(0));
        match (failure, age_s) {
            (Some(failure), age_s) => Self::Failed { failure: failure.clone(), age_s },
            (None, None) => Self::Loading,
            (None, Some(age_s)) if age_s > u64::from(interval_s) * 2 => Self::Stale { age_s },
            (None, Some(age_s)) => Self::Fresh { age_s },
        }
    }
}

/// Who can mend a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Whoever keeps the configuration: nothing changes by asking again.
    Config,
    /// Whoever signs in: a credential is missing, wrong or expired.
    Auth,
    /// Whoever grants rights: we are signed in, and not allowed. It stands until somebody changes it.
    Denied,
    /// The workspace, or the way to it: the next attempt may go well.
    Remote,
}

/// Why a feed could not be refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedFailure {
    /// Who can mend it.
    pub kind: FailureKind,
    /// When the present streak of failures began, in local time.
    pub since: Instant,
    /// A few words for the header: `401 token expired`.
    pub brief: String,
    /// What happened, to what, and what to do.
    pub message: String,
    /// The vendor's request id, if an answer came.
    pub request_id: Option<String>,
}

/// All that the poller knows about one workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceSnapshot {
    /// Which workspace.
    pub workspace: Workspace,
    /// The workspace's clock minus ours, in milliseconds, learned from the `Date` of its answers.
    pub clock_offset_ms: i64,
    /// Jobs with their recent runs.
    pub jobs: Section<Arc<Vec<JobWatch>>>,
    /// Pipelines with their recent lag.
    pub pipelines: Section<Arc<Vec<PipelineWatch>>>,
    /// Requests that the last minute took, for the footer and the log.
    pub requests_last_minute: u32,
}

impl WorkspaceSnapshot {
    /// A workspace about which nothing is known yet.
    pub fn unknown(workspace: Workspace) -> Self {
        Self {
            workspace,
            clock_offset_ms: 0,
            jobs: Section::default(),
            pipelines: Section::default(),
            requests_last_minute: 0,
        }
    }

    /// The workspace's own time at local time `now`.
    pub fn world_now(&self, now: Instant) -> Instant {
        now + chrono::TimeDelta::milliseconds(self.clock_offset_ms)
    }
}

/// A job and its recent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobWatch {
    /// The definition.
    pub job: Arc<Job>,
    /// Recent runs, newest first, at most 30. Those of listings carry no tasks.
    pub runs: Vec<Arc<Run>>,
    /// Whether older runs were asked for, so that an empty list means that there were none.
    pub history_read: bool,
    /// Why the newest failed run failed, once its output was read.
    pub failure: Option<FailureNote>,
}

/// The cause of a failed run in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureNote {
    /// The run.
    pub run: RunId,
    /// The task that failed first.
    pub task: String,
    /// The first line of the error, from outside.
    pub error: String,
}

/// A pipeline and what its event log tells of its flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineWatch {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Its flows as of the newest events; empty for pipelines whose events are not polled.
    pub flows: Vec<FlowWatch>,
    /// The worst lag of its flows over time, oldest first, at most 60 samples.
    pub lag: Vec<LagSample>,
    /// How the reading of its event log stands: flows and lag are as good as that.
    #[serde(default)]
    pub events: EventsReading,
}

impl PipelineWatch {
    /// How far flows and lag can be trusted at `now` (local time); none where they claim nothing about the present,
    /// because it is no stream that runs.
    pub fn lag_freshness(&self, now: Instant) -> Option<Freshness> {
        self.pipeline.is_streaming().then(|| self.events.freshness(now))
    }

    /// Whether it is a stream whose lag this process does not know: its event log was not read, or cannot be.
    pub fn is_lag_unread(&self) -> bool {
        self.pipeline.is_streaming() && (self.events.failure.is_some() || self.events.read_at.is_none())
    }
}

/// How the reading of a pipeline's event log stands. The log is its owner's until somebody grants it
/// (databricks-api.md 4.6), so that it cannot be read is ordinary, and must not look like a stream without lag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReading {
    /// When this process last read it, in local time; none if it never did.
    pub read_at: Option<Instant>,
    /// Why the newest attempt failed, if it did.
    pub failure: Option<FeedFailure>,
    /// Seconds between two readings at present; older than two of these is stale.
    pub interval_s: u32,
}

impl EventsReading {
    /// How far what the log told can be trusted at `now` (local time).
    pub fn freshness(&self, now: Instant) -> Freshness {
        Freshness::of(self.read_at, self.failure.as_ref(), self.interval_s, now)
    }
}

/// A flow as of its newest events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowWatch {
    /// The flow's name.
    pub name: String,
    /// As spelled on the wire: `RUNNING`, `COMPLETED`, ...
    pub status: String,
    /// What waits in its source.
    pub backlog: Backlog,
    /// Rows written a second, over the newest two events.
    pub output_rows_per_s: Option<f64>,
    /// Backlog in records over time, oldest first, at most 60 samples.
    pub history: Vec<LagSample>,
    /// Expectations summed over the present update.
    pub expectations: Vec<Expectation>,
    /// Records dropped by expectations over the present update.
    pub dropped_records: u64,
}

impl Eq for FlowWatch {}

/// One reading of a flow's lag.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LagSample {
    /// When the event was written (workspace time).
    pub at: Instant,
    /// What waited then.
    pub backlog: Backlog,
}

impl Eq for LagSample {}

/// A run with all its tasks and repairs, as its own page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    /// The run, complete.
    pub run: Run,
    /// The job's recent runs with their tasks, newest first, for the task grid; may include `run`.
    pub recent: Vec<Arc<Run>>,
    /// The job's definition as it is now.
    pub job: Option<Arc<Job>>,
    /// The output of the task that failed first, if one did.
    pub failure: Option<(RunId, Output)>,
    /// Seconds until it is read again: sooner while it moves.
    pub interval_s: u32,
}

/// A pipeline as its own page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineDetail {
    /// The pipeline with specification, and its flows.
    pub watch: PipelineWatch,
    /// Updates, newest first.
    pub updates: Vec<Update>,
    /// Events, newest first.
    pub events: Vec<PipelineEvent>,
    /// Seconds until it is read again: sooner while it moves.
    pub interval_s: u32,
}
