//! The shared record for the screen: its newest rows, the operations that they tell of, how far it is sealed, and what a
//! verification finds.

use std::sync::Arc;

use crate::app::operations::{OperationRecord, OwnerHealth, OwnerView};
use crate::app::record::{Proof, RecordPage, RecordRow, Sealed};
use crate::domain::Instant;
use crate::domain::text;
use crate::ledger::journal::{Found, operations_of};
use crate::ledger::seal::{gather, seals, verify};
use crate::ledger::{Ledger, Recorded, Sql, SqlTrouble};
use crate::operations::engine::fold;
use crate::operations::plan::OperationId;

/// Reads it.
///
/// # Errors
/// When the ledger does not answer.
pub(super) async fn read<S: Sql>(ledger: &Ledger<S>, with_proof: bool) -> Result<RecordPage, SqlTrouble> {
    let greeting = ledger.greet().await?;
    let rows = ledger.recent().await?;
    let chain = seals(ledger).await?;
    let proof = if with_proof {
        let report = verify(&gather(ledger).await?, &[], ledger.place().is_direct());
        let findings = report.findings.iter().map(|finding| text::line(&finding.to_string())).collect();
        Some(Proof { at: at(greeting.now_us), rows: report.sealed_rows as u64, findings })
    } else {
        None
    };
    let operations =
        operations_of(&rows).into_iter().filter_map(|(id, found)| Some(operation(id.parse().ok()?, found.ok()?)));
    Ok(RecordPage {
        operations: operations.collect(),
        rows: rows.iter().rev().map(|read| Arc::new(row(read))).collect(),
        reader: greeting.user,
        sealed: chain.last().map(|seal| Sealed { seq: seal.seq, upto: at(seal.upto_us) }),
        proof,
    })
}

fn at(us: i64) -> Instant {
    Instant::from_timestamp_micros(us).unwrap_or_default()
}

fn row(read: &Recorded) -> RecordRow {
    let of = |column: &str| read.text(column).unwrap_or_default().to_owned();
    let detail = of("detail_json");
    let said: serde_json::Value = serde_json::from_str(&detail).unwrap_or_default();
    RecordRow {
        id: read.id.clone(),
        operation: read.text("op_id").and_then(|id| id.parse().ok()),
        seq: read.number("seq").and_then(|seq| u64::try_from(seq).ok()),
        verb: of("verb"),
        target: of("target"),
        outcome: of("outcome"),
        by: said["by"].as_str().unwrap_or(&read.actor).to_owned(),
        writer: read.actor.clone(),
        at: at(read.recorded_us),
        detail,
        holds: read.content_holds(),
    }
}

fn operation(id: OperationId, found: Found) -> Arc<OperationRecord> {
    let is_over = found.plan.known().is_some_and(|plan| fold(plan, &found.journal).is_over());
    let owner =
        OwnerView { who: found.last_by.to_string(), since: at(found.newest_us), health: OwnerHealth::Elsewhere };
    let record = OperationRecord::new(id, found.plan, found.digest, found.journal);
    Arc::new(OperationRecord { acknowledged: u64::MAX, owner: Some(owner), is_over, ..record })
}
