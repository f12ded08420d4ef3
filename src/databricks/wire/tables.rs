//! Catalogs, schemas and tables of Unity Catalog (databricks-api.md 6.2, 6.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Int, instant, object, said};
use crate::domain::sql::QualifiedName;
use crate::domain::unity as domain;

object! {
    CatalogList {
        catalogs: Vec<Catalog>,
        next_page_token: String,
    }
    Catalog {
        name: String,
        full_name: String,
        catalog_type: String,
        isolation_mode: String,
        owner: String,
        comment: String,
        metastore_id: String,
        properties: BTreeMap<String, String>,
        created_at: Int,
        updated_at: Int,
        browse_only: bool,
    }
    SchemaList {
        schemas: Vec<Schema>,
        next_page_token: String,
    }
    Schema {
        name: String,
        catalog_name: String,
        full_name: String,
        schema_id: String,
        owner: String,
        comment: String,
        properties: BTreeMap<String, String>,
        created_at: Int,
        updated_at: Int,
        browse_only: bool,
    }
    TableList {
        tables: Vec<Table>,
        next_page_token: String,
    }
    Table {
        name: String,
        catalog_name: String,
        schema_name: String,
        full_name: String,
        table_id: String,
        metastore_id: String,
        table_type: String,
        data_source_format: String,
        columns: Vec<Column>,
        storage_location: String,
        owner: String,
        comment: String,
        properties: BTreeMap<String, String>,
        created_at: Int,
        created_by: String,
        updated_at: Int,
        updated_by: String,
        deleted_at: Int,
        view_definition: String,
        view_dependencies: DependencyList,
        pipeline_id: String,
        row_filter: Map<String, Value>,
        table_constraints: Vec<Map<String, Value>>,
        browse_only: bool,
    }
    /// Absent dependencies are not tracked; an empty list is tracked and none.
    DependencyList {
        dependencies: Vec<Map<String, Value>>,
    }
    Column {
        name: String,
        position: Int,
        nullable: bool,
        type_name: String,
        type_text: String,
        type_json: String,
        type_precision: Int,
        type_scale: Int,
        comment: String,
        partition_index: Int,
        mask: Map<String, Value>,
    }
}

impl Catalog {
    /// The catalog; none without a usable name.
    pub(crate) fn into_domain(self) -> Option<domain::Container> {
        Some(container(QualifiedName::new([self.name?]).ok()?, self.owner, self.browse_only))
    }
}

impl Schema {
    /// The schema; none without a usable name.
    pub(crate) fn into_domain(self) -> Option<domain::Container> {
        let name = full_name(self.full_name, [self.catalog_name, self.name])?;
        Some(container(name, self.owner, self.browse_only))
    }
}

fn container(name: QualifiedName, owner: Option<String>, browse_only: Option<bool>) -> domain::Container {
    domain::Container { name, owner: said(owner), browse_only: browse_only.unwrap_or(false) }
}

impl Table {
    /// The table; none without a usable name.
    pub(crate) fn into_domain(self) -> Option<domain::Table> {
        let name = full_name(self.full_name, [self.catalog_name, self.schema_name, self.name])?;
        let mut columns = self.columns.unwrap_or_default();
        columns.sort_by_key(|column| column.position);
        Some(domain::Table {
            name,
            id: said(self.table_id),
            kind: self.table_type.unwrap_or_default(),
            owner: said(self.owner),
            columns: columns.into_iter().map(Column::into_domain).collect(),
            definition: said(self.view_definition),
            pipeline: said(self.pipeline_id),
            comment: said(self.comment),
            properties: self.properties.unwrap_or_default(),
            updated_at: instant(self.updated_at),
            updated_by: said(self.updated_by),
            browse_only: self.browse_only.unwrap_or(false),
        })
    }
}

impl Column {
    fn into_domain(self) -> domain::Column {
        domain::Column {
            name: self.name.unwrap_or_default(),
            type_text: said(self.type_text).or(self.type_name).unwrap_or_default(),
            nullable: self.nullable.unwrap_or(true),
            comment: said(self.comment),
        }
    }
}

/// The whole name if it is told, else its levels put together.
fn full_name<const N: usize>(whole: Option<String>, levels: [Option<String>; N]) -> Option<QualifiedName> {
    let levels: Option<Vec<String>> = levels.into_iter().collect();
    match levels {
        Some(levels) => QualifiedName::new(levels).ok(),
        None => whole?.parse().ok(),
    }
}
