//! The tables of the fleet: a run that succeeds commits a version, and so does every update of a pipeline.
//!
//! Nothing is written before somebody looks: a statement or a request that names a table brings its history up to the
//! instant first. Tables hold a sample of what runs write; how much a run says it wrote stands in the history.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::catalog::{Column, TableKind};
use crate::sim::sql::{CommitJob, DataType, Decimal, Engine, Result, Securable, TableName, Value};
use crate::sim::world::{TableVersion, World};

use super::Lakehouse;

/// Tables of the fleet, with how far their histories are written.
#[derive(Debug, Default)]
pub(super) struct FleetTables {
    tables: BTreeMap<TableName, Table>,
}

#[derive(Debug)]
struct Table {
    environment: Environment,
    written_to: Option<Instant>,
}

/// Makes the tables of all workspaces, empty.
pub(super) fn found(engine: &mut Engine, world: &World) -> Result<FleetTables> {
    let now = world.started_at();
    let mut tables = BTreeMap::new();
    for workspace in world.workspaces() {
        let environment = workspace.environment;
        let names = world.table_names(environment);
        for name in names.iter().filter_map(|name| TableName::parse(name)) {
            if engine.catalog().catalog(&name.catalog).is_err() {
                continue;
            }
            if engine.catalog().schema(&name.catalog, &name.schema).is_err() {
                engine.catalog_mut().create_schema(&name.catalog, &name.schema, super::found::ADMINS, now)?;
            }
            engine.create_table(&name, TableKind::Managed, columns(), super::found::ADMINS, now)?;
            let facts = engine.catalog_mut().facts_mut(&Securable::Table(name.clone()))?;
            facts.comment = Some("A sample of what its runs write; their counts are in the history".to_owned());
            tables.insert(name, Table { environment, written_to: None });
        }
    }
    Ok(FleetTables { tables })
}

/// What every table of the fleet holds.
fn columns() -> Vec<Column> {
    vec![
        Column::new("id", DataType::BigInt).not_null(),
        Column::new("business_date", DataType::Date),
        Column::new("amount", DataType::Decimal(18, 2)),
        Column::new("updated_at", DataType::Timestamp),
        Column::new("run_id", DataType::BigInt),
    ]
}

impl Lakehouse {
    /// Writes the histories of all tables that a text names, directly or through views, up to an instant. Says whether
    /// they are whole: system tables are written a part at a time.
    pub(in crate::sim) fn bring_up(&mut self, text: &str, at: Instant, world: &World) -> bool {
        for name in self.named_in(text) {
            if let Err(error) = self.write_history(&name, at, world) {
                // A table that somebody dropped or changed takes no more of the fleet's rows.
                tracing::debug!(%name, %error, "the fleet's commits were not written");
                self.fleet.tables.remove(&name);
            }
        }
        self.bring_up_system(text, at, world)
    }

    /// The tables of the fleet that a text may name: too many do no harm.
    fn named_in(&self, text: &str) -> Vec<TableName> {
        let mut texts = vec![text.to_lowercase()];
        let mut views: BTreeMap<TableName, String> = BTreeMap::new();
        for (name, table) in self.engine.catalog().tables() {
            if let TableKind::View { text, .. } = &table.kind {
                views.insert(name, text.to_lowercase());
            }
        }
        // Views on views: every round takes those in that the texts so far name.
        loop {
            let named: Vec<TableName> =
                views.keys().filter(|name| texts.iter().any(|text| text.contains(&name.table))).cloned().collect();
            if named.is_empty() {
                break;
            }
            texts.extend(named.iter().filter_map(|name| views.remove(name)));
        }
        let is_named = |name: &&TableName| texts.iter().any(|text| text.contains(&name.table));
        self.fleet.tables.keys().filter(is_named).cloned().collect()
    }

    fn write_history(&mut self, name: &TableName, at: Instant, world: &World) -> Result<()> {
        let Some(table) = self.fleet.tables.get_mut(name) else { return Ok(()) };
        let written_to = table.written_to.replace(table.written_to.unwrap_or(at).max(at));
        let full_name = name.to_string();
        let commits = match written_to {
            Some(since) if since >= at => return Ok(()),
            Some(since) => world.commits_since(table.environment, &full_name, since),
            None => world.table_versions(table.environment, &full_name),
        };
        if written_to.is_none() {
            let first = commits.first();
            let begun_at = first.map_or(world.started_at(), |commit| commit.at - TimeDelta::minutes(1));
            let version = first.map_or(0, |commit| i64::try_from(commit.version).unwrap_or(0) - 1);
            self.engine.begin_history(name, version.max(0), begun_at)?;
        }
        for commit in commits.iter().filter(|commit| commit.at <= at) {
            let job = CommitJob {
                job_id: commit.job_id.to_string(),
                job_name: commit.job_name.clone(),
                job_run_id: commit.run_id.to_string(),
                run_id: commit.task_run_id.to_string(),
                owner: commit.user.clone(),
                trigger: commit.trigger.as_str().to_lowercase(),
            };
            self.engine.commit_run(name, &sample(commit), commit.rows, (&commit.user, Some(job)), commit.at)?;
        }
        Ok(())
    }
}

/// A few of the rows that a run wrote.
fn sample(commit: &TableVersion) -> Vec<Vec<Value>> {
    let at = commit.at;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    (0..3 + commit.task_run_id % 3)
        .map(|row| {
            let id = whole(commit.task_run_id.wrapping_mul(8) + row);
            let cents = i128::from((commit.task_run_id.wrapping_mul(2_654_435_761) >> (7 + row)) % 2_000_000);
            vec![
                Value::Integer(id),
                Value::Integer(at.timestamp().div_euclid(86_400)),
                Value::Decimal(Decimal { unscaled: cents, scale: 2 }),
                Value::Integer(at.timestamp_micros()),
                Value::Integer(whole(commit.run_id)),
            ]
        })
        .collect()
}
