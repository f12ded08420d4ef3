//! Delivery: brings the outbox to the ledger, at least once, in the order in which it was written.
//!
//! A machine that is stepped: each [`Delivery::turn`] is at most one look at the outbox and one append. While the ledger
//! does not answer, the outbox holds everything, the pause between attempts grows, and [`Delivery::state`] says so.
//!
//! Where it answers no, only what it refuses is held up: a table that is missing or that we may not write to is tried again
//! now and then, and a row that no table takes is found by sending ever fewer at once, and set aside. A person is told.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::Instant;
use crate::domain::sql::Fault;
use crate::domain::text;
use crate::ledger::book::Refused;
use crate::ledger::{Ledger, LedgerRow, Sql, Table};
use crate::runtime::operator::Journal;
use crate::store::{self, OutboxRow, RowKey, Waiting};

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
    /// Rows that this version does not understand: a newer one may have left them.
    unreadable: Vec<RowKey>,
}

/// What became of a parcel.
#[derive(Debug)]
pub struct Sent {
    delivery: crate::ledger::Delivery,
    unreadable: Vec<RowKey>,
}

impl Parcel {
    fn of(pending: &[OutboxRow]) -> Self {
        let mut parcel = Self { rows: Vec::new(), unreadable: Vec::new() };
        for row in pending {
            match serde_json::from_str(&row.body) {
                Ok(read) => parcel.rows.push(read),
                Err(_) => parcel.unreadable.push(row.key()),
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
    /// How many rows the next parcel may have: fewer while one is looked for that the ledger refuses.
    most: usize,
    /// Tables that take nothing from us, with the instant of the next attempt in local time, and why.
    closed: BTreeMap<Table, (Instant, String)>,
}

impl<S: Sql> Delivery<S> {
    /// Delivery to a ledger. Nothing is sent yet.
    pub fn new(ledger: Ledger<S>) -> Self {
        Self { ledger, state: DeliveryState::default(), most: ROWS, closed: BTreeMap::new() }
    }

    /// How it stands.
    pub fn state(&self) -> &DeliveryState {
        &self.state
    }

    /// Makes the next turn an attempt, however long the pause: somebody waits for the ledger.
    pub fn hurry(&mut self) {
        self.state.retry_at = None;
        for (at, _) in self.closed.values_mut() {
            *at = Instant::MIN_UTC;
        }
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
        // Here too a clock that was set back holds nothing up.
        let is_shut = |(at, _): &(Instant, String)| now < *at && *at - now <= LONGEST_PAUSE;
        let shut = self.closed.iter().filter(|(_, closed)| is_shut(closed)).map(|(table, _)| table.name().to_owned());
        let pending = outbox.pending(self.most, &shut.collect::<Vec<_>>())?;
        if pending.is_empty() {
            (self.state.failures, self.state.retry_at) = (0, None);
            self.count(outbox)?;
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
        let key = |(table, id): &(Table, String)| RowKey { table: table.name().to_owned(), id: id.clone() };
        let keys: Vec<RowKey> = delivery.acknowledged.iter().map(key).collect();
        if !keys.is_empty() {
            outbox.acknowledge(&keys, now)?;
            self.state.delivered_at = Some(now);
        }
        for (table, _) in &delivery.acknowledged {
            self.closed.remove(table);
        }
        for key in unreadable {
            outbox.set_aside(&key, &format!("row {} of the outbox cannot be read by this version", key.id))?;
        }
        self.most = ROWS;
        for Refused { rows: refused, trouble } in delivery.refused {
            let why = text::line(&trouble.message);
            match (&trouble.fault, &refused[..]) {
                (Fault::PermissionDenied { .. } | Fault::NotFound, [(table, _), ..]) => {
                    self.closed.insert(*table, (now + LONGEST_PAUSE, why));
                }
                (_, [row]) => outbox.set_aside(&key(row), &why)?,
                (_, rows) => self.most = self.most.min((rows.len() / 2).max(1)),
            }
        }
        match delivery.trouble {
            Some(trouble) => self.failed(&trouble.message, now),
            None => (self.state.failures, self.state.retry_at, self.state.trouble) = (0, None, None),
        }
        self.count(outbox.store())?;
        Ok(if keys.is_empty() { Turn::Failed } else { Turn::Delivered(keys.len()) })
    }

    fn failed(&mut self, why: &str, now: Instant) {
        self.state.failures = self.state.failures.saturating_add(1);
        let doublings = self.state.failures.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE.checked_mul(1 << doublings).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.state.retry_at = Some(now + pause);
        self.state.trouble = Some(text::line(why));
    }

    /// How much waits, and whether something of it waits for a person.
    fn count(&mut self, outbox: &store::Journal) -> Result<(), store::Error> {
        let Waiting { rows, oldest_at, set_aside, refusal } = outbox.waiting()?;
        (self.state.waiting, self.state.oldest_at) = (rows, oldest_at);
        if rows == 0 {
            self.closed.clear();
        }
        let closed = self.closed.values().next().map(|(_, why)| why.clone());
        let aside = refusal.map(|why| {
            let of = if set_aside == 1 { "1 row is".to_owned() } else { format!("{set_aside} rows are") };
            format!("{of} set aside, `lakeshift ledger deliver` tries again: {}", text::line(&why))
        });
        let standing = closed.or(aside);
        self.state.needs_person = standing.is_some();
        // While the ledger does not answer, that is what is told.
        if self.state.retry_at.is_none() {
            self.state.trouble = standing;
        }
        Ok(())
    }
}
