//! Seals: a chain of hashes over all rows, so that whoever changes one leaves a trace that names it (domain.md 6.5).
//!
//! A seal lists, table by table, the rows between the previous seal's Delta version and its own, each as id, time and the
//! hash of all its columns. It goes by version, not by time, so that a late commit is no false alarm. Its hash covers the
//! previous one's, so that none can be changed, taken out or put in; and it names the previous seal's own row.
//!
//! What nobody can prevent is said openly: an administrator of the metastore can rewrite tables and seals together. Hence
//! the anchor: a seal's hash kept outside of the lakehouse, which [`verify`] is given as `expected`.

mod chain;
mod evidence;
mod finding;
#[cfg(test)]
mod tests;
mod verify;

pub use chain::{GENESIS, Seal, SealBody, SealedRow, SealedTable, seal_hash};
pub use evidence::{Evidence, TableEvidence, gather};
pub use finding::{Finding, Found};
pub use verify::{Report, verify};

use super::book::{Ledger, is_lasting, only};
use super::place::Span;
use super::rows::Recorded;
use super::sql::{Sql, SqlTrouble};
use super::statements;
use super::tables::Table;

/// How many seals are read by one statement.
const SEALS_AT_ONCE: i64 = 50;

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
    let chain = seals(ledger).await?;
    let last = chain.last();
    let upto_us = ledger.greet().await?.now_us;
    let mut body = SealBody {
        v: 1,
        seq: last.map_or(1, |last| last.seq + 1),
        upto_us,
        previous: None,
        tables: Default::default(),
    };
    body.previous = last.map(Seal::row);
    let mut count = 0;
    for table in Table::ALL {
        let since = chain.iter().rev().find_map(|seal| seal.body()?.tables.get(table).map(|sealed| sealed.version));
        let version = ledger.version(*table).await?;
        if since == Some(version) {
            continue;
        }
        let rows = new_rows(ledger, *table, since, version, &chain).await?;
        count += rows.len();
        body.tables.insert(*table, SealedTable { version, rows: rows.iter().map(SealedRow::of).collect() });
    }
    if let (0, Some(last)) = (count, last) {
        return Ok(Sealed { seal: last.clone(), rows: None });
    }
    let seal = Seal::of(seal_id, &body, last.map_or(GENESIS, |last| &last.seal_hash), anchor);
    append(ledger, &seal).await?;
    Ok(Sealed { seal, rows: Some(count) })
}

/// The rows that came since a version; without that version's files, those that no seal knows.
async fn new_rows<S: Sql>(
    ledger: &Ledger<S>,
    table: Table,
    since: Option<u64>,
    version: u64,
    chain: &[Seal],
) -> Result<Vec<Recorded>, SqlTrouble> {
    if let Some(since) = since.filter(|since| *since < version) {
        match ledger.changes(table, since, version, Span::ALL).await {
            Err(trouble) if is_lasting(&trouble.fault) => {}
            changes => return changes,
        }
    }
    let known: std::collections::BTreeSet<SealedRow> = chain
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
    let ends = ledger.sql().execute(&ledger.place().ask(&statements::SEAL_ENDS)).await?;
    let row = only(ends.first())?;
    let (first, last) = (row.int("first_seq")?, row.int("last_seq")?);
    let mut found = Vec::new();
    let mut from = first;
    while row.int("row_count")? > 0 && from <= last {
        found.extend(seals_from(ledger, from, from + SEALS_AT_ONCE).await?);
        from += SEALS_AT_ONCE;
    }
    Ok(found)
}

async fn seals_from<S: Sql>(ledger: &Ledger<S>, from: i64, to: i64) -> Result<Vec<Seal>, SqlTrouble> {
    let ask = ledger.place().ask(&statements::SEALS).with("from_seq", &from).with("to_seq", &to);
    ledger.sql().execute(&ask).await?.iter().map(Seal::read).collect()
}
