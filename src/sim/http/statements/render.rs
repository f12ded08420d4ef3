//! A statement as the wire has it: state, manifest, and the first part of its result.

use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::{STATEMENTS, links, put};
use crate::sim::lakehouse::{Chunk, Disposition, End, Failure, Format, Output, State, Statement};
use crate::sim::sql::{DataType, ResultColumn};

/// Everything that is told of a statement.
pub(super) fn statement(statement: &Statement, call: &Call<'_>) -> Value {
    let mut body = Map::new();
    body.insert("statement_id".to_owned(), statement.id.clone().into());
    body.insert("status".to_owned(), status(statement));
    if let Some(output) = statement.output() {
        body.insert("manifest".to_owned(), manifest(statement, output));
        let first = output.chunks.first().map(|chunk| data(statement, output, chunk, call));
        body.insert("result".to_owned(), first.unwrap_or_else(|| json!({})));
    }
    Value::Object(body)
}

fn status(statement: &Statement) -> Value {
    let mut status = Map::new();
    status.insert("state".to_owned(), statement.word().into());
    if let State::Ended { end: End::Failed(Failure { code, message, sqlstate }), .. } = &statement.state {
        status.insert("error".to_owned(), json!({"error_code": code, "message": message}));
        put(&mut status, "sql_state", sqlstate.clone());
    }
    Value::Object(status)
}

fn manifest(statement: &Statement, output: &Output) -> Value {
    let mut schema = Map::new();
    schema.insert("column_count".to_owned(), output.columns.len().into());
    if !output.columns.is_empty() {
        let columns: Vec<Value> = output.columns.iter().enumerate().map(|(at, c)| column(at, c)).collect();
        schema.insert("columns".to_owned(), columns.into());
    }
    let mut manifest = Map::new();
    manifest.insert("format".to_owned(), word(statement.order.format).into());
    manifest.insert("schema".to_owned(), schema.into());
    manifest.insert("total_chunk_count".to_owned(), output.chunks.len().into());
    if !output.chunks.is_empty() {
        let chunks: Vec<Value> = output.chunks.iter().map(|chunk| Value::Object(place(chunk))).collect();
        manifest.insert("chunks".to_owned(), chunks.into());
    }
    manifest.insert("total_row_count".to_owned(), output.rows.len().into());
    manifest.insert("total_byte_count".to_owned(), output.byte_count().into());
    manifest.insert("truncated".to_owned(), output.truncated.into());
    Value::Object(manifest)
}

fn word(format: Format) -> &'static str {
    match format {
        Format::JsonArray => "JSON_ARRAY",
        Format::Csv => "CSV",
    }
}

fn column(at: usize, column: &ResultColumn) -> Value {
    let mut body = Map::new();
    body.insert("name".to_owned(), column.name.clone().into());
    body.insert("type_text".to_owned(), column.ty.to_string().into());
    body.insert("type_name".to_owned(), column.ty.wire_name().into());
    body.insert("position".to_owned(), at.into());
    match &column.ty {
        DataType::Decimal(precision, scale) => {
            body.insert("type_precision".to_owned(), (*precision).into());
            body.insert("type_scale".to_owned(), (*scale).into());
        }
        DataType::DayTime => put(&mut body, "type_interval_type", Some("DAY TO SECOND")),
        DataType::YearMonth => put(&mut body, "type_interval_type", Some("YEAR TO MONTH")),
        _ => {}
    }
    Value::Object(body)
}

/// Which rows a chunk holds.
fn place(chunk: &Chunk) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("chunk_index".to_owned(), chunk.index.into());
    body.insert("row_offset".to_owned(), chunk.row_offset.into());
    body.insert("row_count".to_owned(), chunk.row_count.into());
    body.insert("byte_count".to_owned(), chunk.byte_count.into());
    body
}

/// A chunk: its rows, or the link to them.
pub(super) fn data(statement: &Statement, output: &Output, chunk: &Chunk, call: &Call<'_>) -> Value {
    let mut body = place(chunk);
    if chunk.index + 1 < output.chunks.len() {
        let next = chunk.index + 1;
        body.insert("next_chunk_index".to_owned(), next.into());
        let link = format!(
            "{STATEMENTS}/{}/result/chunks/{next}?row_offset={}",
            statement.id,
            chunk.row_offset + chunk.row_count
        );
        body.insert("next_chunk_internal_link".to_owned(), link.into());
    }
    match statement.order.disposition {
        Disposition::Inline => {
            body.insert("data_array".to_owned(), json!(output.texts(chunk)));
            Value::Object(body)
        }
        Disposition::ExternalLinks => {
            let (link, expiration) = links::sign(statement, chunk, call);
            body.insert("external_link".to_owned(), link.into());
            body.insert("expiration".to_owned(), expiration.into());
            json!({"external_links": [body]})
        }
    }
}
