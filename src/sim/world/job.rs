//! Jobs as the Jobs API keeps them (databricks-api.md 3.7, 3.8): typed where the world acts on it, verbatim elsewhere.
//!
//! The serde forms in this module are the wire's own spelling. What the world does not interpret is kept as it was
//! sent (`extra`), so that a reader gets back what a writer wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::Instant;

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Unique within its workspace.
    pub job_id: u64,
    /// When it was created.
    pub created_time: Instant,
    /// Who created it.
    pub creator_user_name: String,
    /// The identity that runs have, always told.
    pub run_as_user_name: String,
    /// What `create`, `update` and `reset` write.
    pub settings: Arc<JobSettings>,
}

/// The settings of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobSettings {
    /// Not unique.
    #[serde(default)]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 25.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What starts it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSchedule>,
    /// The task graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// Clusters that its tasks share, verbatim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub job_clusters: Vec<Value>,
    /// Declared parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<JobParameter>,
    /// Runs at once; 0 skips every run.
    #[serde(default = "one")]
    pub max_concurrent_runs: u32,
    /// 0 is never.
    #[serde(default)]
    pub timeout_seconds: u64,
    /// Whether runs beyond the limit wait. Absent on jobs of older APIs, which then do not queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSettings>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn one() -> u32 {
    1
}

impl JobSettings {
    /// Whether a run beyond the limit waits rather than being skipped.
    pub fn queues(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.enabled)
    }
}

/// `queue`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// Whether runs beyond the limit wait.
    pub enabled: bool,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `schedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronSchedule {
    /// Six or seven fields, seconds first.
    pub quartz_cron_expression: String,
    /// IANA zone.
    pub timezone_id: String,
    /// Absent means unpaused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_status: Option<PauseStatus>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl CronSchedule {
    /// Whether it does not fire.
    pub fn is_paused(&self) -> bool {
        self.pause_status == Some(PauseStatus::Paused)
    }
}

/// `pause_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PauseStatus {
    /// It does not fire.
    Paused,
    /// It fires.
    #[default]
    Unpaused,
}

/// A declared job parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobParameter {
    /// Unique within the job.
    pub name: String,
    /// What a run gets that does not say otherwise.
    pub default: String,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One task of a job's graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique within the job.
    pub task_key: String,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Which results of its upstream let it run.
    #[serde(default)]
    pub run_if: RunIf,
    /// -1 is forever; 0 and absent are never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i64>,
    /// The least wait between an attempt's failure and the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_retry_interval_millis: Option<u64>,
    /// Whether running into the time limit counts as a failure to retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on_timeout: Option<bool>,
    /// 0 is never.
    #[serde(default)]
    pub timeout_seconds: u64,
    /// Which shared cluster it uses; serverless without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_cluster_key: Option<String>,
    /// Whether it is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// What it does; none for a kind that the world does not know, which then stands in `extra`.
    #[serde(flatten)]
    pub payload: Option<Payload>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Task {
    /// How often it may be tried again; negative is for ever.
    pub fn retries(&self) -> i64 {
        self.max_retries.unwrap_or(0)
    }
}

/// A dependency on another task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The task to wait for.
    pub task_key: String,
    /// The outcome of a condition task that lets this one run: `"true"` or `"false"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Which results of its upstream let a task run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunIf {
    /// All succeeded.
    #[default]
    AllSuccess,
    /// At least one succeeded.
    AtLeastOneSuccess,
    /// None failed, and at least one ran.
    NoneFailed,
    /// All are over.
    AllDone,
    /// At least one failed.
    AtLeastOneFailed,
    /// All failed.
    AllFailed,
}

/// What a task does: the one payload key of the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Payload {
    /// `notebook_task`.
    #[serde(rename = "notebook_task")]
    Notebook(Value),
    /// `spark_python_task`.
    #[serde(rename = "spark_python_task")]
    SparkPython(Value),
    /// `python_wheel_task`.
    #[serde(rename = "python_wheel_task")]
    PythonWheel(Value),
    /// `spark_jar_task`.
    #[serde(rename = "spark_jar_task")]
    SparkJar(Value),
    /// `sql_task`.
    #[serde(rename = "sql_task")]
    Sql(Value),
    /// `dbt_task`.
    #[serde(rename = "dbt_task")]
    Dbt(Value),
    /// `pipeline_task`.
    #[serde(rename = "pipeline_task")]
    Pipeline(PipelineTask),
    /// `run_job_task`.
    #[serde(rename = "run_job_task")]
    RunJob(RunJobTask),
    /// `condition_task`.
    #[serde(rename = "condition_task")]
    Condition(ConditionTask),
    /// `for_each_task`.
    #[serde(rename = "for_each_task")]
    ForEach(ForEachTask),
}

impl Payload {
    /// Whether a payload of that kind says what it must. Kinds that the world does not know say what they like.
    ///
    /// # Errors
    /// What is missing, or of the wrong type.
    pub fn check(kind: &str, payload: &Value) -> Result<(), serde_json::Error> {
        match kind {
            "pipeline_task" => PipelineTask::deserialize(payload).map(drop),
            "run_job_task" => RunJobTask::deserialize(payload).map(drop),
            "condition_task" => ConditionTask::deserialize(payload).map(drop),
            "for_each_task" => ForEachTask::deserialize(payload).map(drop),
            _ => Ok(()),
        }
    }
}

/// `pipeline_task`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PipelineTask {
    /// The pipeline to update.
    pub pipeline_id: String,
    /// Whether to rebuild everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_refresh: Option<bool>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `run_job_task`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunJobTask {
    /// The job to run.
    pub job_id: u64,
    /// Parameters for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub job_parameters: BTreeMap<String, String>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `condition_task`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionTask {
    /// Such as `EQUAL_TO`.
    pub op: String,
    /// Text or a reference.
    pub left: String,
    /// Text or a reference.
    pub right: String,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// `for_each_task`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForEachTask {
    /// A JSON array as text, or a reference.
    pub inputs: String,
    /// Iterations at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What each iteration does.
    pub task: Box<Task>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_they_were_written() {
        let sent = serde_json::json!({
            "name": "nightly",
            "tasks": [
                {"task_key": "load", "run_if": "ALL_DONE", "timeout_seconds": 0, "environment_key": "default",
                 "pipeline_task": {"pipeline_id": "6f", "full_refresh_selection": ["a"]}},
                {"task_key": "jar", "run_if": "ALL_SUCCESS", "timeout_seconds": 5, "power_bi_task": {"x": 1},
                 "max_retries": 0, "min_retry_interval_millis": 0, "retry_on_timeout": false, "disabled": false},
                {"task_key": "each", "run_if": "ALL_SUCCESS", "timeout_seconds": 0,
                 "depends_on": [{"task_key": "jar", "later": 5}],
                 "for_each_task": {"inputs": "[1]", "later": 6, "task": {"task_key": "one", "run_if": "ALL_SUCCESS",
                    "timeout_seconds": 0, "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1", "later": 7}}}},
            ],
            "max_concurrent_runs": 3,
            "timeout_seconds": 0,
            "queue": {"enabled": false, "later": 1},
            "schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC", "later": [2]},
            "parameters": [{"name": "day", "default": "", "later": {"x": 3}}],
            "continuous": {"pause_status": "PAUSED", "later": 4},
            "email_notifications": {"on_failure": ["a@example.com"]},
        });
        let settings: JobSettings = serde_json::from_value(sent.clone()).expect("decodes");
        assert!(matches!(settings.tasks[0].payload, Some(Payload::Pipeline(_))));
        assert_eq!(settings.tasks[1].payload, None);
        assert_eq!(serde_json::to_value(&settings).expect("encodes"), sent);
    }
}
