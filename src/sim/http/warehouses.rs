//! SQL warehouses: list, get, create, edit, delete, start, stop (databricks-api.md 5.5).

use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::page;
use super::route::Route;
use crate::domain::Instant;
use crate::sim::world::principal::Level;
use crate::sim::world::warehouse::{Warehouse, WarehouseSpec};

const WAREHOUSES: &str = "/api/2.0/sql/warehouses";

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("{WAREHOUSES}/{{id}}{rest}");
    vec![
        Route::get(WAREHOUSES, list),
        Route::post(WAREHOUSES, create),
        Route::get(path(""), get),
        Route::delete(path(""), delete),
        Route::post(path("/edit"), edit),
        Route::post(path("/start"), start),
        Route::post(path("/stop"), stop),
    ]
}

fn list(call: &mut Call<'_>) -> Answer {
    let size = call.query().integer("page_size")?.unwrap_or(100).clamp(1, 1000);
    let size = usize::try_from(size).unwrap_or_default();
    let offset = page::offset("warehouses", call.query().text("page_token"))?;
    let sight = access::Sight::of(call);
    let now = call.world.now();
    let seen: Vec<Value> = call
        .world
        .warehouses(call.workspace())
        .iter()
        .filter(|warehouse| sight.warehouse(&warehouse.id))
        .map(|warehouse| render(warehouse, call, now))
        .collect();
    let (window, next) = page::window(&seen, offset, size);
    let mut body = Map::new();
    if !window.is_empty() {
        body.insert("warehouses".to_owned(), window.to_vec().into());
    }
    if let Some(next) = next {
        body.insert("next_page_token".to_owned(), page::token("warehouses", &next.to_string()).into());
    }
    Ok(Reply::json(&body))
}

fn warehouse(call: &mut Call<'_>, level: Level) -> Result<String, Refusal> {
    let id = call.captured("id").to_owned();
    access::warehouse(call, &id, level)?;
    Ok(id)
}

fn get(call: &mut Call<'_>) -> Answer {
    let id = warehouse(call, Level::View)?;
    let warehouse = call.world.warehouse(call.workspace(), &id)?;
    Ok(Reply::json(&render(warehouse, call, call.world.now())))
}

/// The specification, without what is the server's to say.
fn spec(call: &Call<'_>) -> Result<WarehouseSpec, Refusal> {
    let mut spec: WarehouseSpec = call.body()?;
    for own in ["id", "creator_name", "state", "num_clusters", "jdbc_url", "odbc_params", "health"] {
        spec.extra.shift_remove(own);
    }
    Ok(spec)
}

fn create(call: &mut Call<'_>) -> Answer {
    let spec = spec(call)?;
    if !access::knows_all(call.principal) {
        let user = &call.principal.user_name;
        return Err(Refusal::denied(format!("{user} is not authorized to create SQL Endpoints.")));
    }
    let id = call.world.create_warehouse(call.workspace(), call.principal, spec)?;
    Ok(Reply::json(&json!({ "id": id })))
}

fn edit(call: &mut Call<'_>) -> Answer {
    let id = warehouse(call, Level::Manage)?;
    let spec = spec(call)?;
    call.world.edit_warehouse(call.workspace(), &id, spec)?;
    Ok(Reply::empty())
}

fn delete(call: &mut Call<'_>) -> Answer {
    let id = warehouse(call, Level::Manage)?;
    call.world.delete_warehouse(call.workspace(), &id)?;
    call.lakehouse.warehouse_stopped(call.workspace(), &id, call.world.now());
    Ok(Reply::empty())
}

fn start(call: &mut Call<'_>) -> Answer {
    let id = warehouse(call, Level::Run)?;
    call.world.start_warehouse(call.workspace(), &id)?;
    Ok(Reply::empty())
}

fn stop(call: &mut Call<'_>) -> Answer {
    let id = warehouse(call, Level::Manage)?;
    call.world.stop_warehouse(call.workspace(), &id)?;
    call.lakehouse.warehouse_stopped(call.workspace(), &id, call.world.now());
    Ok(Reply::empty())
}

fn render(warehouse: &Warehouse, call: &Call<'_>, now: Instant) -> Value {
    let authority = call.site().host.trim_start_matches("http://");
    let (hostname, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    let path = format!("/sql/1.0/warehouses/{}", warehouse.id);
    let mut body = json!({
        "id": warehouse.id,
        "name": warehouse.name,
        "state": warehouse.state_at(now).as_str(),
        "cluster_size": warehouse.cluster_size,
        "min_num_clusters": warehouse.min_num_clusters,
        "max_num_clusters": warehouse.max_num_clusters,
        "num_clusters": warehouse.num_clusters_at(now),
        "num_active_sessions": 0,
        "auto_stop_mins": warehouse.auto_stop_mins,
        "enable_photon": true,
        "enable_serverless_compute": warehouse.serverless,
        "warehouse_type": "PRO",
        "channel": {"name": "CHANNEL_NAME_CURRENT"},
        "spot_instance_policy": "COST_OPTIMIZED",
        "creator_name": warehouse.creator_name,
        "jdbc_url": format!("jdbc:databricks://{authority}/default;transportMode=http;AuthMech=3;httpPath={path};"),
        "odbc_params": {"hostname": hostname, "path": path, "protocol": "https", "port": port.parse::<u16>().unwrap_or(443)},
        "health": {"status": "HEALTHY"},
    });
    if let Value::Object(members) = &mut body {
        members.extend(warehouse.extra.clone());
    }
    body
}
