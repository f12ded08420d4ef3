//! `POST /api/2.0/sql/statements`: what is asked for, checked, and how long the caller waits for it.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::super::access;
use super::super::answer::{Refusal, Reply};
use super::super::call::Call;
use super::super::route::Patience;
use super::render;
use crate::sim::lakehouse::{Disposition, Format, Order};
use crate::sim::sql::{DataType, Parameter};
use crate::sim::world::principal::Level;

/// The longest statement, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// Tags beyond these are cut off.
const MOST_TAGS: usize = 20;

#[derive(Debug, Deserialize)]
struct Body {
    statement: Option<String>,
    warehouse_id: Option<String>,
    session_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    parameters: Vec<Marker>,
    row_limit: Option<i64>,
    byte_limit: Option<i64>,
    wait_timeout: Option<String>,
    on_wait_timeout: Option<String>,
    disposition: Option<String>,
    format: Option<String>,
    #[serde(default)]
    query_tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
struct Marker {
    name: Option<String>,
    value: Option<Value>,
    #[serde(rename = "type")]
    ty: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    key: String,
    value: Option<String>,
}

/// The word of `begun` behind which the caller wants no answer but the id.
const CANCELS: char = '!';

/// Takes a statement on, or looks whether it is over.
pub(super) fn submit(call: &mut Call<'_>, patience: &mut Patience) -> Result<Option<Reply>, Refusal> {
    let Some(begun) = patience.begun.clone() else {
        let body: Body = call.body()?;
        let wait = wait(body.wait_timeout.as_deref())?;
        let cancels = match body.on_wait_timeout.as_deref() {
            None | Some("CONTINUE") => false,
            Some("CANCEL") => true,
            Some(other) => return Err(unknown("on_wait_timeout", other, "CONTINUE, CANCEL")),
        };
        let id = take(call, body)?;
        patience.limit = wait;
        patience.begun = Some(if cancels { format!("{CANCELS}{id}") } else { id.clone() });
        return Ok(wait.is_zero().then(|| reply(call, &id)).flatten());
    };
    let (cancels, id) = match begun.strip_prefix(CANCELS) {
        Some(id) => (true, id),
        None => (false, begun.as_str()),
    };
    if call.lakehouse.statement(id).is_some_and(|statement| !statement.is_over()) {
        if !patience.is_over() {
            return Ok(None);
        }
        if cancels {
            call.lakehouse.cancel_statement(id, call.world.now());
        }
    }
    Ok(reply(call, id))
}

fn reply(call: &Call<'_>, id: &str) -> Option<Reply> {
    call.lakehouse.statement(id).map(|statement| Reply::json(&render::statement(statement, call)))
}

/// Checks what was asked and hands it on.
fn take(call: &mut Call<'_>, body: Body) -> Result<String, Refusal> {
    let text = required(body.statement, "statement")?;
    if text.len() > LONGEST {
        return Err(Refusal::invalid(format!("The statement is longer than {LONGEST} bytes.")));
    }
    let warehouse_id = required(body.warehouse_id, "warehouse_id")?;
    let format = match body.format.as_deref() {
        None | Some("JSON_ARRAY") => Format::JsonArray,
        Some("ARROW_STREAM") => {
            let text = "The format ARROW_STREAM is not simulated: JSON_ARRAY and CSV are.";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", text));
        }
        Some("CSV") => Format::Csv,
        Some(other) => return Err(unknown("format", other, "JSON_ARRAY, CSV")),
    };
    let disposition = match body.disposition.as_deref() {
        None | Some("INLINE") => Disposition::Inline,
        Some("EXTERNAL_LINKS" | "INLINE_OR_EXTERNAL_LINKS") => Disposition::ExternalLinks,
        Some(other) => return Err(unknown("disposition", other, "INLINE, EXTERNAL_LINKS")),
    };
    if disposition == Disposition::Inline && format != Format::JsonArray {
        return Err(Refusal::invalid("The format field must be JSON_ARRAY when the disposition field is INLINE."));
    }
    let parameters = body.parameters.into_iter().map(parameter).collect::<Result<_, _>>()?;
    let user = call.principal.user_name.clone();
    access::warehouse(call, &warehouse_id, Level::Run)?;
    if let Some(session) = &body.session_id
        && !call.lakehouse.has_session(call.workspace(), &user, session)
    {
        return Err(Refusal::missing(format!("The session {session} was not found.")));
    }
    let now = call.world.now();
    let ready_at = call.world.warehouse(call.workspace(), &warehouse_id)?.ready_at(now);
    call.world.start_warehouse(call.workspace(), &warehouse_id)?;
    let order = Order {
        workspace: call.workspace(),
        warehouse_id,
        session_id: body.session_id,
        user,
        text,
        parameters,
        catalog: body.catalog.filter(|name| !name.is_empty()),
        schema: body.schema.filter(|name| !name.is_empty()),
        row_limit: limit("row_limit", body.row_limit)?,
        byte_limit: limit("byte_limit", body.byte_limit)?,
        disposition,
        format,
        tags: body.query_tags.into_iter().take(MOST_TAGS).map(|tag| (tag.key, tag.value)).collect(),
    };
    Ok(call.lakehouse.submit(order, now, ready_at))
}

fn required(value: Option<String>, name: &str) -> Result<String, Refusal> {
    value
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Refusal::invalid(format!("The {name} field is required, but it is missing or empty.")))
}

fn unknown(name: &str, value: &str, known: &str) -> Refusal {
    Refusal::invalid(format!("The value '{value}' of {name} is not one of {known}."))
}

fn limit(name: &str, value: Option<i64>) -> Result<Option<u64>, Refusal> {
    value
        .map(|limit| {
            u64::try_from(limit).map_err(|_| Refusal::invalid(format!("{name} must not be negative: {limit}.")))
        })
        .transpose()
}

/// `0s`, or `5s` to `50s`.
fn wait(text: Option<&str>) -> Result<Duration, Refusal> {
    let text = text.unwrap_or("10s");
    let seconds = text.strip_suffix('s').and_then(|digits| digits.parse::<u64>().ok());
    match seconds {
        Some(seconds @ (0 | 5..=50)) => Ok(Duration::from_secs(seconds)),
        _ => Err(Refusal::invalid(format!(
            "The wait_timeout '{text}' must be 0s, or between 5s and 50s (seconds, with the unit)."
        ))),
    }
}

fn parameter(marker: Marker) -> Result<Parameter, Refusal> {
    let name = required(marker.name, "parameters.name")?;
    let ty = marker.ty.filter(|ty| !ty.trim().is_empty()).unwrap_or_else(|| "STRING".to_owned());
    let parsed = DataType::parse(&ty).ok();
    let ty = match parsed {
        Some(DataType::Array(_) | DataType::Map(..) | DataType::Struct(_)) | None => {
            return Err(Refusal::invalid(format!("The type '{ty}' of parameter '{name}' is not supported.")));
        }
        Some(ty) => ty,
    };
    let value = match marker.value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => {
            let text = format!("Could not parse request object: parameters.value of '{name}' is a string, not {other}");
            return Err(Refusal::malformed(text));
        }
    };
    Ok(Parameter { name, value, ty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_nothing_or_five_to_fifty_seconds() {
        let seconds = |text| wait(text).map(|wait| wait.as_secs()).ok();
        assert_eq!(seconds(None), Some(10));
        assert_eq!(seconds(Some("0s")), Some(0));
        assert_eq!(seconds(Some("50s")), Some(50));
        for text in ["4s", "51s", "10", "1m", "-5s", ""] {
            assert_eq!(seconds(Some(text)), None, "{text}");
        }
    }

    #[test]
    fn a_parameter_is_a_text_of_a_simple_type() {
        let of = |value: Value| parameter(serde_json::from_value(value).expect("a marker"));
        let json = serde_json::json!({"name": "a", "value": "1.50", "type": "decimal(10,2)"});
        assert_eq!(of(json).map(|p| p.ty).ok(), Some(DataType::Decimal(10, 2)));
        assert_eq!(of(serde_json::json!({"name": "a"})).map(|p| (p.value, p.ty)).ok(), Some((None, DataType::String)));
        for bad in [
            serde_json::json!({"value": "1"}),
            serde_json::json!({"name": "a", "value": 1}),
            serde_json::json!({"name": "a", "type": "ARRAY<INT>"}),
            serde_json::json!({"name": "a", "type": "NUMBER"}),
        ] {
            assert!(of(bad.clone()).is_err(), "{bad}");
        }
    }
}
