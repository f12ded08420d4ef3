//! Jobs: create, update, reset, delete (databricks-api.md 3.6, 3.7).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::required;
use crate::sim::http::access;
use crate::sim::http::answer::{Answer, Refusal, Reply};
use crate::sim::http::call::Call;
use crate::sim::http::permissions;
use crate::sim::http::query::lenient;
use crate::sim::world::job::{JobSettings, Payload};
use crate::sim::world::principal::{Access, Level, Object};

/// Arrays of settings whose elements an update merges, each by the key that names its elements.
const KEYED: [(&str, &str); 4] = [
    ("tasks", "task_key"),
    ("job_clusters", "job_cluster_key"),
    ("environments", "environment_key"),
    ("parameters", "name"),
];

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut body: Map<String, Value> = call.body()?;
    let list = access_of(call, &mut body)?;
    let settings = settings(body)?;
    let workspace = call.workspace();
    let job_id = call.world.create_job(workspace, call.principal, settings)?;
    call.world.set_access(workspace, &Object::Job(job_id), list);
    Ok(Reply::json(&json!({"job_id": job_id})))
}

/// The access list of a new job or run: its creator owns it unless the list says who does.
pub(in crate::sim::http) fn access_of(call: &Call<'_>, body: &mut Map<String, Value>) -> Result<Vec<Access>, Refusal> {
    let mut list = match body.shift_remove("access_control_list") {
        Some(list) => permissions::of_job(read(list)?)?,
        None => Vec::new(),
    };
    if !list.iter().any(|entry| entry.level == Level::Owner) {
        list.retain(|entry| entry.grantee != call.principal.grantee());
        list.push(Access { grantee: call.principal.grantee(), level: Level::Owner });
    }
    Ok(list)
}

#[derive(Deserialize)]
struct Change {
    #[serde(default, deserialize_with = "lenient")]
    job_id: Option<u64>,
    #[serde(default)]
    new_settings: Option<Map<String, Value>>,
    #[serde(default)]
    fields_to_remove: Vec<String>,
}

pub(super) fn reset(call: &mut Call<'_>) -> Answer {
    let change: Change = call.body()?;
    let job_id = required(change.job_id, "job_id")?;
    access::job(call, job_id, Level::Manage)?;
    let settings = settings(required(change.new_settings, "new_settings")?)?;
    call.world.reset_job(call.workspace(), job_id, settings)?;
    Ok(Reply::empty())
}

/// What is given replaces what was there, member by member; elements of keyed arrays replace those of the same key.
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let change: Change = call.body()?;
    let job_id = required(change.job_id, "job_id")?;
    access::job(call, job_id, Level::Manage)?;
    let present = call.world.job(call.workspace(), job_id)?;
    let Ok(Value::Object(mut merged)) = serde_json::to_value(&*present.settings) else {
        return Err(Refusal::state(format!("The settings of job {job_id} cannot be changed in part.")));
    };
    for field in &change.fields_to_remove {
        remove(&mut merged, field)?;
    }
    for (name, value) in change.new_settings.unwrap_or_default() {
        let key = KEYED.iter().find(|(array, _)| *array == name).map(|(_, key)| *key);
        match (key, merged.get_mut(&name), value) {
            (Some(key), Some(Value::Array(present)), Value::Array(given)) => merge(present, given, key),
            (_, _, value) => {
                merged.insert(name, value);
            }
        }
    }
    call.world.reset_job(call.workspace(), job_id, settings(merged)?)?;
    Ok(Reply::empty())
}

fn merge(present: &mut Vec<Value>, given: Vec<Value>, key: &str) {
    for element in given {
        match present.iter_mut().find(|known| known[key] == element[key]) {
            Some(known) => *known = element,
            None => present.push(element),
        }
    }
}

/// Removes a member, or the element of a keyed array that `tasks/load` names.
fn remove(settings: &mut Map<String, Value>, field: &str) -> Result<(), Refusal> {
    let Some((array, name)) = field.split_once('/') else {
        settings.shift_remove(field);
        return Ok(());
    };
    let key = KEYED.iter().find(|(known, _)| *known == array).map(|(_, key)| *key);
    match (key, settings.get_mut(array)) {
        (Some(key), Some(Value::Array(elements))) => elements.retain(|element| element[key] != name),
        _ => return Err(Refusal::invalid(format!("fields_to_remove: '{field}' names no element of the settings."))),
    }
    Ok(())
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let change: Change = call.body()?;
    let job_id = required(change.job_id, "job_id")?;
    access::job(call, job_id, Level::Manage)?;
    call.world.delete_job(call.workspace(), job_id)?;
    Ok(Reply::empty())
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| Refusal::malformed(format!("Could not parse request object: {error}")))
}

/// Settings of a job, or of one run, as they were sent.
pub(in crate::sim::http) fn settings(mut body: Map<String, Value>) -> Result<JobSettings, Refusal> {
    body.entry("name").or_insert_with(|| "Untitled".into());
    // The service takes these and never gives them back: they are its own to say, or only instructions.
    for own in ["job_id", "format"] {
        body.shift_remove(own);
    }
    for task in body.get("tasks").and_then(Value::as_array).into_iter().flatten() {
        let inner = &task["for_each_task"]["task"];
        check_kind(task)?;
        if !inner.is_null() {
            check_kind(inner)?;
        }
    }
    let settings: JobSettings = read(Value::Object(body))?;
    let git = settings.extra.get("git_source");
    if git.is_some_and(|git| git["git_url"].as_str().unwrap_or_default().is_empty()) {
        return Err(Refusal::invalid("git_source.git_url must be given."));
    }
    if git.is_some_and(|git| git["git_provider"].as_str().unwrap_or_default().is_empty()) {
        return Err(Refusal::invalid("git_source.git_provider must be given."));
    }
    Ok(settings)
}

/// A task has exactly one kind, and the kinds that the world acts on say what they must.
fn check_kind(task: &Value) -> Result<(), Refusal> {
    let key = task["task_key"].as_str().unwrap_or_default();
    let kinds: Vec<(&String, &Value)> =
        task.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_task")).collect();
    let [(kind, payload)] = kinds[..] else {
        return Err(Refusal::invalid(format!(
            "Task '{key}' must have exactly one of notebook_task, spark_python_task, pipeline_task and the other kinds."
        )));
    };
    Payload::check(kind, payload).map_err(|error| Refusal::invalid(format!("Task '{key}': {kind}: {error}")))
}
