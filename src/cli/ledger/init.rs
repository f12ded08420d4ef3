//! `lakeshift ledger init`: prints the statements that make the ledger, or runs them.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Context;
use super::super::failure::{Failure, Kind};
use super::super::output::{Document, Format};
use super::{is_on, no_ledger, of_trouble};
use crate::config::layers::Flags;
use crate::domain::proof::Feature;
use crate::ledger::Sql;
use crate::ledger::init::{Installation, Piece};
use crate::runtime::ledger::{members, place};

/// What `ledger init` is asked.
#[derive(Args, Clone, Debug)]
pub struct InitFlags {
    /// Run the statements instead of printing them. What is there already stays.
    #[arg(long)]
    pub run: bool,
    /// With the procedures through which rows are written with their owner's rights; nobody is granted MODIFY then.
    #[arg(long)]
    pub procedures: bool,
}

/// The ledger's installation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Initialized {
    /// The ledger's schema.
    schema_name: String,
    /// Whether the statements were run.
    ran: bool,
    /// The statements in their order.
    statements: Vec<ShownStatement>,
}

impl Document for Initialized {
    const SCHEMA: &'static str = "lakeshift.ledger_init/1";
}

/// One statement.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownStatement {
    /// What it is for.
    purpose: String,
    /// The statement.
    sql: String,
}

/// Runs `lakeshift ledger init`.
pub(super) fn run(flags: &InitFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let config = context.load(Flags::default())?;
    let (entry, place) = place(&config).map_err(|error| no_ledger(&error))?;
    let members = members(entry);
    let products: Vec<String> = config.fleet.products.keys().cloned().collect();
    let installation = Installation {
        place: &place,
        products: &products,
        members: &members,
        procedures: flags.procedures || !place.is_direct(),
    };
    let pieces = installation.pieces();
    let mut statements = Vec::new();
    for piece in &pieces {
        let sql = piece.sql().map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
        statements.push(ShownStatement { purpose: piece.what.clone(), sql });
    }
    if flags.run && installation.procedures {
        is_on(Feature::LedgerProcedures, &config)?;
    }
    if flags.run {
        execute(&pieces, context)?;
    }
    let out = &mut context.output;
    match out.format {
        Format::Json | Format::Ndjson => {
            out.document(&Initialized { schema_name: place.schema().to_string(), ran: flags.run, statements })
        }
        Format::Text if flags.run => Ok(writeln!(out.out, "{}: {} statements done", place.schema(), statements.len())?),
        Format::Text => {
            for ShownStatement { purpose, sql } in &statements {
                writeln!(out.out, "-- {purpose}\n{sql};\n")?;
            }
            if members.is_empty() {
                writeln!(out.out, "-- [ledger.roles] names nobody: nothing is granted")?;
            }
            Ok(())
        }
    }
}

/// Runs all pieces in order, and stops at the first that fails: what was done before stays, and can be done again.
fn execute(pieces: &[Piece], context: &Context<'_>) -> Result<(), Failure> {
    let (_, ledger) = super::ledger(context)?;
    super::super::sweep::block_on(async {
        for (done, piece) in pieces.iter().enumerate() {
            ledger.sql().execute(&piece.ask).await.map_err(|trouble| {
                let mut failure = of_trouble(&trouble);
                failure.message = format!("{}: {}", piece.what, failure.message);
                failure.hint(format!("{done} of {} statements are done; they can be run again.", pieces.len()))
            })?;
        }
        Ok(())
    })?
}
