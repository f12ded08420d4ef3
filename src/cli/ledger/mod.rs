//! `lakeshift ledger`: the shared record: make it, look at it, seal it, prove it, hand it to an auditor.

mod deliver;
mod export;
mod init;
mod seal;
mod status;

pub use deliver::{DeliverFlags, Delivered};
pub use export::{ExportFlags, Exported};
pub use init::{InitFlags, Initialized};
pub use seal::{SealFlags, SealMade, Verified, VerifyFlags};
pub use status::LedgerStatus;

use std::sync::Arc;

use clap::Subcommand;

use super::Context;
use super::failure::{Failure, Kind};
use super::sweep::{block_on, seed};
use crate::config::Config;
use crate::config::layers::Flags;
use crate::databricks::Observer;
use crate::domain::clock::Clock;
use crate::domain::proof::{Feature, Subject, off};
use crate::domain::sql::Fault;
use crate::ledger::{Ledger, SqlTrouble};
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::connect;
use crate::runtime::doctor::ledger_subject;
use crate::runtime::ledger::{NoLedger, Warehouse, open};

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Print the statements that make the ledger, or run them. They can be run again.
    Init(InitFlags),
    /// Tell whether the ledger can be reached, as whom, what waits for it, how far it is sealed, and who holds which lease.
    Status,
    /// Bring what waits in this home to the ledger. Acts do it by themselves; this is for what was left, and for rows that the
    /// ledger has refused.
    Deliver(DeliverFlags),
    /// Seal all rows that came since the last seal, and print the seal's hash. Whoever acts seals too; a schedule in CI, every
    /// 15 minutes, seals what they left and keeps the hash elsewhere.
    Seal(SealFlags),
    /// Compare all that was sealed with what is there, and name each row that was changed.
    Verify(VerifyFlags),
    /// Print the ledger for an auditor.
    Export(ExportFlags),
}

/// Runs `lakeshift ledger`.
pub(super) fn run(command: &LedgerCommand, context: &mut Context<'_>) -> Result<(), Failure> {
    match command {
        LedgerCommand::Init(flags) => init::run(flags, context),
        LedgerCommand::Status => status::run(context),
        LedgerCommand::Deliver(flags) => deliver::run(flags, context),
        LedgerCommand::Seal(flags) => seal::run(flags, context),
        LedgerCommand::Verify(flags) => seal::verify(flags, context),
        LedgerCommand::Export(flags) => export::run(flags, context),
    }
}

/// The configuration and the ledger that it names.
fn ledger(context: &Context<'_>) -> Result<(Config, Ledger<Warehouse>), Failure> {
    let config = context.load(Flags::default())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let observer: Observer = Arc::new(|_| {});
    let links = connect(&config, context.environment, &clock, &observer, seed());
    let ledger = open(&config, &links).map_err(|error| no_ledger(&error))?;
    Ok((config, ledger))
}

/// Refuses what stands on a proof that failed.
fn is_on(feature: Feature, config: &Config) -> Result<(), Failure> {
    let proofs = deliver::journal(config)?.proofs().map_err(|error| deliver::of_store(&error))?;
    let in_use: Vec<(Feature, Subject)> =
        ledger_subject(config).map(|subject| (feature, subject)).into_iter().collect();
    match off(&in_use, &proofs, SystemClock.now(), &config.fleet_hash).first() {
        None => Ok(()),
        Some(off) => Err(Failure::new(Kind::Refused, off.to_string()).hint(off.hint())),
    }
}

fn no_ledger(error: &NoLedger) -> Failure {
    let (kind, hint) = match error {
        NoLedger::NotConfigured => (Kind::Config, "Add [ledger] to the fleet's file; config.example.toml shows it."),
        NoLedger::NoWorkspace(_) => (Kind::Config, "Correct `workspace` of [ledger]."),
        NoLedger::Place(_) => (Kind::Config, "Correct `catalog` and `schema` of [ledger]."),
        NoLedger::Unreachable { .. } => (Kind::Auth, "Give [auth] a `ledger` or `reader` entry for that workspace."),
    };
    Failure::new(kind, error.to_string()).hint(hint)
}

/// Waits for the ledger's answer.
fn wait<T>(answer: impl Future<Output = Result<T, SqlTrouble>>) -> Result<T, Failure> {
    block_on(answer)?.map_err(|trouble| of_trouble(&trouble))
}

/// A statement's failure as a sentence and what to do.
fn of_trouble(trouble: &SqlTrouble) -> Failure {
    let failure = Failure::new(Kind::Remote, trouble.message.clone());
    match &trouble.fault {
        Fault::PermissionDenied { privilege: Some(privilege), object: Some(object) } => {
            failure.hint(format!("Missing: {privilege} on {object}. The roles of [ledger] and `ledger init` grant it."))
        }
        Fault::PermissionDenied { .. } => {
            failure.hint("The roles of [ledger] and `lakeshift ledger init` grant what is missing.")
        }
        Fault::NotFound => failure.hint("`lakeshift ledger init --run` makes what is missing."),
        Fault::Unavailable => failure.hint("The warehouse may be starting or stopped; try again in a minute."),
        Fault::Conflict => failure.hint("Somebody else wrote at the same time; nothing was changed. Try again."),
        _ => failure,
    }
}
