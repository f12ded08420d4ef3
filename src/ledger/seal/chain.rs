//! One seal: what it says, and how it hangs on the one before it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::commits::SeenCommits;
use crate::domain::sql::Row;
use crate::ledger::rows::{Recorded, hash_of, hex};
use crate::ledger::sql::SqlTrouble;
use crate::ledger::tables::Table;

/// What the first seal has in place of a previous one's hash.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A row as a seal lists it: id, when it was recorded (microseconds since 1970), hash of all its columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SealedRow(pub String, pub i64, pub String);

impl SealedRow {
    /// A row as it would be sealed.
    pub fn of(row: &Recorded) -> Self {
        Self(row.id.clone(), row.recorded_us, row.row_hash())
    }
}

/// What a seal says of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedTable {
    /// The Delta version up to which it seals.
    pub version: u64,
    /// The rows since the previous seal's version, in the order in which they were recorded.
    pub rows: Vec<SealedRow>,
    /// What the sealer saw of the commits since that version; none if there was none.
    #[serde(default)]
    pub commits: Option<SeenCommits>,
}

/// What a seal says, as JSON in `tables_json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealBody {
    /// The version of this form.
    pub v: u32,
    /// The seal's number, from 1. The column of the same name repeats it.
    pub seq: i64,
    /// The server's time when sealing began. The column of the same name repeats it.
    pub upto_us: i64,
    /// The previous seal's row.
    pub previous: Option<SealedRow>,
    /// What the sealer saw of the newest commits of the table of seals itself.
    #[serde(default)]
    pub own_commits: Option<SeenCommits>,
    /// All tables, those too that have not changed since: the last seal alone tells how far each is sealed.
    pub tables: BTreeMap<Table, SealedTable>,
}

/// A seal as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its id.
    pub seal_id: String,
    /// Its number, from 1.
    pub seq: i64,
    /// The server's time when sealing began.
    pub upto_us: i64,
    /// What it says, as it was written: the hash is over this text.
    pub tables_json: String,
    /// The hash of the seal before it.
    pub prev_hash: String,
    /// Its own.
    pub seal_hash: String,
    /// Where its hash was kept outside of the lakehouse.
    pub anchor: Option<String>,
    /// Who sealed; none for a seal that was not read from the ledger.
    pub actor: Option<String>,
    /// When it was recorded.
    pub recorded_us: i64,
}

/// `sha256(previous hash ‖ body)`, in hexadecimal.
pub fn seal_hash(prev_hash: &str, tables_json: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(prev_hash.as_bytes());
    hash.update(tables_json.as_bytes());
    hex(&hash.finalize())
}

impl Seal {
    pub(super) fn of(seal_id: &str, body: &SealBody, prev_hash: &str, anchor: Option<&str>) -> Self {
        // Texts, numbers and maps with text keys always serialize.
        let tables_json = serde_json::to_string(body).unwrap_or_default();
        Self {
            seal_id: seal_id.to_owned(),
            seq: body.seq,
            upto_us: body.upto_us,
            seal_hash: seal_hash(prev_hash, &tables_json),
            tables_json,
            prev_hash: prev_hash.to_owned(),
            anchor: anchor.map(str::to_owned),
            actor: None,
            recorded_us: 0,
        }
    }

    pub(super) fn read(row: Row<'_>) -> Result<Self, SqlTrouble> {
        let text = |column: &str| Ok::<_, SqlTrouble>(row.text(column)?.unwrap_or_default().to_owned());
        Ok(Self {
            seal_id: text("seal_id")?,
            seq: row.int("seq")?,
            upto_us: row.int("upto_us")?,
            tables_json: text("tables_json")?,
            prev_hash: text("prev_hash")?,
            seal_hash: text("seal_hash")?,
            anchor: row.text("anchor")?.map(str::to_owned),
            actor: row.text("actor")?.map(str::to_owned),
            recorded_us: row.int("recorded_at")?,
        })
    }

    /// What it says; none if it is unreadable.
    pub fn body(&self) -> Option<SealBody> {
        serde_json::from_str(&self.tables_json).ok()
    }

    /// Its own row as the next seal names it.
    pub fn row(&self) -> SealedRow {
        let columns = (
            &self.seal_id,
            self.seq,
            self.upto_us,
            &self.tables_json,
            (&self.prev_hash, &self.seal_hash, &self.anchor, &self.actor),
            self.recorded_us,
        );
        SealedRow(self.seal_id.clone(), self.recorded_us, hash_of(&columns))
    }
}
