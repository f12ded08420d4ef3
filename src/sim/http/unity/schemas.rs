//! Schemas: list, create, get, update, delete.

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::catalogs::{Body, erase, revise};
use super::{UNITY, paged, refusal, schema_of, seen, told, with};
use crate::sim::sql::Securable;

pub(super) fn routes() -> Vec<Route> {
    let all = format!("{UNITY}/schemas");
    let one = format!("{UNITY}/schemas/{{full_name}}");
    vec![
        Route::get(all.clone(), list),
        Route::post(all, create),
        Route::get(one.clone(), get),
        Route::patch(one.clone(), update),
        Route::delete(one, delete),
    ]
}

/// A parameter that must be there.
pub(super) fn required(call: &Call<'_>, name: &str) -> Result<String, Refusal> {
    let missing = || Refusal::invalid(format!("Missing required field: {name}"));
    call.query().text(name).map(str::to_lowercase).ok_or_else(missing)
}

fn list(call: &mut Call<'_>) -> Answer {
    let of = required(call, "catalog_name")?;
    seen(call, &Securable::Catalog(of.clone()))?;
    let catalog = call.lakehouse.catalog();
    let schemas = catalog.catalog(&of).map_err(|e| refusal(&e))?.schemas.keys();
    let all = schemas.map(|name| Securable::Schema(of.clone(), name.clone()));
    let user = &call.principal.user_name;
    let items = all.filter(|schema| catalog.sees(user, schema)).map(|schema| render(call, &schema));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(&paged(call, &format!("schemas {of}"), "schemas", &items)?))
}

fn create(call: &mut Call<'_>) -> Answer {
    let body: Body = call.body()?;
    let of = body.catalog_name.clone().unwrap_or_default().to_lowercase();
    let schema = Securable::Schema(of.clone(), body.name()?.to_lowercase());
    seen(call, &Securable::Catalog(of))?;
    let now = call.world.now();
    call.lakehouse.create(&call.principal.user_name, &schema, &body.changes(), now).map_err(|e| refusal(&e))?;
    Ok(Reply::json(&render(call, &schema)?))
}

fn get(call: &mut Call<'_>) -> Answer {
    let schema = schema_of(call.captured("full_name"))?;
    seen(call, &schema)?;
    Ok(Reply::json(&render(call, &schema)?))
}

fn update(call: &mut Call<'_>) -> Answer {
    let schema = schema_of(call.captured("full_name"))?;
    let renamed = revise(call, schema)?;
    Ok(Reply::json(&render(call, &renamed)?))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let schema = schema_of(call.captured("full_name"))?;
    erase(call, &schema)
}

fn render(call: &Call<'_>, schema: &Securable) -> Result<Value, Refusal> {
    let facts = call.lakehouse.catalog().facts(schema).map_err(|e| refusal(&e))?;
    let full_name = schema.to_string();
    let (catalog, name) = full_name.split_once('.').unwrap_or_default();
    Ok(with(
        told(facts, call),
        json!({
            "name": name,
            "catalog_name": catalog,
            "full_name": full_name,
            "schema_id": facts.id.to_string(),
            "catalog_type": if catalog == "system" { "SYSTEM_CATALOG" } else { "MANAGED_CATALOG" },
            "browse_only": false,
            "enable_predictive_optimization": "INHERIT",
            "effective_predictive_optimization_flag": {
                "value": "ENABLE", "inherited_from_type": "METASTORE", "inherited_from_name": "lakeshift",
            },
        }),
    ))
}
