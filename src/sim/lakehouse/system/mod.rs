//! System tables (databricks-api.md 9): what the platform tells of itself, late and restated as in reality.
//!
//! Nothing is computed before a statement names a table; then the rows that became available since the last time are
//! added, a span at a time: between two spans others are served, and the statement waits. A row is available some time
//! after what it tells of.

mod activity;
mod billing;
mod cell;
mod event_log;
mod facts;
mod lakeflow;
mod schemas;

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::sim::sql::{Engine, Result, TableName, Value};
use crate::sim::world::World;

use super::Lakehouse;
use facts::Facts;

pub(super) use activity::{Act, Log, Query};

/// Who owns what nobody made.
const OWNER: &str = "System user";

/// How late the tables are in a world that breaks this promise.
const LATE: TimeDelta = TimeDelta::days(3);

/// Rows of one table.
type Rows = Vec<Vec<Value>>;

/// From an instant (none: from the beginning) up to another, that included.
#[derive(Clone, Copy, Debug)]
struct Window {
    after: Option<Instant>,
    to: Instant,
}

impl Window {
    /// Whether what is available at an instant is new in this window.
    fn takes(&self, available_at: Instant) -> bool {
        self.after.is_none_or(|after| available_at > after) && available_at <= self.to
    }
}

/// Which rows the tables have.
#[derive(Debug, Default)]
pub(super) struct SystemTables {
    /// How far each table is written.
    written_to: BTreeMap<&'static str, Instant>,
    facts: Facts,
    daily: Option<billing::Daily>,
    scd: lakeflow::Scd,
    event_logs: BTreeMap<TableName, event_log::EventLog>,
    /// Whether a span was written since others were last served.
    is_tired: bool,
}

impl SystemTables {
    /// Makes the tables, empty.
    pub(super) fn found(engine: &mut Engine, world: &World) -> Result<Self> {
        let now = world.started_at();
        for (full_name, columns) in schemas::TABLES {
            let Some(name) = TableName::parse(full_name) else { continue };
            if engine.catalog().schema(&name.catalog, &name.schema).is_err() {
                engine.catalog_mut().create_schema(&name.catalog, &name.schema, OWNER, now)?;
            }
            engine.attach(&name, schemas::columns(columns)?, OWNER, now)?;
        }
        let event_logs = event_log::found(engine, world, OWNER)?;
        Ok(Self { event_logs, ..Self::default() })
    }
}

/// Tables that tell of runs and are written a span at a time.
const OF_RUNS: [&str; 6] = [
    "system.billing.usage",
    "system.lakeflow.job_run_timeline",
    "system.lakeflow.job_task_run_timeline",
    "system.access.audit",
    "system.access.table_lineage",
    "system.access.column_lineage",
];

/// Tells of runs too, and is written at once: it is small.
const UPDATES: &str = "system.lakeflow.pipeline_update_timeline";

/// What is written next of a table whose rows are up to an instant: longer spans of the time before runs are known.
fn next_span(after: Option<Instant>, at: Instant, world: &World) -> Window {
    let begins_at = facts::begins_at(world);
    let from = after.unwrap_or(begins_at - billing::RETENTION);
    let to = if from < begins_at { (from + TimeDelta::days(15)).min(begins_at) } else { from + TimeDelta::days(1) };
    Window { after, to: to.min(at) }
}

impl Lakehouse {
    /// Others were served: another span may be written.
    pub(super) fn rest_system(&mut self) {
        self.system.is_tired = false;
    }

    /// Adds a part of what became available in the tables that a text names. Says whether that was all.
    pub(super) fn bring_up_system(&mut self, text: &str, at: Instant, world: &World) -> bool {
        let text = text.to_lowercase();
        let to = if world.breaks().system_tables { at - LATE } else { at };
        for (full_name, _) in schemas::TABLES {
            let table = full_name.rsplit('.').next().unwrap_or_default();
            let schema = full_name.split('.').nth(1).unwrap_or_default();
            if !(text.contains(table) && (text.contains(schema) || self.named_by_view(table))) {
                continue;
            }
            let after = self.system.written_to.get(full_name).copied();
            if after.is_some_and(|after| after >= to) {
                continue;
            }
            if std::mem::replace(&mut self.system.is_tired, true) {
                return false;
            }
            let is_of_runs = OF_RUNS.contains(&full_name);
            if (is_of_runs || full_name == UPDATES) && !self.system.facts.gather(world) {
                return false;
            }
            let window = if is_of_runs { next_span(after, to, world) } else { Window { after, to } };
            let rows = self.system_rows(full_name, window, world);
            let supplied = TableName::parse(full_name).map(|name| self.engine.supply(&name, &rows));
            if let Some(Err(error)) = supplied {
                tracing::warn!(full_name, %error, "rows of a system table do not fit");
            }
            self.system.written_to.insert(full_name, window.to);
            if window.to < to {
                return false;
            }
        }
        for (name, log) in &mut self.system.event_logs {
            if log.is_named(name, &text) && log.written_to.is_none_or(|written_to| written_to < at) {
                let rows = log.rows(at, world);
                if let Err(error) = self.engine.supply(name, &rows) {
                    tracing::warn!(%name, %error, "an event log does not fit");
                }
                log.written_to = Some(at);
            }
        }
        true
    }

    /// Whether some view's text names a table: then a statement may reach it without naming its schema.
    fn named_by_view(&self, table: &str) -> bool {
        use crate::sim::sql::catalog::TableKind;
        let mut all = self.engine.catalog().tables();
        all.any(|(_, entry)| matches!(&entry.kind, TableKind::View { text, .. } if text.to_lowercase().contains(table)))
    }

    fn system_rows(&mut self, full_name: &str, window: Window, world: &World) -> Rows {
        let system = &mut self.system;
        match full_name {
            "system.billing.list_prices" => billing::prices(window, world),
            "system.billing.usage" => {
                let daily = system.daily.get_or_insert_with(|| billing::Daily::of(&system.facts, world));
                billing::usage(&system.facts, daily, window, world, self.seed)
            }
            "system.lakeflow.jobs" => system.scd.jobs(window, world),
            "system.lakeflow.job_tasks" => system.scd.tasks(window, world),
            "system.lakeflow.pipelines" => system.scd.pipelines(window, world),
            "system.lakeflow.job_run_timeline" => lakeflow::runs(&system.facts, window, world),
            "system.lakeflow.job_task_run_timeline" => lakeflow::task_runs(&system.facts, window, world),
            UPDATES => lakeflow::updates(&system.facts, window, world),
            "system.query.history" => self.log.queries(window, world),
            "system.access.audit" => self.log.audit(&system.facts, window, world),
            "system.access.table_lineage" => self.log.lineage(&system.facts, window, world, false),
            "system.access.column_lineage" => self.log.lineage(&system.facts, window, world, true),
            _ => Rows::new(),
        }
    }
}
