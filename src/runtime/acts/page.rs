//! The shared record for the screen: its newest rows, the operations that they tell of, how far it is sealed, who holds which
//! lease, and what a verification finds.

use std::sync::Arc;

use crate::app::operations::{OperationRecord, OwnerHealth, OwnerView};
use crate::app::record::{LeaseView, Proof, RecordPage, RecordRow, Sealed, Unsealed};
use crate::domain::Instant;
use crate::domain::{proof, text};
use crate::ledger::journal::{Found, operations_of, proofs_of};
use crate::ledger::lease::{self, LeaseRow};
use crate::ledger::seal::{Ends, ends, gather, is_overdue, verify};
use crate::ledger::{Follower, Ledger, Recorded, Sql, SqlTrouble};
use crate::operations::engine::fold;
use crate::operations::plan::OperationId;

/// What this console has read of the record: each look adds what is new, by a few small statements.
#[derive(Debug, Default)]
pub struct Reader {
    follower: Follower,
    /// Who the server takes us for, once it has said so.
    user: Option<String>,
}

impl Reader {
    /// Reads what is new, and how seals and leases stand; all rows and seals where a proof is wanted.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn read<S: Sql>(&mut self, ledger: &Ledger<S>, with_proof: bool) -> Result<RecordPage, SqlTrouble> {
        let reader = match &self.user {
            Some(user) => user.clone(),
            None => self.user.insert(ledger.greet().await?.user).clone(),
        };
        let rows = self.follower.look(ledger).await?;
        let ends = ends(ledger).await?;
        let leases = lease::all(ledger).await?;
        // Every answer about leases bears the server's time.
        let now_us = leases.iter().map(|lease| lease.now_us).max().unwrap_or_default();
        let proof = if with_proof {
            let report = verify(&gather(ledger).await?, &[], ledger.place().is_direct());
            let findings = report.findings.iter().map(|finding| text::line(&finding.to_string())).collect();
            let (rows, unseen_commits) = (report.sealed_rows as u64, report.unseen_commits);
            Some(Proof { at: at(now_us), rows, findings, unseen_commits })
        } else {
            None
        };
        let operations =
            operations_of(rows).into_iter().filter_map(|(id, found)| Some(operation(id.parse().ok()?, found.ok()?)));
        Ok(RecordPage {
            operations: operations.collect(),
            rows: rows.iter().rev().map(|read| Arc::new(row(read))).collect(),
            reader,
            sealed: ends.as_ref().map(|ends| Sealed { seq: ends.last_seq, upto: at(ends.upto_us) }),
            unsealed: unsealed(rows, ends.as_ref(), now_us),
            leases: leases.iter().filter_map(held).collect(),
            proof,
        })
    }
}

impl Reader {
    /// What rounds of the doctor have shown, in whichever home, as far as it was read.
    pub fn proofs(&self) -> Vec<proof::Proof> {
        proofs_of(self.follower.rows())
    }
}

/// The rows that the newest seal cannot know, if there are any.
fn unsealed(rows: &[Recorded], ends: Option<&Ends>, now_us: i64) -> Option<Unsealed> {
    let upto_us = ends.map_or(i64::MIN, |ends| ends.upto_us);
    let newer = || rows.iter().map(|row| row.recorded_us).filter(|recorded_us| *recorded_us > upto_us);
    let oldest_us = newer().min()?;
    Some(Unsealed { rows: newer().count() as u64, oldest: at(oldest_us), overdue: is_overdue(oldest_us, now_us) })
}

/// A lease that somebody holds, or did not give back.
fn held(lease: &LeaseRow) -> Option<LeaseView> {
    Some(LeaseView {
        product: lease.product.clone(),
        holder: lease.holder.clone()?,
        operation: lease.op_id.clone(),
        fence: lease.fence,
        until: lease.expires_at()?,
        is_over: lease.left_ms().is_none(),
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
