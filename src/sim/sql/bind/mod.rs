//! The binder: resolves names, types and rights of a parsed query and writes the SQLite text that computes it. Nothing here looks at data.

mod call;
mod expr;
mod from;
mod literal;
mod query;
mod scope;
mod select_list;
mod window;

pub(crate) use from::Source;
pub(crate) use scope::{Bound, Scope, ScopeColumn};

use super::catalog::TableKind;
use super::engine::{Engine, Parameter, Session};
use super::error::{Result, SqlError};
use super::names::TableName;
use super::types::DataType;
use chrono::{DateTime, Utc};
use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A bound query: SQLite text whose result columns are named `c0`, `c1`, ...
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Output>,
}

/// A result column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) ty: DataType,
    pub(crate) nullable: bool,
}

/// A common table expression in sight.
#[derive(Clone)]
struct Named {
    name: String,
    query: Query,
    columns: Vec<String>,
    /// How many of the outer ones it sees itself.
    sees: usize,
}

/// In whose name, and from where, names are resolved: changes inside views.
#[derive(Clone)]
struct Home {
    principal: String,
    catalog: String,
    schema: String,
}

/// Binds one statement.
pub(crate) struct Binder<'e> {
    engine: &'e Engine,
    session: &'e Session,
    parameters: &'e [Parameter],
    now: DateTime<Utc>,
    home: RefCell<Vec<Home>>,
    named: RefCell<Vec<Named>>,
    aliases: Cell<u32>,
    /// Tables read at their newest version.
    pub(crate) live_reads: RefCell<Vec<TableName>>,
    /// Tables and views by name, each with how many views deep it was named.
    sources: RefCell<BTreeSet<(usize, TableName)>>,
}

impl<'e> Binder<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        session: &'e Session,
        parameters: &'e [Parameter],
        now: DateTime<Utc>,
    ) -> Self {
        let home =
            Home { principal: session.user.clone(), catalog: session.catalog.clone(), schema: session.schema.clone() };
        Self {
            engine,
            session,
            parameters,
            now,
            home: RefCell::new(vec![home]),
            named: RefCell::default(),
            aliases: Cell::new(0),
            live_reads: RefCell::default(),
            sources: RefCell::default(),
        }
    }

    fn home(&self) -> Home {
        self.home.borrow().last().cloned().unwrap_or_else(|| Home {
            principal: String::new(),
            catalog: String::new(),
            schema: String::new(),
        })
    }

    /// A fresh alias for a relation.
    pub(crate) fn alias(&self) -> String {
        let next = self.aliases.get();
        self.aliases.set(next + 1);
        format!("r{next}")
    }

    /// The full name that one to three levels mean here.
    pub(crate) fn table_name(&self, levels: &[String]) -> Result<TableName> {
        let home = self.home();
        match levels {
            [table] => Ok(TableName::new(&home.catalog, &home.schema, table)),
            [schema, table] => Ok(TableName::new(&home.catalog, schema, table)),
            [catalog, schema, table] => Ok(TableName::new(catalog, schema, table)),
            _ => Err(SqlError::table_not_found(&super::names::quote(levels))),
        }
    }

    /// The output columns that a view's text has for its owner.
    pub(crate) fn view_columns(&self, text: &str, owner: &str, catalog: &str, schema: &str) -> Result<Vec<Output>> {
        self.as_owner(text, owner, catalog, schema).map(|plan| plan.columns)
    }

    /// Tables and views that were named so many views deep: 1 is the statement itself.
    pub(crate) fn sources_at(&self, depth: usize) -> Vec<TableName> {
        self.sources.borrow().iter().filter(|(at, _)| *at == depth).map(|(_, name)| name.clone()).collect()
    }

    /// Binds a view's text with its owner's rights and its own defaults.
    fn as_owner(&self, text: &str, owner: &str, catalog: &str, schema: &str) -> Result<Plan> {
        if self.home.borrow().len() > 50 {
            return Err(SqlError::new(
                "VIEW_EXCEED_MAX_NESTED_DEPTH",
                "54K00",
                "The depth of a view exceeds the maximum view resolution depth (50).",
            ));
        }
        let query = super::parse::query(text)?;
        let outside = std::mem::take(&mut *self.named.borrow_mut());
        self.home.borrow_mut().push(Home {
            principal: owner.to_owned(),
            catalog: catalog.to_owned(),
            schema: schema.to_owned(),
        });
        let plan = self.query(&query, None);
        self.home.borrow_mut().pop();
        *self.named.borrow_mut() = outside;
        plan
    }

    /// Binds a view by its kind; none for what is no view.
    fn view(&self, name: &TableName, kind: &TableKind, owner: &str) -> Option<Result<Plan>> {
        match kind {
            TableKind::View { text, catalog, schema } => {
                let text = self.engine.view_text(name, self.session, text);
                Some(self.as_owner(text, owner, catalog, schema))
            }
            _ => None,
        }
    }

    pub(crate) fn engine(&self) -> &'e Engine {
        self.engine
    }

    pub(crate) fn user(&self) -> &'e str {
        &self.session.user
    }

    /// The session's catalog and schema, folded.
    pub(crate) fn default_schema(&self) -> (String, String) {
        (self.session.catalog.to_lowercase(), self.session.schema.to_lowercase())
    }

    fn in_view(&self) -> bool {
        self.home.borrow().len() > 1
    }
}

/// The levels of a parsed name.
pub(crate) fn levels(name: &ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Ok(ident.value.clone()),
            ObjectNamePart::Function(_) => Err(SqlError::unsupported(format!("the name {name}"))),
        })
        .collect()
}

/// Marks an error with the place of an identifier.
fn at(ident: Option<&Ident>, error: SqlError) -> SqlError {
    match ident {
        Some(ident) => error.at(ident.span.start.line, ident.span.start.column),
        None => error,
    }
}
