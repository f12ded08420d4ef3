//! Runs as the Jobs API 2.2 writes them (databricks-api.md 3.9 to 3.12).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::jobs::{CronSchedule, Dependency, PipelineParams, PipelineTask, task_kind};
use super::{Int, count, instant, object, said};
use crate::domain::ids::{JobId, RepairId, RunId};
use crate::domain::run::{Outcome, Output, Repair, Run as DomainRun, RunState as DomainState, Spent, TaskRun};

object! {
    /// Answer of `jobs/runs/list`.
    RunList {
        runs: Vec<Run>,
        has_more: bool,
        next_page_token: String,
        prev_page_token: String,
    }
    /// `BaseRun` of the listing and `Run` of `runs/get`.
    Run {
        run_id: Int,
        job_id: Int,
        number_in_job: Int,
        original_attempt_run_id: Int,
        attempt_number: Int,
        run_name: String,
        run_type: String,
        run_page_url: String,
        creator_user_name: String,
        state: RunState,
        status: RunStatus,
        trigger: String,
        schedule: CronSchedule,
        start_time: Int,
        end_time: Int,
        setup_duration: Int,
        execution_duration: Int,
        cleanup_duration: Int,
        queue_duration: Int,
        run_duration: Int,
        tasks: Vec<RunTask>,
        iterations: Vec<RunTask>,
        job_parameters: Vec<JobParameter>,
        repair_history: Vec<RepairHistoryItem>,
        has_more: bool,
        next_page_token: String,
    }
    RunState {
        life_cycle_state: String,
        result_state: String,
        state_message: String,
        queue_reason: String,
        user_cancelled_or_timedout: bool,
    }
    RunStatus {
        state: String,
        queue_details: QueueDetails,
        termination_details: TerminationDetails,
    }
    QueueDetails {
        code: String,
        message: String,
    }
    TerminationDetails {
        code: String,
        r#type: String,
        message: String,
    }
    JobParameter {
        name: String,
        default: String,
        value: String,
    }
    RepairHistoryItem {
        r#type: String,
        id: Int,
        start_time: Int,
        end_time: Int,
        state: RunState,
        status: RunStatus,
        task_run_ids: Vec<Int>,
    }
    /// One attempt of one task. Its payload is one member of `rest` whose name ends in `_task`.
    RunTask {
        run_id: Int,
        task_key: String,
        attempt_number: Int,
        depends_on: Vec<Dependency>,
        pipeline_task: PipelineTask,
        state: RunState,
        status: RunStatus,
        start_time: Int,
        end_time: Int,
        setup_duration: Int,
        execution_duration: Int,
        cleanup_duration: Int,
        queue_duration: Int,
        run_duration: Int,
    } + rest
    /// Answer of `runs/get-output`.
    RunOutput {
        metadata: Run,
        error: String,
        error_trace: String,
        info: String,
        logs: String,
        logs_truncated: bool,
        notebook_output: NotebookOutput,
        sql_output: Map<String, Value>,
        run_job_output: Map<String, Value>,
        dbt_output: Map<String, Value>,
    }
    NotebookOutput {
        result: String,
        truncated: bool,
    }
    /// Body of `runs/repair`.
    RepairRequest {
        run_id: Int,
        rerun_tasks: Vec<String>,
        rerun_all_failed_tasks: bool,
        rerun_dependent_tasks: bool,
        latest_repair_id: Int,
        job_parameters: BTreeMap<String, String>,
        pipeline_params: PipelineParams,
    }
    RepairResponse {
        repair_id: Int,
    }
    /// Body of `runs/cancel`.
    CancelRequest {
        run_id: Int,
    }
}

/// One word for the pair of the old `state` and the new `status`; either may be missing.
///
/// The old one is richer at the end (it tells skipped and upstream-failed tasks apart) and is always sent today; the new
/// one is the fallback.
pub(crate) fn run_state(state: Option<&RunState>, status: Option<&RunStatus>) -> DomainState {
    if let Some(state) = state
        && let Some(phase) = state.life_cycle_state.as_deref()
    {
        return of_life_cycle(phase, state.result_state.as_deref());
    }
    let Some(status) = status else { return DomainState::Unknown(String::new()) };
    of_status(status)
}

fn of_life_cycle(phase: &str, result: Option<&str>) -> DomainState {
    match phase {
        "QUEUED" => DomainState::Queued,
        "BLOCKED" => DomainState::Blocked,
        "PENDING" => DomainState::Pending,
        "RUNNING" => DomainState::Running,
        "WAITING_FOR_RETRY" => DomainState::Retrying,
        "TERMINATING" => DomainState::Terminating,
        "SKIPPED" => DomainState::Ended(Outcome::Skipped),
        "TERMINATED" | "INTERNAL_ERROR" => DomainState::Ended(match result {
            Some("SUCCESS") => Outcome::Succeeded,
            Some("SUCCESS_WITH_FAILURES") => Outcome::SucceededWithFailures,
            Some("FAILED") => Outcome::Failed,
            Some("TIMEDOUT") => Outcome::TimedOut,
            Some("CANCELED") => Outcome::Canceled,
            Some("MAXIMUM_CONCURRENT_RUNS_REACHED" | "EXCLUDED" | "DISABLED") => Outcome::Skipped,
            Some("UPSTREAM_FAILED" | "UPSTREAM_CANCELED") => Outcome::UpstreamFailed,
            Some(other) => Outcome::Unknown(other.to_owned()),
            None if phase == "INTERNAL_ERROR" => Outcome::Failed,
            None => Outcome::Unknown(String::new()),
        }),
        other => DomainState::Unknown(other.to_owned()),
    }
}

fn of_status(status: &RunStatus) -> DomainState {
    match status.state.as_deref().unwrap_or_default() {
        "QUEUED" => DomainState::Queued,
        "BLOCKED" => DomainState::Blocked,
        "PENDING" => DomainState::Pending,
        "RUNNING" => DomainState::Running,
        "WAITING" => DomainState::Retrying,
        "TERMINATING" => DomainState::Terminating,
        "TERMINATED" => DomainState::Ended(outcome_of(status.termination_details.as_ref())),
        other => DomainState::Unknown(other.to_owned()),
    }
}

fn outcome_of(details: Option<&TerminationDetails>) -> Outcome {
    let Some(details) = details else { return Outcome::Unknown(String::new()) };
    match details.code.as_deref().unwrap_or_default() {
        "SUCCESS" => Outcome::Succeeded,
        "SUCCESS_WITH_FAILURES" => Outcome::SucceededWithFailures,
        "USER_CANCELED" | "CANCELED" => Outcome::Canceled,
        // A skipped task counts as a client's error when something before it failed, as a success when a condition was false.
        "SKIPPED" if details.r#type.as_deref() == Some("CLIENT_ERROR") => Outcome::UpstreamFailed,
        "SKIPPED" | "MAX_CONCURRENT_RUNS_EXCEEDED" | "MAX_JOB_QUEUE_SIZE_EXCEEDED" | "DISABLED" => Outcome::Skipped,
        code => match details.r#type.as_deref() {
            Some("CLIENT_ERROR" | "INTERNAL_ERROR" | "CLOUD_FAILURE") => Outcome::Failed,
            Some("SUCCESS") => Outcome::Succeeded,
            _ => Outcome::Unknown(code.to_owned()),
        },
    }
}

/// What the platform says about a state: the first of its places that says anything.
fn state_message(state: Option<RunState>, status: Option<RunStatus>) -> String {
    let (message, queue_reason) = state.map_or((None, None), |state| (state.state_message, state.queue_reason));
    let status = status.unwrap_or_default();
    said(message)
        .or_else(|| said(status.termination_details.and_then(|details| details.message)))
        .or_else(|| said(queue_reason))
        .or_else(|| said(status.queue_details.and_then(|details| details.message)))
        .unwrap_or_default()
}

impl RunTask {
    /// The attempt as operations see it; none without ids, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<TaskRun> {
        let kind = task_kind(self.rest.keys(), self.pipeline_task.is_some());
        Some(TaskRun {
            id: RunId(self.run_id?.id()?),
            key: self.task_key?,
            attempt: u32::try_from(count(self.attempt_number)).unwrap_or(u32::MAX),
            depends_on: self.depends_on.into_iter().flatten().filter_map(|on| on.task_key).collect(),
            kind,
            state: run_state(self.state.as_ref(), self.status.as_ref()),
            message: state_message(self.state, self.status),
            started_at: instant(self.start_time),
            ended_at: instant(self.end_time),
            spent: Spent {
                queued_ms: count(self.queue_duration),
                setup_ms: count(self.setup_duration),
                execution_ms: count(self.execution_duration),
                cleanup_ms: count(self.cleanup_duration),
            },
        })
    }
}

impl RepairHistoryItem {
    /// A repair; none for the original attempt, which has no id.
    fn into_domain(self) -> Option<Repair> {
        Some(Repair {
            id: RepairId(self.id.filter(|_| self.r#type.as_deref() != Some("ORIGINAL"))?.id()?),
            started_at: instant(self.start_time),
            ended_at: instant(self.end_time),
            state: run_state(self.state.as_ref(), self.status.as_ref()),
        })
    }
}

impl Run {
    /// The run as operations see it; none without an id, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<DomainRun> {
        let tasks = self.tasks.into_iter().flatten().chain(self.iterations.into_iter().flatten());
        Some(DomainRun {
            id: RunId(self.run_id?.id()?),
            job: JobId(count(self.job_id)),
            name: self.run_name.unwrap_or_default(),
            state: run_state(self.state.as_ref(), self.status.as_ref()),
            message: state_message(self.state, self.status),
            trigger: self.trigger.unwrap_or_default(),
            creator: said(self.creator_user_name),
            started_at: instant(self.start_time),
            ended_at: instant(self.end_time),
            spent: Spent {
                queued_ms: count(self.queue_duration),
                setup_ms: count(self.setup_duration),
                execution_ms: count(self.execution_duration),
                cleanup_ms: count(self.cleanup_duration),
            },
            run_ms: count(self.run_duration),
            attempt: u32::try_from(count(self.attempt_number)).unwrap_or(u32::MAX),
            page_url: said(self.run_page_url),
            parameters: self
                .job_parameters
                .into_iter()
                .flatten()
                .filter_map(|given| Some((given.name?, given.value.or(given.default).unwrap_or_default())))
                .collect(),
            repairs: self.repair_history.into_iter().flatten().filter_map(RepairHistoryItem::into_domain).collect(),
            tasks: tasks.filter_map(RunTask::into_domain).collect(),
        })
    }

    /// Appends the arrays of a later page of the same run. Scalars repeat on every page (databricks-api.md 3.2).
    pub(crate) fn append(&mut self, page: Self) {
        fn join<T>(to: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
            if let Some(more) = more {
                to.get_or_insert_default().extend(more);
            }
        }
        join(&mut self.tasks, page.tasks);
        join(&mut self.iterations, page.iterations);
        join(&mut self.job_parameters, page.job_parameters);
        join(&mut self.repair_history, page.repair_history);
        self.next_page_token = page.next_page_token;
    }
}

impl RunOutput {
    /// What a task left behind, as operations see it.
    pub(crate) fn into_domain(self) -> Output {
        let notebook = self.notebook_output.unwrap_or_default();
        let structured = [self.sql_output, self.run_job_output, self.dbt_output]
            .into_iter()
            .flatten()
            .find(|output| !output.is_empty());
        Output {
            error: said(self.error),
            trace: said(self.error_trace),
            result: notebook.result.or_else(|| structured.map(|output| Value::Object(output).to_string())),
            logs: said(self.logs).or_else(|| said(self.info)),
            truncated: self.logs_truncated.unwrap_or(false) || notebook.truncated.unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state_of(value: Value) -> DomainState {
        let run: Run = serde_json::from_value(value).expect("decodes");
        run_state(run.state.as_ref(), run.status.as_ref())
    }

    /// The table "State pairs" of databricks-api.md 3.11: both halves alone give the same word.
    #[test]
    fn both_halves_of_the_state_agree() {
        let ended = DomainState::Ended;
        let cases = [
            (("QUEUED", None), ("QUEUED", None, None), DomainState::Queued),
            (("PENDING", None), ("PENDING", None, None), DomainState::Pending),
            (("RUNNING", None), ("RUNNING", None, None), DomainState::Running),
            (("BLOCKED", None), ("BLOCKED", None, None), DomainState::Blocked),
            (("WAITING_FOR_RETRY", None), ("WAITING", None, None), DomainState::Retrying),
            (("TERMINATING", None), ("TERMINATING", None, None), DomainState::Terminating),
            (
                ("TERMINATED", Some("SUCCESS")),
                ("TERMINATED", Some("SUCCESS"), Some("SUCCESS")),
                ended(Outcome::Succeeded),
            ),
            (
                ("INTERNAL_ERROR", Some("FAILED")),
                ("TERMINATED", Some("RUN_EXECUTION_ERROR"), Some("CLIENT_ERROR")),
                ended(Outcome::Failed),
            ),
            (
                ("TERMINATED", Some("UPSTREAM_FAILED")),
                ("TERMINATED", Some("SKIPPED"), Some("CLIENT_ERROR")),
                ended(Outcome::UpstreamFailed),
            ),
            (
                ("TERMINATED", Some("EXCLUDED")),
                ("TERMINATED", Some("SKIPPED"), Some("SUCCESS")),
                ended(Outcome::Skipped),
            ),
            (
                ("TERMINATED", Some("CANCELED")),
                ("TERMINATED", Some("USER_CANCELED"), Some("SUCCESS")),
                ended(Outcome::Canceled),
            ),
            (
                ("SKIPPED", Some("MAXIMUM_CONCURRENT_RUNS_REACHED")),
                ("TERMINATED", Some("MAX_CONCURRENT_RUNS_EXCEEDED"), Some("CLIENT_ERROR")),
                ended(Outcome::Skipped),
            ),
        ];
        for ((phase, result), (state, code, kind), expected) in cases {
            let old = json!({"state": {"life_cycle_state": phase, "result_state": result}});
            let new = json!({"status": {"state": state, "termination_details": {"code": code, "type": kind}}});
            assert_eq!(state_of(old), expected, "{phase} {result:?}");
            assert_eq!(state_of(new), expected, "{state} {code:?}");
        }
    }

    #[test]
    fn what_is_new_survives_by_its_name() {
        assert_eq!(
            state_of(json!({"state": {"life_cycle_state": "HIBERNATING"}})),
            DomainState::Unknown("HIBERNATING".into())
        );
        assert_eq!(
            state_of(json!({"state": {"life_cycle_state": "TERMINATED", "result_state": "EVAPORATED"}})),
            DomainState::Ended(Outcome::Unknown("EVAPORATED".into()))
        );
        assert!(state_of(json!({})).is_active(), "a run without any state stays watched");
        assert_eq!(
            state_of(json!({"state": {"life_cycle_state": "TERMINATED", "result_state": "TIMEDOUT"}})),
            DomainState::Ended(Outcome::TimedOut)
        );
    }

    #[test]
    fn a_running_run_has_not_ended_at_the_epoch() {
        let run: Run = serde_json::from_value(json!({"run_id": "12", "job_id": 3, "start_time": 1_700_000_000_000_i64,
            "end_time": 0, "status": {"state": "QUEUED", "queue_details": {"message": "one at a time"}}}))
        .expect("decodes");
        let run = run.into_domain().expect("has an id");
        assert_eq!((run.id, run.ended_at, run.message.as_str()), (RunId(12), None, "one at a time"));
        assert!(run.started_at.is_some());
    }

    #[test]
    fn the_original_attempt_is_no_repair() {
        let run: Run = serde_json::from_value(json!({"run_id": 1, "repair_history": [
            {"type": "ORIGINAL", "start_time": 5, "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}},
            {"type": "REPAIR", "id": 9, "start_time": 7, "state": {"life_cycle_state": "RUNNING"}}]}))
        .expect("decodes");
        let repairs = run.into_domain().expect("has an id").repairs;
        assert_eq!(repairs.iter().map(|repair| repair.id).collect::<Vec<_>>(), [RepairId(9)]);
    }

    #[test]
    fn an_output_tells_result_trace_and_cut() {
        let output: RunOutput = serde_json::from_value(json!({"error": "boom", "error_trace": "\u{1b}[31mat\u{1b}[0m",
            "notebook_output": {"result": "", "truncated": true}}))
        .expect("decodes");
        let output = output.into_domain();
        assert_eq!(
            (output.error.as_deref(), output.result.as_deref(), output.truncated),
            (Some("boom"), Some(""), true)
        );
        assert_eq!(output.trace.as_deref(), Some("\u{1b}[31mat\u{1b}[0m"), "neutralized where it is shown, not here");
        let output: RunOutput = serde_json::from_value(json!({"run_job_output": {"run_id": 4}})).expect("decodes");
        assert_eq!(output.into_domain().result.as_deref(), Some(r#"{"run_id":4}"#));
    }
}
