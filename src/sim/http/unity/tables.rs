//! Tables and views: list, get, exists, summaries; a new owner; delete. They are made by SQL.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::route::Route;
use super::catalogs::erase;
use super::schemas::required;
use super::{UNITY, columns, paged, refusal, seen, table_of, told, with};
use crate::sim::lakehouse::Changes;
use crate::sim::sql::catalog::TableKind;
use crate::sim::sql::{Securable, TableName};

pub(super) fn routes() -> Vec<Route> {
    let one = format!("{UNITY}/tables/{{full_name}}");
    vec![
        Route::get(format!("{UNITY}/tables"), list),
        Route::get(format!("{UNITY}/table-summaries"), summaries),
        Route::get(format!("{one}/exists"), exists),
        Route::get(one.clone(), get),
        Route::patch(one.clone(), update),
        Route::delete(one, delete),
    ]
}

fn list(call: &mut Call<'_>) -> Answer {
    let (catalog, schema) = (required(call, "catalog_name")?, required(call, "schema_name")?);
    seen(call, &Securable::Schema(catalog.clone(), schema.clone()))?;
    let without_columns = call.query().boolean("omit_columns")?;
    let without_properties = call.query().boolean("omit_properties")?;
    let entry = call.lakehouse.catalog().schema(&catalog, &schema).map_err(|e| refusal(&e))?;
    let names = entry.tables.keys().map(|table| TableName::new(&catalog, &schema, table));
    let mut items = names.filter(|name| sees(call, name)).map(|n| render(call, &n)).collect::<Result<Vec<_>, _>>()?;
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        if without_columns {
            item.remove("columns");
        }
        if without_properties {
            item.remove("properties");
        }
    }
    Ok(Reply::json(&paged(call, &format!("tables {catalog}.{schema}"), "tables", &items)?))
}

fn sees(call: &Call<'_>, name: &TableName) -> bool {
    call.lakehouse.catalog().sees(&call.principal.user_name, &Securable::Table(name.clone()))
}

/// Names and kinds of all tables of a catalog that fit two LIKE patterns.
fn summaries(call: &mut Call<'_>) -> Answer {
    let catalog = required(call, "catalog_name")?;
    seen(call, &Securable::Catalog(catalog.clone()))?;
    let of = |name: &str| call.query().text(name).unwrap_or("%").to_lowercase();
    let (schemas, tables) = (of("schema_name_pattern"), of("table_name_pattern"));
    let all = call.lakehouse.catalog().tables();
    let fits = |name: &TableName| {
        name.catalog == catalog && like(&schemas, &name.schema) && like(&tables, &name.table) && sees(call, name)
    };
    let items: Vec<Value> = all
        .filter(|(name, _)| fits(name))
        .map(|(name, table)| json!({"full_name": name.to_string(), "table_type": table.kind.word()}))
        .collect();
    Ok(Reply::json(&paged(call, &format!("summaries {catalog}"), "tables", &items)?))
}

/// SQL's LIKE without escapes.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = pattern.get(1..).unwrap_or_default();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| like(rest, text.get(at..).unwrap_or_default()))
        }
        Some(sign) => {
            let mut letters = text.chars();
            let first = letters.next();
            let fits = first.is_some_and(|letter| sign == '_' || sign == letter);
            fits && like(pattern.get(sign.len_utf8()..).unwrap_or_default(), letters.as_str())
        }
    }
}

fn exists(call: &mut Call<'_>) -> Answer {
    let name = table_of(call.captured("full_name"))?;
    seen(call, &Securable::Schema(name.catalog.clone(), name.schema.clone()))?;
    let there = call.lakehouse.catalog().table(&name).is_ok() && sees(call, &name);
    Ok(Reply::json(&json!({"table_exists": there})))
}

fn get(call: &mut Call<'_>) -> Answer {
    let name = table_of(call.captured("full_name"))?;
    seen(call, &Securable::Table(name.clone()))?;
    call.lakehouse.bring_up(&name.to_string(), call.world.now(), call.world);
    let mut body = render(call, &name)?;
    let is_view = matches!(call.lakehouse.catalog().table(&name).map(|table| &table.kind), Ok(TableKind::View { .. }));
    // The list leaves them out; absent is "not tracked" (databricks-api.md 6.2).
    if is_view
        && let Some(names) = call.lakehouse.dependencies(&name, call.world.now())
        && let Some(members) = body.as_object_mut()
    {
        let all: Vec<Value> =
            names.iter().map(|name| json!({"table": {"table_full_name": name.to_string()}})).collect();
        members.insert("view_dependencies".to_owned(), json!({"dependencies": all}));
    }
    Ok(Reply::json(&body))
}

#[derive(Debug, Deserialize)]
struct Update {
    owner: Option<String>,
}

fn update(call: &mut Call<'_>) -> Answer {
    let table = Securable::Table(table_of(call.captured("full_name"))?);
    seen(call, &table)?;
    let Update { owner } = call.body()?;
    let owner = owner.ok_or_else(|| Refusal::invalid("Missing required field: owner"))?;
    let changes = Changes { owner: Some(owner), ..Changes::default() };
    let now = call.world.now();
    call.lakehouse.change(&call.principal.user_name, &table, changes, now).map_err(|e| refusal(&e))?;
    Ok(Reply::empty())
}

fn delete(call: &mut Call<'_>) -> Answer {
    let table = Securable::Table(table_of(call.captured("full_name"))?);
    erase(call, &table)
}

fn render(call: &Call<'_>, name: &TableName) -> Result<Value, Refusal> {
    let table = call.lakehouse.catalog().table(name).map_err(|e| refusal(&e))?;
    let metastore = call.lakehouse.catalog().metastore.id;
    let mut body = told(&table.facts, call);
    let id = table.facts.id.to_string();
    body.insert("columns".to_owned(), columns::render(&table.columns, &table.facts.properties));
    body.insert("table_type".to_owned(), table.kind.word().into());
    match &table.kind {
        TableKind::View { text, .. } => {
            body.insert("view_definition".to_owned(), text.clone().into());
        }
        kind => {
            body.insert("data_source_format".to_owned(), "DELTA".into());
            let location = format!("s3://lakeshift-simulated/metastore/{metastore}/tables/{id}");
            body.insert("storage_location".to_owned(), location.into());
            let pipeline = match kind {
                TableKind::StreamingTable { pipeline_id } => Some((pipeline_id, None)),
                TableKind::MaterializedView { pipeline_id, text } => Some((pipeline_id, Some(text))),
                TableKind::Managed | TableKind::Computed | TableKind::View { .. } => None,
            };
            if let Some((pipeline_id, text)) = pipeline {
                body.insert("pipeline_id".to_owned(), pipeline_id.clone().into());
                body.extend(text.map(|text| ("view_definition".to_owned(), text.clone().into())));
            }
        }
    }
    // Delta keeps its own books among the properties.
    if let Some(last) = call.lakehouse.history(name).last() {
        let properties = body.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("delta.lastUpdateVersion".to_owned(), last.version.to_string().into());
            let at = last.at.timestamp_millis().to_string();
            properties.insert("delta.lastCommitTimestamp".to_owned(), at.into());
        }
    }
    Ok(with(
        body,
        json!({
            "name": name.table,
            "catalog_name": name.catalog,
            "schema_name": name.schema,
            "full_name": name.to_string(),
            "table_id": id,
            "securable_type": "TABLE",
            "enable_predictive_optimization": "INHERIT",
            "browse_only": false,
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn patterns_are_sqls() {
        for (pattern, text, fits) in [
            ("%", "", true),
            ("sales_%", "sales_blue", true),
            ("sal_s", "sales", true),
            ("sales", "sales_", false),
            ("%é%", "café", true),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
