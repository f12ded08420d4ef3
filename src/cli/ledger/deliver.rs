//! `lakeshift ledger deliver`: brings what waits in this home's outbox to the ledger, what it has refused before too.

use std::time::Duration;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Context;
use super::super::failure::{Failure, Kind, chain};
use super::super::output::{Document, Format};
use super::super::sweep::{block_on, instant};
use super::ledger;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::domain::text;
use crate::runtime::clock::SystemClock;
use crate::runtime::delivery::{Delivery, Turn};
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::ledger::Warehouse;
use crate::store::{self, Journal};

/// What `ledger deliver` is asked.
#[derive(Args, Clone, Debug)]
pub struct DeliverFlags {
    /// Try again for so many seconds while the ledger does not answer.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub patience: u64,
}

/// What was delivered, and what still waits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Delivered {
    /// How many rows the ledger took.
    rows: usize,
    /// What still waits.
    outbox: ShownOutbox,
    /// Why it waits.
    trouble: Option<String>,
}

impl Document for Delivered {
    const SCHEMA: &'static str = "lakeshift.ledger_deliver/1";
}

/// Rows that wait in this home for the ledger.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownOutbox {
    /// How many.
    pub(super) waiting: u64,
    /// Since when the oldest of them waits (local clock).
    pub(super) oldest_at: Option<String>,
}

impl From<store::Waiting> for ShownOutbox {
    fn from(waiting: store::Waiting) -> Self {
        Self { waiting: waiting.rows, oldest_at: waiting.oldest_at.map(instant) }
    }
}

/// This home's journal.
pub(super) fn journal(config: &Config) -> Result<Journal, Failure> {
    let session = SystemIds::default().ulid(SystemClock.now());
    Journal::open(&config.paths.state_dir, session, "lakeshift ledger").map_err(|error| of_store(&error))
}

pub(super) fn of_store(error: &store::Error) -> Failure {
    Failure::new(Kind::User, format!("this home's journal: {}", chain(error)))
}

/// Runs `lakeshift ledger deliver`.
pub(super) fn run(flags: &DeliverFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let (config, ledger) = ledger(context)?;
    let mut outbox = journal(&config)?;
    outbox.try_refused_again().map_err(|error| of_store(&error))?;
    let mut delivery = Delivery::new(ledger);
    let rows = block_on(deliver(&mut delivery, &mut outbox, Duration::from_secs(flags.patience)))?;
    let rows = rows.map_err(|error| of_store(&error))?;
    let waiting = outbox.waiting().map_err(|error| of_store(&error))?;
    let shown = Delivered { rows, outbox: waiting.into(), trouble: delivery.state().trouble.clone() };
    let output = &mut context.output;
    match output.format {
        Format::Json | Format::Ndjson => output.document(&shown)?,
        Format::Text => writeln!(output.out, "{rows} rows delivered, {} wait", shown.outbox.waiting)?,
    }
    match &delivery.state().trouble {
        None => Ok(()),
        Some(trouble) => {
            let failure = Failure::new(Kind::Remote, text::line(trouble));
            Err(if delivery.state().needs_person {
                failure.hint("Trying again will not help: put right what it names.")
            } else {
                failure.hint("What waits is kept, and delivered with the next act or the next `ledger deliver`.")
            })
        }
    }
}

/// Delivers until nothing waits, or the ledger has not answered for so long. Gives how many rows it took.
async fn deliver(
    delivery: &mut Delivery<Warehouse>,
    outbox: &mut Journal,
    patience: Duration,
) -> Result<usize, store::Error> {
    let give_up = tokio::time::Instant::now() + patience;
    let mut rows = 0;
    loop {
        match delivery.turn(outbox, SystemClock.now()).await? {
            Turn::Idle => return Ok(rows),
            Turn::Delivered(count) => rows += count,
            Turn::Failed | Turn::Waiting => {}
        }
        if let Some(at) = delivery.state().retry_at {
            let pause = (at - SystemClock.now()).to_std().unwrap_or_default();
            if delivery.state().needs_person || tokio::time::Instant::now() + pause > give_up {
                return Ok(rows);
            }
            tokio::time::sleep(pause).await;
        }
    }
}
