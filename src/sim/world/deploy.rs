//! Orders about pipelines themselves: create, edit, delete.

use serde_json::{Map, Value};

use super::files::Tree;
use super::pipeline::{Pipeline, PipelineSpec};
use super::principal::{Access, Level, Principal};
use super::refusal::Refusal;
use super::site::{PipelineEntry, Site};
use super::sources;
use super::streams::Stream;

/// What `create` and `edit` ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PipelineOrder {
    /// The specification; its `id` is ours to fill.
    pub spec: PipelineSpec,
    /// Whether another pipeline may have the same name.
    pub allow_duplicate_names: bool,
    /// `run_as` and `parameters`, which answers give beside the specification.
    pub beside: Map<String, Value>,
    /// Edits a pipeline only if it has not changed since, in milliseconds.
    pub expected_last_modified: Option<i64>,
}

/// Events a second at the busiest hour of a continuous pipeline that nobody described.
const UNKNOWN_PEAK: f64 = 40.0;

impl Site {
    /// Creates a pipeline and gives its id. Its flows are the datasets that its code defines.
    pub(super) fn create_pipeline(&mut self, creator: &Principal, order: PipelineOrder) -> Result<String, Refusal> {
        self.check_pipeline(&order, None)?;
        self.pipelines_made += 1;
        let draw = self.draw.named("created pipeline").at(self.pipelines_made);
        let pipeline_id = draw.named("id").uuid();
        let spec = completed(order.spec, &pipeline_id);
        let run_as_user_name = identity(&order.beside).unwrap_or_else(|| creator.user_name.clone());
        let flows = flows(&self.files, &spec);
        self.pipelines.push(PipelineEntry {
            stream: Stream { draw: draw.named("stream"), flows, peak: UNKNOWN_PEAK, since: self.now },
            access: vec![Access { grantee: creator.grantee(), level: Level::Owner }],
            pipeline: Pipeline {
                pipeline_id: pipeline_id.clone(),
                creator_user_name: creator.user_name.clone(),
                run_as_user_name,
                last_modified: self.now,
                beside: order.beside,
                spec,
            },
        });
        Ok(pipeline_id)
    }

    /// Replaces a pipeline's specification. An update that runs keeps on as it began.
    pub(super) fn edit_pipeline(&mut self, pipeline_id: &str, order: PipelineOrder) -> Result<(), Refusal> {
        let found = self.pipeline_entry(pipeline_id)?;
        let modified = found.pipeline.last_modified.timestamp_millis();
        if order.expected_last_modified.is_some_and(|expected| expected != modified) {
            return Err(Refusal::Conflict(format!(
                "The pipeline {pipeline_id} was modified at {modified}, after the expected last modification."
            )));
        }
        self.check_pipeline(&order, Some(pipeline_id))?;
        let spec = completed(order.spec, pipeline_id);
        let flows = flows(&self.files, &spec);
        let now = self.now;
        for entry in self.pipelines.iter_mut().filter(|entry| entry.pipeline.pipeline_id == pipeline_id) {
            let pipeline = &mut entry.pipeline;
            pipeline.run_as_user_name = identity(&order.beside).unwrap_or_else(|| pipeline.run_as_user_name.clone());
            // Who it runs as stays when nobody says otherwise.
            if let Some(run_as) =
                pipeline.beside.get("run_as").cloned().filter(|_| !order.beside.contains_key("run_as"))
            {
                pipeline.beside = order.beside.clone();
                pipeline.beside.insert("run_as".to_owned(), run_as);
            } else {
                pipeline.beside = order.beside.clone();
            }
            pipeline.last_modified = now.max(pipeline.last_modified + chrono::TimeDelta::milliseconds(1));
            pipeline.spec = spec.clone();
            entry.stream.flows.clone_from(&flows);
        }
        Ok(())
    }

    /// Deletes a pipeline with its updates.
    pub(super) fn delete_pipeline(&mut self, pipeline_id: &str) -> Result<(), Refusal> {
        self.stop_pipeline(pipeline_id)?;
        self.pipelines.retain(|entry| entry.pipeline.pipeline_id != pipeline_id);
        self.updates.remove(pipeline_id);
        Ok(())
    }

    /// Reads a pipeline's code again, as every update does.
    pub(super) fn read_sources(&mut self, pipeline_id: &str) {
        let files = &self.files;
        for entry in self.pipelines.iter_mut().filter(|entry| entry.pipeline.pipeline_id == pipeline_id) {
            let defined = sources::datasets(files, &entry.pipeline.spec);
            if !defined.is_empty() {
                entry.stream.flows = defined;
            }
        }
    }

    fn check_pipeline(&self, order: &PipelineOrder, own_id: Option<&str>) -> Result<(), Refusal> {
        let spec = &order.spec;
        if spec.name.is_empty() {
            return Err(Refusal::Invalid("The pipeline name must not be empty.".to_owned()));
        }
        let target = spec.extra.get("target").and_then(Value::as_str);
        if target.is_some_and(|target| target.contains('.')) {
            return Err(Refusal::Invalid(format!(
                "The target schema '{}' is not valid: it must not contain a dot.",
                target.unwrap_or_default()
            )));
        }
        if target.is_some() && spec.schema.is_some() {
            return Err(Refusal::Invalid("Only one of 'schema' and 'target' can be set.".to_owned()));
        }
        let twin = self
            .pipelines
            .iter()
            .find(|entry| entry.pipeline.spec.name == spec.name && Some(entry.pipeline.pipeline_id.as_str()) != own_id);
        match twin {
            Some(twin) if !order.allow_duplicate_names => Err(Refusal::Conflict(format!(
                "The pipeline name '{}' is already used by pipeline {}. \
                 This check can be skipped by setting `allow_duplicate_names = true` in the request.",
                spec.name, twin.pipeline.pipeline_id
            ))),
            _ => Ok(()),
        }
    }
}

/// The specification with what the server adds.
fn completed(mut spec: PipelineSpec, pipeline_id: &str) -> PipelineSpec {
    spec.id = pipeline_id.to_owned();
    if spec.catalog.is_none() {
        spec.extra.entry("storage").or_insert_with(|| format!("dbfs:/pipelines/{pipeline_id}").into());
    }
    spec
}

/// The flows of a pipeline: what its code defines, or one that bears its name where the code cannot be read.
fn flows(files: &Tree, spec: &PipelineSpec) -> Vec<String> {
    let defined = sources::datasets(files, spec);
    if !defined.is_empty() {
        return defined;
    }
    let name: String =
        spec.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let (catalog, schema) = (spec.catalog.as_deref().unwrap_or("hive_metastore"), spec.schema.as_deref());
    vec![format!("{catalog}.{}.{}", schema.unwrap_or("default"), name.trim_matches('_'))]
}

/// The user or service principal that `run_as` names.
fn identity(beside: &Map<String, Value>) -> Option<String> {
    let run_as = beside.get("run_as")?;
    ["user_name", "service_principal_name"].into_iter().find_map(|key| run_as.get(key)?.as_str()).map(str::to_owned)
}
