//! Tables: which versions the finished runs committed. A version is a fact that follows from a run, so nothing is kept
//! but the runs.

use crate::domain::Instant;

use super::course::Course;
use super::ids::Slot;
use super::plan::attempt_id;
use super::run::Trigger;
use super::site::Site;
use super::state::Ending;
use super::time::whole;

/// A version that a run committed to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableVersion {
    /// Rises by one a commit.
    pub version: u64,
    /// When it was committed.
    pub at: Instant,
    /// The job run.
    pub run_id: u64,
    /// The task's run.
    pub task_run_id: u64,
    /// Rows that the commit wrote.
    pub rows: u64,
    /// The job.
    pub job_id: u64,
    /// Its name.
    pub job_name: String,
    /// Whose rights the run has.
    pub user: String,
    /// What launched the run.
    pub trigger: Trigger,
}

/// Which tables a job reads and writes, by their full names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLineage {
    /// The job.
    pub job_id: u64,
    /// What it reads.
    pub reads: Vec<String>,
    /// What its success commits to.
    pub writes: Vec<String>,
}

impl Site {
    /// What every job reads and writes.
    pub(super) fn lineage(&self) -> Vec<JobLineage> {
        let jobs = self.jobs.iter().filter(|entry| !entry.deleted);
        jobs.map(|entry| {
            let written = entry.temper.tasks.iter().filter(|nature| nature.commits).map(|nature| nature.table.clone());
            let mut writes: Vec<String> = written.collect();
            writes.sort();
            writes.dedup();
            JobLineage { job_id: entry.job.job_id, reads: entry.reads.clone(), writes }
        })
        .collect()
    }

    /// The full names of all tables that jobs of this workspace commit to.
    pub(super) fn table_names(&self) -> Vec<String> {
        let natures = self.jobs.iter().filter(|entry| !entry.deleted).flat_map(|entry| &entry.temper.tasks);
        let mut names: Vec<String> =
            natures.filter(|nature| nature.commits).map(|nature| nature.table.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The jobs that read a table.
    pub(super) fn table_readers(&self, table: &str) -> Vec<u64> {
        let readers = self.jobs.iter().filter(|entry| !entry.deleted && entry.reads.iter().any(|read| read == table));
        readers.map(|entry| entry.job.job_id).collect()
    }

    /// All versions of a table that history holds, oldest first.
    pub(super) fn table_versions(&self, table: &str) -> Vec<TableVersion> {
        let mut commits = Vec::new();
        for (job, entry) in self.jobs.iter().enumerate() {
            if !entry.temper.tasks.iter().any(|nature| nature.commits && nature.table == table) {
                continue;
            }
            for (_, key) in self.launches_of(job, self.laws.history_from(), self.laws.started_at) {
                if let Some(course) = self.past_course(key).filter(|_| !self.courses.contains_key(&key)) {
                    self.commits_of(&course, table, &mut commits);
                }
            }
            for course in self.courses.values().filter(|course| course.job == job) {
                self.commits_of(course, table, &mut commits);
            }
        }
        commits.retain(|commit| commit.at <= self.now);
        commits.sort_by_key(|commit| (commit.at, commit.task_run_id));
        let first = 500 + self.draw.named("version").named(table).below(20_000);
        for (number, commit) in commits.iter_mut().enumerate() {
            commit.version = first + number as u64;
        }
        commits
    }

    /// What runs of the living world committed to a table after an instant, oldest first; versions are not counted.
    pub(super) fn living_commits(&self, table: &str, since: Instant) -> Vec<TableVersion> {
        let mut commits = Vec::new();
        for course in self.courses.values().filter(|course| course.ended_at().is_none_or(|at| at > since)) {
            self.commits_of(course, table, &mut commits);
        }
        commits.retain(|commit| commit.at > since && commit.at <= self.now);
        commits.sort_by_key(|commit| (commit.at, commit.task_run_id));
        commits
    }

    fn commits_of(&self, course: &Course, table: &str, commits: &mut Vec<TableVersion>) {
        let temper = &self.jobs[course.job].temper;
        for attempt in course.parts.iter().flat_map(|part| &part.attempts) {
            let nature = temper.task(attempt.task);
            if nature.commits && nature.table == table && attempt.ending == Ending::Success {
                let task_run_id = attempt_id(course.key, attempt);
                let draw = self.draw.named("output").at(task_run_id);
                commits.push(TableVersion {
                    version: 0,
                    at: attempt.ended_at(),
                    run_id: course.key.id(Slot::Run),
                    task_run_id,
                    rows: whole(draw.named("rows").log_normal(nature.rows.max(1.0), 0.2)),
                    job_id: course.job_id,
                    job_name: course.settings.name.clone(),
                    user: self.jobs[course.job].job.run_as_user_name.clone(),
                    trigger: course.trigger,
                });
            }
        }
    }
}
