//! `lakeshift ledger status`: can it be reached, as whom, how far is it sealed, who holds which lease.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::Context;
use super::super::failure::Failure;
use super::super::output::{Document, Format};
use super::super::table::{Align, Cell, Paint, Table as Printed};
use super::deliver::{ShownOutbox, journal, of_store};
use super::{ledger, wait};
use crate::domain::text;
use crate::ledger::export::time;
use crate::ledger::lease::{self, LeaseRow};
use crate::ledger::seal::{ends, is_overdue, unsealed};

/// How the ledger stands.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LedgerStatus {
    /// Its schema.
    schema_name: String,
    /// The workspace through which it is reached.
    workspace: String,
    /// The warehouse there.
    warehouse: String,
    /// Who the server takes us for.
    user: String,
    /// The server's time.
    server_at: String,
    /// What waits in this home for the ledger.
    outbox: ShownOutbox,
    /// How many seals there are.
    seals: u64,
    /// The newest seal.
    sealed: Option<ShownSeal>,
    /// Rows of the audit that no seal knows yet; none if there are none.
    unsealed: Option<ShownUnsealed>,
    /// The leases, by product.
    leases: Vec<ShownLease>,
}

impl Document for LedgerStatus {
    const SCHEMA: &'static str = "lakeshift.ledger_status/1";
}

/// A seal.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownSeal {
    /// Its number, from 1.
    pub seq: i64,
    /// Its hash.
    pub seal_hash: String,
    /// Until when rows are sealed (server's clock).
    pub upto: String,
}

/// Rows of the audit that are newer than the newest seal.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownUnsealed {
    /// How many.
    rows: u64,
    /// When the oldest of them was recorded (server's clock).
    oldest_at: String,
    /// Whether that is more than 15 minutes and a grace of 5 ago.
    overdue: bool,
}

/// A lease.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownLease {
    /// The product.
    product: String,
    /// `free`, `held`, or `over`: not given back, and to be had.
    state: &'static str,
    /// Who holds it, or did not give it back.
    holder: Option<String>,
    /// The operation for which it was taken.
    op_id: Option<String>,
    /// How often it was taken.
    fence: i64,
    /// When it ends unless it is renewed (server's clock).
    expires_at: Option<String>,
}

impl From<&LeaseRow> for ShownLease {
    fn from(row: &LeaseRow) -> Self {
        let state = match (row.is_clean(), row.left_ms()) {
            (true, _) => "free",
            (false, Some(_)) => "held",
            (false, None) => "over",
        };
        Self {
            product: row.product.clone(),
            state,
            holder: row.holder.clone(),
            op_id: row.op_id.clone(),
            fence: row.fence,
            expires_at: row.expires_us.map(time),
        }
    }
}

/// Runs `lakeshift ledger status`.
pub(super) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    let (config, ledger) = ledger(context)?;
    let outbox = journal(&config)?.waiting().map_err(|error| of_store(&error))?;
    let (greeting, ends, (rows, oldest_us), leases) = wait(async {
        let greeting = ledger.greet().await?;
        let ends = ends(&ledger).await?;
        let newer = unsealed(&ledger, ends.as_ref()).await?;
        Ok((greeting, ends, newer, lease::all(&ledger).await?))
    })?;
    let entry = config.fleet.ledger.as_ref();
    let sealed = ends.as_ref().map(|ends| ShownSeal {
        seq: ends.last_seq,
        seal_hash: ends.seal_hash.clone(),
        upto: time(ends.upto_us),
    });
    let unsealed = oldest_us.map(|oldest_us| ShownUnsealed {
        rows,
        oldest_at: time(oldest_us),
        overdue: is_overdue(oldest_us, greeting.now_us),
    });
    let status = LedgerStatus {
        schema_name: ledger.place().schema().to_string(),
        workspace: entry.map(|entry| entry.workspace.to_string()).unwrap_or_default(),
        warehouse: entry.map(|entry| entry.warehouse.clone()).unwrap_or_default(),
        user: greeting.user,
        server_at: time(greeting.now_us),
        outbox: outbox.into(),
        seals: ends.map_or(0, |ends| ends.count),
        sealed,
        unsealed,
        leases: leases.iter().map(ShownLease::from).collect(),
    };
    print(&status, context)
}

fn print(status: &LedgerStatus, context: &mut Context<'_>) -> Result<(), Failure> {
    let output = &mut context.output;
    if output.format != Format::Text {
        return output.document(status);
    }
    let line = text::line;
    writeln!(
        output.out,
        "{} through {} (warehouse {}), as {}",
        status.schema_name,
        status.workspace,
        line(&status.warehouse),
        line(&status.user)
    )?;
    if status.outbox.waiting > 0 {
        let since = status.outbox.oldest_at.as_deref().unwrap_or_default();
        writeln!(output.out, "{} rows wait here for the ledger, the oldest since {since}", status.outbox.waiting)?;
    }
    match &status.sealed {
        Some(seal) => {
            let (seq, upto, hash) = (seal.seq, &seal.upto, line(&seal.seal_hash));
            writeln!(output.out, "sealed until {upto} by seal {seq}, hash {hash}")?;
        }
        None => writeln!(output.out, "nothing is sealed yet")?,
    }
    if let Some(ShownUnsealed { rows, oldest_at, overdue }) = &status.unsealed {
        let rows = if *rows == 1 { "1 row is".to_owned() } else { format!("{rows} rows are") };
        let told = format!("{rows} not sealed, the oldest since {oldest_at}");
        match overdue {
            true => writeln!(output.out, "WARNING: {told}: sealing is overdue; `lakeshift ledger seal` does it")?,
            false => writeln!(output.out, "{told}")?,
        }
    }
    let mut table = Printed::new(&[
        ("PRODUCT", Align::Left),
        ("LEASE", Align::Left),
        ("HOLDER", Align::Left),
        ("OPERATION", Align::Left),
        ("FENCE", Align::Right),
        ("UNTIL", Align::Left),
    ]);
    for lease in &status.leases {
        let paint = match lease.state {
            "held" => Paint::Active,
            "over" => Paint::Warning,
            _ => Paint::Muted,
        };
        table.row([
            Cell::from(&lease.product),
            Cell::painted(lease.state, paint),
            Cell::from(lease.holder.as_deref().unwrap_or_default()),
            Cell::from(lease.op_id.as_deref().unwrap_or_default()),
            Cell::from(lease.fence.to_string()),
            Cell::from(lease.expires_at.as_deref().unwrap_or_default()),
        ]);
    }
    table.print(output.out, output.color)
}
