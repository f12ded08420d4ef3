//! One lease as the ledger holds it.

use super::OWN;
use crate::domain::Instant;
use crate::domain::sql::{Fault, Row, Rows};
use crate::ledger::sql::{Happened, SqlTrouble};

/// A product's lease, as of the moment in which the server read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// The product.
    pub product: String,
    /// Who holds it, or held it and did not give it back; none if it is free. The server's word.
    pub holder: Option<String>,
    /// The holder's tenure.
    pub nonce: Option<String>,
    /// How often it was taken.
    pub fence: i64,
    /// On whose behalf.
    pub op_id: Option<String>,
    /// When it was taken last (server's clock).
    pub acquired_us: Option<i64>,
    /// When it ends unless it is renewed (server's clock).
    pub expires_us: Option<i64>,
    /// When this was read (server's clock).
    pub now_us: i64,
}

impl LeaseRow {
    /// Reads one row.
    ///
    /// # Errors
    /// When a column is missing or unreadable.
    pub fn read(row: Row<'_>) -> Result<Self, SqlTrouble> {
        let optional = |column: &str| Ok::<_, SqlTrouble>(row.text(column)?.map(str::to_owned));
        let moment =
            |column: &str| Ok::<_, SqlTrouble>(if row.is_null(column)? { None } else { Some(row.int(column)?) });
        Ok(Self {
            product: row.string("product")?.to_owned(),
            holder: optional("holder")?,
            nonce: optional("nonce")?,
            fence: row.int("fence")?,
            op_id: optional("op_id")?,
            acquired_us: moment("acquired_us")?,
            expires_us: moment("expires_us")?,
            now_us: row.int("now_us")?,
        })
    }

    /// The one row of a product: a lock with two rows, or with none, is no lock.
    pub(super) fn only(product: &str, rows: &Rows) -> Result<Self, SqlTrouble> {
        match (rows.len(), rows.first()) {
            (1, Some(row)) => Self::read(row),
            (found, _) => {
                let hint = match (found, OWN.contains(&product)) {
                    (0, true) => "`lakeshift ledger init --run` adds it".to_owned(),
                    (0, false) => {
                        format!("`lakeshift ledger init --run` adds it, once the fleet's file has [products.{product}]")
                    }
                    _ => "delete all but the one with the highest fence while nobody works on it".to_owned(),
                };
                Err(SqlTrouble {
                    message: format!("the table of leases has {found} rows for {product}, not one: {hint}"),
                    fault: Fault::Other,
                    happened: Happened::No,
                })
            }
        }
    }

    /// How long it is still held, in milliseconds; none if it is free or over.
    pub fn left_ms(&self) -> Option<u64> {
        let left_us = self.expires_us.filter(|_| self.holder.is_some())?.checked_sub(self.now_us)?;
        u64::try_from(left_us / 1_000).ok().filter(|left| *left > 0)
    }

    /// Whether its last holder gave it back.
    pub fn is_clean(&self) -> bool {
        self.holder.is_none()
    }

    /// When it ends (server's clock).
    pub fn expires_at(&self) -> Option<Instant> {
        Instant::from_timestamp_micros(self.expires_us?)
    }
}
