//! The SQL Statement Execution API 2.0 (databricks-api.md 5): statements, their results, and the sessions of drivers.

mod history;
mod links;
mod render;
mod sessions;
mod submit;

use serde_json::{Map, Value};

use super::answer::{Answer, Refusal, Reply};
use super::call::Call;
use super::route::Route;
use crate::sim::lakehouse::{Chunk, Output, Statement};
use crate::sim::world::principal::ENGINEERS;

const STATEMENTS: &str = "/api/2.0/sql/statements";

pub(super) fn routes() -> Vec<Route> {
    let path = |rest: &str| format!("{STATEMENTS}/{{id}}{rest}");
    let mut routes = vec![
        Route::patient(STATEMENTS, submit::submit),
        Route::get(path(""), get),
        Route::delete(path(""), close),
        Route::post(path("/cancel"), cancel),
        Route::get(path("/result/chunks/{index}"), chunk),
        Route::get(history::QUERIES, history::list),
        Route::signed(format!("{}/{{id}}/{{index}}/{{signature}}", links::FILES), links::file),
    ];
    routes.extend(sessions::routes());
    routes
}

/// The statement that the path names, if the caller may see it: its own, or any for an admin.
fn known<'a>(call: &'a Call<'_>) -> Result<&'a Statement, Refusal> {
    let id = call.captured("id");
    let statement = call.lakehouse.statement(id).filter(|statement| statement.order.workspace == call.workspace());
    let statement = statement
        .ok_or_else(|| Refusal::missing(format!("The statement {id} was not found or is no longer known.")))?;
    if statement.order.user == call.principal.user_name || call.principal.is_admin() {
        Ok(statement)
    } else {
        Err(Refusal::denied(format!("User {} does not have permission on statement {id}.", call.principal.user_name)))
    }
}

fn get(call: &mut Call<'_>) -> Answer {
    Ok(Reply::json(&render::statement(known(call)?, call)))
}

fn cancel(call: &mut Call<'_>) -> Answer {
    let id = known(call)?.id.clone();
    call.lakehouse.cancel_statement(&id, call.world.now());
    Ok(Reply::empty())
}

fn close(call: &mut Call<'_>) -> Answer {
    let id = known(call)?.id.clone();
    call.lakehouse.close_statement(&id, call.world.now());
    Ok(Reply::empty())
}

fn chunk(call: &mut Call<'_>) -> Answer {
    let statement = known(call)?;
    let output = statement.output().ok_or_else(|| {
        Refusal::missing(format!("The statement {} is {} and has no result.", statement.id, statement.word()))
    })?;
    let index = call.captured("index");
    let chunk = part(output, index)
        .ok_or_else(|| Refusal::invalid(format!("Chunk {index} is not a chunk of statement {}.", statement.id)))?;
    Ok(Reply::json(&render::data(statement, output, chunk, call)))
}

fn part<'a>(output: &'a Output, index: &str) -> Option<&'a Chunk> {
    output.chunks.get(index.parse::<usize>().ok()?)
}

/// Adds a member that is left out when there is nothing to say.
fn put(body: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value.into());
    }
}
