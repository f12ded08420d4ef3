//! How operations are followed: read from the journal whenever something moved, here or in another process.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shop;
use crate::app::operations::{
    LeaseStanding, LedgerStanding, OperationRecord, OperationsSnapshot, OwnerHealth, OwnerView, Trouble,
};
use crate::domain::Instant;
use crate::operations::plan::OperationId;
use crate::runtime::delivery::DeliveryState;
use crate::runtime::operator::{Journal, Operator};
use crate::store::{self, Health, Record};

/// How many operations that are over are shown besides all that are not.
const KEPT: usize = 200;

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
pub(super) fn snapshot<J: Journal>(
    operator: &Operator<J>,
    told: &mut Option<Told>,
    moved: bool,
    ledger: LedgerNow<'_>,
    shop: &Shop,
    now: Instant,
) -> Result<Option<OperationsSnapshot>, store::Error> {
    let journal = operator.journal().store();
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
    let operations: Result<Vec<_>, _> = records.into_iter().map(|record| view(operator, record)).collect();
    let waiting = journal.waiting()?;
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

fn view<J: Journal>(operator: &Operator<J>, record: Record) -> Result<Arc<OperationRecord>, store::Error> {
    let acknowledged = operator.journal().store().acknowledged(record.id)?;
    let trouble = operator.view(record.id).and_then(|view| {
        let (why, retry_at) = (crate::domain::text::line(view.trouble?), view.retry_at);
        Some(Trouble { why, retry_at })
    });
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
    Ok(Arc::new(OperationRecord { acknowledged, owner, trouble, is_over: record.is_over, ..read }))
}
