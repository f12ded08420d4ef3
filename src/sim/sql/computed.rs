//! Tables without storage of their own: `information_schema`, and those whose rows the world computes when somebody asks.

use super::catalog::{Column, TableKind, information_schema};
use super::engine::Engine;
use super::error::{Result, SqlError};
use super::names::TableName;
use super::values::Value;
use chrono::{DateTime, Utc};

/// A table computed for one statement: the text that reads it.
pub(crate) struct Computed {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
}

impl Engine {
    /// Makes a table whose rows the world computes; there are none yet.
    pub fn attach(&mut self, name: &TableName, columns: Vec<Column>, owner: &str, now: DateTime<Utc>) -> Result<()> {
        let storage = self.load(&columns, &[])?;
        self.create_table(name, TableKind::Computed, columns, owner, now)?;
        self.attached.insert(name.clone(), storage);
        Ok(())
    }

    /// Says which table `event_log('<pipeline id>')` reads.
    pub fn name_event_log(&mut self, pipeline_id: &str, table: &TableName) {
        self.event_logs.insert(pipeline_id.to_owned(), table.clone());
    }

    /// The table that `event_log('<pipeline id>')` reads.
    pub(crate) fn event_log(&self, pipeline_id: &str) -> Option<&TableName> {
        self.event_logs.get(pipeline_id)
    }

    /// Adds rows to a computed table, in the order of its columns.
    pub fn supply(&mut self, name: &TableName, rows: &[Vec<Value>]) -> Result<()> {
        let columns = self.catalog.table(name)?.columns.clone();
        let storage = self.attached.get(name).ok_or_else(|| SqlError::table_not_found(&name.quoted()))?;
        self.store(storage, &columns, rows)
    }

    /// A computed table: `information_schema`, or one that the world attached. None for any other name.
    pub(crate) fn computed(&self, name: &TableName, principal: &str) -> Result<Option<Computed>> {
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
        let Some(storage) = self.attached.get(name) else { return Ok(None) };
        self.catalog.require_select(principal, name)?;
        let columns = self.catalog.table(name)?.columns.clone();
        Ok(Some(Computed { sql: format!("SELECT * FROM {storage}"), columns }))
    }

    /// Puts rows into a table of SQLite and gives its name.
    fn load(&self, columns: &[Column], rows: &[Vec<Value>]) -> Result<String> {
        let storage = format!("x{}", self.storage_number());
        let names: Vec<_> = (0..columns.len()).map(|n| format!("c{n}")).collect();
        self.connection.execute_batch(&format!("CREATE TABLE {storage} ({})", names.join(", ")))?;
        self.store(&storage, columns, rows)?;
        Ok(storage)
    }

    fn store(&self, storage: &str, columns: &[Column], rows: &[Vec<Value>]) -> Result<()> {
        self.connection.execute_batch("SAVEPOINT load")?;
        let marks = vec!["?"; columns.len()].join(", ");
        let mut insert = self.connection.prepare(&format!("INSERT INTO {storage} VALUES ({marks})"))?;
        for row in rows {
            insert.execute(rusqlite::params_from_iter(
                row.iter().zip(columns).map(|(value, column)| value.to_stored(&column.ty)),
            ))?;
        }
        drop(insert);
        self.connection.execute_batch("RELEASE load")?;
        Ok(())
    }
}
