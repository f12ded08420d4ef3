//! Runs as the wire spells them (databricks-api.md 3.9 to 3.12).

use serde_json::{Map, Value, json};

use crate::domain::Instant;
use crate::sim::http::answer::Refusal;
use crate::sim::http::deployment::Site;
use crate::sim::http::jobs::render::{ARRAY_PAGE, Version, page_arrays};
use crate::sim::world::job::Payload;
use crate::sim::world::run::{Output, Run, RunTask, Spent};
use crate::sim::world::state::Phase;

/// A run of a listing.
pub(super) fn listed(run: &Run, site: &Site, expand_tasks: bool, version: Version) -> Value {
    let mut body = base(run, site);
    if expand_tasks {
        body.extend(arrays(run, site));
        let mut cut = false;
        for key in ["tasks", "job_clusters"] {
            if let Some(Value::Array(items)) = body.get_mut(key) {
                cut |= items.len() > ARRAY_PAGE;
                items.truncate(ARRAY_PAGE);
            }
        }
        if version == Version::V22 {
            body.insert("has_more".to_owned(), cut.into());
        }
    }
    Value::Object(body)
}

/// One run, a page of its arrays at a time.
pub(super) fn whole(
    run: &Run,
    site: &Site,
    version: Version,
    history: bool,
    token: Option<&str>,
) -> Result<Value, Refusal> {
    let mut body = base(run, site);
    body.extend(arrays(run, site));
    if history {
        body.insert("repair_history".to_owned(), repairs(run));
    }
    if version == Version::V22 {
        let keys = ["tasks", "job_clusters", "job_parameters", "repair_history"];
        let question = format!("runs/get {}", run.run_id);
        if let Some(next) = page_arrays(&mut body, &keys, &question, token)? {
            body.insert("next_page_token".to_owned(), next.into());
        }
    }
    Ok(Value::Object(body))
}

/// A task's run as a run of its own: what `runs/get` and the output's metadata give for it.
pub(super) fn of_task(run: &Run, task: &RunTask, site: &Site) -> Value {
    let mut metadata = attempt(run, task, site);
    metadata.insert("job_id".to_owned(), run.job_id.into());
    metadata.insert("job_run_id".to_owned(), run.run_id.into());
    metadata.insert("number_in_job".to_owned(), task.run_id.into());
    metadata.insert("original_attempt_run_id".to_owned(), task.run_id.into());
    metadata.insert("run_name".to_owned(), task.task.task_key.clone().into());
    metadata.insert("run_type".to_owned(), run_type(run).into());
    metadata.insert("creator_user_name".to_owned(), run.creator_user_name.clone().into());
    metadata.insert("trigger".to_owned(), run.trigger.as_str().into());
    metadata.insert("format".to_owned(), "SINGLE_TASK".into());
    Value::Object(metadata)
}

/// A task's run with a page of its iterations, if it has any.
pub(super) fn with_iterations(
    run: &Run,
    task: &RunTask,
    iterations: &[RunTask],
    site: &Site,
    token: Option<&str>,
) -> Result<Value, Refusal> {
    let mut body = object(of_task(run, task, site));
    if task.iterations.is_some() {
        let laps: Vec<Value> = iterations.iter().map(|lap| Value::Object(attempt(run, lap, site))).collect();
        body.insert("iterations".to_owned(), laps.into());
        let question = format!("runs/get {}", task.run_id);
        if let Some(next) = page_arrays(&mut body, &["iterations"], &question, token)? {
            body.insert("next_page_token".to_owned(), next.into());
        }
    }
    Ok(Value::Object(body))
}

/// The output of one task run, which is an attempt of `run`.
pub(super) fn output(run: &Run, task: &RunTask, output: &Output, site: &Site) -> Value {
    let mut body = Map::new();
    body.insert("metadata".to_owned(), of_task(run, task, site));
    for (key, value) in [("error", &output.error), ("error_trace", &output.error_trace)] {
        if let Some(value) = value {
            body.insert(key.to_owned(), value.clone().into());
        }
    }
    if let Some(logs) = &output.logs {
        body.insert("logs".to_owned(), logs.clone().into());
        body.insert("logs_truncated".to_owned(), false.into());
    }
    if matches!(task.task.payload, Some(Payload::Notebook(_))) {
        let notebook = match &output.notebook_result {
            Some(result) => json!({"result": result, "truncated": false}),
            None => json!({}),
        };
        body.insert("notebook_output".to_owned(), notebook);
    }
    if let Some(run_id) = output.run_job_run_id {
        body.insert("run_job_output".to_owned(), json!({"run_id": run_id}));
    }
    Value::Object(body)
}

fn base(run: &Run, site: &Site) -> Map<String, Value> {
    let mut body = object(json!({
        "job_id": run.job_id,
        "run_id": run.run_id,
        "number_in_job": run.run_id,
        "job_run_id": run.run_id,
        "original_attempt_run_id": run.run_id,
        "run_name": run.run_name,
        "run_type": run_type(run),
        "run_page_url": page_url(site, run.job_id, run.run_id),
        "creator_user_name": run.creator_user_name,
        "start_time": run.start_time.timestamp_millis(),
        "end_time": millis(run.end_time),
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "queue_duration": run.spent.queue_ms,
        "run_duration": run.run_duration_ms,
        "trigger": run.trigger.as_str(),
        "format": "MULTI_TASK",
        "state": state(run.phase, &run.state_message, run.queue_reason.as_deref()),
        "status": status(run.phase, &run.state_message, run.queue_reason.as_deref()),
    }));
    if let Some(parent) = run.parent_task_run_id {
        body.insert("trigger_info".to_owned(), json!({"run_id": parent}));
    }
    if let Some(schedule) = &run.schedule {
        body.insert("schedule".to_owned(), json!(schedule));
    }
    if !run.job_parameters.is_empty() {
        body.insert("job_parameters".to_owned(), json!(run.job_parameters));
    }
    if !run.overriding_parameters.is_empty() {
        let parameters: Map<String, Value> =
            run.overriding_parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        body.insert("overriding_parameters".to_owned(), json!({"notebook_params": parameters}));
    }
    body
}

fn run_type(run: &Run) -> &'static str {
    if run.is_one_time { "SUBMIT_RUN" } else { "JOB_RUN" }
}

fn arrays(run: &Run, site: &Site) -> Map<String, Value> {
    let tasks: Vec<Value> = run.tasks.iter().map(|task| Value::Object(attempt(run, task, site))).collect();
    let mut arrays = object(json!({"tasks": tasks}));
    if !run.job_clusters.is_empty() {
        arrays.insert("job_clusters".to_owned(), run.job_clusters.clone().into());
    }
    arrays
}

fn attempt(run: &Run, task: &RunTask, site: &Site) -> Map<String, Value> {
    let mut body = serde_json::to_value(&task.task).map(object).unwrap_or_default();
    body.remove("health");
    let Spent { queue_ms, setup_ms, execution_ms, cleanup_ms } = task.spent;
    body.extend(object(json!({
        "run_id": task.run_id,
        "attempt_number": task.attempt_number,
        "run_page_url": page_url(site, run.job_id, task.run_id),
        "start_time": millis(task.start_time),
        "end_time": millis(task.end_time),
        "setup_duration": setup_ms,
        "execution_duration": execution_ms,
        "cleanup_duration": cleanup_ms,
        "queue_duration": queue_ms,
        "state": state(task.phase, &task.state_message, None),
        "status": status(task.phase, &task.state_message, None),
    })));
    if let Some(cluster) = &task.cluster_id {
        // The context is the driver's own; a number that stays the same for one task run is all that readers see.
        let context = task.run_id.to_string();
        body.insert("cluster_instance".to_owned(), json!({"cluster_id": cluster, "spark_context_id": context}));
    }
    if let (Some(outcome), Some(Value::Object(condition))) = (task.outcome, body.get_mut("condition_task")) {
        condition.insert("outcome".to_owned(), outcome.to_string().into());
    }
    if let (Some(iterations), Some(Value::Object(for_each))) = (task.iterations, body.get_mut("for_each_task")) {
        for_each.insert("stats".to_owned(), json!({"task_run_stats": iterations}));
    }
    body
}

fn repairs(run: &Run) -> Value {
    run.repair_history
        .iter()
        .map(|item| {
            let mut entry = object(json!({
                "type": if item.id.is_some() { "REPAIR" } else { "ORIGINAL" },
                "start_time": item.start_time.timestamp_millis(),
                "end_time": millis(item.end_time),
                "state": state(item.phase, &item.state_message, None),
                "status": status(item.phase, &item.state_message, None),
                "task_run_ids": item.task_run_ids,
            }));
            if let Some(id) = item.id {
                entry.insert("id".to_owned(), id.into());
            }
            Value::Object(entry)
        })
        .collect()
}

/// The state as older callers read it.
fn state(phase: Phase, message: &str, queue_reason: Option<&str>) -> Value {
    let mut state = object(json!({
        "life_cycle_state": phase.life_cycle_state(),
        "state_message": message,
        "user_cancelled_or_timedout": phase.user_cancelled_or_timedout(),
    }));
    if let Some(result) = phase.result_state() {
        state.insert("result_state".to_owned(), result.into());
    }
    if let Some(reason) = queue_reason {
        state.insert("queue_reason".to_owned(), reason.into());
    }
    Value::Object(state)
}

/// The state as newer callers read it.
fn status(phase: Phase, message: &str, queue_reason: Option<&str>) -> Value {
    let mut status = object(json!({"state": phase.status_state()}));
    if let Some(termination) = phase.termination() {
        status.insert(
            "termination_details".to_owned(),
            json!({"code": termination.code, "type": termination.kind, "message": message}),
        );
    }
    if let Some(reason) = queue_reason {
        status.insert("queue_details".to_owned(), json!({"code": "MAX_CONCURRENT_RUNS_REACHED", "message": reason}));
    }
    Value::Object(status)
}

fn page_url(site: &Site, job_id: u64, run_id: u64) -> String {
    format!("{}/?o={}#job/{job_id}/run/{run_id}", site.host, site.workspace_id)
}

/// What has not happened is 0 on this wire.
fn millis(at: Option<Instant>) -> i64 {
    at.map_or(0, |at| at.timestamp_millis())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
