//! Jobs: list, get and what starts them (databricks-api.md 3.1 to 3.4).

pub(super) mod render;
pub(super) mod write;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::page;
use super::query::lenient;
use super::rate::Class;
use super::route::Route;
use crate::sim::world::RunNow;
use crate::sim::world::principal::Level;
use render::Version;

/// Jobs on a page unless asked otherwise, and at most.
const USUAL_PAGE: i64 = 20;
const LARGEST_PAGE: i64 = 100;

pub(super) fn routes() -> Vec<Route> {
    ["2.1", "2.2"]
        .into_iter()
        .flat_map(|version| {
            [
                Route::get(format!("/api/{version}/jobs/list"), list),
                Route::get(format!("/api/{version}/jobs/get"), get),
                Route::post(format!("/api/{version}/jobs/run-now"), run_now).limited(Class::RunNow),
                Route::post(format!("/api/{version}/jobs/create"), write::create),
                Route::post(format!("/api/{version}/jobs/update"), write::update),
                Route::post(format!("/api/{version}/jobs/reset"), write::reset),
                Route::post(format!("/api/{version}/jobs/delete"), write::delete),
            ]
        })
        .collect()
}

fn list(call: &mut Call<'_>) -> Answer {
    let query = call.query();
    let limit = limit(query.integer("limit")?, USUAL_PAGE, LARGEST_PAGE)?;
    let expand = query.boolean("expand_tasks")?;
    let name = query.text("name").map(str::to_lowercase);
    let question = format!("jobs/list {}", name.as_deref().unwrap_or_default());
    let offset = match query.text("page_token") {
        Some(token) => page::offset(&question, Some(token))?,
        None => usize::try_from(query.integer("offset")?.unwrap_or(0)).unwrap_or_default(),
    };
    let version = Version::of(call.route);
    let sight = access::Sight::of(call);
    let mut jobs: Vec<_> = call
        .world
        .jobs(call.workspace())
        .into_iter()
        .filter(|job| name.as_ref().is_none_or(|name| job.settings.name.to_lowercase() == *name))
        .filter(|job| sight.job(job.job_id))
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse((job.created_time, job.job_id)));
    let (window, next) = page::window(&jobs, offset, limit);
    let listed: Vec<Value> = window.iter().map(|job| render::listed(job, expand, version)).collect();
    let previous = (offset > 0).then(|| offset.saturating_sub(limit));
    Ok(Reply::json(&listing("jobs", listed, &question, next, previous)))
}

/// A page of the Jobs API: the key is absent when there is nothing.
fn listing(key: &str, items: Vec<Value>, question: &str, next: Option<usize>, previous: Option<usize>) -> Value {
    let mut body = Map::new();
    if !items.is_empty() {
        body.insert(key.to_owned(), items.into());
    }
    body.insert("has_more".to_owned(), next.is_some().into());
    for (key, offset) in [("next_page_token", next), ("prev_page_token", previous)] {
        if let Some(offset) = offset {
            body.insert(key.to_owned(), page::token(question, &offset.to_string()).into());
        }
    }
    Value::Object(body)
}

/// A page's size: 0 means the largest (databricks-api.md 3.2), beyond is refused.
pub(super) fn limit(asked: Option<i64>, usual: i64, largest: i64) -> Result<usize, Refusal> {
    let limit = match asked {
        None => usual,
        Some(0) => largest,
        Some(limit) => limit,
    };
    if !(1..=largest).contains(&limit) {
        return Err(Refusal::invalid(format!("Invalid limit: {limit}. The limit must be between 0 and {largest}.")));
    }
    Ok(usize::try_from(limit).unwrap_or_default())
}

fn get(call: &mut Call<'_>) -> Answer {
    let job_id = call.query().id("job_id")?;
    access::job(call, job_id, Level::View)?;
    let job = call.world.job(call.workspace(), job_id)?;
    let version = Version::of(call.route);
    Ok(Reply::json(&render::whole(job, version, call.query().text("page_token"))?))
}

#[derive(Deserialize)]
struct RunNowBody {
    #[serde(default, deserialize_with = "lenient")]
    job_id: Option<u64>,
    idempotency_token: Option<String>,
    #[serde(default)]
    job_parameters: BTreeMap<String, String>,
    #[serde(default)]
    only: Vec<String>,
    queue: Option<Queue>,
    notebook_params: Option<BTreeMap<String, String>>,
    jar_params: Option<Vec<String>>,
    python_params: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Queue {
    enabled: bool,
}

fn run_now(call: &mut Call<'_>) -> Answer {
    let body: RunNowBody = call.body()?;
    let job_id = required(body.job_id, "job_id")?;
    access::job(call, job_id, Level::Run)?;
    if body.idempotency_token.as_ref().is_some_and(|token| token.chars().count() > 64) {
        return Err(Refusal::invalid("The idempotency token must have at most 64 characters."));
    }
    let legacy = body.notebook_params.is_some() || body.jar_params.is_some() || body.python_params.is_some();
    if legacy && !call.world.job(call.workspace(), job_id)?.settings.parameters.is_empty() {
        return Err(Refusal::invalid(format!(
            "Job {job_id} has job parameters: task parameters cannot be given when it is run."
        )));
    }
    let order = RunNow {
        job_id,
        idempotency_token: body.idempotency_token.filter(|token| !token.is_empty()),
        job_parameters: body.job_parameters.into_iter().chain(body.notebook_params.unwrap_or_default()).collect(),
        only: body.only,
        queue: body.queue.map(|queue| queue.enabled),
    };
    let run_id = call.world.run_now(call.workspace(), call.principal, order)?;
    Ok(Reply::json(&json!({"run_id": run_id, "number_in_job": run_id})))
}

/// A field that must be given.
pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(format!("Missing required field: {name}")))
}
