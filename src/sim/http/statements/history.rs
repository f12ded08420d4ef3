//! `GET /api/2.0/sql/history/queries` (databricks-api.md 5.6): the statements that are still known, newest first.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Refusal, Reply};
use super::super::call::Call;
use super::super::page;
use super::put;
use crate::domain::Instant;
use crate::sim::lakehouse::{End, Failure, State, Statement};

pub(super) const QUERIES: &str = "/api/2.0/sql/history/queries";

/// Engineers see every query, others their own.
pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let query = call.query();
    let size = query.integer("max_results")?.unwrap_or(100);
    let size = usize::try_from(size).ok().filter(|size| (1..=1000).contains(size));
    let size = size.ok_or_else(|| Refusal::invalid("max_results must be between 1 and 1000."))?;
    let offset = page::offset("queries", query.text("page_token"))?;
    let of = |name: &str| query.all(name).map(str::to_owned).collect::<Vec<_>>();
    let (statuses, users) = (of("filter_by.statuses"), of("filter_by.user_ids"));
    let (warehouses, ids) = (of("filter_by.warehouse_ids"), of("filter_by.statement_ids"));
    let from_ms = query.integer("filter_by.query_start_time_range.start_time_ms")?;
    let to_ms = query.integer("filter_by.query_start_time_range.end_time_ms")?;
    let sees_all = call.principal.is_admin() || call.principal.groups.contains(&super::ENGINEERS);
    let takes = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|one| one == value);
    let mut found: Vec<&Statement> = call
        .lakehouse
        .statements()
        .filter(|statement| {
            let order = &statement.order;
            let at_ms = statement.submitted_at.timestamp_millis();
            order.workspace == call.workspace()
                && (sees_all || order.user == call.principal.user_name)
                && takes(&ids, &statement.id)
                && takes(&warehouses, &order.warehouse_id)
                && takes(&statuses, status(statement))
                && takes(&users, &user_id(call, &order.user))
                && from_ms.is_none_or(|from| from <= at_ms)
                && to_ms.is_none_or(|to| at_ms <= to)
        })
        .collect();
    found.sort_by(|one, other| (other.submitted_at, &other.id).cmp(&(one.submitted_at, &one.id)));
    let (window, next) = page::window(&found, offset, size);
    let mut body = Map::new();
    body.insert("res".to_owned(), window.iter().map(|statement| render(statement, call)).collect());
    body.insert("has_next_page".to_owned(), next.is_some().into());
    put(&mut body, "next_page_token", next.map(|next| page::token("queries", &next.to_string())));
    Ok(Reply::json(&body))
}

fn status(statement: &Statement) -> &'static str {
    match &statement.state {
        State::Pending => "QUEUED",
        State::Running { .. } => "RUNNING",
        State::Ended { end, .. } => match end {
            End::Succeeded(_) | End::Closed => "FINISHED",
            End::Failed(_) => "FAILED",
            End::Canceled => "CANCELED",
        },
    }
}

fn user_id(call: &Call<'_>, name: &str) -> String {
    let known = call.world.principals().iter().find(|principal| principal.user_name == name);
    known.map(|principal| principal.id.clone()).unwrap_or_default()
}

fn render(statement: &Statement, call: &Call<'_>) -> Value {
    let order = &statement.order;
    let user_id: u64 = user_id(call, &order.user).parse().unwrap_or_default();
    let from = statement.submitted_at;
    let ended_at = match &statement.state {
        State::Ended { at, .. } => Some(*at),
        State::Pending | State::Running { .. } => None,
    };
    let ms = |at: Instant| at.timestamp_millis();
    let duration = (ended_at.unwrap_or(call.world.now()) - from).num_milliseconds();
    let mut body = json!({
        "query_id": statement.id,
        "status": status(statement),
        "query_text": order.text,
        "statement_type": statement.verb(),
        "warehouse_id": order.warehouse_id,
        "endpoint_id": order.warehouse_id,
        "user_id": user_id,
        "user_name": order.user,
        "executed_as_user_id": user_id,
        "executed_as_user_name": order.user,
        "query_start_time_ms": ms(from),
        "duration": duration,
        "is_final": ended_at.is_some(),
        "rows_produced": statement.output().map_or(0, |output| output.rows.len()),
        "lookup_key": statement.id,
        "channel_used": {"name": "CHANNEL_NAME_CURRENT"},
        "plans_state": "EXISTS",
    });
    let Some(members) = body.as_object_mut() else { return body };
    put(members, "execution_end_time_ms", ended_at.map(ms));
    put(members, "query_end_time_ms", ended_at.map(ms));
    put(members, "session_id", order.session_id.clone());
    if let State::Ended { end: End::Failed(Failure { message, .. }), .. } = &statement.state {
        put(members, "error_message", Some(message.clone()));
    }
    if !order.tags.is_empty() {
        let tags: Vec<Value> = order.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        put(members, "query_tags", Some(tags));
    }
    body
}
