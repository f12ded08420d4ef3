//! The sealer: seals what this process has told the ledger, beside everything else, so that nothing ever waits for it.
//!
//! At once when an operation on production state has ended in these hands, else within a quarter of an hour of the first row
//! (domain.md 6.5). Whoever seals holds the lease [`SEALER`] and seals everybody's rows. What a process leaves unsealed when it
//! ends is sealed by the next one; `lakeshift ledger status` and the Audit screen tell when that takes too long.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::{BoxFuture, FutureExt};

use crate::domain::Instant;
use crate::ledger::lease::SEALER;
use crate::ledger::seal::{EVERY_US, Sealed, seal};
use crate::ledger::{Ledger, Sql};
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::ledger::{Ticks, give_back, hold};

/// How long rows of this process may wait for a seal.
const EVERY: TimeDelta = TimeDelta::microseconds(EVERY_US);

/// The pause after an attempt that failed: mostly somebody else seals just now.
const AGAIN: TimeDelta = TimeDelta::seconds(60);

/// See the module's page.
pub struct Sealer<S> {
    ledger: Ledger<S>,
    ticks: Arc<Ticks>,
    ids: SystemIds,
    /// When the next seal is due, in local time; none while all that this process has told is sealed.
    due_at: Option<Instant>,
    /// Whether a lease is being given back: an operation on production state has ended.
    ended: bool,
    under_way: Option<BoxFuture<'static, Result<Sealed, String>>>,
}

impl<S: Sql + Clone + 'static> Sealer<S> {
    /// One that has nothing to seal.
    pub fn new(ledger: Ledger<S>, ticks: Arc<Ticks>) -> Self {
        Self { ledger, ticks, ids: SystemIds::default(), due_at: None, ended: false, under_way: None }
    }

    /// The ledger has taken rows of this process.
    pub fn told(&mut self, now: Instant) {
        self.due_at.get_or_insert(now + EVERY);
    }

    /// Whether leases are being given back. When that begins, an operation on production state has ended, and a seal is due.
    pub fn leaves(&mut self, leaving: bool, now: Instant) {
        if leaving && !self.ended {
            self.due_at = Some(now);
        }
        self.ended = leaving;
    }

    /// Begins to seal, if it is time.
    pub fn start(&mut self, now: Instant) {
        // Longer than ever is only a clock that was set back.
        let is_due = self.due_at.is_some_and(|at| at <= now || at - now > EVERY);
        if self.under_way.is_some() || !is_due {
            return;
        }
        self.due_at = None;
        let (seal_id, nonce) = (self.ids.ulid(now).to_string(), self.ids.ulid(now).to_string());
        let (ledger, ticks) = (self.ledger.clone(), Arc::clone(&self.ticks));
        self.under_way = Some(
            async move {
                let held = hold(&ledger, SEALER, &seal_id, &nonce, &ticks).await;
                let mut tenure = held.map_err(|error| error.to_string())?;
                let sealed = seal(&ledger, &seal_id, None).await;
                give_back(&mut tenure, &ledger, &ticks).await;
                sealed.map_err(|trouble| trouble.message)
            }
            .boxed(),
        );
    }

    /// Waits for what is under way; for ever if nothing is.
    pub async fn next(&mut self) -> Result<Sealed, String> {
        match &mut self.under_way {
            Some(under_way) => under_way.await,
            None => std::future::pending().await,
        }
    }

    /// Notes what came of it.
    pub fn landed(&mut self, sealed: Result<Sealed, String>, now: Instant) {
        self.under_way = None;
        match sealed {
            Ok(Sealed { seal, rows: Some(rows) }) => tracing::info!(seal = seal.seq, rows, "sealed"),
            Ok(_) => {}
            Err(why) => {
                tracing::info!(why, "the ledger could not be sealed now");
                self.due_at = Some(now + AGAIN);
            }
        }
    }

    /// Whether it seals just now.
    pub fn is_sealing(&self) -> bool {
        self.under_way.is_some()
    }

    /// When the next seal is due, in local time; none while one is under way or nothing is to be sealed.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.due_at.filter(|_| self.under_way.is_none())
    }
}
