//! MERGE: its clauses taken in order, each row changed by the first that holds.

use super::bind::{Binder, Scope, Source, levels};
use super::catalog::Column;
use super::delta::Reads;
use super::dml::{Shown, Target, Work, refuse_null, split};
use super::engine::Transaction;
use super::error::{Result, SqlError};
use rusqlite::types::Value as Stored;
use sqlparser::ast::{Expr, Ident, Merge, MergeAction, MergeClauseKind, MergeInsertKind, MergeUpdateKind, ObjectName};
use std::collections::BTreeMap;

impl Binder<'_> {
    pub(crate) fn merge(&self, merge: &Merge) -> Result<Transaction> {
        let target = self.target_factor(&merge.table)?;
        self.engine().catalog().require_modify(self.user(), &target.name)?;
        let source = self.factor(&merge.source, None)?;
        let both = Scope { columns: [target.scope.clone(), source.columns.clone()].concat(), ..Scope::default() };
        let on = self.truth(&self.expr(&merge.on, &both)?, &merge.on)?.sql;
        let mut work = MergeWork {
            target: &target,
            source: &source,
            on: &on,
            before: BTreeMap::new(),
            removes: Vec::new(),
            adds: Vec::new(),
            counts: [0; 3],
        };
        for clause in &merge.clauses {
            self.merge_clause(&mut work, clause, &both)?;
        }
        let MergeWork { removes, adds, counts: [updated, deleted, inserted], .. } = work;
        if updated + deleted > 0 {
            target.refuse_append_only()?;
        }
        refuse_null(&adds, &target.table.columns)?;
        let select = format!("SELECT {}._r FROM {} JOIN {} ON {on}", target.alias, target.from(), source.sql);
        let reads = Reads::Rows { select, scan: target.scan.clone() };
        let counts = [
            ("num_affected_rows", updated + deleted + inserted),
            ("num_updated_rows", updated),
            ("num_deleted_rows", deleted),
            ("num_inserted_rows", inserted),
        ];
        let details =
            [("numTargetRowsUpdated", updated), ("numTargetRowsDeleted", deleted), ("numTargetRowsInserted", inserted)];
        Ok(self.finish(
            target,
            Work { removes, adds },
            reads,
            "MERGE",
            Shown { counts: &counts, metrics: &details, predicate: Some(merge.on.to_string()) },
        ))
    }

    fn merge_clause(
        &self,
        work: &mut MergeWork<'_>,
        clause: &sqlparser::ast::MergeClause,
        both: &Scope<'_>,
    ) -> Result<()> {
        let (target, source) = (work.target, work.source);
        let only_source = Scope { columns: source.columns.clone(), ..Scope::default() };
        let only_target = Scope { columns: target.scope.clone(), ..Scope::default() };
        let (kind, from, scope) = match clause.clause_kind {
            MergeClauseKind::Matched => (0, format!("{} JOIN {} ON {}", target.from(), source.sql, work.on), both),
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => (
                1,
                format!("{} WHERE NOT EXISTS (SELECT 1 FROM {} WHERE {})", source.sql, target.from(), work.on),
                &only_source,
            ),
            MergeClauseKind::NotMatchedBySource => (
                2,
                format!("{} WHERE NOT EXISTS (SELECT 1 FROM {} WHERE {})", target.from(), source.sql, work.on),
                &only_target,
            ),
        };
        let condition = self.condition(clause.predicate.as_ref(), scope)?;
        let word = if kind == 0 { "WHERE" } else { "AND" };
        let earlier = work.before.entry(kind).or_default();
        let rest: String = earlier.iter().map(|c| format!(" AND ({c}) IS NOT 1")).collect();
        let tail = format!("{from} {word} ({condition}){rest}");
        earlier.push(condition);
        match &clause.action {
            MergeAction::Update(update) => {
                let list = match &update.kind {
                    MergeUpdateKind::Set(assignments) => self.assignments(target, assignments, scope)?,
                    MergeUpdateKind::Wildcard => self.all_by_name(target, &only_source)?,
                };
                let rows = self.engine().stored_rows(&format!(
                    "SELECT {}._r, {} FROM {tail}",
                    target.alias,
                    list.join(", ")
                ))?;
                let (removes, adds) = split(rows);
                work.counts[0] += removes.len();
                work.take(removes)?;
                work.adds.extend(adds);
            }
            MergeAction::Delete { .. } => {
                let (mut removes, _) =
                    split(self.engine().stored_rows(&format!("SELECT {}._r FROM {tail}", target.alias))?);
                removes.sort_unstable();
                removes.dedup();
                work.counts[1] += removes.len();
                work.take(removes)?;
            }
            MergeAction::Insert(insert) => {
                let list = match &insert.kind {
                    MergeInsertKind::Wildcard | MergeInsertKind::Row => self.all_by_name(target, &only_source)?,
                    MergeInsertKind::Values(values) => {
                        let [row] = values.rows.as_slice() else {
                            return Err(SqlError::syntax("VALUES", "expected one row"));
                        };
                        self.merge_values(target, &insert.columns, &row.content, scope)?
                    }
                };
                let rows = self.engine().stored_rows(&format!("SELECT {} FROM {tail}", list.join(", ")))?;
                work.counts[2] += rows.len();
                work.adds.extend(rows);
            }
            MergeAction::DoNothing { .. } => return Err(SqlError::syntax("DO", "expected UPDATE, DELETE or INSERT")),
        }
        Ok(())
    }

    fn merge_values(
        &self,
        target: &Target,
        names: &[ObjectName],
        values: &[Expr],
        scope: &Scope<'_>,
    ) -> Result<Vec<String>> {
        let wanted: Vec<usize> = if names.is_empty() {
            (0..target.table.columns.len()).collect()
        } else {
            names.iter().map(|n| target.column(levels(n)?.last().map_or("", String::as_str))).collect::<Result<_>>()?
        };
        if wanted.len() != values.len() {
            return Err(SqlError::new(
                "INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS",
                "21S01",
                format!("Cannot write to {}: {} columns, {} values.", target.name.quoted(), wanted.len(), values.len()),
            ));
        }
        let mut list = Vec::new();
        for (at, column) in target.table.columns.iter().enumerate() {
            list.push(match wanted.iter().position(|w| *w == at).and_then(|n| values.get(n)) {
                Some(expr) => self.stored_as(&self.expr(expr, scope)?, column)?,
                None => self.default_of(column)?,
            });
        }
        Ok(list)
    }

    /// Every column of the target from the source's column of the same name.
    fn all_by_name(&self, target: &Target, source: &Scope<'_>) -> Result<Vec<String>> {
        let value = |column: &Column| {
            self.stored_as(&self.expr(&Expr::Identifier(Ident::with_quote('`', &column.name)), source)?, column)
        };
        target.table.columns.iter().map(value).collect()
    }
}

/// The state of a MERGE while its clauses are taken in order.
struct MergeWork<'a> {
    target: &'a Target,
    source: &'a Source,
    on: &'a str,
    /// Conditions of earlier clauses of the same kind: the first that holds wins.
    before: BTreeMap<u8, Vec<String>>,
    removes: Vec<i64>,
    adds: Vec<Vec<Stored>>,
    /// Updated, deleted, inserted.
    counts: [usize; 3],
}

impl MergeWork<'_> {
    /// Notes rows that go; a row that two source rows would change is an error.
    fn take(&mut self, rows: Vec<i64>) -> Result<()> {
        for row in rows {
            if self.removes.contains(&row) {
                return Err(SqlError::new(
                    "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
                    "21506",
                    "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in the Delta table in possibly conflicting ways. By SQL semantics of Merge, when multiple source rows match on the same target row, the result may be ambiguous as it is unclear which source row should be used to update or delete the matching target row. You can preprocess the source table to eliminate the possibility of multiple matches.",
                ));
            }
            self.removes.push(row);
        }
        Ok(())
    }
}
