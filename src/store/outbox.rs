//! Rows on their way to the shared ledger: written in the transaction of the journal entries that they tell of, kept until
//! the ledger has acknowledged them. Delivery is at least once; the ledger knows a row that it has by its table and id.
//!
//! A row that the ledger refuses for good is set aside with the reason, and kept. What was delivered is forgotten after
//! [`KEPT`]: the journal itself still has it, and is never pruned.

use chrono::TimeDelta;
use rusqlite::params;

use super::codec::{instant, ms, signed, unsigned};
use super::journal::Journal;
use super::{Error, failed};
use crate::domain::Instant;
use crate::operations::plan::OperationId;

/// How long rows that the ledger has are kept here.
pub const KEPT: TimeDelta = TimeDelta::days(30);

/// Which row: ids are unique in their table only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey {
    /// The ledger's table.
    pub table: String,
    /// Its id there.
    pub id: String,
}

/// One row for the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Unique in its table of the ledger.
    pub id: String,
    /// The ledger's table.
    pub table: String,
    /// The row, as the ledger's code serializes it.
    pub body: String,
    /// The operation that it is about, if it is about one.
    pub operation: Option<OperationId>,
    /// The journal entry that it tells of.
    pub seq: Option<u64>,
}

impl OutboxRow {
    /// Which row it is.
    pub fn key(&self) -> RowKey {
        RowKey { table: self.table.clone(), id: self.id.clone() }
    }
}

/// How much waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Rows, those that were set aside too.
    pub rows: u64,
    /// When the oldest of them was made, in local time.
    pub oldest_at: Option<Instant>,
    /// Rows among them that the ledger refuses for good.
    pub set_aside: u64,
    /// Why it refuses the newest of these. From outside.
    pub refusal: Option<String>,
}

impl Journal {
    /// The oldest rows that the ledger has not acknowledged, but for those of some tables and those that were set aside.
    ///
    /// # Errors
    /// The database's.
    pub fn pending(&self, limit: usize, except: &[String]) -> Result<Vec<OutboxRow>, Error> {
        let attempt = failed("read the outbox");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, ledger_table, body, op_id, seq FROM outbox
                WHERE acknowledged_at IS NULL AND refusal IS NULL
                AND ledger_table NOT IN (SELECT value FROM json_each(?2)) ORDER BY position LIMIT ?1",
            )
            .map_err(&attempt)?;
        let rows = statement.query_map(params![signed(limit as u64), json_of(except)], |row| {
            Ok(OutboxRow {
                id: row.get(0)?,
                table: row.get(1)?,
                body: row.get(2)?,
                operation: row.get::<_, Option<String>>(3)?.and_then(|id| id.parse().ok()),
                seq: row.get::<_, Option<i64>>(4)?.map(unsigned),
            })
        });
        rows.and_then(Iterator::collect).map_err(attempt)
    }

    /// Adds rows that tell of no operation, such as approvals.
    ///
    /// # Errors
    /// The database's.
    pub fn post(&mut self, rows: &[OutboxRow], now: Instant) -> Result<(), Error> {
        let attempt = failed("write the outbox");
        let transaction = self.connection.transaction().map_err(&attempt)?;
        put(&transaction, rows, now).map_err(&attempt)?;
        transaction.commit().map_err(attempt)
    }

    /// Notes that the ledger has these rows. Those that are not here change nothing: a row may be delivered twice.
    ///
    /// # Errors
    /// The database's.
    pub fn acknowledge(&mut self, keys: &[RowKey], now: Instant) -> Result<(), Error> {
        let attempt = failed("note what the ledger has");
        let transaction = self.connection.transaction().map_err(&attempt)?;
        {
            let mut statement = transaction
                .prepare_cached(
                    "UPDATE outbox SET acknowledged_at = ?3
                    WHERE ledger_table = ?1 AND id = ?2 AND acknowledged_at IS NULL",
                )
                .map_err(&attempt)?;
            for RowKey { table, id } in keys {
                statement.execute(params![table, id, ms(now)]).map_err(&attempt)?;
            }
        }
        transaction.commit().map_err(attempt)
    }

    /// Sets a row aside that the ledger refuses whenever it is sent: it is kept, counted and told, and holds up no other.
    ///
    /// # Errors
    /// The database's.
    pub fn set_aside(&mut self, key: &RowKey, why: &str) -> Result<(), Error> {
        let sql = "UPDATE outbox SET refusal = ?3 WHERE ledger_table = ?1 AND id = ?2 AND acknowledged_at IS NULL";
        let result = self.connection.execute(sql, params![key.table, key.id, why]);
        result.map(drop).map_err(failed("set a row of the outbox aside"))
    }

    /// Lets the rows that were set aside wait like any other again: somebody has seen to what was wrong.
    ///
    /// # Errors
    /// The database's.
    pub fn try_refused_again(&mut self) -> Result<(), Error> {
        let result = self.connection.execute("UPDATE outbox SET refusal = NULL WHERE refusal IS NOT NULL", []);
        result.map(drop).map_err(failed("read the outbox"))
    }

    /// Forgets the rows that the ledger has had for longer than [`KEPT`].
    ///
    /// # Errors
    /// The database's.
    pub fn forget_delivered(&mut self, now: Instant) -> Result<(), Error> {
        let result = self.connection.execute("DELETE FROM outbox WHERE acknowledged_at < ?1", [ms(now - KEPT)]);
        result.map(drop).map_err(failed("clear the outbox"))
    }

    /// The newest entry of an operation's journal up to which the ledger has everything. 0 if it lacks the first. An entry
    /// for which nothing was to be delivered counts as delivered.
    ///
    /// # Errors
    /// The database's.
    pub fn acknowledged(&self, operation: OperationId) -> Result<u64, Error> {
        let sql = "SELECT coalesce(
            (SELECT min(seq) - 1 FROM outbox WHERE op_id = ?1 AND acknowledged_at IS NULL),
            (SELECT max(seq) FROM journal WHERE op_id = ?1), 0)";
        let found = self.connection.query_row(sql, [operation.to_string()], |row| row.get::<_, i64>(0));
        found.map(unsigned).map_err(failed("read what the ledger has"))
    }

    /// Whether the ledger has all that this journal tells of an operation.
    ///
    /// # Errors
    /// The database's.
    pub fn is_delivered(&self, operation: OperationId) -> Result<bool, Error> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE op_id = ?1 AND acknowledged_at IS NULL)";
        let found = self.connection.query_row(sql, [operation.to_string()], |row| row.get(0));
        found.map_err(failed("read what the ledger has"))
    }

    /// How much waits for the ledger.
    ///
    /// # Errors
    /// The database's.
    pub fn waiting(&self) -> Result<Waiting, Error> {
        let sql = "SELECT count(*), min(made_at), count(refusal),
            (SELECT refusal FROM outbox WHERE acknowledged_at IS NULL AND refusal IS NOT NULL
            ORDER BY position DESC LIMIT 1)
            FROM outbox WHERE acknowledged_at IS NULL";
        let found = self.connection.query_row(sql, [], |row| {
            Ok(Waiting {
                rows: unsigned(row.get(0)?),
                oldest_at: row.get::<_, Option<i64>>(1)?.and_then(instant),
                set_aside: unsigned(row.get(2)?),
                refusal: row.get(3)?,
            })
        });
        found.map_err(failed("read the outbox"))
    }
}

fn json_of(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

/// Writes rows within the caller's transaction. A row that is there already stays as it is.
pub(super) fn put(connection: &rusqlite::Connection, rows: &[OutboxRow], now: Instant) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (id, ledger_table, body, op_id, seq, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (ledger_table, id) DO NOTHING",
    )?;
    for row in rows {
        let operation = row.operation.map(|id| id.to_string());
        statement.execute(params![row.id, row.table, row.body, operation, row.seq.map(signed), ms(now)])?;
    }
    Ok(())
}
