//! The ledger against the simulator's SQL engine, under Delta's rules of snapshots and conflicts.

mod book;
mod commands;
mod courier;
mod delivery;
mod desk;
mod installation;
mod lease;
mod page;
mod seal;
mod sealer;
pub(crate) mod takeover;

pub(crate) use desk::{Desk, Running, place};
use lakeshift::ledger::{LedgerRow, Table, Value};

/// Runs what never waits.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn event(id: &str, verb: &str) -> LedgerRow {
    let text = |text: &str| Value::Text(text.to_owned());
    let values = [
        ("audit_id", text(id)),
        ("op_id", text("op-1")),
        ("seq", Value::Number(id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0))),
        ("verb", text(verb)),
        ("target", text("prod/job/7")),
        ("outcome", text("ok")),
        ("detail_json", text("{\"v\":1,\"said\":\"it's \\\"so\\\" \\\\ \u{1f512}\"}")),
    ];
    LedgerRow::new(Table::AuditEvent, values).unwrap()
}
