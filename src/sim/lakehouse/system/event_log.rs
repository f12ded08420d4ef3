//! Event logs of pipelines as tables (databricks-api.md 4.6): published in `ops_eventlog` of each pipeline's catalog, and read by
//! `event_log('<pipeline id>')`. They hold the day before somebody first looks, and everything since.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::catalog::Privilege;
use crate::sim::sql::{Engine, Result, Securable, TableName, Value};
use crate::sim::world::pipeline::Event;
use crate::sim::world::{EventsFilter, World};

use super::cell::{at, maybe, text};
use super::{Rows, Window, schemas};

const SCHEMA: &str = "ops_eventlog";
/// How far a log reaches back when somebody first looks.
const REACH: TimeDelta = TimeDelta::days(1);
const COLUMNS: &str = "id STRING, sequence STRUCT<data_plane_id:STRUCT<instance:STRING,seq_no:BIGINT>>, \
     origin STRUCT<cloud:STRING,region:STRING,org_id:STRING,pipeline_id:STRING,pipeline_name:STRING,update_id:STRING,flow_id:STRING,\
     flow_name:STRING,dataset_name:STRING>, timestamp TIMESTAMP, message STRING, level STRING, maturity_level STRING, \
     error STRUCT<fatal:BOOLEAN,exceptions:ARRAY<STRUCT<class_name:STRING,message:STRING>>>, details STRING, event_type STRING";

/// A pipeline with a published log.
#[derive(Debug)]
pub(super) struct EventLog {
    environment: Environment,
    pipeline_id: String,
    org_id: String,
    pub(super) written_to: Option<Instant>,
}

/// Makes the tables, empty; everybody may read them.
pub(super) fn found(engine: &mut Engine, world: &World, owner: &str) -> Result<BTreeMap<TableName, EventLog>> {
    let now = world.started_at();
    let mut logs = BTreeMap::new();
    for workspace in world.workspaces() {
        let catalog = workspace.environment.to_string();
        if engine.catalog().catalog(&catalog).is_err() {
            continue;
        }
        engine.catalog_mut().create_schema(&catalog, SCHEMA, owner, now)?;
        let privileges = [Privilege::USE_SCHEMA, Privilege::SELECT];
        engine.catalog_mut().grant(
            &Securable::Schema(catalog.clone(), SCHEMA.to_owned()),
            "account users",
            &privileges,
        )?;
        for view in world.pipelines(workspace.environment) {
            let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
            let name: String = view.pipeline.spec.name.chars().map(letter).collect();
            let name = TableName::new(&catalog, SCHEMA, name.trim_matches('_'));
            let log = EventLog {
                environment: workspace.environment,
                pipeline_id: view.pipeline.pipeline_id,
                org_id: workspace.workspace_id.to_string(),
                written_to: None,
            };
            if let std::collections::btree_map::Entry::Vacant(free) = logs.entry(name.clone()) {
                engine.attach(&name, schemas::columns(COLUMNS)?, owner, now)?;
                engine.name_event_log(&log.pipeline_id, &name);
                free.insert(log);
            }
        }
    }
    Ok(logs)
}

impl EventLog {
    /// Whether a text names it, by its table or by its pipeline.
    pub(super) fn is_named(&self, name: &TableName, text: &str) -> bool {
        (text.contains(SCHEMA) && text.contains(&name.table)) || text.contains(&self.pipeline_id)
    }

    /// The events of a window.
    pub(super) fn rows(&self, to: Instant, world: &World) -> Rows {
        let window = Window { after: self.written_to, to };
        let filter = EventsFilter {
            from: Some(self.written_to.unwrap_or(to - REACH)),
            to: Some(to),
            ascending: true,
            ..EventsFilter::default()
        };
        let page = world.events(self.environment, &self.pipeline_id, &filter, None, usize::MAX - 1);
        let events = page.map(|page| page.events).unwrap_or_default();
        events.iter().filter(|event| window.takes(event.timestamp)).map(|event| self.row(event)).collect()
    }

    fn row(&self, event: &Event) -> Vec<Value> {
        let or_null = |value: &Option<String>| value.as_deref().map_or(Value::Null, maybe);
        let error = event.error.as_ref().map_or(Value::Null, |error| {
            let exception = Value::List(vec![text(error.class_name.clone()), text(error.message.clone())]);
            Value::List(vec![error.fatal.into(), Value::List(vec![exception])])
        });
        vec![
            text(event.id.clone()),
            Value::List(vec![Value::List(vec![
                text("execution"),
                Value::Integer(i64::try_from(event.sequence).unwrap_or(i64::MAX)),
            ])]),
            Value::List(vec![
                text("AWS"),
                text("us-east-1"),
                text(self.org_id.clone()),
                text(event.pipeline_id.clone()),
                text(event.pipeline_name.clone()),
                or_null(&event.update_id),
                or_null(&event.flow_id),
                or_null(&event.flow_name),
                or_null(&event.flow_name),
            ]),
            at(event.timestamp),
            text(event.message.clone()),
            text(event.level.as_str()),
            text("STABLE"),
            error,
            text(serde_json::json!({event.event_type: event.details}).to_string()),
            text(event.event_type),
        ]
    }
}
