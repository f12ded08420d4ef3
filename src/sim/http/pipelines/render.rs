//! Pipelines, updates and events as the wire spells them (databricks-api.md 4.2, 4.5).

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::domain::Instant;
use crate::sim::http::deployment::Site;
use crate::sim::world::pipeline::{Event, PipelineSpec, PipelineView, Update};

/// A pipeline of a listing.
pub(super) fn listed(view: &PipelineView) -> Value {
    let mut body = state(view);
    body.insert("name".to_owned(), view.pipeline.spec.name.clone().into());
    Value::Object(body)
}

/// One pipeline.
pub(super) fn whole(view: &PipelineView) -> Value {
    let mut body = state(view);
    let pipeline = &view.pipeline;
    body.insert("name".to_owned(), pipeline.spec.name.clone().into());
    body.insert("spec".to_owned(), json!(pipeline.spec));
    body.insert("last_modified".to_owned(), pipeline.last_modified.timestamp_millis().into());
    let legacy = pipeline.spec.extra.contains_key("target");
    let mode = if legacy { "LEGACY_PUBLISHING_MODE" } else { "DEFAULT_PUBLISHING_MODE" };
    body.insert("effective_publishing_mode".to_owned(), mode.into());
    if let Some(cause) = &view.cause {
        body.insert("cause".to_owned(), cause.clone().into());
    }
    body.extend(pipeline.beside.clone());
    Value::Object(body)
}

fn state(view: &PipelineView) -> Map<String, Value> {
    let latest: Vec<Value> = view
        .latest_updates
        .iter()
        .map(|update| {
            json!({
                "update_id": update.update_id,
                "state": update.state.as_str(),
                // Text here, an integer in the updates themselves.
                "creation_time": iso(update.creation_time),
            })
        })
        .collect();
    let mut body = Map::new();
    body.insert("pipeline_id".to_owned(), view.pipeline.pipeline_id.clone().into());
    body.insert("state".to_owned(), view.state.as_str().into());
    body.insert("health".to_owned(), if view.healthy { "HEALTHY" } else { "UNHEALTHY" }.into());
    body.insert("creator_user_name".to_owned(), view.pipeline.creator_user_name.clone().into());
    body.insert("run_as_user_name".to_owned(), view.pipeline.run_as_user_name.clone().into());
    if let Some(cluster) = &view.cluster_id {
        body.insert("cluster_id".to_owned(), cluster.clone().into());
    }
    if !latest.is_empty() {
        body.insert("latest_updates".to_owned(), latest.into());
    }
    body
}

/// An update, with the specification that it ran with.
pub(super) fn update(update: &Update, spec: &PipelineSpec) -> Value {
    let mut body = Map::new();
    body.insert("pipeline_id".to_owned(), update.pipeline_id.clone().into());
    body.insert("update_id".to_owned(), update.update_id.clone().into());
    body.insert("config".to_owned(), json!(spec));
    body.insert("cause".to_owned(), update.cause.as_str().into());
    body.insert("state".to_owned(), update.state.as_str().into());
    body.insert("creation_time".to_owned(), update.creation_time.timestamp_millis().into());
    body.insert("full_refresh".to_owned(), update.full_refresh.into());
    body.insert("validate_only".to_owned(), update.validate_only.into());
    body.insert("mode".to_owned(), if spec.is_continuous() { "CONTINUOUS" } else { "DEFAULT" }.into());
    if let Some(cluster) = &update.cluster_id {
        body.insert("cluster_id".to_owned(), cluster.clone().into());
    }
    for (key, selection) in
        [("refresh_selection", &update.refresh_selection), ("full_refresh_selection", &update.full_refresh_selection)]
    {
        if !selection.is_empty() {
            body.insert(key.to_owned(), json!(selection));
        }
    }
    Value::Object(body)
}

/// An event.
pub(super) fn event(event: &Event, site: &Site) -> Value {
    let mut origin = Map::new();
    origin.insert("cloud".to_owned(), "AWS".into());
    origin.insert("region".to_owned(), "eu-west-1".into());
    origin.insert("org_id".to_owned(), site.workspace_id.into());
    origin.insert("pipeline_type".to_owned(), "WORKSPACE".into());
    origin.insert("pipeline_id".to_owned(), event.pipeline_id.clone().into());
    origin.insert("pipeline_name".to_owned(), event.pipeline_name.clone().into());
    for (key, value) in [
        ("update_id", &event.update_id),
        ("flow_id", &event.flow_id),
        ("flow_name", &event.flow_name),
        ("dataset_name", &event.flow_name),
    ] {
        if let Some(value) = value {
            origin.insert(key.to_owned(), value.clone().into());
        }
    }
    let mut body = Map::new();
    body.insert("id".to_owned(), event.id.clone().into());
    body.insert("sequence".to_owned(), json!({"data_plane_id": {"instance": "execution", "seq_no": event.sequence}}));
    body.insert("origin".to_owned(), Value::Object(origin));
    body.insert("timestamp".to_owned(), iso(event.timestamp).into());
    body.insert("message".to_owned(), event.message.clone().into());
    body.insert("level".to_owned(), event.level.as_str().into());
    body.insert("maturity_level".to_owned(), "STABLE".into());
    body.insert("event_type".to_owned(), event.event_type.into());
    body.insert("details".to_owned(), json!({event.event_type: event.details}));
    if let Some(error) = &event.error {
        body.insert(
            "error".to_owned(),
            json!({
                "fatal": error.fatal,
                "exceptions": [{"class_name": error.class_name, "message": error.message}],
            }),
        );
    }
    Value::Object(body)
}

fn iso(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
