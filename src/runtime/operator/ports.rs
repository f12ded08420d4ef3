//! What the operator leans on, as traits, so that the program and the deterministic simulation drive the same code.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::domain::Instant;
use crate::domain::ulid::Ulid;
use crate::operations::engine::{Effect, Outcome};
use crate::operations::journal::Recorded;
use crate::operations::plan::{OperationId, Plan, Subject};
use crate::store::{self, OutboxRow, Record};

/// The local truth. [`store::Journal`] is the real one.
pub trait Journal {
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
    ) -> Result<(), store::Error>;

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
    ) -> Result<(), store::Error>;

    /// Makes this process the owner; gives who was.
    ///
    /// # Errors
    /// As [`store::Journal::take`].
    fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, store::Error>;

    /// Lets go.
    ///
    /// # Errors
    /// The store's.
    fn release(&mut self, operation: OperationId) -> Result<(), store::Error>;

    /// Gives a sign of life, and tells which operations this process has.
    ///
    /// # Errors
    /// The store's.
    fn beat(&mut self, now: Instant) -> Result<Vec<OperationId>, store::Error>;

    /// One operation.
    ///
    /// # Errors
    /// The store's.
    fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, store::Error>;

    /// Up to which entry the shared ledger has everything.
    ///
    /// # Errors
    /// The store's.
    fn acknowledged(&self, operation: OperationId) -> Result<u64, store::Error>;
}

impl Journal for store::Journal {
    fn begin(
        &mut self,
        plan: &Plan,
        entries: &[Recorded],
        rows: &[OutboxRow],
        now: Instant,
    ) -> Result<(), store::Error> {
        Self::begin(self, plan, entries, rows, now)
    }

    fn append(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), store::Error> {
        Self::append(self, operation, after, entries, rows, is_over, now)
    }

    fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, store::Error> {
        Self::take(self, operation, now)
    }

    fn release(&mut self, operation: OperationId) -> Result<(), store::Error> {
        Self::release(self, operation)
    }

    fn beat(&mut self, now: Instant) -> Result<Vec<OperationId>, store::Error> {
        Self::beat(self, now)
    }

    fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, store::Error> {
        Self::record(self, operation, now)
    }

    fn acknowledged(&self, operation: OperationId) -> Result<u64, store::Error> {
        Self::acknowledged(self, operation)
    }
}

/// The platform, as far as effects reach it. [`Workspaces`](super::Workspaces) is the real one.
pub trait World: Send + Sync {
    /// Whether the subject's workspace is the one that the plan was made for, and can be spoken to.
    ///
    /// # Errors
    /// Why not, in a sentence.
    fn reaches(&self, subject: &Subject) -> Result<(), String>;

    /// Performs an effect. Nothing happens before the future is polled; dropped, it may have happened.
    fn perform(&self, plan: &Plan, effect: &Effect) -> BoxFuture<'static, Outcome>;
}

/// The rows by which a journal entry is told to the shared ledger; none where no ledger is configured. Pure, and the same
/// whenever it is asked: the rows' ids must not differ from one delivery to the next. The last is the entry with which the
/// writer got the operation in hand: what it wrote before it lost it and what it writes since are told apart by that.
pub type RowsOf = Arc<dyn Fn(&Plan, &Recorded, Ulid) -> Vec<OutboxRow> + Send + Sync>;

/// No ledger: no rows.
pub fn no_rows() -> RowsOf {
    Arc::new(|_, _, _| Vec::new())
}
