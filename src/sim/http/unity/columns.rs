//! Columns as Unity Catalog tells them: each with its type in four spellings.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::sim::lakehouse::partition_index;
use crate::sim::sql::DataType;
use crate::sim::sql::catalog::Column;

/// All columns of a table.
pub(super) fn render(columns: &[Column], properties: &BTreeMap<String, String>) -> Value {
    columns.iter().enumerate().map(|(at, column)| one(at, column, properties)).collect()
}

fn one(at: usize, column: &Column, properties: &BTreeMap<String, String>) -> Value {
    let (precision, scale) = match column.ty {
        DataType::Decimal(precision, scale) => (precision, scale),
        _ => (0, 0),
    };
    let mut metadata = Map::new();
    if let Some(comment) = &column.comment {
        metadata.insert("comment".to_owned(), comment.clone().into());
    }
    let type_json =
        json!({"name": column.name, "type": spark(&column.ty), "nullable": column.nullable, "metadata": metadata});
    let mut body = json!({
        "name": column.name,
        "position": at,
        "nullable": column.nullable,
        "type_name": column.ty.wire_name(),
        "type_text": column.ty.simple(),
        "type_json": type_json.to_string(),
        "type_precision": precision,
        "type_scale": scale,
    });
    if let Some(members) = body.as_object_mut() {
        members.extend(column.comment.clone().map(|comment| ("comment".to_owned(), comment.into())));
        members.extend(partition_index(properties, column).map(|index| ("partition_index".to_owned(), index.into())));
    }
    body
}

/// A type as Spark writes it in JSON.
fn spark(ty: &DataType) -> Value {
    match ty {
        DataType::TinyInt => "byte".into(),
        DataType::SmallInt => "short".into(),
        DataType::Int => "integer".into(),
        DataType::BigInt => "long".into(),
        DataType::Array(item) => json!({"type": "array", "elementType": spark(item), "containsNull": true}),
        DataType::Map(key, value) => {
            json!({"type": "map", "keyType": spark(key), "valueType": spark(value), "valueContainsNull": true})
        }
        DataType::Struct(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|(name, ty)| json!({"name": name, "type": spark(ty), "nullable": true, "metadata": {}}))
                .collect();
            json!({"type": "struct", "fields": fields})
        }
        other => other.simple().into(),
    }
}
