//! Pipelines as the Pipelines API 2.0 writes them (databricks-api.md 4.2 to 4.4).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Int, instant, instant_text, object, said};
use crate::domain::ids::{PipelineId, UpdateId};
use crate::domain::pipeline::{Pipeline as DomainPipeline, PipelineState, Update, UpdateState};

object! {
    /// Answer of `GET /pipelines`.
    PipelineList {
        statuses: Vec<Pipeline>,
        next_page_token: String,
    }
    /// `PipelineStateInfo` of the listing and the answer of `GET /pipelines/{pipeline_id}`.
    Pipeline {
        pipeline_id: String,
        name: String,
        state: String,
        health: String,
        cause: String,
        cluster_id: String,
        creator_user_name: String,
        run_as_user_name: String,
        last_modified: Int,
        latest_updates: Vec<UpdateStateInfo>,
        effective_publishing_mode: String,
        spec: PipelineSpec,
    }
    /// `UpdateStateInfo`: its instant is text, unlike `UpdateInfo`'s.
    UpdateStateInfo {
        update_id: String,
        state: String,
        creation_time: String,
    }
    /// The specification; what lakeshift does not read rides along, so that it can be written back whole.
    PipelineSpec {
        id: String,
        name: String,
        catalog: String,
        schema: String,
        target: String,
        continuous: bool,
        development: bool,
        channel: String,
        tags: BTreeMap<String, String>,
    } + rest
    UpdateList {
        updates: Vec<UpdateInfo>,
        next_page_token: String,
        prev_page_token: String,
    }
    UpdateAnswer {
        update: UpdateInfo,
    }
    UpdateInfo {
        update_id: String,
        pipeline_id: String,
        state: String,
        cause: String,
        creation_time: Int,
        cluster_id: String,
        full_refresh: bool,
        validate_only: bool,
        refresh_selection: Vec<String>,
        full_refresh_selection: Vec<String>,
        mode: String,
        config: Map<String, Value>,
    }
    /// Body of `POST /pipelines/{pipeline_id}/updates`.
    StartUpdateRequest {
        full_refresh: bool,
        refresh_selection: Vec<String>,
        full_refresh_selection: Vec<String>,
        reset_checkpoint_selection: Vec<String>,
        validate_only: bool,
        development: bool,
        cause: String,
        parameters: BTreeMap<String, String>,
    }
    StartUpdateResponse {
        update_id: String,
    }
}

fn pipeline_state(text: &str) -> PipelineState {
    match text {
        "IDLE" => PipelineState::Idle,
        "DEPLOYING" => PipelineState::Deploying,
        "STARTING" => PipelineState::Starting,
        "RUNNING" => PipelineState::Running,
        "STOPPING" => PipelineState::Stopping,
        "RECOVERING" => PipelineState::Recovering,
        "RESETTING" => PipelineState::Resetting,
        "FAILED" => PipelineState::Failed,
        "DELETED" => PipelineState::Deleted,
        other => PipelineState::Unknown(other.to_owned()),
    }
}

fn update_state(text: &str) -> UpdateState {
    match text {
        "QUEUED" => UpdateState::Queued,
        "CREATED" => UpdateState::Created,
        "WAITING_FOR_RESOURCES" => UpdateState::WaitingForResources,
        "INITIALIZING" => UpdateState::Initializing,
        "RESETTING" => UpdateState::Resetting,
        "SETTING_UP_TABLES" => UpdateState::SettingUpTables,
        "RUNNING" => UpdateState::Running,
        "STOPPING" => UpdateState::Stopping,
        "COMPLETED" => UpdateState::Completed,
        "FAILED" => UpdateState::Failed,
        "CANCELED" => UpdateState::Canceled,
        other => UpdateState::Unknown(other.to_owned()),
    }
}

impl UpdateStateInfo {
    fn into_domain(self) -> Option<Update> {
        Some(Update {
            id: UpdateId::new(self.update_id?),
            state: update_state(self.state.as_deref().unwrap_or_default()),
            cause: None,
            created_at: instant_text(self.creation_time.as_deref()),
            full_refresh: false,
            validate_only: false,
        })
    }
}

impl UpdateInfo {
    /// The update as operations see it; none without an id, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<Update> {
        Some(Update {
            id: UpdateId::new(self.update_id?),
            state: update_state(self.state.as_deref().unwrap_or_default()),
            cause: said(self.cause),
            created_at: instant(self.creation_time),
            full_refresh: self.full_refresh.unwrap_or(false),
            validate_only: self.validate_only.unwrap_or(false),
        })
    }
}

impl PipelineSpec {
    /// Catalog and schema where it publishes; a pipeline without a catalog publishes to the metastore of Hive.
    fn publishes_to(&self) -> Option<String> {
        let schema = self.schema.as_deref().or(self.target.as_deref()).filter(|name| !name.is_empty());
        match (self.catalog.as_deref().filter(|name| !name.is_empty()), schema) {
            (Some(catalog), Some(schema)) => Some(format!("{catalog}.{schema}")),
            (Some(catalog), None) => Some(catalog.to_owned()),
            (None, Some(schema)) => Some(format!("hive_metastore.{schema}")),
            (None, None) => None,
        }
    }
}

impl Pipeline {
    /// The pipeline as operations see it; none without an id, which the platform never leaves out.
    pub(crate) fn into_domain(self) -> Option<DomainPipeline> {
        let target = self.spec.as_ref().and_then(PipelineSpec::publishes_to);
        let detailed = self.spec.is_some();
        let spec = self.spec.unwrap_or_default();
        Some(DomainPipeline {
            id: PipelineId::new(self.pipeline_id?),
            name: self.name.or(spec.name).unwrap_or_default(),
            state: pipeline_state(self.state.as_deref().unwrap_or_default()),
            healthy: self.health.as_deref() != Some("UNHEALTHY"),
            cause: said(self.cause),
            // An absent flag in a specification means its default; a missing specification means not known.
            continuous: detailed.then(|| spec.continuous.unwrap_or(false)),
            target,
            channel: detailed.then(|| spec.channel.unwrap_or_else(|| "CURRENT".to_owned())),
            development: detailed.then(|| spec.development.unwrap_or(false)),
            tags: spec.tags.unwrap_or_default(),
            creator: said(self.creator_user_name),
            run_as: said(self.run_as_user_name),
            updates: self.latest_updates.into_iter().flatten().filter_map(UpdateStateInfo::into_domain).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_listing_says_nothing_about_the_specification() {
        let pipeline: Pipeline = serde_json::from_value(json!({"pipeline_id": "p", "name": "n", "state": "IDLE",
            "health": "UNHEALTHY", "latest_updates": [{"update_id": "u", "state": "FAILED",
            "creation_time": "2025-02-04T04:30:04.315Z"}]}))
        .expect("decodes");
        let pipeline = pipeline.into_domain().expect("has an id");
        assert_eq!((pipeline.continuous, pipeline.target.as_deref(), pipeline.healthy), (None, None, false));
        assert_eq!(pipeline.updates[0].state, UpdateState::Failed);
        assert!(pipeline.updates[0].created_at.is_some());
    }

    #[test]
    fn an_absent_flag_of_a_specification_is_its_default() {
        let pipeline: Pipeline = serde_json::from_value(
            json!({"pipeline_id": "p", "state": "NAPPING", "spec": {"name": "s", "catalog": "c",
            "target": "t", "photon": true}}),
        )
        .expect("decodes");
        assert_eq!(pipeline.spec.as_ref().and_then(|spec| spec.rest.get("photon")), Some(&json!(true)));
        let pipeline = pipeline.into_domain().expect("has an id");
        assert_eq!((pipeline.continuous, pipeline.development, pipeline.healthy), (Some(false), Some(false), true));
        assert_eq!((pipeline.name.as_str(), pipeline.target.as_deref()), ("s", Some("c.t")));
        assert_eq!(pipeline.state, PipelineState::Unknown("NAPPING".into()));
    }
}
