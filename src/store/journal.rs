//! The journal of operations: plans, their entries, who owns each, and what the ledger still lacks.
//!
//! A file of its own beside the cache. The cache may lose its last moments to a power cut and is set aside when it cannot
//! be read; the journal does neither: it is written ahead of every request and synced in full, and a file that cannot be
//! read is an error that a person must see.
//!
//! Several processes share it. An operation has one owner at a time, and only the owner appends: a process that lost an
//! operation to another learns it from its next write, before it can ask anything further.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::codec::{instant, ms, signed, unsigned};
use super::outbox::{self, OutboxRow};
use super::session::{self, Session};
use super::{Error, Format, failed};
use crate::domain::Instant;
use crate::domain::ulid::Ulid;
use crate::operations::journal::Recorded;
use crate::operations::plan::{OperationId, Plan, Stored};
use crate::operations::planning::{InHand, collides};

/// An owner that gave no sign for this long counts as hung, and may be replaced.
pub const HUNG_AFTER: TimeDelta = TimeDelta::seconds(15);

/// Marks the file as ours (`application_id`): "lkso".
const OWNER: i64 = 0x6c6b_736f;

/// Each step brings the file from the format of its index to the next one. Instants are milliseconds since 1970 of our clock.
const STEPS: &[&str] = &[
    "
CREATE TABLE operations (
    op_id TEXT PRIMARY KEY,
    plan TEXT NOT NULL,
    digest TEXT NOT NULL,
    is_over INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX unfinished ON operations (is_over, op_id);

CREATE TABLE journal (
    op_id TEXT NOT NULL REFERENCES operations (op_id),
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    recorded_at INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (op_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
    op_id TEXT PRIMARY KEY REFERENCES operations (op_id),
    session TEXT NOT NULL,
    who TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    beat_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger_table TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    op_id TEXT,
    seq INTEGER,
    made_at INTEGER NOT NULL,
    acknowledged_at INTEGER,
    UNIQUE (ledger_table, id)
) STRICT;
CREATE INDEX undelivered ON outbox (acknowledged_at, position);
CREATE INDEX delivered_of ON outbox (op_id, acknowledged_at, seq);
",
    "
CREATE TABLE proofs (
    check_name TEXT NOT NULL,
    subject TEXT NOT NULL,
    place TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (check_name, subject, place)
) STRICT, WITHOUT ROWID;
",
    // Why the ledger refuses a row for good: it is set aside, so that others go on.
    "ALTER TABLE outbox ADD COLUMN refusal TEXT;",
];

/// The open journal of one process.
#[derive(Debug)]
pub struct Journal {
    pub(super) connection: Connection,
    session: Session,
    pub(super) sessions: PathBuf,
}

/// Who has an operation in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub session: Ulid,
    /// Who a person would ask.
    pub who: String,
    /// Since when, in local time.
    pub taken_at: Instant,
    /// Its newest sign of life, in local time.
    pub beat_at: Instant,
}

/// The session that stands for all processes of other machines.
pub(super) fn elsewhere() -> Ulid {
    Ulid::new(0, 0)
}

impl Owner {
    /// Whether it is no process of this machine.
    pub fn is_elsewhere(&self) -> bool {
        self.session == elsewhere()
    }
}

/// How an owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is this process.
    Us,
    /// It works.
    Alive,
    /// Its process is there but gave no sign for [`HUNG_AFTER`].
    Hung,
    /// Its process has ended.
    Gone,
}

/// An operation as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: OperationId,
    /// Its plan. [`Stored::Foreign`] also if an entry of the journal has words that this program does not know.
    pub plan: Stored,
    /// The plan's digest as it was when it was planned.
    pub digest: String,
    /// Its entries; empty for a foreign one.
    pub journal: Vec<Recorded>,
    /// Its entries as they are stored.
    pub entries: Vec<serde_json::Value>,
    /// Who has it, and how they are.
    pub owner: Option<(Owner, Health)>,
    /// Whether it is over.
    pub is_over: bool,
}

/// Where the journal of a state folder is.
pub fn file(state: &Path) -> PathBuf {
    state.join("operations.db")
}

impl Journal {
    /// Opens the journal of a state folder, making it where it is missing, and begins a session in it.
    ///
    /// # Errors
    /// See [`Error`]. A file that cannot be read is one: nothing of it is set aside.
    pub fn open(state: &Path, session: Ulid, who: &str) -> Result<Self, Error> {
        let path = file(state);
        super::make_private(&path)?;
        let connection = super::connect(&path, &Format { owner: OWNER, steps: STEPS, synchronous: "FULL" })?;
        let sessions = state.join("sessions");
        let session = Session::start(&sessions, session, who)?;
        Ok(Self { connection, session, sessions })
    }

    /// This process.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Writes a new operation and its first entries, owned by this process.
    ///
    /// # Errors
    /// [`Error::Collides`] when an unfinished operation on the same subject excludes it.
    pub fn begin(&mut self, plan: &Plan, entries: &[Recorded], rows: &[OutboxRow], now: Instant) -> Result<(), Error> {
        let attempt = failed("begin the operation");
        let (text, digest) = (plan.canonical().map_err(Error::Plan)?, plan.digest().map_err(Error::Plan)?);
        let who = self.session.who.clone();
        let session = self.session.id.to_string();
        let transaction = self.write("begin the operation")?;
        collision(&transaction, plan)?;
        let id = plan.id.to_string();
        let operation = "INSERT INTO operations (op_id, plan, digest) VALUES (?1, ?2, ?3)";
        transaction.execute(operation, params![id, text, digest]).map_err(&attempt)?;
        let owner = "INSERT INTO owners (op_id, session, who, taken_at, beat_at) VALUES (?1, ?2, ?3, ?4, ?4)";
        transaction.execute(owner, params![id, session, who, ms(now)]).map_err(&attempt)?;
        insert(&transaction, entries)?;
        outbox::put(&transaction, rows, now).map_err(&attempt)?;
        transaction.commit().map_err(attempt)
    }

    /// Appends entries behind entry `after`. When this returns, they outlive a power cut.
    ///
    /// # Errors
    /// [`Error::NotOwner`] when another process has taken the operation, [`Error::Behind`] when the journal has gone on:
    /// then nothing was written, and this process must not act on it any more.
    pub fn append(
        &mut self,
        operation: OperationId,
        after: u64,
        entries: &[Recorded],
        rows: &[OutboxRow],
        is_over: bool,
        now: Instant,
    ) -> Result<(), Error> {
        let attempt = failed("append to the journal");
        let session = self.session.id.to_string();
        let transaction = self.write("append to the journal")?;
        let id = operation.to_string();
        let owner = transaction
            .query_row("SELECT session, who FROM owners WHERE op_id = ?1", [&id], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .optional()
            .map_err(&attempt)?;
        match owner {
            Some((held_by, _)) if held_by == session => {}
            owner => return Err(Error::NotOwner { operation, owner: owner.map(|(_, who)| who) }),
        }
        let newest = newest(&transaction, operation)?;
        if newest != after {
            return Err(Error::Behind { operation, expected: after, found: newest });
        }
        insert(&transaction, entries)?;
        outbox::put(&transaction, rows, now).map_err(&attempt)?;
        if is_over {
            transaction.execute("UPDATE operations SET is_over = 1 WHERE op_id = ?1", [&id]).map_err(&attempt)?;
            transaction.execute("DELETE FROM owners WHERE op_id = ?1", [&id]).map_err(&attempt)?;
        }
        transaction.commit().map_err(attempt)
    }

    /// Makes this process the owner of an operation that nobody has, or whose owner is gone or hung. Gives who had it.
    ///
    /// # Errors
    /// [`Error::Held`] with the owner's name while it works.
    pub fn take(&mut self, operation: OperationId, now: Instant) -> Result<Option<String>, Error> {
        let attempt = failed("take the operation");
        let (session, who, sessions) = (self.session.id, self.session.who.clone(), self.sessions.clone());
        let transaction = self.write("take the operation")?;
        let owner = owner(&transaction, operation)?;
        if let Some(owner) = &owner
            && health(owner, session, &sessions, now) == Health::Alive
        {
            return Err(Error::Held { operation, owner: owner.who.clone(), since: owner.taken_at });
        }
        let sql = "INSERT INTO owners (op_id, session, who, taken_at, beat_at) VALUES (?1, ?2, ?3, ?4, ?4)
            ON CONFLICT (op_id) DO UPDATE SET session = ?2, who = ?3, taken_at = ?4, beat_at = ?4";
        transaction
            .execute(sql, params![operation.to_string(), session.to_string(), who, ms(now)])
            .map_err(&attempt)?;
        transaction.commit().map_err(attempt)?;
        Ok(owner.map(|owner| owner.who))
    }

    /// Lets go of an operation, so that any process may take it.
    ///
    /// # Errors
    /// The database's.
    pub fn release(&mut self, operation: OperationId) -> Result<(), Error> {
        let sql = "DELETE FROM owners WHERE op_id = ?1 AND session = ?2";
        let released = self.connection.execute(sql, params![operation.to_string(), self.session.id.to_string()]);
        released.map(drop).map_err(failed("let go of the operation"))
    }

    /// Gives a sign of life for operations of this process, and tells which of them it has: one that is missing was taken
    /// over while this process stood still. One that is its own and is not named, because it could not be let go of, falls
    /// silent, so that another process can take it.
    ///
    /// # Errors
    /// The database's.
    pub fn beat(&mut self, operations: &[OperationId], now: Instant) -> Result<Vec<OperationId>, Error> {
        let attempt = failed("give a sign of life");
        let session = self.session.id.to_string();
        let transaction = self.write("give a sign of life")?;
        let mut owned = Vec::new();
        for operation in operations {
            let sql = "UPDATE owners SET beat_at = ?3 WHERE op_id = ?1 AND session = ?2";
            let given = transaction.execute(sql, params![operation.to_string(), session, ms(now)]).map_err(&attempt)?;
            owned.extend((given > 0).then_some(*operation));
        }
        transaction.commit().map_err(attempt)?;
        Ok(owned)
    }

    /// One operation, if there is one of this id.
    ///
    /// # Errors
    /// The database's.
    pub fn record(&self, operation: OperationId, now: Instant) -> Result<Option<Record>, Error> {
        let sql = "SELECT op_id, plan, digest, is_over FROM operations WHERE op_id = ?1";
        Ok(self.records(sql, &[&operation.to_string()], now)?.pop())
    }

    /// All operations that are not over, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn unfinished(&self, now: Instant) -> Result<Vec<Record>, Error> {
        self.records("SELECT op_id, plan, digest, is_over FROM operations WHERE is_over = 0 ORDER BY op_id", &[], now)
    }

    /// The newest operations, newest first.
    ///
    /// # Errors
    /// The database's.
    pub fn newest(&self, limit: usize, now: Instant) -> Result<Vec<Record>, Error> {
        let sql = "SELECT op_id, plan, digest, is_over FROM operations ORDER BY op_id DESC LIMIT ?1";
        self.records(sql, &[&signed(limit as u64)], now)
    }

    /// A number that differs whenever another process has written since: whether to read again.
    ///
    /// # Errors
    /// The database's.
    pub fn version(&self) -> Result<i64, Error> {
        let read = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        read.map_err(failed("ask whether the journal went on"))
    }

    /// What is not over, as planning needs it.
    ///
    /// # Errors
    /// The database's.
    pub fn in_hand(&self) -> Result<Vec<InHand>, Error> {
        in_hand(&self.connection)
    }

    fn records(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql], now: Instant) -> Result<Vec<Record>, Error> {
        let attempt = failed("read the operations");
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let found = statement.query_map(parameters, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, bool>(3)?))
        });
        let found: Vec<_> = found.and_then(Iterator::collect).map_err(attempt)?;
        found.into_iter().map(|(id, plan, digest, is_over)| self.read(&id, &plan, digest, is_over, now)).collect()
    }

    fn read(&self, id: &str, plan: &str, digest: String, is_over: bool, now: Instant) -> Result<Record, Error> {
        let garbled = |why: String| Error::Garbled { operation: id.to_owned(), why };
        let id: OperationId = id.parse().map_err(|error| garbled(format!("{error}")))?;
        let stored = Stored::read(plan).map_err(|error| garbled(error.to_string()))?;
        let mut entries = Vec::new();
        for text in self.entries(id)? {
            entries.push(serde_json::from_str::<serde_json::Value>(&text).map_err(|error| garbled(error.to_string()))?);
        }
        let read: Result<Vec<Recorded>, _> = entries.iter().cloned().map(serde_json::from_value).collect();
        let (plan, journal) = match (stored, read) {
            (Stored::Known(plan), Ok(journal)) => (Stored::Known(plan), journal),
            (Stored::Known(_), Err(_)) => {
                let json: serde_json::Value = serde_json::from_str(plan).map_err(|error| garbled(error.to_string()))?;
                (Stored::Foreign { version: json["version"].as_u64(), json }, Vec::new())
            }
            (foreign, _) => (foreign, Vec::new()),
        };
        let owner = owner(&self.connection, id)?;
        let owner = owner.map(|owner| {
            let health = health(&owner, self.session.id, &self.sessions, now);
            (owner, health)
        });
        Ok(Record { id, plan, digest, journal, entries, owner, is_over })
    }

    fn entries(&self, operation: OperationId) -> Result<Vec<String>, Error> {
        let attempt = failed("read the journal");
        let sql = "SELECT entry FROM journal WHERE op_id = ?1 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let rows = statement.query_map([operation.to_string()], |row| row.get(0));
        rows.and_then(Iterator::collect).map_err(attempt)
    }

    /// Immediate: of two processes that want to write, one waits for the other instead of failing in the middle.
    pub(super) fn write(&mut self, what: &'static str) -> Result<Transaction<'_>, Error> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(what))
    }
}

/// Refuses a plan that an unfinished operation on the same subject excludes.
pub(super) fn collision(connection: &Connection, plan: &Plan) -> Result<(), Error> {
    let other = in_hand(connection)?.into_iter().find(|other| collides(plan.kind, &plan.subject, other));
    other.map_or(Ok(()), |other| Err(Error::Collides { operation: other.operation, kind: other.kind }))
}

pub(super) fn insert(connection: &Connection, entries: &[Recorded]) -> Result<(), Error> {
    let attempt = failed("append to the journal");
    let sql = "INSERT INTO journal (op_id, seq, event_id, recorded_at, entry) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    for entry in entries {
        let text = crate::operations::canonical(entry).map_err(Error::Plan)?;
        let (op_id, event_id) = (entry.op_id.to_string(), entry.event_id.to_string());
        statement.execute(params![op_id, signed(entry.seq), event_id, ms(entry.at), text]).map_err(&attempt)?;
    }
    Ok(())
}

fn newest(connection: &Connection, operation: OperationId) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(seq), 0) FROM journal WHERE op_id = ?1";
    let newest = connection.query_row(sql, [operation.to_string()], |row| row.get::<_, i64>(0));
    newest.map(unsigned).map_err(failed("read the journal"))
}

pub(super) fn owner(connection: &Connection, operation: OperationId) -> Result<Option<Owner>, Error> {
    let sql = "SELECT session, who, taken_at, beat_at FROM owners WHERE op_id = ?1";
    let found = connection.query_row(sql, [operation.to_string()], |row| {
        let at = |ms: i64| instant(ms).unwrap_or_default();
        Ok((row.get::<_, String>(0)?, row.get(1)?, at(row.get(2)?), at(row.get(3)?)))
    });
    let found = found.optional().map_err(failed("read the owner"))?;
    Ok(found.and_then(|(session, who, taken_at, beat_at)| {
        Some(Owner { session: session.parse().ok()?, who, taken_at, beat_at })
    }))
}

pub(super) fn health(owner: &Owner, us: Ulid, sessions: &Path, now: Instant) -> Health {
    if owner.session == us {
        Health::Us
    } else if session::is_gone(sessions, owner.session) {
        Health::Gone
    } else if now.signed_duration_since(owner.beat_at) > HUNG_AFTER {
        Health::Hung
    } else {
        Health::Alive
    }
}

fn in_hand(connection: &Connection) -> Result<Vec<InHand>, Error> {
    let attempt = failed("read what is in hand");
    let mut statement = connection
        .prepare_cached("SELECT op_id, plan FROM operations WHERE is_over = 0 ORDER BY op_id")
        .map_err(&attempt)?;
    let plans = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let plans: Vec<(String, String)> = plans.and_then(Iterator::collect).map_err(attempt)?;
    let known = plans.iter().filter_map(|(id, plan)| InHand::of(id.parse().ok()?, Stored::read(plan).ok()?));
    Ok(known.collect())
}

#[cfg(test)]
mod tests;
