//! `lakeshift ledger export`: rows for a spreadsheet or a program, or a report for an auditor.

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::Context;
use super::super::failure::{Failure, Kind};
use super::super::output::Document;
use super::seal::Verified;
use super::{ledger, wait};
use crate::domain::Instant;
use crate::ledger::export::{Subject, csv, markdown, time};
use crate::ledger::seal::{Evidence, gather, verify};
use crate::ledger::{Recorded, Table};

/// What `ledger export` is asked.
#[derive(Args, Clone, Debug)]
pub struct ExportFlags {
    /// As what.
    #[arg(long = "as", value_enum, default_value_t = Form::Markdown, value_name = "FORM")]
    pub form: Form,
    /// Only this table; a CSV has the rows of `audit_event` unless told otherwise.
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Only what belongs to this operation.
    #[arg(long, value_name = "ID")]
    pub operation: Option<String>,
    /// Only rows recorded at or after this day or instant (UTC): `2026-11-01` or `2026-11-01T06:30:00Z`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Instant>,
    /// Only rows recorded before this day or instant (UTC).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Instant>,
}

/// As what the ledger is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A report: proof, decisions, operations with their journals.
    Markdown,
    /// One table for a spreadsheet.
    Csv,
    /// Everything for a program.
    Json,
}

/// The ledger's rows, with the verification of all of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Exported {
    /// The ledger's schema.
    schema_name: String,
    /// When it was exported (server's clock).
    at: String,
    /// Who exported it, by the server's word.
    reader: String,
    /// The verification of the whole ledger.
    verification: Verified,
    /// The rows, doubles of deliveries included, in the order in which they were recorded.
    rows: Vec<ShownRow>,
}

impl Document for Exported {
    const SCHEMA: &'static str = "lakeshift.ledger_export/1";
}

/// One row.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownRow {
    /// Its table.
    table: String,
    /// What tells it from other facts of its table.
    id: String,
    /// Its values as text; instants in microseconds since 1970.
    columns: std::collections::BTreeMap<String, Option<String>>,
    /// Who said it: the server's word.
    actor: String,
    /// When, by the server's clock.
    recorded_at: String,
    /// As the writer said.
    content_hash: String,
    /// Of all its columns, as seals list it.
    row_hash: String,
}

impl From<&Recorded> for ShownRow {
    fn from(row: &Recorded) -> Self {
        Self {
            table: row.table.name().to_owned(),
            id: row.id.clone(),
            columns: row.columns.clone(),
            actor: row.actor.clone(),
            recorded_at: time(row.recorded_us),
            content_hash: row.content_hash.clone(),
            row_hash: row.row_hash(),
        }
    }
}

fn moment(text: &str) -> Result<Instant, String> {
    let day = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|at| at.and_utc());
    let instant = || chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    day.or_else(instant)
        .ok_or_else(|| "expected a day such as 2026-11-01 or an instant such as 2026-11-01T06:30:00Z".to_owned())
}

/// Runs `lakeshift ledger export`.
pub(super) fn run(flags: &ExportFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let only = flags.table.as_deref().map(table).transpose()?;
    let (_, ledger) = ledger(context)?;
    let (greeting, evidence) = wait(async { Ok((ledger.greet().await?, gather(&ledger).await?)) })?;
    let report = verify(&evidence, &[], ledger.place().is_direct());
    let rows = selected(&evidence, flags, only);
    let place = ledger.place().schema().to_string();
    let out = &mut context.output;
    match flags.form {
        Form::Csv => Ok(out.out.write_all(csv(only.unwrap_or(Table::AuditEvent), &rows).as_bytes())?),
        Form::Json => out.document(&Exported {
            schema_name: place,
            at: time(greeting.now_us),
            reader: greeting.user,
            verification: Verified::of(&report),
            rows: rows.iter().map(ShownRow::from).collect(),
        }),
        Form::Markdown => {
            let subject = Subject {
                place,
                reader: greeting.user,
                at: Instant::from_timestamp_micros(greeting.now_us).unwrap_or_default(),
                since: flags.since,
                until: flags.until,
                proof: &report,
                rows: &rows,
            };
            Ok(out.out.write_all(markdown(&subject).as_bytes())?)
        }
    }
}

fn table(name: &str) -> Result<Table, Failure> {
    Table::ALL.iter().copied().find(|table| table.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Table::ALL.iter().map(|table| table.name()).collect();
        Failure::new(Kind::User, format!("the ledger has no table `{}`", crate::domain::text::line(name)))
            .hint(format!("It has {}.", known.join(", ")))
    })
}

fn selected(evidence: &Evidence, flags: &ExportFlags, only: Option<Table>) -> Vec<Recorded> {
    let in_time = |row: &Recorded| {
        let at = row.recorded_at();
        flags.since.is_none_or(|since| at >= Some(since)) && flags.until.is_none_or(|until| at < Some(until))
    };
    let of_operation =
        |row: &Recorded| flags.operation.as_deref().is_none_or(|wanted| row.text("op_id") == Some(wanted));
    let tables = evidence.tables.iter().filter(|(table, _)| only.is_none_or(|only| only == **table));
    let mut rows: Vec<Recorded> = tables
        .flat_map(|(_, found)| found.rows.iter())
        .filter(|row| in_time(row) && of_operation(row))
        .cloned()
        .collect();
    rows.sort_by(|a, b| (a.recorded_us, a.table, &a.id).cmp(&(b.recorded_us, b.table, &b.id)));
    rows
}
