//! Commits of the ledger's tables: which of them no append makes, and which were looked at.
//!
//! A history is read back over its newest commits only ([`HISTORY_COMMITS`]): all of it would one day be larger than an
//! answer may be. What is older was looked at by whoever sealed, and stands in the seals.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Found};
use crate::ledger::book::Commit;

/// The most commits that one look at a history asks for: at about a kilobyte each they stay far below the 25 MiB above which
/// a warehouse gives no answer at all (databricks-api.md 5.4).
pub const HISTORY_COMMITS: u64 = 5_000;

/// Operations of a table's life that change no row.
const UPKEEP: [&str; 8] = [
    "CREATE TABLE",
    "OPTIMIZE",
    "VACUUM START",
    "VACUUM END",
    "COMPUTE STATS",
    "ANALYZE TABLE",
    "CLUSTER BY",
    "UPGRADE PROTOCOL",
];

/// A commit that neither appends nor keeps up its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddCommit {
    /// Its version.
    pub version: u64,
    /// Such as `DELETE`, `SET TBLPROPERTIES`, `RESTORE`.
    pub operation: String,
    /// Who.
    pub user: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: Option<i64>,
}

/// What somebody saw who looked at a table's commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCommits {
    /// The first version that was looked at.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Those among them that no append makes.
    pub odd: Vec<OddCommit>,
}

impl SeenCommits {
    /// What a history tells, newest first, as far back as it was read; nothing of an empty one.
    pub fn of(history: &[Commit]) -> Option<Self> {
        let (newest, oldest) = (history.first()?, history.last()?);
        let odd = history.iter().filter(|commit| is_odd(commit)).map(|commit| OddCommit {
            version: commit.version,
            operation: commit.operation.clone(),
            user: commit.user.clone(),
            at_ms: commit.at_ms,
        });
        Some(Self { from: oldest.version, to: newest.version, odd: odd.collect() })
    }

    /// What is odd in them, as findings.
    pub(super) fn findings(&self, table: &str) -> impl Iterator<Item = Finding> {
        self.odd.iter().cloned().map(move |OddCommit { version, operation, user, at_ms }| Finding {
            table: table.to_owned(),
            found: Found::Commit { version, operation, user, at_ms },
        })
    }
}

/// Whether a commit neither appends nor keeps up its table.
fn is_odd(commit: &Commit) -> bool {
    let appends = commit.operation == "WRITE" && !commit.parameters.to_lowercase().contains("overwrite");
    !appends && !UPKEEP.contains(&commit.operation.as_str())
}

/// How many of the versions up to one nobody has looked at.
pub(super) fn unseen(version: u64, seen: &[SeenCommits]) -> u64 {
    let mut spans: Vec<(u64, u64)> = seen.iter().map(|seen| (seen.from, seen.to.min(version))).collect();
    spans.sort_unstable();
    let mut next = 0;
    let mut missing = 0;
    for (from, to) in spans {
        missing += from.saturating_sub(next);
        next = next.max(to.saturating_add(1));
    }
    missing + (version + 1).saturating_sub(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_looked_at_is_counted_once() {
        let seen = |from, to| SeenCommits { from, to, odd: Vec::new() };
        let (early, late, within, beyond) = (seen(0, 3), seen(6, 9), seen(7, 8), seen(8, 12));
        assert_eq!(unseen(9, &[]), 10);
        assert_eq!(unseen(9, std::slice::from_ref(&early)), 6);
        assert_eq!(unseen(9, &[late, within, early.clone()]), 2, "4 and 5");
        assert_eq!(unseen(9, &[early.clone(), beyond]), 4);
        assert_eq!(unseen(0, &[early]), 0);
    }
}
