//! Pipelines, updates and events as the Pipelines API tells them (databricks-api.md 4.2 to 4.7).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::Instant;

/// A pipeline, without what changes while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// A lower-case UUID.
    pub pipeline_id: String,
    /// Who created it.
    pub creator_user_name: String,
    /// Whose rights its updates have.
    pub run_as_user_name: String,
    /// When its specification last changed.
    pub last_modified: Instant,
    /// `run_as`, where somebody set it, and `parameters`: answers give them beside the specification.
    pub beside: Map<String, Value>,
    /// What `create` and `edit` write.
    pub spec: PipelineSpec,
}

/// `spec`, in the wire's own spelling.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineSpec {
    /// The pipeline's id, echoed.
    #[serde(default)]
    pub id: String,
    /// Not always unique.
    #[serde(default)]
    pub name: String,
    /// Where its tables are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// Where its tables are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Whether it runs for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuous: Option<bool>,
    /// Whether it is in development mode: no retries, compute kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<bool>,
    /// Whether its compute is serverless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serverless: Option<bool>,
    /// Settings of its code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<String, String>,
    /// At most 25.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl PipelineSpec {
    /// Whether it runs for ever.
    pub fn is_continuous(&self) -> bool {
        self.continuous == Some(true)
    }
}

/// A pipeline as it stands at the instant of the question.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineView {
    /// What does not change by itself.
    pub pipeline: Pipeline,
    /// `state`.
    pub state: PipelineState,
    /// `health`: false once its last update failed.
    pub healthy: bool,
    /// `cause`: why it failed.
    pub cause: Option<String>,
    /// The cluster of the active update.
    pub cluster_id: Option<String>,
    /// The newest five, newest first.
    pub latest_updates: Vec<Update>,
}

/// Where a pipeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PipelineState {
    /// No update is active.
    Idle,
    /// An update waits for compute or reads code.
    Starting,
    /// An update runs.
    Running,
    /// An update is being stopped.
    Stopping,
    /// A continuous pipeline restarts after a failure.
    Recovering,
    /// A full refresh truncates.
    Resetting,
    /// The last update failed and nothing restarts it.
    Failed,
}

impl PipelineState {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Recovering => "RECOVERING",
            Self::Resetting => "RESETTING",
            Self::Failed => "FAILED",
        }
    }
}

/// An update as it stands at the instant of the question.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// A lower-case UUID. A retry is a new update.
    pub update_id: String,
    /// Its pipeline.
    pub pipeline_id: String,
    /// Where it stands.
    pub state: UpdateState,
    /// What started it.
    pub cause: UpdateCause,
    /// When it was created: an integer in `updates`, ISO text in `latest_updates`.
    pub creation_time: Instant,
    /// When it ended; not on the wire, which leaves it to the events.
    pub ended_at: Option<Instant>,
    /// Whether it rebuilds everything.
    pub full_refresh: bool,
    /// Tables to rebuild.
    pub full_refresh_selection: Vec<String>,
    /// Tables to refresh; empty is all.
    pub refresh_selection: Vec<String>,
    /// Whether it only checks.
    pub validate_only: bool,
    /// Who or what asked for it.
    pub creator_user_name: String,
    /// Its compute, once it has any.
    pub cluster_id: Option<String>,
}

/// Where an update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateState {
    /// Accepted.
    Created,
    /// Compute is starting.
    WaitingForResources,
    /// Code is being read.
    Initializing,
    /// A full refresh truncates.
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
}

impl UpdateState {
    /// Whether it is not over yet.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::WaitingForResources => "WAITING_FOR_RESOURCES",
            Self::Initializing => "INITIALIZING",
            Self::Resetting => "RESETTING",
            Self::SettingUpTables => "SETTING_UP_TABLES",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
        }
    }
}

/// What started an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateCause {
    /// A program.
    ApiCall,
    /// A task of a job.
    JobTask,
    /// The platform, after a failure.
    RetryOnFailure,
    /// The platform moved the pipeline to other machines.
    InfrastructureMaintenance,
}

impl UpdateCause {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiCall => "API_CALL",
            Self::JobTask => "JOB_TASK",
            Self::RetryOnFailure => "RETRY_ON_FAILURE",
            Self::InfrastructureMaintenance => "INFRASTRUCTURE_MAINTENANCE",
        }
    }
}

/// What `start` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartUpdate {
    /// Rebuild everything.
    pub full_refresh: bool,
    /// Rebuild these.
    pub full_refresh_selection: Vec<String>,
    /// Refresh these; empty is all.
    pub refresh_selection: Vec<String>,
    /// Only check.
    pub validate_only: bool,
}

/// An event of a pipeline's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// A UUID, stable between questions.
    pub id: String,
    /// Rises with time within a pipeline.
    pub sequence: u64,
    /// When it happened.
    pub timestamp: Instant,
    /// How grave it is.
    pub level: EventLevel,
    /// Such as `flow_progress`: also the one key of `details`.
    pub event_type: &'static str,
    /// For people.
    pub message: String,
    /// Its pipeline.
    pub pipeline_id: String,
    /// Its pipeline.
    pub pipeline_name: String,
    /// Its update.
    pub update_id: Option<String>,
    /// The flow, and the dataset that it writes.
    pub flow_name: Option<String>,
    /// Stable across updates, changes on a full refresh.
    pub flow_id: Option<String>,
    /// What `details.<event_type>` holds, in the wire's own spelling.
    pub details: Value,
    /// The exceptions of `error`.
    pub error: Option<EventError>,
}

/// `error` of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// Whether the update cannot go on.
    pub fatal: bool,
    /// Java's name of the exception.
    pub class_name: String,
    /// Its text.
    pub message: String,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventLevel {
    /// Numbers only; told when asked for.
    Metrics,
    /// Ordinary.
    Info,
    /// Look when there is time.
    Warn,
    /// Look now.
    Error,
}

impl EventLevel {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}
