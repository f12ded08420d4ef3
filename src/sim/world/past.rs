//! The past: every run of the last three weeks, computed when somebody asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use chrono::{TimeZone, Utc};
use chrono_tz::Tz;

use crate::domain::Instant;
use crate::sim::scenario::Offset;

use super::course::{Course, Part};
use super::failure::Failure;
use super::ids::RunKey;
use super::job::{CronSchedule, JobSettings, PauseStatus, RunJobTask};
use super::plan::{Brief, Child, Role, Surroundings, cut, plan, verdict};
use super::quartz::Quartz;
use super::run::Trigger;
use super::site::{Clockwork, DayOfRuns, Site};
use super::state::Ending;
use super::time::{DAY, HOUR, MINUTE, SECOND, after, before, span_ms};

/// How deep jobs call jobs before the world stops following.
const MAX_CALLS: u32 = 4;

impl Site {
    /// A run that the world's past holds: one that its job's clockwork launched before the start.
    pub(super) fn past_course(&self, key: RunKey) -> Option<Course> {
        let (job, minute) = key.fire()?;
        let entry = self.jobs.get(job).filter(|entry| entry.has_history)?;
        if let Some((caller, _)) = entry.caller {
            let parent = RunKey::fired(caller, minute);
            let at = self.fired_at(caller, minute)?;
            let mut around = Around::new(self, caller, parent, 0);
            self.launched(caller, parent, at, BTreeMap::new(), &mut around);
            return around.called.into_iter().find(|course| course.key == key);
        }
        let at = self.fired_at(job, minute)?;
        let mut around = Around::new(self, job, key, 0);
        let mut course = self.launched(job, key, at, BTreeMap::new(), &mut around);
        self.repair_in_hindsight(&mut course);
        Some(course)
    }

    /// The instant in that minute at which a job's clockwork launched it, if it did and the past reaches back so far.
    fn fired_at(&self, job: usize, minute: Instant) -> Option<Instant> {
        let at = self.fires_between(job, minute, after(minute, MINUTE)).into_iter().next()?;
        (at >= self.laws.history_from() && at < self.laws.started_at).then_some(at)
    }

    /// A run that a job's clockwork launches, begun at once.
    pub(super) fn launched(
        &self,
        job: usize,
        key: RunKey,
        at: Instant,
        parameters: BTreeMap<String, String>,
        around: &mut Around<'_>,
    ) -> Course {
        let entry = &self.jobs[job];
        let by_hand = matches!(entry.clockwork, Clockwork::Habit { .. });
        let mut course = Course {
            key,
            job,
            job_id: entry.job.job_id,
            settings: Arc::clone(&entry.job.settings),
            creator: entry.job.creator_user_name.clone(),
            trigger: if by_hand { Trigger::OneTime } else { Trigger::Periodic },
            parent: None,
            parameters,
            only: Vec::new(),
            launched_at: at,
            closed: None,
            parts: Vec::new(),
        };
        self.begin(&mut course, after(at, 3 * SECOND / 2), around);
        course
    }

    /// Plans the original attempt of a run from an instant on.
    pub(super) fn begin(&self, course: &mut Course, at: Instant, around: &mut Around<'_>) {
        let tasks = course.settings.tasks.len();
        let cast: Vec<Role> = (0..tasks)
            .map(|task| {
                let plays = course.only.is_empty() || course.only.contains(&task);
                if plays { Role::Play(0) } else { Role::Keep { ending: Ending::Disabled, outcome: None } }
            })
            .collect();
        let part = self.part(course, None, at, &cast, &[], around);
        course.parts.push(part);
    }

    /// Plans a part of a run; attempts in `kept` have begun and stay.
    pub(super) fn part(
        &self,
        course: &Course,
        repair_id: Option<u64>,
        at: Instant,
        cast: &[Role],
        kept: &[super::plan::Attempt],
        around: &mut Around<'_>,
    ) -> Part {
        let entry = &self.jobs[course.job];
        let draw = self.draw.named("run").at(course.key.bits());
        let brief = Brief {
            draw,
            settings: &course.settings,
            temper: &entry.temper,
            doomed: repair_id.is_none() && draw.named("doomed").chance(entry.temper.doom) && !self.laws.is_quiet(at),
            begins_at: at,
            cast,
            known: &course.known(),
        };
        let mut attempts = plan(&brief, kept, around);
        let limit_ms = course.settings.timeout_seconds.saturating_mul(SECOND);
        let limit_at = after(at, limit_ms);
        let timed_out = limit_ms > 0 && attempts.iter().any(|attempt| attempt.ended_at() > limit_at);
        if timed_out {
            cut(&mut attempts, limit_at, Ending::TimedOut);
        }
        let endings = last_endings(cast, &attempts);
        let ending = if timed_out { Ending::TimedOut } else { verdict(&course.settings, &endings) };
        Part::new(repair_id, at, attempts, ending)
    }

    /// What an engineer did about a run that failed before the world began: repaired it within the hour, where the next
    /// run would not have come sooner.
    fn repair_in_hindsight(&self, course: &mut Course) {
        let Some(part) = course.parts.last().filter(|part| part.ending == Ending::RunFailed) else { return };
        let draw = self.draw.named("hindsight").at(course.key.bits());
        let at = after(part.ended_at, draw.named("noticed").below(50 * MINUTE) + 10 * MINUTE);
        let seldom = self
            .next_fire(course.job, course.launched_at)
            .is_none_or(|next| span_ms(course.launched_at, next) > 12 * HOUR);
        if !seldom || at > before(self.laws.started_at, HOUR) {
            return;
        }
        let cast = repair_cast(course);
        let id = course.key.id(super::ids::Slot::Repair(0));
        let mut around = Around::new(self, course.job, course.key, 1);
        let part = self.part(course, Some(id), at, &cast, &[], &mut around);
        course.parts.push(part);
    }

    /// All launches of `[from, to)` before the world began, newest first.
    pub(super) fn launches_between(&self, from: Instant, to: Instant) -> Vec<(Instant, RunKey)> {
        let (from, to) = (from.max(self.laws.history_from()), to.min(self.laws.started_at));
        let mut launches = Vec::new();
        let mut day = day_of(to);
        while day >= day_of(from) && from < to {
            launches.extend(self.day(day).iter().copied().filter(|(at, _)| *at >= from && *at < to));
            day -= 1;
        }
        launches
    }

    /// All launches of a day before the world began, newest first.
    pub(super) fn day(&self, day: i64) -> DayOfRuns {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = days.get(&day) {
            return Arc::clone(known);
        }
        let Some(from) = Utc.timestamp_opt(day * 86_400, 0).single() else { return Arc::default() };
        let to = after(from, DAY);
        let mut launches = Vec::new();
        for job in 0..self.jobs.len() {
            launches.extend(self.launches_of(job, from, to));
        }
        launches.sort_unstable_by(|one, other| other.cmp(one));
        let launches: DayOfRuns = launches.into();
        days.insert(day, Arc::clone(&launches));
        launches
    }

    /// A job's launches of `[from, to)` before the world began.
    pub(super) fn launches_of(&self, job: usize, from: Instant, to: Instant) -> Vec<(Instant, RunKey)> {
        let (from, to) = (from.max(self.laws.history_from()), to.min(self.laws.started_at));
        let entry = &self.jobs[job];
        if !entry.has_history || from >= to {
            return Vec::new();
        }
        let Some((caller, _)) = entry.caller else {
            return self.fires_between(job, from, to).into_iter().map(|at| (at, RunKey::fired(job, at))).collect();
        };
        // It is called somewhere within its caller's run.
        self.fires_between(caller, before(from, 6 * HOUR), to)
            .into_iter()
            .filter_map(|fire| self.past_course(RunKey::fired(job, fire)))
            .map(|course| (course.launched_at, course.key))
            .filter(|(at, _)| *at >= from && *at < to)
            .collect()
    }

    /// Moves schedules to where the scenario needs them.
    pub(super) fn retime(&mut self) {
        let laws = Arc::clone(&self.laws);
        let here = self.environment;
        for retime in laws.scenario.retime.iter().filter(|retime| retime.environment == here) {
            let Some(job) = self.job_named(&retime.job) else { continue };
            let fire = match (&retime.running, retime.ago) {
                (Some(task), _) => self.fire_with_running(job, task),
                (None, Some(Offset(ms))) => whole_minute(before(laws.started_at, ms.unsigned_abs())),
                (None, None) => None,
            };
            if let Some(fire) = fire {
                self.fire_at(job, fire);
            }
        }
    }

    /// The latest minute such that a run launched then has a task running from the start on, for five minutes.
    fn fire_with_running(&self, job: usize, task: &str) -> Option<Instant> {
        let started_at = self.laws.started_at;
        (2..180).filter_map(|minutes| whole_minute(before(started_at, minutes * MINUTE))).find(|fire| {
            let key = RunKey::fired(job, *fire);
            let course = self.launched(job, key, *fire, BTreeMap::new(), &mut Around::new(self, job, key, 0));
            let attempts = course.parts.iter().flat_map(|part| &part.attempts);
            let mut of_task = attempts.filter(|attempt| course.settings.tasks[attempt.task].task_key == task);
            // Planted failures cut attempts short, so the start of the attempt has to do.
            of_task.any(|attempt| {
                attempt.executes_at() <= before(started_at, 2 * MINUTE)
                    && attempt.ended_at() > after(started_at, 15 * SECOND)
            })
        })
    }

    fn fire_at(&mut self, job: usize, fire: Instant) {
        let entry = &mut self.jobs[job];
        let Some(schedule) = &entry.job.settings.schedule else { return };
        let zone: Tz = schedule.timezone_id.parse().unwrap_or(Tz::UTC);
        let hourly = entry.job.settings.tags.get("sla").is_some_and(|sla| sla == "15m");
        let expression = if hourly { Quartz::hourly_at(fire, zone) } else { Quartz::daily_at(fire, zone) };
        let schedule = CronSchedule {
            quartz_cron_expression: expression,
            pause_status: Some(PauseStatus::Unpaused),
            ..schedule.clone()
        };
        entry.clockwork = Clockwork::of(&schedule);
        entry.job.settings =
            Arc::new(JobSettings { schedule: Some(schedule), ..JobSettings::clone(&entry.job.settings) });
    }
}

/// What each task of a repair of everything that failed is to do.
pub(super) fn repair_cast(course: &Course) -> Vec<Role> {
    let last = course.last_attempts();
    (0..course.settings.tasks.len())
        .map(|task| match last.get(&task) {
            Some(attempt) if matches!(attempt.ending, Ending::Success | Ending::Excluded | Ending::Disabled) => {
                Role::Keep { ending: attempt.ending, outcome: attempt.outcome }
            }
            Some(attempt) => Role::Play(attempt.number + 1),
            None => Role::Keep { ending: Ending::Disabled, outcome: None },
        })
        .collect()
}

/// How each task ended at last.
pub(super) fn last_endings(cast: &[Role], attempts: &[super::plan::Attempt]) -> Vec<Ending> {
    cast.iter()
        .enumerate()
        .map(|(task, role)| {
            let last = attempts.iter().rev().find(|attempt| attempt.task == task).map(|attempt| attempt.ending);
            match (last, role) {
                (Some(ending), _) => ending,
                (None, Role::Keep { ending, .. }) => *ending,
                (None, Role::Play(_)) => Ending::Excluded,
            }
        })
        .collect()
}

fn whole_minute(at: Instant) -> Option<Instant> {
    Instant::from_timestamp(at.timestamp().div_euclid(60) * 60, 0)
}

/// The day of an instant, counted from 1970.
pub(super) fn day_of(at: Instant) -> i64 {
    at.timestamp().div_euclid(86_400)
}

/// What a run meets: the scenario's faults, other jobs, busy pipelines.
pub(super) struct Around<'a> {
    site: &'a Site,
    job: usize,
    key: RunKey,
    depth: u32,
    /// The runs that its tasks launch.
    pub(super) called: Vec<Course>,
}

impl<'a> Around<'a> {
    /// Around a run of a job; `depth` counts the callers above it.
    pub(super) fn new(site: &'a Site, job: usize, key: RunKey, depth: u32) -> Self {
        Self { site, job, key, depth, called: Vec::new() }
    }

    fn job_name(&self) -> &str {
        &self.site.jobs[self.job].job.settings.name
    }

    /// The key of a called run: derived, so that planning anew names it anew in the same way.
    fn child_key(&self, called: usize, task: usize, number: u32) -> RunKey {
        match self.key.fire() {
            Some((_, minute)) if number == 0 && self.site.jobs[called].has_history => RunKey::fired(called, minute),
            _ => RunKey::derived(self.key, task, number),
        }
    }
}

impl Surroundings for Around<'_> {
    fn slowness(&self, task: &str, at: Instant) -> f64 {
        let laws = &self.site.laws;
        let meant = laws.scenario.slow.iter().filter(|slow| {
            slow.environment == self.site.environment
                && slow.job == self.job_name()
                && slow.task.as_deref().is_none_or(|only| only == task)
                && laws.at(slow.from) <= at
                && at < laws.at(slow.until)
        });
        meant.map(|slow| slow.factor).product()
    }

    fn planted(&self, task: &str, number: u32, from: Instant, to: Instant) -> Option<(Instant, Failure)> {
        let laws = &self.site.laws;
        let fail = laws.scenario.fail.iter().find(|fail| {
            fail.environment == self.site.environment
                && fail.job == self.job_name()
                && fail.task == task
                && fail.attempts.is_none_or(|attempts| number < attempts)
                && laws.at(fail.from) < to
                && from < laws.at(fail.until)
        })?;
        let failure = Failure { family: fail.error, details: Arc::new(fail.details.clone()) };
        Some((laws.at(fail.from), failure))
    }

    fn is_quiet(&self, at: Instant) -> bool {
        self.site.laws.is_quiet(at)
    }

    fn pipeline_free_at(&self, pipeline_id: &str, at: Instant) -> Instant {
        let updates = self.site.updates.get(pipeline_id).map_or(&[][..], Vec::as_slice);
        let busy =
            updates.iter().filter(|update| update.created_at <= at).filter_map(super::updates::UpdateCourse::ended_at);
        busy.max().unwrap_or(at).max(at)
    }

    fn call(&mut self, task: usize, number: u32, order: &RunJobTask, at: Instant) -> Option<Child> {
        let called = self.site.jobs.iter().position(|entry| entry.job.job_id == order.job_id && !entry.deleted)?;
        if self.depth >= MAX_CALLS {
            return None;
        }
        let key = self.child_key(called, task, number);
        let mut around = Around::new(self.site, called, key, self.depth + 1);
        let mut course = self.site.launched(called, key, at, order.job_parameters.clone(), &mut around);
        course.trigger = Trigger::RunJobTask;
        course.parent = Some((self.key, self.key.id(super::ids::Slot::Attempt { task, number })));
        let ending = course.parts.last().map_or(Ending::Success, |part| part.ending);
        let ended_at = course.ended_at().unwrap_or(at);
        self.called.append(&mut around.called);
        self.called.push(course);
        Some(Child { key, ended_at, ending })
    }
}
