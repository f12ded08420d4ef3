//! Reads what an ask is about, and plans it: nothing that was seen earlier counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join;
use tokio::sync::Mutex;

use crate::app::act::{Answer, Ask, Declined, Preview, Wish};
use crate::config::Config;
use crate::databricks::{Client, Error, RunsQuery};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::fleet;
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::{Classification, Inventory, ObjectFacts, ObjectKind};
use crate::domain::job::{Job, Parameter};
use crate::domain::pipeline::Pipeline;
use crate::domain::proof::{Feature, Off, Proof, Subject, off};
use crate::domain::request::Lane;
use crate::domain::run::Run;
use crate::domain::workspace::Workspace;
use crate::operations::journal::Actor;
use crate::operations::outlook::{self, Outlook};
use crate::operations::plan::{Object, OperationId, Plan};
use crate::operations::planning::{Access, InHand};
use crate::operations::refusal::Refusal;
use crate::operations::{Planning, cancel, pipeline, repair, run_now};
use crate::runtime::authority::rights;
use crate::runtime::connect::Link;
use crate::runtime::doctor::in_use;
use crate::runtime::entropy::Ids;

/// What plans are made with.
pub struct Shop {
    /// The clients that act, by workspace, or why there is none.
    clients: BTreeMap<WorkspaceName, (Workspace, Access, Result<Client, String>)>,
    inventory: Arc<Inventory>,
    fleet_hash: String,
    late_bound_s: u32,
    has_ledger: bool,
    in_use: Vec<(Feature, Subject)>,
    actor: Actor,
    clock: Arc<dyn Clock>,
    ids: Mutex<Box<dyn Ids>>,
}

/// What is wanted, and what it is about as it was just read.
enum Seen {
    RunNow { job: Job, active_runs: usize, parameters: BTreeMap<String, String> },
    Cancel { run: Run, job: Option<Job> },
    Repair { run: Run, job: Option<Job>, tasks: Vec<String> },
    Start(Pipeline),
    Stop(Pipeline),
}

impl Shop {
    /// From the configuration and the ways to its workspaces.
    pub fn of(config: &Config, links: &[Link], actor: Actor, clock: Arc<dyn Clock>, ids: Box<dyn Ids>) -> Self {
        let clients = links.iter().map(|link| {
            let access = match (config.personal.read_only, link.configured.read_only) {
                (true, _) => Access::ReadOnly,
                (false, true) => Access::Locked,
                (false, false) => Access::Open,
            };
            let client = link.client(Role::Operator).map(|client| client.in_lane(Lane::Act));
            let client = client.map_err(|error| error.to_string());
            (link.workspace().name.clone(), (link.workspace().clone(), access, client))
        });
        Self {
            clients: clients.collect(),
            inventory: Arc::new(config.inventory()),
            fleet_hash: config.fleet_hash.clone(),
            late_bound_s: u32::try_from(config.fleet.operations.late_bound.0).unwrap_or(u32::MAX),
            has_ledger: config.fleet.ledger.is_some(),
            in_use: in_use(config),
            actor,
            clock,
            ids: Mutex::new(ids),
        }
    }

    /// A shop of no workspaces.
    #[cfg(test)]
    pub(super) fn nowhere(actor: Actor, clock: Arc<dyn Clock>, ids: Box<dyn Ids>) -> Self {
        let inventory = Arc::new(Inventory::default());
        let (clients, fleet_hash, ids) = (BTreeMap::new(), String::new(), Mutex::new(ids));
        Self {
            clients,
            inventory,
            fleet_hash,
            late_bound_s: 90,
            has_ledger: false,
            in_use: Vec::new(),
            actor,
            clock,
            ids,
        }
    }

    /// The same with what is in use and stands on proofs.
    #[cfg(test)]
    pub(super) fn relying_on(self, in_use: Vec<(Feature, Subject)>) -> Self {
        Self { in_use, ..self }
    }

    /// What of all that is in use is off, by the proofs of this machine.
    pub fn off(&self, proofs: &[Proof]) -> Vec<Off> {
        off(&self.in_use, proofs, self.clock.now(), &self.fleet_hash)
    }

    /// Plans what is asked for, on what is read now.
    pub async fn prepare(&self, ask: Ask, in_hand: Vec<InHand>, off: Vec<Off>) -> Answer {
        let Some((workspace, access, client)) = self.clients.get(&ask.object.workspace) else {
            return Answer::Unread(format!("the fleet has no workspace {}", ask.object.workspace));
        };
        let client = match client {
            Ok(client) => client,
            Err(why) => return Answer::Unread(format!("{}: {why}", workspace.name)),
        };
        let access = if ask.unlocked && *access == Access::Locked { Access::Open } else { *access };
        // Before anything is read: what is read is never newer than it claims to be.
        let observed_at = self.clock.now();
        let object = match &ask.object.object {
            fleet::Object::Job(job) => Object::Job(*job),
            fleet::Object::Pipeline(pipeline) => Object::Pipeline(pipeline.clone()),
        };
        let (seen, rights) = join(read(client, &ask.wish), rights(client, ask.wish.kind(), &object)).await;
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return Answer::Unread(said(&error)),
        };
        let now = self.clock.now();
        let known = seen.classified(&self.inventory, workspace);
        let planning = Planning {
            id: OperationId(self.ids.lock().await.ulid(now)),
            actor: self.actor.clone(),
            reason: ask.reason.clone(),
            fleet_hash: self.fleet_hash.clone(),
            now,
            observed_at,
            workspace,
            product: known.product,
            access,
            has_ledger: self.has_ledger,
            off,
            rights: rights.clone(),
            in_hand: &in_hand,
            late_bound_s: self.late_bound_s,
        };
        match seen.planned(&planning, client.world_now()) {
            (Err(refusals), _) => Answer::Refused(Declined { refusals, rights: Some(rights) }),
            (Ok(plan), outlook) => {
                let Outlook { effects, warnings, upcoming } = outlook.promising(known.sla.as_ref());
                let parameters = seen.parameters();
                let preview = Preview { plan, parameters, effects, warnings, upcoming, rights, approved_by: None };
                Answer::Ready(Box::new(preview))
            }
        }
    }
}

/// Reads what a wish is about.
async fn read(client: &Client, wish: &Wish) -> Result<Seen, Error> {
    Ok(match wish {
        Wish::RunNow { job, parameters } => {
            let query = RunsQuery { active_only: true, job: Some(*job), ..RunsQuery::default() };
            let (job, active) = join(client.job(*job), client.runs(&query)).await;
            Seen::RunNow { job: job?, active_runs: active?.len(), parameters: parameters.clone() }
        }
        Wish::Cancel { run, .. } => {
            let (run, job) = with_job(client, *run).await?;
            Seen::Cancel { run, job }
        }
        Wish::Repair { run, task, .. } => {
            let (run, job) = with_job(client, *run).await?;
            Seen::Repair { run, job, tasks: task.iter().cloned().collect() }
        }
        Wish::Start { pipeline } => Seen::Start(client.pipeline(pipeline).await?),
        Wish::Stop { pipeline } => Seen::Stop(client.pipeline(pipeline).await?),
    })
}

impl Seen {
    /// What the fleet says about it.
    fn classified(&self, inventory: &Inventory, workspace: &Workspace) -> Classification {
        let none = BTreeMap::new();
        let (kind, id, name, tags) = match self {
            Self::RunNow { job, .. } => (ObjectKind::Job, job.id.to_string(), &job.name, &job.tags),
            Self::Cancel { run, job } | Self::Repair { run, job, .. } => {
                let (name, tags) = job.as_ref().map_or((&run.name, &none), |job| (&job.name, &job.tags));
                (ObjectKind::Job, run.job.to_string(), name, tags)
            }
            Self::Start(found) | Self::Stop(found) => {
                (ObjectKind::Pipeline, found.id.to_string(), &found.name, &found.tags)
            }
        };
        inventory.classify(workspace, ObjectFacts { kind, id: &id, name, tags })
    }

    /// The plan, or all that forbids it, and what is told beside it. `now` is the workspace's time.
    fn planned(&self, planning: &Planning<'_>, now: Instant) -> (Result<Plan, Vec<Refusal>>, Outlook) {
        match self {
            Self::RunNow { job, active_runs, parameters } => {
                let (active_runs, parameters) = (*active_runs, parameters.clone());
                let order = run_now::Order { job, active_runs, parameters, only: Vec::new() };
                (run_now::plan(planning, &order), outlook::of_run_now(job, active_runs, now))
            }
            Self::Cancel { run, .. } => (cancel::plan(planning, run), outlook::of_cancel(run)),
            Self::Repair { run, job, tasks } => {
                // One task by itself would leave what waited for it undone.
                let order = repair::Order { run, dependents: !tasks.is_empty(), tasks: tasks.clone() };
                let outlook = outlook::of_repair(run, job.as_ref(), tasks, order.dependents, now);
                (repair::plan(planning, &order), outlook)
            }
            Self::Start(pipeline) => {
                let order = pipeline::Start { pipeline, validate_only: false, tables: Vec::new() };
                (pipeline::start(planning, &order), outlook::of_start(pipeline))
            }
            Self::Stop(pipeline) => (pipeline::stop(planning, pipeline), outlook::of_stop(pipeline)),
        }
    }

    /// What may be chosen besides.
    fn parameters(self) -> Vec<Parameter> {
        match self {
            Self::RunNow { job, .. } => job.parameters,
            Self::Cancel { .. } | Self::Repair { .. } | Self::Start(_) | Self::Stop(_) => Vec::new(),
        }
    }
}

/// A run, complete, and its job as it is now; a deleted job still has its runs.
async fn with_job(client: &Client, run: crate::domain::ids::RunId) -> Result<(Run, Option<Job>), Error> {
    let run = client.run(run).await?;
    match client.job(run.job).await {
        Ok(job) => Ok((run, Some(job))),
        Err(error) if error.is_not_found() => Ok((run, None)),
        Err(error) => Err(error),
    }
}

fn said(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
