//! `system.lakeflow`: jobs, tasks and pipelines as they changed; runs and updates cut at clock hours.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::Value;
use crate::sim::world::World;
use crate::sim::world::job::{Job, JobSettings, PauseStatus};
use crate::sim::world::pipeline::UpdateCause;
use crate::sim::world::run::Trigger;
use crate::sim::world::state::{Ending, Phase};

use super::cell::{ACCOUNT, at, hours, map, maybe, seconds, text, texts};
use super::facts::{Facts, RunFact};
use super::{Rows, Window};

/// How late the timelines are.
const LATE: TimeDelta = TimeDelta::minutes(15);

/// The workspace's id as text.
pub(super) fn workspace_id(world: &World, environment: Environment) -> String {
    let found = world.workspaces().iter().find(|workspace| workspace.environment == environment);
    found.map(|workspace| workspace.workspace_id.to_string()).unwrap_or_default()
}

/// What was last told of objects that change slowly.
#[derive(Debug, Default)]
pub(super) struct Scd {
    jobs: BTreeMap<(Environment, u64), Arc<JobSettings>>,
    tasks: BTreeMap<(Environment, u64), Arc<JobSettings>>,
    pipelines: BTreeMap<(Environment, String), Instant>,
}

/// Jobs whose settings are new or other than they were, each with when; and those that are gone.
fn changed(
    known: &mut BTreeMap<(Environment, u64), Arc<JobSettings>>,
    window: Window,
    world: &World,
) -> Vec<(Environment, Job, Instant, Option<Instant>)> {
    let mut changes = Vec::new();
    for workspace in world.workspaces() {
        let environment = workspace.environment;
        let jobs = world.jobs(environment);
        for job in &jobs {
            let before = known.insert((environment, job.job_id), Arc::clone(&job.settings));
            match before {
                Some(before) if before == job.settings => {}
                None if window.after.is_none() || job.created_time > world.started_at() => {
                    changes.push((environment, (*job).clone(), job.created_time, None));
                }
                _ => changes.push((environment, (*job).clone(), window.to, None)),
            }
        }
        let is_gone = |(of, id): &(Environment, u64)| *of == environment && !jobs.iter().any(|job| job.job_id == *id);
        let gone: Vec<_> = known.keys().copied().filter(is_gone).collect();
        for key in gone {
            if let Some(settings) = known.remove(&key) {
                let job = Job {
                    job_id: key.1,
                    created_time: window.to,
                    creator_user_name: String::new(),
                    run_as_user_name: String::new(),
                    settings,
                };
                changes.push((environment, job, window.to, Some(window.to)));
            }
        }
    }
    changes
}

impl Scd {
    pub(super) fn jobs(&mut self, window: Window, world: &World) -> Rows {
        let row = |(environment, job, changed_at, deleted_at): (Environment, Job, Instant, Option<Instant>)| {
            let settings = &job.settings;
            let person = world.principals().iter().find(|person| person.user_name == job.creator_user_name);
            let schedule = settings.schedule.as_ref();
            vec![
                text(ACCOUNT),
                text(workspace_id(world, environment)),
                text(job.job_id.to_string()),
                text(settings.name.clone()),
                settings.description.clone().into(),
                maybe(person.map_or("", |person| person.id.as_str())),
                maybe(&job.creator_user_name),
                map(settings.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
                at(changed_at),
                at(job.created_time),
                deleted_at.map_or(Value::Null, at),
                maybe(&job.run_as_user_name),
                maybe(&job.run_as_user_name),
                schedule.map_or(Value::Null, |_| text("CRON")),
                schedule.map_or(Value::Null, |schedule| (schedule.pause_status == Some(PauseStatus::Paused)).into()),
                Value::Integer(i64::try_from(settings.timeout_seconds).unwrap_or(i64::MAX)),
            ]
        };
        changed(&mut self.jobs, window, world).into_iter().map(row).collect()
    }

    pub(super) fn tasks(&mut self, window: Window, world: &World) -> Rows {
        let mut rows = Rows::new();
        for (environment, job, changed_at, deleted_at) in changed(&mut self.tasks, window, world) {
            for task in &job.settings.tasks {
                rows.push(vec![
                    text(ACCOUNT),
                    text(workspace_id(world, environment)),
                    text(job.job_id.to_string()),
                    text(task.task_key.clone()),
                    texts(task.depends_on.iter().map(|on| on.task_key.as_str())),
                    at(changed_at),
                    deleted_at.map_or(Value::Null, at),
                    Value::Integer(i64::try_from(task.timeout_seconds).unwrap_or(i64::MAX)),
                ]);
            }
        }
        rows
    }

    pub(super) fn pipelines(&mut self, _: Window, world: &World) -> Rows {
        let mut rows = Rows::new();
        for workspace in world.workspaces() {
            for view in world.pipelines(workspace.environment) {
                let pipeline = view.pipeline;
                let key = (workspace.environment, pipeline.pipeline_id.clone());
                let modified = pipeline.last_modified;
                if self.pipelines.insert(key, modified).is_some_and(|known| known == modified) {
                    continue;
                }
                let spec = &pipeline.spec;
                let pairs = |all: &BTreeMap<String, String>| map(all.iter().map(|(k, v)| (k.as_str(), v.as_str())));
                let word = |key: &str| spec.extra.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
                let flag = |key: &str| spec.extra.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
                rows.push(vec![
                    text(ACCOUNT),
                    text(workspace.workspace_id.to_string()),
                    text(pipeline.pipeline_id.clone()),
                    text("ETL_PIPELINE"),
                    text(spec.name.clone()),
                    text(pipeline.creator_user_name.clone()),
                    text(pipeline.run_as_user_name.clone()),
                    pairs(&spec.tags),
                    Value::List(vec![
                        flag("photon").into(),
                        spec.development.into(),
                        spec.continuous.into(),
                        spec.serverless.into(),
                        word("edition").into(),
                        word("channel").into(),
                    ]),
                    pairs(&spec.configuration),
                    at(modified),
                    Value::Null,
                    at(modified),
                ]);
            }
        }
        rows
    }
}

/// The timelines' words for an ending.
fn result_state(phase: Phase) -> Option<&'static str> {
    Some(match phase.ending()? {
        Ending::Success | Ending::SuccessWithFailures => "SUCCEEDED",
        Ending::TaskFailed | Ending::RunFailed => "FAILED",
        Ending::UpstreamFailed | Ending::UpstreamCanceled => "BLOCKED",
        Ending::Excluded | Ending::MaxConcurrentRuns | Ending::Disabled => "SKIPPED",
        Ending::Canceled => "CANCELLED",
        Ending::TimedOut => "TIMED_OUT",
    })
}

/// State, code and type on the last row, nothing before.
fn ending(phase: Phase, is_last: bool) -> [Value; 3] {
    let termination = phase.termination().filter(|_| is_last);
    let code = termination.map(|termination| match termination.code {
        "CANCELED" | "USER_CANCELED" => "CANCELLED",
        code => code,
    });
    [
        result_state(phase).filter(|_| is_last).into(),
        code.into(),
        termination.map(|termination| termination.kind).into(),
    ]
}

/// The parts of a span that are told by now: all of one that is over, else those whose hour is over.
fn parts(window: Window, from: Instant, to: Option<Instant>, now: Instant) -> Vec<(Instant, Instant, bool)> {
    let all = hours(from, to.unwrap_or(now));
    let count = all.len();
    let told = all.into_iter().enumerate().filter_map(|(number, (begins, ends))| {
        let is_last = number + 1 == count;
        let is_whole = to.is_some() || !is_last;
        (is_whole && window.takes(ends + LATE)).then_some((begins, ends, is_last && to.is_some()))
    });
    told.collect()
}

pub(super) fn runs(facts: &Facts, window: Window, world: &World) -> Rows {
    let now = world.now();
    let mut rows = Rows::new();
    for fact in facts.within(window, LATE) {
        let RunFact { environment, job_id, run_id, trigger, phase, launched_at, ended_at, queued_ms, .. } = fact;
        for (from, to, is_last) in parts(window, *launched_at, *ended_at, now) {
            let total = |sum: fn(&super::facts::TaskFact) -> u64| {
                if is_last { seconds(fact.tasks.iter().map(sum).sum()) } else { Value::Null }
            };
            let [state, code, kind] = ending(*phase, is_last);
            let took = ended_at.map(|ended| (ended - *launched_at).num_seconds()).filter(|_| is_last);
            rows.push(vec![
                text(ACCOUNT),
                text(workspace_id(world, *environment)),
                text(job_id.to_string()),
                text(run_id.to_string()),
                at(from),
                at(to),
                text(match trigger {
                    Trigger::Periodic => "CRON",
                    Trigger::OneTime => "ONETIME",
                    Trigger::RunJobTask => "RUN_JOB_TASK",
                    Trigger::FileArrival => "FILE_ARRIVAL",
                    Trigger::Continuous => "CONTINUOUS",
                }),
                text(if fact.is_one_time { "SUBMIT_RUN" } else { "JOB_RUN" }),
                Value::Null,
                texts(fact.tasks.iter().filter_map(|task| task.cluster_id.as_deref())),
                state,
                code,
                kind,
                map([]),
                fact.parent_task_run_id.map(|id| id.to_string()).into(),
                fact.parent_task_run_id.map(|id| id.to_string()).into(),
                total(|task| task.setup_ms),
                if is_last { seconds(*queued_ms) } else { Value::Null },
                took.into(),
                total(|task| task.cleanup_ms),
                total(|task| task.execution_ms),
            ]);
        }
    }
    rows
}

pub(super) fn task_runs(facts: &Facts, window: Window, world: &World) -> Rows {
    let now = world.now();
    let mut rows = Rows::new();
    for fact in facts.within(window, LATE) {
        for task in &fact.tasks {
            for (from, to, is_last) in parts(window, task.from, task.to, now) {
                let [state, code, kind] = ending(task.phase, is_last);
                let last = |ms: u64| if is_last { seconds(ms) } else { Value::Null };
                rows.push(vec![
                    text(ACCOUNT),
                    text(workspace_id(world, fact.environment)),
                    text(fact.job_id.to_string()),
                    text(task.run_id.to_string()),
                    text(fact.run_id.to_string()),
                    text(fact.run_id.to_string()),
                    at(from),
                    at(to),
                    text(task.key.clone()),
                    texts(task.cluster_id.as_deref()),
                    state,
                    code,
                    kind,
                    last(task.setup_ms),
                    last(task.cleanup_ms),
                    last(task.execution_ms),
                ]);
            }
        }
    }
    rows
}

pub(super) fn updates(facts: &Facts, window: Window, world: &World) -> Rows {
    let now = world.now();
    let mut rows = Rows::new();
    // Which task of which job started an update.
    let tasks = facts.all().flat_map(|fact| fact.tasks.iter().map(move |task| (fact.job_id, task)));
    let started: BTreeMap<String, (u64, u64)> =
        tasks.filter_map(|(job_id, task)| Some((task.update_id.clone()?, (job_id, task.run_id)))).collect();
    for workspace in world.workspaces() {
        for view in world.pipelines(workspace.environment) {
            let pipeline = &view.pipeline;
            let updates = world.updates(workspace.environment, &pipeline.pipeline_id, usize::MAX).unwrap_or_default();
            // Retries bear the request of the update that they repeat: updates come newest first.
            let mut request = String::new();
            for update in updates.iter().rev() {
                if update.cause != UpdateCause::RetryOnFailure || request.is_empty() {
                    request.clone_from(&update.update_id);
                }
                let kind = if update.validate_only {
                    "VALIDATE"
                } else if update.full_refresh {
                    "FULL_REFRESH"
                } else {
                    "REFRESH"
                };
                for (from, to, is_last) in parts(window, update.creation_time, update.ended_at, now) {
                    let compute =
                        if pipeline.spec.serverless == Some(true) { "SERVERLESS_COMPUTE" } else { "CLASSIC_COMPUTE" };
                    rows.push(vec![
                        text(ACCOUNT),
                        text(workspace.workspace_id.to_string()),
                        text(pipeline.pipeline_id.clone()),
                        text(update.update_id.clone()),
                        text(kind),
                        text(request.clone()),
                        text(pipeline.run_as_user_name.clone()),
                        text(update.cause.as_str()),
                        started.get(&request).map_or(Value::Null, |(job_id, run_id)| {
                            Value::List(vec![Value::List(vec![text(job_id.to_string()), text(run_id.to_string())])])
                        }),
                        if is_last { text(update.state.as_str()) } else { Value::Null },
                        Value::List(vec![text(compute), update.cluster_id.clone().into()]),
                        at(from),
                        at(to),
                        texts(update.refresh_selection.iter().map(String::as_str)),
                        texts(update.full_refresh_selection.iter().map(String::as_str)),
                        texts([]),
                    ]);
                }
            }
        }
    }
    rows
}
