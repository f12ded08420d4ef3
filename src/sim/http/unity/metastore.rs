//! The metastore of all workspaces: which it is, and its system schemas.

use serde_json::{Value, json};

use super::super::answer::{Answer, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::{UNITY, paged, refusal, told, with};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(format!("{UNITY}/current-metastore-assignment"), assignment),
        Route::get(format!("{UNITY}/metastore_summary"), summary),
        Route::get(format!("{UNITY}/metastores/{{metastore_id}}/systemschemas"), system_schemas),
    ]
}

fn assignment(call: &mut Call<'_>) -> Answer {
    Ok(Reply::json(&json!({
        "workspace_id": call.site().workspace_id,
        "metastore_id": call.lakehouse.catalog().metastore.id.to_string(),
        "default_catalog_name": "main",
    })))
}

fn summary(call: &mut Call<'_>) -> Answer {
    let facts = &call.lakehouse.catalog().metastore;
    Ok(Reply::json(&with(
        told(facts, call),
        json!({
            "name": "lakeshift",
            "cloud": "aws",
            "region": "us-east-1",
            "global_metastore_id": format!("aws:us-east-1:{}", facts.id),
            "privilege_model_version": "1.0",
            "delta_sharing_scope": "INTERNAL",
            "storage_root": format!("s3://lakeshift-simulated/metastore/{}", facts.id),
        }),
    )))
}

fn system_schemas(call: &mut Call<'_>) -> Answer {
    let system = call.lakehouse.catalog().catalog("system").map_err(|e| refusal(&e))?;
    let schemas: Vec<Value> =
        system.schemas.keys().map(|schema| json!({"schema": schema, "state": "ENABLE_COMPLETED"})).collect();
    Ok(Reply::json(&paged(call, "system schemas", "schemas", &schemas)?))
}
