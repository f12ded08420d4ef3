//! The real platform: effects through the client of each workspace, in the role that may act.
//!
//! What is asked is asked in the lane of acts. What an intent may have led to is looked for by the workspace's own time,
//! which is noted with the intent.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures::future::{BoxFuture, FutureExt};

use crate::databricks::transport::Permit;
use crate::databricks::{
    Class, Client, Error, IdempotencyToken, Kind, Outcome as Certainly, Refresh, RepairRun, Rerun, RunNow, RunsQuery,
    StartUpdate,
};
use crate::domain::Instant;
use crate::domain::credential::Role;
use crate::domain::danger::Danger;
use crate::domain::ids::{PipelineId, RepairId, RunId, UpdateId, WorkspaceName};
use crate::domain::pipeline::PipelineState;
use crate::domain::request::Lane;
use crate::domain::run::{Run, RunState};
use crate::domain::status::Status;
use crate::domain::workspace::Workspace;
use crate::operations::engine::{Effect, Outcome};
use crate::operations::journal::{Certainty, Evidence, Thing};
use crate::operations::plan::{Plan, Subject};
use crate::operations::step::{Action, Condition, Probe};
use crate::runtime::connect::Link;

use super::ports::World;

/// How far the estimate of a workspace's clock may be off, and more.
const CLOCK_MARGIN: TimeDelta = TimeDelta::seconds(3);

/// Runs and updates that are looked through for what an intent led to. More in that time is a reason to look oneself.
const LOOKED_THROUGH: usize = 24;

/// The clients by which effects reach the workspaces.
pub struct Workspaces {
    clients: BTreeMap<WorkspaceName, (Workspace, Result<Client, String>)>,
}

impl Workspaces {
    /// From workspaces and clients that may act in them, or why there is none.
    pub fn new(clients: impl IntoIterator<Item = (Workspace, Result<Client, String>)>) -> Self {
        Self { clients: clients.into_iter().map(|entry| (entry.0.name.clone(), entry)).collect() }
    }

    /// The operators of configured workspaces.
    pub fn of(links: &[Link]) -> Self {
        Self::new(links.iter().map(|link| {
            let client = link.client(Role::Operator).map_err(|error| error.to_string());
            (link.workspace().clone(), client)
        }))
    }
}

impl World for Workspaces {
    fn reaches(&self, subject: &Subject) -> Result<(), String> {
        let name = &subject.workspace;
        match self.clients.get(name) {
            None => Err(format!("the fleet has no workspace {name}")),
            Some((workspace, _)) if !subject.is_in(workspace) => {
                Err(format!("{name} is at {} now, and the operation was planned for {}", workspace.host, subject.host))
            }
            Some((_, Err(why))) => Err(format!("{name}: {why}")),
            Some((_, Ok(_))) => Ok(()),
        }
    }

    fn perform(&self, plan: &Plan, effect: &Effect, permit: Permit) -> BoxFuture<'static, Outcome> {
        let client = match self.reaches(&plan.subject).map(|()| self.clients.get(&plan.subject.workspace)) {
            Ok(Some((_, Ok(client)))) => client,
            Ok(_) => return never("no client".to_owned(), effect),
            Err(why) => return never(why, effect),
        };
        let lane = if plan.tier == Danger::Rollback { Lane::Rollback } else { Lane::Act };
        let hands = Hands { client: client.in_lane(lane), permit };
        match effect.clone() {
            Effect::Check { condition, .. } => async move { hands.check(&condition).await }.boxed(),
            Effect::Act { action, token, .. } => async move { hands.act(&action, token).await }.boxed(),
            Effect::Look { probe, since, evidence, asked, .. } => async move {
                let looked = hands.look(&probe, since, evidence.as_ref(), asked).await;
                looked.unwrap_or_else(|error| unseen(&probe, &error))
            }
            .boxed(),
            Effect::AwaitLedger { .. } | Effect::Wait { .. } => never("nothing to perform".to_owned(), effect),
        }
    }
}

/// An effect that cannot leave this process.
fn never(why: String, effect: &Effect) -> BoxFuture<'static, Outcome> {
    let outcome = match effect {
        Effect::Act { .. } => Outcome::Refused { why, transient: true, retry_after_s: None },
        _ => Outcome::Unreadable(why),
    };
    std::future::ready(outcome).boxed()
}

/// What a look that failed came to. What it says of a thing that is not there hangs on what was looked for; what the platform
/// refuses for good is for a person; all else is tried again.
fn unseen(probe: &Probe, error: &Error) -> Outcome {
    let why = error.to_string();
    match probe {
        _ if !error.is_not_found() => {}
        // What is not there has ended.
        Probe::RunIsEnding { .. }
        | Probe::RunEnded { .. }
        | Probe::RepairIsEnding { .. }
        | Probe::RepairEnded { .. }
        | Probe::UpdateIsEnding { .. }
        | Probe::UpdateEnded { .. } => return Outcome::Gone(why),
        // Of what is not there, nothing was started.
        Probe::RepairAfter { .. } | Probe::UpdateSince { .. } | Probe::RunOfToken { .. } | Probe::WhatStarted => {
            return Outcome::Missing;
        }
    }
    if is_refused_for_good(error) {
        Outcome::Ambiguous(format!("it cannot be looked whether it happened: {why}"))
    } else {
        Outcome::Unreadable(why)
    }
}

/// Whether the platform would refuse the same again, whenever it is asked.
fn is_refused_for_good(error: &Error) -> bool {
    let last = [
        Class::PermissionDenied,
        Class::NotFound,
        Class::BadRequest,
        Class::InvalidParameterValue,
        Class::NotImplemented,
    ];
    error.class().is_some_and(|class| last.contains(&class))
}

/// What an act that failed came to.
fn failed(error: &Error) -> Outcome {
    if error.outcome() == Certainly::Unknown {
        return Outcome::Lost(error.to_string());
    }
    let transient = match error.kind() {
        Kind::NoTurn | Kind::Withheld | Kind::Connect => true,
        Kind::Auth(error) => error.is_transient(),
        Kind::Refused(class) => {
            matches!(class, Class::TooManyRequests | Class::RequestLimitExceeded | Class::TemporarilyUnavailable)
        }
        _ => false,
    };
    let retry_after_s = error.retry_after().and_then(|after| u32::try_from(after.as_secs()).ok());
    Outcome::Refused { why: error.to_string(), transient, retry_after_s }
}

fn found(thing: Thing, certainty: Certainty, says: String) -> Outcome {
    Outcome::Found(Evidence { thing, certainty, says })
}

fn state_of(run: &Run) -> &'static str {
    Status::from(&run.state).word()
}

struct Hands {
    client: Client,
    /// Under which orders leave.
    permit: Permit,
}

impl Hands {
    async fn check(&self, condition: &Condition) -> Outcome {
        match self.holds(condition).await {
            // By now an answer has told the workspace's time.
            Ok(None) => Outcome::Holds { world_at: self.client.world_now() - CLOCK_MARGIN },
            Ok(Some(otherwise)) => otherwise,
            Err(error) if error.is_not_found() => Outcome::Gone(error.to_string()),
            Err(error) => Outcome::Unreadable(error.to_string()),
        }
    }

    /// None if it holds, else what was found instead.
    async fn holds(&self, condition: &Condition) -> Result<Option<Outcome>, Error> {
        let client = &self.client;
        let otherwise = match condition {
            Condition::JobTakesRuns { job } => {
                let definition = client.job(*job).await?;
                let query = RunsQuery { active_only: true, job: Some(*job), ..RunsQuery::default() };
                let active = client.runs(&query).await?.len();
                let limit = definition.max_concurrent_runs;
                let would_skip = !definition.takes_another(active);
                would_skip.then(|| format!("the run would be skipped: {active} of at most {limit} runs are active"))
            }
            Condition::RunIsActive { run } => {
                let run = client.run(*run).await?;
                (!run.state.is_active()).then(|| format!("run {} is over: {}", run.id, state_of(&run)))
            }
            Condition::RepairIsActive { run, repair } => {
                let run = client.run(*run).await?;
                if !knows(&run, *repair) {
                    return Ok(Some(Outcome::Gone(format!("run {} has no repair {repair}", run.id))));
                }
                (!run.state.is_active()).then(|| format!("run {} is over: {}", run.id, state_of(&run)))
            }
            Condition::RunIsOver { run, latest_repair } => {
                let run = client.run(*run).await?;
                let newest = run.repairs.last().map(|repair| repair.id);
                if run.state.is_active() {
                    Some(format!("run {} is not over: {}", run.id, state_of(&run)))
                } else if newest != *latest_repair {
                    Some(format!("run {} was repaired since", run.id))
                } else {
                    None
                }
            }
            Condition::PipelineIsIdle { pipeline } => {
                let pipeline = client.pipeline(pipeline).await?;
                let active = pipeline.updates.iter().find(|update| update.state.is_active());
                match active {
                    Some(update) => Some(format!("update {} is active", update.id)),
                    None if pipeline.state == PipelineState::Deleted => Some("the pipeline is deleted".to_owned()),
                    None => None,
                }
            }
            Condition::UpdateIsActive { pipeline, update } => {
                let update = client.pipeline_update(pipeline, update).await?;
                let word = Status::from(&update.state).word();
                (!update.state.is_active()).then(|| format!("update {} is over: {word}", update.id))
            }
        };
        Ok(otherwise.map(Outcome::Fails))
    }

    async fn act(&self, action: &Action, token: Option<String>) -> Outcome {
        self.order(action, token).await.unwrap_or_else(|error| failed(&error))
    }

    async fn order(&self, action: &Action, token: Option<String>) -> Result<Outcome, Error> {
        // Each sending has an intent of its own, and what one of them may still do is the engine's to reckon with.
        let client = &self.client.once().under(self.permit.clone());
        Ok(match action {
            Action::RunNow { job, parameters, only } => {
                let Ok(idempotency_token) = token.map(IdempotencyToken::new).transpose() else {
                    return Ok(Outcome::Refused {
                        why: "the idempotency token is longer than the platform takes".to_owned(),
                        transient: false,
                        retry_after_s: None,
                    });
                };
                let (parameters, only) = (parameters.clone(), only.clone());
                let run = client.run_now(&RunNow { idempotency_token, parameters, only, ..RunNow::of(*job) }).await?;
                found(Thing::Run { run }, Certainty::Answered, format!("run {run}"))
            }
            Action::CancelRun { run } => {
                client.cancel_run(*run).await?;
                let thing = Thing::State { state: "accepted".to_owned() };
                found(thing, Certainty::Answered, format!("asked run {run} to end"))
            }
            Action::RepairRun { run, latest_repair, tasks, dependents } => {
                let rerun = if tasks.is_empty() { Rerun::AllFailed } else { Rerun::Tasks(tasks.clone()) };
                let order = RepairRun {
                    run: *run,
                    rerun,
                    dependents: *dependents,
                    latest_repair: *latest_repair,
                    parameters: BTreeMap::new(),
                };
                let repair = client.repair_run(&order).await?;
                found(Thing::Repair { run: *run, repair }, Certainty::Answered, format!("repair {repair} of run {run}"))
            }
            Action::StartUpdate { pipeline, validate_only, tables } => {
                let refresh = if tables.is_empty() {
                    Refresh::All
                } else {
                    Refresh::Selected { tables: tables.clone(), full: Vec::new() }
                };
                let order = StartUpdate { refresh, validate_only: *validate_only, parameters: BTreeMap::new() };
                let update = client.start_update(pipeline, &order).await?;
                started(pipeline, update, Certainty::Answered)
            }
            Action::StopPipeline { pipeline } => {
                client.stop_pipeline(pipeline).await?;
                let thing = Thing::State { state: "accepted".to_owned() };
                found(thing, Certainty::Answered, format!("asked pipeline {pipeline} to stop"))
            }
        })
    }

    async fn look(
        &self,
        probe: &Probe,
        since: Option<Instant>,
        evidence: Option<&Evidence>,
        asked: Option<(Action, String)>,
    ) -> Result<Outcome, Error> {
        let client = &self.client;
        match probe {
            Probe::RunOfToken { job } => {
                let query = RunsQuery {
                    job: Some(*job),
                    started_from: since,
                    at_most: Some(LOOKED_THROUGH),
                    ..RunsQuery::default()
                };
                let runs = client.runs(&query).await?;
                let by_hand = |run: &Run| run.trigger.is_empty() || run.trigger == "ONE_TIME";
                match asked.filter(|_| runs.iter().any(by_hand)) {
                    // The token names our run, or, if none of these is ours, starts it.
                    Some((action, token)) => match self.order(&action, Some(token)).await {
                        Err(error) if is_refused_for_good(&error) => {
                            Ok(Outcome::Ambiguous(format!("it cannot be asked whether it happened: {error}")))
                        }
                        Err(error) => Ok(Outcome::Unreadable(error.to_string())),
                        Ok(outcome) => Ok(outcome),
                    },
                    None => Ok(Outcome::Missing),
                }
            }
            Probe::WhatStarted => self.what_started(evidence).await,
            Probe::RunIsEnding { run } => {
                self.run_state(*run, |state| matches!(state, RunState::Terminating | RunState::Ended(_))).await
            }
            Probe::RunEnded { run } => self.run_state(*run, |state| !state.is_active()).await,
            Probe::RepairIsEnding { run, repair } => {
                self.repair_state(*run, *repair, |state| matches!(state, RunState::Terminating | RunState::Ended(_)))
                    .await
            }
            Probe::RepairEnded { run, repair } => self.repair_state(*run, *repair, |state| !state.is_active()).await,
            Probe::RepairAfter { run, latest_repair } => {
                let run = client.run(*run).await?;
                Ok(repaired_since(&run, *latest_repair))
            }
            Probe::UpdateSince { pipeline, validate_only } => {
                let updates = client.pipeline_updates(pipeline, LOOKED_THROUGH).await?;
                let mut ours = updates.into_iter().filter(|update| {
                    let by_api = update.cause.as_deref().is_none_or(|cause| cause == "API_CALL");
                    let is_new = update.created_at.zip(since).is_none_or(|(created, since)| created >= since);
                    by_api && is_new && update.validate_only == *validate_only && !update.full_refresh
                });
                Ok(match (ours.next(), ours.next()) {
                    (None, _) => Outcome::Missing,
                    (Some(update), None) => started(pipeline, update.id, Certainty::Inferred),
                    (Some(one), Some(other)) => {
                        Outcome::Ambiguous(format!("updates {} and {} were both started by the API", one.id, other.id))
                    }
                })
            }
            Probe::UpdateIsEnding { pipeline, update } => {
                self.update_state(pipeline, update, |state| {
                    *state == crate::domain::pipeline::UpdateState::Stopping || !state.is_active()
                })
                .await
            }
            Probe::UpdateEnded { pipeline, update } => {
                self.update_state(pipeline, update, |state| !state.is_active()).await
            }
        }
    }

    async fn what_started(&self, evidence: Option<&Evidence>) -> Result<Outcome, Error> {
        let Some(evidence) = evidence else { return Ok(Outcome::Missing) };
        let seen = |says: String| Outcome::Found(Evidence { says, ..evidence.clone() });
        let read = match &evidence.thing {
            Thing::Run { run } => {
                self.client.run(*run).await.map(|run| Some(format!("run {}: {}", run.id, state_of(&run))))
            }
            Thing::Repair { run, repair } => self.client.run(*run).await.map(|run| {
                let there = run.repairs.iter().find(|seen| seen.id == *repair)?;
                Some(format!("repair {repair} of run {}: {}", run.id, Status::from(&there.state).word()))
            }),
            Thing::Update { pipeline, update } => {
                let update = self.client.pipeline_update(pipeline, update).await;
                update.map(|update| Some(format!("update {}: {}", update.id, Status::from(&update.state).word())))
            }
            Thing::State { .. } => Ok(Some(evidence.says.clone())),
        };
        match read {
            Ok(says) => Ok(says.map_or(Outcome::Missing, seen)),
            Err(error) if error.is_not_found() => Ok(Outcome::Missing),
            Err(error) => Err(error),
        }
    }

    async fn run_state(&self, run: RunId, fits: impl Fn(&RunState) -> bool) -> Result<Outcome, Error> {
        Ok(run_seen(&self.client.run(run).await?, fits))
    }

    /// The same of a run that was repaired, once the read knows of the repair.
    async fn repair_state(
        &self,
        run: RunId,
        repair: RepairId,
        fits: impl Fn(&RunState) -> bool,
    ) -> Result<Outcome, Error> {
        let run = self.client.run(run).await?;
        Ok(if knows(&run, repair) { run_seen(&run, fits) } else { Outcome::Missing })
    }

    async fn update_state(
        &self,
        pipeline: &PipelineId,
        update: &UpdateId,
        fits: impl Fn(&crate::domain::pipeline::UpdateState) -> bool,
    ) -> Result<Outcome, Error> {
        let update = self.client.pipeline_update(pipeline, update).await?;
        if !fits(&update.state) {
            return Ok(Outcome::Missing);
        }
        let state = Status::from(&update.state).word().to_owned();
        let says = format!("update {}: {state}", update.id);
        Ok(found(Thing::State { state }, Certainty::Inferred, says))
    }
}

/// Whether a read of a run is new enough to know of a repair.
fn knows(run: &Run, repair: RepairId) -> bool {
    run.repairs.iter().any(|seen| seen.id == repair)
}

fn run_seen(run: &Run, fits: impl Fn(&RunState) -> bool) -> Outcome {
    if !fits(&run.state) {
        return Outcome::Missing;
    }
    let state = state_of(run).to_owned();
    let says = format!("run {}: {state}", run.id);
    found(Thing::State { state }, Certainty::Inferred, says)
}

fn started(pipeline: &PipelineId, update: UpdateId, certainty: Certainty) -> Outcome {
    let says = format!("update {update}");
    found(Thing::Update { pipeline: pipeline.clone(), update }, certainty, says)
}

/// The repair that a run has beyond the newest one of the plan.
fn repaired_since(run: &Run, latest: Option<RepairId>) -> Outcome {
    let since = match latest {
        None => run.repairs.as_slice(),
        // A read that does not know the newest one of the plan is older than the plan: it tells nothing of what came after.
        Some(latest) => match run.repairs.iter().position(|repair| repair.id == latest) {
            Some(index) => &run.repairs[index + 1..],
            None => return Outcome::Missing,
        },
    };
    match since {
        [] => Outcome::Missing,
        [only] => {
            let (run, repair) = (run.id, only.id);
            found(Thing::Repair { run, repair }, Certainty::Inferred, format!("repair {repair} of run {run}"))
        }
        more => Outcome::Ambiguous(format!("run {} has {} repairs since", run.id, more.len())),
    }
}

#[cfg(test)]
mod tests;
