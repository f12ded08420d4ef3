//! The present: launching runs, giving out slots, and what happens as time passes.

use std::sync::Arc;

use crate::domain::Instant;

use super::course::Course;
use super::ids::RunKey;
use super::job::{CronSchedule, JobSettings, PauseStatus};
use super::past::Around;
use super::run::Trigger;
use super::site::{Clockwork, Happening, Site};
use super::state::{Ending, Phase};
use super::time::{SECOND, after};

impl Site {
    /// Lets everything happen that is due by `to`, in order.
    pub(super) fn advance_to(&mut self, to: Instant) {
        while let Some(next) = self.agenda.first_entry().filter(|entry| entry.key().0 <= to) {
            let ((at, _), happening) = next.remove_entry();
            self.now = self.now.max(at);
            self.happen(&happening, at);
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, happening: &Happening, at: Instant) {
        match happening {
            Happening::Fires(job) => {
                self.fire(*job, at);
                if let Some(next) = self.next_fire(*job, at) {
                    self.expect(next, Happening::Fires(*job));
                }
            }
            Happening::Ends(key) => self.end(*key, at),
            Happening::Pauses(job) => self.pause(*job),
            Happening::Launches(job) => {
                let course = self.course(*job, self.laws.user("operator"), Trigger::OneTime, at);
                self.launch(course, None);
            }
        }
    }

    fn fire(&mut self, job: usize, at: Instant) {
        let entry = &self.jobs[job];
        let by_hand = matches!(entry.clockwork, Clockwork::Habit { .. });
        let paused = entry.job.settings.schedule.as_ref().is_some_and(CronSchedule::is_paused);
        if entry.deleted || (paused && !by_hand) {
            return;
        }
        let trigger = match entry.clockwork {
            Clockwork::Habit { .. } => Trigger::OneTime,
            Clockwork::Arrivals { .. } => Trigger::FileArrival,
            Clockwork::Continuous => Trigger::Continuous,
            _ => Trigger::Periodic,
        };
        if trigger == Trigger::Continuous && self.active.iter().any(|key| self.courses[key].job == job) {
            return;
        }
        let creator = entry.job.creator_user_name.clone();
        let has_history = entry.has_history;
        let mut course = self.course(job, creator, trigger, at);
        if has_history {
            // The same run as the past would have told, had the world begun later.
            course.key = RunKey::fired(job, at);
        }
        if !self.courses.contains_key(&course.key) {
            self.launch(course, None);
        }
    }

    fn pause(&mut self, job: usize) {
        let entry = &mut self.jobs[job];
        let mut settings = JobSettings::clone(&entry.job.settings);
        if let Some(schedule) = &mut settings.schedule {
            schedule.pause_status = Some(PauseStatus::Paused);
        }
        entry.job.settings = Arc::new(settings);
    }

    /// A run of a job that has a number of its own and has not begun.
    pub(super) fn course(&mut self, job: usize, creator: String, trigger: Trigger, at: Instant) -> Course {
        self.runs_launched += 1;
        let entry = &self.jobs[job];
        Course {
            key: RunKey::live(self.runs_launched),
            job,
            job_id: entry.job.job_id,
            settings: Arc::clone(&entry.job.settings),
            creator,
            trigger,
            parent: None,
            parameters: std::collections::BTreeMap::new(),
            only: Vec::new(),
            launched_at: at,
            closed: None,
            parts: Vec::new(),
        }
    }

    /// Launches a run: it begins, waits for a slot, or is skipped. `queues` overrides the job's own word.
    pub(super) fn launch(&mut self, mut course: Course, queues: Option<bool>) -> RunKey {
        let key = course.key;
        let at = course.launched_at;
        if self.has_slot(course.job) {
            self.begin_living(&mut course, at);
        } else if course.settings.max_concurrent_runs == 0 || !queues.unwrap_or_else(|| course.settings.queues()) {
            course.closed = Some((after(at, SECOND / 5), Ending::MaxConcurrentRuns));
        }
        self.adopt(course);
        key
    }

    fn begin_living(&mut self, course: &mut Course, at: Instant) {
        let mut around = Around::new(self, course.job, course.key, 0);
        self.begin(course, after(at, 3 * SECOND / 2), &mut around);
        for called in around.called {
            self.adopt(called);
        }
    }

    /// Whether a job may have one more run at once. Runs that other jobs called count too, once they are launched.
    pub(super) fn has_slot(&self, job: usize) -> bool {
        let running = self.active.iter().filter_map(|key| self.courses.get(key)).filter(|course| {
            course.job == job
                && course.launched_at <= self.now
                && !course.parts.is_empty()
                && course.phase_at(self.now).is_active()
        });
        let limit = usize::try_from(self.jobs[job].job.settings.max_concurrent_runs).unwrap_or(usize::MAX);
        running.count() < limit
    }

    /// A run may be over: then its slot goes to the one that has waited longest.
    fn end(&mut self, key: RunKey, at: Instant) {
        let Some(course) = self.courses.get(&key) else { return };
        if course.phase_at(at).is_active() {
            return;
        }
        let job = course.job;
        self.active.remove(&key);
        self.give_slots(job, at);
        if self.jobs[job].clockwork == Clockwork::Continuous && !self.jobs[job].deleted {
            self.expect(after(at, 15 * SECOND), Happening::Fires(job));
        }
    }

    /// Begins queued runs of a job while it has slots.
    pub(super) fn give_slots(&mut self, job: usize, at: Instant) {
        while self.has_slot(job) {
            let queued = self
                .active
                .iter()
                .filter_map(|key| self.courses.get(key))
                .filter(|course| course.job == job && course.phase_at(at) == Phase::Queued && course.parts.is_empty())
                .min_by_key(|course| (course.launched_at, course.key));
            let Some(mut course) = queued.cloned() else { return };
            self.begin_living(&mut course, at);
            self.adopt(course);
        }
    }

    /// Puts a run back after its course changed.
    pub(super) fn rewrite(&mut self, course: Course) {
        self.active.remove(&course.key);
        self.adopt(course);
    }
}
