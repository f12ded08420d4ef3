//! Volumes: list, create, read, update, delete. Their files are not served.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::catalogs::erase;
use super::schemas::required;
use super::{UNITY, paged, refusal, seen, table_of, told, with};
use crate::sim::lakehouse::Changes;
use crate::sim::sql::{Securable, TableName};

pub(super) fn routes() -> Vec<Route> {
    let all = format!("{UNITY}/volumes");
    let one = format!("{UNITY}/volumes/{{full_name}}");
    vec![
        Route::get(all.clone(), list),
        Route::post(all, create),
        Route::get(one.clone(), get),
        Route::patch(one.clone(), update),
        Route::delete(one, delete),
    ]
}

#[derive(Debug, Deserialize)]
struct Body {
    catalog_name: Option<String>,
    schema_name: Option<String>,
    name: Option<String>,
    volume_type: Option<String>,
    storage_location: Option<String>,
    comment: Option<String>,
    owner: Option<String>,
}

fn list(call: &mut Call<'_>) -> Answer {
    let (catalog, schema) = (required(call, "catalog_name")?, required(call, "schema_name")?);
    seen(call, &Securable::Schema(catalog.clone(), schema.clone()))?;
    let entry = call.lakehouse.catalog().schema(&catalog, &schema).map_err(|e| refusal(&e))?;
    let user = &call.principal.user_name;
    let names = entry.volumes.keys().map(|volume| TableName::new(&catalog, &schema, volume));
    let names = names.filter(|name| call.lakehouse.catalog().sees(user, &Securable::Volume(name.clone())));
    let items = names.map(|name| render(call, &name)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(&paged(call, &format!("volumes {catalog}.{schema}"), "volumes", &items)?))
}

fn create(call: &mut Call<'_>) -> Answer {
    let body: Body = call.body()?;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let name = TableName::new(&part(&body.catalog_name), &part(&body.schema_name), &part(&body.name));
    seen(call, &Securable::Schema(name.catalog.clone(), name.schema.clone()))?;
    let location = match (body.volume_type.as_deref(), body.storage_location) {
        (None | Some("MANAGED"), None) => None,
        (Some("EXTERNAL"), Some(location)) => Some(location),
        (Some("EXTERNAL"), None) => return Err(Refusal::invalid("An external volume needs a storage_location.")),
        (_, Some(_)) => return Err(Refusal::invalid("A managed volume takes no storage_location.")),
        (Some(other), None) => return Err(Refusal::invalid(format!("'{other}' is not a volume_type."))),
    };
    let changes = Changes { comment: body.comment, ..Changes::default() };
    let volume = Securable::Volume(name.clone());
    let now = call.world.now();
    call.lakehouse.create(&call.principal.user_name, &volume, &changes, now).map_err(|e| refusal(&e))?;
    call.lakehouse.place_volume(&name, location).map_err(|e| refusal(&e))?;
    Ok(Reply::json(&render(call, &name)?))
}

fn get(call: &mut Call<'_>) -> Answer {
    let name = table_of(call.captured("full_name"))?;
    seen(call, &Securable::Volume(name.clone()))?;
    Ok(Reply::json(&render(call, &name)?))
}

fn update(call: &mut Call<'_>) -> Answer {
    let name = table_of(call.captured("full_name"))?;
    let volume = Securable::Volume(name.clone());
    seen(call, &volume)?;
    let Body { owner, comment, .. } = call.body()?;
    let changes = Changes { owner, comment, properties: None };
    let now = call.world.now();
    call.lakehouse.change(&call.principal.user_name, &volume, changes, now).map_err(|e| refusal(&e))?;
    Ok(Reply::json(&render(call, &name)?))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let volume = Securable::Volume(table_of(call.captured("full_name"))?);
    erase(call, &volume)
}

fn render(call: &Call<'_>, name: &TableName) -> Result<Value, Refusal> {
    let catalog = call.lakehouse.catalog();
    let schema = catalog.schema(&name.catalog, &name.schema).map_err(|e| refusal(&e))?;
    let there = schema.volumes.get(&name.table);
    let volume = there.ok_or_else(|| super::not_there(&Securable::Volume(name.clone())))?;
    let id = volume.facts.id;
    let managed = || format!("s3://lakeshift-simulated/metastore/{}/volumes/{id}", catalog.metastore.id);
    Ok(with(
        told(&volume.facts, call),
        json!({
            "name": name.table,
            "catalog_name": name.catalog,
            "schema_name": name.schema,
            "full_name": name.to_string(),
            "volume_id": id.to_string(),
            "volume_type": if volume.location.is_some() { "EXTERNAL" } else { "MANAGED" },
            "storage_location": volume.location.clone().unwrap_or_else(managed),
            "browse_only": false,
        }),
    ))
}
