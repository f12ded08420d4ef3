//! Keeps what the doctor found: in this home, and in the ledger for everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::super::failure::{Failure, Kind, chain};
use super::super::sweep::seed;
use crate::config::{Config, environment};
use crate::databricks::Observer;
use crate::domain::clock::Clock;
use crate::domain::proof::{Proof, Verdict};
use crate::domain::text;
use crate::domain::ulid::Ulid;
use crate::ledger::{LedgerRow, Table, Value};
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::connect;
use crate::runtime::delivery::Delivery;
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::ledger::open;
use crate::store::{self, Journal, OutboxRow};

/// Where a round was kept.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Kept {
    /// Whether this home has it.
    pub(super) here: bool,
    /// Whether the ledger has it; none if there is no ledger.
    pub(super) ledger: Option<bool>,
    /// Why the ledger has not taken it yet. It waits in this home.
    pub(super) waits_because: Option<String>,
}

/// This home's journal.
pub(super) fn journal(config: &Config) -> Result<Journal, Failure> {
    let session = SystemIds::default().ulid(SystemClock.now());
    Journal::open(&config.paths.state_dir, session, "lakeshift doctor").map_err(|error| of_store(&error))
}

pub(super) fn of_store(error: &store::Error) -> Failure {
    Failure::new(Kind::User, format!("this home's journal: {}", chain(error)))
}

/// Keeps proofs here, and tells the ledger of them, if there is one: what it does not take now waits in the outbox.
pub(super) async fn keep(
    proofs: &[Proof],
    journal: &mut Journal,
    config: &Config,
    environment: &BTreeMap<String, String>,
) -> Result<Kept, Failure> {
    journal.keep_proofs(proofs).map_err(|error| of_store(&error))?;
    let mut kept = Kept { here: true, ..Kept::default() };
    if config.fleet.ledger.is_none() || proofs.is_empty() {
        return Ok(kept);
    }
    let now = SystemClock.now();
    let who = environment::actor(environment);
    let row = row(proofs, SystemIds::default().ulid(now), &who, &config.fleet_hash)?;
    journal.post(&[row], now).map_err(|error| of_store(&error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let observer: Observer = Arc::new(|_| {});
    let links = connect(config, environment, &clock, &observer, seed());
    kept.ledger = Some(false);
    match open(config, &links) {
        Err(error) => kept.waits_because = Some(text::line(&error.to_string())),
        Ok(ledger) => {
            let mut delivery = Delivery::new(ledger);
            // One attempt: the round has just seen how the ledger is, and what waits goes with the next act.
            delivery.turn(journal, now).await.map_err(|error| of_store(&error))?;
            let state = delivery.state();
            kept.ledger = Some(state.trouble.is_none() && state.waiting == 0);
            kept.waits_because.clone_from(&state.trouble);
        }
    }
    Ok(kept)
}

/// The round as a row of the audit.
fn row(proofs: &[Proof], id: Ulid, who: &str, fleet_hash: &str) -> Result<OutboxRow, Failure> {
    let failed = proofs.iter().any(|proof| proof.verdict == Verdict::Failed);
    let detail = json!({"v": 1, "fleet_hash": fleet_hash, "by": who, "proofs": proofs});
    let text = |text: &str| Value::Text(text.to_owned());
    let values = [
        ("audit_id", text(&id.to_string())),
        ("verb", text("doctor")),
        ("target", text("the platform")),
        ("outcome", text(if failed { "failed" } else { "passed" })),
        ("detail_json", text(&detail.to_string())),
        ("client_version", text(concat!("lakeshift ", env!("CARGO_PKG_VERSION")))),
    ];
    let row = LedgerRow::new(Table::AuditEvent, values)
        .map_err(|error| Failure::new(Kind::Internal, format!("the round cannot be told to the ledger: {error}")))?;
    let body = serde_json::to_string(&row)
        .map_err(|error| Failure::new(Kind::Internal, format!("the round cannot be told to the ledger: {error}")))?;
    Ok(OutboxRow { id: row.id, table: row.table.name().to_owned(), body, operation: None, seq: None })
}
