//! Unity Catalog as lakeshift reads it: objects by their names, and who may do what with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Instant;
use super::sql::QualifiedName;

/// The kind of a securable object, as grants name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Securable {
    /// A catalog.
    Catalog,
    /// A schema.
    Schema,
    /// A table, view, materialized view or streaming table: all are tables here (databricks-api.md 6.1).
    Table,
    /// A volume.
    Volume,
    /// A function or procedure.
    Function,
}

/// One privilege of one principal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// An e-mail address, a group's name or a service principal's application id. From outside.
    pub principal: String,
    /// As SQL spells it: `USE SCHEMA`, `SELECT`, `ALL PRIVILEGES`.
    pub privilege: String,
    /// Where it was granted, when that is above the object: `CATALOG main`; none if on the object itself.
    pub inherited_from: Option<(String, String)>,
}

/// A catalog or schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name, of one or two levels.
    pub name: QualifiedName,
    /// Who owns it. An owner's rights are not among the grants. From outside.
    pub owner: Option<String>,
    /// Whether the caller sees that it exists, but none of its contents.
    pub browse_only: bool,
}

/// A table, view, materialized view or streaming table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name of three levels.
    pub name: QualifiedName,
    /// Stays while the object lives: a replaced view has another one.
    pub id: Option<String>,
    /// `MANAGED`, `VIEW`, `STREAMING_TABLE`, ... as spelled on the wire.
    pub kind: String,
    /// Who owns it. From outside.
    pub owner: Option<String>,
    /// Its columns in order. A listing may leave them out.
    pub columns: Vec<Column>,
    /// The query of a view, materialized view or streaming table. From outside.
    pub definition: Option<String>,
    /// The pipeline that owns a streaming table or a materialized view.
    pub pipeline: Option<String>,
    /// From outside.
    pub comment: Option<String>,
    /// From outside.
    pub properties: BTreeMap<String, String>,
    /// When its metadata changed last; commits of data do not count.
    pub updated_at: Option<Instant>,
    /// Who changed it last. From outside.
    pub updated_by: Option<String>,
    /// Whether the caller sees that it exists, but not what it is.
    pub browse_only: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// From outside.
    pub name: String,
    /// Its SQL type, as the catalog words it: `bigint`, `decimal(10,2)`.
    pub type_text: String,
    /// Whether it may be NULL; true unless the catalog says otherwise.
    pub nullable: bool,
    /// From outside. A changed view loses it (databricks-api.md 10.1).
    pub comment: Option<String>,
}
