//! Orders about runs and jobs: run now, cancel, repair, create, change, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::course::{Course, Part};
use super::ids::{RunKey, Slot};
use super::job::{Job, JobSettings};
use super::past::{Around, repair_cast};
use super::plan::{Role, cut, cut_attempt};
use super::principal::{Access, Level, Principal};
use super::quartz::Quartz;
use super::refusal::Refusal;
use super::run::Trigger;
use super::site::{Clockwork, Happening, JobEntry, Site};
use super::state::{Ending, Phase};
use super::temper::Temper;
use super::time::{SECOND, after};

/// The longest that an idempotency token may be.
const MAX_TOKEN: usize = 64;

/// What `run-now` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunNow {
    /// The job.
    pub job_id: u64,
    /// A repeat with the same token is answered with the run that the first one made.
    pub idempotency_token: Option<String>,
    /// Overrides of declared parameters.
    pub job_parameters: BTreeMap<String, String>,
    /// Only these tasks: `key`, `+key` with its upstream, `key+` with its downstream.
    pub only: Vec<String>,
    /// Overrides whether the run may wait.
    pub queue: Option<bool>,
}

/// What `runs/submit` asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubmitRun {
    /// The run's name and tasks.
    pub settings: JobSettings,
    /// A repeat with the same token is answered with the run that the first one made.
    pub idempotency_token: Option<String>,
    /// Who may do what with it.
    pub access: Vec<Access>,
}

/// What `runs/repair` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairRun {
    /// The job run.
    pub run_id: u64,
    /// These tasks, by key.
    pub rerun_tasks: Vec<String>,
    /// Or all that did not succeed.
    pub rerun_all_failed_tasks: bool,
    /// With `rerun_tasks`: all that depend on them too.
    pub rerun_dependent_tasks: bool,
    /// From the second repair on, the one before.
    pub latest_repair_id: Option<u64>,
    /// Overrides of declared parameters.
    pub job_parameters: BTreeMap<String, String>,
}

impl Site {
    /// Launches a run.
    pub(super) fn run_now(&mut self, creator: &str, order: RunNow) -> Result<u64, Refusal> {
        let (job, entry) = self.job_entry(order.job_id)?;
        let settings = Arc::clone(&entry.job.settings);
        if let Some(token) = &order.idempotency_token {
            if token.len() > MAX_TOKEN {
                return Err(Refusal::Invalid(format!("idempotency_token must have at most {MAX_TOKEN} characters.")));
            }
            if let Some(run_id) = self.tokens.get(&(order.job_id, token.clone())) {
                return Ok(*run_id);
            }
        }
        known_parameters(&settings, &order.job_parameters)?;
        let only = selection(&settings, &order.only)?;
        let mut course = self.course(job, creator.to_owned(), Trigger::OneTime, self.now);
        course.parameters = order.job_parameters;
        course.only = only;
        let run_id = self.launch(course, order.queue).id(Slot::Run);
        if let Some(token) = order.idempotency_token {
            self.tokens.insert((order.job_id, token), run_id);
        }
        Ok(run_id)
    }

    /// Launches one run of settings that are no job's.
    pub(super) fn submit_run(&mut self, creator: &Principal, order: SubmitRun) -> Result<u64, Refusal> {
        // No job has this id: tokens of submitted runs are a workspace's own.
        let token = order.idempotency_token.map(|token| (0, token));
        if let Some(run_id) = token.as_ref().and_then(|token| self.tokens.get(token)) {
            return Ok(*run_id);
        }
        if order.settings.tasks.is_empty() {
            return Err(Refusal::Invalid("Missing required field: tasks".to_owned()));
        }
        let job_id = self.create_job(creator, order.settings)?;
        let (job, _) = self.job_entry(job_id)?;
        self.delete_job(job_id)?;
        let entry = &mut self.jobs[job];
        entry.one_time = true;
        entry.access = order.access;
        let course = self.course(job, creator.user_name.clone(), Trigger::OneTime, self.now);
        let run_id = self.launch(course, None).id(Slot::Run);
        if let Some(token) = token {
            self.tokens.insert(token, run_id);
        }
        Ok(run_id)
    }

    /// Cancels a job run or one task's run; a run that is over keeps its result.
    pub(super) fn cancel_run(&mut self, run_id: u64) -> Result<(), Refusal> {
        match self.find(run_id)? {
            (course, Slot::Attempt { task, number }) => {
                if course
                    .attempt(task, number)
                    .is_some_and(|attempt| attempt.started_at <= self.now && attempt.ended_at() > self.now)
                {
                    self.stop_attempt(course.key, task, number);
                }
            }
            (course, _) => self.cancel(course),
        }
        Ok(())
    }

    /// Cancels the active runs of a job (queued ones only when asked), or all queued runs of the workspace.
    pub(super) fn cancel_all(&mut self, job_id: Option<u64>, all_queued_runs: bool) -> Result<(), Refusal> {
        let job = job_id.map(|id| self.job_entry(id).map(|(job, _)| job)).transpose()?;
        if job.is_none() && !all_queued_runs {
            return Err(Refusal::Invalid("Either job_id or all_queued_runs must be set.".to_owned()));
        }
        let meant: Vec<Course> = self
            .active
            .iter()
            .filter_map(|key| self.courses.get(key))
            .filter(|course| course.launched_at <= self.now)
            .filter(|course| {
                let queued = course.phase_at(self.now) == Phase::Queued;
                match job {
                    Some(job) => course.job == job && (!queued || all_queued_runs),
                    None => queued,
                }
            })
            .cloned()
            .collect();
        for course in meant {
            self.cancel(course);
        }
        Ok(())
    }

    fn cancel(&mut self, mut course: Course) {
        let now = self.now;
        if !course.phase_at(now).is_active() {
            return;
        }
        match course.parts.last_mut() {
            None => course.closed = Some((after(now, SECOND / 2), Ending::Canceled)),
            Some(part) if part.stopped_at.is_some() => return,
            Some(part) => {
                cut(&mut part.attempts, now, Ending::Canceled);
                // What had failed by then stays failed, but the run was canceled.
                let attempts = std::mem::take(&mut part.attempts);
                *part = Part {
                    stopped_at: Some(now),
                    ..Part::new(part.repair_id, part.begins_at, attempts, Ending::Canceled)
                };
                part.ended_at = part.ended_at.max(after(now, SECOND));
            }
        }
        let children: Vec<RunKey> = course
            .parts
            .last()
            .into_iter()
            .flat_map(|part| &part.attempts)
            .filter_map(|attempt| attempt.child)
            .collect();
        self.rewrite(course);
        for child in children {
            if let Some(child) = self.courses.get(&child).cloned() {
                self.cancel(child);
            }
        }
    }

    /// Stops one attempt; the rest of its run goes on as the graph says.
    pub(super) fn stop_attempt(&mut self, key: RunKey, task: usize, number: u32) {
        let Some(mut course) = self.courses.get(&key).cloned() else { return };
        let now = self.now;
        let Some(part) = course.parts.pop() else { return };
        let mut kept: Vec<_> = part.attempts.into_iter().filter(|attempt| attempt.started_at <= now).collect();
        for attempt in kept.iter_mut().filter(|attempt| attempt.task == task && attempt.number == number) {
            cut_attempt(attempt, now, Ending::Canceled);
        }
        // Who has begun keeps the number with which it did.
        let cast = self.cast_of(&course, &kept);
        let mut around = Around::new(self, course.job, key, 0);
        let planned = self.part(&course, part.repair_id, part.begins_at, &cast, &kept, &mut around);
        let called = around.called;
        course.parts.push(planned);
        self.rewrite(course);
        for child in called {
            if !self.courses.contains_key(&child.key) {
                self.adopt(child);
            }
        }
    }

    /// What each task of the newest part is to do, once earlier parts are over.
    fn cast_of(&self, course: &Course, kept: &[super::plan::Attempt]) -> Vec<Role> {
        let earlier = course.last_attempts();
        (0..course.settings.tasks.len())
            .map(|task| match (kept.iter().find(|attempt| attempt.task == task), earlier.get(&task)) {
                (Some(first), _) => Role::Play(first.number),
                (None, Some(before)) if before.ending == Ending::Success => {
                    Role::Keep { ending: before.ending, outcome: before.outcome }
                }
                (None, Some(before)) => Role::Play(before.number + 1),
                (None, None) if course.only.is_empty() || course.only.contains(&task) => Role::Play(0),
                (None, None) => Role::Keep { ending: Ending::Disabled, outcome: None },
            })
            .collect()
    }

    /// Repairs a run that is over: it is open again, under the same id.
    pub(super) fn repair_run(&mut self, order: &RepairRun) -> Result<u64, Refusal> {
        let (mut course, slot) = self.find(order.run_id)?;
        if slot != Slot::Run {
            return Err(Refusal::NoSuchRun(order.run_id));
        }
        let (_, entry) = self.job_entry(course.job_id)?;
        let settings = Arc::clone(&entry.job.settings);
        if course.phase_at(self.now).is_active() {
            return Err(Refusal::NotNow(format!("Run {} is still active and cannot be repaired.", order.run_id)));
        }
        let latest = course.parts.iter().rev().find_map(|part| part.repair_id);
        if order.latest_repair_id != latest {
            let latest = latest.map_or_else(|| "none".to_owned(), |id| id.to_string());
            return Err(Refusal::Invalid(format!(
                "The latest_repair_id of the request does not match the latest repair of run {} ({latest}).",
                order.run_id
            )));
        }
        known_parameters(&settings, &order.job_parameters)?;
        // A repair uses the job's settings of now; tasks are matched by their keys.
        let same_graph = settings.tasks.iter().map(|task| &task.task_key).eq(course
            .settings
            .tasks
            .iter()
            .map(|task| &task.task_key));
        if same_graph {
            course.settings = settings;
        }
        let cast = self.cast_for(&course, order)?;
        if !cast.iter().any(|role| matches!(role, Role::Play(_))) {
            return Err(Refusal::Invalid(format!("Run {} has no failed tasks to repair.", order.run_id)));
        }
        let repairs = course.parts.iter().filter(|part| part.repair_id.is_some()).count() as u64;
        let id = course.key.id(Slot::Repair(repairs));
        course.parameters.extend(order.job_parameters.clone());
        course.closed = None;
        let mut around = Around::new(self, course.job, course.key, 0);
        let part = self.part(&course, Some(id), self.now, &cast, &[], &mut around);
        let called = around.called;
        course.parts.push(part);
        self.rewrite(course);
        for child in called {
            self.adopt(child);
        }
        Ok(id)
    }

    fn cast_for(&self, course: &Course, order: &RepairRun) -> Result<Vec<Role>, Refusal> {
        if order.rerun_all_failed_tasks != order.rerun_tasks.is_empty() {
            return Err(Refusal::Invalid(
                "Exactly one of rerun_tasks and rerun_all_failed_tasks must be set.".to_owned(),
            ));
        }
        if order.rerun_all_failed_tasks {
            return Ok(repair_cast(course));
        }
        let mut wanted: Vec<usize> = Vec::new();
        for key in &order.rerun_tasks {
            let suffix = if order.rerun_dependent_tasks { "+" } else { "" };
            wanted.extend(selection(&course.settings, &[format!("{key}{suffix}")])?);
        }
        let last = course.last_attempts();
        let cast = (0..course.settings.tasks.len()).map(|task| match (wanted.contains(&task), last.get(&task)) {
            (true, Some(attempt)) => Role::Play(attempt.number + 1),
            (true, None) => Role::Play(0),
            (false, Some(attempt)) => Role::Keep { ending: attempt.ending, outcome: attempt.outcome },
            (false, None) => Role::Keep { ending: Ending::Disabled, outcome: None },
        });
        Ok(cast.collect())
    }

    /// Creates a job.
    pub(super) fn create_job(&mut self, creator: &Principal, settings: JobSettings) -> Result<u64, Refusal> {
        check(&settings)?;
        let job_id =
            100_000_000_000_000 + self.draw.named("created").at(self.jobs.len() as u64).below(899_999_999_999_999);
        let clockwork = Clockwork::of_settings(&settings, self.now);
        let mut temper = Temper::unknown(self.now);
        if clockwork == Clockwork::Continuous {
            // A run that is followed by the next at once is a long one.
            temper.tasks.iter_mut().for_each(|task| task.minutes = 45.0);
        }
        self.jobs.push(JobEntry {
            clockwork,
            job: Job {
                job_id,
                created_time: self.now,
                creator_user_name: creator.user_name.clone(),
                run_as_user_name: run_as(&settings).unwrap_or_else(|| creator.user_name.clone()),
                settings: Arc::new(settings),
            },
            temper,
            access: vec![Access { grantee: creator.grantee(), level: Level::Owner }],
            reads: Vec::new(),
            caller: None,
            has_history: false,
            deleted: false,
            one_time: false,
        });
        self.schedule(self.jobs.len() - 1);
        Ok(job_id)
    }

    /// Replaces a job's settings. Runs that have been launched keep theirs.
    pub(super) fn reset_job(&mut self, job_id: u64, mut settings: JobSettings) -> Result<(), Refusal> {
        check(&settings)?;
        let (job, _) = self.job_entry(job_id)?;
        let entry = &mut self.jobs[job];
        // Who it runs as stays when nobody says otherwise.
        match (run_as(&settings), entry.job.settings.extra.get("run_as")) {
            (Some(name), _) => entry.job.run_as_user_name = name,
            (None, Some(before)) => {
                settings.extra.insert("run_as".to_owned(), before.clone());
            }
            (None, None) => {}
        }
        entry.clockwork = match &entry.clockwork {
            Clockwork::Habit { per_day } => Clockwork::Habit { per_day: *per_day },
            _ => Clockwork::of_settings(&settings, self.now),
        };
        entry.job.settings = Arc::new(settings);
        self.schedule(job);
        let now = self.now;
        self.give_slots(job, now);
        Ok(())
    }

    /// Deletes a job; its runs stay.
    pub(super) fn delete_job(&mut self, job_id: u64) -> Result<(), Refusal> {
        let (job, _) = self.job_entry(job_id)?;
        self.jobs[job].deleted = true;
        self.agenda.retain(|_, happening| *happening != Happening::Fires(job));
        Ok(())
    }

    /// Puts a job's next fire on the agenda, in place of the one that stood there.
    fn schedule(&mut self, job: usize) {
        self.agenda.retain(|_, happening| *happening != Happening::Fires(job));
        let next = match self.jobs[job].clockwork {
            Clockwork::Continuous => Some(after(self.now, SECOND)),
            _ => self.next_fire(job, self.now),
        };
        if let Some(at) = next {
            self.expect(at, Happening::Fires(job));
        }
    }
}

/// The user or service principal that `run_as` names.
fn run_as(settings: &JobSettings) -> Option<String> {
    let run_as = settings.extra.get("run_as")?;
    ["user_name", "service_principal_name"].into_iter().find_map(|key| run_as.get(key)?.as_str()).map(str::to_owned)
}

/// Refuses settings that the world could not act on.
fn check(settings: &JobSettings) -> Result<(), Refusal> {
    if let Some(schedule) = &settings.schedule {
        Quartz::parse(&schedule.quartz_cron_expression, &schedule.timezone_id)
            .map_err(|error| Refusal::Invalid(format!("Invalid schedule: {error}.")))?;
    }
    let keys: Vec<&str> = settings.tasks.iter().map(|task| task.task_key.as_str()).collect();
    for (at, task) in settings.tasks.iter().enumerate() {
        if keys[..at].contains(&task.task_key.as_str()) {
            return Err(Refusal::Invalid(format!("Task key '{}' is used more than once.", task.task_key)));
        }
        for on in &task.depends_on {
            if !keys.contains(&on.task_key.as_str()) {
                return Err(Refusal::Invalid(format!(
                    "Task '{}' depends on '{}', which does not exist.",
                    task.task_key, on.task_key
                )));
            }
        }
    }
    // A graph without cycles empties itself when tasks without open upstream are taken away.
    let mut open: Vec<&super::job::Task> = settings.tasks.iter().collect();
    loop {
        let blocked: Vec<&super::job::Task> = open
            .iter()
            .filter(|task| task.depends_on.iter().any(|on| open.iter().any(|up| up.task_key == on.task_key)))
            .copied()
            .collect();
        if blocked.is_empty() {
            return Ok(());
        }
        if blocked.len() == open.len() {
            return Err(Refusal::Invalid(format!("The task graph has a cycle through '{}'.", blocked[0].task_key)));
        }
        open = blocked;
    }
}

fn known_parameters(settings: &JobSettings, given: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let unknown = given.keys().find(|name| !settings.parameters.iter().any(|declared| declared.name == **name));
    unknown.map_or(Ok(()), |name| Err(Refusal::Invalid(format!("Job parameter '{name}' is not declared by the job."))))
}

/// The tasks that `only` selects; none selects all.
fn selection(settings: &JobSettings, only: &[String]) -> Result<Vec<usize>, Refusal> {
    let tasks = &settings.tasks;
    let position = |key: &str| tasks.iter().position(|task| task.task_key == key);
    let mut chosen = std::collections::BTreeSet::new();
    for wish in only {
        let key = wish.trim_start_matches('+').trim_end_matches('+');
        let task = position(key).ok_or_else(|| Refusal::Invalid(format!("Task '{key}' does not exist in the job.")))?;
        let mut open = vec![task];
        chosen.insert(task);
        if wish.starts_with('+') {
            while let Some(at) = open.pop() {
                let upstream = tasks[at].depends_on.iter().filter_map(|on| position(&on.task_key));
                open.extend(upstream.filter(|up| chosen.insert(*up)));
            }
            open.push(task);
        }
        if wish.ends_with('+') {
            while let Some(at) = open.pop() {
                let key = &tasks[at].task_key;
                let down = (0..tasks.len()).filter(|down| tasks[*down].depends_on.iter().any(|on| on.task_key == *key));
                open.extend(down.filter(|down| chosen.insert(*down)));
            }
        }
    }
    Ok(chosen.into_iter().collect())
}
