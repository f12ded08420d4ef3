//! Delta tables: rows with the versions at which they came and went, a log of commits, and the rules by which concurrent writers conflict.
//!
//! A table is one SQLite table. Each row image carries `_a`, the version that added it, and `_x`, the version that removed it (if any), so that
//! every version stays readable at no cost. Conflict rules: Databricks' row-level concurrency, with the isolation level of the table.

use super::catalog::Column;
use super::error::{Result, SqlError};
use chrono::{DateTime, Utc};
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, params, params_from_iter};
use std::collections::BTreeMap;

/// The job's run that made a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitJob {
    /// The job.
    pub job_id: String,
    /// Its name.
    pub job_name: String,
    /// The job's run.
    pub job_run_id: String,
    /// The task's run.
    pub run_id: String,
    /// Who owns the job.
    pub owner: String,
    /// What started the run.
    pub trigger: String,
}

/// One entry of a table's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Version, from 0.
    pub version: i64,
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// Who committed it.
    pub user: String,
    /// Such as `WRITE`, `UPDATE`, `CREATE TABLE`.
    pub operation: String,
    /// Parameters of the operation, as DESCRIBE HISTORY shows them.
    pub parameters: BTreeMap<String, String>,
    /// The version that the writer had read; none for the first.
    pub read_version: Option<i64>,
    /// `WriteSerializable` or `Serializable`.
    pub isolation: &'static str,
    /// Whether it only added rows and read nothing of the table.
    pub blind_append: bool,
    /// Whether it changed schema or properties.
    pub metadata: bool,
    /// Counts, by Delta's names.
    pub metrics: BTreeMap<String, i64>,
    /// The run that made it, if it was one.
    pub job: Option<CommitJob>,
}

/// What a writer read of the table that it writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reads {
    /// Nothing: a blind append.
    Nothing,
    /// The rows that a condition selects: a query for them, and the scan inside it.
    Rows { select: String, scan: String },
    /// An append whose query scans the table.
    Whole,
}

/// A row change, computed but not yet committed.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) read_version: i64,
    pub(crate) removes: Vec<i64>,
    pub(crate) adds: Vec<Vec<Stored>>,
    pub(crate) reads: Reads,
    pub(crate) operation: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) metrics: BTreeMap<String, i64>,
}

/// One Delta table.
#[derive(Debug)]
pub(crate) struct DeltaTable {
    storage: String,
    pub(crate) commits: Vec<Commit>,
    /// Columns by the first version that has them.
    schemas: Vec<(i64, Vec<Column>)>,
    pub(crate) serializable: bool,
    pub(crate) row_level: bool,
}

impl DeltaTable {
    /// Makes the storage of a table; its first commit is the caller's.
    pub(crate) fn create(connection: &Connection, number: u64, columns: &[Column]) -> Result<Self> {
        let storage = format!("d{number}");
        let fields: String = columns.iter().map(|c| format!(", f{}", c.field)).collect();
        connection.execute_batch(&format!(
            "CREATE TABLE {storage} (_r INTEGER PRIMARY KEY, _a INTEGER NOT NULL, _x INTEGER{fields})"
        ))?;
        Ok(Self {
            storage,
            commits: Vec::new(),
            schemas: vec![(0, columns.to_vec())],
            serializable: false,
            row_level: true,
        })
    }

    /// Frees the storage.
    pub(crate) fn drop(&self, connection: &Connection) -> Result<()> {
        Ok(connection.execute_batch(&format!("DROP TABLE {}", self.storage))?)
    }

    /// The newest version, -1 before the first commit.
    pub(crate) fn newest(&self) -> i64 {
        self.commits.last().map_or(-1, |c| c.version)
    }

    /// The oldest version that can be read, 0 before the first commit.
    pub(crate) fn oldest(&self) -> i64 {
        self.commits.first().map_or(0, |c| c.version)
    }

    /// The name of the isolation level.
    pub(crate) fn isolation(&self) -> &'static str {
        if self.serializable { "Serializable" } else { "WriteSerializable" }
    }

    /// Columns at a version.
    pub(crate) fn columns_at(&self, version: i64) -> &[Column] {
        self.schemas.iter().rev().find(|(from, _)| *from <= version).map_or(&[], |(_, columns)| columns.as_slice())
    }

    /// The version in force at an instant, if the table existed then.
    pub(crate) fn version_at(&self, us: i64) -> Option<i64> {
        self.commits.iter().rev().find(|c| c.at.timestamp_micros() <= us).map(|c| c.version)
    }

    /// The query for the rows of a version: `_r`, then the columns as `c0`, `c1`, ...
    pub(crate) fn scan(&self, version: i64, columns: &[Column], with_row: bool) -> String {
        let row = if with_row { "_r, " } else { "" };
        let list: Vec<_> = columns.iter().enumerate().map(|(n, c)| format!("f{} AS c{n}", c.field)).collect();
        format!("SELECT {row}{} FROM {} WHERE {}", list.join(", "), self.storage, visible(version))
    }

    /// The same query for rows that came after a version and are still there.
    fn scan_added(&self, after: i64, columns: &[Column], versions: &[i64]) -> String {
        let list: Vec<_> = columns.iter().enumerate().map(|(n, c)| format!("f{} AS c{n}", c.field)).collect();
        let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
        format!(
            "SELECT _r, {} FROM {} WHERE _a > {after} AND _a IN ({})",
            list.join(", "),
            self.storage,
            versions.join(", ")
        )
    }

    /// Refuses a change that conflicts with what was committed since it read.
    pub(crate) fn check(&self, connection: &Connection, change: &Change, name: &str) -> Result<()> {
        let since: Vec<&Commit> = self.commits.iter().filter(|c| c.version > change.read_version).collect();
        let Some(last) = since.last() else { return Ok(()) };
        if let Some(other) = since.iter().find(|c| c.metadata) {
            return Err(conflict(
                "DELTA_METADATA_CHANGED",
                &format!(
                    "The metadata of the Delta table {name} has been changed by a concurrent update at version {}. Please try the operation again.",
                    other.version
                ),
            ));
        }
        if change.reads == Reads::Nothing {
            return Ok(());
        }
        let written: Vec<&&Commit> = since.iter().filter(|c| !c.blind_append).collect();
        if !self.row_level {
            if let Some(other) = written.last() {
                let class = if other
                    .metrics
                    .get("numTargetRowsInserted")
                    .or_else(|| other.metrics.get("numUpdatedRows"))
                    .is_some()
                {
                    "DELTA_CONCURRENT_APPEND.WITHOUT_HINT"
                } else {
                    "DELTA_CONCURRENT_DELETE_READ.WITHOUT_HINT"
                };
                return Err(concurrent(class, name, other));
            }
        } else {
            let removed: i64 = change.removes.chunks(500).try_fold(0, |sum, rows| {
                let list: Vec<_> = rows.iter().map(ToString::to_string).collect();
                let sql = format!(
                    "SELECT count(*) FROM {} WHERE _x IS NOT NULL AND _r IN ({})",
                    self.storage,
                    list.join(", ")
                );
                connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(|n| sum + n)
            })?;
            if removed > 0 {
                let other = written.last().copied().unwrap_or(last);
                let class = if other.operation == "DELETE" {
                    "DELTA_CONCURRENT_DELETE_DELETE"
                } else {
                    "DELTA_CONCURRENT_APPEND"
                };
                return Err(concurrent(&format!("{class}.ROW_LEVEL_CHANGES"), name, other));
            }
        }
        let relevant: Vec<i64> = if self.serializable {
            since.iter().map(|c| c.version).collect()
        } else {
            written.iter().map(|c| c.version).collect()
        };
        let covered = match &change.reads {
            Reads::Nothing => false,
            Reads::Whole => {
                let added = self.scan_added(change.read_version, self.columns_at(last.version), &relevant);
                connection.query_row(&format!("SELECT count(*) FROM ({added})"), [], |row| row.get::<_, i64>(0))? > 0
            }
            // Under WriteSerializable, row changes conflict on the same row only, and that was checked.
            Reads::Rows { .. } if !self.serializable => false,
            Reads::Rows { select, scan } => {
                let added = self.scan_added(change.read_version, self.columns_at(change.read_version), &relevant);
                let sql = format!("SELECT count(*) FROM ({})", select.replace(scan, &added));
                connection.query_row(&sql, [], |row| row.get::<_, i64>(0))? > 0
            }
        };
        if covered {
            let class = if change.reads == Reads::Whole {
                "DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ"
            } else {
                "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES"
            };
            return Err(concurrent(class, name, last));
        }
        Ok(())
    }

    /// Commits a change that was checked; gives the new version. A change of nothing commits nothing; only a RESTORE is noted.
    pub(crate) fn apply(
        &mut self,
        connection: &Connection,
        change: Change,
        user: &str,
        now: DateTime<Utc>,
    ) -> Result<i64> {
        if change.removes.is_empty() && change.adds.is_empty() && change.operation != "RESTORE" {
            return Ok(self.newest());
        }
        let version = self.newest() + 1;
        connection.execute_batch("SAVEPOINT change")?;
        let written = self.write(connection, version, &change);
        if written.is_err() {
            connection.execute_batch("ROLLBACK TO change")?;
        }
        connection.execute_batch("RELEASE change")?;
        written?;
        let blind_append = change.removes.is_empty() && change.reads == Reads::Nothing;
        let commit = Commit {
            version,
            at: now,
            user: user.to_owned(),
            operation: change.operation,
            parameters: change.parameters,
            read_version: (version > 0).then_some(change.read_version),
            isolation: self.isolation(),
            blind_append,
            metadata: false,
            metrics: change.metrics,
            job: None,
        };
        self.commits.push(commit);
        Ok(version)
    }

    /// Puts rows into the commit that made the table, as `CREATE TABLE ... AS SELECT` does: one commit, not two.
    pub(crate) fn fill(&mut self, connection: &Connection, rows: Vec<Vec<Stored>>) -> Result<()> {
        let Some(first) = self.commits.last_mut() else { return Ok(()) };
        let version = first.version;
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        first.metrics.insert("numOutputRows".to_owned(), count);
        let change = Change {
            read_version: version,
            removes: Vec::new(),
            adds: rows,
            reads: Reads::Nothing,
            operation: String::new(),
            parameters: BTreeMap::new(),
            metrics: BTreeMap::new(),
        };
        self.write(connection, version, &change)
    }

    fn write(&self, connection: &Connection, version: i64, change: &Change) -> Result<()> {
        let mut remove =
            connection.prepare_cached(&format!("UPDATE {} SET _x = ? WHERE _r = ? AND _x IS NULL", self.storage))?;
        for row in &change.removes {
            remove.execute(params![version, row])?;
        }
        let columns = self.columns_at(version);
        let fields: String = columns.iter().map(|c| format!(", f{}", c.field)).collect();
        let marks = ", ?".repeat(columns.len());
        let mut add =
            connection.prepare_cached(&format!("INSERT INTO {} (_a{fields}) VALUES (?{marks})", self.storage))?;
        for row in &change.adds {
            let first = Stored::Integer(version);
            add.execute(params_from_iter(std::iter::once(&first).chain(row)))?;
        }
        Ok(())
    }

    /// Commits a change of metadata: a new schema where one is given.
    pub(crate) fn change_metadata(
        &mut self,
        connection: &Connection,
        operation: &str,
        parameters: BTreeMap<String, String>,
        columns: Option<&[Column]>,
        user: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let version = self.newest() + 1;
        if let Some(columns) = columns {
            let known: Vec<u32> = self.schemas.iter().flat_map(|(_, all)| all).map(|c| c.field).collect();
            for column in columns.iter().filter(|c| !known.contains(&c.field)) {
                connection.execute_batch(&format!("ALTER TABLE {} ADD COLUMN f{}", self.storage, column.field))?;
            }
            self.schemas.push((version, columns.to_vec()));
        }
        self.commits.push(Commit {
            version,
            at: now,
            user: user.to_owned(),
            operation: operation.to_owned(),
            parameters,
            read_version: (version > 0).then_some(version - 1),
            isolation: self.isolation(),
            blind_append: true,
            metadata: true,
            metrics: BTreeMap::new(),
            job: None,
        });
        Ok(())
    }

    /// Begins the table anew with other columns, in one commit: older versions stay readable.
    pub(crate) fn replace(
        &mut self,
        connection: &Connection,
        operation: &str,
        columns: &[Column],
        user: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        connection.execute_batch("SAVEPOINT replacement")?;
        let version = self.newest() + 1;
        let emptied = connection.execute(&format!("UPDATE {} SET _x = ? WHERE _x IS NULL", self.storage), [version]);
        let replaced = emptied
            .map_err(SqlError::from)
            .and_then(|_| self.change_metadata(connection, operation, BTreeMap::new(), Some(columns), user, now));
        if replaced.is_err() {
            connection.execute_batch("ROLLBACK TO replacement")?;
        }
        connection.execute_batch("RELEASE replacement")?;
        replaced?;
        if let Some(commit) = self.commits.last_mut() {
            commit.blind_append = false;
        }
        Ok(())
    }

    /// How many rows a version has.
    pub(crate) fn count(&self, connection: &Connection, version: i64) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {} WHERE {}", self.storage, visible(version));
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    }
}

fn visible(version: i64) -> String {
    format!("_a <= {version} AND (_x IS NULL OR _x > {version})")
}

fn conflict(class: &str, text: &str) -> SqlError {
    SqlError::new(class, "2D521", text)
}

fn concurrent(class: &str, name: &str, other: &Commit) -> SqlError {
    let what = if class.starts_with("DELTA_CONCURRENT_APPEND") {
        "added data that this operation should have read"
    } else {
        "deleted data that this operation read or deleted"
    };
    conflict(
        class,
        &format!(
            "Transaction conflict detected. A concurrent {} {what} in the Delta table {name}; it committed at version {}. Please try the operation again.",
            other.operation, other.version
        ),
    )
}
