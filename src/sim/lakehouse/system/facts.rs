//! Runs as the system tables need them: computed once, since planning three weeks of runs anew takes its time.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::world::run::{Run, Trigger};
use crate::sim::world::state::Phase;
use crate::sim::world::{RunsFilter, World};

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

/// Every run that the world knows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    runs: BTreeMap<(Environment, u64), RunFact>,
    known_to: Option<Instant>,
}

impl Facts {
    /// All runs, as they stand now.
    pub(super) fn runs(&mut self, world: &World) -> impl Iterator<Item = &RunFact> {
        let now = world.now();
        if self.known_to.is_none_or(|known| known < now) {
            let open = self.runs.values().filter(|fact| fact.ended_at.is_none()).map(|fact| fact.launched_at).min();
            let from = self.known_to.map(|known| (known - MAY_CHANGE).min(open.unwrap_or(known)));
            for workspace in world.workspaces() {
                let filter = RunsFilter { start_time_from: from, ..RunsFilter::default() };
                let page = world.runs(workspace.environment, &filter, None, usize::MAX - 1);
                for run in page.runs {
                    self.runs.insert((workspace.environment, run.run_id), fact(workspace.environment, run));
                }
            }
            self.known_to = Some(now);
        }
        self.runs.values()
    }
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
        creator: run.creator_user_name,
        parent_task_run_id: run.parent_task_run_id,
        phase: run.phase,
        launched_at: run.start_time,
        ended_at: run.end_time,
        queued_ms: run.spent.queue_ms,
        tasks: tasks.collect(),
    }
}
