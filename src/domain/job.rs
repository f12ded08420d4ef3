//! Jobs: what is to run, as far as operations care.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Instant;
use super::ids::{JobId, PipelineId};

/// A job's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Unique within its workspace.
    pub id: JobId,
    /// Not unique; from outside, so neutralize it before display.
    pub name: String,
    /// Tags as set on the job.
    pub tags: BTreeMap<String, String>,
    /// Who created it, if the user still exists.
    pub creator: Option<String>,
    /// When it was created.
    pub created_at: Option<Instant>,
    /// What starts it by itself.
    pub cadence: Cadence,
    /// Runs at once before further ones queue or are skipped; 0 skips every run.
    pub max_concurrent_runs: u32,
    /// Whether runs beyond the limit wait rather than being skipped.
    pub queues: bool,
    /// Seconds until a run is timed out; 0 is never.
    pub timeout_s: u64,
    /// The task graph. May be empty when the listing did not expand tasks.
    pub tasks: Vec<TaskSpec>,
    /// What a run may be given, in the job's order.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

/// A job parameter. From outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Unique within the job.
    pub name: String,
    /// What a run gets that is given nothing else.
    pub default: String,
}

/// What starts a job by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cadence {
    /// Nothing: it runs when somebody asks.
    Manual,
    /// A quartz cron expression in a time zone.
    Cron {
        /// Six or seven fields, seconds first.
        expression: String,
        /// IANA zone.
        zone: String,
        /// Whether the schedule is paused.
        paused: bool,
    },
    /// Always one run.
    Continuous {
        /// Whether it is paused.
        paused: bool,
    },
    /// A trigger of another kind (file arrival, table update, periodic), by its name on the wire.
    Trigger {
        /// Such as `file_arrival`.
        kind: String,
        /// Whether it is paused.
        paused: bool,
    },
}

impl Cadence {
    /// Whether nothing starts it by itself because somebody paused it.
    pub fn is_paused(&self) -> bool {
        match self {
            Self::Manual => false,
            Self::Cron { paused, .. } | Self::Continuous { paused } | Self::Trigger { paused, .. } => *paused,
        }
    }
}

impl Job {
    /// Whether a further run would run or queue rather than be skipped, beside this many active ones.
    pub fn takes_another(&self, active_runs: usize) -> bool {
        self.queues || u32::try_from(active_runs).is_ok_and(|active| active < self.max_concurrent_runs)
    }
}

/// One task of a job's graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Unique within the job.
    pub key: String,
    /// Keys of the tasks that it waits for.
    pub depends_on: Vec<String>,
    /// The payload's kind: `notebook`, `pipeline`, `sql`, `spark_python`, ...
    pub kind: String,
    /// The pipeline that a pipeline task updates.
    pub pipeline: Option<PipelineId>,
}
