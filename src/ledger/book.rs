//! The ledger as a book: facts are appended and read; nothing is ever changed.
//!
//! Delivery is at least once: a row whose answer was lost is sent again, and readers keep the earliest of doubles.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::place::{Place, Span};
use super::rows::{LedgerRow, Recorded, earliest};
use super::sql::{Happened, Sql, SqlTrouble};
use super::statements;
use super::tables::Table;
use crate::domain::sql::{Fault, Row};

/// The most rows of one append, so that no statement grows beyond what a warehouse takes.
const BATCH_ROWS: usize = 500;

/// The most bytes of one append's JSON; a single row may have more.
const BATCH_BYTES: usize = 1 << 20;

/// The most rows that one reading statement is asked for, where hours allow: its answer must stay below the vendor's 25 MiB.
const READ_ROWS: u64 = 2_000;

/// How many rows of the audit are shown and kept. The statement says so too.
const RECENT_ROWS: usize = 2_000;

/// How long a statement that appends may have taken between its own time and its commit: rows that are recorded this much
/// before the newest known one are looked for too, so that a late commit is not missed.
const LATE_US: i64 = 86_400_000_000;

/// One hour.
const HOUR_US: i64 = 3_600_000_000;

/// The ledger, through whatever runs its statements.
#[derive(Clone, Debug)]
pub struct Ledger<S> {
    sql: S,
    place: Place,
}

/// What became of rows that were to be appended.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Those that the ledger has, by table and id.
    pub acknowledged: Vec<(Table, String)>,
    /// Those that it refuses, and would refuse again.
    pub refused: Vec<Refused>,
    /// Why the others are not known to be there. They may be: sending them again does no harm.
    pub trouble: Option<SqlTrouble>,
}

/// Rows of one table that the ledger refuses. Which of them is to blame, it does not say.
#[derive(Debug)]
pub struct Refused {
    /// By table and id.
    pub rows: Vec<(Table, String)>,
    /// Why.
    pub trouble: SqlTrouble,
}

/// Who the server takes us for, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The session's user, as `actor` will have it.
    pub user: String,
    /// The server's time in microseconds since 1970.
    pub now_us: i64,
}

/// One commit of a table's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its version.
    pub version: u64,
    /// When, in milliseconds since 1970; none if the engine's words cannot be read.
    pub at_ms: Option<i64>,
    /// Who; none if the engine does not say.
    pub user: Option<String>,
    /// Such as `WRITE`, `UPDATE`, `SET TBLPROPERTIES`.
    pub operation: String,
    /// The operation's parameters, as JSON.
    pub parameters: String,
    /// How many rows it wrote; none if the engine does not say.
    pub rows: Option<u64>,
}

impl<S: Sql> Ledger<S> {
    /// The ledger at a place.
    pub fn new(sql: S, place: Place) -> Self {
        Self { sql, place }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What runs its statements.
    pub fn sql(&self) -> &S {
        &self.sql
    }

    /// Whether it can be reached, and as whom.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn greet(&self) -> Result<Greeting, SqlTrouble> {
        let rows = self.sql.execute(&self.place.ask(&statements::HELLO)).await?;
        let row = only(rows.first())?;
        Ok(Greeting { user: row.string("session_user")?.to_owned(), now_us: row.int("now_us")? })
    }

    /// Appends facts, in batches, each batch in one commit. What is refused for good holds up no other table; at the first
    /// batch of which nobody knows what became of it, it stops.
    pub async fn append(&self, rows: &[LedgerRow]) -> Delivery {
        let mut delivery = Delivery::default();
        for batch in batches(rows) {
            let Some(first) = batch.first() else { continue };
            let json = serde_json::Value::Array(batch.iter().map(|row| row.json()).collect());
            let ask = self.place.ask(&first.table.spec().append).with("rows", &json);
            let by_call = ask.named.name == first.table.spec().call.name;
            let result = self.sql.execute(&ask).await.and_then(|answer| {
                // A procedure does not tell how many rows it wrote; its success is its whole body's.
                let written = if by_call { batch.len() as u64 } else { answer.affected()? };
                if written == batch.len() as u64 { Ok(()) } else { Err(short(first.table, written, batch.len())) }
            });
            let rows = batch.iter().map(|row| (row.table, row.id.clone()));
            match result {
                Ok(()) => delivery.acknowledged.extend(rows),
                Err(trouble) if trouble.happened == Happened::No && is_refusal(&trouble.fault) => {
                    delivery.refused.push(Refused { rows: rows.collect(), trouble });
                }
                Err(trouble) => {
                    delivery.trouble = Some(trouble);
                    return delivery;
                }
            }
        }
        delivery
    }

    /// The newest version of a table.
    ///
    /// # Errors
    /// When its history cannot be read.
    pub async fn version(&self, table: Table) -> Result<u64, SqlTrouble> {
        let rows = self.sql.execute(&self.place.ask(&table.spec().history).at("limit", 1)).await?;
        version(only(rows.first())?)
    }

    /// The newest commits of a table, newest first.
    ///
    /// # Errors
    /// When its history cannot be read.
    pub async fn history(&self, table: Table, at_most: u64) -> Result<Vec<Commit>, SqlTrouble> {
        self.commits(&table.spec().history, at_most).await
    }

    pub(super) async fn commits(
        &self,
        named: &'static crate::domain::sql::NamedStatement,
        at_most: u64,
    ) -> Result<Vec<Commit>, SqlTrouble> {
        let rows = self.sql.execute(&self.place.ask(named).at("limit", at_most)).await?;
        rows.iter().map(commit).collect()
    }

    /// All rows of a table at a version, doubles included, in the order in which they were recorded.
    ///
    /// # Errors
    /// When a part of them cannot be read.
    pub async fn read(&self, table: Table, version: u64) -> Result<Vec<Recorded>, SqlTrouble> {
        let ask = self.place.ask(&table.spec().hours).at("version", version);
        let hours = self.sql.execute(&ask).await?;
        let counted = hours.iter().map(|row| Ok((row.int("hour_us")?, row.int("row_count")?.unsigned_abs())));
        let counted = counted.collect::<Result<Vec<_>, SqlTrouble>>()?;
        let mut found = Vec::new();
        for span in spans(&counted) {
            let ask = self.place.ask(&table.spec().read).at("version", version).span(span);
            found.extend(self.rows(table, &ask).await?);
        }
        Ok(sorted(found))
    }

    /// The rows that a version of a table has and an earlier one has not, recorded in a span of time.
    ///
    /// # Errors
    /// When they cannot be read: the earlier version's files may be gone (they are kept for 30 days).
    pub async fn changes(
        &self,
        table: Table,
        since: u64,
        version: u64,
        span: Span,
    ) -> Result<Vec<Recorded>, SqlTrouble> {
        if since == version {
            return Ok(Vec::new());
        }
        let ask = self.place.ask(&table.spec().changes).at("version", version).at("since", since).span(span);
        Ok(sorted(self.rows(table, &ask).await?))
    }

    /// All that the audit has of one operation, doubles removed, in the order of its journal: from this any other home
    /// can take the operation over.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn operation(&self, op_id: &str) -> Result<Vec<Recorded>, SqlTrouble> {
        let ask = self.place.ask(&statements::OPERATION).with("op_id", op_id);
        let mut rows = earliest(self.rows(Table::AuditEvent, &ask).await?);
        rows.sort_by_key(|row| (row.number("seq"), row.recorded_us));
        Ok(rows)
    }

    /// The newest rows of the audit, a screenful of screens and no more, doubles removed, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn recent(&self) -> Result<Vec<Recorded>, SqlTrouble> {
        Ok(earliest(self.rows(Table::AuditEvent, &self.place.ask(&statements::RECENT)).await?))
    }

    async fn rows(&self, table: Table, ask: &super::sql::Ask) -> Result<Vec<Recorded>, SqlTrouble> {
        self.sql.execute(ask).await?.iter().map(|row| Recorded::read(table, row)).collect()
    }
}

/// Follows the audit: each look reads only what is new, by version, so that neither a late commit nor a clock can hide a
/// row, and all that was read before is kept: the newest rows, as many as [`Ledger::recent`] gives.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    version: Option<u64>,
    rows: Vec<Recorded>,
}

impl Follower {
    /// The newest rows as of now, doubles removed, oldest first.
    ///
    /// # Errors
    /// When they cannot be read; the next look tells all that this one would have.
    pub async fn look<S: Sql>(&mut self, ledger: &Ledger<S>) -> Result<&[Recorded], SqlTrouble> {
        // The version comes first: what is committed while rows are read comes once more with the next look.
        let version = ledger.version(Table::AuditEvent).await?;
        self.rows = match self.new_rows(ledger, version).await? {
            Some(new) => {
                // A row that says something else than before was altered; what is there now is shown.
                let at = |row: &Recorded| (row.id.clone(), row.recorded_us);
                let again: BTreeSet<(String, i64)> = new.iter().map(at).collect();
                let kept = self.rows.iter().filter(|row| !again.contains(&at(row))).cloned();
                earliest(kept.chain(new))
            }
            // The first look, a table that was made again, or one whose earlier files are gone.
            None => ledger.recent().await?,
        };
        self.rows.drain(..self.rows.len().saturating_sub(RECENT_ROWS));
        self.version = Some(version);
        Ok(&self.rows)
    }

    /// What the last look knew.
    pub fn rows(&self) -> &[Recorded] {
        &self.rows
    }

    /// What came since the last look; none if nobody can tell.
    async fn new_rows<S: Sql>(&self, ledger: &Ledger<S>, version: u64) -> Result<Option<Vec<Recorded>>, SqlTrouble> {
        let Some(since) = self.version.filter(|since| *since <= version) else { return Ok(None) };
        let newest_us = self.rows.last().map_or(Span::ALL.from_us, |row| row.recorded_us);
        let from_us = newest_us.saturating_sub(LATE_US).max(Span::ALL.from_us);
        match ledger.changes(Table::AuditEvent, since, version, Span { from_us, ..Span::ALL }).await {
            Err(trouble) if is_lasting(&trouble.fault) => Ok(None),
            changes => changes.map(Some),
        }
    }
}

/// Whether the same statement would fail again: then another way to the same rows is tried.
pub(super) fn is_lasting(fault: &Fault) -> bool {
    !matches!(fault, Fault::Unavailable | Fault::Canceled | Fault::PermissionDenied { .. })
}

/// Whether the same rows would be refused again.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault, Fault::PermissionDenied { .. } | Fault::NotFound | Fault::Invalid | Fault::Data)
}

fn sorted(mut rows: Vec<Recorded>) -> Vec<Recorded> {
    rows.sort_by(|a, b| (a.recorded_us, &a.id).cmp(&(b.recorded_us, &b.id)));
    rows
}

/// Rows by table, each row once, in batches that one statement can take.
fn batches(rows: &[LedgerRow]) -> Vec<Vec<&LedgerRow>> {
    let mut sent = BTreeSet::new();
    let mut found: Vec<Vec<&LedgerRow>> = Vec::new();
    for table in Table::ALL {
        let mut bytes = 0;
        let mut batch = Vec::new();
        for row in rows.iter().filter(|row| row.table == *table && sent.insert((row.table, &row.id))) {
            let size: usize =
                row.columns.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len)).sum();
            if !batch.is_empty() && (batch.len() == BATCH_ROWS || bytes + size > BATCH_BYTES) {
                found.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(row);
        }
        if !batch.is_empty() {
            found.push(batch);
        }
    }
    found
}

/// Spans of whole hours that hold few enough rows each.
fn spans(hours: &[(i64, u64)]) -> Vec<Span> {
    let mut found: Vec<Span> = Vec::new();
    let mut count = 0;
    for (hour_us, rows) in hours {
        let end = hour_us.saturating_add(HOUR_US);
        match found.last_mut().filter(|_| count + rows <= READ_ROWS) {
            Some(last) => {
                last.to_us = end;
                count += rows;
            }
            None => {
                found.push(Span { from_us: *hour_us, to_us: end });
                count = *rows;
            }
        }
    }
    found
}

pub(super) fn only(row: Option<Row<'_>>) -> Result<Row<'_>, SqlTrouble> {
    row.ok_or_else(|| SqlTrouble {
        message: "the ledger's answer has no row where it must have one".to_owned(),
        fault: Fault::Other,
        happened: Happened::Unknown,
    })
}

fn version(row: Row<'_>) -> Result<u64, SqlTrouble> {
    Ok(row.int("version")?.unsigned_abs())
}

fn short(table: Table, written: u64, sent: usize) -> SqlTrouble {
    SqlTrouble {
        message: format!("{} took {written} of {sent} rows", table.name()),
        fault: Fault::Other,
        happened: Happened::Unknown,
    }
}

/// The counts of a commit that matter here.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metrics {
    num_output_rows: Option<serde_json::Value>,
}

fn commit(row: Row<'_>) -> Result<Commit, SqlTrouble> {
    let metrics: Metrics =
        row.text("operationMetrics")?.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let rows = metrics.num_output_rows.and_then(|value| match value {
        serde_json::Value::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    });
    Ok(Commit {
        version: version(row)?,
        at_ms: row.timestamp("timestamp").ok().map(|at| at.timestamp_millis()),
        user: row.text("userName")?.filter(|name| !name.is_empty()).map(str::to_owned),
        operation: row.text("operation")?.unwrap_or_default().to_owned(),
        parameters: row.text("operationParameters")?.unwrap_or_default().to_owned(),
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rows::Value;

    fn event(id: usize, detail: usize) -> LedgerRow {
        let text = |text: String| Value::Text(text);
        let values = [
            ("audit_id", text(id.to_string())),
            ("verb", text("v".into())),
            ("outcome", text("ok".into())),
            ("detail_json", text("x".repeat(detail))),
        ];
        LedgerRow::new(Table::AuditEvent, values).expect("a row")
    }

    #[test]
    fn batches_hold_what_a_statement_can_take_and_each_row_once() {
        let mut rows: Vec<LedgerRow> = (0..BATCH_ROWS + 1).map(|id| event(id, 1)).collect();
        rows.push(event(0, 1));
        assert_eq!(batches(&rows).iter().map(Vec::len).collect::<Vec<_>>(), [BATCH_ROWS, 1]);
        let big: Vec<LedgerRow> = (0..3).map(|id| event(id, BATCH_BYTES * 2 / 3)).collect();
        assert_eq!(batches(&big).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn hours_are_read_together_while_they_hold_few_rows() {
        let hour = |n: i64| n * HOUR_US;
        let found = spans(&[(hour(0), 1), (hour(5), READ_ROWS - 1), (hour(6), 1), (hour(7), READ_ROWS * 2)]);
        let ends: Vec<(i64, i64)> = found.iter().map(|span| (span.from_us / HOUR_US, span.to_us / HOUR_US)).collect();
        assert_eq!(ends, [(0, 6), (6, 7), (7, 8)]);
    }
}
