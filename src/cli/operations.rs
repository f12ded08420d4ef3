//! `lakeshift operations`: what is, was and waits; going on with it, taking it back, giving it up.

use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::confirm::{AtTerminal, settled};
use super::failure::{Failure, Kind};
use super::handover::of_takeover;
use super::operate::{Desk, of_operator, of_store};
use super::operation_page::ShownOperation;
use super::output::{Document, Format};
use super::sweep::block_on;
use super::table::{Align, Table};
use crate::domain::Instant;
use crate::ledger::journal::{Found, operations_of};
use crate::operations::engine::{Request, fold};
use crate::operations::plan::{OperationId, Stored};
use crate::operations::planning::{MAX_AGE_TO_BEGIN_S, outdated};
use crate::operations::refusal::Refusal;
use crate::runtime::captain::{Course, needs_lease};
use crate::runtime::operator::Happened;
use crate::runtime::takeover;
use crate::store::{Health, Record};

/// Operations that `list --all` shows.
const LISTED: usize = 500;

/// What to do with operations.
#[derive(Debug, Subcommand)]
pub enum OperationsCommand {
    /// List the operations that are not over, with who has each in hand.
    List {
        /// Those that are over, too, newest first.
        #[arg(long)]
        all: bool,
        /// Those of other homes that the ledger knows, too.
        #[arg(long)]
        ledger: bool,
    },
    /// Show one operation: steps, journal, and what to do if it is stuck.
    Show {
        /// The operation's id.
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
    },
    /// Go on with operations that a process left, or that wait for a person; with one of another home by what the ledger
    /// has of it, once its owner is gone.
    Resume {
        /// The operations; none is all of this home that are not over and that no working process has in hand.
        #[arg(value_name = "OPERATION")]
        operations: Vec<OperationId>,
        /// Why; needed for an operation of another home, and told to the ledger.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Let those go ahead that nobody has confirmed yet, where their tier allows it (0 to 2).
        #[arg(long)]
        yes: bool,
    },
    /// Take an operation back, as far as it has a way back.
    Abort {
        /// The operation's id.
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
        /// Why; kept with the operation.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Give up an operation that is paused or stuck, when you have seen to the rest by hand.
    Close {
        /// The operation's id.
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
        /// What you did; kept with the operation.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Print plan and journal as they are stored, also of another version's operation.
    Export {
        /// The operation's id.
        #[arg(value_name = "OPERATION")]
        operation: OperationId,
    },
}

/// Operations.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationList {
    /// Oldest first; with `--all` newest first.
    operations: Vec<ShownOperation>,
}

impl Document for OperationList {
    const SCHEMA: &'static str = "lakeshift.operations/1";
}

/// Plan and journal of an operation as they are stored.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExportedOperation {
    /// Its id.
    operation_id: String,
    /// SHA-256 of the plan when it was planned.
    plan_digest: String,
    /// The plan.
    plan: Value,
    /// The journal's entries.
    journal: Vec<Value>,
}

impl Document for ExportedOperation {
    const SCHEMA: &'static str = "lakeshift.operation-export/1";
}

/// Runs `lakeshift operations`.
pub(super) fn run(command: &OperationsCommand, context: &mut Context<'_>) -> Result<(), Failure> {
    let name = match command {
        OperationsCommand::Resume { .. } => "operations resume",
        OperationsCommand::Abort { .. } => "operations abort",
        OperationsCommand::Close { .. } => "operations close",
        _ => "operations",
    };
    let desk = Desk::open(&[], context, name)?;
    match command {
        OperationsCommand::List { all, ledger } => block_on(list(&desk, *all, *ledger, context))?,
        OperationsCommand::Show { operation } => block_on(show(&desk, *operation, context))?,
        OperationsCommand::Export { operation } => block_on(export(&desk, *operation, context))?,
        OperationsCommand::Resume { operations, reason, yes } => {
            block_on(resume(desk, operations.clone(), reason.clone(), *yes, context))?
        }
        OperationsCommand::Abort { operation, reason } => block_on(abort(desk, *operation, reason.clone(), context))?,
        OperationsCommand::Close { operation, reason } => block_on(close(desk, *operation, reason.clone(), context))?,
    }
}

/// An operation of this home, or one that the ledger knows.
async fn record(desk: &Desk, operation: OperationId) -> Result<Record, Failure> {
    let found = desk.journal().record(operation, desk.clock.now()).map_err(|error| of_store(&error))?;
    match (found, desk.courier.ledger()) {
        (Some(found), _) => Ok(found),
        (None, Some(ledger)) => {
            let found = takeover::read(ledger, operation).await.map_err(|error| of_takeover(&error))?;
            Ok(elsewhere(operation, found))
        }
        (None, None) => Err(Failure::new(Kind::User, format!("there is no operation {operation}"))
            .hint("`lakeshift operations list --all` lists them.")),
    }
}

/// An operation as the ledger has it. Who has it in hand in its own home is not known here.
fn elsewhere(id: OperationId, found: Found) -> Record {
    let is_over = found.plan.known().is_some_and(|plan| fold(plan, &found.journal).is_over());
    let entries = found.journal.iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    Record { id, plan: found.plan, digest: found.digest, journal: found.journal, entries, owner: None, is_over }
}

fn shown(desk: &Desk, record: &Record) -> Result<ShownOperation, Failure> {
    let acknowledged = desk.journal().acknowledged(record.id).map_err(|error| of_store(&error))?;
    Ok(ShownOperation::of(record, acknowledged, desk.clock.now()))
}

async fn list(desk: &Desk, all: bool, with_ledger: bool, context: &mut Context<'_>) -> Result<(), Failure> {
    let (journal, now) = (desk.journal(), desk.clock.now());
    let records = if all { journal.newest(LISTED, now) } else { journal.unfinished(now) };
    let mut operations = Vec::new();
    for record in records.map_err(|error| of_store(&error))? {
        operations.push(shown(desk, &record)?.without_journal());
    }
    if with_ledger {
        operations.extend(of_other_homes(desk, all).await?);
    }
    match context.output.format {
        Format::Ndjson => operations.iter().try_for_each(|operation| context.output.document(operation)),
        Format::Json => context.output.document(&OperationList { operations }),
        Format::Text if operations.is_empty() => Ok(writeln!(context.output.out, "no operations")?),
        Format::Text => {
            let mut table = Table::new(&[
                ("OPERATION", Align::Left),
                ("KIND", Align::Left),
                ("WORKSPACE", Align::Left),
                ("OBJECT", Align::Left),
                ("PHASE", Align::Left),
                ("IN HAND OF", Align::Left),
                ("BY", Align::Left),
            ]);
            for operation in &operations {
                table.row(operation.row());
            }
            table.print(context.output.out, context.output.color)
        }
    }
}

/// Those that the ledger has and this home has not.
async fn of_other_homes(desk: &Desk, all: bool) -> Result<Vec<ShownOperation>, Failure> {
    let Some(ledger) = desk.courier.ledger() else { return Err(desk.without_ledger("only this home can be listed")) };
    let rows = ledger.recent().await.map_err(|trouble| of_takeover(&trouble.into()))?;
    let now = desk.clock.now();
    let mut shown = Vec::new();
    for (op_id, found) in operations_of(&rows) {
        let Ok(id) = op_id.parse::<OperationId>() else { continue };
        if desk.journal().record(id, now).map_err(|error| of_store(&error))?.is_some() {
            continue;
        }
        // Those whose beginning is older than the newest rows are read by themselves.
        let found = match found {
            Ok(found) => found,
            Err(_) => takeover::read(ledger, id).await.map_err(|error| of_takeover(&error))?,
        };
        let (by, at) = (found.last_by.to_string(), Instant::from_timestamp_micros(found.newest_us));
        let record = elsewhere(id, found);
        if all || !record.is_over {
            shown.push(ShownOperation::of(&record, u64::MAX, now).elsewhere(by, at).without_journal());
        }
    }
    Ok(shown)
}

async fn show(desk: &Desk, operation: OperationId, context: &mut Context<'_>) -> Result<(), Failure> {
    let shown = shown(desk, &record(desk, operation).await?)?;
    match context.output.format {
        Format::Text => shown.print(context),
        Format::Json | Format::Ndjson => context.output.document(&shown),
    }
}

async fn export(desk: &Desk, operation: OperationId, context: &mut Context<'_>) -> Result<(), Failure> {
    let record = record(desk, operation).await?;
    let plan = match &record.plan {
        Stored::Known(plan) => serde_json::to_value(plan)
            .map_err(|error| Failure::new(Kind::Internal, format!("the plan cannot be printed: {error}")))?,
        Stored::Foreign { json, .. } => json.clone(),
    };
    context.output.document(&ExportedOperation {
        operation_id: operation.to_string(),
        plan_digest: record.digest,
        plan,
        journal: record.entries,
    })
}

async fn resume(
    mut desk: Desk,
    operations: Vec<OperationId>,
    reason: Option<String>,
    yes: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let operations = if operations.is_empty() {
        let records = desk.journal().unfinished(desk.clock.now()).map_err(|error| of_store(&error))?;
        let free = |record: &Record| {
            record.plan.known().is_some() && !matches!(record.owner, Some((_, Health::Alive | Health::Us)))
        };
        records.into_iter().filter(free).map(|record| record.id).collect()
    } else {
        operations
    };
    let mut failed: Option<Failure> = None;
    for operation in operations {
        if let Err(failure) = resume_one(&mut desk, operation, reason.as_deref(), yes, context).await {
            failed = Some(match failed {
                None => failure,
                Some(mut all) => {
                    all.kind = all.kind.max(failure.kind);
                    all.message = format!("{}\n{}", all.message, failure.message);
                    all.hints.extend(failure.hints);
                    all
                }
            });
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn resume_one(
    desk: &mut Desk,
    operation: OperationId,
    reason: Option<&str>,
    yes: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if let Some(off) = desk.off().into_iter().find(|off| off.feature.carries_production())
        && record(desk, operation).await?.plan.known().is_some_and(needs_lease)
    {
        return Err(Failure::new(Kind::Refused, off.to_string()).hint(off.hint()));
    }
    let mut happened = desk.take_up(operation, Course::Ahead, reason).await?;
    let (is_held, is_approved) = desk.operator.view(operation).map_or((false, true), |view| {
        (view.state.is_held(), view.state.approved_at.is_some() || view.state.abort.is_some())
    });
    if !is_approved {
        match confirmed(desk, operation, yes).await {
            Ok(how) => happened.extend(ask(desk, operation, Request::Approve { how })?),
            Err(failure) => {
                desk.operator.release(operation).map_err(|error| of_operator(&error))?;
                desk.farewell().await;
                return Err(failure);
            }
        }
    }
    if is_held {
        happened.extend(ask(desk, operation, Request::Unpause)?);
    }
    desk.drive(operation, happened, context).await
}

/// Lets an operation go ahead that nobody has confirmed yet, by the interlock of its tier. Its plan cannot be made again: one
/// on what is too old by now is refused.
async fn confirmed(desk: &Desk, operation: OperationId, yes: bool) -> Result<String, Failure> {
    let unconfirmed = || format!("nobody has confirmed operation {operation} yet");
    let Some(plan) = desk.operator.view(operation).map(|view| view.plan.clone()) else {
        return Err(Failure::new(Kind::Internal, format!("operation {operation} is not in hand")));
    };
    let too_old = |refusal: Refusal| {
        Failure::new(Kind::Refused, format!("{}: {refusal}", unconfirmed()))
            .hint(format!("Take it back with `lakeshift operations abort {operation}`, and plan it anew."))
    };
    if let Some(refusal) = outdated(&plan, desk.clock.now()) {
        return Err(too_old(refusal));
    }
    let proposal = desk.proposal_of(&plan);
    let again = async || Err(too_old(Refusal::Stale { age_s: MAX_AGE_TO_BEGIN_S + 1, at_most_s: MAX_AGE_TO_BEGIN_S }));
    let mut person = AtTerminal { clock: desk.clock.clone() };
    let settled = settled(proposal, again, yes, &mut person, desk.clock.as_ref()).await;
    settled.map(|(_, how)| how).map_err(|mut failure| {
        failure.message = format!("{}: {}", unconfirmed(), failure.message);
        failure.hint(format!("`lakeshift operations show {operation}` shows it."))
    })
}

fn ask(desk: &mut Desk, operation: OperationId, request: Request) -> Result<Vec<Happened>, Failure> {
    desk.operator.ask(operation, request).map_err(|error| of_operator(&error))
}

async fn abort(
    mut desk: Desk,
    operation: OperationId,
    reason: Option<String>,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut happened = desk.take_up(operation, Course::Back, reason.as_deref()).await?;
    happened.extend(ask(&mut desk, operation, Request::Abort { reason })?);
    let asked = desk.operator.view(operation).is_none_or(|view| view.state.abort.is_some() || view.state.is_over());
    if !asked {
        desk.operator.release(operation).map_err(|error| of_operator(&error))?;
        desk.farewell().await;
        let why = record(&desk, operation).await?.journal.last().map(|entry| entry.event.detail()).unwrap_or_default();
        return Err(Failure::new(Kind::Refused, format!("operation {operation} has no way back: {why}"))
            .hint(format!("`lakeshift operations resume {operation}` lets it go on to its end.")));
    }
    desk.drive(operation, happened, context).await
}

async fn close(
    mut desk: Desk,
    operation: OperationId,
    reason: String,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut happened = desk.take_up(operation, Course::Ahead, Some(&reason)).await?;
    let closed = ask(&mut desk, operation, Request::Close { reason })?;
    if closed.is_empty() {
        desk.operator.release(operation).map_err(|error| of_operator(&error))?;
        desk.farewell().await;
        return Err(Failure::new(Kind::Refused, format!("operation {operation} is neither paused nor stuck"))
            .hint("Resume it or abort it; only what waits for a person can be given up."));
    }
    happened.extend(closed);
    // It ends as failed, and giving it up is what was asked for.
    match desk.drive(operation, happened, context).await {
        Err(failure) if failure.kind == Kind::Remote => Ok(()),
        other => other,
    }
}
