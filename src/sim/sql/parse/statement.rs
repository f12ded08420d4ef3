//! The statements that the engine runs.

use crate::sim::sql::catalog::Privilege;
use crate::sim::sql::types::DataType;
use sqlparser::ast::{Delete, Expr, Insert, Merge, Query, Update};

/// Key and value pairs of TBLPROPERTIES.
pub(crate) type Properties = Vec<(String, String)>;

/// What a DDL statement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Metastore,
    Catalog,
    Schema,
    Table,
    View,
    Volume,
}

/// A column of CREATE TABLE or ADD COLUMN.
#[derive(Debug, Clone)]
pub(crate) struct ColumnSpec {
    pub(crate) name: String,
    pub(crate) ty: Option<DataType>,
    pub(crate) nullable: bool,
    pub(crate) comment: Option<String>,
    pub(crate) default: Option<String>,
}

/// DROP of something.
#[derive(Debug, Clone)]
pub(crate) struct Drop {
    pub(crate) kind: ObjectKind,
    pub(crate) name: Vec<String>,
    pub(crate) if_exists: bool,
    pub(crate) cascade: bool,
}

/// What ALTER VIEW does.
#[derive(Debug, Clone)]
pub(crate) enum AlterView {
    As(String),
    Owner(String),
    Rename(Vec<String>),
    SetProperties(Properties),
    UnsetProperties(Vec<String>),
}

/// What ALTER TABLE does.
#[derive(Debug, Clone)]
pub(crate) enum AlterTable {
    AddColumns(Vec<ColumnSpec>),
    DropColumn(String),
    RenameColumn(String, String),
    CommentColumn(String, String),
    SetNotNull(String, bool),
    Rename(Vec<String>),
    Owner(String),
    SetProperties(Properties),
    UnsetProperties(Vec<String>),
}

/// The forms of DESCRIBE.
#[derive(Debug, Clone)]
pub(crate) enum Describe {
    Table { name: Vec<String>, extended: bool },
    History { name: Vec<String>, limit: Option<usize> },
    Detail(Vec<String>),
    Query(Box<Query>),
}

/// The forms of SHOW.
#[derive(Debug, Clone)]
pub(crate) enum Show {
    Catalogs(Option<String>),
    Schemas { catalog: Option<String>, like: Option<String> },
    Tables { schema: Option<Vec<String>>, like: Option<String> },
    Views { schema: Option<Vec<String>>, like: Option<String> },
    Columns(Vec<String>),
    Grants { principal: Option<String>, kind: ObjectKind, name: Vec<String> },
    Properties(Vec<String>),
    CreateTable(Vec<String>),
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
    Truncate(Vec<String>),
    Restore {
        table: Vec<String>,
        version: Option<Box<Expr>>,
        timestamp: Option<Box<Expr>>,
    },
    CreateCatalog {
        name: String,
        if_not_exists: bool,
        comment: Option<String>,
    },
    CreateSchema {
        name: Vec<String>,
        if_not_exists: bool,
        comment: Option<String>,
        properties: Properties,
    },
    CreateVolume {
        name: Vec<String>,
        if_not_exists: bool,
        comment: Option<String>,
    },
    CreateTable {
        name: Vec<String>,
        replace: bool,
        if_not_exists: bool,
        columns: Vec<ColumnSpec>,
        comment: Option<String>,
        properties: Properties,
        partitioned: Vec<String>,
        query: Option<Box<Query>>,
    },
    CreateView {
        name: Vec<String>,
        replace: bool,
        if_not_exists: bool,
        columns: Vec<ColumnSpec>,
        comment: Option<String>,
        properties: Properties,
        text: String,
    },
    Drop(Drop),
    AlterView {
        name: Vec<String>,
        action: AlterView,
    },
    AlterTable {
        name: Vec<String>,
        action: AlterTable,
    },
    AlterOwner {
        kind: ObjectKind,
        name: Vec<String>,
        owner: String,
    },
    Comment {
        kind: ObjectKind,
        name: Vec<String>,
        comment: Option<String>,
    },
    CommentColumn {
        name: Vec<String>,
        comment: Option<String>,
    },
    Grant {
        privileges: Vec<Privilege>,
        kind: ObjectKind,
        name: Vec<String>,
        principal: String,
    },
    Revoke {
        privileges: Vec<Privilege>,
        kind: ObjectKind,
        name: Vec<String>,
        principal: String,
    },
    UseCatalog(String),
    UseSchema(Vec<String>),
    Set {
        key: Option<String>,
        value: Option<String>,
    },
    Describe(Describe),
    Show(Show),
    Explain(Box<Statement>),
}
