//! `lakeshift run start`, `run cancel` and `run repair`.

use std::collections::BTreeMap;

use clap::Args;
use futures::future::FutureExt;

use super::Context;
use super::confirm::Proposal;
use super::failure::{Failure, Kind as FailureKind};
use super::operate::{ActFlags, Desk, Planned};
use super::sweep::block_on;
use crate::databricks::{Client, RunsQuery};
use crate::domain::ids::{JobId, RunId};
use crate::domain::inventory::{ObjectFacts, ObjectKind};
use crate::domain::job::Job;
use crate::domain::run::Run;
use crate::operations::{Kind, cancel, outlook, repair, run_now};

/// What `run start` is told.
#[derive(Args, Clone, Debug)]
pub struct StartFlags {
    /// The job's id or its name.
    #[arg(value_name = "JOB")]
    job: String,
    /// A job parameter that differs from its default; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Only this task, with `+` before it for what is upstream and behind it for what is downstream; may be given several
    /// times.
    #[arg(long, value_name = "TASK")]
    only: Vec<String>,
    /// What holds for every act.
    #[command(flatten)]
    act: ActFlags,
}

/// What `run cancel` is told.
#[derive(Args, Clone, Debug)]
pub struct CancelFlags {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    run: RunId,
    /// What holds for every act.
    #[command(flatten)]
    act: ActFlags,
}

/// What `run repair` is told.
#[derive(Args, Clone, Debug)]
pub struct RepairFlags {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    run: RunId,
    /// Only this task; may be given several times. Without it all that failed or did not run.
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
    /// Run again what depends on these tasks, too.
    #[arg(long, requires = "task")]
    dependents: bool,
    /// What holds for every act.
    #[command(flatten)]
    act: ActFlags,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn desk(flags: &ActFlags, context: &Context<'_>, command: &str) -> Result<Desk, Failure> {
    Desk::open(flags.workspace.as_slice(), context, command)
}

/// The job of this id or name, if this workspace has it.
async fn job_of(client: Client, wanted: String) -> Result<Option<Job>, Failure> {
    if let Ok(id) = wanted.parse::<JobId>() {
        return match client.job(id).await {
            Ok(job) => Ok(Some(job)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(Failure::from(&error)),
        };
    }
    let jobs = client.jobs(true).await.map_err(|error| Failure::from(&error))?;
    let mut named = jobs.into_iter().filter(|job| job.name == wanted);
    match (named.next(), named.next()) {
        (Some(one), Some(other)) => {
            Err(Failure::new(FailureKind::User, format!("jobs {} and {} are both called {wanted}", one.id, other.id))
                .hint("Say which by its id."))
        }
        (found, _) => Ok(found),
    }
}

/// The run, complete, and its job, if this workspace has it.
async fn run_of(client: Client, id: RunId) -> Result<Option<(Run, Option<Job>)>, Failure> {
    match client.run(id).await {
        // A deleted job still has its runs.
        Ok(run) => {
            let job = client.job(run.job).await.ok();
            Ok(Some((run, job)))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Failure::from(&error)),
    }
}

/// Runs `lakeshift run start`.
pub(super) fn start(flags: &StartFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let desk = desk(&flags.act, context, "run start")?;
    let propose = async |desk: &Desk| {
        let in_hand = desk.in_hand()?;
        let what = format!("job {}", flags.job);
        let found = desk.find(&what, |client| job_of(client, flags.job.clone()).boxed()).await?;
        let job = &found.object;
        let query = RunsQuery { active_only: true, job: Some(job.id), ..RunsQuery::default() };
        let active_runs = found.client.runs(&query).await.map_err(|error| Failure::from(&error))?.len();
        let facts = ObjectFacts { kind: ObjectKind::Job, id: &job.id.to_string(), name: &job.name, tags: &job.tags };
        let planned = desk.planning(&found, Kind::RunNow, facts, &flags.act, &in_hand).await;
        let parameters: BTreeMap<String, String> = flags.parameters.iter().cloned().collect();
        let order = run_now::Order { job, active_runs, parameters, only: flags.only.clone() };
        let plan = run_now::plan(&planned.planning, &order);
        let outlook = outlook::of_run_now(job, active_runs, planned.world_now);
        planned.proposes(plan, outlook)
    };
    block_on(desk.carry_out(propose, &flags.act, context))?
}

/// Runs `lakeshift run cancel`.
pub(super) fn cancel(flags: &CancelFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    on_run("run cancel", Kind::Cancel, flags.run, &flags.act, context, |planned, run, _| {
        let plan = cancel::plan(&planned.planning, run);
        planned.proposes(plan, outlook::of_cancel(run))
    })
}

/// Runs `lakeshift run repair`.
pub(super) fn repair(flags: &RepairFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    on_run("run repair", Kind::Repair, flags.run, &flags.act, context, |planned, run, job| {
        let order = repair::Order { run, tasks: flags.task.clone(), dependents: flags.dependents };
        let plan = repair::plan(&planned.planning, &order);
        let outlook = outlook::of_repair(run, job, &flags.task, flags.dependents, planned.world_now);
        planned.proposes(plan, outlook)
    })
}

/// Finds a run, plans an act on it and carries the plan out.
fn on_run(
    command: &str,
    kind: Kind,
    id: RunId,
    flags: &ActFlags,
    context: &mut Context<'_>,
    plan: impl Fn(Planned<'_>, &Run, Option<&Job>) -> Result<Proposal, Failure>,
) -> Result<(), Failure> {
    let desk = desk(flags, context, command)?;
    let propose = async |desk: &Desk| {
        let in_hand = desk.in_hand()?;
        let found = desk.find(&format!("run {id}"), |client| run_of(client, id).boxed()).await?;
        let (run, job) = &found.object;
        let (job_id, no_tags) = (run.job.to_string(), BTreeMap::new());
        let (name, tags) = job.as_ref().map_or((&run.name, &no_tags), |job| (&job.name, &job.tags));
        let facts = ObjectFacts { kind: ObjectKind::Job, id: &job_id, name, tags };
        let planned = desk.planning(&found, kind, facts, flags, &in_hand).await;
        plan(planned, run, job.as_ref())
    };
    block_on(desk.carry_out(propose, flags, context))?
}
