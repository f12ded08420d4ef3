//! The views of `information_schema`, computed for one reader: nobody sees what they could not see otherwise.

use super::{Catalog, Column, Table, TableKind};
use crate::sim::sql::error::Result;
use crate::sim::sql::names::{Securable, TableName};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;

type Relation = (Vec<Column>, Vec<Vec<Value>>);

/// The relation of a name such as `prod.information_schema.tables`; none when there is no such view. The catalog `system` shows all catalogs.
pub(crate) fn relation(catalog: &Catalog, name: &TableName, reader: &str) -> Result<Option<Relation>> {
    catalog.catalog(&name.catalog)?;
    let wanted = |of: &str| name.catalog == "system" || of == name.catalog;
    let seen = |table: &TableName| wanted(&table.catalog) && catalog.sees(reader, &Securable::Table(table.clone()));
    let tables = || catalog.tables().filter(|(table, _)| seen(table));
    let schemas = || {
        let all = catalog
            .catalogs
            .iter()
            .filter(|(c, _)| wanted(c))
            .flat_map(|(c, entry)| entry.schemas.iter().map(move |(s, schema)| (c, s, schema)));
        all.filter(|(c, s, _)| catalog.sees(reader, &Securable::Schema((*c).clone(), (*s).clone())))
    };
    Ok(Some(match name.table.as_str() {
        "catalogs" => {
            let rows = catalog
                .catalogs
                .iter()
                .filter(|(c, _)| wanted(c) && catalog.sees(reader, &Securable::Catalog((*c).clone())))
                .map(|(c, entry)| {
                    let mut row =
                        vec![c.as_str().into(), entry.facts.owner.as_str().into(), entry.facts.comment.clone().into()];
                    row.extend(times(&entry.facts));
                    row
                });
            (
                columns(&[
                    "catalog_name",
                    "catalog_owner",
                    "comment",
                    "created@",
                    "created_by",
                    "last_altered@",
                    "last_altered_by",
                ]),
                rows.collect(),
            )
        }
        "schemata" => {
            let rows = schemas().map(|(c, s, schema)| {
                let mut row = vec![
                    c.as_str().into(),
                    s.as_str().into(),
                    schema.facts.owner.as_str().into(),
                    schema.facts.comment.clone().into(),
                ];
                row.extend(times(&schema.facts));
                row
            });
            (
                columns(&[
                    "catalog_name",
                    "schema_name",
                    "schema_owner",
                    "comment",
                    "created@",
                    "created_by",
                    "last_altered@",
                    "last_altered_by",
                ]),
                rows.collect(),
            )
        }
        "tables" => (
            columns(&[
                "table_catalog",
                "table_schema",
                "table_name",
                "table_type",
                "is_insertable_into",
                "commit_action",
                "table_owner",
                "comment",
                "created@",
                "created_by",
                "last_altered@",
                "last_altered_by",
                "data_source_format",
                "storage_sub_directory",
                "storage_path",
            ]),
            tables().map(|(table, entry)| table_row(&table, entry)).collect(),
        ),
        "views" => {
            let rows = tables().filter_map(|(table, entry)| {
                let (text, materialized) = match &entry.kind {
                    TableKind::View { text, .. } => (text, false),
                    TableKind::MaterializedView { text, .. } => (text, true),
                    _ => return None,
                };
                // The text is the owner's business.
                let text = catalog.manages(reader, &Securable::Table(table.clone())).then(|| text.clone());
                let mut row = levels(&table);
                row.extend([text.into(), "NONE".into(), "NO".into(), yes_no(materialized), Value::Null]);
                Some(row)
            });
            (
                columns(&[
                    "table_catalog",
                    "table_schema",
                    "table_name",
                    "view_definition",
                    "check_option",
                    "is_updatable",
                    "is_materialized",
                    "sql_path",
                ]),
                rows.collect(),
            )
        }
        "columns" => (
            columns(&[
                "table_catalog",
                "table_schema",
                "table_name",
                "column_name",
                "ordinal_position#",
                "column_default",
                "is_nullable",
                "full_data_type",
                "data_type",
                "numeric_precision#",
                "numeric_scale#",
                "datetime_precision#",
                "comment",
                "partition_index#",
            ]),
            tables()
                .flat_map(|(table, entry)| {
                    entry.columns.iter().enumerate().map(|(n, c)| column_row(&table, n, c)).collect::<Vec<_>>()
                })
                .collect(),
        ),
        "table_privileges" => {
            let securables = tables().map(|(table, _)| (levels(&table), Securable::Table(table)));
            (
                columns(&[
                    "grantor",
                    "grantee",
                    "table_catalog",
                    "table_schema",
                    "table_name",
                    "privilege_type",
                    "is_grantable",
                    "inherited_from",
                ]),
                privileges(catalog, reader, securables)?,
            )
        }
        "schema_privileges" => {
            let securables = schemas()
                .map(|(c, s, _)| (vec![c.as_str().into(), s.as_str().into()], Securable::Schema(c.clone(), s.clone())));
            (
                columns(&[
                    "grantor",
                    "grantee",
                    "catalog_name",
                    "schema_name",
                    "privilege_type",
                    "is_grantable",
                    "inherited_from",
                ]),
                privileges(catalog, reader, securables)?,
            )
        }
        "catalog_privileges" => {
            let securables = catalog
                .catalogs
                .keys()
                .filter(|c| wanted(c))
                .map(|c| (vec![c.as_str().into()], Securable::Catalog(c.clone())));
            (
                columns(&["grantor", "grantee", "catalog_name", "privilege_type", "is_grantable", "inherited_from"]),
                privileges(catalog, reader, securables)?,
            )
        }
        "volumes" => {
            let rows = schemas().flat_map(|(c, s, schema)| {
                schema.volumes.iter().map(move |(v, volume)| {
                    let mut row = vec![
                        c.as_str().into(),
                        s.as_str().into(),
                        v.as_str().into(),
                        "MANAGED".into(),
                        volume.facts.owner.as_str().into(),
                        volume.facts.comment.clone().into(),
                    ];
                    row.extend(times(&volume.facts));
                    row
                })
            });
            (
                columns(&[
                    "volume_catalog",
                    "volume_schema",
                    "volume_name",
                    "volume_type",
                    "volume_owner",
                    "comment",
                    "created@",
                    "created_by",
                    "last_altered@",
                    "last_altered_by",
                ]),
                rows.collect(),
            )
        }
        _ => return Ok(None),
    }))
}

/// Columns by name: `#` marks INT, `@` TIMESTAMP, the rest is STRING.
fn columns(names: &[&str]) -> Vec<Column> {
    let column = |name: &&str| match (name.strip_suffix('#'), name.strip_suffix('@')) {
        (Some(name), _) => Column::new(name, T::Int),
        (_, Some(name)) => Column::new(name, T::Timestamp),
        _ => Column::new(name, T::String),
    };
    names.iter().map(column).collect()
}

fn yes_no(value: bool) -> Value {
    if value { "YES".into() } else { "NO".into() }
}

fn times(facts: &super::Facts) -> [Value; 4] {
    [
        facts.created_at.timestamp_micros().into(),
        facts.created_by.as_str().into(),
        facts.updated_at.timestamp_micros().into(),
        facts.updated_by.as_str().into(),
    ]
}

fn levels(name: &TableName) -> Vec<Value> {
    vec![name.catalog.as_str().into(), name.schema.as_str().into(), name.table.as_str().into()]
}

fn table_row(name: &TableName, table: &Table) -> Vec<Value> {
    let view = matches!(table.kind, TableKind::View { .. });
    let mut row = levels(name);
    row.extend([
        table.kind.word().into(),
        yes_no(matches!(table.kind, TableKind::Managed)),
        "PRESERVE".into(),
        table.facts.owner.as_str().into(),
        table.facts.comment.clone().into(),
    ]);
    row.extend(times(&table.facts));
    row.extend([if view { "UNKNOWN_DATA_SOURCE_FORMAT".into() } else { "DELTA".into() }, Value::Null, Value::Null]);
    row
}

fn column_row(table: &TableName, position: usize, column: &Column) -> Vec<Value> {
    let (precision, scale) = match column.ty.as_decimal() {
        Some((p, s)) => (Value::Integer(p.into()), Value::Integer(s.into())),
        None => (Value::Null, Value::Null),
    };
    let clock = matches!(column.ty, T::Timestamp | T::TimestampNtz).then_some(6_i64);
    let mut row = levels(table);
    row.extend([
        column.name.as_str().into(),
        i64::try_from(position).unwrap_or(i64::MAX).into(),
        column.default.clone().into(),
        yes_no(column.nullable),
        column.ty.simple().into(),
        column.ty.wire_name().into(),
        precision,
        scale,
        clock.into(),
        column.comment.clone().into(),
        Value::Null,
    ]);
    row
}

/// Direct and inherited grants of securables, as one row each; a reader without control sees only their own.
fn privileges(
    catalog: &Catalog,
    reader: &str,
    securables: impl Iterator<Item = (Vec<Value>, Securable)>,
) -> Result<Vec<Vec<Value>>> {
    let own = catalog.identities(reader);
    let mut rows = Vec::new();
    for (names, securable) in securables {
        let all = catalog.manages(reader, &securable);
        for grant in catalog.effective_grants(&securable)?.into_iter().filter(|g| all || own.contains(&g.principal)) {
            let mut row = vec![catalog.facts(&securable)?.owner.as_str().into(), grant.principal.as_str().into()];
            row.extend(names.clone());
            let from = grant.inherited_from.map_or("NONE", |from| from.kind());
            row.extend([grant.privilege.rest().into(), "NO".into(), from.into()]);
            rows.push(row);
        }
    }
    Ok(rows)
}
