//! Catalogs, schemas and tables of Unity Catalog (databricks-api.md 6.2, 6.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Int, object};

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
