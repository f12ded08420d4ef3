//! System tables (databricks-api.md 9): what the platform tells of itself, late and restated as in reality.
//!
//! Nothing is computed before a statement names a table; then the rows that became available since the last time are
//! added. A row is available some time after what it tells of.

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
    scd: lakeflow::Scd,
    event_logs: BTreeMap<TableName, event_log::EventLog>,
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

impl Lakehouse {
    /// Adds what became available in the tables that a text names.
    pub(super) fn bring_up_system(&mut self, text: &str, at: Instant, world: &World) {
        let text = text.to_lowercase();
        let to = if world.breaks().system_tables { at - LATE } else { at };
        for (full_name, _) in schemas::TABLES {
            let table = full_name.rsplit('.').next().unwrap_or_default();
            let schema = full_name.split('.').nth(1).unwrap_or_default();
            if !(text.contains(table) && (text.contains(schema) || self.named_by_view(table))) {
                continue;
            }
            let window = Window { after: self.system.written_to.get(full_name).copied(), to };
            if window.after.is_some_and(|after| after >= to) {
                continue;
            }
            let rows = self.system_rows(full_name, window, world);
            let supplied = TableName::parse(full_name).map(|name| self.engine.supply(&name, &rows));
            if let Some(Err(error)) = supplied {
                tracing::warn!(full_name, %error, "rows of a system table do not fit");
            }
            self.system.written_to.insert(full_name, to);
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
            "system.billing.usage" => billing::usage(&mut system.facts, window, world, self.seed),
            "system.lakeflow.jobs" => system.scd.jobs(window, world),
            "system.lakeflow.job_tasks" => system.scd.tasks(window, world),
            "system.lakeflow.pipelines" => system.scd.pipelines(window, world),
            "system.lakeflow.job_run_timeline" => lakeflow::runs(&mut system.facts, window, world),
            "system.lakeflow.job_task_run_timeline" => lakeflow::task_runs(&mut system.facts, window, world),
            "system.lakeflow.pipeline_update_timeline" => lakeflow::updates(&mut system.facts, window, world),
            "system.query.history" => self.log.queries(window, world),
            "system.access.audit" => self.log.audit(&mut system.facts, window, world),
            "system.access.table_lineage" => self.log.lineage(&mut system.facts, window, world, false),
            "system.access.column_lineage" => self.log.lineage(&mut system.facts, window, world, true),
            _ => Rows::new(),
        }
    }
}
