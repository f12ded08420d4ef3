//! Jobs as the Jobs API 2.2 writes them (databricks-api.md 3.7, 3.8).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Int, instant, object, said};
use crate::domain::ids::{JobId, PipelineId};
use crate::domain::job::{Cadence, Job as DomainJob, Parameter, TaskSpec};

object! {
    /// Answer of `jobs/list`.
    JobList {
        jobs: Vec<Job>,
        has_more: bool,
        next_page_token: String,
        prev_page_token: String,
    }
    /// `BaseJob` of the listing and `Job` of `jobs/get`.
    Job {
        job_id: Int,
        created_time: Int,
        creator_user_name: String,
        run_as_user_name: String,
        settings: JobSettings,
        has_more: bool,
        next_page_token: String,
    }
    JobSettings {
        name: String,
        description: String,
        tags: BTreeMap<String, String>,
        tasks: Vec<Task>,
        parameters: Vec<JobParameterDefinition>,
        max_concurrent_runs: Int,
        timeout_seconds: Int,
        schedule: CronSchedule,
        trigger: Map<String, Value>,
        continuous: Continuous,
        queue: Queue,
        deployment: Deployment,
        edit_mode: String,
        format: String,
    } + rest
    JobParameterDefinition {
        name: String,
        default: String,
    }
    CronSchedule {
        quartz_cron_expression: String,
        timezone_id: String,
        pause_status: String,
    } + rest
    Continuous {
        pause_status: String,
        task_retry_mode: String,
    } + rest
    Queue {
        enabled: bool,
    }
    /// What deployed the job; kind `BUNDLE` names an asset bundle.
    Deployment {
        kind: String,
        metadata_file_path: String,
    } + rest
    /// A task of a job's settings. Its payload is one member of `rest` whose name ends in `_task`.
    Task {
        task_key: String,
        depends_on: Vec<Dependency>,
        run_if: String,
        pipeline_task: PipelineTask,
    } + rest
    Dependency {
        task_key: String,
        outcome: String,
    }
    PipelineTask {
        pipeline_id: String,
    } + rest
    /// Body of `jobs/run-now`.
    RunNowRequest {
        job_id: Int,
        job_parameters: BTreeMap<String, String>,
        idempotency_token: String,
        only: Vec<String>,
        pipeline_params: PipelineParams,
        queue: Queue,
        notebook_params: BTreeMap<String, String>,
        python_params: Vec<String>,
        jar_params: Vec<String>,
        sql_params: BTreeMap<String, String>,
    }
    PipelineParams {
        full_refresh: bool,
        refresh_selection: Vec<String>,
        full_refresh_selection: Vec<String>,
    }
    RunNowResponse {
        run_id: Int,
        number_in_job: Int,
    }
}

/// The payload's kind by the vendor's naming rule: the one member that ends in `_task`, without that ending.
pub(crate) fn task_kind<'a>(names: impl Iterator<Item = &'a String>, has_pipeline: bool) -> String {
    if has_pipeline {
        return "pipeline".to_owned();
    }
    let mut names = names.filter_map(|name| name.strip_suffix("_task"));
    names.next().unwrap_or("unknown").to_owned()
}

impl JobParameterDefinition {
    fn into_domain(self) -> Option<Parameter> {
        Some(Parameter { name: self.name?, default: self.default.unwrap_or_default() })
    }
}

impl Task {
    /// The task as operations see it; none without a key, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<TaskSpec> {
        let kind = task_kind(self.rest.keys(), self.pipeline_task.is_some());
        Some(TaskSpec {
            key: self.task_key?,
            depends_on: self.depends_on.into_iter().flatten().filter_map(|on| on.task_key).collect(),
            kind,
            pipeline: self.pipeline_task.and_then(|task| task.pipeline_id).map(PipelineId::new),
        })
    }
}

impl Job {
    /// The job as operations see it; none without an id, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<DomainJob> {
        let settings = self.settings.unwrap_or_default();
        let cadence = settings.cadence();
        Some(DomainJob {
            id: JobId(self.job_id?.id()?),
            name: settings.name.unwrap_or_default(),
            tags: settings.tags.unwrap_or_default(),
            creator: said(self.creator_user_name),
            created_at: instant(self.created_time),
            cadence,
            // Absent is 1; 0 is a value of its own: it skips every run.
            max_concurrent_runs: settings.max_concurrent_runs.and_then(|Int(n)| u32::try_from(n).ok()).unwrap_or(1),
            queues: settings.queue.and_then(|queue| queue.enabled).unwrap_or(false),
            timeout_s: super::count(settings.timeout_seconds),
            tasks: settings.tasks.into_iter().flatten().filter_map(Task::into_domain).collect(),
            parameters: settings
                .parameters
                .into_iter()
                .flatten()
                .filter_map(JobParameterDefinition::into_domain)
                .collect(),
        })
    }
}

impl Job {
    /// Appends the arrays of a later page of the same job. Scalars repeat on every page (databricks-api.md 3.2).
    pub(crate) fn append(&mut self, page: Self) {
        if let Some(more) = page.settings.and_then(|settings| settings.tasks) {
            self.settings.get_or_insert_default().tasks.get_or_insert_default().extend(more);
        }
        self.next_page_token = page.next_page_token;
    }
}

impl JobSettings {
    fn cadence(&self) -> Cadence {
        if let Some(schedule) = &self.schedule {
            return Cadence::Cron {
                expression: schedule.quartz_cron_expression.clone().unwrap_or_default(),
                zone: schedule.timezone_id.clone().unwrap_or_else(|| "UTC".to_owned()),
                paused: is_paused(schedule.pause_status.as_deref()),
            };
        }
        if let Some(continuous) = &self.continuous {
            return Cadence::Continuous { paused: is_paused(continuous.pause_status.as_deref()) };
        }
        match &self.trigger {
            Some(trigger) => Cadence::Trigger {
                kind: trigger.keys().find(|name| *name != "pause_status").cloned().unwrap_or_default(),
                paused: is_paused(trigger.get("pause_status").and_then(Value::as_str)),
            },
            None => Cadence::Manual,
        }
    }
}

/// Absent means unpaused.
fn is_paused(status: Option<&str>) -> bool {
    status == Some("PAUSED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn domain(value: Value) -> DomainJob {
        serde_json::from_value::<Job>(value).expect("decodes").into_domain().expect("has an id")
    }

    #[test]
    fn a_job_of_an_older_version_has_no_queue_and_one_slot() {
        let job = domain(json!({"job_id": "77", "settings": {"name": "old", "format": "SINGLE_TASK"}}));
        assert_eq!((job.id, job.max_concurrent_runs, job.queues), (JobId(77), 1, false));
        assert_eq!(job.cadence, Cadence::Manual);
    }

    #[test]
    fn parameters_keep_their_order_and_defaults() {
        let job = domain(json!({"job_id": 7, "settings": {"parameters": [
            {"name": "region", "default": "emea"}, {"name": "day", "default": ""}, {"default": "lost"}]}}));
        let parameters: Vec<_> =
            job.parameters.iter().map(|each| (each.name.as_str(), each.default.as_str())).collect();
        assert_eq!(parameters, [("region", "emea"), ("day", "")]);
    }

    #[test]
    fn zero_slots_are_not_absent_slots() {
        let job = domain(json!({"job_id": 7, "settings": {"max_concurrent_runs": 0}}));
        assert_eq!(job.max_concurrent_runs, 0);
    }

    #[test]
    fn tasks_name_their_kind_even_if_it_is_new() {
        let job = domain(json!({"job_id": 7, "settings": {"tasks": [
            {"task_key": "a", "notebook_task": {"notebook_path": "/x"}},
            {"task_key": "b", "depends_on": [{"task_key": "a"}], "pipeline_task": {"pipeline_id": "p-1"}},
            {"task_key": "c", "teleport_task": {}},
            {"task_key": "d"}]}}));
        let kinds: Vec<_> = job.tasks.iter().map(|task| task.kind.as_str()).collect();
        assert_eq!(kinds, ["notebook", "pipeline", "teleport", "unknown"]);
        assert_eq!(job.tasks[1].depends_on, ["a"]);
        assert_eq!(job.tasks[1].pipeline, Some(PipelineId::new("p-1")));
    }

    #[test]
    fn each_cadence_is_told_apart() {
        let cadence = |settings: Value| domain(json!({"job_id": 1, "settings": settings})).cadence;
        assert_eq!(
            cadence(json!({"schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "Europe/Oslo",
                "pause_status": "PAUSED"}})),
            Cadence::Cron { expression: "0 0 * * * ?".into(), zone: "Europe/Oslo".into(), paused: true }
        );
        assert_eq!(cadence(json!({"continuous": {}})), Cadence::Continuous { paused: false });
        assert_eq!(
            cadence(json!({"trigger": {"pause_status": "UNPAUSED", "file_arrival": {"url": "s3://b"}}})),
            Cadence::Trigger { kind: "file_arrival".into(), paused: false }
        );
    }
}
