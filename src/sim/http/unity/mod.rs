//! Unity Catalog 2.1 (databricks-api.md 6): catalogs, schemas, tables, volumes, grants. The objects are those of SQL.

mod catalogs;
mod columns;
mod grants;
mod metastore;
mod schemas;
mod tables;
mod volumes;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::call::Call;
use super::page;
use super::route::Route;
use crate::sim::sql::catalog::Facts;
use crate::sim::sql::{Securable, SqlError, TableName};

/// Where all of it is.
const UNITY: &str = "/api/2.1/unity-catalog";
/// Entries of a page when the question does not say, and at most.
const PAGE: usize = 1_000;

pub(super) fn routes() -> Vec<Route> {
    [catalogs::routes(), schemas::routes(), tables::routes(), volumes::routes(), grants::routes(), metastore::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// `a.b` as a schema.
fn schema_of(full_name: &str) -> Result<Securable, Refusal> {
    match full_name.to_lowercase().split('.').collect::<Vec<_>>()[..] {
        [catalog, schema] => Ok(Securable::Schema(catalog.to_owned(), schema.to_owned())),
        _ => Err(Refusal::invalid(format!("'{full_name}' is not the full name of a schema: catalog.schema"))),
    }
}

/// `a.b.c` as the name of a table or a volume.
fn table_of(full_name: &str) -> Result<TableName, Refusal> {
    let wrong = || Refusal::invalid(format!("'{full_name}' is not a full name: catalog.schema.name"));
    TableName::parse(full_name).ok_or_else(wrong)
}

/// Refuses who does not see an object, then what is not there: what is hidden must not look like what is gone, nor the
/// other way round.
fn seen(call: &Call<'_>, securable: &Securable) -> Result<(), Refusal> {
    let (catalog, user) = (call.lakehouse.catalog(), call.principal.user_name.as_str());
    if let Some(missing) = missing(call, securable) {
        let parent = missing.parent().unwrap_or(Securable::Metastore);
        let reaches = matches!(parent, Securable::Metastore) || catalog.sees(user, &parent);
        return Err(if reaches { not_there(&missing) } else { unseen(&parent) });
    }
    if catalog.sees(user, securable) { Ok(()) } else { Err(unseen(securable)) }
}

/// The first of an object and what it is in that is not there.
fn missing(call: &Call<'_>, securable: &Securable) -> Option<Securable> {
    let above = securable.parent().and_then(|parent| missing(call, &parent));
    above.or_else(|| call.lakehouse.catalog().facts(securable).is_err().then(|| securable.clone()))
}

fn not_there(securable: &Securable) -> Refusal {
    let code = match securable {
        Securable::Catalog(_) => "CATALOG_DOES_NOT_EXIST",
        Securable::Schema(..) => "SCHEMA_DOES_NOT_EXIST",
        Securable::Table(_) => "TABLE_DOES_NOT_EXIST",
        Securable::Volume(_) | Securable::Metastore => "RESOURCE_DOES_NOT_EXIST",
    };
    Refusal::new(StatusCode::NOT_FOUND, code, format!("{} '{securable}' does not exist.", securable.noun()))
}

fn unseen(securable: &Securable) -> Refusal {
    let privilege = match securable {
        Securable::Catalog(_) => "USE CATALOG",
        Securable::Schema(..) => "USE SCHEMA",
        Securable::Table(_) => "SELECT",
        Securable::Volume(_) => "READ VOLUME",
        Securable::Metastore => "any privilege",
    };
    Refusal::denied(format!("User does not have {privilege} on {} '{securable}'.", securable.noun()))
}

/// An error of the engine as REST words it.
fn refusal(error: &SqlError) -> Refusal {
    let SqlError { class, message, .. } = error;
    let missing = |code| Refusal::new(StatusCode::NOT_FOUND, code, message.clone());
    match class.as_str() {
        "INSUFFICIENT_PERMISSIONS" => {
            Refusal::denied(message.strip_prefix("Insufficient privileges: ").unwrap_or(message))
        }
        "NO_SUCH_CATALOG_EXCEPTION" => missing("CATALOG_DOES_NOT_EXIST"),
        "SCHEMA_NOT_FOUND" => missing("SCHEMA_DOES_NOT_EXIST"),
        "TABLE_OR_VIEW_NOT_FOUND" => missing("TABLE_DOES_NOT_EXIST"),
        "VOLUME_DOES_NOT_EXIST" => missing("RESOURCE_DOES_NOT_EXIST"),
        "CATALOG_ALREADY_EXISTS" => already("CATALOG_ALREADY_EXISTS", message),
        "SCHEMA_ALREADY_EXISTS" => already("SCHEMA_ALREADY_EXISTS", message),
        "VOLUME_ALREADY_EXISTS" => already("RESOURCE_ALREADY_EXISTS", message),
        "SCHEMA_NOT_EMPTY" | "CATALOG_NOT_EMPTY" => Refusal::state(message),
        _ => Refusal::invalid(message),
    }
}

fn already(code: &'static str, message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, code, message)
}

/// The page of a listing that the question asks for, with the token of the next one.
fn paged(call: &Call<'_>, question: &str, key: &str, items: &[Value]) -> Result<Value, Refusal> {
    let size = call.query().integer("max_results")?.unwrap_or(0);
    let size = usize::try_from(size).map_err(|_| Refusal::invalid("max_results must not be negative."))?;
    let size = if size == 0 { PAGE } else { size.min(PAGE) };
    let offset = page::offset(question, call.query().text("page_token"))?;
    let (window, next) = page::window(items, offset, size);
    let mut body = Map::new();
    if !window.is_empty() {
        body.insert(key.to_owned(), window.to_vec().into());
    }
    if let Some(next) = next {
        body.insert("next_page_token".to_owned(), page::token(question, &next.to_string()).into());
    }
    Ok(Value::Object(body))
}

/// What every object tells of itself.
fn told(facts: &Facts, call: &Call<'_>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("owner".to_owned(), facts.owner.clone().into());
    body.insert("metastore_id".to_owned(), call.lakehouse.catalog().metastore.id.to_string().into());
    body.insert("created_at".to_owned(), facts.created_at.timestamp_millis().into());
    body.insert("created_by".to_owned(), facts.created_by.clone().into());
    body.insert("updated_at".to_owned(), facts.updated_at.timestamp_millis().into());
    body.insert("updated_by".to_owned(), facts.updated_by.clone().into());
    if let Some(comment) = &facts.comment {
        body.insert("comment".to_owned(), comment.clone().into());
    }
    let properties = crate::sim::lakehouse::public(&facts.properties);
    if !properties.is_empty() {
        body.insert("properties".to_owned(), json!(properties));
    }
    body
}

/// Adds members to what an object tells of itself.
fn with(mut body: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Value::Object(body)
}
