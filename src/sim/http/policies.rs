//! Cluster policies (databricks-api.md 7.1).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::jobs::required;
use super::route::Route;
use crate::sim::world::principal::{Level, Object};
use crate::sim::world::shelf::{Item, Kind};

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("/api/2.0/policies/clusters/{rest}");
    vec![
        Route::get(path("list"), list),
        Route::get(path("get"), get),
        Route::post(path("create"), create),
        Route::post(path("edit"), edit),
        Route::post(path("delete"), delete),
    ]
}

fn render(item: &Item) -> Value {
    let mut body = item.body.clone();
    body.insert("policy_id".to_owned(), item.id.clone().into());
    body.insert("creator_user_name".to_owned(), item.creator_user_name.clone().into());
    body.insert("created_at_timestamp".to_owned(), item.created_at.timestamp_millis().into());
    body.entry("is_default").or_insert(false.into());
    Value::Object(body)
}

/// Whoever may not use a policy does not see it.
fn list(call: &mut Call<'_>) -> Answer {
    let by_name = call.query().text("sort_column") == Some("POLICY_NAME");
    let descending = match call.query().text("sort_order") {
        None => !by_name,
        Some("ASC") => false,
        Some("DESC") => true,
        Some(other) => return Err(Refusal::invalid(format!("Unknown sort_order: {other}"))),
    };
    let mut items = call.world.shelf(call.workspace(), Kind::Policy);
    items.retain(|item| call.world.level(call.workspace(), &Object::Policy(item.id.clone()), call.principal).is_some());
    if by_name {
        items.sort_by(|one, other| one.name("name").cmp(other.name("name")));
    }
    if descending {
        items.reverse();
    }
    let policies: Vec<Value> = items.into_iter().map(render).collect();
    Ok(Reply::json(&json!({"total_count": policies.len(), "policies": policies})))
}

fn found<'a>(call: &'a Call<'_>, id: &str) -> Result<&'a Item, Refusal> {
    access::need(call, &Object::Policy(id.to_owned()), Level::Run, || {
        format!("User {} is not authorized to use cluster policy {id}.", call.principal.user_name)
    })?;
    let item = call.world.item(call.workspace(), Kind::Policy, id);
    item.ok_or_else(|| Refusal::missing(format!("Can't find a cluster policy with id: {id}.")))
}

fn get(call: &mut Call<'_>) -> Answer {
    let id = required(call.query().text("policy_id").map(str::to_owned), "policy_id")?;
    Ok(Reply::json(&render(found(call, &id)?)))
}

fn only_admins(call: &Call<'_>) -> Result<(), Refusal> {
    if call.principal.is_admin() {
        return Ok(());
    }
    Err(Refusal::denied("Only workspace admins can manage cluster policies."))
}

/// The description, with a name of its own and a definition that is JSON.
fn described(call: &Call<'_>, id: Option<&str>) -> Result<Map<String, Value>, Refusal> {
    let mut body: Map<String, Value> = call.body()?;
    body.shift_remove("policy_id");
    let name = required(body.get("name").and_then(Value::as_str), "name")?;
    let twin = call
        .world
        .shelf(call.workspace(), Kind::Policy)
        .into_iter()
        .any(|item| item.name("name") == name && Some(item.id.as_str()) != id);
    if twin {
        return Err(Refusal::invalid(format!("There is already a cluster policy with the name '{name}'.")));
    }
    let definition = body.get("definition").and_then(Value::as_str);
    if definition.is_none() && !body.contains_key("policy_family_id") {
        return Err(Refusal::invalid("One of definition and policy_family_id must be given."));
    }
    if definition.is_some_and(|text| serde_json::from_str::<Map<String, Value>>(text).is_err()) {
        return Err(Refusal::invalid("The definition must be a JSON document in text form."));
    }
    Ok(body)
}

fn create(call: &mut Call<'_>) -> Answer {
    only_admins(call)?;
    let body = described(call, None)?;
    let id = call.world.put_up(call.workspace(), Kind::Policy, call.principal, body);
    Ok(Reply::json(&json!({"policy_id": id})))
}

#[derive(Deserialize)]
struct OneId {
    policy_id: Option<String>,
}

fn edit(call: &mut Call<'_>) -> Answer {
    only_admins(call)?;
    let id = required(call.body::<OneId>()?.policy_id, "policy_id")?;
    found(call, &id)?;
    let body = described(call, Some(&id))?;
    let workspace = call.workspace();
    if let Some(item) = call.world.item_mut(workspace, Kind::Policy, &id) {
        item.body = body;
    }
    Ok(Reply::empty())
}

fn delete(call: &mut Call<'_>) -> Answer {
    only_admins(call)?;
    let id = required(call.body::<OneId>()?.policy_id, "policy_id")?;
    found(call, &id)?;
    let workspace = call.workspace();
    call.world.take_down(workspace, Kind::Policy, &id);
    Ok(Reply::empty())
}
