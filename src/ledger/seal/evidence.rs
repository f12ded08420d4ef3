//! What `verify` compares: read once, all of it.

use std::collections::BTreeMap;

use super::chain::Seal;
use super::commits::HISTORY_COMMITS;
use super::seals;
use crate::ledger::book::{Commit, Ledger, is_lasting};
use crate::ledger::place::Span;
use crate::ledger::rows::Recorded;
use crate::ledger::sql::{Sql, SqlTrouble};
use crate::ledger::statements;
use crate::ledger::tables::Table;

/// What is there of one table.
#[derive(Clone, Debug, Default)]
pub struct TableEvidence {
    /// Its newest version.
    pub version: u64,
    /// All its rows, doubles included, in the order in which they were recorded.
    pub rows: Vec<Recorded>,
    /// Those that came since the last sealed version; none if that version's files are gone, so that nobody can tell.
    pub unsealed: Option<Vec<Recorded>>,
    /// Its newest commits, newest first.
    pub history: Vec<Commit>,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// All seals, oldest first.
    pub seals: Vec<Seal>,
    /// The newest commits of the table of seals.
    pub seal_history: Vec<Commit>,
    /// The tables of facts.
    pub tables: BTreeMap<Table, TableEvidence>,
}

/// Reads all rows and seals, and of each history the newest commits. Seals are read first and versions fixed before rows, so that appends meanwhile raise no alarm.
///
/// # Errors
/// When a part cannot be read: what could not be looked at is never called right.
pub async fn gather<S: Sql>(ledger: &Ledger<S>) -> Result<Evidence, SqlTrouble> {
    gather_within(ledger, HISTORY_COMMITS).await
}

/// The same with another number of commits that one look at a history asks for.
///
/// # Errors
/// As there.
pub async fn gather_within<S: Sql>(ledger: &Ledger<S>, most_commits: u64) -> Result<Evidence, SqlTrouble> {
    let mut evidence = Evidence {
        seals: seals(ledger).await?,
        seal_history: ledger.commits(&statements::SEAL_HISTORY, most_commits).await?,
        tables: BTreeMap::new(),
    };
    for table in Table::ALL {
        let history = ledger.history(*table, most_commits).await?;
        let version = history.iter().map(|commit| commit.version).max().unwrap_or(0);
        let sealed = evidence.seals.iter().rev().find_map(|seal| Some(seal.body()?.tables.get(table)?.version));
        let rows = ledger.read(*table, version).await?;
        let unsealed = match sealed {
            None => Some(rows.clone()),
            Some(sealed) if sealed > version => None,
            Some(sealed) => match ledger.changes(*table, sealed, version, Span::ALL).await {
                Ok(changes) => Some(changes),
                Err(trouble) if is_lasting(&trouble.fault) => None,
                Err(trouble) => return Err(trouble),
            },
        };
        evidence.tables.insert(*table, TableEvidence { version, rows, unsealed, history });
    }
    Ok(evidence)
}
