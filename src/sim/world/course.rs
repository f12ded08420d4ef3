//! A job run from its launch on, repairs included, and how it looks at any instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Instant;

use super::ids::{RunKey, Slot};
use super::job::{CronSchedule, ForEachTask, JobSettings, Payload, Task};
use super::plan::{Attempt, attempt_id};
use super::references::Known;
use super::run::{Iterations, RepairItem, Run, RunParameter, RunTask, Spent, Trigger};
use super::state::{Ending, Phase};
use super::time::{SECOND, after, span_ms};

/// The whole of a run, as far as it is decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Course {
    pub(super) key: RunKey,
    /// Index of the job in its workspace.
    pub(super) job: usize,
    pub(super) job_id: u64,
    /// The job's settings when it was launched; a repair takes the newer ones.
    pub(super) settings: Arc<JobSettings>,
    pub(super) creator: String,
    pub(super) trigger: Trigger,
    /// The run, and its task's run, that launched it.
    pub(super) parent: Option<(RunKey, u64)>,
    /// What its launch overrode.
    pub(super) parameters: BTreeMap<String, String>,
    /// The tasks that it was told to run; empty for all.
    pub(super) only: Vec<usize>,
    pub(super) launched_at: Instant,
    /// When it ended without ever having begun, and how.
    pub(super) closed: Option<(Instant, Ending)>,
    /// The original attempt first, then the repairs. Empty while it is queued.
    pub(super) parts: Vec<Part>,
}

/// The original attempt of a run, or a repair.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// None for the original attempt.
    pub(super) repair_id: Option<u64>,
    pub(super) begins_at: Instant,
    pub(super) attempts: Vec<Attempt>,
    /// When somebody asked to stop it.
    pub(super) stopped_at: Option<Instant>,
    pub(super) ending: Ending,
    pub(super) ended_at: Instant,
}

impl Part {
    /// A part with these attempts; it is over a moment after the last of them.
    pub(super) fn new(repair_id: Option<u64>, begins_at: Instant, attempts: Vec<Attempt>, ending: Ending) -> Self {
        let last = attempts.iter().map(Attempt::ended_at).max().unwrap_or(begins_at);
        Self { repair_id, begins_at, attempts, stopped_at: None, ending, ended_at: after(last, SECOND + SECOND / 5) }
    }

    fn phase_at(&self, at: Instant) -> Phase {
        if at >= self.ended_at {
            return Phase::Ended(self.ending);
        }
        let mut running = self.attempts.iter().filter(|attempt| attempt.runs());
        if self.stopped_at.is_some_and(|stopped_at| at >= stopped_at)
            || self.attempts.iter().all(|attempt| attempt.ended_at() <= at)
        {
            Phase::Terminating
        } else if running.any(|attempt| attempt.executes_at() <= at) {
            Phase::Running
        } else {
            Phase::Pending
        }
    }
}

impl Course {
    /// The run's id.
    pub(super) fn run_id(&self) -> u64 {
        self.key.id(Slot::Run)
    }

    /// When it is over as far as is decided; none while it is queued.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.closed.map(|(at, _)| at).or_else(|| self.parts.last().map(|part| part.ended_at))
    }

    /// Where it stands.
    pub(super) fn phase_at(&self, at: Instant) -> Phase {
        match (self.closed, self.parts.iter().rev().find(|part| part.begins_at <= at)) {
            (Some((closed_at, ending)), _) if at >= closed_at => Phase::Ended(ending),
            (_, Some(part)) => part.phase_at(at),
            // It has its slot and begins in a moment.
            (None, None) if !self.parts.is_empty() => Phase::Pending,
            _ => Phase::Queued,
        }
    }

    /// The newest attempt of each task by an instant, in the order of the tasks.
    pub(super) fn last_attempts(&self) -> BTreeMap<usize, &Attempt> {
        self.parts.iter().flat_map(|part| &part.attempts).map(|attempt| (attempt.task, attempt)).collect()
    }

    /// An attempt by task and number.
    pub(super) fn attempt(&self, task: usize, number: u32) -> Option<&Attempt> {
        let mut all = self.parts.iter().flat_map(|part| &part.attempts);
        all.find(|attempt| attempt.task == task && attempt.number == number)
    }

    /// What references in its settings stand for.
    pub(super) fn known(&self) -> Known {
        let run_id = self.run_id().to_string();
        let mut known: Known = [
            ("job.id", self.job_id.to_string()),
            ("job.name", self.settings.name.clone()),
            ("job.run_id", run_id.clone()),
            ("job_id", self.job_id.to_string()),
            ("run_id", run_id),
            ("job.trigger.type", self.trigger.as_str().to_lowercase()),
            ("job.repair_count", self.parts.len().saturating_sub(1).to_string()),
            ("job.start_time.iso_date", self.launched_at.format("%Y-%m-%d").to_string()),
            ("job.trigger.time.iso_date", self.launched_at.format("%Y-%m-%d").to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for parameter in self.job_parameters() {
            known.insert(format!("job.parameters.{}", parameter.name), parameter.value);
        }
        known
    }

    /// The index of one of the for-each tasks, counted from 0.
    pub(super) fn each_task(&self, each: usize) -> Option<usize> {
        let tasks = self.settings.tasks.iter().enumerate();
        tasks.filter(|(_, task)| matches!(task.payload, Some(Payload::ForEach(_)))).map(|(at, _)| at).nth(each)
    }

    /// The iterations of a for-each task's attempt that have begun, in the order of the inputs.
    pub(super) fn iterations_at(&self, task: usize, number: u32, at: Instant) -> Vec<RunTask> {
        let Some(attempt) = self.attempt(task, number).filter(|attempt| attempt.runs()) else { return Vec::new() };
        let Some(Payload::ForEach(each)) = &self.settings.tasks[task].payload else { return Vec::new() };
        let before = &self.settings.tasks[..task];
        let position = before.iter().filter(|task| matches!(task.payload, Some(Payload::ForEach(_)))).count();
        (0..attempt.iterations)
            .filter_map(|index| {
                let lap = iteration(each, attempt, index)?;
                let phase = if at < lap.from {
                    return None;
                } else if at < lap.to {
                    Phase::Running
                } else {
                    Phase::Ended(lap.ending)
                };
                let over = !phase.is_active();
                Some(RunTask {
                    task: Task::clone(&each.task),
                    run_id: self.key.id(Slot::Iteration { each: position, number, index }),
                    attempt_number: 0,
                    phase,
                    state_message: attempt_message(phase).to_owned(),
                    start_time: Some(lap.from),
                    end_time: over.then_some(lap.to),
                    spent: Spent { execution_ms: if over { span_ms(lap.from, lap.to) } else { 0 }, ..Spent::default() },
                    cluster_id: Some(self.cluster_id(attempt)),
                    outcome: None,
                    iterations: None,
                    update_id: None,
                    child_run_id: None,
                })
            })
            .collect()
    }

    /// How it looks at an instant.
    pub(super) fn view(&self, at: Instant) -> Run {
        let phase = self.phase_at(at);
        let begun: Vec<&Part> = self.parts.iter().filter(|part| part.begins_at <= at).collect();
        let end_time = if phase.is_active() {
            None
        } else {
            self.closed.map(|(closed_at, _)| closed_at).or_else(|| begun.last().map(|part| part.ended_at))
        };
        let schedule = match self.trigger {
            Trigger::Periodic => self.settings.schedule.clone(),
            _ => None,
        };
        Run {
            run_id: self.run_id(),
            job_id: self.job_id,
            run_name: self.settings.name.clone(),
            creator_user_name: self.creator.clone(),
            trigger: self.trigger,
            is_one_time: false,
            parent_task_run_id: self.parent.map(|(_, id)| id),
            schedule: schedule.filter(|schedule: &CronSchedule| !schedule.quartz_cron_expression.is_empty()),
            phase,
            state_message: self.message(phase, begun.last().copied()),
            queue_reason: (phase == Phase::Queued).then(|| self.queue_reason()),
            start_time: self.launched_at,
            end_time,
            spent: Spent {
                queue_ms: self.parts.first().map_or_else(
                    || span_ms(self.launched_at, end_time.unwrap_or(at)),
                    |part| span_ms(self.launched_at, part.begins_at.min(at)),
                ),
                ..Spent::default()
            },
            run_duration_ms: end_time.map_or(0, |end| span_ms(self.launched_at, end)),
            tasks: self.tasks_at(at, &begun),
            job_clusters: self.settings.job_clusters.clone(),
            job_parameters: self.job_parameters(),
            overriding_parameters: self.parameters.clone().into_iter().collect(),
            repair_history: begun.iter().map(|part| self.repair_item(part, at)).collect(),
        }
    }

    fn queue_reason(&self) -> String {
        format!("Queued due to reaching maximum concurrent runs of {}.", self.settings.max_concurrent_runs)
    }

    fn repair_item(&self, part: &Part, at: Instant) -> RepairItem {
        let phase = part.phase_at(at);
        RepairItem {
            id: part.repair_id,
            start_time: part.begins_at,
            end_time: (!phase.is_active()).then_some(part.ended_at),
            phase,
            state_message: self.message(phase, Some(part)),
            task_run_ids: part.attempts.iter().map(|attempt| attempt_id(self.key, attempt)).collect(),
        }
    }

    fn message(&self, phase: Phase, part: Option<&Part>) -> String {
        match phase {
            Phase::Pending => "Waiting for cluster".to_owned(),
            Phase::Running => "In run".to_owned(),
            Phase::Queued => self.queue_reason(),
            Phase::Ended(Ending::RunFailed) => self.failure_message(part),
            Phase::Ended(Ending::Canceled) => "Run cancelled.".to_owned(),
            Phase::Ended(Ending::TimedOut) => format!("Run timed out after {} seconds.", self.settings.timeout_seconds),
            Phase::Ended(Ending::MaxConcurrentRuns) => {
                format!("Maximum concurrent runs of {} reached.", self.settings.max_concurrent_runs)
            }
            _ => String::new(),
        }
    }

    fn failure_message(&self, part: Option<&Part>) -> String {
        let attempts = part.map_or(&[][..], |part| &part.attempts);
        let culprit = attempts
            .iter()
            .filter(|attempt| matches!(attempt.ending, Ending::TaskFailed | Ending::TimedOut))
            .min_by_key(|attempt| (attempt.ended_at(), attempt.task));
        let Some(culprit) = culprit else { return String::new() };
        let skipped = attempts.iter().any(|attempt| attempt.ending == Ending::UpstreamFailed);
        format!(
            "Task {} failed with message: Workload failed, see run output for details.{}",
            self.settings.tasks[culprit.task].task_key,
            if skipped { " This caused all downstream tasks to get skipped." } else { "" }
        )
    }

    fn job_parameters(&self) -> Vec<RunParameter> {
        let mut all: Vec<RunParameter> = self
            .settings
            .parameters
            .iter()
            .map(|declared| RunParameter {
                name: declared.name.clone(),
                default: declared.default.clone(),
                value: self.parameters.get(&declared.name).unwrap_or(&declared.default).clone(),
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn tasks_at(&self, at: Instant, begun: &[&Part]) -> Vec<RunTask> {
        let mut tasks = Vec::new();
        for part in begun {
            for (position, attempt) in part.attempts.iter().enumerate() {
                let retry = position > 0 && part.attempts[position - 1].task == attempt.task;
                if !retry || attempt.ready_at <= at {
                    tasks.push(self.task_at(attempt, retry, at));
                }
            }
        }
        tasks.sort_by_key(|(task, number, _)| (*task, *number));
        tasks.into_iter().map(|(_, _, task)| task).collect()
    }

    fn task_at(&self, attempt: &Attempt, retry: bool, at: Instant) -> (usize, u32, RunTask) {
        let phase = attempt_phase(attempt, retry, at);
        let over = !phase.is_active();
        let task = &self.settings.tasks[attempt.task];
        let begun = attempt.runs() && attempt.started_at <= at;
        let executing = begun && attempt.executes_at() <= at;
        let view = RunTask {
            task: task.clone(),
            run_id: attempt_id(self.key, attempt),
            attempt_number: attempt.number,
            phase,
            state_message: attempt_message(phase).to_owned(),
            start_time: (begun || over).then_some(attempt.started_at),
            end_time: over.then(|| attempt.ended_at()),
            spent: Spent {
                queue_ms: 0,
                setup_ms: if executing { attempt.setup_ms } else { 0 },
                execution_ms: if over { attempt.execution_ms } else { 0 },
                cleanup_ms: 0,
            },
            cluster_id: executing.then(|| self.cluster_id(attempt)),
            outcome: attempt.outcome.filter(|_| over),
            iterations: counts(task.payload.as_ref(), attempt, at),
            update_id: match &task.payload {
                Some(Payload::Pipeline(of)) if executing => {
                    Some(super::updates::update_id(&of.pipeline_id, attempt_id(self.key, attempt), 0))
                }
                _ => None,
            },
            child_run_id: attempt.child.filter(|_| executing).map(|child| child.id(Slot::Run)),
        };
        (attempt.task, attempt.number, view)
    }

    /// Attempts on a shared cluster share its id; the others have one of their own.
    fn cluster_id(&self, attempt: &Attempt) -> String {
        let shared = self.settings.tasks[attempt.task].job_cluster_key.is_some();
        let number = if shared { self.run_id() } else { attempt_id(self.key, attempt) };
        format!("{}-{:06}-{:08x}", self.launched_at.format("%m%d"), number % 240_000, number & 0xffff_ffff)
    }
}

fn attempt_phase(attempt: &Attempt, retry: bool, at: Instant) -> Phase {
    if at >= attempt.ended_at() && at >= attempt.ready_at {
        Phase::Ended(attempt.ending)
    } else if at < attempt.ready_at {
        Phase::Blocked
    } else if at < attempt.started_at && retry {
        Phase::WaitingForRetry
    } else if attempt.stopped_at.is_some_and(|stopped_at| at >= stopped_at) {
        Phase::Terminating
    } else if at < attempt.executes_at() {
        Phase::Pending
    } else {
        Phase::Running
    }
}

fn attempt_message(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "Waiting for cluster",
        Phase::Running => "In run",
        Phase::Ended(Ending::TaskFailed) => "Workload failed, see run output for details",
        Phase::Ended(Ending::UpstreamFailed) => "An upstream task failed.",
        Phase::Ended(Ending::UpstreamCanceled) => "An upstream task was canceled.",
        Phase::Ended(Ending::Excluded) => "The conditions of the task were not met.",
        Phase::Ended(Ending::Canceled) => "Run cancelled.",
        Phase::Ended(Ending::TimedOut) => "Run timed out.",
        _ => "",
    }
}

/// When one iteration runs, and how it ends.
struct Lap {
    from: Instant,
    to: Instant,
    ending: Ending,
}

/// Iterations run in rounds of as many as may run at once; where the attempt fails, the last one failed.
fn iteration(each: &ForEachTask, attempt: &Attempt, index: u64) -> Option<Lap> {
    let at_once = u64::from(each.concurrency.unwrap_or(1)).max(1);
    let rounds = attempt.iterations.div_ceil(at_once).max(1);
    let lap_ms = attempt.execution_ms / rounds;
    let from = after(attempt.executes_at(), index / at_once * lap_ms);
    let to = after(from, lap_ms).min(attempt.ended_at());
    let stopped = attempt.stopped_at.is_some_and(|stopped_at| stopped_at < to);
    let last = index + 1 == attempt.iterations;
    let ending = match attempt.ending {
        Ending::TaskFailed if last => Ending::TaskFailed,
        ending if stopped || (last && ending != Ending::TaskFailed) => ending,
        _ => Ending::Success,
    };
    (from < attempt.ended_at() || lap_ms == 0).then_some(Lap { from, to, ending })
}

fn counts(payload: Option<&Payload>, attempt: &Attempt, at: Instant) -> Option<Iterations> {
    let Some(Payload::ForEach(each)) = payload else { return None };
    let mut counts = Iterations { total_iterations: attempt.iterations, ..Iterations::default() };
    let laps = (0..attempt.iterations).filter_map(|index| iteration(each, attempt, index));
    for lap in laps.filter(|lap| attempt.runs() && at >= lap.from) {
        counts.scheduled_iterations += 1;
        if at < lap.to {
            counts.active_iterations += 1;
        } else {
            counts.completed_iterations += 1;
            let well = lap.ending == Ending::Success;
            counts.succeeded_iterations += u64::from(well);
            counts.failed_iterations += u64::from(!well);
        }
    }
    Some(counts)
}
