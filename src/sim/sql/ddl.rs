//! Statements that change objects, rights and sessions.

use super::bind::{Binder, Output};
use super::catalog::{Column, Privilege, TableKind};
use super::engine::{Engine, PARTITIONS, Parameter, Session, StatementResult};
use super::error::{Result, SqlError};
use super::names::{Securable, TableName, quote};
use super::parse::{ColumnSpec, Drop, ObjectKind, Statement};
use super::types::DataType;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// What every change of an object needs to know.
pub(super) struct Act<'s> {
    pub(super) session: &'s Session,
    parameters: &'s [Parameter],
    pub(super) now: DateTime<Utc>,
}

impl Act<'_> {
    pub(super) fn user(&self) -> &str {
        &self.session.user
    }

    pub(super) fn table(&self, levels: &[String]) -> Result<TableName> {
        match levels {
            [table] => Ok(TableName::new(&self.session.catalog, &self.session.schema, table)),
            [schema, table] => Ok(TableName::new(&self.session.catalog, schema, table)),
            [catalog, schema, table] => Ok(TableName::new(catalog, schema, table)),
            _ => Err(SqlError::table_not_found(&quote(levels))),
        }
    }

    fn schema(&self, levels: &[String]) -> Result<(String, String)> {
        match levels {
            [schema] => Ok((self.session.catalog.to_lowercase(), schema.to_lowercase())),
            [catalog, schema] => Ok((catalog.to_lowercase(), schema.to_lowercase())),
            _ => Err(SqlError::schema_not_found(&quote(levels))),
        }
    }
}

impl Engine {
    /// Runs a statement that is neither a query nor a row change.
    pub(crate) fn define(
        &mut self,
        session: &mut Session,
        statement: Statement,
        parameters: &[Parameter],
        now: DateTime<Utc>,
    ) -> Result<StatementResult> {
        match &statement {
            Statement::UseCatalog(name) => {
                let name = name.to_lowercase();
                self.catalog().catalog(&name)?;
                self.catalog().require(&session.user, Privilege::USE_CATALOG, &Securable::Catalog(name.clone()))?;
                session.catalog = name;
                "default".clone_into(&mut session.schema);
                return Ok(StatementResult::default());
            }
            Statement::UseSchema(levels) => {
                let (catalog, schema) = Act { session, parameters, now }.schema(levels)?;
                self.catalog().schema(&catalog, &schema)?;
                self.catalog().require_reach(&session.user, &catalog, &schema)?;
                (session.catalog, session.schema) = (catalog, schema);
                return Ok(StatementResult::default());
            }
            Statement::Set { key, value } => return Ok(set(session, key.as_deref(), value.as_deref())),
            _ => {}
        }
        let act = Act { session, parameters, now };
        match statement {
            Statement::CreateCatalog { name, if_not_exists, comment } => {
                self.catalog().require(act.user(), Privilege::CREATE_CATALOG, &Securable::Metastore)?;
                let made = self.catalog_mut().create_catalog(&name, act.user(), now);
                let securable = Securable::Catalog(name.to_lowercase());
                self.after_create(made, if_not_exists, &securable, comment)?;
                // A new catalog comes with its `default` schema.
                if self.catalog().schema(&name, "default").is_err() {
                    self.catalog_mut().create_schema(&name, "default", act.user(), now)?;
                }
            }
            Statement::CreateSchema { name, if_not_exists, comment, properties } => {
                let (catalog, schema) = act.schema(&name)?;
                self.catalog().catalog(&catalog)?;
                self.catalog().require(act.user(), Privilege::USE_CATALOG, &Securable::Catalog(catalog.clone()))?;
                self.catalog().require(act.user(), Privilege::CREATE_SCHEMA, &Securable::Catalog(catalog.clone()))?;
                let made = self.catalog_mut().create_schema(&catalog, &schema, act.user(), now);
                let fresh = made.is_ok();
                let securable = Securable::Schema(catalog, schema);
                self.after_create(made, if_not_exists, &securable, comment)?;
                if fresh {
                    self.catalog_mut().facts_mut(&securable)?.properties.extend(properties);
                }
            }
            Statement::CreateVolume { name, if_not_exists, comment } => {
                let name = act.table(&name)?;
                self.require_create(&act, Privilege::CREATE_VOLUME, &name)?;
                let made = self.catalog_mut().create_volume(&name, act.user(), now);
                self.after_create(made, if_not_exists, &Securable::Volume(name), comment)?;
            }
            create @ Statement::CreateTable { .. } => return self.create_table_statement(&act, create),
            create @ Statement::CreateView { .. } => self.create_view(&act, create)?,
            Statement::Drop(drop) => self.drop_object(&act, &drop)?,
            Statement::AlterView { name, action } => self.alter_view(&act, &name, action)?,
            Statement::AlterTable { name, action } => self.alter_table(&act, &name, action)?,
            Statement::AlterOwner { kind, name, owner } => {
                self.transfer(&act, &self.securable(&act, kind, &name)?, &owner)?;
            }
            Statement::Comment { kind, name, comment } => {
                let securable = self.securable(&act, kind, &name)?;
                self.catalog().require_manage(act.user(), &securable)?;
                self.catalog_mut().facts_mut(&securable)?.comment = comment;
                self.touch(&act, &securable)?;
            }
            Statement::CommentColumn { name, comment } => {
                let (column, table) = name.split_last().ok_or_else(|| SqlError::syntax("COLUMN", "expected a name"))?;
                self.comment_column(&act, &act.table(table)?, column, comment)?;
            }
            Statement::Grant { privileges, kind, name, principal } => {
                let securable = self.securable(&act, kind, &name)?;
                self.catalog().require_manage(act.user(), &securable)?;
                self.catalog_mut().grant(&securable, &principal, &privileges)?;
            }
            Statement::Revoke { privileges, kind, name, principal } => {
                let securable = self.securable(&act, kind, &name)?;
                self.catalog().require_manage(act.user(), &securable)?;
                self.catalog_mut().revoke(&securable, &principal, &privileges)?;
            }
            other => return Err(SqlError::unsupported(format!("{other:?}"))),
        }
        Ok(StatementResult::default())
    }

    /// Tolerates an existing object where that was asked for; comments a new one.
    fn after_create(
        &mut self,
        made: Result<()>,
        tolerate: bool,
        securable: &Securable,
        comment: Option<String>,
    ) -> Result<()> {
        match made {
            Ok(()) => {
                self.catalog_mut().facts_mut(securable)?.comment = comment;
                Ok(())
            }
            Err(error) if tolerate && self.catalog().facts(securable).is_ok() => {
                let _ = error;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn require_create(&self, act: &Act<'_>, privilege: Privilege, name: &TableName) -> Result<()> {
        self.catalog().schema(&name.catalog, &name.schema)?;
        self.catalog().require_reach(act.user(), &name.catalog, &name.schema)?;
        self.catalog().require(act.user(), privilege, &Securable::Schema(name.catalog.clone(), name.schema.clone()))
    }

    fn securable(&self, act: &Act<'_>, kind: ObjectKind, name: &[String]) -> Result<Securable> {
        let securable = match kind {
            ObjectKind::Metastore => Securable::Metastore,
            ObjectKind::Catalog => Securable::Catalog(name.concat().to_lowercase()),
            ObjectKind::Schema => {
                let (catalog, schema) = act.schema(name)?;
                Securable::Schema(catalog, schema)
            }
            ObjectKind::Table | ObjectKind::View => Securable::Table(act.table(name)?),
            ObjectKind::Volume => Securable::Volume(act.table(name)?),
        };
        self.catalog().facts(&securable)?;
        Ok(securable)
    }

    pub(super) fn touch(&mut self, act: &Act<'_>, securable: &Securable) -> Result<()> {
        let facts = self.catalog_mut().facts_mut(securable)?;
        facts.updated_at = act.now;
        act.user().clone_into(&mut facts.updated_by);
        Ok(())
    }

    pub(super) fn transfer(&mut self, act: &Act<'_>, securable: &Securable, owner: &str) -> Result<()> {
        self.catalog().require_manage(act.user(), securable)?;
        self.catalog_mut().set_owner(securable, owner, act.user(), act.now)
    }

    fn create_table_statement(&mut self, act: &Act<'_>, statement: Statement) -> Result<StatementResult> {
        let Statement::CreateTable { name, replace, if_not_exists, columns, comment, properties, partitioned, query } =
            statement
        else {
            return Ok(StatementResult::default());
        };
        let name = act.table(&name)?;
        self.require_create(act, Privilege::CREATE_TABLE, &name)?;
        if if_not_exists && self.catalog().table(&name).is_ok() {
            return Ok(StatementResult::default());
        }
        let mut rows = Vec::new();
        let selected = query.is_some();
        let columns = match query {
            None => specified(columns)?,
            Some(query) => {
                if !columns.is_empty() {
                    return Err(SqlError::new(
                        "INVALID_SQL_SYNTAX.CREATE_TABLE_COLUMNS_WITH_QUERY",
                        "42000",
                        "Schema may not be specified in a Create Table As Select (CTAS) statement.",
                    ));
                }
                let plan = Binder::new(self, act.session, act.parameters, act.now).query(&query, None)?;
                rows = self.run(&plan)?.rows;
                derived(&plan.columns)
            }
        };
        refuse_duplicates(columns.iter().map(|c| c.name.as_str()))?;
        let mut properties: BTreeMap<String, String> = properties.into_iter().collect();
        if !partitioned.is_empty() {
            properties.insert(PARTITIONS.to_owned(), partitioned.join(","));
        }
        let operation = match (selected, replace) {
            (true, true) => "CREATE OR REPLACE TABLE AS SELECT",
            (true, false) => "CREATE TABLE AS SELECT",
            (false, true) => "CREATE OR REPLACE TABLE",
            (false, false) => "CREATE TABLE",
        };
        let existing = self.catalog().table(&name).ok().map(|table| table.kind.clone());
        match existing {
            Some(kind) if replace => {
                if !matches!(kind, TableKind::Managed) {
                    return Err(SqlError::new(
                        "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
                        "42809",
                        format!("'CREATE OR REPLACE TABLE' expects a table but {} is a view.", name.quoted()),
                    ));
                }
                self.catalog().require_manage(act.user(), &Securable::Table(name.clone()))?;
                self.replace_table(&name, columns, act.user(), act.now, properties, operation)?;
            }
            _ => self.add_table(&name, TableKind::Managed, columns, act.user(), act.now, properties, operation)?,
        }
        self.catalog_mut().facts_mut(&Securable::Table(name.clone()))?.comment = comment;
        if !selected {
            return Ok(StatementResult::default());
        }
        self.fill(&name, &rows)?;
        let n = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(StatementResult::table(
            &[("num_affected_rows", DataType::BigInt), ("num_inserted_rows", DataType::BigInt)],
            vec![vec![n.into(), n.into()]],
        ))
    }

    fn create_view(&mut self, act: &Act<'_>, statement: Statement) -> Result<()> {
        let Statement::CreateView { name, replace, if_not_exists, columns: named, comment, properties, text } =
            statement
        else {
            return Ok(());
        };
        let name = act.table(&name)?;
        self.require_create(act, Privilege::CREATE_TABLE, &name)?;
        let existing = self.catalog().table(&name).ok().map(|t| t.kind.clone());
        if if_not_exists && existing.is_some() {
            return Ok(());
        }
        let columns = self.view_columns(act, &text, act.user(), &named)?;
        if replace && let Some(kind) = existing {
            if !matches!(kind, TableKind::View { .. }) {
                return Err(SqlError::new(
                    "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE",
                    "42809",
                    format!("'CREATE OR REPLACE VIEW' expects a view but {} is a table.", name.quoted()),
                ));
            }
            // As DROP and CREATE: grants and id are lost.
            self.catalog().require_owner(act.user(), &Securable::Table(name.clone()))?;
            self.drop_table(&name)?;
        }
        let kind = TableKind::View { text, catalog: act.session.catalog.clone(), schema: act.session.schema.clone() };
        self.add_table(&name, kind, columns, act.user(), act.now, properties.into_iter().collect(), "CREATE VIEW")?;
        self.catalog_mut().facts_mut(&Securable::Table(name))?.comment = comment;
        Ok(())
    }

    /// The columns of a view's text with the names and comments that were written.
    pub(super) fn view_columns(
        &self,
        act: &Act<'_>,
        text: &str,
        owner: &str,
        named: &[ColumnSpec],
    ) -> Result<Vec<Column>> {
        let binder = Binder::new(self, act.session, &[], act.now);
        let mut columns = derived(&binder.view_columns(text, owner, &act.session.catalog, &act.session.schema)?);
        if !named.is_empty() {
            if named.len() != columns.len() {
                let kind =
                    if named.len() > columns.len() { "NOT_ENOUGH_DATA_COLUMNS" } else { "TOO_MANY_DATA_COLUMNS" };
                return Err(SqlError::new(
                    &format!("CREATE_VIEW_COLUMN_ARITY_MISMATCH.{kind}"),
                    "21S01",
                    format!("Cannot create view: {} columns are named, the query has {}.", named.len(), columns.len()),
                ));
            }
            for (column, spec) in columns.iter_mut().zip(named) {
                spec.name.clone_into(&mut column.name);
                column.comment.clone_from(&spec.comment);
            }
        }
        refuse_duplicates(columns.iter().map(|c| c.name.as_str()))?;
        Ok(columns)
    }

    fn drop_object(&mut self, act: &Act<'_>, drop: &Drop) -> Result<()> {
        let securable = match self.securable(act, drop.kind, &drop.name) {
            Ok(securable) => securable,
            Err(error)
                if drop.if_exists
                    && matches!(
                        error.class.as_str(),
                        "TABLE_OR_VIEW_NOT_FOUND"
                            | "SCHEMA_NOT_FOUND"
                            | "VOLUME_DOES_NOT_EXIST"
                            | "NO_SUCH_CATALOG_EXCEPTION"
                    ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.catalog().require_manage(act.user(), &securable)?;
        match &securable {
            Securable::Table(name) => {
                let view = matches!(self.catalog().table(name)?.kind, TableKind::View { .. });
                if view != (drop.kind == ObjectKind::View) {
                    let (class, wanted, found) = if view {
                        ("EXPECT_TABLE_NOT_VIEW.USE_DROP_VIEW", "TABLE", "a view. Please use DROP VIEW instead")
                    } else {
                        ("EXPECT_VIEW_NOT_TABLE.USE_DROP_TABLE", "VIEW", "a table. Please use DROP TABLE instead")
                    };
                    return Err(SqlError::new(
                        class,
                        "42809",
                        format!("'DROP {wanted}' does not fit: {} is {found}.", name.quoted()),
                    ));
                }
                self.drop_table(name)
            }
            Securable::Volume(name) => {
                self.catalog_mut().schema_mut(&name.catalog, &name.schema)?.volumes.remove(&name.table);
                Ok(())
            }
            Securable::Schema(catalog, schema) => {
                let entry = self.catalog().schema(catalog, schema)?;
                if !(drop.cascade || entry.tables.is_empty() && entry.volumes.is_empty()) {
                    return Err(SqlError::new(
                        "SCHEMA_NOT_EMPTY",
                        "2BP01",
                        format!(
                            "Cannot drop a schema {} because it contains objects. Use DROP SCHEMA ... CASCADE to drop the schema and all its objects.",
                            quote(&[catalog, schema])
                        ),
                    ));
                }
                let tables: Vec<_> = entry.tables.keys().map(|table| TableName::new(catalog, schema, table)).collect();
                tables.iter().try_for_each(|table| self.drop_table(table))?;
                self.catalog_mut().catalog_mut(catalog)?.schemas.remove(schema);
                Ok(())
            }
            Securable::Catalog(name) => {
                let tables: Vec<_> = self.catalog().tables().map(|(t, _)| t).filter(|t| t.catalog == *name).collect();
                let schemas = self.catalog().catalog(name)?.schemas.keys().filter(|s| *s != "default").count();
                if !drop.cascade && (schemas > 0 || !tables.is_empty()) {
                    return Err(SqlError::new(
                        "CATALOG_NOT_EMPTY",
                        "2BP01",
                        format!("Cannot drop catalog {} because it is not empty. Use CASCADE.", quote(&[name])),
                    ));
                }
                tables.iter().try_for_each(|table| self.drop_table(table))?;
                self.catalog_mut().catalogs.remove(name);
                Ok(())
            }
            Securable::Metastore => Err(SqlError::syntax("METASTORE", "")),
        }
    }
}

fn set(session: &mut Session, key: Option<&str>, value: Option<&str>) -> StatementResult {
    if let (Some(key), Some(value)) = (key, value) {
        session.settings.insert(key.to_owned(), value.to_owned());
    }
    let rows = session.settings.iter().filter(|(name, _)| key.is_none_or(|key| key == name.as_str()));
    let rows = rows.map(|(name, value)| vec![name.as_str().into(), value.as_str().into()]).collect();
    StatementResult::table(&[("key", DataType::String), ("value", DataType::String)], rows)
}

pub(super) fn specified(specs: Vec<ColumnSpec>) -> Result<Vec<Column>> {
    specs
        .into_iter()
        .map(|spec| {
            let ty = spec.ty.ok_or_else(|| SqlError::syntax(&spec.name, "expected a type"))?;
            Ok(Column {
                field: 0,
                name: spec.name,
                ty,
                nullable: spec.nullable,
                comment: spec.comment,
                default: spec.default,
            })
        })
        .collect()
}

fn derived(outputs: &[Output]) -> Vec<Column> {
    outputs.iter().map(|o| Column { nullable: o.nullable, ..Column::new(&o.name, o.ty.clone()) }).collect()
}

fn refuse_duplicates<'n>(names: impl Iterator<Item = &'n str>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name.to_lowercase()) {
            return Err(SqlError::new(
                "COLUMN_ALREADY_EXISTS",
                "42711",
                format!(
                    "The column `{}` already exists. Choose another name or rename the existing column.",
                    name.to_lowercase()
                ),
            ));
        }
    }
    Ok(())
}
