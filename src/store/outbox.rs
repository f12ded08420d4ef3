//! Rows on their way to the shared ledger: written in the transaction of the journal entries that they tell of, kept until
//! the ledger has acknowledged them. Delivery is at least once; the ledger knows a row that it has by its id.

use rusqlite::params;

use super::codec::{instant, ms, signed, unsigned};
use super::journal::Journal;
use super::{Error, failed};
use crate::domain::Instant;
use crate::operations::plan::OperationId;

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

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Rows.
    pub rows: u64,
    /// When the oldest of them was made, in local time.
    pub oldest_at: Option<Instant>,
}

impl Journal {
    /// The oldest rows that the ledger has not acknowledged.
    ///
    /// # Errors
    /// The database's.
    pub fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>, Error> {
        let attempt = failed("read the outbox");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, ledger_table, body, op_id, seq FROM outbox WHERE acknowledged_at IS NULL
                ORDER BY position LIMIT ?1",
            )
            .map_err(&attempt)?;
        let rows = statement.query_map([signed(limit as u64)], |row| {
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

    /// Notes that the ledger has these rows. Ids that are not here change nothing: a row may be delivered twice.
    ///
    /// # Errors
    /// The database's.
    pub fn acknowledge(&mut self, ids: &[String], now: Instant) -> Result<(), Error> {
        let attempt = failed("note what the ledger has");
        let transaction = self.connection.transaction().map_err(&attempt)?;
        {
            let mut statement = transaction
                .prepare_cached("UPDATE outbox SET acknowledged_at = ?2 WHERE id = ?1 AND acknowledged_at IS NULL")
                .map_err(&attempt)?;
            for id in ids {
                statement.execute(params![id, ms(now)]).map_err(&attempt)?;
            }
        }
        transaction.commit().map_err(attempt)
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
        let sql = "SELECT count(*), min(made_at) FROM outbox WHERE acknowledged_at IS NULL";
        let found = self.connection.query_row(sql, [], |row| {
            Ok(Waiting { rows: unsigned(row.get(0)?), oldest_at: row.get::<_, Option<i64>>(1)?.and_then(instant) })
        });
        found.map_err(failed("read the outbox"))
    }
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
