//! Runs as the system tables need them: computed once, some hours at a time, since planning three weeks of runs anew takes its time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::world::run::{Run, Trigger};
use crate::sim::world::state::Phase;
use crate::sim::world::{RunsFilter, World};

use super::Window;

/// How far back the world knows runs.
const HISTORY: TimeDelta = TimeDelta::days(21);
/// Nearly all runs are over within it.
const USUAL: TimeDelta = TimeDelta::days(1);
/// How long ago a run that was over may have been launched and still be repaired.
const MAY_CHANGE: TimeDelta = TimeDelta::hours(6);

/// A job run.
#[derive(Clone, Debug)]
pub(super) struct RunFact {
    pub(super) environment: Environment,
    pub(super) job_id: u64,
    pub(super) run_id: u64,
    pub(super) name: String,
    pub(super) trigger: Trigger,
    pub(super) is_one_time: bool,
    pub(super) creator: String,
    pub(super) parent_task_run_id: Option<u64>,
    pub(super) phase: Phase,
    pub(super) launched_at: Instant,
    pub(super) ended_at: Option<Instant>,
    pub(super) queued_ms: u64,
    pub(super) tasks: Vec<TaskFact>,
}

/// An attempt of a task.
#[derive(Clone, Debug)]
pub(super) struct TaskFact {
    pub(super) key: String,
    pub(super) run_id: u64,
    pub(super) phase: Phase,
    pub(super) from: Instant,
    pub(super) to: Option<Instant>,
    pub(super) setup_ms: u64,
    pub(super) cleanup_ms: u64,
    pub(super) execution_ms: u64,
    pub(super) cluster_id: Option<String>,
    pub(super) update_id: Option<String>,
}

/// By launch, so that those of a span stand together.
type Key = (Instant, Environment, u64);

/// Every run that the world knows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    runs: BTreeMap<Key, RunFact>,
    /// Those that are not over, or took longer than [`USUAL`].
    long: BTreeSet<Key>,
    /// Since when runs are being gathered, and up to which launch they are, until all are there.
    gathered: Option<(Instant, Instant)>,
    known_to: Option<Instant>,
}

impl Facts {
    /// Gathers the runs of six more hours, or what changed since all were there. Says whether all are there now: planning three
    /// weeks of runs anew takes its time, and nobody else is served meanwhile.
    pub(super) fn gather(&mut self, world: &World) -> bool {
        let now = world.now();
        match self.known_to {
            Some(known) if known >= now => true,
            Some(known) => {
                let open = self.long.iter().find(|key| self.runs.get(key).is_some_and(|fact| fact.ended_at.is_none()));
                let from = open.map_or(known - MAY_CHANGE, |(launched_at, ..)| (known - MAY_CHANGE).min(*launched_at));
                self.take(world, Some(from), None);
                self.known_to = Some(now);
                true
            }
            None => {
                let (since, from) = match self.gathered {
                    Some((since, to)) => (since, Some(to)),
                    None => (now, None),
                };
                let to = from.unwrap_or_else(|| begins_at(world)) + TimeDelta::hours(6);
                if to < since {
                    self.take(world, from, Some(to));
                    self.gathered = Some((since, to));
                } else {
                    self.take(world, from, None);
                    self.known_to = Some(since);
                }
                self.known_to.is_some()
            }
        }
    }

    fn take(&mut self, world: &World, from: Option<Instant>, to: Option<Instant>) {
        for workspace in world.workspaces() {
            let environment = workspace.environment;
            let filter = RunsFilter { start_time_from: from, start_time_to: to, ..RunsFilter::default() };
            for run in world.runs(environment, &filter, None, usize::MAX - 1).runs {
                let key = (run.start_time, environment, run.run_id);
                let is_long = run.end_time.is_none_or(|ended_at| ended_at - run.start_time > USUAL);
                if is_long {
                    self.long.insert(key)
                } else {
                    self.long.remove(&key)
                };
                self.runs.insert(key, fact(environment, run));
            }
        }
    }

    /// The runs that were gathered.
    pub(super) fn all(&self) -> impl Iterator<Item = &RunFact> {
        self.runs.values()
    }

    /// Those of which something may become available in a window, so long after it happened at most.
    pub(super) fn within(&self, window: Window, late: TimeDelta) -> impl Iterator<Item = &RunFact> {
        let from = window.after.map_or(Instant::MIN_UTC, |after| after - late - USUAL);
        let older = self.long.iter().take_while(move |(launched_at, ..)| *launched_at < from);
        let young = self.runs.range((from, Environment::Dev, u64::MIN)..=(window.to, Environment::Prod, u64::MAX));
        older.filter_map(|key| self.runs.get(key)).chain(young.map(|(_, fact)| fact))
    }
}

/// When the first run that the world knows may have been launched.
pub(super) fn begins_at(world: &World) -> Instant {
    world.started_at() - HISTORY
}

fn fact(environment: Environment, run: Run) -> RunFact {
    let tasks = run.tasks.into_iter().filter_map(|task| {
        Some(TaskFact {
            key: task.task.task_key,
            run_id: task.run_id,
            phase: task.phase,
            from: task.start_time?,
            to: task.end_time,
            setup_ms: task.spent.setup_ms,
            cleanup_ms: task.spent.cleanup_ms,
            execution_ms: task.spent.execution_ms,
            cluster_id: task.cluster_id,
            update_id: task.update_id,
        })
    });
    RunFact {
        environment,
        job_id: run.job_id,
        run_id: run.run_id,
        name: run.run_name,
        trigger: run.trigger,
        is_one_time: run.is_one_time,
        creator: run.creator_user_name,
        parent_task_run_id: run.parent_task_run_id,
        phase: run.phase,
        launched_at: run.start_time,
        ended_at: run.end_time,
        queued_ms: run.spent.queue_ms,
        tasks: tasks.collect(),
    }
}
