//! The tasks of a job against its last runs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::Instant;
use crate::domain::run::{Run, TaskRun};
use crate::domain::snapshot::RunDetail;
use crate::domain::status::Status;

/// Runs that the grid shows at most.
pub(super) const RUNS: usize = 12;

/// Tasks against runs, made once of what was observed.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    /// Oldest first.
    pub runs: Vec<Arc<Run>>,
    /// A row a task, upstream first.
    pub rows: Vec<TaskRow>,
}

/// One task.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Its key, from outside.
    pub key: String,
    /// How it ended in each of the grid's runs; none where the run did not have it.
    pub cells: Vec<Option<Status>>,
    /// Its newest attempt in the run that is looked at.
    pub task: Option<TaskRun>,
    /// How many attempts the run that is looked at has seen of it.
    pub attempts: usize,
    /// Which of the runs is looked at.
    pub column: Option<usize>,
    /// Whether the cursor is in this row.
    pub current: bool,
    /// When the run that is looked at began and ended, for the time axis.
    pub span: (Option<Instant>, Option<Instant>),
}

impl Grid {
    /// The grid of an observed run and those around it, seen from `shown`.
    pub fn of(detail: &RunDetail, shown: &Run) -> Self {
        let mut runs: Vec<Arc<Run>> = detail.recent.iter().filter(|run| !run.tasks.is_empty()).cloned().collect();
        // The complete run knows more than the listing.
        for known in [&detail.run, shown] {
            match runs.iter_mut().find(|run| run.id == known.id) {
                Some(run) => *run = Arc::new(known.clone()),
                None => runs.push(Arc::new(known.clone())),
            }
        }
        runs.sort_by_key(|run| (run.started_at, run.id));
        // The newest, but never without the one that is looked at.
        let at = runs.iter().position(|run| run.id == shown.id).unwrap_or(0);
        let start = runs.len().saturating_sub(RUNS).min(at);
        let runs: Vec<Arc<Run>> = runs.into_iter().skip(start).take(RUNS).collect();

        let column = runs.iter().position(|run| run.id == shown.id);
        let newest: Vec<HashMap<&str, &TaskRun>> = runs
            .iter()
            .map(|run| run.latest_tasks().into_iter().map(|task| (task.key.as_str(), task)).collect())
            .collect();
        let rows = keys(shown, &runs)
            .into_iter()
            .map(|key| TaskRow {
                cells: newest.iter().map(|tasks| tasks.get(key).map(|task| Status::from(&task.state))).collect(),
                task: column.and_then(|column| newest[column].get(key)).map(|task| (*task).clone()),
                attempts: shown.tasks.iter().filter(|task| task.key == key).count(),
                column,
                current: false,
                span: span(shown),
                key: key.to_owned(),
            })
            .collect();
        Self { runs, rows }
    }
}

/// When the first task of a run began and the last one ended; no end while the run is active.
fn span(run: &Run) -> (Option<Instant>, Option<Instant>) {
    let tasks = run.latest_tasks();
    let from = tasks.iter().filter_map(|task| task.started_at).min().or(run.started_at);
    let to = tasks.iter().filter_map(|task| task.ended_at).max().or(run.ended_at);
    (from, if run.state.is_active() { None } else { to })
}

/// The keys of all tasks: those of the run that is looked at, upstream first, then those that only other runs have.
fn keys<'a>(shown: &'a Run, runs: &'a [Arc<Run>]) -> Vec<&'a str> {
    let tasks = shown.latest_tasks();
    let parents: HashMap<&str, &TaskRun> = tasks.iter().map(|task| (task.key.as_str(), *task)).collect();
    let mut depths: HashMap<&str, usize> = HashMap::new();
    // A graph has no longer path than it has tasks; a circle in what the wire says ends there too.
    for _ in 0..tasks.len() {
        let mut changed = false;
        for task in &tasks {
            let above = task.depends_on.iter().filter(|key| parents.contains_key(key.as_str()));
            let depth = above.map(|key| depths.get(key.as_str()).copied().unwrap_or(0) + 1).max().unwrap_or(0);
            changed |= depths.insert(&task.key, depth) != Some(depth);
        }
        if !changed {
            break;
        }
    }
    let mut keys: Vec<&str> = tasks.iter().map(|task| task.key.as_str()).collect();
    keys.sort_by_key(|key| (depths.get(key).copied(), parents.get(key).and_then(|task| task.started_at)));
    for task in runs.iter().rev().flat_map(|run| &run.tasks) {
        if !keys.contains(&task.key.as_str()) {
            keys.push(&task.key);
        }
    }
    keys
}
