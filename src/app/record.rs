//! The shared record as it was last read for the screen: rows of the ledger's audit, and the operations that they tell of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::operations::{Operation, OperationRecord};
use crate::domain::Instant;
use crate::operations::plan::OperationId;

/// What one look at the ledger brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPage {
    /// Its newest rows, newest first.
    pub rows: Vec<Arc<RecordRow>>,
    /// The operations that these tell of in full.
    pub operations: Vec<Arc<OperationRecord>>,
    /// Who the server takes us for. From outside.
    pub reader: String,
    /// How far it is sealed; none while nothing is.
    pub sealed: Option<Sealed>,
    /// What is not sealed yet; none if all that is shown is.
    #[serde(default)]
    pub unsealed: Option<Unsealed>,
    /// The leases that somebody holds, or did not give back.
    #[serde(default)]
    pub leases: Vec<LeaseView>,
    /// The verification, if one was asked for.
    pub proof: Option<Proof>,
}

/// How far the record is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The newest seal's number.
    pub seq: i64,
    /// Until when rows are sealed, by the server's clock.
    pub upto: Instant,
}

/// Rows that no seal knows yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsealed {
    /// How many, of those that are shown.
    pub rows: u64,
    /// When the oldest of them was recorded, by the server's clock.
    pub oldest: Instant,
    /// Whether it should have been sealed by the time of the look.
    pub overdue: bool,
}

/// A product's lease that is not free: whoever holds it may change production state, and nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// The product; `_fleet` for what belongs to none, `_ledger` for sealing. From outside, as all texts that follow.
    pub product: String,
    /// Who holds it, or did not give it back: the server's word.
    pub holder: String,
    /// The operation for which it was taken.
    pub operation: Option<String>,
    /// How often it was taken.
    pub fence: i64,
    /// When it ends unless it is renewed, by the server's clock.
    pub until: Instant,
    /// Whether it had ended by the time of the look: then anybody may take it, and observes for 30 s first.
    pub is_over: bool,
}

/// What a verification of the whole record came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When it was made, by the server's clock.
    pub at: Instant,
    /// Rows that were compared with a seal.
    pub rows: u64,
    /// What was found, a line each; none if all is as it was sealed. From outside.
    pub findings: Vec<String>,
    /// Commits that are older than what a history tells, and that no sealer has seen.
    #[serde(default)]
    pub unseen_commits: u64,
}

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    /// Its id.
    pub id: String,
    /// The operation, if it is about one.
    pub operation: Option<OperationId>,
    /// Its number in the operation's journal, if it is an entry of that.
    pub seq: Option<u64>,
    /// What happened. From outside, as all that follows.
    pub verb: String,
    /// On what.
    pub target: String,
    /// What came of it.
    pub outcome: String,
    /// Who was at the console, as the row says; else whose credential wrote it.
    pub by: String,
    /// Whose credential wrote it: the server's word.
    pub writer: String,
    /// When, by the server's clock.
    pub at: Instant,
    /// More of it, as JSON.
    pub detail: String,
    /// Whether its content is what its writer hashed.
    pub holds: bool,
}

/// The record as the console knows it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The newest look; none before the first.
    pub page: Option<Arc<RecordPage>>,
    /// When it was made, in local time.
    pub read_at: Option<Instant>,
    /// Why the newest look failed. From outside.
    pub trouble: Option<String>,
    /// Whether a look is under way.
    pub reading: bool,
    /// Operations of other homes, by id.
    operations: BTreeMap<OperationId, Operation>,
}

impl Record {
    /// Takes what a look came to. A verification is kept until there is a newer one.
    pub fn observe(&mut self, read: &Result<Arc<RecordPage>, String>, now: Instant) {
        self.reading = false;
        match read {
            Err(why) => self.trouble = Some(why.clone()),
            Ok(page) => {
                let known = self.page.take().and_then(|page| page.proof.clone());
                let proof = page.proof.clone().or(known);
                self.page = Some(Arc::new(RecordPage { proof, ..RecordPage::clone(page) }));
                (self.read_at, self.trouble) = (Some(now), None);
                let operations = page.operations.iter();
                self.operations = operations.map(|record| (record.id, Operation::of(Arc::clone(record)))).collect();
            }
        }
    }

    /// The lease that a product's operations need, if it is not free.
    pub fn lease(&self, product: &str) -> Option<&LeaseView> {
        self.page.as_ref()?.leases.iter().find(|lease| lease.product == product)
    }

    /// An operation as the record has it.
    pub fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.operations.get(&id)
    }

    /// All operations that the record has, oldest first.
    pub fn operations(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        self.operations.values()
    }

    /// A row by its id.
    pub fn row(&self, id: &str) -> Option<&Arc<RecordRow>> {
        self.page.as_ref()?.rows.iter().find(|row| row.id == id)
    }
}
