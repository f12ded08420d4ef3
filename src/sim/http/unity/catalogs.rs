//! Catalogs: list, create, get, update, delete.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::{UNITY, paged, refusal, seen, told, with};
use crate::sim::lakehouse::Changes;
use crate::sim::sql::Securable;

pub(super) fn routes() -> Vec<Route> {
    let all = format!("{UNITY}/catalogs");
    let one = format!("{UNITY}/catalogs/{{name}}");
    vec![
        Route::get(all.clone(), list),
        Route::post(all, create),
        Route::get(one.clone(), get),
        Route::patch(one.clone(), update),
        Route::delete(one, delete),
    ]
}

/// What may be said of a catalog or a schema.
#[derive(Debug, Deserialize)]
pub(super) struct Body {
    pub(super) name: Option<String>,
    pub(super) catalog_name: Option<String>,
    pub(super) new_name: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) properties: Option<BTreeMap<String, String>>,
}

impl Body {
    /// The name of what is to be made.
    pub(super) fn name(&self) -> Result<&str, Refusal> {
        let name = self.name.as_deref().unwrap_or_default();
        if name.is_empty() || name.contains(['.', '/', ' ']) || name.chars().any(char::is_control) {
            return Err(Refusal::invalid(format!("'{name}' is not a valid name.")));
        }
        Ok(name)
    }

    /// Everything but names.
    pub(super) fn changes(self) -> Changes {
        Changes { owner: self.owner, comment: self.comment, properties: self.properties }
    }
}

fn list(call: &mut Call<'_>) -> Answer {
    let catalog = call.lakehouse.catalog();
    let user = &call.principal.user_name;
    let names = catalog.catalogs.keys().filter(|name| catalog.sees(user, &Securable::Catalog((*name).clone())));
    let items = names.map(|name| render(call, name)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(&paged(call, "catalogs", "catalogs", &items)?))
}

fn get(call: &mut Call<'_>) -> Answer {
    let name = call.captured("name").to_lowercase();
    seen(call, &Securable::Catalog(name.clone()))?;
    Ok(Reply::json(&render(call, &name)?))
}

fn create(call: &mut Call<'_>) -> Answer {
    let body: Body = call.body()?;
    let name = body.name()?.to_lowercase();
    let now = call.world.now();
    let user = &call.principal.user_name;
    call.lakehouse.create(user, &Securable::Catalog(name.clone()), &body.changes(), now).map_err(|e| refusal(&e))?;
    Ok(Reply::json(&render(call, &name)?))
}

fn update(call: &mut Call<'_>) -> Answer {
    let securable = Securable::Catalog(call.captured("name").to_lowercase());
    let renamed = revise(call, securable)?;
    Ok(Reply::json(&render(call, &renamed.to_string())?))
}

/// Changes a catalog or a schema as the body says, its name last.
pub(super) fn revise(call: &mut Call<'_>, securable: Securable) -> Result<Securable, Refusal> {
    seen(call, &securable)?;
    let body: Body = call.body()?;
    let new_name = body.new_name.clone();
    let now = call.world.now();
    let user = &call.principal.user_name;
    call.lakehouse.change(user, &securable, body.changes(), now).map_err(|e| refusal(&e))?;
    match new_name {
        Some(name) => call.lakehouse.rename(user, &securable, &name).map_err(|e| refusal(&e)),
        None => Ok(securable),
    }
}

fn delete(call: &mut Call<'_>) -> Answer {
    let securable = Securable::Catalog(call.captured("name").to_lowercase());
    erase(call, &securable)
}

/// Removes an object, by force where the question says so.
pub(super) fn erase(call: &mut Call<'_>, securable: &Securable) -> Answer {
    seen(call, securable)?;
    let force = call.query().boolean("force")?;
    let now = call.world.now();
    call.lakehouse.remove(&call.principal.user_name, securable, force, now).map_err(|e| refusal(&e))?;
    Ok(Reply::empty())
}

fn render(call: &Call<'_>, name: &str) -> Result<Value, Refusal> {
    let entry = call.lakehouse.catalog().catalog(name).map_err(|e| refusal(&e))?;
    let catalog_type = if name == "system" { "SYSTEM_CATALOG" } else { "MANAGED_CATALOG" };
    Ok(with(
        told(&entry.facts, call),
        json!({
            "name": name,
            "full_name": name,
            "id": entry.facts.id.to_string(),
            "catalog_type": catalog_type,
            "isolation_mode": "OPEN",
            "securable_type": "CATALOG",
            "securable_kind": if name == "system" { "CATALOG_SYSTEM" } else { "CATALOG_STANDARD" },
            "accessible_in_current_workspace": true,
            "browse_only": false,
            "provisioning_info": {"state": "ACTIVE"},
            "enable_predictive_optimization": "INHERIT",
        }),
    ))
}
