//! `lakeshift status`: is anything on fire, where, since when.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::output::{Document, Format};
use super::sweep::{
    ShownWorkspace, SweepFlags, Swept, Unread, ago, counted, environment_cell, instant, status_paint, status_word,
    sweep, took,
};
use super::table::{Align, Cell, Paint, Table};
use crate::domain::Instant;
use crate::domain::fleet::{self, Counts, FleetRow, Object, SortKey, Source, Urgency, rows};
use crate::domain::snapshot::{Freshness, WorkspaceSnapshot};
use crate::domain::text;
use crate::ui::text as units;

/// Columns of an error in a table; `run show` tells all of it.
const WHY_COLUMNS: usize = 80;

/// What `status` is asked.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusFlags {
    /// Which workspaces, and how closely.
    #[command(flatten)]
    pub sweep: SweepFlags,
    /// List everything, not only what wants a person.
    #[arg(long)]
    pub all: bool,
}

/// How the fleet is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FleetStatus {
    /// When it was looked at.
    at: String,
    /// How many objects of which kind there are in all workspaces.
    counts: ShownCounts,
    /// How much of that was listed and never read, so that it may want a person all the same; `--deep` reads it.
    unread: Unread,
    /// The workspaces, and how much of each could be read.
    workspaces: Vec<ShownWorkspace>,
    /// What wants a person, the most urgent first; everything, if everything was asked for.
    objects: Vec<ShownObject>,
}

impl Document for FleetStatus {
    const SCHEMA: &'static str = "lakeshift.status/1";
}

/// How many objects of which kind there are.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownCounts {
    /// Jobs and pipelines.
    total: usize,
    /// The same without the pipelines that a job updates: each is part of that job. The other counts are of these.
    rows: usize,
    /// Failed, and not running again.
    failing: usize,
    /// Streams that are behind.
    lagging: usize,
    /// Something of them is going on.
    active: usize,
    /// Running for much longer than usual.
    running_long: usize,
}

impl ShownCounts {
    fn new(total: usize, counts: Counts) -> Self {
        let Counts { total: rows, failing, lagging, running, long, .. } = counts;
        Self { total, rows, failing, lagging, active: running, running_long: long }
    }
}

/// A job or a pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownObject {
    /// Its workspace.
    workspace: String,
    /// `dev`, `staging` or `prod`.
    environment: String,
    /// `job` or `pipeline`.
    kind: String,
    /// Its id as the vendor spells it.
    id: String,
    /// Its name without development prefix.
    name: String,
    /// 1 is the most important.
    tier: Option<u8>,
    /// The product that it belongs to.
    product: Option<String>,
    /// Who answers for it.
    owner: Option<String>,
    /// Whether it is in the scope of SOX.
    sox: bool,
    /// Where it stands: `failed`, `lagging`, `running`, `ok`, ...
    status: String,
    /// Whether it wants a person.
    problem: bool,
    /// Since when it stands there (workspace time).
    since: Option<String>,
    /// How long the newest run took or has taken, in milliseconds.
    took_ms: Option<u64>,
    /// The median of the runs before, in milliseconds; none if too few are known.
    usual_ms: Option<u64>,
    /// How far behind a stream is, in seconds; what was read last, if it cannot be read now.
    lag_s: Option<u64>,
    /// When a running stream's lag was read (local time); none of others, and where it never was.
    lag_read_at: Option<String>,
    /// Why a running stream's lag cannot be read now, if it cannot: it may be behind without our knowing.
    lag_failure: Option<String>,
    /// Why the newest run failed, if it did and its output could be read.
    failure: Option<ShownFailure>,
}

/// Why a run failed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownFailure {
    /// The run.
    pub run_id: u64,
    /// The task that failed first.
    pub task: String,
    /// The first line of its error.
    pub error: String,
}

/// A row with its workspace's time.
struct Dated {
    row: FleetRow,
    now: Instant,
}

/// Runs `lakeshift status`.
pub(super) fn run(flags: &StatusFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let swept = sweep(context, &flags.sweep)?;
    print(&swept, flags.all, context)?;
    swept.verdict(true, true)
}

fn print(swept: &Swept, all: bool, context: &mut Context<'_>) -> Result<(), Failure> {
    let mut rows: Vec<Dated> = swept.snapshots.iter().flat_map(|snapshot| dated(snapshot, swept)).collect();
    let counts = Counts::of(rows.iter().map(|dated| &dated.row));
    rows.retain(|dated| all || dated.row.urgency.is_problem());
    rows.sort_by(|a, b| SortKey::Urgency.compare(&a.row, &b.row, a.now));
    if context.output.format != Format::Text {
        return context.output.document(&FleetStatus {
            at: instant(swept.now),
            counts: ShownCounts::new(swept.snapshots.iter().map(fleet::objects).sum(), counts),
            unread: swept.unread(),
            workspaces: swept.workspaces(),
            objects: rows.iter().map(|dated| ShownObject::of(&dated.row, dated.now)).collect(),
        });
    }
    let (out, color) = (&mut context.output.out, context.output.color);
    let mut table = Table::new(&[
        ("ENV", Align::Left),
        ("WORKSPACE", Align::Left),
        ("OBJECTS", Align::Right),
        ("ROWS", Align::Right),
        ("FAILING", Align::Right),
        ("LAGGING", Align::Right),
        ("ACTIVE", Align::Right),
        ("DATA", Align::Left),
    ]);
    for snapshot in &swept.snapshots {
        let counts = Counts::of(dated(snapshot, swept).iter().map(|dated| &dated.row));
        // Zero would be a lie where nothing was read.
        let unless_unread = |cell: Cell| if has_read(snapshot) { cell } else { Cell::painted("?", Paint::Muted) };
        table.row([
            environment_cell(snapshot.workspace.environment),
            Cell::from(snapshot.workspace.name.as_str()),
            unless_unread(Cell::from(fleet::objects(snapshot).to_string())),
            unless_unread(Cell::from(counts.total.to_string())),
            unless_unread(problems(counts.failing)),
            unless_unread(problems(counts.lagging)),
            unless_unread(Cell::from(counts.running.to_string())),
            data(snapshot, counts.unreadable, swept.now),
        ]);
    }
    table.print(out, color)?;
    writeln!(out)?;
    if rows.is_empty() {
        let whole = swept.verdict(true, true).is_ok() && swept.unread() == Unread::default();
        let read = swept.snapshots.iter().any(has_read);
        let words = match (whole, read) {
            (true, _) => "nothing wants a person",
            (false, true) => "nothing wants a person in what was read",
            (false, false) => "nothing could be read",
        };
        writeln!(out, "{words}")?;
    } else {
        objects(&rows, swept.now).print(out, color)?;
    }
    swept.note_unread(true, true, out)
}

fn dated(snapshot: &WorkspaceSnapshot, swept: &Swept) -> Vec<Dated> {
    let now = snapshot.world_now(swept.now);
    rows(snapshot, &swept.inventory, swept.now).into_iter().map(|row| Dated { row, now }).collect()
}

/// Whether anything of a workspace was ever read.
fn has_read(snapshot: &WorkspaceSnapshot) -> bool {
    snapshot.jobs.value.is_some() || snapshot.pipelines.value.is_some()
}

fn problems(number: usize) -> Cell {
    Cell::painted(number.to_string(), if number > 0 { Paint::Bad } else { Paint::Plain })
}

fn data(snapshot: &WorkspaceSnapshot, unreadable: usize, now: Instant) -> Cell {
    let words = |freshness: Freshness| match freshness {
        Freshness::Loading => ("nothing read".to_owned(), Paint::Bad),
        Freshness::Fresh { .. } => ("fresh".to_owned(), Paint::Good),
        Freshness::Stale { age_s } => (format!("{} old", units::age(age_s)), Paint::Warning),
        Freshness::Failed { failure, age_s: None } => (failure.brief, Paint::Bad),
        Freshness::Failed { failure, age_s: Some(age_s) } => {
            (format!("{}, {} old", failure.brief, units::age(age_s)), Paint::Bad)
        }
    };
    let (jobs, pipelines) = (snapshot.jobs.freshness(now), snapshot.pipelines.freshness(now));
    let worse = if matches!(jobs, Freshness::Fresh { .. }) { pipelines } else { jobs };
    let (text, paint) = words(worse);
    match unreadable {
        0 => Cell::painted(text, paint),
        _ => Cell::painted(format!("{text}, {} unread", counted(unreadable, "lag")), Paint::Bad),
    }
}

/// How far behind a stream is; if that is not of now, how old it is.
pub(super) fn lag_cell(row: &FleetRow, now: Instant) -> Cell {
    let lag = row.lag_s().map(units::lag).unwrap_or_default();
    let age_s = match row.lag_freshness(now) {
        None | Some(Freshness::Fresh { .. }) => return Cell::from(lag),
        Some(Freshness::Loading | Freshness::Failed { age_s: None, .. }) => None,
        Some(Freshness::Stale { age_s } | Freshness::Failed { age_s: Some(age_s), .. }) => Some(age_s),
    };
    let old = age_s.map(|age_s| format!("{} old", units::age(age_s)));
    let words = [Some(lag).filter(|lag| !lag.is_empty()), Some(old.unwrap_or_else(|| "unread".to_owned()))];
    Cell::painted(words.into_iter().flatten().collect::<Vec<_>>().join(", "), Paint::Warning)
}

fn objects(rows: &[Dated], swept_at: Instant) -> Table {
    let mut table = Table::new(&[
        ("ENV", Align::Left),
        ("NAME", Align::Left),
        ("TIER", Align::Right),
        ("STATE", Align::Left),
        ("SINCE", Align::Right),
        ("TOOK", Align::Right),
        ("USUAL", Align::Right),
        ("LAG", Align::Right),
        ("OWNER", Align::Left),
        ("RUN", Align::Right),
        ("WHY", Align::Left),
    ]);
    for Dated { row, now } in rows {
        let failure = row.failure();
        let why = failure.as_ref().map(|failure| text::line(&format!("{}: {}", failure.task, failure.error)));
        table.row([
            environment_cell(row.environment),
            Cell::from(&row.name),
            Cell::from(row.tier.map(|tier| tier.to_string()).unwrap_or_default()),
            Cell::painted(standing(row), status_paint(row.status)),
            Cell::from(ago(row.since, *now)),
            Cell::from(took(row.took_ms(*now))),
            Cell::from(took(row.timing.usual_ms)),
            lag_cell(row, swept_at),
            Cell::from(row.owner.as_deref().unwrap_or_default()),
            Cell::from(failure.map(|failure| failure.run_id.to_string()).unwrap_or_default()),
            Cell::from(units::cut_end(&why.unwrap_or_default(), WHY_COLUMNS, "...")),
        ]);
    }
    table
}

/// Why a row's newest run failed.
trait Failed {
    fn failure(&self) -> Option<ShownFailure>;
}

impl Failed for FleetRow {
    fn failure(&self) -> Option<ShownFailure> {
        match &self.source {
            Source::Job { failure, .. } => failure.as_ref().map(|note| ShownFailure {
                run_id: note.run.0,
                task: note.task.clone(),
                error: note.error.clone(),
            }),
            Source::Pipeline { .. } => None,
        }
    }
}

impl ShownObject {
    /// A row as it is told, with its workspace's time.
    pub(super) fn of(row: &FleetRow, now: Instant) -> Self {
        Self {
            workspace: row.id.workspace.to_string(),
            environment: row.environment.to_string(),
            kind: match row.id.object {
                Object::Job(_) => "job".to_owned(),
                Object::Pipeline(_) => "pipeline".to_owned(),
            },
            id: row.id.object.to_string(),
            name: row.name.clone(),
            tier: row.tier,
            product: row.product.clone(),
            owner: row.owner.clone(),
            sox: row.sox,
            status: status_word(row.status),
            problem: row.urgency.is_problem(),
            since: row.since.map(instant),
            took_ms: row.took_ms(now),
            usual_ms: row.timing.usual_ms,
            lag_s: row.lag_s(),
            lag_read_at: row.lag_read_at().map(instant),
            lag_failure: row.lag_failure().map(|failure| failure.message.clone()),
            failure: row.failure(),
        }
    }

    /// Why the newest run failed, if it did and its output could be read.
    pub(super) fn failure(&self) -> Option<&ShownFailure> {
        self.failure.as_ref()
    }
}

/// Where a row stands, in words; a run that is too long says so.
pub(super) fn standing(row: &FleetRow) -> &'static str {
    if row.urgency == Urgency::RunningLong { "running long" } else { row.status.word() }
}
