//! What `verify` finds, each with a name: the row, the seal or the commit that is not as it must be.

use std::fmt;

use serde::Serialize;

use crate::domain::Instant;
use crate::domain::text;
use crate::ledger::tables::Table;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The table: of facts, `seal` or `lease`.
    pub table: String,
    /// What is wrong.
    #[serde(flatten)]
    pub found: Found,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Found {
    /// A sealed row is not there any more.
    Deleted {
        /// The row.
        id: String,
        /// When it was recorded.
        recorded_us: i64,
        /// The seal that knew it.
        seal: i64,
    },
    /// A row says something else than what was sealed, or than what its writer hashed.
    Edited {
        /// The row.
        id: String,
        /// When it was recorded.
        recorded_us: i64,
        /// The seal that knew it; none for a row that was not sealed yet.
        seal: Option<i64>,
    },
    /// A row stands at another time than when it was sealed, its content unchanged.
    Reordered {
        /// The row.
        id: String,
        /// When it was recorded.
        recorded_us: i64,
        /// When it now claims to have been recorded.
        claims_us: i64,
        /// The seal that knew it.
        seal: i64,
    },
    /// A row that came by another way than an append of its own time and author.
    Added {
        /// The row.
        id: String,
        /// When it claims to have been recorded.
        recorded_us: i64,
        /// Who it claims has recorded it.
        actor: String,
        /// Why it cannot be so.
        why: String,
    },
    /// Two rows with one id say different things; readers believe the earlier.
    Contradicted {
        /// The row.
        id: String,
        /// When the later one was recorded.
        recorded_us: i64,
    },
    /// A seal is not what was sealed: its hash does not fit its content, or the next one remembers it otherwise.
    SealAltered {
        /// The seal.
        seal: i64,
        /// What does not fit.
        why: String,
    },
    /// A seal is not there any more.
    SealMissing {
        /// The seal.
        seal: i64,
    },
    /// Two seals have one number.
    SealForked {
        /// The seal.
        seal: i64,
    },
    /// A hash that was kept elsewhere is in no seal: the chain was cut or written anew.
    AnchorMissing {
        /// The hash.
        hash: String,
    },
    /// A commit that no append makes.
    Commit {
        /// Its version.
        version: u64,
        /// Such as `DELETE`, `SET TBLPROPERTIES`, `RESTORE`.
        operation: String,
        /// Who.
        user: Option<String>,
        /// When, in milliseconds since 1970.
        at_ms: Option<i64>,
    },
    /// The table is younger than its seals: it was dropped and made again.
    Replaced {
        /// Its newest version.
        version: u64,
        /// The newest version that was sealed.
        sealed: u64,
    },
}

impl Finding {
    pub(super) fn of(table: Table, found: Found) -> Self {
        Self { table: table.name().to_owned(), found }
    }

    pub(super) fn of_seals(found: Found) -> Self {
        Self { table: "seal".to_owned(), found }
    }
}

fn time(us: i64) -> String {
    Instant::from_timestamp_micros(us)
        .map_or_else(|| us.to_string(), |at| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// A sentence, harmless to show.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.table;
        let said = match &self.found {
            Found::Deleted { id, recorded_us, seal } => {
                format!("{table} {id}: deleted; recorded {}, sealed by {seal}", time(*recorded_us))
            }
            Found::Edited { id, recorded_us, seal: Some(seal) } => {
                format!("{table} {id}: edited since it was sealed by {seal}; recorded {}", time(*recorded_us))
            }
            Found::Edited { id, recorded_us, seal: None } => {
                format!("{table} {id}: does not say what its writer hashed; recorded {}", time(*recorded_us))
            }
            Found::Reordered { id, recorded_us, claims_us, seal } => format!(
                "{table} {id}: reordered; recorded {} and sealed by {seal}, now claims {}",
                time(*recorded_us),
                time(*claims_us)
            ),
            Found::Added { id, recorded_us, actor, why } => {
                format!("{table} {id}: added; claims {} by {actor}, but {why}", time(*recorded_us))
            }
            Found::Contradicted { id, recorded_us } => {
                format!("{table} {id}: recorded again with other content at {}", time(*recorded_us))
            }
            Found::SealAltered { seal, why } => format!("seal {seal}: altered; {why}"),
            Found::SealMissing { seal } => format!("seal {seal}: deleted"),
            Found::SealForked { seal } => format!("seal {seal}: there are two of this number"),
            Found::AnchorMissing { hash } => {
                format!("no seal has the hash {hash}: the chain was cut or written anew")
            }
            Found::Commit { version, operation, user, at_ms } => {
                let user = user.as_deref().unwrap_or("somebody");
                let at = at_ms.map(|ms| format!(" at {}", time(ms.saturating_mul(1_000)))).unwrap_or_default();
                format!("{table} version {version}: {operation} by {user}{at}, which no append makes")
            }
            Found::Replaced { version, sealed } => {
                format!("{table}: is at version {version}, but {sealed} was sealed: it was dropped and made again")
            }
        };
        f.write_str(&text::line(&said))
    }
}
