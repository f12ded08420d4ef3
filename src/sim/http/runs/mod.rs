//! Runs: list, get, output, cancel, repair (databricks-api.md 3.3, 3.6, 3.12).

mod render;
mod submit;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::jobs::render::Version;
use super::jobs::{limit, required};
use super::page::Trail;
use super::query::lenient;
use super::rate::Class;
use super::route::Route;
use crate::domain::Instant;
use crate::sim::world::principal::Level;
use crate::sim::world::run::Run;
use crate::sim::world::{RepairRun, RunCursor, RunsFilter};

/// Runs on a page unless asked otherwise, and at most. The vendor's text says below 25; 25 is accepted.
const USUAL_PAGE: i64 = 20;
const LARGEST_PAGE: i64 = 25;

pub(super) fn routes() -> Vec<Route> {
    ["2.1", "2.2"]
        .into_iter()
        .flat_map(|version| {
            let path = |name: &str| format!("/api/{version}/jobs/runs/{name}");
            [
                Route::get(path("list"), list),
                Route::get(path("get"), get).limited(Class::RunsGet),
                Route::get(path("get-output"), get_output),
                Route::post(path("submit"), submit::submit).limited(Class::RunNow),
                Route::post(path("cancel"), cancel),
                Route::post(path("cancel-all"), cancel_all),
                Route::post(path("repair"), repair),
            ]
        })
        .collect()
}

fn list(call: &mut Call<'_>) -> Answer {
    let query = call.query();
    let limit = limit(query.integer("limit")?, USUAL_PAGE, LARGEST_PAGE)?;
    let expand = query.boolean("expand_tasks")?;
    let (active_only, completed_only) = (query.boolean("active_only")?, query.boolean("completed_only")?);
    if active_only && completed_only {
        return Err(Refusal::invalid("Only one of active_only and completed_only can be true."));
    }
    let job_id = query.integer("job_id")?.map(|_| query.id("job_id")).transpose()?;
    let (from, to) = (instant(call, "start_time_from")?, instant(call, "start_time_to")?);
    let run_type = query.text("run_type").unwrap_or_default().to_owned();
    let is_one_time = match run_type.as_str() {
        "JOB_RUN" => Some(false),
        "SUBMIT_RUN" => Some(true),
        _ => None,
    };
    // Notebooks that run notebooks are not simulated.
    let none = run_type == "WORKFLOW_RUN";
    let question = format!("runs/list {run_type} {active_only} {completed_only} {job_id:?} {from:?} {to:?}");
    let trail = Trail::of(&question, query.text("page_token"), String::new)?;
    let before = cursor(trail.start())?;
    if let Some(job_id) = job_id {
        access::job(call, job_id, Level::View)?;
        call.world.job(call.workspace(), job_id)?;
    }

    let filter =
        RunsFilter { active_only, completed_only, job_id, is_one_time, start_time_from: from, start_time_to: to };
    let (runs, next) = if none { (Vec::new(), None) } else { visible(call, &filter, before, limit) };
    let version = Version::of(call.route);
    let mut body = Map::new();
    if !runs.is_empty() {
        let listed: Vec<Value> = runs.iter().map(|run| render::listed(run, call.site(), expand, version)).collect();
        body.insert("runs".to_owned(), listed.into());
    }
    body.insert("has_more".to_owned(), next.is_some().into());
    let next = next.map(|RunCursor { start_time, run_id }| format!("{} {run_id}", start_time.to_rfc3339()));
    body.extend(trail.links(&question, next));
    Ok(Reply::json(&body))
}

/// A page of the runs that the caller may see: full as long as there are any.
fn visible(
    call: &Call<'_>,
    filter: &RunsFilter,
    mut after: Option<RunCursor>,
    limit: usize,
) -> (Vec<Run>, Option<RunCursor>) {
    let sight = access::Sight::of(call);
    let mut seen = Vec::with_capacity(limit);
    loop {
        let page = call.world.runs(call.workspace(), filter, after, limit - seen.len());
        seen.extend(page.runs.into_iter().filter(|run| sight.job(run.job_id)));
        after = page.next;
        if after.is_none() || seen.len() == limit {
            return (seen, after);
        }
    }
}

fn instant(call: &Call<'_>, name: &str) -> Result<Option<Instant>, Refusal> {
    call.query()
        .integer(name)?
        .map(|ms| Instant::from_timestamp_millis(ms).ok_or_else(|| Refusal::invalid(format!("Invalid {name}: {ms}"))))
        .transpose()
}

/// Start time and id of the last run of the page before; none of the first page.
fn cursor(start: &str) -> Result<Option<RunCursor>, Refusal> {
    if start.is_empty() {
        return Ok(None);
    }
    start
        .split_once(' ')
        .and_then(|(at, id)| Some(RunCursor { start_time: at.parse().ok()?, run_id: id.parse().ok()? }))
        .map(Some)
        .ok_or_else(|| Refusal::invalid(format!("Invalid page token: {start}")))
}

fn get(call: &mut Call<'_>) -> Answer {
    let run_id = call.query().id("run_id")?;
    let history = call.query().boolean("include_history")?;
    access::run(call, run_id, Level::View)?;
    let token = call.query().text("page_token");
    let body = match call.world.run(call.workspace(), run_id) {
        Ok(run) => render::whole(&run, call.site(), Version::of(call.route), history, token)?,
        // A task's run is a run too, without tasks of its own.
        Err(missing) => {
            let (run, task) = call.world.task_run(call.workspace(), run_id).map_err(|_| missing)?;
            let iterations = call.world.iterations(call.workspace(), run_id)?;
            render::with_iterations(&run, &task, &iterations, call.site(), token)?
        }
    };
    Ok(Reply::json(&body))
}

fn get_output(call: &mut Call<'_>) -> Answer {
    let run_id = call.query().id("run_id")?;
    access::run(call, run_id, Level::View)?;
    let (run, task) = match call.world.task_run(call.workspace(), run_id) {
        Ok(found) => found,
        Err(_) => {
            let run = call.world.run(call.workspace(), run_id)?;
            // A job run of one task stands for that task's last attempt.
            let one_task = run
                .tasks
                .iter()
                .all(|task| run.tasks.first().is_some_and(|first| first.task.task_key == task.task.task_key));
            match run.tasks.last().cloned().filter(|_| one_task) {
                Some(task) => (run, task),
                None => {
                    return Err(Refusal::invalid(
                        "Retrieving the output of runs with multiple tasks is not supported. \
                         Please retrieve the output of each individual task run instead.",
                    ));
                }
            }
        }
    };
    let output = call.world.output(call.workspace(), task.run_id)?;
    Ok(Reply::json(&render::output(&run, &task, &output, call.site())))
}

#[derive(Deserialize)]
struct RunBody {
    #[serde(default, deserialize_with = "lenient")]
    run_id: Option<u64>,
}

fn cancel(call: &mut Call<'_>) -> Answer {
    let body: RunBody = call.body()?;
    let run_id = required(body.run_id, "run_id")?;
    access::run(call, run_id, Level::Run)?;
    call.world.cancel_run(call.workspace(), run_id)?;
    Ok(Reply::empty())
}

#[derive(Deserialize)]
struct CancelAllBody {
    #[serde(default, deserialize_with = "lenient")]
    job_id: Option<u64>,
    #[serde(default)]
    all_queued_runs: bool,
}

fn cancel_all(call: &mut Call<'_>) -> Answer {
    let body: CancelAllBody = call.body()?;
    match body.job_id {
        Some(job_id) => access::job(call, job_id, Level::Run)?,
        None if !body.all_queued_runs => return Err(Refusal::invalid("Missing required field: job_id")),
        None if !call.principal.is_admin() => {
            return Err(Refusal::denied("Only workspace admins can cancel all queued runs of a workspace."));
        }
        None => {}
    }
    call.world.cancel_all(call.workspace(), body.job_id, body.all_queued_runs)?;
    Ok(Reply::empty())
}

#[derive(Deserialize)]
struct RepairBody {
    #[serde(default, deserialize_with = "lenient")]
    run_id: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    latest_repair_id: Option<u64>,
    #[serde(default)]
    rerun_tasks: Vec<String>,
    #[serde(default)]
    rerun_all_failed_tasks: bool,
    #[serde(default)]
    rerun_dependent_tasks: bool,
    #[serde(default)]
    job_parameters: BTreeMap<String, String>,
}

fn repair(call: &mut Call<'_>) -> Answer {
    let body: RepairBody = call.body()?;
    let run_id = required(body.run_id, "run_id")?;
    access::run(call, run_id, Level::Run)?;
    if body.rerun_tasks.is_empty() != body.rerun_all_failed_tasks {
        return Err(Refusal::invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks must be specified."));
    }
    let order = RepairRun {
        run_id,
        latest_repair_id: body.latest_repair_id,
        rerun_tasks: body.rerun_tasks,
        rerun_all_failed_tasks: body.rerun_all_failed_tasks,
        rerun_dependent_tasks: body.rerun_dependent_tasks,
        job_parameters: body.job_parameters,
    };
    let repair_id = call.world.repair_run(call.workspace(), &order)?;
    Ok(Reply::json(&json!({"repair_id": repair_id})))
}
