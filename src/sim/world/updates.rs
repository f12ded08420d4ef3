//! Updates of pipelines: those that jobs' tasks start follow from the task's attempt, the others are kept.

use crate::domain::Instant;

use super::course::Course;
use super::draw::Draw;
use super::failure::Failure;
use super::job::Payload;
use super::pipeline::{PipelineState, PipelineView, StartUpdate, Update, UpdateCause, UpdateState};
use super::plan::{Attempt, attempt_id};
use super::refusal::Refusal;
use super::site::{PipelineEntry, Site};
use super::state::Ending;
use super::time::{DAY, MINUTE, SECOND, after, before, minutes, span_ms, whole};

/// How many updates a listing of pipelines tells of each.
const LATEST: usize = 5;

/// The whole of an update, as far as it is decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UpdateCourse {
    pub(super) update_id: String,
    pub(super) cause: UpdateCause,
    pub(super) creator: String,
    pub(super) created_at: Instant,
    /// When it got compute.
    pub(super) ready_at: Instant,
    /// When its code was read.
    pub(super) read_at: Instant,
    /// When its tables stood and flows began.
    pub(super) running_at: Instant,
    /// When and how it ends; none for one that runs until somebody stops it.
    pub(super) ends: Option<(Instant, UpdateState)>,
    /// When somebody asked to stop it.
    pub(super) stopped_at: Option<Instant>,
    pub(super) failure: Option<Failure>,
    pub(super) wish: StartUpdate,
}

impl UpdateCourse {
    /// An update that gets compute, reads its code and sets up its tables before its flows run.
    fn new(update_id: String, cause: UpdateCause, creator: String, created_at: Instant, phases_ms: [u64; 3]) -> Self {
        let ready_at = after(created_at, phases_ms[0]);
        let read_at = after(ready_at, phases_ms[1]);
        Self {
            update_id,
            cause,
            creator,
            created_at,
            ready_at,
            read_at,
            running_at: after(read_at, phases_ms[2]),
            ends: None,
            stopped_at: None,
            failure: None,
            wish: StartUpdate::default(),
        }
    }

    /// When it is over, as far as is decided.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.ends.map(|(at, _)| at)
    }

    /// Where it stands.
    pub(super) fn state_at(&self, at: Instant) -> UpdateState {
        match self.ends {
            Some((ended_at, state)) if at >= ended_at => state,
            _ if self.stopped_at.is_some_and(|stopped_at| at >= stopped_at) => UpdateState::Stopping,
            _ if at < after(self.created_at, SECOND / 2) => UpdateState::Created,
            _ if at < self.ready_at => UpdateState::WaitingForResources,
            _ if at < self.read_at => UpdateState::Initializing,
            _ if at < self.running_at && self.wish.full_refresh => UpdateState::Resetting,
            _ if at < self.running_at => UpdateState::SettingUpTables,
            _ => UpdateState::Running,
        }
    }

    /// Stops it; it takes a moment.
    fn stop(&mut self, at: Instant) {
        self.stopped_at = Some(at);
        self.ends = Some((after(at, 6 * SECOND), UpdateState::Canceled));
        self.failure = None;
    }

    fn view(&self, pipeline_id: &str, at: Instant) -> Update {
        let state = self.state_at(at);
        Update {
            update_id: self.update_id.clone(),
            pipeline_id: pipeline_id.to_owned(),
            state,
            cause: self.cause,
            creation_time: self.created_at,
            ended_at: self.ended_at().filter(|_| !state.is_active()),
            full_refresh: self.wish.full_refresh,
            full_refresh_selection: self.wish.full_refresh_selection.clone(),
            refresh_selection: self.wish.refresh_selection.clone(),
            validate_only: self.wish.validate_only,
            creator_user_name: self.creator.clone(),
            cluster_id: (at >= self.ready_at).then(|| self.cluster_id()),
        }
    }

    fn cluster_id(&self) -> String {
        format!("{}-{}", self.created_at.format("%m%d-%H%M%S"), self.update_id.chars().take(8).collect::<String>())
    }
}

/// The id of the update that an attempt of a pipeline task starts; retries count up.
pub(super) fn update_id(pipeline_id: &str, attempt_id: u64, number: u64) -> String {
    Draw::new(attempt_id).named(pipeline_id).at(number).uuid()
}

/// The updates that an attempt of a pipeline task starts: one, or a failed one and the platform's retry.
fn updates_of_attempt(pipeline_id: &str, course: &Course, attempt: &Attempt) -> Vec<UpdateCourse> {
    let id = attempt_id(course.key, attempt);
    let draw = Draw::new(id).named("update");
    let (from, to) = (attempt.executes_at(), attempt.ended_at());
    let retried = attempt.ending == Ending::TaskFailed && attempt.execution_ms > 40 * SECOND;
    let spans = if retried {
        let middle = after(from, whole(span_ms(from, to) as f64 * draw.between(0.4, 0.6)));
        vec![(from, middle), (after(middle, 2 * SECOND), to)]
    } else {
        vec![(from, to)]
    };
    let mut updates = Vec::new();
    for (number, (from, to)) in spans.into_iter().enumerate() {
        let took_ms = span_ms(from, to) as f64;
        let share = |part: f64, most_s: f64| whole((took_ms * part).min(most_s * SECOND as f64));
        let cause = if number == 0 { UpdateCause::JobTask } else { UpdateCause::RetryOnFailure };
        let phases = [share(0.12, 25.0), share(0.1, 15.0), share(0.06, 8.0)];
        let mut update =
            UpdateCourse::new(update_id(pipeline_id, id, number as u64), cause, course.creator.clone(), from, phases);
        update.ends = Some((
            to,
            match attempt.ending {
                Ending::Success => UpdateState::Completed,
                Ending::TaskFailed => UpdateState::Failed,
                _ => UpdateState::Canceled,
            },
        ));
        update.stopped_at = attempt.stopped_at;
        update.failure = attempt.failure.clone();
        updates.push(update);
    }
    updates
}

impl Site {
    /// Continuous pipelines run when the world begins, and have been restarted once before.
    pub(super) fn open_streams(&mut self) {
        for entry in self.pipelines.iter().filter(|entry| entry.pipeline.spec.is_continuous()) {
            let draw = entry.stream.draw.named("updates");
            let creator = entry.pipeline.run_as_user_name.clone();
            let since = entry.stream.since;
            let phases = [200 * SECOND, 20 * SECOND, 10 * SECOND];
            let begun_at = before(since, DAY + draw.below(9 * DAY));
            let mut earlier =
                UpdateCourse::new(draw.at(0).uuid(), UpdateCause::ApiCall, creator.clone(), begun_at, phases);
            earlier.ends = Some((before(since, 4 * SECOND), UpdateState::Canceled));
            let cause = UpdateCause::InfrastructureMaintenance;
            let now = UpdateCourse::new(draw.at(1).uuid(), cause, creator, since, phases);
            self.updates.insert(entry.pipeline.pipeline_id.clone(), vec![earlier, now]);
        }
    }

    /// A pipeline.
    pub(super) fn pipeline_entry(&self, id: &str) -> Result<&PipelineEntry, Refusal> {
        let found = self.pipelines.iter().find(|entry| entry.pipeline.pipeline_id == id);
        found.ok_or_else(|| Refusal::NoSuchPipeline(id.to_owned()))
    }

    /// The newest updates of a pipeline, newest first.
    pub(super) fn update_courses(&self, pipeline_id: &str, at_most: usize) -> Vec<UpdateCourse> {
        let mut updates: Vec<UpdateCourse> = self.updates.get(pipeline_id).cloned().unwrap_or_default();
        let starts_it = |course: &Course, task: usize| matches!(&course.settings.tasks[task].payload, Some(Payload::Pipeline(of)) if of.pipeline_id == pipeline_id);
        let collect = |course: &Course, into: &mut Vec<UpdateCourse>| {
            for attempt in course.parts.iter().flat_map(|part| &part.attempts) {
                if attempt.runs() && starts_it(course, attempt.task) {
                    into.extend(updates_of_attempt(pipeline_id, course, attempt));
                }
            }
        };
        for course in self.courses.values() {
            collect(course, &mut updates);
        }
        let started_at = self.laws.started_at;
        for job in 0..self.jobs.len() {
            let tasks = &self.jobs[job].job.settings.tasks;
            if !tasks
                .iter()
                .any(|task| matches!(&task.payload, Some(Payload::Pipeline(of)) if of.pipeline_id == pipeline_id))
            {
                continue;
            }
            let mut found = Vec::new();
            let mut to = started_at;
            while found.len() < at_most && to > self.laws.history_from() {
                let from = before(to, DAY);
                for (_, key) in self.launches_of(job, from, to) {
                    if let Some(course) = self.past_course(key).filter(|_| !self.courses.contains_key(&key)) {
                        collect(&course, &mut found);
                    }
                }
                to = from;
            }
            updates.append(&mut found);
        }
        updates.retain(|update| update.created_at <= self.now);
        updates.sort_by(|one, other| (other.created_at, &other.update_id).cmp(&(one.created_at, &one.update_id)));
        updates.truncate(at_most);
        updates
    }

    /// The newest updates of a pipeline as they stand, newest first.
    pub(super) fn updates_now(&self, pipeline_id: &str, at_most: usize) -> Result<Vec<Update>, Refusal> {
        self.pipeline_entry(pipeline_id)?;
        let courses = self.update_courses(pipeline_id, at_most);
        Ok(courses.iter().map(|course| course.view(pipeline_id, self.now)).collect())
    }

    /// A pipeline as it stands.
    pub(super) fn pipeline_view(&self, entry: &PipelineEntry) -> PipelineView {
        let courses = self.update_courses(&entry.pipeline.pipeline_id, LATEST);
        let newest = courses.first();
        let state = newest.map(|course| course.state_at(self.now));
        let failed = courses.iter().map(|course| course.state_at(self.now)).find(|state| !state.is_active())
            == Some(UpdateState::Failed);
        let active = state.is_some_and(UpdateState::is_active);
        PipelineView {
            pipeline: entry.pipeline.clone(),
            state: match state {
                Some(UpdateState::Running) => PipelineState::Running,
                Some(UpdateState::Stopping) => PipelineState::Stopping,
                Some(UpdateState::Resetting) => PipelineState::Resetting,
                Some(state) if state.is_active() => PipelineState::Starting,
                Some(UpdateState::Failed) => PipelineState::Failed,
                _ => PipelineState::Idle,
            },
            healthy: !failed,
            cause: newest.filter(|_| failed).and_then(|course| course.failure.as_ref()).map(Failure::message),
            cluster_id: newest.filter(|course| active && self.now >= course.ready_at).map(UpdateCourse::cluster_id),
            latest_updates: courses.iter().map(|course| course.view(&entry.pipeline.pipeline_id, self.now)).collect(),
        }
    }

    /// Starts an update, unless one is active.
    pub(super) fn start_update(
        &mut self,
        creator: &str,
        pipeline_id: &str,
        wish: StartUpdate,
    ) -> Result<String, Refusal> {
        let spec = self.pipeline_entry(pipeline_id)?.pipeline.spec.clone();
        self.read_sources(pipeline_id);
        let active =
            self.update_courses(pipeline_id, LATEST).into_iter().find(|course| course.state_at(self.now).is_active());
        if let Some(active) = active {
            return Err(Refusal::UpdateActive { pipeline_id: pipeline_id.to_owned(), update_id: active.update_id });
        }
        self.runs_launched += 1;
        let draw = self.draw.named("updates").named(pipeline_id).at(self.runs_launched);
        let compute_s = if spec.serverless == Some(true) {
            draw.named("compute").between(6.0, 18.0)
        } else {
            draw.named("compute").between(120.0, 220.0)
        };
        let phases = [whole(compute_s * SECOND as f64), 7 * SECOND, 5 * SECOND];
        let mut update = UpdateCourse::new(draw.uuid(), UpdateCause::ApiCall, creator.to_owned(), self.now, phases);
        let usual = if wish.full_refresh || !wish.full_refresh_selection.is_empty() { 24.0 } else { 3.0 };
        let runs_ms = if wish.validate_only { 0 } else { minutes(draw.named("took").log_normal(usual, 0.2)) };
        if !spec.is_continuous() || wish.validate_only {
            update.ends = Some((after(update.running_at, runs_ms), UpdateState::Completed));
        }
        update.wish = wish;
        let id = update.update_id.clone();
        self.updates.entry(pipeline_id.to_owned()).or_default().push(update);
        Ok(id)
    }

    /// Stops whatever update is active; nothing happens when none is.
    pub(super) fn stop_pipeline(&mut self, pipeline_id: &str) -> Result<(), Refusal> {
        self.pipeline_entry(pipeline_id)?;
        let now = self.now;
        for update in self.updates.get_mut(pipeline_id).into_iter().flatten() {
            if update.state_at(now).is_active() && update.stopped_at.is_none() && update.created_at <= now {
                update.stop(now);
            }
        }
        let mut caught = Vec::new();
        for course in self.active.iter().filter_map(|key| self.courses.get(key)) {
            for attempt in course.parts.last().map_or(&[][..], |part| &part.attempts) {
                let task = &course.settings.tasks[attempt.task];
                let is_it = matches!(&task.payload, Some(Payload::Pipeline(of)) if of.pipeline_id == pipeline_id);
                if is_it && attempt.started_at <= now && attempt.ended_at() > now && attempt.stopped_at.is_none() {
                    caught.push((course.key, attempt.task, attempt.number));
                }
            }
        }
        for (key, task, number) in caught {
            self.stop_attempt(key, task, number);
        }
        Ok(())
    }

    /// Whether a continuous pipeline takes in data at an instant.
    pub(super) fn streams_at(&self, pipeline_id: &str, at: Instant) -> bool {
        self.updates.get(pipeline_id).is_some_and(|updates| {
            updates
                .iter()
                .any(|update| update.running_at <= at && update.ended_at().is_none_or(|ended_at| at < ended_at))
        })
    }

    /// Since when a stream's backlog may differ from the usual: the first throttle, or the first stop since the start.
    pub(super) fn disturbed_from(&self, entry: &PipelineEntry) -> Option<Instant> {
        let stops =
            self.updates.get(&entry.pipeline.pipeline_id).into_iter().flatten().filter_map(|update| update.stopped_at);
        let throttles = self.throttles(entry).into_iter().map(|throttle| throttle.from);
        stops.chain(throttles).min().map(|at| before(at, MINUTE))
    }
}
