//! ALTER TABLE, ALTER VIEW and comments on columns.

use super::catalog::{Privilege, TableKind};
use super::ddl::{Act, specified};
use super::engine::{Engine, Session, set_levels};
use super::error::{Result, SqlError};
use super::names::{Securable, TableName, quote};
use super::parse::{AlterTable, AlterView};
use std::collections::BTreeMap;

impl Engine {
    /// A view's text as a session reads it.
    pub(super) fn view_text<'t>(&'t self, name: &TableName, session: &Session, text: &'t str) -> &'t str {
        match self.lagging_views.get(name) {
            Some((through, before)) if *through != session.warehouse => before,
            _ => text,
        }
    }

    pub(super) fn alter_view(&mut self, act: &Act<'_>, levels: &[String], action: AlterView) -> Result<()> {
        let name = act.table(levels)?;
        let table = self.catalog().table(&name).map_err(|_| SqlError::table_not_found(&quote(levels)))?;
        let TableKind::View { .. } = table.kind else {
            return Err(SqlError::new(
                "EXPECT_VIEW_NOT_TABLE.USE_ALTER_TABLE",
                "42809",
                format!(
                    "'ALTER VIEW' expects a view but {} is a table. Please use ALTER TABLE instead.",
                    name.quoted()
                ),
            ));
        };
        let owner = table.facts.owner.clone();
        self.catalog().require_reach(act.user(), &name.catalog, &name.schema)?;
        let securable = Securable::Table(name.clone());
        match action {
            AlterView::As(text) => {
                // MANAGE does not do: the owner alone, by name or by group.
                self.catalog().require_owner(act.user(), &securable)?;
                let mut columns = self.view_columns(act, &text, &owner, &[])?;
                let breaks = self.breaks;
                if breaks.view_lag
                    && let TableKind::View { text, .. } = &self.catalog().table(&name)?.kind
                {
                    let before = (act.session.warehouse.clone(), text.clone());
                    self.lagging_views.insert(name.clone(), before);
                }
                let view = self.catalog_mut().table_mut(&name)?;
                let text = if breaks.view_marker { without_comments(&text) } else { text };
                if breaks.view_comments {
                    for column in &mut columns {
                        let before = view.columns.iter().find(|before| before.name == column.name);
                        column.comment = before.and_then(|before| before.comment.clone());
                    }
                }
                if breaks.view_identity {
                    view.facts.id = uuid::Uuid::from_u128(view.facts.id.as_u128().wrapping_add(1));
                    view.facts.grants.clear();
                }
                view.kind =
                    TableKind::View { text, catalog: act.session.catalog.clone(), schema: act.session.schema.clone() };
                // Comments on columns go with the old columns; id, grants, comment and properties stay.
                view.columns = columns;
                self.touch(act, &securable)
            }
            AlterView::Owner(owner) => self.transfer(act, &securable, &owner),
            AlterView::Rename(to) => self.rename(act, &name, &act.table(&to)?),
            AlterView::SetProperties(properties) => {
                self.catalog().require_manage(act.user(), &securable)?;
                self.catalog_mut().facts_mut(&securable)?.properties.extend(properties);
                self.touch(act, &securable)
            }
            AlterView::UnsetProperties(keys) => {
                self.catalog().require_manage(act.user(), &securable)?;
                self.catalog_mut().facts_mut(&securable)?.properties.retain(|key, _| !keys.contains(key));
                self.touch(act, &securable)
            }
        }
    }

    fn rename(&mut self, act: &Act<'_>, from: &TableName, to: &TableName) -> Result<()> {
        self.catalog().require_manage(act.user(), &Securable::Table(from.clone()))?;
        self.require_create(act, Privilege::CREATE_TABLE, to)?;
        if self.catalog().table(to).is_ok() {
            return Err(SqlError::new(
                "TABLE_OR_VIEW_ALREADY_EXISTS",
                "42P07",
                format!("Cannot create table or view {} because it already exists.", to.quoted()),
            ));
        }
        let table = self.catalog_mut().schema_mut(&from.catalog, &from.schema)?.tables.remove(&from.table);
        let table = table.ok_or_else(|| SqlError::table_not_found(&from.quoted()))?;
        self.catalog_mut().schema_mut(&to.catalog, &to.schema)?.tables.insert(to.table.clone(), table);
        self.touch(act, &Securable::Table(to.clone()))
    }

    pub(super) fn comment_column(
        &mut self,
        act: &Act<'_>,
        name: &TableName,
        column: &str,
        comment: Option<String>,
    ) -> Result<()> {
        self.catalog().table(name)?;
        let securable = Securable::Table(name.clone());
        self.catalog().require_manage(act.user(), &securable)?;
        let table = self.catalog_mut().table_mut(name)?;
        table
            .columns
            .iter_mut()
            .find(|c| c.name.eq_ignore_ascii_case(column))
            .ok_or_else(|| no_column(column))?
            .comment = comment;
        self.touch(act, &securable)?;
        let table = self.catalog().table(name)?;
        if matches!(table.kind, TableKind::View { .. } | TableKind::Computed) {
            return Ok(());
        }
        self.log_metadata(act, name, "CHANGE COLUMN")
    }

    /// Commits the table's current columns as a change of its metadata.
    fn log_metadata(&mut self, act: &Act<'_>, name: &TableName, operation: &str) -> Result<()> {
        let table = self.catalog().table(name)?;
        let (id, columns, properties) = (table.facts.id, table.columns.clone(), table.facts.properties.clone());
        let (connection, delta) = self.delta_parts(id)?;
        delta.change_metadata(connection, operation, BTreeMap::new(), Some(&columns), act.user(), act.now)?;
        set_levels(delta, &properties);
        Ok(())
    }

    pub(super) fn alter_table(&mut self, act: &Act<'_>, levels: &[String], action: AlterTable) -> Result<()> {
        let name = act.table(levels)?;
        let table = self.catalog().table(&name).map_err(|_| SqlError::table_not_found(&quote(levels)))?;
        if matches!(table.kind, TableKind::View { .. }) {
            return Err(SqlError::new(
                "EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW",
                "42809",
                format!(
                    "'ALTER TABLE' expects a table but {} is a view. Please use ALTER VIEW instead.",
                    name.quoted()
                ),
            ));
        }
        self.catalog().require_reach(act.user(), &name.catalog, &name.schema)?;
        let securable = Securable::Table(name.clone());
        match &action {
            AlterTable::Owner(owner) => return self.transfer(act, &securable, owner),
            AlterTable::Rename(to) => return self.rename(act, &name, &act.table(to)?),
            AlterTable::CommentColumn(column, comment) => {
                return self.comment_column(act, &name, column, Some(comment.clone()));
            }
            _ => {}
        }
        self.catalog().require(act.user(), Privilege::MODIFY, &securable)?;
        let rows = if let AlterTable::SetNotNull(..) = action { self.nulls(&name)? } else { Vec::new() };
        let table = self.catalog_mut().table_mut(&name)?;
        let operation = match action {
            AlterTable::AddColumns(specs) => {
                for mut column in specified(specs)? {
                    table.next_field += 1;
                    column.field = table.next_field;
                    if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
                        return Err(SqlError::new(
                            "FIELD_ALREADY_EXISTS",
                            "42710",
                            format!("Cannot add column, because `{}` already exists.", column.name),
                        ));
                    }
                    table.columns.push(column);
                }
                "ADD COLUMNS"
            }
            AlterTable::DropColumn(column) => {
                let at = table
                    .columns
                    .iter()
                    .position(|c| c.name.eq_ignore_ascii_case(&column))
                    .ok_or_else(|| no_column(&column))?;
                table.columns.remove(at);
                "DROP COLUMNS"
            }
            AlterTable::RenameColumn(from, to) => {
                let at = table
                    .columns
                    .iter()
                    .position(|c| c.name.eq_ignore_ascii_case(&from))
                    .ok_or_else(|| no_column(&from))?;
                table.columns[at].name = to;
                "RENAME COLUMN"
            }
            AlterTable::SetNotNull(column, refuse) => {
                let at = table
                    .columns
                    .iter()
                    .position(|c| c.name.eq_ignore_ascii_case(&column))
                    .ok_or_else(|| no_column(&column))?;
                if refuse && rows.contains(&at) {
                    return Err(SqlError::new(
                        "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
                        "23502",
                        format!("NOT NULL constraint violated for column: {column}."),
                    ));
                }
                table.columns[at].nullable = !refuse;
                "CHANGE COLUMN"
            }
            AlterTable::SetProperties(properties) => {
                table.facts.properties.extend(properties);
                "SET TBLPROPERTIES"
            }
            AlterTable::UnsetProperties(keys) => {
                table.facts.properties.retain(|key, _| !keys.contains(key));
                "UNSET TBLPROPERTIES"
            }
            AlterTable::Owner(_) | AlterTable::Rename(_) | AlterTable::CommentColumn(..) => return Ok(()),
        };
        self.touch(act, &securable)?;
        self.log_metadata(act, &name, operation)
    }

    /// Positions of columns that hold a NULL now.
    fn nulls(&self, name: &TableName) -> Result<Vec<usize>> {
        let table = self.catalog().table(name)?;
        let (scan, _) = self.scan(table.facts.id, self.newest_version(table.facts.id)?, &table.columns)?;
        let rows = self.stored_rows(&scan)?;
        Ok((0..table.columns.len())
            .filter(|at| rows.iter().any(|row| row.get(*at) == Some(&rusqlite::types::Value::Null)))
            .collect())
    }
}

/// A text without what stands between `/*` and `*/`.
fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

fn no_column(name: &str) -> SqlError {
    SqlError::new(
        "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
        "42703",
        format!("A column, variable, or function parameter with name `{name}` cannot be resolved."),
    )
}
