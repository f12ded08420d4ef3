//! Questions about runs: listings, single runs, outputs.

use crate::domain::Instant;

use super::course::Course;
use super::ids::{RunKey, Slot};
use super::job::{Job, Payload};
use super::plan::{Attempt, attempt_id};
use super::refusal::Refusal;
use super::run::{Output, Run, RunTask};
use super::site::{JobEntry, Site};
use super::state::Ending;
use super::time::{DAY, before, whole};

/// Which runs somebody asks for. Filters are joined by "and".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsFilter {
    /// Only those that are not over.
    pub active_only: bool,
    /// Only those that are over.
    pub completed_only: bool,
    /// Only of one job.
    pub job_id: Option<u64>,
    /// Only submitted ones, or only those of jobs.
    pub is_one_time: Option<bool>,
    /// Launched at or after.
    pub start_time_from: Option<Instant>,
    /// Launched at or before.
    pub start_time_to: Option<Instant>,
}

/// Where a page of runs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunCursor {
    /// The last run's launch.
    pub start_time: Instant,
    /// The last run's id.
    pub run_id: u64,
}

/// A page of runs, newest launch first.
#[derive(Clone, Debug, PartialEq)]
pub struct RunsPage {
    /// Newest launch first.
    pub runs: Vec<Run>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<RunCursor>,
}

impl Site {
    /// A job that is not deleted, with its index.
    pub(super) fn job_entry(&self, job_id: u64) -> Result<(usize, &JobEntry), Refusal> {
        let found = self.jobs.iter().enumerate().find(|(_, entry)| entry.job.job_id == job_id && !entry.deleted);
        found.ok_or(Refusal::NoSuchJob(job_id))
    }

    /// All jobs, newest first.
    pub(super) fn jobs_now(&self) -> Vec<&Job> {
        let mut jobs: Vec<&Job> = self.jobs.iter().filter(|entry| !entry.deleted).map(|entry| &entry.job).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.created_time, job.job_id)));
        jobs
    }

    /// A run as it stands now.
    fn view(&self, course: &Course) -> Run {
        Run { is_one_time: self.jobs[course.job].one_time, ..course.view(self.now) }
    }

    /// A page of runs.
    pub(super) fn runs(&self, filter: &RunsFilter, past: Option<RunCursor>, limit: usize) -> RunsPage {
        let job = match filter.job_id.map(|id| self.jobs.iter().position(|entry| entry.job.job_id == id)) {
            Some(None) => return RunsPage { runs: Vec::new(), next: None },
            Some(found) => found,
            None => None,
        };
        let after_key = past.and_then(|cursor| Some((cursor.start_time, RunKey::of(cursor.run_id)?.0)));
        let high = filter.start_time_to.map_or(self.now, |to| to.min(self.now));
        let low = filter.start_time_from.unwrap_or_else(|| self.laws.history_from());
        let fits =
            |at: Instant, key: RunKey| at >= low && at <= high && after_key.is_none_or(|cursor| (at, key) < cursor);
        let wanted = |course: &Course| {
            let active = course.phase_at(self.now).is_active();
            job.is_none_or(|job| course.job == job)
                && filter.is_one_time.is_none_or(|wanted| self.jobs[course.job].one_time == wanted)
                && (!filter.active_only || active)
                && (!filter.completed_only || !active)
        };
        let mut runs: Vec<(Instant, RunKey, Run)> = Vec::new();
        for (at, key) in self.order.iter().rev().filter(|(at, key)| fits(*at, *key)) {
            let Some(course) = self.courses.get(key).filter(|course| wanted(course)) else { continue };
            runs.push((*at, *key, self.view(course)));
            if runs.len() > limit {
                break;
            }
        }
        // Whatever ran when the world began is among the living: the past beyond them is over.
        if !filter.active_only && filter.is_one_time != Some(true) {
            self.add_past_runs(&mut runs, job, &fits, low, high.min(after_key.map_or(high, |(at, _)| at)), limit);
        }
        let more = runs.len() > limit;
        runs.truncate(limit);
        let last = runs.last().map(|(at, key, _)| RunCursor { start_time: *at, run_id: key.id(Slot::Run) });
        RunsPage { next: last.filter(|_| more), runs: runs.into_iter().map(|(_, _, run)| run).collect() }
    }

    fn add_past_runs(
        &self,
        runs: &mut Vec<(Instant, RunKey, Run)>,
        job: Option<usize>,
        fits: &dyn Fn(Instant, RunKey) -> bool,
        low: Instant,
        high: Instant,
        limit: usize,
    ) {
        let mut to = high.min(self.laws.started_at);
        // One past the end, since spans are half open.
        to = super::time::after(to, 1);
        while to > low {
            let enough = runs.len() > limit && runs[limit].0 >= to;
            if enough {
                return;
            }
            let from = before(to, DAY).max(low);
            let mut launches = match job {
                Some(job) => self.launches_of(job, from, to),
                None => self.launches_between(from, to),
            };
            launches.sort_unstable_by(|one, other| other.cmp(one));
            let mut added = 0;
            for (at, key) in launches {
                if fits(at, key) && !self.courses.contains_key(&key) {
                    if let Some(course) = self.past_course(key) {
                        runs.push((at, key, self.view(&course)));
                        added += 1;
                    }
                    if added > limit {
                        break;
                    }
                }
            }
            runs.sort_by_key(|(at, key, _)| std::cmp::Reverse((*at, *key)));
            to = from;
        }
    }

    /// A run by its id or one of its attempts', living or past, launched by now.
    pub(super) fn find(&self, run_id: u64) -> Result<(Course, Slot), Refusal> {
        let (key, slot) = RunKey::of(run_id).ok_or(Refusal::NoSuchRun(run_id))?;
        let course = self.courses.get(&key).cloned().or_else(|| self.past_course(key));
        let course = course.filter(|course| course.launched_at <= self.now).ok_or(Refusal::NoSuchRun(run_id))?;
        let exists = match slot {
            Slot::Run => true,
            Slot::Attempt { task, number } => course.attempt(task, number).is_some(),
            Slot::Repair(_) => false,
            Slot::Iteration { each, number, index } => course
                .each_task(each)
                .and_then(|task| course.attempt(task, number))
                .is_some_and(|attempt| attempt.runs() && index < attempt.iterations),
        };
        if exists { Ok((course, slot)) } else { Err(Refusal::NoSuchRun(run_id)) }
    }

    /// A job run.
    pub(super) fn run(&self, run_id: u64) -> Result<Run, Refusal> {
        match self.find(run_id)? {
            (course, Slot::Run) => Ok(self.view(&course)),
            _ => Err(Refusal::NoSuchRun(run_id)),
        }
    }

    /// The iterations of a for-each task's run.
    pub(super) fn iterations(&self, run_id: u64) -> Result<Vec<RunTask>, Refusal> {
        Ok(match self.find(run_id)? {
            (course, Slot::Attempt { task, number }) => course.iterations_at(task, number, self.now),
            _ => Vec::new(),
        })
    }

    /// A task's run (or that of one of its iterations), and the job run that it is part of.
    pub(super) fn task_run(&self, run_id: u64) -> Result<(Run, RunTask), Refusal> {
        let (course, slot) = self.find(run_id)?;
        let run = self.view(&course);
        let iterations = match slot {
            Slot::Iteration { each, number, .. } => {
                course.each_task(each).map(|task| course.iterations_at(task, number, self.now)).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let task = run.tasks.iter().chain(&iterations).find(|task| task.run_id == run_id).cloned();
        task.map(|task| (run, task)).ok_or(Refusal::NoSuchRun(run_id))
    }

    /// What a task's run left behind; also that of a job run with one task.
    pub(super) fn output(&self, run_id: u64) -> Result<Output, Refusal> {
        let (course, slot) = self.find(run_id)?;
        let attempt = match slot {
            Slot::Attempt { task, number } => course.attempt(task, number),
            // What one iteration printed nobody knows; that it failed is told by its state.
            Slot::Iteration { .. } => return Ok(Output::default()),
            _ if course.settings.tasks.len() == 1 => course.parts.last().and_then(|part| part.attempts.last()),
            _ => {
                return Err(Refusal::Invalid(
                    "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each \
                     individual task run instead."
                        .to_owned(),
                ));
            }
        };
        let over = attempt.filter(|attempt| attempt.runs() && attempt.ended_at() <= self.now);
        Ok(over.map_or_else(Output::default, |attempt| self.output_of(&course, attempt)))
    }

    fn output_of(&self, course: &Course, attempt: &Attempt) -> Output {
        let task = &course.settings.tasks[attempt.task];
        let nature = self.jobs[course.job].temper.task(attempt.task);
        let draw = self.draw.named("output").at(attempt_id(course.key, attempt));
        let rows = whole(draw.named("rows").log_normal(nature.rows.max(1.0), 0.2));
        let mut output = Output::default();
        if let Some(failure) = &attempt.failure {
            output.error = Some(failure.error());
            let line = 20 + draw.named("line").below(120);
            let path = |field: &str, value: &serde_json::Value| value[field].as_str().unwrap_or("main").to_owned();
            output.error_trace = Some(match &task.payload {
                Some(Payload::Notebook(notebook)) => failure.notebook_trace(&path("notebook_path", notebook), line),
                Some(Payload::SparkPython(file)) => failure.plain_trace(&path("python_file", file), line),
                _ => failure.plain_trace(&format!("{}.py", task.task_key), line),
            });
        } else if attempt.ending == Ending::TimedOut {
            output.error = Some(format!(
                "Task timed out after {} seconds.",
                task.timeout_seconds.max(course.settings.timeout_seconds)
            ));
        } else if attempt.ending == Ending::TaskFailed {
            output.error = Some("Workload failed, see run output for details".to_owned());
        }
        match &task.payload {
            Some(Payload::Notebook(_)) if attempt.ending == Ending::Success && nature.commits => {
                output.notebook_result = Some(format!("{{\"table\": \"{}\", \"rows\": {rows}}}", nature.table));
            }
            Some(Payload::SparkPython(_) | Payload::PythonWheel(_) | Payload::SparkJar(_)) => {
                output.logs = Some(format!(
                    "{} INFO {}: started\n{} INFO {}: {rows} rows\n",
                    attempt.executes_at().format("%H:%M:%S"),
                    task.task_key,
                    attempt.ended_at().format("%H:%M:%S"),
                    task.task_key
                ));
            }
            Some(Payload::RunJob(_)) => output.run_job_run_id = attempt.child.map(|child| child.id(Slot::Run)),
            _ => {}
        }
        output
    }
}
