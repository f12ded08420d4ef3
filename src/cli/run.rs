//! `lakeshift run`: acts on runs are in `run_acts`; here is `run show`: one run with its tasks, repairs and the error of the task that failed first.

use std::sync::Arc;

use chrono_tz::Tz;
use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::{Failure, Kind};
use super::output::{Document, Format};
use super::runs::ShownRun;
use super::sweep::{block_on, chosen, instant, local, seed, status_cell, status_word, took};
use super::table::{Align, Cell, Table};
use crate::config::Config;
use crate::databricks::{Error, Observer};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::RunId;
use crate::domain::inventory::{Classification, ObjectFacts, ObjectKind};
use crate::domain::request::{Lane, RequestRecord};
use crate::domain::run::{Output, Repair, Run, TaskRun};
use crate::domain::status::Status;
use crate::domain::text;
use crate::domain::workspace::Workspace;
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::{ConnectError, Link, connect};

/// What to do with a run.
#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// Show a run: tasks, repairs, and the error of the task that failed first.
    Show {
        /// The run's id.
        #[arg(value_name = "RUN_ID")]
        run: RunId,
        /// The workspace that it is in; without it all are asked.
        #[arg(long, value_name = "NAME")]
        workspace: Option<String>,
    },
    /// Start a run of a job, exactly once however often the network fails.
    Start(super::run_acts::StartFlags),
    /// Cancel a run, and see it ended.
    Cancel(super::run_acts::CancelFlags),
    /// Run the failed tasks of a run again, with the job's present settings.
    Repair(super::run_acts::RepairFlags),
}

/// One run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunPage {
    /// The run.
    run: ShownRun,
    /// Parameters as the run resolved them.
    parameters: Vec<Parameter>,
    /// All attempts of all tasks.
    tasks: Vec<ShownTask>,
    /// Repairs in order.
    repairs: Vec<ShownRepair>,
    /// The error of the task that failed first.
    failure: Option<ShownError>,
}

impl Document for RunPage {
    const SCHEMA: &'static str = "lakeshift.run-show/1";
}

/// A parameter.
#[derive(Debug, Serialize, JsonSchema)]
struct Parameter {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// One attempt of a task.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownTask {
    /// The task's key.
    task: String,
    /// The id of this attempt.
    run_id: u64,
    /// 0 for the first.
    attempt: u32,
    /// The payload's kind: `notebook`, `pipeline`, `sql`, ...
    kind: String,
    /// Where it stands.
    status: String,
    /// What the platform says about it.
    message: String,
    /// When it was launched (workspace time).
    started_at: Option<String>,
    /// When it ended (workspace time).
    ended_at: Option<String>,
    /// Waiting for a slot, in milliseconds.
    queued_ms: u64,
    /// Waiting for compute, in milliseconds.
    setup_ms: u64,
    /// Running user code, in milliseconds.
    execution_ms: u64,
}

/// A repair.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownRepair {
    /// Its id.
    repair_id: u64,
    /// Where it stands.
    status: String,
    /// When it began (workspace time).
    started_at: Option<String>,
    /// When it ended (workspace time).
    ended_at: Option<String>,
}

/// The error of a task.
#[derive(Debug, Serialize, JsonSchema)]
struct ShownError {
    /// The task.
    task: String,
    /// Its error.
    error: Option<String>,
    /// Its stack trace; may hold escape sequences of the cluster's terminal.
    trace: Option<String>,
    /// Why error and trace could not be read, if so.
    unread: Option<String>,
}

/// A run as it was found.
struct Found {
    workspace: Workspace,
    run: Run,
    of_job: Classification,
    failure: Option<(TaskRun, Result<Output, Error>)>,
    now: Instant,
}

/// Runs `lakeshift run`.
pub(super) fn run(command: &RunCommand, context: &mut Context<'_>) -> Result<(), Failure> {
    let (run, workspace) = match command {
        RunCommand::Show { run, workspace } => (run, workspace),
        RunCommand::Start(flags) => return super::run_acts::start(flags, context),
        RunCommand::Cancel(flags) => return super::run_acts::cancel(flags, context),
        RunCommand::Repair(flags) => return super::run_acts::repair(flags, context),
    };
    let config = chosen(context, workspace.as_slice())?;
    let found = block_on(find(*run, &config, context))??;
    if context.output.format == Format::Text {
        print(&found, &config, context)?;
    } else {
        context.output.document(&found.page())?;
    }
    // The run is told in any case: half an answer is better than none, as long as it says that it is half.
    match &found.failure {
        Some((_, Err(error))) if !error.is_not_found() => Err(Failure::from(error)),
        _ => Ok(()),
    }
}

async fn find(id: RunId, config: &Config, context: &Context<'_>) -> Result<Found, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ignored: Observer = Arc::new(|_: RequestRecord| {});
    let links = connect(config, context.environment, &clock, &ignored, seed());
    let asked = links.iter().map(|link| async move { (link, ask(link, id).await) });
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for (link, answer) in futures::future::join_all(asked).await {
        match answer {
            Ok(Some(run)) => found.push((link, run)),
            Ok(None) => {}
            Err(failure) => failures.push(failure),
        }
    }
    match (found.len(), all_of(failures)) {
        (1, _) => {}
        (0, Some(failure)) => return Err(failure),
        (0, None) => {
            let names: Vec<&str> = links.iter().map(|link| link.workspace().name.as_str()).collect();
            return Err(Failure::new(Kind::User, format!("there is no run {id} in {}", names.join(", ")))
                .hint("`lakeshift runs` lists the recent ones."));
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|(link, _)| link.workspace().name.as_str()).collect();
            return Err(Failure::new(Kind::User, format!("there is a run {id} in each of {}", names.join(", ")))
                .hint("Say which with --workspace."));
        }
    }
    let Some((link, run)) = found.pop() else {
        return Err(Failure::new(Kind::Internal, "the run that was found is gone"));
    };
    complete(link, run, config, clock.as_ref()).await
}

/// Several failures as one; none if there is none.
fn all_of(failures: Vec<Failure>) -> Option<Failure> {
    failures.into_iter().reduce(|mut all, next| {
        all.kind = all.kind.max(next.kind);
        all.message = format!("{}\n{}", all.message, next.message);
        all.hints.extend(next.hints);
        all
    })
}

/// The run, if this workspace has it.
async fn ask(link: &Link, id: RunId) -> Result<Option<Run>, Failure> {
    let client = link.client(Role::Reader).map_err(|error| of_connection(link.workspace(), &error))?;
    match client.in_lane(Lane::Look).run(id).await {
        Ok(run) => Ok(Some(run)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Failure::from(&error)),
    }
}

/// Adds what stands elsewhere: the job's tags, and the output of the task that failed first.
async fn complete(link: &Link, run: Run, config: &Config, clock: &dyn Clock) -> Result<Found, Failure> {
    let client = link.client(Role::Reader).map_err(|error| of_connection(link.workspace(), &error))?;
    let client = client.in_lane(Lane::Look);
    // A deleted job, or one that may not be read, still has its runs.
    let job = client.job(run.job).await.ok();
    let failure = match run.failed_task() {
        Some(task) => Some((task.clone(), client.run_output(task.id).await)),
        None => None,
    };
    let (id, no_tags) = (run.job.to_string(), std::collections::BTreeMap::new());
    let (name, tags) = job.as_ref().map_or((&run.name, &no_tags), |job| (&job.name, &job.tags));
    let facts = ObjectFacts { kind: ObjectKind::Job, id: &id, name, tags };
    let workspace = link.workspace().clone();
    let now = clock.now() + chrono::TimeDelta::milliseconds(client.clock_offset_ms());
    Ok(Found { of_job: config.inventory().classify(&workspace, facts), workspace, run, failure, now })
}

fn of_connection(workspace: &Workspace, error: &ConnectError) -> Failure {
    let (kind, hint) = match error {
        ConnectError::Credential(error) => (Kind::Auth, error.hint()),
        _ => (Kind::Config, None),
    };
    let failure = Failure::new(kind, format!("{}: {error}", workspace.name));
    hint.into_iter().fold(failure, Failure::hint)
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        use crate::databricks::{Class, Kind as ErrorKind};
        let kind = match (error.kind(), error.class()) {
            (ErrorKind::Auth(_), _) | (_, Some(Class::Unauthenticated)) => Kind::Auth,
            _ => Kind::Remote,
        };
        error.hint().into_iter().fold(Self::new(kind, error.to_string()), Self::hint)
    }
}

impl Found {
    fn page(&self) -> RunPage {
        let run = &self.run;
        RunPage {
            run: ShownRun::of(run, &self.workspace, &self.of_job, self.now),
            parameters: run
                .parameters
                .iter()
                .map(|(name, value)| Parameter { name: name.clone(), value: value.clone() })
                .collect(),
            tasks: run.tasks.iter().map(ShownTask::from).collect(),
            repairs: run.repairs.iter().map(ShownRepair::from).collect(),
            failure: self.failure.as_ref().map(|(task, output)| ShownError {
                task: task.key.clone(),
                error: output.as_ref().ok().and_then(|output| output.error.clone()),
                trace: output.as_ref().ok().and_then(|output| output.trace.clone()),
                unread: output.as_ref().err().map(ToString::to_string),
            }),
        }
    }
}

impl From<&TaskRun> for ShownTask {
    fn from(task: &TaskRun) -> Self {
        Self {
            task: task.key.clone(),
            run_id: task.id.0,
            attempt: task.attempt,
            kind: task.kind.clone(),
            status: status_word(Status::from(&task.state)),
            message: task.message.clone(),
            started_at: task.started_at.map(instant),
            ended_at: task.ended_at.map(instant),
            queued_ms: task.spent.queued_ms,
            setup_ms: task.spent.setup_ms,
            execution_ms: task.spent.execution_ms,
        }
    }
}

impl From<&Repair> for ShownRepair {
    fn from(repair: &Repair) -> Self {
        Self {
            repair_id: repair.id.0,
            status: status_word(Status::from(&repair.state)),
            started_at: repair.started_at.map(instant),
            ended_at: repair.ended_at.map(instant),
        }
    }
}

fn print(found: &Found, config: &Config, context: &mut Context<'_>) -> Result<(), Failure> {
    let Found { workspace, run, of_job, now, .. } = found;
    let zone = config.personal.time_zone.0;
    let (out, color) = (&mut context.output.out, context.output.color);
    let mut head = Table::new(&[("RUN", Align::Left), ("", Align::Left)]);
    head.row([Cell::from("run"), Cell::from(format!("{} in {}", run.id, workspace.name))]);
    head.row([Cell::from("job"), Cell::from(format!("{} ({})", of_job.display_name, run.job))]);
    head.row([Cell::from("state"), status_cell(Status::from(&run.state))]);
    head.row([Cell::from("time"), Cell::from(times(run, zone, *now))]);
    head.row([Cell::from("trigger"), Cell::from(run.trigger.to_lowercase().replace('_', " "))]);
    for (name, text) in [("by", run.creator.as_ref()), ("says", Some(&run.message)), ("page", run.page_url.as_ref())] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            head.row([Cell::from(name), Cell::from(text)]);
        }
    }
    for (name, value) in &run.parameters {
        head.row([Cell::from("parameter"), Cell::from(format!("{name} = {value}"))]);
    }
    head.print_rows(out, color)?;
    writeln!(out)?;
    let mut tasks = Table::new(&[
        ("TASK", Align::Left),
        ("TRY", Align::Right),
        ("KIND", Align::Left),
        ("STATE", Align::Left),
        ("QUEUED", Align::Right),
        ("SETUP", Align::Right),
        ("RAN", Align::Right),
        ("TASK RUN", Align::Right),
    ]);
    for task in &run.tasks {
        let spent = |ms: u64| took((ms > 0).then_some(ms));
        tasks.row([
            Cell::from(&task.key),
            Cell::from((task.attempt + 1).to_string()),
            Cell::from(&task.kind),
            status_cell(Status::from(&task.state)),
            Cell::from(spent(task.spent.queued_ms)),
            Cell::from(spent(task.spent.setup_ms)),
            Cell::from(spent(task.spent.execution_ms)),
            Cell::from(task.id.to_string()),
        ]);
    }
    tasks.print(out, color)?;
    if let Some((task, output)) = &found.failure {
        writeln!(out, "\n{} failed:", text::line(&task.key))?;
        let told = match output {
            Ok(output) => [output.error.clone(), output.trace.clone()],
            Err(error) => [Some(format!("its output could not be read: {error}")), None],
        };
        for line in told.iter().flatten().flat_map(|part| text::lines(part)) {
            writeln!(out, "{}", format!("  {line}").trim_end())?;
        }
    }
    Ok(())
}

/// How long a run took or has taken, and from when to when.
fn times(run: &Run, zone: Tz, now: Instant) -> String {
    let since = local(run.started_at, zone);
    match (run.started_at, run.ended_at) {
        (None, _) => "not started".to_owned(),
        (Some(_), None) => format!("{} (since {since} {zone})", took(run.took_ms(now))),
        (Some(_), Some(_)) => {
            format!("{} ({since} to {} {zone})", took(run.took_ms(now)), local(run.ended_at, zone))
        }
    }
}
