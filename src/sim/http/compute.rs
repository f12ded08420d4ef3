//! Clusters that are not a job's, and instance pools: described, listed, started, stopped, gone (databricks-api.md 7.3).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access;
use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::jobs::required;
use super::route::Route;
use crate::domain::Instant;
use crate::sim::world::principal::{Level, Object};
use crate::sim::world::shelf::{Item, Kind};

pub(super) fn routes() -> Vec<Route> {
    let pool = |rest: &str| format!("/api/2.0/instance-pools/{rest}");
    let clusters = ["2.0", "2.1"].into_iter().flat_map(|version| {
        let path = |rest: &str| format!("/api/{version}/clusters/{rest}");
        [
            Route::get(path("list"), list_clusters),
            Route::get(path("get"), get_cluster),
            Route::post(path("create"), create_cluster),
            Route::post(path("edit"), edit_cluster),
            Route::post(path("resize"), resize_cluster),
            Route::post(path("start"), start_cluster),
            Route::post(path("delete"), stop_cluster),
            Route::post(path("permanent-delete"), delete_cluster),
            Route::get(path("list-node-types"), node_types),
            Route::get(path("spark-versions"), spark_versions),
        ]
    });
    let pools = [
        Route::get(pool("list"), list_pools),
        Route::get(pool("get"), get_pool),
        Route::post(pool("create"), create_pool),
        Route::post(pool("edit"), edit_pool),
        Route::post(pool("delete"), delete_pool),
    ];
    clusters.chain(pools).collect()
}

#[derive(Deserialize)]
struct Named {
    cluster_id: Option<String>,
    instance_pool_id: Option<String>,
}

/// Something on the shelf that the caller may do this with.
fn found<'a>(call: &'a mut Call<'_>, kind: Kind, id: &str, level: Level) -> Result<&'a mut Item, Refusal> {
    let (object, missing) = match kind {
        Kind::Pool => {
            (Object::Pool(id.to_owned()), Refusal::missing(format!("Can't find an instance pool with id: {id}.")))
        }
        _ => (Object::Cluster(id.to_owned()), Refusal::invalid(format!("Cluster {id} does not exist"))),
    };
    access::need(call, &object, level, || {
        format!("{} does not have the permissions that this needs on {id}.", call.principal.user_name)
    })?;
    let workspace = call.workspace();
    call.world.item_mut(workspace, kind, id).ok_or(missing)
}

fn seen<'a>(call: &'a Call<'_>, kind: Kind) -> Vec<&'a Item> {
    let object = |item: &Item| match kind {
        Kind::Pool => Object::Pool(item.id.clone()),
        _ => Object::Cluster(item.id.clone()),
    };
    let mut items = call.world.shelf(call.workspace(), kind);
    items.retain(|item| call.world.level(call.workspace(), &object(item), call.principal).is_some());
    items
}

fn render_cluster(item: &Item, now: Instant) -> Value {
    let mut body = item.body.clone();
    body.insert("cluster_id".to_owned(), item.id.clone().into());
    body.insert("creator_user_name".to_owned(), item.creator_user_name.clone().into());
    body.insert("state".to_owned(), item.cluster_state(now).into());
    body.insert("state_message".to_owned(), "".into());
    body.insert("start_time".to_owned(), item.created_at.timestamp_millis().into());
    body.insert("cluster_source".to_owned(), "API".into());
    for (key, value) in [("enable_elastic_disk", json!(true)), ("enable_local_disk_encryption", json!(false))] {
        body.entry(key).or_insert(value);
    }
    if let Some(node) = body.get("node_type_id").cloned() {
        body.entry("driver_node_type_id").or_insert(node);
    }
    body.insert("spec".to_owned(), Value::Object(item.body.clone()));
    Value::Object(body)
}

fn list_clusters(call: &mut Call<'_>) -> Answer {
    let now = call.world.now();
    let clusters: Vec<Value> = seen(call, Kind::Cluster).into_iter().map(|item| render_cluster(item, now)).collect();
    Ok(if clusters.is_empty() { Reply::empty() } else { Reply::json(&json!({"clusters": clusters})) })
}

fn get_cluster(call: &mut Call<'_>) -> Answer {
    let id = required(call.query().text("cluster_id").map(str::to_owned), "cluster_id")?;
    let now = call.world.now();
    Ok(Reply::json(&render_cluster(found(call, Kind::Cluster, &id, Level::View)?, now)))
}

fn create_cluster(call: &mut Call<'_>) -> Answer {
    let mut body: Map<String, Value> = call.body()?;
    required(body.get("spark_version"), "spark_version")?;
    body.shift_remove("apply_policy_default_values");
    let id = call.world.put_up(call.workspace(), Kind::Cluster, call.principal, body);
    Ok(Reply::json(&json!({"cluster_id": id})))
}

fn cluster_id(call: &Call<'_>) -> Result<String, Refusal> {
    required(call.body::<Named>()?.cluster_id, "cluster_id")
}

fn edit_cluster(call: &mut Call<'_>) -> Answer {
    let id = cluster_id(call)?;
    let mut body: Map<String, Value> = call.body()?;
    for own in ["cluster_id", "apply_policy_default_values"] {
        body.shift_remove(own);
    }
    found(call, Kind::Cluster, &id, Level::Manage)?.body = body;
    Ok(Reply::empty())
}

fn resize_cluster(call: &mut Call<'_>) -> Answer {
    let (id, now) = (cluster_id(call)?, call.world.now());
    let body: Map<String, Value> = call.body()?;
    let item = found(call, Kind::Cluster, &id, Level::Manage)?;
    if item.cluster_state(now) != "RUNNING" {
        return Err(Refusal::state(format!("Cluster {id} is in unexpected state {}.", item.cluster_state(now))));
    }
    for size in ["num_workers", "autoscale"] {
        item.body.shift_remove(size);
        if let Some(value) = body.get(size) {
            item.body.insert(size.to_owned(), value.clone());
        }
    }
    Ok(Reply::empty())
}

fn start_cluster(call: &mut Call<'_>) -> Answer {
    let (id, now) = (cluster_id(call)?, call.world.now());
    let item = found(call, Kind::Cluster, &id, Level::Run)?;
    if item.cluster_state(now) != "TERMINATED" {
        return Err(Refusal::state(format!("Cluster {id} is in unexpected state {}.", item.cluster_state(now))));
    }
    item.ordered = (now, true);
    Ok(Reply::empty())
}

fn stop_cluster(call: &mut Call<'_>) -> Answer {
    let (id, now) = (cluster_id(call)?, call.world.now());
    found(call, Kind::Cluster, &id, Level::Run)?.ordered = (now, false);
    Ok(Reply::empty())
}

fn delete_cluster(call: &mut Call<'_>) -> Answer {
    let id = cluster_id(call)?;
    found(call, Kind::Cluster, &id, Level::Manage)?;
    let workspace = call.workspace();
    call.world.take_down(workspace, Kind::Cluster, &id);
    Ok(Reply::empty())
}

/// Name, memory in MiB, cores: as many as templates and look-ups of the smallest need.
const NODE_TYPES: [(&str, u64, u64); 4] =
    [("i3.xlarge", 31_232, 4), ("i3.2xlarge", 62_464, 8), ("m6id.large", 8_192, 2), ("r6id.xlarge", 32_768, 4)];

fn node_types(_: &mut Call<'_>) -> Answer {
    let types: Vec<Value> = NODE_TYPES
        .iter()
        .map(|(name, memory_mb, cores)| {
            json!({
                "node_type_id": name, "instance_type_id": name, "description": name, "memory_mb": memory_mb, "num_cores": cores,
                "is_deprecated": false, "is_graviton": false, "is_hidden": false, "is_io_cache_enabled": true,
                "category": "General Purpose", "num_gpus": 0, "support_cluster_tags": true, "support_ebs_volumes": true,
                "photon_driver_capable": true, "photon_worker_capable": true,
                "node_instance_type": {"instance_type_id": name, "local_disks": 1, "local_disk_size_gb": 118, "local_nvme_disks": 1},
            })
        })
        .collect();
    Ok(Reply::json(&json!({"node_types": types})))
}

fn spark_versions(_: &mut Call<'_>) -> Answer {
    let versions: Vec<Value> = [("17.3", "4.0.0", "2.13"), ("16.4", "3.5.2", "2.12"), ("15.4", "3.5.0", "2.12")]
        .into_iter()
        .map(|(runtime, spark, scala)| {
            json!({
                "key": format!("{runtime}.x-scala{scala}"),
                "name": format!("{runtime} LTS (includes Apache Spark {spark}, Scala {scala})"),
            })
        })
        .collect();
    Ok(Reply::json(&json!({"versions": versions})))
}

fn render_pool(item: &Item) -> Value {
    let mut body = item.body.clone();
    body.insert("instance_pool_id".to_owned(), item.id.clone().into());
    body.insert("state".to_owned(), "ACTIVE".into());
    body.insert(
        "stats".to_owned(),
        json!({"used_count": 0, "idle_count": 0, "pending_used_count": 0, "pending_idle_count": 0}),
    );
    Value::Object(body)
}

fn list_pools(call: &mut Call<'_>) -> Answer {
    let pools: Vec<Value> = seen(call, Kind::Pool).into_iter().map(render_pool).collect();
    Ok(if pools.is_empty() { Reply::empty() } else { Reply::json(&json!({"instance_pools": pools})) })
}

fn get_pool(call: &mut Call<'_>) -> Answer {
    let id = required(call.query().text("instance_pool_id").map(str::to_owned), "instance_pool_id")?;
    Ok(Reply::json(&render_pool(found(call, Kind::Pool, &id, Level::View)?)))
}

fn create_pool(call: &mut Call<'_>) -> Answer {
    let body: Map<String, Value> = call.body()?;
    required(body.get("instance_pool_name"), "instance_pool_name")?;
    required(body.get("node_type_id"), "node_type_id")?;
    let id = call.world.put_up(call.workspace(), Kind::Pool, call.principal, body);
    Ok(Reply::json(&json!({"instance_pool_id": id})))
}

fn edit_pool(call: &mut Call<'_>) -> Answer {
    let id = required(call.body::<Named>()?.instance_pool_id, "instance_pool_id")?;
    let mut body: Map<String, Value> = call.body()?;
    body.shift_remove("instance_pool_id");
    found(call, Kind::Pool, &id, Level::Manage)?.body = body;
    Ok(Reply::empty())
}

fn delete_pool(call: &mut Call<'_>) -> Answer {
    let id = required(call.body::<Named>()?.instance_pool_id, "instance_pool_id")?;
    found(call, Kind::Pool, &id, Level::Manage)?;
    let workspace = call.workspace();
    call.world.take_down(workspace, Kind::Pool, &id);
    Ok(Reply::empty())
}
