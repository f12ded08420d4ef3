//! Tables without storage of their own: `information_schema`, and those whose rows the world computes when somebody asks.

use super::catalog::{Column, TableKind, information_schema};
use super::engine::Engine;
use super::error::Result;
use super::names::TableName;
use super::values::Value;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// A table whose rows come from outside the engine, such as a system table fed by the world.
pub trait ComputedTable: Send + Sync {
    /// A number that changes when the rows change; the engine asks for rows again only then.
    fn generation(&self, now: DateTime<Utc>) -> u64;
    /// All rows, in the order of the columns under which the table was attached.
    fn rows(&self, now: DateTime<Utc>) -> Vec<Vec<Value>>;
}

/// Rows of a computed table, loaded.
pub(super) struct Loaded {
    generation: u64,
    storage: String,
}

pub(super) struct Attached {
    source: Arc<dyn ComputedTable>,
    loaded: Option<Loaded>,
}

/// A table computed for one statement: the text that reads it.
pub(crate) struct Computed {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
}

impl Engine {
    /// Attaches a table whose rows the world computes.
    pub fn attach(
        &mut self,
        name: &TableName,
        columns: Vec<Column>,
        owner: &str,
        source: Arc<dyn ComputedTable>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.create_table(name, TableKind::Computed, columns, owner, now)?;
        self.attached.borrow_mut().insert(name.clone(), Attached { source, loaded: None });
        Ok(())
    }

    /// A computed table: `information_schema`, or one that the world attached. None for any other name.
    pub(crate) fn computed(&self, name: &TableName, principal: &str, now: DateTime<Utc>) -> Result<Option<Computed>> {
        if name.schema == "information_schema" {
            self.catalog.require(
                principal,
                super::catalog::Privilege::USE_CATALOG,
                &super::names::Securable::Catalog(name.catalog.clone()),
            )?;
            let Some((columns, rows)) = information_schema::relation(&self.catalog, name, principal)? else {
                return Ok(None);
            };
            let storage = self.load(&columns, &rows)?;
            self.scratch.borrow_mut().push(storage.clone());
            return Ok(Some(Computed { sql: format!("SELECT * FROM {storage}"), columns }));
        }
        let mut attached = self.attached.borrow_mut();
        let Some(entry) = attached.get_mut(name) else { return Ok(None) };
        self.catalog.require_select(principal, name)?;
        let columns = self.catalog.table(name)?.columns.clone();
        let generation = entry.source.generation(now);
        if let Some(old) = entry.loaded.take_if(|loaded| loaded.generation != generation) {
            self.connection.execute_batch(&format!("DROP TABLE {}", old.storage))?;
        }
        let storage = match &entry.loaded {
            Some(loaded) => loaded.storage.clone(),
            None => self.load(&columns, &entry.source.rows(now))?,
        };
        entry.loaded = Some(Loaded { generation, storage: storage.clone() });
        Ok(Some(Computed { sql: format!("SELECT * FROM {storage}"), columns }))
    }

    /// Puts rows into a table of SQLite and gives its name.
    fn load(&self, columns: &[Column], rows: &[Vec<Value>]) -> Result<String> {
        let storage = format!("x{}", self.storage_number());
        let names: Vec<_> = (0..columns.len()).map(|n| format!("c{n}")).collect();
        self.connection.execute_batch(&format!("CREATE TABLE {storage} ({}); SAVEPOINT load", names.join(", ")))?;
        let marks = vec!["?"; columns.len()].join(", ");
        let mut insert = self.connection.prepare(&format!("INSERT INTO {storage} VALUES ({marks})"))?;
        for row in rows {
            insert.execute(rusqlite::params_from_iter(
                row.iter().zip(columns).map(|(value, column)| value.to_stored(&column.ty)),
            ))?;
        }
        drop(insert);
        self.connection.execute_batch("RELEASE load")?;
        Ok(storage)
    }
}
