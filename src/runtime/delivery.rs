//! Delivery: brings the outbox to the ledger, at least once, in the order in which it was written.
//!
//! A machine that is stepped: each [`Delivery::turn`] is at most one look at the outbox and one append. While the ledger
//! does not answer, the outbox holds everything, the pause between attempts grows, and [`Delivery::state`] says so.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::Instant;
use crate::domain::sql::Fault;
use crate::domain::text;
use crate::ledger::{Ledger, LedgerRow, Sql};
use crate::runtime::operator::Journal;
use crate::store::{self, OutboxRow, Waiting};

/// Rows that one turn takes.
const ROWS: usize = 200;

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);

/// The longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(60);

/// How delivery stands: for the screen, and for those who wait for the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryState {
    /// Rows that wait.
    pub waiting: u64,
    /// Since when the oldest of them waits, in local time.
    pub oldest_at: Option<Instant>,
    /// When the ledger took rows last, in local time.
    pub delivered_at: Option<Instant>,
    /// Why the last attempt failed; none if it did not.
    pub trouble: Option<String>,
    /// Whether a person must do something: trying again will not help.
    pub needs_person: bool,
    /// How often it failed since it last succeeded.
    pub failures: u32,
    /// When the next attempt is due, in local time; none if nothing waits.
    pub retry_at: Option<Instant>,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing waits.
    Idle,
    /// It is too early for another attempt.
    Waiting,
    /// The ledger took so many rows.
    Delivered(usize),
    /// The ledger did not take them; they stay.
    Failed,
}

/// What is there to send.
#[derive(Debug)]
pub enum Loaded {
    /// Nothing: nothing waits, or it is too early.
    Nothing(Turn),
    /// This.
    Parcel(Parcel),
}

/// Rows on their way.
#[derive(Debug)]
pub struct Parcel {
    rows: Vec<LedgerRow>,
    /// The first row that this version does not understand: a newer one may have left it.
    unreadable: Option<String>,
}

/// What became of a parcel.
#[derive(Debug)]
pub struct Sent {
    delivery: crate::ledger::Delivery,
    unreadable: Option<String>,
}

impl Parcel {
    fn of(pending: &[OutboxRow]) -> Self {
        let mut parcel = Self { rows: Vec::new(), unreadable: None };
        for row in pending {
            match serde_json::from_str(&row.body) {
                Ok(read) => parcel.rows.push(read),
                Err(_) => parcel.unreadable = parcel.unreadable.or_else(|| Some(row.id.clone())),
            }
        }
        parcel
    }

    /// Sends it.
    pub async fn send<S: Sql>(self, ledger: &Ledger<S>) -> Sent {
        Sent { delivery: ledger.append(&self.rows).await, unreadable: self.unreadable }
    }
}

/// Brings the outbox to the ledger.
#[derive(Clone, Debug)]
pub struct Delivery<S> {
    ledger: Ledger<S>,
    state: DeliveryState,
}

impl<S: Sql> Delivery<S> {
    /// Delivery to a ledger. Nothing is sent yet.
    pub fn new(ledger: Ledger<S>) -> Self {
        Self { ledger, state: DeliveryState::default() }
    }

    /// How it stands.
    pub fn state(&self) -> &DeliveryState {
        &self.state
    }

    /// Makes the next turn an attempt, however long the pause: somebody waits for the ledger.
    pub fn hurry(&mut self) {
        self.state.retry_at = None;
    }

    /// At most one attempt. Dropping the future loses nothing: what was not acknowledged is sent again.
    ///
    /// # Errors
    /// The store's: then nothing can be said of what waits.
    pub async fn turn(&mut self, outbox: &mut impl Journal, now: Instant) -> Result<Turn, store::Error> {
        match self.load(outbox.store(), now)? {
            Loaded::Nothing(turn) => Ok(turn),
            Loaded::Parcel(parcel) => {
                let sent = parcel.send(&self.ledger).await;
                self.landed(outbox, sent, now)
            }
        }
    }

    /// The ledger, for [`Parcel::send`].
    pub fn ledger(&self) -> &Ledger<S> {
        &self.ledger
    }

    /// What is to be sent now. For whoever cannot lend the outbox while it is on its way: load, send, then tell
    /// [`Delivery::landed`].
    ///
    /// # Errors
    /// The store's.
    pub fn load(&mut self, outbox: &store::Journal, now: Instant) -> Result<Loaded, store::Error> {
        // A pause that looks longer than any is one whose clock was set back meanwhile.
        if self.state.retry_at.is_some_and(|at| now < at && at - now <= LONGEST_PAUSE) {
            self.count(outbox)?;
            return Ok(Loaded::Nothing(Turn::Waiting));
        }
        let pending = outbox.pending(ROWS)?;
        if pending.is_empty() {
            let delivered_at = self.state.delivered_at;
            self.state = DeliveryState { delivered_at, ..DeliveryState::default() };
            return Ok(Loaded::Nothing(Turn::Idle));
        }
        Ok(Loaded::Parcel(Parcel::of(&pending)))
    }

    /// Notes what became of a parcel.
    ///
    /// # Errors
    /// The store's.
    pub fn landed(&mut self, outbox: &mut impl Journal, sent: Sent, now: Instant) -> Result<Turn, store::Error> {
        let Sent { delivery, unreadable } = sent;
        let ids: Vec<String> = delivery.acknowledged.iter().map(|(_, id)| id.clone()).collect();
        if !ids.is_empty() {
            outbox.acknowledge(&ids, now)?;
            self.state.delivered_at = Some(now);
        }
        match (delivery.trouble, unreadable) {
            (Some(trouble), _) => self.failed(&trouble.message, lasts(&trouble.fault), now),
            (None, Some(id)) => {
                self.failed(&format!("row {id} of the outbox cannot be read by this version"), true, now);
            }
            (None, None) => {
                (self.state.trouble, self.state.retry_at) = (None, None);
                (self.state.failures, self.state.needs_person) = (0, false);
            }
        }
        self.count(outbox.store())?;
        Ok(if ids.is_empty() { Turn::Failed } else { Turn::Delivered(ids.len()) })
    }

    fn failed(&mut self, why: &str, needs_person: bool, now: Instant) {
        self.state.failures = self.state.failures.saturating_add(1);
        let doublings = self.state.failures.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE.checked_mul(1 << doublings).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.state.retry_at = Some(now + pause);
        self.state.trouble = Some(text::line(why));
        self.state.needs_person = needs_person;
    }

    fn count(&mut self, outbox: &store::Journal) -> Result<(), store::Error> {
        let Waiting { rows, oldest_at } = outbox.waiting()?;
        (self.state.waiting, self.state.oldest_at) = (rows, oldest_at);
        Ok(())
    }
}

/// Whether the same rows would be refused again.
fn lasts(fault: &Fault) -> bool {
    matches!(fault, Fault::PermissionDenied { .. } | Fault::NotFound | Fault::Invalid | Fault::Data)
}
