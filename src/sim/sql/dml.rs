//! Row changes: each reads its snapshot and becomes a [`Transaction`] that waits for its commit.

use super::bind::{Binder, Bound, Scope, ScopeColumn, levels};
use super::catalog::{Column, Table};
use super::delta::{Change, Reads};
use super::engine::{Engine, StatementResult, Transaction};
use super::error::{Result, SqlError};
use super::names::TableName;
use super::parse;
use super::types::DataType;
use super::values::Value;
use rusqlite::types::Value as Stored;
use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, TableAlias, TableFactor, TableObject, Update,
};
use std::collections::{BTreeMap, BTreeSet};

/// The table that a statement writes, with a scan of its newest version in scope.
pub(super) struct Target {
    pub(super) name: TableName,
    pub(super) table: Table,
    /// The relation alias in SQLite.
    pub(super) alias: String,
    /// The query for its rows, `_r` first.
    pub(super) scan: String,
    pub(super) scope: Vec<ScopeColumn>,
    version: i64,
}

impl Target {
    pub(super) fn from(&self) -> String {
        format!("({}) {}", self.scan, self.alias)
    }

    pub(super) fn column(&self, name: &str) -> Result<usize> {
        self.table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known: Vec<_> = self.table.columns.iter().map(|c| format!("`{}`", c.name)).collect();
            SqlError::new("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", format!("A column, variable, or function parameter with name `{name}` cannot be resolved. Did you mean one of the following? [{}].", known.join(", ")))
        })
    }

    /// Refuses changes to a table that only takes appends.
    pub(super) fn refuse_append_only(&self) -> Result<()> {
        if self.table.facts.properties.get("delta.appendOnly").is_some_and(|on| on.eq_ignore_ascii_case("true")) {
            return Err(SqlError::new(
                "DELTA_CANNOT_MODIFY_APPEND_ONLY",
                "42809",
                "This table is configured to only allow appends. If you would like to permit updates or deletes, use 'ALTER TABLE <table_name> SET TBLPROPERTIES (delta.appendOnly=false)'.",
            ));
        }
        Ok(())
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The result row of a row change.
fn affected(counts: &[(&str, usize)]) -> StatementResult {
    let columns: Vec<_> = counts.iter().map(|(name, _)| (*name, DataType::BigInt)).collect();
    StatementResult::table(&columns, vec![counts.iter().map(|(_, n)| Value::Integer(count(*n))).collect()])
}

fn metrics(counts: &[(&str, usize)]) -> BTreeMap<String, i64> {
    counts.iter().map(|(name, n)| ((*name).to_owned(), count(*n))).collect()
}

/// Rows that go and rows that come.
pub(super) struct Work {
    pub(super) removes: Vec<i64>,
    pub(super) adds: Vec<Vec<Stored>>,
}

/// What the result and the history say about a row change.
pub(super) struct Shown<'a> {
    pub(super) counts: &'a [(&'a str, usize)],
    pub(super) metrics: &'a [(&'a str, usize)],
    pub(super) predicate: Option<String>,
}

impl Binder<'_> {
    fn target(&self, parts: &[String], ident: Option<&Ident>, alias: Option<&str>) -> Result<Target> {
        let name = self.writable(parts, ident)?;
        let table = self.engine().catalog().table(&name)?.clone();
        let delta = self.engine().delta(table.facts.id)?;
        let (version, relation) = (delta.newest(), self.alias());
        let scan = delta.scan(version, &table.columns, true);
        let qualifier = alias.map_or_else(
            || vec![name.catalog.clone(), name.schema.clone(), name.table.clone()],
            |a| vec![a.to_owned()],
        );
        let scope = table.columns.iter().enumerate().map(|(n, c)| ScopeColumn {
            qualifier: qualifier.clone(),
            name: c.name.clone(),
            ty: c.ty.clone(),
            nullable: c.nullable,
            sql: format!("{relation}.c{n}"),
            shown: true,
        });
        Ok(Target { scope: scope.collect(), name, alias: relation, scan, version, table })
    }

    pub(super) fn target_factor(&self, factor: &TableFactor) -> Result<Target> {
        let TableFactor::Table { name, alias, version: None, args: None, .. } = factor else {
            return Err(SqlError::syntax(&factor.to_string(), "expected a table"));
        };
        let ident = name.0.first().and_then(|p| p.as_ident());
        self.target(&levels(name)?, ident, alias.as_ref().map(|a: &TableAlias| a.name.value.as_str()))
    }

    pub(super) fn finish(
        &self,
        target: Target,
        work: Work,
        reads: Reads,
        operation: &str,
        shown: Shown<'_>,
    ) -> Transaction {
        let predicate = shown.predicate.map(|p| ("predicate".to_owned(), format!("[\"{p}\"]")));
        let change = Change {
            read_version: target.version,
            removes: work.removes,
            adds: work.adds,
            reads,
            operation: operation.to_owned(),
            parameters: predicate.into_iter().collect(),
            metrics: metrics(shown.metrics),
        };
        Engine::transaction(target.name, target.table.facts.id, change, self.user(), affected(shown.counts))
    }

    /// A value on its way into a column: converted, and refused when NULL where NULL is not taken.
    pub(super) fn stored_as(&self, bound: &Bound, column: &Column) -> Result<String> {
        if bound.ty != column.ty && bound.ty.is_numeric() && column.ty.is_integer() {
            return Ok(self.number_into_column(bound, &column.ty).sql);
        }
        let converted = self.coerce(bound, &column.ty, &column.name).map_err(|_| {
            SqlError::new(
                "DELTA_FAILED_TO_MERGE_FIELDS",
                "22005",
                format!(
                    "Failed to merge fields '{}' and '{}': \"{}\" cannot be converted to \"{}\".",
                    column.name, column.name, bound.ty, column.ty
                ),
            )
        })?;
        Ok(converted.sql)
    }

    pub(super) fn default_of(&self, column: &Column) -> Result<String> {
        match &column.default {
            None => Ok("NULL".to_owned()),
            Some(text) => {
                let bound = self.expr(&parse::expression(text)?, &Scope::default())?;
                self.stored_as(&bound, column)
            }
        }
    }

    pub(crate) fn insert(&self, insert: &Insert) -> Result<Transaction> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::syntax("INSERT", "expected a table"));
        };
        if insert.partitioned.is_some() || insert.on.is_some() || !insert.assignments.is_empty() {
            return Err(SqlError::unsupported("INSERT with PARTITION, ON or SET"));
        }
        let target = self.target(&levels(name)?, name.0.first().and_then(|p| p.as_ident()), None)?;
        if insert.overwrite {
            target.refuse_append_only()?;
        }
        let source =
            insert.source.as_ref().ok_or_else(|| SqlError::syntax("end of input", "expected VALUES or a query"))?;
        let plan = self.query(source, None)?;
        let wanted: Vec<usize> = if insert.columns.is_empty() {
            (0..target.table.columns.len()).collect()
        } else {
            insert.columns.iter().map(|c| target.column(&levels(c)?.concat())).collect::<Result<_>>()?
        };
        if let Some(twice) = wanted.iter().enumerate().find(|(n, at)| wanted.iter().take(*n).any(|other| other == *at))
        {
            return Err(SqlError::new(
                "COLUMN_ALREADY_EXISTS",
                "42711",
                format!(
                    "The column `{}` already exists. Choose another name or rename the existing column.",
                    target.table.columns[*twice.1].name
                ),
            ));
        }
        if wanted.len() != plan.columns.len() {
            let (table, data) = (wanted.len(), plan.columns.len());
            let which = if data > table { "too many data columns" } else { "not enough data columns" };
            return Err(SqlError::new(
                "DELTA_INSERT_COLUMN_ARITY_MISMATCH",
                "42802",
                format!(
                    "Cannot write to '{}', {which}; target table has {table} column(s) but the inserted data has {data} column(s).",
                    target.name
                ),
            ));
        }
        let mut list = Vec::new();
        for (at, column) in target.table.columns.iter().enumerate() {
            list.push(match wanted.iter().position(|w| *w == at) {
                Some(n) => {
                    let output = &plan.columns[n];
                    let bound = Bound {
                        sql: format!("s.c{n}"),
                        ty: output.ty.clone(),
                        nullable: output.nullable,
                        literal: None,
                        loose: false,
                        aggregate: false,
                        window: false,
                    };
                    self.stored_as(&bound, column)?
                }
                None if !column.nullable && column.default.is_none() => {
                    return Err(SqlError::new(
                        "DELTA_INSERT_COLUMN_MISMATCH",
                        "42802",
                        format!("Column {} is not specified in INSERT.", column.name),
                    ));
                }
                None => self.default_of(column)?,
            });
        }
        let adds = self.engine().stored_rows(&format!("SELECT {} FROM ({}) s", list.join(", "), plan.sql))?;
        refuse_null(&adds, &target.table.columns)?;
        let reads = if self.live_reads.borrow().contains(&target.name) { Reads::Whole } else { Reads::Nothing };
        let removes = if insert.overwrite { self.row_numbers(&target)? } else { Vec::new() };
        let reads = if insert.overwrite { Reads::Whole } else { reads };
        let n = adds.len();
        Ok(self.finish(
            target,
            Work { removes, adds },
            reads,
            "WRITE",
            Shown {
                counts: &[("num_affected_rows", n), ("num_inserted_rows", n)],
                metrics: &[("numOutputRows", n)],
                predicate: None,
            },
        ))
    }

    fn row_numbers(&self, target: &Target) -> Result<Vec<i64>> {
        let rows = self.engine().stored_rows(&target.scan)?;
        Ok(rows.iter().filter_map(|row| integer(row.first())).collect())
    }

    pub(super) fn condition(&self, selection: Option<&Expr>, scope: &Scope<'_>) -> Result<String> {
        match selection {
            None => Ok("1".to_owned()),
            Some(expr) => Ok(self.truth(&self.expr(expr, scope)?, expr)?.sql),
        }
    }

    /// New values by column for a list of assignments.
    pub(super) fn assignments(
        &self,
        target: &Target,
        assignments: &[Assignment],
        scope: &Scope<'_>,
    ) -> Result<Vec<String>> {
        let mut list: Vec<String> = target.scope.iter().map(|c| c.sql.clone()).collect();
        let mut seen = BTreeSet::new();
        for assignment in assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported("tuple assignments"));
            };
            let at = target.column(levels(name)?.last().map_or("", String::as_str))?;
            if !seen.insert(at) {
                return Err(SqlError::new(
                    "DELTA_CONFLICT_SET_COLUMN",
                    "42701",
                    format!("There is a conflict from these SET columns: [`{}`].", target.table.columns[at].name),
                ));
            }
            list[at] = self.stored_as(&self.expr(&assignment.value, scope)?, &target.table.columns[at])?;
        }
        Ok(list)
    }

    pub(crate) fn update(&self, update: &Update) -> Result<Transaction> {
        if !update.table.joins.is_empty() || update.from.is_some() {
            return Err(SqlError::syntax("FROM", "UPDATE takes one table"));
        }
        let target = self.target_factor(&update.table.relation)?;
        self.engine().catalog().require_modify(self.user(), &target.name)?;
        target.refuse_append_only()?;
        let scope = Scope { columns: target.scope.clone(), ..Scope::default() };
        let list = self.assignments(&target, &update.assignments, &scope)?;
        let condition = self.condition(update.selection.as_ref(), &scope)?;
        let select =
            format!("SELECT {}._r, {} FROM {} WHERE {condition}", target.alias, list.join(", "), target.from());
        let (removes, adds) = split(self.engine().stored_rows(&select)?);
        refuse_null(&adds, &target.table.columns)?;
        let reads = Reads::Rows { select, scan: target.scan.clone() };
        let n = removes.len();
        Ok(self.finish(
            target,
            Work { removes, adds },
            reads,
            "UPDATE",
            Shown {
                counts: &[("num_affected_rows", n)],
                metrics: &[("numUpdatedRows", n)],
                predicate: update.selection.as_ref().map(ToString::to_string),
            },
        ))
    }

    pub(crate) fn delete(&self, delete: &Delete) -> Result<Transaction> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [table] = from.as_slice() else { return Err(SqlError::syntax("DELETE", "expected one table")) };
        if !table.joins.is_empty() || delete.using.is_some() {
            return Err(SqlError::syntax("USING", "DELETE takes one table"));
        }
        let target = self.target_factor(&table.relation)?;
        self.engine().catalog().require_modify(self.user(), &target.name)?;
        target.refuse_append_only()?;
        let scope = Scope { columns: target.scope.clone(), ..Scope::default() };
        let condition = self.condition(delete.selection.as_ref(), &scope)?;
        let select = format!("SELECT {}._r FROM {} WHERE {condition}", target.alias, target.from());
        let (removes, _) = split(self.engine().stored_rows(&select)?);
        let reads = Reads::Rows { select, scan: target.scan.clone() };
        let n = removes.len();
        Ok(self.finish(
            target,
            Work { removes, adds: Vec::new() },
            reads,
            "DELETE",
            Shown {
                counts: &[("num_affected_rows", n)],
                metrics: &[("numDeletedRows", n)],
                predicate: delete.selection.as_ref().map(ToString::to_string),
            },
        ))
    }

    pub(crate) fn truncate(&self, parts: &[String]) -> Result<Transaction> {
        let target = self.target(parts, None, None)?;
        target.refuse_append_only()?;
        let removes = self.row_numbers(&target)?;
        let reads = Reads::Rows { select: target.scan.clone(), scan: target.scan.clone() };
        let n = removes.len();
        let mut transaction = self.finish(
            target,
            Work { removes, adds: Vec::new() },
            reads,
            "TRUNCATE",
            Shown { counts: &[], metrics: &[("numDeletedRows", n)], predicate: None },
        );
        transaction.set_result(StatementResult::default());
        Ok(transaction)
    }

    /// `RESTORE`: a new commit with the rows of an older version.
    pub(crate) fn restore(
        &self,
        parts: &[String],
        version: Option<&Expr>,
        timestamp: Option<&Expr>,
    ) -> Result<Transaction> {
        let target = self.target(parts, None, None)?;
        target.refuse_append_only()?;
        let id = target.table.facts.id;
        let engine = self.engine();
        let version = match (version, timestamp) {
            (Some(expr), _) => {
                let bound = self.constant(expr)?;
                engine.checked_version(
                    &target.name,
                    id,
                    bound.literal.as_ref().and_then(Value::integer).unwrap_or(-1),
                )?
            }
            (None, Some(expr)) => {
                let at = self.coerce(&self.constant(expr)?, &DataType::Timestamp, &expr.to_string())?;
                engine.version_at(&target.name, id, at.literal.as_ref().and_then(Value::integer).unwrap_or(i64::MIN))?
            }
            (None, None) => return Err(SqlError::syntax("RESTORE", "expected VERSION AS OF or TIMESTAMP AS OF")),
        };
        let (_, columns) = engine.scan(id, version, &target.table.columns)?;
        if columns != target.table.columns {
            return Err(SqlError::unsupported("RESTORE over a change of schema"));
        }
        let numbers =
            |rows: &[Vec<Stored>]| rows.iter().filter_map(|row| integer(row.first())).collect::<BTreeSet<_>>();
        let now = engine.stored_rows(&target.scan)?;
        let then = engine.stored_rows(&engine.delta(id)?.scan(version, &columns, true))?;
        let (old, new) = (numbers(&then), numbers(&now));
        let removes: Vec<i64> = new.difference(&old).copied().collect();
        let (_, adds) =
            split(then.into_iter().filter(|row| integer(row.first()).is_some_and(|r| !new.contains(&r))).collect());
        let (removed, restored, size) = (removes.len(), adds.len(), old.len());
        let reads = Reads::Rows { select: target.scan.clone(), scan: target.scan.clone() };
        let details = [
            ("numRestoredFiles", restored.min(1)),
            ("numRemovedFiles", removed.min(1)),
            ("numOfFilesAfterRestore", size.min(1)),
        ];
        let counts = [
            ("table_size_after_restore", size),
            ("num_of_files_after_restore", size.min(1)),
            ("num_removed_files", removed.min(1)),
            ("num_restored_files", restored.min(1)),
            ("removed_files_size", removed),
            ("restored_files_size", restored),
        ];
        Ok(self.finish(
            target,
            Work { removes, adds },
            reads,
            "RESTORE",
            Shown { counts: &counts, metrics: &details, predicate: None },
        ))
    }
}

fn integer(value: Option<&Stored>) -> Option<i64> {
    match value {
        Some(Stored::Integer(n)) => Some(*n),
        _ => None,
    }
}

/// Rows whose first column is `_r`: the numbers, and the rest of each row.
pub(super) fn split(rows: Vec<Vec<Stored>>) -> (Vec<i64>, Vec<Vec<Stored>>) {
    rows.into_iter()
        .map(|mut row| {
            let rest = row.split_off(1);
            (integer(row.first()).unwrap_or_default(), rest)
        })
        .unzip()
}

pub(super) fn refuse_null(rows: &[Vec<Stored>], columns: &[Column]) -> Result<()> {
    for (at, column) in columns.iter().enumerate().filter(|(_, c)| !c.nullable) {
        if rows.iter().any(|row| row.get(at) == Some(&Stored::Null)) {
            return Err(SqlError::new(
                "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                "23502",
                format!("NOT NULL constraint violated for column: {}.", column.name),
            ));
        }
    }
    Ok(())
}
