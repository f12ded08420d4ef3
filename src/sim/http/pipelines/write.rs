//! Pipelines: create, edit, delete (databricks-api.md 4.1, 4.3).

use serde_json::{Map, Value, json};

use super::pipeline;
use crate::sim::http::answer::{Answer, Refusal, Reply};
use crate::sim::http::call::Call;
use crate::sim::world::PipelineOrder;
use crate::sim::world::principal::Level;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let mut body: Map<String, Value> = call.body()?;
    let dry_run = taken(&mut body, "dry_run")? == Some(Value::Bool(true));
    let order = order(body)?;
    if dry_run {
        return Ok(Reply::json(&json!({"effective_settings": order.spec})));
    }
    let pipeline_id = call.world.create_pipeline(call.workspace(), call.principal, order)?;
    Ok(Reply::json(&json!({"pipeline_id": pipeline_id})))
}

pub(super) fn edit(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::Manage)?;
    let order = order(call.body()?)?;
    call.world.edit_pipeline(call.workspace(), &id, order)?;
    Ok(Reply::empty())
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = pipeline(call, Level::Manage)?;
    call.world.delete_pipeline(call.workspace(), &id)?;
    Ok(Reply::empty())
}

fn taken(body: &mut Map<String, Value>, name: &str) -> Result<Option<Value>, Refusal> {
    let value = body.shift_remove(name);
    match &value {
        None | Some(Value::Null | Value::Bool(_)) => Ok(value),
        Some(_) => Err(Refusal::malformed(format!("Could not parse request object: {name} must be true or false"))),
    }
}

/// What is about the order is taken out of the body, what is left is the specification.
fn order(mut body: Map<String, Value>) -> Result<PipelineOrder, Refusal> {
    let allow_duplicate_names = taken(&mut body, "allow_duplicate_names")? == Some(Value::Bool(true));
    let expected_last_modified = body.shift_remove("expected_last_modified").and_then(|value| value.as_i64());
    body.shift_remove("pipeline_id");
    let beside = ["run_as", "parameters"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), body.shift_remove(name)?)))
        .collect();
    let spec = serde_json::from_value(Value::Object(body))
        .map_err(|error| Refusal::malformed(format!("Could not parse request object: {error}")))?;
    Ok(PipelineOrder { spec, allow_duplicate_names, beside, expected_last_modified })
}
