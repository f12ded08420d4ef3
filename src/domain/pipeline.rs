//! Pipelines: updates, flows, expectations, events.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::ids::{PipelineId, UpdateId};

/// A pipeline as the listing and its own page tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Unique within its workspace.
    pub id: PipelineId,
    /// From outside.
    pub name: String,
    /// Where the pipeline stands. Never infer an update's success from it (databricks-api.md 4.2).
    pub state: PipelineState,
    /// False when the platform calls it unhealthy.
    pub healthy: bool,
    /// What the platform says about the state, from outside; only on the pipeline's own page.
    pub cause: Option<String>,
    /// Whether it runs all the time; none until the pipeline's own page was read.
    pub continuous: Option<bool>,
    /// Catalog and schema that it publishes to; none until the pipeline's own page was read.
    pub target: Option<String>,
    /// Runtime channel (`CURRENT`, `PREVIEW`); none until the pipeline's own page was read.
    pub channel: Option<String>,
    /// Whether it runs in development mode; none until the pipeline's own page was read.
    pub development: Option<bool>,
    /// Tags of the specification; empty until the pipeline's own page was read.
    pub tags: std::collections::BTreeMap<String, String>,
    /// Who created it.
    pub creator: Option<String>,
    /// Whose rights it has.
    pub run_as: Option<String>,
    /// The most recent updates, newest first.
    pub updates: Vec<Update>,
}

impl Pipeline {
    /// Whether it is a stream that runs: its event log tells how far it is behind, and is to be followed.
    pub fn is_streaming(&self) -> bool {
        self.continuous == Some(true) && self.state.is_up()
    }
}

/// Where a pipeline stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipelineState {
    /// No update is active.
    Idle,
    /// Being deployed.
    Deploying,
    /// An update is coming up.
    Starting,
    /// An update runs.
    Running,
    /// An update is being stopped.
    Stopping,
    /// A continuous pipeline restarts after a failure.
    Recovering,
    /// A full refresh truncates tables.
    Resetting,
    /// The last update failed and nothing restarts it.
    Failed,
    /// It is gone.
    Deleted,
    /// A state that this version does not know, as spelled on the wire.
    Unknown(String),
}

impl PipelineState {
    /// Whether an update may be moving rows. Unknown states count, so that they stay watched.
    pub fn is_up(&self) -> bool {
        !matches!(self, Self::Idle | Self::Failed | Self::Deleted)
    }
}

/// One update of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// A retry is a new update with a new id.
    pub id: UpdateId,
    /// Where it stands.
    pub state: UpdateState,
    /// What started it, spelled as on the wire (`JOB_TASK`, `RETRY_ON_FAILURE`, ...); none where the listing leaves it out.
    pub cause: Option<String>,
    /// When it was created.
    pub created_at: Option<Instant>,
    /// Whether it rebuilds everything.
    pub full_refresh: bool,
    /// Whether it only checks.
    pub validate_only: bool,
}

/// Where an update stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateState {
    /// Waits for another update to end.
    Queued,
    /// Accepted.
    Created,
    /// Compute is starting.
    WaitingForResources,
    /// Code is being read.
    Initializing,
    /// A full refresh truncates tables.
    Resetting,
    /// Tables are being prepared.
    SettingUpTables,
    /// Flows run.
    Running,
    /// Being stopped.
    Stopping,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Was stopped.
    Canceled,
    /// A state that this version does not know, as spelled on the wire.
    Unknown(String),
}

impl UpdateState {
    /// Whether it is not over yet. Unknown states count as active, so that they stay watched.
    pub fn is_active(&self) -> bool {
        !matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// An event of a pipeline's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineEvent {
    /// Unique.
    pub id: String,
    /// When it happened.
    pub at: Instant,
    /// How grave it is.
    pub level: Level,
    /// `flow_progress`, `update_progress`, ... as spelled on the wire.
    pub kind: String,
    /// For people; from outside.
    pub message: String,
    /// The update that it belongs to.
    pub update: Option<UpdateId>,
    /// The flow that it belongs to.
    pub flow: Option<String>,
    /// The exception's class and text, and its stack, from outside.
    pub error: Option<String>,
    /// What a `flow_progress` event measured.
    pub progress: Option<FlowProgress>,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Numbers only; shown when asked for.
    Metrics,
    /// Ordinary.
    Info,
    /// Look when there is time.
    Warn,
    /// Look now.
    Error,
}

/// What a `flow_progress` event measured (databricks-api.md 4.6 on).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowProgress {
    /// `RUNNING`, `COMPLETED`, ... as spelled on the wire.
    pub status: String,
    /// Rows written since the last event of the flow.
    pub output_rows: Option<u64>,
    /// What waits in the source.
    pub backlog: Backlog,
    /// Records dropped by expectations since the last event.
    pub dropped_records: Option<u64>,
    /// Each expectation's counts since the last event.
    pub expectations: Vec<Expectation>,
}

impl Eq for FlowProgress {}

/// What waits in a flow's source. Averages of minutes, where the source tells it at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backlog {
    /// Records.
    pub records: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Seconds that the flow is behind.
    pub seconds: Option<f64>,
    /// Files.
    pub files: Option<u64>,
}

/// Counts of one expectation on one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// Its name.
    pub name: String,
    /// The dataset that it guards.
    pub dataset: String,
    /// Records that passed.
    pub passed: u64,
    /// Records that failed.
    pub failed: u64,
}
