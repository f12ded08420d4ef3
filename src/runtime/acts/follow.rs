//! How operations are followed: read from the journal whenever something moved, here or in another process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shop;
use crate::app::operations::{
    LeaseStanding, LedgerStanding, OperationRecord, OperationsSnapshot, OwnerHealth, OwnerView,
};
use crate::domain::Instant;
use crate::domain::proof::Proof;
use crate::operations::plan::OperationId;
use crate::operations::planning::InHand;
use crate::runtime::delivery::{DeliveryState, Outbox};
use crate::runtime::operator::{CrashingJournal, Journal, Operator};
use crate::store::{self, Health, OutboxRow, Record, RowKey, Waiting};

/// How many operations that are over are shown besides all that are not.
const KEPT: usize = 200;

/// The journal, as far as it is read for the screen.
pub trait Book {
    /// What changes with every commit of another process.
    ///
    /// # Errors
    /// The store's.
    fn version(&self) -> Result<i64, store::Error>;
    /// The newest operations, newest first.
    ///
    /// # Errors
    /// The store's.
    fn newest(&self, limit: usize, now: Instant) -> Result<Vec<Record>, store::Error>;
    /// All that are not over, oldest first.
    ///
    /// # Errors
    /// The store's.
    fn unfinished(&self, now: Instant) -> Result<Vec<Record>, store::Error>;
    /// What is not over, as planning needs it.
    ///
    /// # Errors
    /// The store's.
    fn in_hand(&self) -> Result<Vec<InHand>, store::Error>;
    /// Up to which entry the shared ledger has everything.
    ///
    /// # Errors
    /// The store's.
    fn acknowledged_of(&self, operation: OperationId) -> Result<u64, store::Error>;
    /// What was proven on this machine.
    ///
    /// # Errors
    /// The store's.
    fn proofs(&self) -> Result<Vec<Proof>, store::Error>;
    /// Keeps what was proven in other homes, where it is newer.
    ///
    /// # Errors
    /// The store's.
    fn take_proofs(&mut self, proofs: &[Proof]) -> Result<(), store::Error>;
    /// How much waits for the ledger.
    ///
    /// # Errors
    /// The store's.
    fn waits(&self) -> Result<Waiting, store::Error>;
}

impl Book for store::Journal {
    fn version(&self) -> Result<i64, store::Error> {
        Self::version(self)
    }

    fn newest(&self, limit: usize, now: Instant) -> Result<Vec<Record>, store::Error> {
        Self::newest(self, limit, now)
    }

    fn unfinished(&self, now: Instant) -> Result<Vec<Record>, store::Error> {
        Self::unfinished(self, now)
    }

    fn in_hand(&self) -> Result<Vec<InHand>, store::Error> {
        Self::in_hand(self)
    }

    fn acknowledged_of(&self, operation: OperationId) -> Result<u64, store::Error> {
        Self::acknowledged(self, operation)
    }

    fn proofs(&self) -> Result<Vec<Proof>, store::Error> {
        Self::proofs(self)
    }

    fn take_proofs(&mut self, proofs: &[Proof]) -> Result<(), store::Error> {
        Self::take_proofs(self, proofs)
    }

    fn waits(&self) -> Result<Waiting, store::Error> {
        Self::waiting(self)
    }
}

impl<J: Book> Book for CrashingJournal<J> {
    fn version(&self) -> Result<i64, store::Error> {
        self.inner().version()
    }

    fn newest(&self, limit: usize, now: Instant) -> Result<Vec<Record>, store::Error> {
        self.inner().newest(limit, now)
    }

    fn unfinished(&self, now: Instant) -> Result<Vec<Record>, store::Error> {
        self.inner().unfinished(now)
    }

    fn in_hand(&self) -> Result<Vec<InHand>, store::Error> {
        self.inner().in_hand()
    }

    fn acknowledged_of(&self, operation: OperationId) -> Result<u64, store::Error> {
        self.inner().acknowledged_of(operation)
    }

    fn proofs(&self) -> Result<Vec<Proof>, store::Error> {
        self.inner().proofs()
    }

    fn take_proofs(&mut self, proofs: &[Proof]) -> Result<(), store::Error> {
        self.inner_mut().take_proofs(proofs)
    }

    fn waits(&self) -> Result<Waiting, store::Error> {
        self.inner().waits()
    }
}

impl<J: Outbox> Outbox for CrashingJournal<J> {
    fn pending(&self, limit: usize, except: &[String]) -> Result<Vec<OutboxRow>, store::Error> {
        self.inner().pending(limit, except)
    }

    fn acknowledge(&mut self, keys: &[RowKey], now: Instant) -> Result<(), store::Error> {
        self.inner_mut().acknowledge(keys, now)
    }

    fn set_aside(&mut self, key: &RowKey, why: &str) -> Result<(), store::Error> {
        self.inner_mut().set_aside(key, why)
    }

    fn waiting(&self) -> Result<Waiting, store::Error> {
        Outbox::waiting(self.inner())
    }
}

/// What was told last.
pub(super) struct Told {
    version: i64,
    /// Whether others have something in hand: how they are changes without a commit.
    others: bool,
    snapshot: OperationsSnapshot,
}

/// How the ledger is now.
#[derive(Clone, Copy)]
pub(super) struct LedgerNow<'a> {
    /// How delivery stands; none where no ledger can be spoken to.
    pub(super) delivery: Option<&'a DeliveryState>,
    /// Why there is none although one is configured.
    pub(super) no_ledger: Option<&'a str>,
    /// How it stands with the leases that operations in hand here need.
    pub(super) leases: &'a BTreeMap<OperationId, LeaseStanding>,
}

/// How all operations stand, if that differs from what was told last.
pub(super) fn snapshot<J: Book + Journal>(
    operator: &Operator<J>,
    told: &mut Option<Told>,
    moved: bool,
    ledger: LedgerNow<'_>,
    shop: &Shop,
    now: Instant,
) -> Result<Option<OperationsSnapshot>, store::Error> {
    let journal = operator.journal();
    let version = journal.version()?;
    if let Some(told) = told
        && !moved
        && !told.others
        && told.version == version
        && told.snapshot.leases == *ledger.leases
    {
        return Ok(None);
    }
    let mut records = journal.newest(KEPT, now)?;
    let older = journal.unfinished(now)?.into_iter().filter(|open| records.iter().all(|known| known.id != open.id));
    let older: Vec<Record> = older.collect();
    records.extend(older);
    let others = records.iter().any(|record| {
        matches!(record.owner, Some((_, Health::Alive | Health::Hung | Health::Gone))) && !record.is_over
    });
    let operations: Result<Vec<_>, _> = records.into_iter().map(|record| view(journal, record)).collect();
    let waiting = journal.waits()?;
    let leases = ledger.leases.clone();
    let ledger = LedgerStanding {
        configured: ledger.delivery.is_some() || ledger.no_ledger.is_some(),
        waiting: waiting.rows,
        oldest_at: waiting.oldest_at,
        trouble: ledger
            .delivery
            .and_then(|delivery| delivery.trouble.clone())
            .or_else(|| ledger.no_ledger.map(crate::domain::text::line)),
    };
    let snapshot = OperationsSnapshot { operations: operations?, ledger, off: shop.off(&journal.proofs()?), leases };
    let is_news = told.as_ref().is_none_or(|told| told.snapshot != snapshot);
    *told = Some(Told { version, others, snapshot: snapshot.clone() });
    Ok(is_news.then_some(snapshot))
}

fn view(journal: &impl Book, record: Record) -> Result<Arc<OperationRecord>, store::Error> {
    let acknowledged = journal.acknowledged_of(record.id)?;
    let owner = record.owner.map(|(owner, health)| OwnerView {
        who: owner.who,
        since: owner.taken_at,
        health: match health {
            Health::Us => OwnerHealth::Us,
            Health::Alive => OwnerHealth::Alive,
            Health::Hung => OwnerHealth::Hung,
            Health::Gone => OwnerHealth::Gone,
        },
    });
    let read = OperationRecord::new(record.id, record.plan, record.digest, record.journal);
    Ok(Arc::new(OperationRecord { acknowledged, owner, is_over: record.is_over, ..read }))
}
