//! What `GET /state` tells: the truth that a console's screen can be compared with.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::deployment::{Deployment, Site};
use crate::domain::Instant;
use crate::sim::world::{RunsFilter, World};

/// How time runs.
pub(super) fn time(deployment: &Deployment) -> Value {
    let wall = deployment.wall_now();
    let pace = deployment.pace();
    json!({
        "now": iso(pace.world_at(wall)),
        "wall_now": iso(wall),
        "speed": pace.speed(),
        "paused": pace.is_paused(),
    })
}

/// Everything.
pub(super) fn describe(deployment: &Deployment) -> Value {
    let workspaces: Vec<Value> =
        deployment.with_world(|world| deployment.sites.iter().map(|site| workspace(world, site)).collect());
    let (requests, _) = deployment.log.newest(0, |_| false);
    json!({
        "scenario": deployment.setting.scenario,
        "seed": deployment.setting.seed,
        "time": time(deployment),
        "requests": requests,
        "faults": deployment.faults().planted().len(),
        "workspaces": workspaces,
    })
}

fn workspace(world: &World, site: &Site) -> Value {
    let query = RunsFilter { active_only: true, ..RunsFilter::default() };
    let key = site.environment;
    let active: Vec<Value> = world
        .runs(key, &query, None, usize::MAX)
        .runs
        .iter()
        .map(|run| {
            json!({
                "run_id": run.run_id,
                "job_id": run.job_id,
                "run_name": run.run_name,
                "life_cycle_state": run.phase.life_cycle_state(),
                "start_time": iso(run.start_time),
            })
        })
        .collect();
    let pipelines: Vec<Value> = world
        .pipelines(key)
        .iter()
        .map(|view| {
            json!({
                "pipeline_id": view.pipeline.pipeline_id,
                "name": view.pipeline.spec.name,
                "state": view.state.as_str(),
                "healthy": view.healthy,
                "latest_update": view.latest_updates.first().map(|update| json!({
                    "update_id": update.update_id,
                    "state": update.state.as_str(),
                })),
            })
        })
        .collect();
    let now = world.now();
    let warehouses: Vec<Value> = world
        .warehouses(key)
        .iter()
        .map(|warehouse| json!({"id": warehouse.id, "name": warehouse.name, "state": warehouse.state_at(now).as_str()}))
        .collect();
    json!({
        "name": site.name,
        "environment": site.environment.to_string(),
        "host": site.host,
        "workspace_id": site.workspace_id.to_string(),
        "jobs": world.jobs(key).len(),
        "active_runs": active,
        "pipelines": pipelines,
        "warehouses": warehouses,
    })
}

fn iso(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
