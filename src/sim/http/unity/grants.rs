//! Grants: those made on an object, those that hold there, and changes (databricks-api.md 6.4).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::{UNITY, refusal, schema_of, seen, table_of};
use crate::sim::sql::Securable;
use crate::sim::sql::catalog::Privilege;

pub(super) fn routes() -> Vec<Route> {
    let direct = format!("{UNITY}/permissions/{{type}}/{{full_name}}");
    vec![
        Route::get(direct.clone(), get),
        Route::patch(direct, update),
        Route::get(format!("{UNITY}/effective-permissions/{{type}}/{{full_name}}"), effective),
    ]
}

/// The object of the path, if the caller sees it.
fn securable(call: &Call<'_>) -> Result<Securable, Refusal> {
    let name = call.captured("full_name");
    let kind = call.captured("type");
    let securable = match kind.to_lowercase().as_str() {
        "metastore" => Securable::Metastore,
        "catalog" => Securable::Catalog(name.to_lowercase()),
        "schema" => schema_of(name)?,
        "table" => Securable::Table(table_of(name)?),
        "volume" => Securable::Volume(table_of(name)?),
        _ => return Err(Refusal::invalid(format!("The securable type '{kind}' is not supported."))),
    };
    if securable != Securable::Metastore {
        seen(call, &securable)?;
    }
    Ok(securable)
}

fn get(call: &mut Call<'_>) -> Answer {
    let securable = securable(call)?;
    Ok(Reply::json(&direct(call, &securable)?))
}

/// The grants made here, for all or for the principal asked for; nothing at all where there are none.
fn direct(call: &Call<'_>, securable: &Securable) -> Result<Value, Refusal> {
    let facts = call.lakehouse.catalog().facts(securable).map_err(|e| refusal(&e))?;
    let asked = call.query().text("principal");
    let assignments: Vec<Value> = facts
        .grants
        .iter()
        .filter(|(principal, set)| asked.is_none_or(|asked| asked == principal.as_str()) && !set.is_empty())
        .map(|(principal, set)| {
            let privileges: Vec<&str> = set.iter().map(|privilege| privilege.rest()).collect();
            json!({"principal": principal, "privileges": privileges})
        })
        .collect();
    Ok(listed(assignments))
}

fn listed(assignments: Vec<Value>) -> Value {
    let mut body = Map::new();
    if !assignments.is_empty() {
        body.insert("privilege_assignments".to_owned(), assignments.into());
    }
    Value::Object(body)
}

fn effective(call: &mut Call<'_>) -> Answer {
    let securable = securable(call)?;
    let asked = call.query().text("principal");
    let grants = call.lakehouse.catalog().effective_grants(&securable).map_err(|e| refusal(&e))?;
    let mut held: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for grant in grants.into_iter().filter(|grant| asked.is_none_or(|asked| asked == grant.principal)) {
        let mut privilege = json!({"privilege": grant.privilege.rest()});
        if let (Some(from), Some(members)) = (grant.inherited_from, privilege.as_object_mut()) {
            members.insert("inherited_from_type".to_owned(), from.kind().into());
            members.insert("inherited_from_name".to_owned(), from.to_string().into());
        }
        held.entry(grant.principal).or_default().push(privilege);
    }
    let assignments = held.into_iter().map(|(principal, all)| json!({"principal": principal, "privileges": all}));
    Ok(Reply::json(&listed(assignments.collect())))
}

#[derive(Debug, Deserialize)]
struct Update {
    #[serde(default)]
    changes: Vec<Change>,
    #[serde(default)]
    omit_permissions_in_response: bool,
}

#[derive(Debug, Deserialize)]
struct Change {
    principal: Option<String>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

fn update(call: &mut Call<'_>) -> Answer {
    let securable = securable(call)?;
    let Update { changes, omit_permissions_in_response } = call.body()?;
    // All is checked before anything changes.
    let mut checked = Vec::new();
    for Change { principal, add, remove } in changes {
        let principal = principal.filter(|name| !name.is_empty());
        let principal = principal.ok_or_else(|| Refusal::invalid("Missing required field: principal"))?;
        let (add, remove) = (privileges(&add, &securable)?, privileges(&remove, &securable)?);
        if add.iter().any(|privilege| remove.contains(privilege)) {
            let text = format!("Duplicate privileges to add and delete for principal {principal}.");
            return Err(Refusal::invalid(text));
        }
        checked.push((principal, add, remove));
    }
    let (user, now) = (&call.principal.user_name, call.world.now());
    for (principal, add, remove) in checked {
        call.lakehouse.regrant(user, &securable, &principal, &remove, &add, now).map_err(|e| refusal(&e))?;
    }
    if omit_permissions_in_response {
        return Ok(Reply::empty());
    }
    Ok(Reply::json(&direct(call, &securable)?))
}

fn privileges(names: &[String], securable: &Securable) -> Result<Vec<Privilege>, Refusal> {
    let unknown = |name: &String| {
        let text = format!("Privilege {name} is not applicable to this entity [{securable}:{}].", securable.kind());
        Refusal::invalid(text)
    };
    names.iter().map(|name| Privilege::parse(name).ok_or_else(|| unknown(name))).collect()
}
