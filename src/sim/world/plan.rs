//! The course that a run takes: which attempt of which task begins and ends when, and how.
//!
//! A course is a pure function of its [`Brief`]: it is as good for a run of three weeks ago as for one that begins
//! now. Whoever interferes with a run (cancel, stop, repair) keeps what has happened and plans the rest anew.

use std::collections::HashMap;

use crate::domain::Instant;

use super::draw::Draw;
use super::failure::Failure;
use super::ids::{MAX_ATTEMPTS, RunKey, Slot};
use super::job::{Dependency, JobSettings, Payload, RunIf, RunJobTask, Task};
use super::references::{self, Known};
use super::state::Ending;
use super::temper::Temper;
use super::time::{SECOND, after, before, minutes, span_ms, whole};

/// One attempt of one task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempt {
    /// Index of the task in the settings.
    pub(super) task: usize,
    /// 0 for the first.
    pub(super) number: u32,
    /// When its upstream was done, or the attempt before it had failed.
    pub(super) ready_at: Instant,
    /// When it was launched; for one that never ran, when that was decided.
    pub(super) started_at: Instant,
    /// Waiting for compute.
    pub(super) setup_ms: u64,
    /// Running user code.
    pub(super) execution_ms: u64,
    /// How it ends.
    pub(super) ending: Ending,
    /// Why it fails, if it does.
    pub(super) failure: Option<Failure>,
    /// What a condition task finds.
    pub(super) outcome: Option<bool>,
    /// When somebody asked to stop it.
    pub(super) stopped_at: Option<Instant>,
    /// The run that a run-job task starts.
    pub(super) child: Option<RunKey>,
    /// How many inputs a for-each task has.
    pub(super) iterations: u64,
}

impl Attempt {
    /// When it is over.
    pub(super) fn ended_at(&self) -> Instant {
        after(self.started_at, self.setup_ms + self.execution_ms)
    }

    /// When user code begins.
    pub(super) fn executes_at(&self) -> Instant {
        after(self.started_at, self.setup_ms)
    }

    /// Whether it runs at all.
    pub(super) fn runs(&self) -> bool {
        match self.ending {
            Ending::UpstreamFailed | Ending::UpstreamCanceled | Ending::Excluded | Ending::Disabled => false,
            Ending::Canceled => self.setup_ms + self.execution_ms > 0,
            _ => true,
        }
    }

    fn skipped(task: usize, number: u32, at: Instant, ending: Ending) -> Self {
        Self {
            task,
            number,
            ready_at: at,
            started_at: at,
            setup_ms: 0,
            execution_ms: 0,
            ending,
            failure: None,
            outcome: None,
            stopped_at: None,
            child: None,
            iterations: 0,
        }
    }
}

/// What a task of this part of a run is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its result of an earlier part stands.
    Keep {
        /// How it ended.
        ending: Ending,
        /// What a condition task found.
        outcome: Option<bool>,
    },
    /// It runs, with attempts counted from there.
    Play(u32),
}

/// What a child run of a run-job task will be.
pub(super) struct Child {
    pub(super) key: RunKey,
    pub(super) ended_at: Instant,
    pub(super) ending: Ending,
}

/// What the world around a run says to its tasks.
pub(super) trait Surroundings {
    /// How many times as long as usual a task takes that begins then.
    fn slowness(&self, task: &str, at: Instant) -> f64;
    /// The failure that was put there for an attempt, and from when on.
    fn planted(&self, task: &str, number: u32, from: Instant, to: Instant) -> Option<(Instant, Failure)>;
    /// Whether failures by chance may happen then.
    fn is_quiet(&self, at: Instant) -> bool;
    /// When a pipeline that is busy at that instant will be free.
    fn pipeline_free_at(&self, pipeline_id: &str, at: Instant) -> Instant;
    /// Starts another job.
    fn call(&mut self, task: usize, number: u32, called: &RunJobTask, at: Instant) -> Option<Child>;
}

/// All that a course follows from.
pub(super) struct Brief<'a> {
    /// The draws of the run.
    pub(super) draw: Draw,
    /// What the job is.
    pub(super) settings: &'a JobSettings,
    /// How it behaves.
    pub(super) temper: &'a Temper,
    /// Whether one of its tasks fails for good, by chance.
    pub(super) doomed: bool,
    /// When the part begins.
    pub(super) begins_at: Instant,
    /// What each task is to do.
    pub(super) cast: &'a [Role],
    /// What references stand for.
    pub(super) known: &'a Known,
}

/// Plans a part of a run. Attempts in `kept` have begun, and stay as they are.
pub(super) fn plan(brief: &Brief<'_>, kept: &[Attempt], around: &mut dyn Surroundings) -> Vec<Attempt> {
    let tasks = &brief.settings.tasks;
    let index: HashMap<&str, usize> = tasks.iter().enumerate().map(|(at, task)| (task.task_key.as_str(), at)).collect();
    let mut stage =
        Stage { brief, results: vec![None; tasks.len()], clusters: HashMap::new(), attempts: kept.to_vec() };
    for attempt in kept {
        stage.take_cluster(attempt);
    }
    for (at, role) in brief.cast.iter().enumerate() {
        if let Role::Keep { ending, outcome } = role {
            stage.results[at] = Some(TaskResult { ending: *ending, outcome: *outcome, ended_at: brief.begins_at });
        }
    }
    // Ready tasks in waves: the order within a wave is the settings', so that a course never depends on a map's order.
    loop {
        let ready: Vec<usize> = (0..tasks.len())
            .filter(|at| stage.results[*at].is_none())
            .filter(|at| {
                let settled =
                    |on: &Dependency| index.get(on.task_key.as_str()).is_none_or(|up| stage.results[*up].is_some());
                tasks[*at].depends_on.iter().all(settled)
            })
            .collect();
        if ready.is_empty() {
            break;
        }
        for at in ready {
            let result = stage.perform(at, &index, kept, around);
            stage.results[at] = Some(result);
        }
    }
    stage.attempts.sort_by_key(|attempt| (attempt.task, attempt.number));
    stage.attempts
}

/// How a part ends, from how its tasks ended: the leaves decide, and who failed on the way was tolerated.
pub(super) fn verdict(settings: &JobSettings, endings: &[Ending]) -> Ending {
    let bad = |ending: &Ending| matches!(ending, Ending::TaskFailed | Ending::TimedOut | Ending::UpstreamFailed);
    let stopped = |ending: &Ending| matches!(ending, Ending::Canceled | Ending::UpstreamCanceled);
    let is_leaf = |at: &usize| {
        let key = &settings.tasks[*at].task_key;
        !settings.tasks.iter().any(|task| task.depends_on.iter().any(|on| on.task_key == *key))
    };
    let leaves: Vec<Ending> = (0..endings.len()).filter(is_leaf).map(|at| endings[at]).collect();
    if leaves.iter().any(bad) {
        Ending::RunFailed
    } else if endings.iter().any(stopped) {
        Ending::Canceled
    } else if endings.iter().any(bad) {
        Ending::SuccessWithFailures
    } else {
        Ending::Success
    }
}

/// Ends at `at` whatever of a part has not ended by then.
pub(super) fn cut(attempts: &mut Vec<Attempt>, at: Instant, ending: Ending) {
    // A retry that has not come up never will; the first attempt of a task in this part stays, as canceled.
    let mut seen = std::collections::BTreeSet::new();
    attempts.retain(|attempt| seen.insert(attempt.task) || attempt.ready_at <= at);
    for attempt in attempts {
        cut_attempt(attempt, at, ending);
    }
}

/// Ends one attempt at `at`, if it has not ended by then.
pub(super) fn cut_attempt(attempt: &mut Attempt, at: Instant, ending: Ending) {
    if attempt.ended_at() <= at {
        return;
    }
    if attempt.started_at >= at {
        *attempt = Attempt::skipped(attempt.task, attempt.number, at, Ending::Canceled);
        return;
    }
    // Stopping takes a moment: the run is TERMINATING meanwhile.
    let until = after(at, 4 * SECOND).min(attempt.ended_at());
    let spent_ms = span_ms(attempt.started_at, until);
    attempt.setup_ms = attempt.setup_ms.min(spent_ms);
    attempt.execution_ms = spent_ms - attempt.setup_ms;
    attempt.ending = ending;
    attempt.failure = None;
    attempt.outcome = None;
    attempt.stopped_at = Some(at);
}

#[derive(Clone, Copy)]
struct TaskResult {
    ending: Ending,
    outcome: Option<bool>,
    ended_at: Instant,
}

/// A part while it is being planned.
struct Stage<'a> {
    brief: &'a Brief<'a>,
    results: Vec<Option<TaskResult>>,
    /// When each shared cluster is up.
    clusters: HashMap<&'a str, Instant>,
    attempts: Vec<Attempt>,
}

impl<'a> Stage<'a> {
    fn task(&self, at: usize) -> &'a Task {
        &self.brief.settings.tasks[at]
    }

    fn take_cluster(&mut self, attempt: &Attempt) {
        if let Some(key) = self.task(attempt.task).job_cluster_key.as_deref() {
            self.clusters.entry(key).or_insert_with(|| attempt.executes_at());
        }
    }

    fn perform(
        &mut self,
        at: usize,
        index: &HashMap<&str, usize>,
        kept: &[Attempt],
        around: &mut dyn Surroundings,
    ) -> TaskResult {
        let first = match self.brief.cast.get(at) {
            Some(Role::Play(first)) => *first,
            _ => 0,
        };
        let done: Vec<Attempt> = kept.iter().filter(|attempt| attempt.task == at).cloned().collect();
        let mut ready_at = self.brief.begins_at;
        let mut upstream = Vec::new();
        for on in &self.task(at).depends_on {
            let Some(result) = index.get(on.task_key.as_str()).and_then(|up| self.results[*up]) else { continue };
            ready_at = ready_at.max(result.ended_at);
            upstream.push(match (&on.outcome, result.outcome) {
                (Some(wanted), Some(found)) if *wanted != found.to_string() => Ending::Excluded,
                _ => result.ending,
            });
        }
        let refusal = if self.task(at).disabled == Some(true) {
            Some(Ending::Disabled)
        } else {
            excuse(self.task(at).run_if, &upstream)
        };
        let mut last = match (done.last(), refusal) {
            (Some(last), _) => last.clone(),
            (None, Some(ending)) => {
                let skipped = Attempt::skipped(at, first, ready_at, ending);
                self.attempts.push(skipped.clone());
                skipped
            }
            (None, None) => self.attempt(at, first, ready_at, after(ready_at, SECOND / 3), around),
        };
        while self.may_retry(&last, first) {
            let wait_ms = self.task(at).min_retry_interval_millis.unwrap_or(0).max(SECOND);
            last = self.attempt(at, last.number + 1, last.ended_at(), after(last.ended_at(), wait_ms), around);
        }
        TaskResult { ending: last.ending, outcome: last.outcome, ended_at: last.ended_at() }
    }

    fn may_retry(&self, last: &Attempt, first: u32) -> bool {
        let task = self.task(last.task);
        let failed = last.stopped_at.is_none()
            && (last.ending == Ending::TaskFailed
                || (last.ending == Ending::TimedOut && task.retry_on_timeout == Some(true)));
        let used = i64::from(last.number - first.min(last.number));
        failed && (task.retries() < 0 || used < task.retries()) && u64::from(last.number) + 1 < MAX_ATTEMPTS
    }

    fn attempt(
        &mut self,
        at: usize,
        number: u32,
        ready_at: Instant,
        started_at: Instant,
        around: &mut dyn Surroundings,
    ) -> Attempt {
        let brief = self.brief;
        let task = self.task(at);
        let draw = brief.draw.named(&task.task_key).at(u64::from(number));
        let nature = brief.temper.task(at);
        let free_at = match &task.payload {
            Some(Payload::Pipeline(pipeline)) => around.pipeline_free_at(&pipeline.pipeline_id, started_at),
            _ => started_at,
        };
        let setup_ms = span_ms(started_at, free_at) + self.setup_ms(task, started_at, draw.named("setup"));
        let executes_at = after(started_at, setup_ms);
        let pace = brief.temper.drift_at(executes_at) * around.slowness(&task.task_key, started_at);
        let mut attempt = Attempt {
            execution_ms: minutes(draw.named("took").log_normal(nature.minutes, brief.temper.sigma) * pace),
            setup_ms,
            ..Attempt::skipped(at, number, ready_at, Ending::Success)
        };
        attempt.started_at = started_at;
        match &task.payload {
            Some(Payload::Condition(condition)) => {
                attempt.execution_ms = 0;
                attempt.setup_ms = SECOND / 2;
                // What speaks of other tasks' values is mostly so: nobody runs their code here.
                let by_chance = || draw.named("outcome").chance(0.98) || around.is_quiet(executes_at);
                attempt.outcome = Some(references::outcome(condition, brief.known).unwrap_or_else(by_chance));
            }
            Some(Payload::ForEach(each)) => {
                attempt.iterations = references::iterations(&each.inputs, brief.known);
            }
            Some(Payload::RunJob(called)) => match around.call(at, number, called, executes_at) {
                Some(child) => {
                    attempt.child = Some(child.key);
                    attempt.execution_ms = span_ms(executes_at, child.ended_at);
                    if !matches!(child.ending, Ending::Success | Ending::SuccessWithFailures) {
                        attempt.ending = Ending::TaskFailed;
                    }
                }
                None => {
                    attempt.execution_ms = SECOND;
                    attempt.ending = Ending::TaskFailed;
                }
            },
            _ => {}
        }
        if let Some((from, failure)) = around.planted(&task.task_key, number, executes_at, attempt.ended_at()) {
            let fails_after_ms = if from > executes_at {
                span_ms(executes_at, from) + whole(draw.named("stagger").between(2.0, 12.0) * SECOND as f64)
            } else {
                whole(draw.named("stagger").between(0.06, 0.3) * attempt.execution_ms as f64)
                    .clamp(9 * SECOND, 25 * SECOND)
            };
            attempt.execution_ms = fails_after_ms.min(attempt.execution_ms);
            (attempt.ending, attempt.failure) = (Ending::TaskFailed, Some(failure));
        } else if attempt.child.is_none() && attempt.outcome.is_none() && self.fails_by_chance(at, number, draw) {
            attempt.execution_ms = whole(draw.named("stagger").between(0.1, 0.9) * attempt.execution_ms as f64);
            let failure = Failure::by_chance(brief.draw.named("doom"), &nature.table);
            (attempt.ending, attempt.failure) = (Ending::TaskFailed, Some(failure));
        }
        let limit_ms = task.timeout_seconds.saturating_mul(SECOND);
        if limit_ms > 0 && attempt.setup_ms + attempt.execution_ms > limit_ms {
            attempt.setup_ms = attempt.setup_ms.min(limit_ms);
            attempt.execution_ms = limit_ms - attempt.setup_ms;
            (attempt.ending, attempt.failure) = (Ending::TimedOut, None);
        }
        self.take_cluster(&attempt);
        self.attempts.push(attempt.clone());
        attempt
    }

    fn setup_ms(&self, task: &Task, at: Instant, draw: Draw) -> u64 {
        match task.job_cluster_key.as_deref().map(|key| self.clusters.get(key)) {
            // Nobody started the cluster yet: machines must come.
            Some(None) => whole(draw.log_normal(205.0, 0.2) * SECOND as f64),
            // Somebody did: wait for it, or only for a session.
            Some(Some(up_at)) => span_ms(before(at, 0), *up_at) + whole(draw.between(0.4, 2.5) * SECOND as f64),
            None => whole(draw.log_normal(7.0, 0.3) * SECOND as f64),
        }
    }

    /// An attempt may fail by chance as long as another can follow; the last one only where the run is doomed.
    fn fails_by_chance(&self, at: usize, number: u32, draw: Draw) -> bool {
        let task = self.task(at);
        if self.brief.doomed {
            let victim = self.brief.draw.named("victim").below(self.brief.settings.tasks.len() as u64);
            return victim == at as u64;
        }
        i64::from(number) < task.retries() && draw.named("flake").chance(self.brief.temper.flake)
    }
}

/// Why a task does not run although its upstream is done; none if it runs.
fn excuse(run_if: RunIf, upstream: &[Ending]) -> Option<Ending> {
    let ok = |ending: &&Ending| matches!(ending, Ending::Success | Ending::SuccessWithFailures);
    let bad = |ending: &&Ending| matches!(ending, Ending::TaskFailed | Ending::TimedOut | Ending::UpstreamFailed);
    let stopped = |ending: &&Ending| matches!(ending, Ending::Canceled | Ending::UpstreamCanceled);
    let (oks, bads) = (upstream.iter().filter(ok).count(), upstream.iter().filter(bad).count());
    let runs = upstream.is_empty()
        || match run_if {
            RunIf::AllSuccess => oks == upstream.len(),
            RunIf::AtLeastOneSuccess => oks > 0,
            RunIf::NoneFailed => bads == 0 && oks > 0,
            RunIf::AllDone => true,
            RunIf::AtLeastOneFailed => bads > 0,
            RunIf::AllFailed => bads == upstream.len(),
        };
    if runs {
        return None;
    }
    let hopes_for_success = matches!(run_if, RunIf::AllSuccess | RunIf::AtLeastOneSuccess | RunIf::NoneFailed);
    Some(if hopes_for_success && upstream.iter().any(|ending| stopped(&ending)) {
        Ending::UpstreamCanceled
    } else if hopes_for_success && bads > 0 {
        Ending::UpstreamFailed
    } else {
        Ending::Excluded
    })
}

/// The ids of the attempts, for whoever renders them.
pub(super) fn attempt_id(key: RunKey, attempt: &Attempt) -> u64 {
    key.id(Slot::Attempt { task: attempt.task, number: attempt.number })
}
