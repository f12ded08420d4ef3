//! Reads what an ask is about, and plans it: nothing that was seen earlier counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join;
use tokio::sync::Mutex;

use super::rights::rights;
use crate::app::act::{Answer, Ask, Declined, Preview, Rights, Wish};
use crate::config::Config;
use crate::databricks::{Client, Error, RunsQuery};
use crate::domain::Instant;
use crate::domain::authority::Verdict;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::{Inventory, ObjectFacts, ObjectKind, Sla};
use crate::domain::job::{Job, Parameter};
use crate::domain::pipeline::Pipeline;
use crate::domain::proof::{Feature, Off, Proof, Subject, off};
use crate::domain::request::Lane;
use crate::domain::run::{Outcome, Run, RunState};
use crate::domain::status::Status;
use crate::domain::text;
use crate::domain::units::duration;
use crate::domain::workspace::Workspace;
use crate::operations::journal::Actor;
use crate::operations::plan::{OperationId, Plan};
use crate::operations::planning::{Access, InHand};
use crate::operations::refusal::Refusal;
use crate::operations::{Planning, cancel, pipeline, repair, run_now};
use crate::runtime::connect::Link;
use crate::runtime::doctor::in_use;
use crate::runtime::entropy::Ids;

/// Task keys that a line names before it counts the rest.
const NAMED: usize = 6;

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

/// What was read of the target, and what is told of it beside the plan.
struct Told {
    parameters: Vec<Parameter>,
    effects: Vec<String>,
    warnings: Vec<String>,
}

impl Told {
    /// With what was promised of the target.
    fn promising(mut self, promise: Option<String>) -> Self {
        self.effects.extend(promise);
        self
    }
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
        let now = self.clock.now();
        let planning = Planning {
            id: OperationId(self.ids.lock().await.ulid(now)),
            actor: self.actor.clone(),
            reason: ask.reason.clone(),
            fleet_hash: self.fleet_hash.clone(),
            now,
            observed_at: now,
            workspace,
            product: None,
            access,
            has_ledger: self.has_ledger,
            off,
            in_hand: &in_hand,
            late_bound_s: self.late_bound_s,
        };
        let rights = rights(client, ask.wish.kind(), &ask.object.object);
        let (planned, rights) = join(self.plan(client, planning, &ask.wish), rights).await;
        match planned {
            Err(error) => Answer::Unread(said(&error)),
            Ok((Err(mut refusals), _)) => {
                refusals.extend(lacking(&rights));
                Answer::Refused(Declined { refusals, rights: Some(rights) })
            }
            Ok((Ok(_), _)) if rights.verdict == Verdict::Refused => {
                let refusals = lacking(&rights).into_iter().collect();
                Answer::Refused(Declined { refusals, rights: Some(rights) })
            }
            Ok((Ok(plan), told)) => {
                let Told { parameters, effects, warnings } = told;
                Answer::Ready(Box::new(Preview { plan, parameters, effects, warnings, rights, approved_by: None }))
            }
        }
    }

    async fn plan(
        &self,
        client: &Client,
        planning: Planning<'_>,
        wish: &Wish,
    ) -> Result<(Result<Plan, Vec<Refusal>>, Told), Error> {
        Ok(match wish {
            Wish::RunNow { job, parameters } => {
                let query = RunsQuery { active_only: true, job: Some(*job), ..RunsQuery::default() };
                let (job, active) = join(client.job(*job), client.runs(&query)).await;
                let (job, active_runs) = (job?, active?.len());
                let planning = self.on(planning, ObjectKind::Job, &job.id.to_string(), &job.name, &job.tags);
                let order = run_now::Order { job: &job, active_runs, parameters: parameters.clone(), only: Vec::new() };
                let promise = self.promise(&planning, ObjectKind::Job, &job.id.to_string(), &job.name, &job.tags);
                (run_now::plan(&planning, &order), of_run_now(&job, active_runs).promising(promise))
            }
            Wish::Cancel { run, .. } => {
                let (run, job) = with_job(client, *run).await?;
                let planning = self.on_run(planning, &run, job.as_ref());
                let promise = self.promise_of_run(&planning, &run, job.as_ref());
                (cancel::plan(&planning, &run), of_cancel(&run).promising(promise))
            }
            Wish::Repair { run, task, .. } => {
                let (run, job) = with_job(client, *run).await?;
                let planning = self.on_run(planning, &run, job.as_ref());
                let tasks: Vec<String> = task.iter().cloned().collect();
                let order = repair::Order { run: &run, dependents: task.is_some(), tasks };
                let promise = self.promise_of_run(&planning, &run, job.as_ref());
                let told = of_repair(&run, job.as_ref(), task.as_deref()).promising(promise);
                (repair::plan(&planning, &order), told)
            }
            Wish::Start { pipeline } => {
                let found = client.pipeline(pipeline).await?;
                let planning = self.on(planning, ObjectKind::Pipeline, found.id.as_str(), &found.name, &found.tags);
                let order = pipeline::Start { pipeline: &found, validate_only: false, tables: Vec::new() };
                let promise =
                    self.promise(&planning, ObjectKind::Pipeline, found.id.as_str(), &found.name, &found.tags);
                (pipeline::start(&planning, &order), of_start(&found).promising(promise))
            }
            Wish::Stop { pipeline } => {
                let found = client.pipeline(pipeline).await?;
                let planning = self.on(planning, ObjectKind::Pipeline, found.id.as_str(), &found.name, &found.tags);
                let promise =
                    self.promise(&planning, ObjectKind::Pipeline, found.id.as_str(), &found.name, &found.tags);
                (pipeline::stop(&planning, &found), of_stop(&found).promising(promise))
            }
        })
    }

    /// The planning about an object that was read just now.
    fn on<'a>(
        &self,
        planning: Planning<'a>,
        kind: ObjectKind,
        id: &str,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Planning<'a> {
        let now: Instant = self.clock.now();
        let product = self.inventory.classify(planning.workspace, ObjectFacts { kind, id, name, tags }).product;
        Planning { now, observed_at: now, product, ..planning }
    }

    /// What the fleet promises of an object, which the act may keep or break.
    fn promise(
        &self,
        planning: &Planning<'_>,
        kind: ObjectKind,
        id: &str,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Option<String> {
        self.inventory.classify(planning.workspace, ObjectFacts { kind, id, name, tags }).sla.map(|sla| promised(&sla))
    }

    fn promise_of_run(&self, planning: &Planning<'_>, run: &Run, job: Option<&Job>) -> Option<String> {
        let job = job?;
        self.promise(planning, ObjectKind::Job, &run.job.to_string(), &job.name, &job.tags)
    }

    fn on_run<'a>(&self, planning: Planning<'a>, run: &Run, job: Option<&Job>) -> Planning<'a> {
        let none = BTreeMap::new();
        let (name, tags) = job.map_or((&run.name, &none), |job| (&job.name, &job.tags));
        self.on(planning, ObjectKind::Job, &run.job.to_string(), name, tags)
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

/// A promise in words.
fn promised(sla: &Sla) -> String {
    match sla {
        Sla::Finish { within_s, by } => {
            let within = within_s.map(|s| format!("within {} of its planned start", duration(s.saturating_mul(1_000))));
            let by = by.map(|by| format!("by {} {}", by.time.format("%H:%M"), by.zone));
            let bounds: Vec<String> = within.into_iter().chain(by).collect();
            format!("Promised: it ends {}.", bounds.join(" and "))
        }
        Sla::Freshness { max_age_s } => {
            format!("Promised: its data is never older than {}.", duration(max_age_s.saturating_mul(1_000)))
        }
    }
}

/// That the credential surely lacks a right; what nobody can tell before is left to the platform.
fn lacking(rights: &Rights) -> Option<Refusal> {
    let Rights { who, needed, verdict } = rights;
    (*verdict == Verdict::Refused).then(|| Refusal::Lacks { who: text::line(who), needed: text::line(needed) })
}

fn said(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

fn told(effects: Vec<String>, warnings: Vec<String>) -> Told {
    Told { parameters: Vec::new(), effects, warnings }
}

fn list<'t>(keys: impl IntoIterator<Item = &'t str>) -> String {
    let keys: Vec<&str> = keys.into_iter().collect();
    match keys.len().checked_sub(NAMED) {
        None | Some(0) => keys.join(", "),
        Some(rest) => format!("{} and {rest} more", keys[..NAMED].join(", ")),
    }
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn of_run_now(job: &Job, active_runs: usize) -> Told {
    let keys = list(job.tasks.iter().map(|task| task.key.as_str()));
    let mut effects = vec![format!("{}: {keys}", counted(job.tasks.len(), "task"))];
    let mut warnings = Vec::new();
    if active_runs > 0 {
        let full = u32::try_from(active_runs).is_ok_and(|active| active >= job.max_concurrent_runs);
        warnings.push(if full {
            format!(
                "It waits in the queue: {} active, and the job takes {}",
                counted(active_runs, "run"),
                job.max_concurrent_runs
            )
        } else {
            format!("It runs beside {} of the same job", counted(active_runs, "active run"))
        });
    }
    if job.cadence != crate::domain::job::Cadence::Manual {
        effects.push("What starts the job by itself goes on as before.".to_owned());
    }
    Told { parameters: job.parameters.clone(), ..told(effects, warnings) }
}

fn of_cancel(run: &Run) -> Told {
    let tasks = run.latest_tasks();
    let open: Vec<&str> = tasks.iter().filter(|task| task.state.is_active()).map(|task| task.key.as_str()).collect();
    let effects = vec![
        format!("Of {} these have not ended: {}", counted(tasks.len(), "task"), list(open.iter().copied())),
        "What they have written stays. A canceled run can be repaired.".to_owned(),
    ];
    told(effects, Vec::new())
}

fn of_repair(run: &Run, job: Option<&Job>, only: Option<&str>) -> Told {
    let tasks = run.latest_tasks();
    let again: Vec<&str> = match only {
        Some(key) => downstream(run, key),
        None => tasks.iter().filter(|task| is_repaired(&task.state)).map(|task| task.key.as_str()).collect(),
    };
    let mut effects = Vec::new();
    for (words, wanted) in [("failed", true), ("did not run, or follow", false)] {
        let is_failed = |key: &&str| {
            tasks.iter().any(|task| {
                task.key == **key
                    && matches!(task.state, RunState::Ended(Outcome::Failed | Outcome::TimedOut | Outcome::Canceled))
            })
        };
        let keys: Vec<&str> = again.iter().copied().filter(|key| is_failed(key) == wanted).collect();
        if !keys.is_empty() {
            effects.push(format!("{} that {words}: {}", counted(keys.len(), "task"), list(keys)));
        }
    }
    let kept = tasks.len().saturating_sub(again.len());
    match kept {
        0 => {}
        1 => effects.push("1 other task is kept as it is".to_owned()),
        kept => effects.push(format!("{kept} other tasks are kept as they are")),
    }
    let mut warnings = changes(run, job);
    if !warnings.is_empty() {
        warnings.push("A repair uses the job's settings as they are now, not those of the run.".to_owned());
    }
    told(effects, warnings)
}

/// Whether a repair of all failed tasks runs a task in this state again.
fn is_repaired(state: &RunState) -> bool {
    let good = matches!(state, RunState::Ended(Outcome::Succeeded | Outcome::SucceededWithFailures));
    !state.is_active() && !good
}

/// A task and all that depends on it, in the run's order.
fn downstream<'r>(run: &'r Run, key: &str) -> Vec<&'r str> {
    let tasks = run.latest_tasks();
    let mut found: Vec<&str> = tasks.iter().filter(|task| task.key == key).map(|task| task.key.as_str()).collect();
    loop {
        let next = tasks.iter().find(|task| {
            !found.contains(&task.key.as_str()) && task.depends_on.iter().any(|on| found.contains(&on.as_str()))
        });
        match next {
            Some(task) => found.push(&task.key),
            None => return found,
        }
    }
}

/// In what the job's tasks differ from those that the run has.
fn changes(run: &Run, job: Option<&Job>) -> Vec<String> {
    let Some(job) = job else {
        return vec!["The job does not exist any more: the platform may refuse to repair its run.".to_owned()];
    };
    let tasks = run.latest_tasks();
    let mut found = Vec::new();
    for spec in &job.tasks {
        match tasks.iter().find(|task| task.key == spec.key) {
            None => found.push(format!("Task {} is new since the run began", spec.key)),
            Some(task) if task.kind != spec.kind => {
                found.push(format!("Task {} was {} and is {} now", spec.key, task.kind, spec.kind));
            }
            Some(task) if sorted(&task.depends_on) != sorted(&spec.depends_on) => {
                found.push(format!("Task {} waits for other tasks than in the run", spec.key));
            }
            Some(_) => {}
        }
    }
    found.extend(
        tasks
            .iter()
            .filter(|task| !job.tasks.is_empty() && job.tasks.iter().all(|spec| spec.key != task.key))
            .map(|task| format!("Task {} was taken out of the job since", task.key)),
    );
    found
}

fn sorted(keys: &[String]) -> Vec<&String> {
    let mut keys: Vec<&String> = keys.iter().collect();
    keys.sort();
    keys
}

fn of_start(pipeline: &Pipeline) -> Told {
    let mut effects = vec!["Tables and checkpoints are kept: only what is new is read.".to_owned()];
    if pipeline.continuous == Some(true) {
        effects.push("It is continuous: it runs, and costs, until somebody stops it.".to_owned());
    }
    told(effects, Vec::new())
}

fn of_stop(pipeline: &Pipeline) -> Told {
    let mut effects = Vec::new();
    if let Some(update) = pipeline.updates.iter().find(|update| update.state.is_active()) {
        effects.push(format!(
            "Update {} ({}) ends; what it has written stays.",
            update.id,
            Status::from(&update.state).word()
        ));
    }
    let mut warnings = Vec::new();
    if pipeline.continuous == Some(true) {
        warnings.push("It is continuous: its tables grow stale until somebody starts it again.".to_owned());
    }
    told(effects, warnings)
}
