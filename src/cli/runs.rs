//! `lakeshift runs`: the recent runs of all jobs, newest first.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::output::{Document, Format};
use super::sweep::{
    ShownWorkspace, SweepFlags, Swept, environment_cell, instant, local, status_cell, status_word, sweep, took,
};
use super::table::{Align, Cell, Table};
use crate::domain::Instant;
use crate::domain::glob::Glob;
use crate::domain::inventory::{Classification, ObjectFacts, ObjectKind};
use crate::domain::run::Run;
use crate::domain::snapshot::{JobWatch, WorkspaceSnapshot};
use crate::domain::status::Status;
use crate::domain::workspace::Workspace;

/// What `runs` is asked.
#[derive(Args, Clone, Debug)]
pub struct RunsFlags {
    /// Which workspaces, and how closely.
    #[command(flatten)]
    pub sweep: SweepFlags,
    /// Only runs of this job: its id, or its name (`*` stands for any text).
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only runs that failed.
    #[arg(long)]
    pub failed: bool,
    /// Only runs that are not over.
    #[arg(long, conflicts_with = "failed")]
    pub active: bool,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// Recent runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunList {
    /// When they were read.
    at: String,
    /// The workspaces, and how much of each could be read.
    workspaces: Vec<ShownWorkspace>,
    /// The newest first.
    runs: Vec<ShownRun>,
}

impl Document for RunList {
    const SCHEMA: &'static str = "lakeshift.runs/1";
}

/// A run of a job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownRun {
    /// Its workspace.
    pub workspace: String,
    /// `dev`, `staging` or `prod`.
    pub environment: String,
    /// The run's id, unique within the workspace.
    pub run_id: u64,
    /// The job's id.
    pub job_id: u64,
    /// The job's name without development prefix.
    pub job: String,
    /// 1 is the most important.
    pub tier: Option<u8>,
    /// Who answers for the job.
    pub owner: Option<String>,
    /// Where it stands: `running`, `ok`, `failed`, ...
    pub status: String,
    /// What the platform says about it.
    pub message: String,
    /// What started it, as the vendor spells it: `PERIODIC`, `ONE_TIME`, ...
    pub trigger: String,
    /// Who started it.
    pub creator: Option<String>,
    /// When it was launched (workspace time).
    pub started_at: Option<String>,
    /// When it ended (workspace time).
    pub ended_at: Option<String>,
    /// How long it took or has taken, in milliseconds.
    pub took_ms: Option<u64>,
    /// Its page in the vendor's UI.
    pub page_url: Option<String>,
}

impl Document for ShownRun {
    const SCHEMA: &'static str = "lakeshift.run/1";
}

impl ShownRun {
    /// A run as it is told, with its workspace's time.
    pub(super) fn of(run: &Run, workspace: &Workspace, of_job: &Classification, now: Instant) -> Self {
        Self {
            workspace: workspace.name.to_string(),
            environment: workspace.environment.to_string(),
            run_id: run.id.0,
            job_id: run.job.0,
            job: of_job.display_name.clone(),
            tier: of_job.tier,
            owner: of_job.owner.clone(),
            status: status_word(Status::from(&run.state)),
            message: run.message.clone(),
            trigger: run.trigger.clone(),
            creator: run.creator.clone(),
            started_at: run.started_at.map(instant),
            ended_at: run.ended_at.map(instant),
            took_ms: run.took_ms(now),
            page_url: run.page_url.clone(),
        }
    }
}

/// A run with what is known around it.
struct Found<'a> {
    run: &'a Run,
    snapshot: &'a WorkspaceSnapshot,
    of_job: Classification,
}

/// Runs `lakeshift runs`.
pub(super) fn run(flags: &RunsFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let swept = sweep(context, &flags.sweep)?;
    let mut found = find(flags, &swept);
    found.sort_by_key(|found| std::cmp::Reverse((found.run.started_at, found.run.id)));
    let known = found.len();
    found.truncate(flags.limit);
    print(&found, known, &swept, context)?;
    swept.verdict(true, false)
}

fn find<'a>(flags: &RunsFlags, swept: &'a Swept) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for snapshot in &swept.snapshots {
        for watch in snapshot.jobs.value.iter().flat_map(|jobs| jobs.iter()) {
            let of_job = of_job(watch, snapshot, swept);
            if !flags.job.as_deref().is_none_or(|wanted| is_job(wanted, watch, &of_job)) {
                continue;
            }
            let wanted = |run: &Run| {
                let status = Status::from(&run.state);
                (!flags.failed || run.state.is_failure()) && (!flags.active || status.is_active())
            };
            let runs = watch.runs.iter().filter(|run| wanted(run));
            found.extend(runs.map(|run| Found { run, snapshot, of_job: of_job.clone() }));
        }
    }
    found
}

fn of_job(watch: &JobWatch, snapshot: &WorkspaceSnapshot, swept: &Swept) -> Classification {
    let job = &watch.job;
    let id = job.id.to_string();
    let facts = ObjectFacts { kind: ObjectKind::Job, id: &id, name: &job.name, tags: &job.tags };
    swept.inventory.classify(&snapshot.workspace, facts)
}

fn is_job(wanted: &str, watch: &JobWatch, of_job: &Classification) -> bool {
    let pattern = Glob::new(wanted);
    wanted == watch.job.id.to_string() || pattern.matches(&of_job.display_name) || pattern.matches(&watch.job.name)
}

/// Prints the newest of so many known runs.
fn print(found: &[Found<'_>], known: usize, swept: &Swept, context: &mut Context<'_>) -> Result<(), Failure> {
    let shown = |found: &Found<'_>| {
        let now = found.snapshot.world_now(swept.now);
        ShownRun::of(found.run, &found.snapshot.workspace, &found.of_job, now)
    };
    match context.output.format {
        Format::Ndjson => found.iter().try_for_each(|found| context.output.document(&shown(found))),
        Format::Json => context.output.document(&RunList {
            at: instant(swept.now),
            workspaces: swept.workspaces(),
            runs: found.iter().map(shown).collect(),
        }),
        Format::Text if found.is_empty() => {
            let told = if swept.verdict(true, false).is_ok() { "" } else { " in what could be read" };
            writeln!(context.output.out, "no such runs{told}")?;
            swept.note_unread(true, false, context.output.out)
        }
        Format::Text => {
            let shown = found.len();
            let of = if shown < known { format!("the newest {shown} of {known} runs; ") } else { String::new() };
            writeln!(context.output.out, "{of}times in {}", swept.zone)?;
            let mut table = Table::new(&[
                ("ENV", Align::Left),
                ("RUN", Align::Right),
                ("JOB", Align::Left),
                ("TIER", Align::Right),
                ("STATE", Align::Left),
                ("STARTED", Align::Left),
                ("TOOK", Align::Right),
                ("TRIGGER", Align::Left),
                ("BY", Align::Left),
            ]);
            for Found { run, snapshot, of_job } in found {
                table.row([
                    environment_cell(snapshot.workspace.environment),
                    Cell::from(run.id.to_string()),
                    Cell::from(&of_job.display_name),
                    Cell::from(of_job.tier.map(|tier| tier.to_string()).unwrap_or_default()),
                    status_cell(Status::from(&run.state)),
                    Cell::from(local(run.started_at, swept.zone)),
                    Cell::from(took(run.took_ms(snapshot.world_now(swept.now)))),
                    Cell::from(run.trigger.to_lowercase().replace('_', " ")),
                    Cell::from(run.creator.as_deref().unwrap_or_default()),
                ]);
            }
            table.print(context.output.out, context.output.color)?;
            swept.note_unread(true, false, context.output.out)
        }
    }
}
