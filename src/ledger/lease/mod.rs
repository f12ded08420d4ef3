//! The lease: at most one captain a product, by one row that is updated in place (domain.md 6.4).
//!
//! [`Tenure`] is the pure machine of one attempt to hold a lease: what to ask of the ledger next, and what may be done
//! now. It never assumes: whatever came of a change, the row is read back, and only a row that names this tenure's nonce
//! makes it the holder. [`step`] does what the machine asks.
//!
//! The lease protects from accident; the fence that rises with every taking protects from whoever slept; observing before
//! acting protects from the rest. Delta cannot lock anything outside of its table, and nothing here claims so.

mod row;
mod tenure;

pub use row::LeaseRow;
pub use tenure::{
    GRACE_MS, Lost, MARGIN_MS, Order, REASON_CHARS, RENEW_MS, STEAL_GRACE_MS, Standing, TERM_MS, Tenure, Tick,
};

use super::book::Ledger;
use super::rows::{BadRow, LedgerRow, Value};
use super::sql::{Sql, SqlTrouble};
use super::statements;
use super::tables::Table;

/// The rows that belong to no product of the fleet; the installation makes them, as it makes one for each product.
pub const OWN: [&str; 2] = [FLEET, SEALER];

/// The row that serializes sealing.
pub const SEALER: &str = "_ledger";

/// The row for what belongs to no product.
pub const FLEET: &str = crate::operations::plan::NO_PRODUCT;

/// Does what a tenure asks, if it asks for anything; tells whether it did.
///
/// The caller's `tick` reads both clocks of this machine. The future is one statement long; dropping it loses nothing, as
/// the tenure looks before it believes anything.
pub async fn step<S: Sql>(tenure: &mut Tenure, ledger: &Ledger<S>, tick: &(impl Fn() -> Tick + Sync)) -> bool {
    let sent = tick();
    let Some(order) = tenure.due(sent) else { return false };
    tenure.sent(&order, sent);
    match &order {
        Order::Look => {
            let seen = look(ledger, tenure.product()).await;
            tenure.seen(sent, seen, tick());
        }
        Order::Acquire { .. } | Order::Steal { .. } | Order::Renew { .. } | Order::Release { .. } => {
            let result = change(ledger, tenure.product(), &order).await;
            tenure.answered(result.err(), tick());
        }
    }
    true
}

/// Reads one lease.
///
/// # Errors
/// When it cannot be read, or the product has not exactly one row.
pub async fn look<S: Sql>(ledger: &Ledger<S>, product: &str) -> Result<LeaseRow, SqlTrouble> {
    let rows = ledger.sql().execute(&ledger.place().ask(&statements::LEASE).with("product", product)).await?;
    LeaseRow::only(product, &rows)
}

/// Reads all leases.
///
/// # Errors
/// When they cannot be read.
pub async fn all<S: Sql>(ledger: &Ledger<S>) -> Result<Vec<LeaseRow>, SqlTrouble> {
    let rows = ledger.sql().execute(&ledger.place().ask(&statements::LEASES)).await?;
    rows.iter().map(LeaseRow::read).collect()
}

async fn change<S: Sql>(ledger: &Ledger<S>, product: &str, order: &Order) -> Result<(), SqlTrouble> {
    let place = ledger.place();
    let ask = match order {
        Order::Acquire { seen, nonce, op_id } => {
            place.ask(&statements::LEASE_ACQUIRE).with("seen", seen).with("nonce", nonce).with("op_id", op_id)
        }
        Order::Steal { seen, nonce, op_id } => {
            place.ask(&statements::LEASE_STEAL).with("seen", seen).with("nonce", nonce).with("op_id", op_id)
        }
        Order::Renew { nonce, fence } => place.ask(&statements::LEASE_RENEW).with("nonce", nonce).with("fence", fence),
        Order::Release { nonce, fence } => {
            place.ask(&statements::LEASE_RELEASE).with("nonce", nonce).with("fence", fence)
        }
        Order::Look => return Ok(()),
    };
    ledger.sql().execute(&ask.with("product", product)).await.map(|_| ())
}

/// What the audit says of a lease that was taken from its holder.
///
/// # Errors
/// Never for texts; the row's own check is passed on.
pub fn take_over_row(audit_id: &str, tenure: &Tenure, from: &LeaseRow, reason: &str) -> Result<LedgerRow, BadRow> {
    let detail = serde_json::json!({
        "v": 1,
        "product": tenure.product(),
        "from": from.holder,
        "from_op_id": from.op_id,
        "fence": from.fence + 1,
        "reason": reason,
    });
    let text = |text: &str| Value::Text(text.to_owned());
    LedgerRow::new(
        Table::AuditEvent,
        [
            ("audit_id", text(audit_id)),
            ("op_id", text(tenure.op_id())),
            ("verb", text("lease_taken_over")),
            ("target", text(tenure.product())),
            ("outcome", text("asked")),
            ("detail_json", text(&detail.to_string())),
        ],
    )
}
