//! `lakeshift pipelines`: every pipeline, where it stands and how far behind it is.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::doctor;
use super::failure::Failure;
use super::output::{Document, Format};
use super::status::lag_cell;
use super::sweep::{
    ShownWorkspace, SweepFlags, Swept, ago, chosen, environment_cell, instant, status_cell, status_word, sweep,
};
use super::table::{Align, Cell, Table};
use crate::domain::fleet::{self, FleetRow, Source};
use crate::domain::proof::Feature;
use crate::domain::snapshot::{FlowWatch, PipelineWatch, WorkspaceSnapshot};
use crate::domain::status::Status;
use crate::ui::text;

/// What `pipelines` is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct PipelinesFlags {
    /// Which workspaces, and how closely.
    #[command(flatten)]
    pub sweep: SweepFlags,
    /// Only pipelines whose newest update failed, or that are unhealthy.
    #[arg(long)]
    pub failed: bool,
}

/// Pipelines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PipelineList {
    /// When they were read.
    at: String,
    /// The workspaces, and how much of each could be read.
    workspaces: Vec<ShownWorkspace>,
    /// By workspace and name.
    pipelines: Vec<ShownPipeline>,
}

impl Document for PipelineList {
    const SCHEMA: &'static str = "lakeshift.pipelines/1";
}

/// A pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownPipeline {
    /// Its workspace.
    workspace: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// Its id.
    pipeline_id: String,
    /// Its name without development prefix.
    name: String,
    /// 1 is the most important.
    tier: Option<u8>,
    /// Who answers for it.
    owner: Option<String>,
    /// Where it stands: `running`, `lagging`, `ok`, `failed`, ...
    status: String,
    /// Whether the platform calls it healthy.
    healthy: bool,
    /// Whether it runs all the time; none if its settings were not read.
    continuous: Option<bool>,
    /// Its newest update.
    update: Option<ShownUpdate>,
    /// How far the flow that is furthest behind is behind, in seconds; what was read last, if it cannot be read now.
    lag_s: Option<u64>,
    /// When the lag of a running stream was read (local time).
    lag_read_at: Option<String>,
    /// Why the lag of a running stream cannot be read now, if it cannot.
    lag_failure: Option<String>,
    /// Its flows, where its events were read.
    flows: Vec<ShownFlow>,
}

impl Document for ShownPipeline {
    const SCHEMA: &'static str = "lakeshift.pipeline/1";
}

/// An update of a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownUpdate {
    /// Its id.
    update_id: String,
    /// Where it stands.
    status: String,
    /// When it was created (workspace time).
    created_at: Option<String>,
}

/// A flow of a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownFlow {
    /// Its name.
    name: String,
    /// Where it stands, as the vendor spells it.
    status: String,
    /// Records that wait in its source.
    backlog_records: Option<u64>,
    /// Bytes that wait in its source.
    backlog_bytes: Option<u64>,
    /// Seconds that it is behind.
    backlog_s: Option<f64>,
    /// Rows written a second.
    output_rows_per_s: Option<f64>,
    /// Records that expectations dropped over the present update.
    dropped_records: u64,
}

impl From<&FlowWatch> for ShownFlow {
    fn from(flow: &FlowWatch) -> Self {
        Self {
            name: flow.name.clone(),
            status: flow.status.clone(),
            backlog_records: flow.backlog.records,
            backlog_bytes: flow.backlog.bytes,
            backlog_s: flow.backlog.seconds,
            output_rows_per_s: flow.output_rows_per_s,
            dropped_records: flow.dropped_records,
        }
    }
}

/// A pipeline with what is known around it.
struct Found<'a> {
    watch: &'a PipelineWatch,
    snapshot: &'a WorkspaceSnapshot,
    row: FleetRow,
}

impl Found<'_> {
    fn shown(&self) -> ShownPipeline {
        let pipeline = &self.watch.pipeline;
        ShownPipeline {
            workspace: self.snapshot.workspace.name.to_string(),
            environment: self.snapshot.workspace.environment.to_string(),
            pipeline_id: pipeline.id.to_string(),
            name: self.row.name.clone(),
            tier: self.row.tier,
            owner: self.row.owner.clone(),
            status: status_word(self.row.status),
            healthy: pipeline.healthy,
            continuous: pipeline.continuous,
            update: pipeline.updates.first().map(|update| ShownUpdate {
                update_id: update.id.to_string(),
                status: status_word(Status::from(&update.state)),
                created_at: update.created_at.map(instant),
            }),
            lag_s: self.row.lag_s(),
            lag_read_at: self.row.lag_read_at().map(instant),
            lag_failure: self.row.lag_failure().map(|failure| failure.message.clone()),
            flows: self.watch.flows.iter().map(ShownFlow::from).collect(),
        }
    }
}

/// Runs `lakeshift pipelines`.
pub(super) fn run(flags: &PipelinesFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let swept = sweep(context, &flags.sweep)?;
    let mut found: Vec<Found<'_>> =
        swept.snapshots.iter().flat_map(|snapshot| of_workspace(snapshot, &swept)).collect();
    found.retain(|found| !flags.failed || found.row.status.is_failure() || !found.watch.pipeline.healthy);
    print(&found, &swept, context)?;
    if context.output.format == Format::Text {
        for off in doctor::off_here(Feature::FlowFigures, &chosen(context, &flags.sweep.workspace)?) {
            writeln!(context.output.out, "\n{off}")?;
        }
    }
    swept.verdict(false, true)
}

fn of_workspace<'a>(snapshot: &'a WorkspaceSnapshot, swept: &Swept) -> Vec<Found<'a>> {
    let watches = snapshot.pipelines.value.iter().flat_map(|list| list.iter());
    let rows = fleet::pipelines(snapshot, &swept.inventory, swept.now);
    let mut all: Vec<Found<'a>> = watches.zip(rows).map(|(watch, row)| Found { watch, snapshot, row }).collect();
    all.sort_by(|a, b| a.row.name.cmp(&b.row.name));
    all
}

fn print(found: &[Found<'_>], swept: &Swept, context: &mut Context<'_>) -> Result<(), Failure> {
    match context.output.format {
        Format::Ndjson => found.iter().try_for_each(|found| context.output.document(&found.shown())),
        Format::Json => context.output.document(&PipelineList {
            at: instant(swept.now),
            workspaces: swept.workspaces(),
            pipelines: found.iter().map(Found::shown).collect(),
        }),
        Format::Text if found.is_empty() => {
            let told = if swept.verdict(false, true).is_ok() { "" } else { " in what could be read" };
            Ok(writeln!(context.output.out, "no such pipelines{told}")?)
        }
        Format::Text => {
            let mut table = Table::new(&[
                ("ENV", Align::Left),
                ("PIPELINE", Align::Left),
                ("TIER", Align::Right),
                ("STATE", Align::Left),
                ("UPDATE", Align::Right),
                ("BEHIND", Align::Right),
                ("RECORDS", Align::Right),
                ("OWNER", Align::Left),
                ("ID", Align::Left),
            ]);
            for found in found {
                let pipeline = &found.watch.pipeline;
                let row = &found.row;
                let records = match &row.source {
                    Source::Pipeline { worst: Some(flow), .. } => flow.backlog.records,
                    _ => None,
                };
                let created_at = pipeline.updates.first().and_then(|update| update.created_at);
                table.row([
                    environment_cell(found.snapshot.workspace.environment),
                    Cell::from(&row.name),
                    Cell::from(row.tier.map(|tier| tier.to_string()).unwrap_or_default()),
                    status_cell(row.status),
                    Cell::from(ago(created_at, found.snapshot.world_now(swept.now))),
                    lag_cell(row, swept.now),
                    Cell::from(records.map(text::thousands).unwrap_or_default()),
                    Cell::from(row.owner.as_deref().unwrap_or_default()),
                    Cell::from(pipeline.id.as_str()),
                ]);
            }
            table.print(context.output.out, context.output.color)?;
            swept.note_unread(false, true, context.output.out)
        }
    }
}
