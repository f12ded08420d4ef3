//! What the operator leans on, as traits, so that the program and the deterministic simulation drive the same code.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::databricks::transport::Permit;
use crate::domain::Instant;
use crate::domain::proof::Proof;
use crate::domain::ulid::Ulid;
use crate::operations::engine::{Effect, Outcome};
use crate::operations::journal::Recorded;
use crate::operations::plan::{OperationId, Plan, Subject};
use crate::store::{self, Adopted, Handover, OutboxRow, Record, RowKey};

/// A durable write of the journal.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// Entries of an operation.
    Entries(&'a [Recorded]),
    /// This process becomes the owner of an operation.
    Take(OperationId),
    /// It lets go of one.
    Release(OperationId),
    /// A sign of life.
    Beat,
    /// What the ledger has is noted.
    Acknowledge,
    /// A row that the ledger refuses is kept apart.
    SetAside,
    /// What other homes have proven is kept.
    Proofs,
    /// An operation of another home is brought here.
    Adopt(OperationId),
}

/// The local truth: the store's journal, and whatever stands around each of its writes. [`store::Journal`] itself is the
/// real one; a test kills the process at a write, or watches it.
pub trait Journal {
    /// The journal, to read it.
    fn store(&self) -> &store::Journal;

    /// Does one write. All others go through it.
    ///
    /// # Errors
    /// What the write gives.
    fn write<T>(
        &mut self,
        what: Write<'_>,
        write: impl FnOnce(&mut store::Journal) -> Result<T, store::Error>,
    ) -> Result<T, store::Error>;

    /// Writes a new operation, owned by this process. Durable when it returns.
    ///
    /// # Errors
    /// As [`store::Journal::begin`].
    fn begin(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        rows: &[OutboxRow],
        now: Instant,
    ) -> Result<(), store::Error> {
        self.write(Write::Entries(entries), |journal| journal.begin(plan, entries, rows, now))
    }

    /// Appends behind entry `after`. Durable when it returns.
    ///
    /// # Errors
    /// As [`store::Journal::append`].
    fn append(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), store::Error> {
        self.write(Write::Entries(entries), |journal| journal.append(operation, after, entries, rows, is_over, now))
    }

    /// Makes this process the owner; gives who was.
    ///
    /// # Errors
    /// As [`store::Journal::take`].
    fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, store::Error> {
        self.write(Write::Take(operation), |journal| journal.take(operation, now))
    }

    /// Lets go.
    ///
    /// # Errors
    /// The store's.
    fn release(&mut self, operation: OperationId) -> Result<(), store::Error> {
        self.write(Write::Release(operation), |journal| journal.release(operation))
    }

    /// Gives a sign of life for these operations, and tells which of them this process still has.
    ///
    /// # Errors
    /// The store's.
    fn beat(&mut self, operations: &[OperationId], now: Instant) -> Result<Vec<OperationId>, store::Error> {
        self.write(Write::Beat, |journal| journal.beat(operations, now))
    }

    /// Notes what the ledger has.
    ///
    /// # Errors
    /// The store's.
    fn acknowledge(&mut self, keys: &[RowKey], now: Instant) -> Result<(), store::Error> {
        self.write(Write::Acknowledge, |journal| journal.acknowledge(keys, now))
    }

    /// Keeps a row apart that the ledger refuses whenever it is sent.
    ///
    /// # Errors
    /// The store's.
    fn set_aside(&mut self, key: &RowKey, why: &str) -> Result<(), store::Error> {
        self.write(Write::SetAside, |journal| journal.set_aside(key, why))
    }

    /// Keeps what was proven in other homes, where it is newer.
    ///
    /// # Errors
    /// The store's.
    fn take_proofs(&mut self, proofs: &[Proof]) -> Result<(), store::Error> {
        self.write(Write::Proofs, |journal| journal.take_proofs(proofs))
    }

    /// Brings an operation of another home here.
    ///
    /// # Errors
    /// As [`store::Journal::adopt`].
    fn adopt(&mut self, handover: &Handover<'_>, now: Instant) -> Result<Adopted, store::Error> {
        self.write(Write::Adopt(handover.plan.id), |journal| journal.adopt(handover, now))
    }

    /// One operation.
    ///
    /// # Errors
    /// The store's.
    fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, store::Error> {
        self.store().record(operation, now)
    }
}

impl Journal for store::Journal {
    fn store(&self) -> &store::Journal {
        self
    }

    fn write<T>(
        &mut self,
        _: Write<'_>,
        write: impl FnOnce(&mut store::Journal) -> Result<T, store::Error>,
    ) -> Result<T, store::Error> {
        write(self)
    }
}

/// The platform, as far as effects reach it. [`Workspaces`](super::Workspaces) is the real one.
pub trait World: Send + Sync {
    /// Whether the subject's workspace is the one that the plan was made for, and can be spoken to.
    ///
    /// # Errors
    /// Why not, in a sentence.
    fn reaches(&self, subject: &Subject) -> Result<(), String>;

    /// Performs an effect. Nothing happens before the future is polled; dropped, it may have happened. What
    /// [orders](Effect::orders) something leaves only while the permit holds; else it has not happened.
    fn perform(&self, plan: &Plan, effect: &Effect, permit: Permit) -> BoxFuture<'static, Outcome>;
}

/// The rows by which a journal entry is told to the shared ledger; none where no ledger is configured. Pure, and the same
/// whenever it is asked: the rows' ids must not differ from one delivery to the next. The last is the entry with which the
/// writer got the operation in hand: what it wrote before it lost it and what it writes since are told apart by that.
pub type RowsOf = Arc<dyn Fn(&Plan, &Recorded, Ulid) -> Vec<OutboxRow> + Send + Sync>;

/// No ledger: no rows.
pub fn no_rows() -> RowsOf {
    Arc::new(|_, _, _| Vec::new())
}
