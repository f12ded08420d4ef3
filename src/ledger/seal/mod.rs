//! Seals: a chain of hashes over all rows, so that whoever changes one leaves a trace that names it (domain.md 6.5).
//!
//! A seal lists, table by table, the rows between the previous seal's Delta version and its own, each as id, time and the
//! hash of all its columns. It goes by version, not by time, so that a late commit is no false alarm. Its hash covers the
//! previous one's, so that none can be changed, taken out or put in; and it names the previous seal's own row.
//!
//! A seal also tells what its sealer saw of the tables' commits, so that a verification need not read a history of years:
//! one look at its newest commits, and the seals for what is older.
//!
//! What nobody can prevent is said openly: an administrator of the metastore can rewrite tables and seals together. Hence
//! the anchor: a seal's hash kept outside of the lakehouse, which [`verify`] is given as `expected`.

mod chain;
mod commits;
mod evidence;
mod finding;
#[cfg(test)]
mod tests;
mod verify;

pub use chain::{GENESIS, Seal, SealBody, SealedRow, SealedTable, seal_hash};
pub use commits::{HISTORY_COMMITS, OddCommit, SeenCommits};
pub use evidence::{Evidence, TableEvidence, gather, gather_within};
pub use finding::{Finding, Found};
pub use verify::{Report, verify};

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::book::{Ledger, is_lasting, only};
use super::place::Span;
use super::rows::Recorded;
use super::sql::{Sql, SqlTrouble};
use super::statements;
use super::tables::Table;

/// How many seals are read by one statement.
const SEALS_AT_ONCE: i64 = 50;

/// How often rows are to be sealed, in microseconds (domain.md 6.5).
pub const EVERY_US: i64 = 15 * 60 * 1_000_000;

/// How much later than that a seal may come before a person is told, in microseconds.
pub const GRACE_US: i64 = 5 * 60 * 1_000_000;

/// How many commits of the table of seals a sealer looks at: there is one a seal, so this is many seals deep.
const OWN_COMMITS: u64 = 100;

/// How many commits of others may come between two looks of one sealing.
const MEANWHILE: u64 = 50;

/// How many seals there are, and how far the newest goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// How many there are.
    pub count: u64,
    /// The first one's number.
    pub first_seq: i64,
    /// The last one's number.
    pub last_seq: i64,
    /// Until when rows are sealed, by the server's clock, in microseconds since 1970.
    pub upto_us: i64,
    /// The last one's hash.
    pub seal_hash: String,
}

/// What came of sealing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The newest seal.
    pub seal: Seal,
    /// How many rows it seals; none if there was nothing new, and the seal is an earlier one.
    pub rows: Option<usize>,
}

/// Seals all rows that came since the last seal. The caller holds the lease [`super::lease::SEALER`].
///
/// # Errors
/// When the ledger cannot be read or written. A lost answer is no harm: a seal of the same number is appended once.
pub async fn seal<S: Sql>(ledger: &Ledger<S>, seal_id: &str, anchor: Option<&str>) -> Result<Sealed, SqlTrouble> {
    let (last, sealed) = newest(ledger).await?;
    let last = last.as_ref();
    let upto_us = ledger.greet().await?.now_us;
    let mut body = SealBody {
        v: 2,
        seq: last.map_or(1, |last| last.seq + 1),
        upto_us,
        previous: last.map(Seal::row),
        own_commits: None,
        tables: Default::default(),
    };
    let of_tables = Table::ALL.iter().map(|table| of_table(ledger, *table, sealed.get(table).copied()));
    body.tables = Table::ALL.iter().copied().zip(try_join_all(of_tables).await?).collect();
    let count = body.tables.values().map(|sealed| sealed.rows.len()).sum();
    let saw = |sealed: &SealedTable| sealed.commits.as_ref().is_some_and(|commits| !commits.odd.is_empty());
    if let (0, Some(last), false) = (count, last, body.tables.values().any(saw)) {
        return Ok(Sealed { seal: last.clone(), rows: None });
    }
    body.own_commits = SeenCommits::of(&ledger.commits(&statements::SEAL_HISTORY, OWN_COMMITS).await?);
    let seal = Seal::of(seal_id, &body, last.map_or(GENESIS, |last| &last.seal_hash), anchor);
    append(ledger, &seal).await?;
    Ok(Sealed { seal, rows: Some(count) })
}

/// The last seal, and up to which version each table is sealed. Earlier seals are read only if the last one does not tell.
async fn newest<S: Sql>(ledger: &Ledger<S>) -> Result<(Option<Seal>, BTreeMap<Table, u64>), SqlTrouble> {
    let Some(ends) = ends(ledger).await? else { return Ok((None, BTreeMap::new())) };
    let mut sealed = BTreeMap::new();
    let mut last: Option<Seal> = None;
    let mut to = ends.last_seq + 1;
    while to > ends.first_seq && sealed.len() < Table::ALL.len() {
        let from = if last.is_none() { ends.last_seq } else { ends.first_seq.max(to - SEALS_AT_ONCE) };
        let found = seals_from(ledger, from, to).await?;
        for body in found.iter().rev().filter_map(Seal::body) {
            for (table, of_table) in body.tables {
                sealed.entry(table).or_insert(of_table.version);
            }
        }
        last = last.or_else(|| found.last().cloned());
        to = from;
    }
    Ok((last, sealed))
}

/// What is to be sealed of one table since a version.
async fn of_table<S: Sql>(ledger: &Ledger<S>, table: Table, since: Option<u64>) -> Result<SealedTable, SqlTrouble> {
    let version = ledger.version(table).await?;
    if since == Some(version) {
        return Ok(SealedTable { version, rows: Vec::new(), commits: None });
    }
    let rows = new_rows(ledger, table, since, version).await?;
    let commits = new_commits(ledger, table, since, version).await?;
    Ok(SealedTable { version, rows: rows.iter().map(SealedRow::of).collect(), commits })
}

/// What is to be seen of a table's commits since a version.
async fn new_commits<S: Sql>(
    ledger: &Ledger<S>,
    table: Table,
    since: Option<u64>,
    version: u64,
) -> Result<Option<SeenCommits>, SqlTrouble> {
    let new = since.map_or(version + 1, |since| version.saturating_sub(since));
    // Others append meanwhile, and what they do is the next seal's.
    let mut history = ledger.history(table, new.saturating_add(MEANWHILE).min(HISTORY_COMMITS)).await?;
    history.retain(|commit| commit.version <= version && since.is_none_or(|since| commit.version > since));
    Ok(SeenCommits::of(&history))
}

/// The rows that came since a version; without that version's files, those that no seal knows.
async fn new_rows<S: Sql>(
    ledger: &Ledger<S>,
    table: Table,
    since: Option<u64>,
    version: u64,
) -> Result<Vec<Recorded>, SqlTrouble> {
    if let Some(since) = since.filter(|since| *since < version) {
        match ledger.changes(table, since, version, Span::ALL).await {
            Err(trouble) if is_lasting(&trouble.fault) => {}
            changes => return changes,
        }
    }
    let chain = if since.is_some() { seals(ledger).await? } else { Vec::new() };
    let known: BTreeSet<SealedRow> = chain
        .iter()
        .filter_map(Seal::body)
        .filter_map(|mut body| body.tables.remove(&table))
        .flat_map(|sealed| sealed.rows)
        .collect();
    let rows = ledger.read(table, version).await?;
    Ok(rows.into_iter().filter(|row| !known.contains(&SealedRow::of(row))).collect())
}

async fn append<S: Sql>(ledger: &Ledger<S>, seal: &Seal) -> Result<(), SqlTrouble> {
    let ask = ledger
        .place()
        .ask(&statements::APPEND_SEAL)
        .with("seal_id", &seal.seal_id)
        .with("seq", &seal.seq)
        .with("upto_us", &seal.upto_us)
        .with("tables_json", &seal.tables_json)
        .with("prev_hash", &seal.prev_hash)
        .with("seal_hash", &seal.seal_hash)
        .with_option("anchor", seal.anchor.as_deref());
    let result = ledger.sql().execute(&ask).await;
    // Whatever the answer was: the seal counts when it can be read.
    let written = seals_from(ledger, seal.seq, seal.seq + 1).await?;
    match (written.iter().any(|found| found.seal_id == seal.seal_id), result) {
        (true, _) => Ok(()),
        (false, Err(trouble)) => Err(trouble),
        (false, Ok(_)) => Err(SqlTrouble {
            message: format!("seal {} was written by somebody else first; look again", seal.seq),
            fault: crate::domain::sql::Fault::Conflict,
            happened: super::sql::Happened::No,
        }),
    }
}

/// All seals, oldest first.
///
/// # Errors
/// When they cannot be read.
pub async fn seals<S: Sql>(ledger: &Ledger<S>) -> Result<Vec<Seal>, SqlTrouble> {
    let Some(ends) = ends(ledger).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut from = ends.first_seq;
    while from <= ends.last_seq {
        found.extend(seals_from(ledger, from, from + SEALS_AT_ONCE).await?);
        from += SEALS_AT_ONCE;
    }
    Ok(found)
}

/// How many seals there are and how far the last one goes; none while there is none. None of their lists is read.
///
/// # Errors
/// When they cannot be read.
pub async fn ends<S: Sql>(ledger: &Ledger<S>) -> Result<Option<Ends>, SqlTrouble> {
    let rows = ledger.sql().execute(&ledger.place().ask(&statements::SEAL_ENDS)).await?;
    let row = only(rows.first())?;
    let count = row.int("row_count")?.unsigned_abs();
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(Ends {
        count,
        first_seq: row.int("first_seq")?,
        last_seq: row.int("last_seq")?,
        upto_us: row.int("upto_us")?,
        seal_hash: row.text("seal_hash")?.unwrap_or_default().to_owned(),
    }))
}

/// The rows of the audit that the newest seal cannot know: how many, and when the oldest of them was recorded.
///
/// # Errors
/// When they cannot be counted.
pub async fn unsealed<S: Sql>(ledger: &Ledger<S>, ends: Option<&Ends>) -> Result<(u64, Option<i64>), SqlTrouble> {
    let upto_us = ends.map_or(Span::ALL.from_us, |ends| ends.upto_us);
    let rows = ledger.sql().execute(&ledger.place().ask(&statements::UNSEALED).with("upto_us", &upto_us)).await?;
    let row = only(rows.first())?;
    let oldest_us = if row.is_null("oldest_us")? { None } else { Some(row.int("oldest_us")?) };
    Ok((row.int("row_count")?.unsigned_abs(), oldest_us))
}

/// Whether a row that was recorded at one time should be sealed by another; both by the server's clock, in microseconds.
pub fn is_overdue(oldest_unsealed_us: i64, now_us: i64) -> bool {
    now_us - oldest_unsealed_us > EVERY_US + GRACE_US
}

async fn seals_from<S: Sql>(ledger: &Ledger<S>, from: i64, to: i64) -> Result<Vec<Seal>, SqlTrouble> {
    let ask = ledger.place().ask(&statements::SEALS).with("from_seq", &from).with("to_seq", &to);
    ledger.sql().execute(&ask).await?.iter().map(Seal::read).collect()
}
