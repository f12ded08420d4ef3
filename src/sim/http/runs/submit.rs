//! One-time runs: tasks that belong to no job (databricks-api.md 3.6).

use serde_json::{Map, Value, json};

use crate::sim::http::answer::{Answer, Refusal, Reply};
use crate::sim::http::call::Call;
use crate::sim::http::jobs::write;
use crate::sim::world::SubmitRun;

/// Members by which older callers describe the only task, besides the one that ends in `_task`.
const OF_THE_TASK: [&str; 3] = ["new_cluster", "existing_cluster_id", "libraries"];

pub(super) fn submit(call: &mut Call<'_>) -> Answer {
    let mut body: Map<String, Value> = call.body()?;
    let access = write::access_of(call, &mut body)?;
    let token = body.shift_remove("idempotency_token");
    let token = token.as_ref().and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
    if token.as_ref().is_some_and(|token| token.chars().count() > 64) {
        return Err(Refusal::invalid("The idempotency token must have at most 64 characters."));
    }
    if let Some(name) = body.shift_remove("run_name") {
        body.insert("name".to_owned(), name);
    }
    if !body.contains_key("tasks") {
        gather(&mut body);
    }
    let order = SubmitRun { settings: write::settings(body)?, idempotency_token: token, access };
    let run_id = call.world.submit_run(call.workspace(), call.principal, order)?;
    Ok(Reply::json(&json!({"run_id": run_id})))
}

/// Makes a task of what older callers wrote beside the run's name.
fn gather(body: &mut Map<String, Value>) {
    let is_of_task = |name: &String| name.ends_with("_task") || OF_THE_TASK.contains(&name.as_str());
    let names: Vec<String> = body.keys().filter(|name| is_of_task(name)).cloned().collect();
    if names.is_empty() {
        return;
    }
    let mut task = Map::new();
    task.insert("task_key".to_owned(), "main".into());
    for name in names {
        if let Some(value) = body.shift_remove(&name) {
            task.insert(name, value);
        }
    }
    body.insert("tasks".to_owned(), json!([task]));
}
