//! What is known of one workspace, and what must be asked because of it. Pure: answers go in, snapshots come out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::api::ApiError;
use super::flows::{Flows, Folded};
use super::schedule::Errand;
use crate::domain::Instant;
use crate::domain::ids::{JobId, PipelineId, RunId, UpdateId};
use crate::domain::job::Job;
use crate::domain::pipeline::{Pipeline, PipelineEvent};
use crate::domain::run::{Output, Run, RunState};
use crate::domain::snapshot::{
    EventsReading, FailureNote, FeedFailure, JobWatch, PipelineWatch, Section, WorkspaceSnapshot,
};
use crate::domain::text;
use crate::domain::workspace::Workspace;

/// Runs kept of each job: one page of its listing, and less than a snapshot may hold.
pub const RUNS_PER_JOB: usize = 24;

/// The job ids that belong to no listed job are remembered up to this many, so that they are not looked for for ever.
const STRANGERS: usize = 4_096;

/// A job and its runs, newest first.
#[derive(Clone, Debug)]
struct KnownJob {
    job: Arc<Job>,
    runs: Vec<Arc<Run>>,
    history_read: bool,
    failure: Option<FailureNote>,
}

#[derive(Clone, Debug)]
struct KnownPipeline {
    pipeline: Arc<Pipeline>,
    spec: Spec,
    flows: Flows,
    events: EventsReading,
}

/// What is known of a pipeline's specification.
#[derive(Clone, Debug, Default)]
struct Spec {
    /// Whether one is known, be it of an earlier process.
    known: bool,
    /// The newest update when it was read: an edit takes effect with the next one.
    update: Option<UpdateId>,
    /// How many others had been asked for when this one was, in this process; 0 if it never was.
    asked: u64,
}

/// Which of the four listings failed last, and since when.
#[derive(Clone, Debug, Default)]
struct Failures {
    active: Option<FeedFailure>,
    ended: Option<FeedFailure>,
    jobs: Option<FeedFailure>,
    pipelines: Option<FeedFailure>,
}

/// All that the poller knows of one workspace.
#[derive(Debug)]
pub struct Knowledge {
    workspace: Workspace,
    jobs: BTreeMap<JobId, KnownJob>,
    pipelines: BTreeMap<PipelineId, KnownPipeline>,
    /// Runs of the newest listing of active runs.
    active: BTreeSet<RunId>,
    /// Runs whose job is not known yet.
    orphans: Vec<Run>,
    /// Job ids that no listing knows: runs that were submitted without a job, or that the reader may not see.
    strangers: HashSet<JobId>,
    jobs_listed: bool,
    active_listed: bool,
    ended_listed: bool,
    jobs_at: Option<Instant>,
    pipelines_at: Option<Instant>,
    jobs_cached: bool,
    pipelines_cached: bool,
    failures: Failures,
    jobs_section: Option<Arc<Vec<JobWatch>>>,
    pipelines_section: Option<Arc<Vec<PipelineWatch>>>,
    /// How many specifications were asked for.
    specs_asked: u64,
}

impl Knowledge {
    /// Begins with what an earlier process left in the cache, or with nothing.
    pub fn new(workspace: Workspace, cached: Option<&WorkspaceSnapshot>) -> Self {
        let jobs = cached.and_then(|cached| cached.jobs.value.as_deref()).map(Vec::as_slice).unwrap_or_default();
        let pipelines =
            cached.and_then(|cached| cached.pipelines.value.as_deref()).map(Vec::as_slice).unwrap_or_default();
        let known = jobs.iter().map(|watch| {
            let known = KnownJob {
                job: watch.job.clone(),
                runs: watch.runs.clone(),
                history_read: watch.history_read,
                failure: watch.failure.clone(),
            };
            (watch.job.id, known)
        });
        let known: BTreeMap<JobId, KnownJob> = known.collect();
        let active = known.values().flat_map(|job| &job.runs).filter(|run| run.state.is_active()).map(|run| run.id);
        let active = active.collect();
        let pipelines = pipelines.iter().map(|watch| {
            let known = KnownPipeline {
                pipeline: watch.pipeline.clone(),
                spec: Spec {
                    known: watch.pipeline.continuous.is_some(),
                    update: newest_update(&watch.pipeline),
                    asked: 0,
                },
                flows: Flows::with_lag(watch.lag.clone()),
                events: EventsReading::default(),
            };
            (watch.pipeline.id.clone(), known)
        });
        Self {
            workspace,
            jobs: known,
            pipelines: pipelines.collect(),
            active,
            orphans: Vec::new(),
            strangers: HashSet::new(),
            jobs_listed: false,
            active_listed: false,
            ended_listed: false,
            jobs_at: cached.and_then(|cached| cached.jobs.observed_at),
            pipelines_at: cached.and_then(|cached| cached.pipelines.observed_at),
            jobs_cached: cached.is_some_and(|cached| cached.jobs.value.is_some()),
            pipelines_cached: cached.is_some_and(|cached| cached.pipelines.value.is_some()),
            failures: Failures::default(),
            jobs_section: cached.and_then(|cached| cached.jobs.value.clone()),
            pipelines_section: cached.and_then(|cached| cached.pipelines.value.clone()),
            specs_asked: 0,
        }
    }

    /// Whether jobs and runs were listed completely at least once by this process.
    pub fn has_swept(&self) -> bool {
        self.jobs_listed && self.active_listed && self.ended_listed
    }

    /// The jobs whose recent runs are all to be read anew, after a gap in what was watched.
    pub fn all_histories(&self) -> Vec<Errand> {
        self.jobs.keys().copied().map(Errand::History).collect()
    }

    /// How many runs the newest listing called active.
    pub fn active_count(&self) -> usize {
        self.active.len()
    }

    /// A whole listing of active runs: gives what it makes necessary to ask.
    pub fn active_runs_listed(&mut self, runs: Vec<Run>, now: Instant) -> Vec<Errand> {
        let listed: BTreeSet<RunId> = runs.iter().map(|run| run.id).collect();
        let mut errands: Vec<Errand> = self.active.difference(&listed).copied().map(Errand::Run).collect();
        self.active = listed;
        self.active_listed = true;
        self.failures.active = None;
        for run in runs {
            errands.extend(self.merge(run));
        }
        self.mark_swept(now);
        errands
    }

    /// A whole listing of runs that ended.
    pub fn ended_runs_listed(&mut self, runs: Vec<Run>, now: Instant) -> Vec<Errand> {
        self.failures.ended = None;
        self.ended_listed = true;
        let errands = runs.into_iter().flat_map(|run| self.merge(run)).collect();
        self.mark_swept(now);
        errands
    }

    /// A whole listing of jobs: those that it does not hold are gone.
    pub fn jobs_listed(&mut self, jobs: Vec<Job>, now: Instant) -> Vec<Errand> {
        let mut before = std::mem::take(&mut self.jobs);
        let mut errands = Vec::new();
        for job in jobs {
            let known = match before.remove(&job.id) {
                Some(known) if *known.job == job => known,
                Some(known) => KnownJob { job: Arc::new(job), ..known },
                None => KnownJob { job: Arc::new(job), runs: Vec::new(), history_read: false, failure: None },
            };
            if !known.history_read {
                errands.push(Errand::History(known.job.id));
            }
            self.jobs.insert(known.job.id, known);
        }
        self.jobs_listed = true;
        self.jobs_section = None;
        self.failures.jobs = None;
        for run in std::mem::take(&mut self.orphans) {
            if !self.jobs.contains_key(&run.job) && self.strangers.len() < STRANGERS {
                self.strangers.insert(run.job);
            }
            errands.extend(self.merge(run));
        }
        self.mark_swept(now);
        errands
    }

    /// Some or all recent runs of one job.
    pub fn history_read(&mut self, job: JobId, runs: Vec<Run>) -> Vec<Errand> {
        if let Some(known) = self.jobs.get_mut(&job) {
            known.history_read = true;
            self.jobs_section = None;
        }
        runs.into_iter().flat_map(|run| self.merge(run)).collect()
    }

    /// One run, complete.
    pub fn run_read(&mut self, run: Run) -> Vec<Errand> {
        self.merge(run)
    }

    /// A run that does not exist any more.
    pub fn run_gone(&mut self, run: RunId) {
        for job in self.jobs.values_mut() {
            job.runs.retain(|known| known.id != run);
        }
        self.jobs_section = None;
    }

    /// Why a run failed, from its first failed task and that one's output.
    pub fn failure_read(&mut self, run: &Run, output: Option<&Output>) {
        let said = output.and_then(|output| output.error.as_deref()).into_iter().chain([run.message.as_str()]);
        let error = said.flat_map(text::lines).find(|line| !line.trim().is_empty()).unwrap_or_default();
        let note = FailureNote {
            run: run.id,
            task: run.failed_task().map(|task| task.key.clone()).unwrap_or_default(),
            error: error.trim().to_owned(),
        };
        if let Some(known) = self.jobs.get_mut(&run.job) {
            known.failure = Some(note);
            self.jobs_section = None;
        }
    }

    /// A whole listing of pipelines. It tells no specification: what was read before is kept, and asked for anew where a
    /// new update may have brought an edited one into effect.
    pub fn pipelines_listed(&mut self, pipelines: Vec<Pipeline>, now: Instant) -> Vec<Errand> {
        let mut before = std::mem::take(&mut self.pipelines);
        let mut wanted = Vec::new();
        for listed in pipelines {
            let id = listed.id.clone();
            let known = match before.remove(&id) {
                Some(mut known) => {
                    let merged = with_specification_of(listed, &known.pipeline);
                    if merged != *known.pipeline {
                        known.pipeline = Arc::new(merged);
                    }
                    known
                }
                None => KnownPipeline {
                    pipeline: Arc::new(listed),
                    spec: Spec::default(),
                    flows: Flows::default(),
                    events: EventsReading::default(),
                },
            };
            if !known.spec.known || known.spec.update != newest_update(&known.pipeline) {
                // Running ones first: whether they are streams decides whether their events are read.
                wanted.push((!known.pipeline.state.is_up(), Errand::Spec(id.clone())));
            }
            self.pipelines.insert(id, known);
        }
        self.pipelines_section = None;
        self.pipelines_cached = false;
        self.pipelines_at = Some(now);
        self.failures.pipelines = None;
        wanted.sort_by_key(|(later, _)| *later);
        wanted.into_iter().map(|(_, errand)| errand).collect()
    }

    /// One pipeline's own page.
    pub fn pipeline_read(&mut self, read: Pipeline) {
        if let Some(known) = self.pipelines.get_mut(&read.id) {
            known.spec.known = true;
            known.spec.update = newest_update(&read);
            if *known.pipeline != read {
                known.pipeline = Arc::new(read);
                self.pipelines_section = None;
            }
        }
    }

    /// How many pipelines there are whose specification may have been edited since it was read.
    pub fn specs_known(&self) -> usize {
        self.pipelines.values().filter(|known| known.spec.known).count()
    }

    /// The pipeline whose specification was asked for the longest ago, which counts as asked for now.
    pub fn oldest_spec(&mut self) -> Option<PipelineId> {
        let known = self.pipelines.iter_mut().filter(|(_, known)| known.spec.known);
        let (id, oldest) = known.min_by_key(|(_, known)| known.spec.asked)?;
        self.specs_asked += 1;
        oldest.spec.asked = self.specs_asked;
        Some(id.clone())
    }

    /// Every pipeline's specification.
    pub fn all_specs(&self) -> Vec<Errand> {
        self.pipelines.keys().cloned().map(Errand::Spec).collect()
    }

    /// News of one pipeline's event log, which is read every `interval_s` seconds.
    pub fn events_read(
        &mut self,
        id: &PipelineId,
        events: Vec<PipelineEvent>,
        interval_s: u32,
        now: Instant,
    ) -> Folded {
        let Some(known) = self.pipelines.get_mut(id) else { return Folded::default() };
        known.events = EventsReading { read_at: Some(now), failure: None, interval_s };
        self.pipelines_section = None;
        known.flows.fold(events)
    }

    /// From when one pipeline's events are to be read; none for the newest page.
    pub fn events_newer_than(&self, id: &PipelineId) -> Option<Instant> {
        self.pipelines.get(id).and_then(|known| known.flows.newer_than())
    }

    /// The running streams of tier 1, and the other running pipelines whose events tell something.
    pub fn pipelines_to_follow(&self, tier_of: &dyn Fn(&Pipeline) -> Option<u8>) -> (Vec<PipelineId>, Vec<PipelineId>) {
        let streams = self.pipelines.values().map(|known| &known.pipeline).filter(|pipeline| pipeline.is_streaming());
        let (urgent, others): (Vec<_>, Vec<_>) = streams.partition(|pipeline| tier_of(pipeline) == Some(1));
        let ids = |of: Vec<&Arc<Pipeline>>| of.into_iter().map(|pipeline| pipeline.id.clone()).collect();
        (ids(urgent), ids(others))
    }

    /// A question failed: the last good data stays, and says since when it is stuck. Questions about a single run, job or
    /// specification take nothing from what a listing told.
    pub fn failed(&mut self, errand: &Errand, error: &ApiError, now: Instant) {
        let slot = match errand {
            Errand::ActiveRuns => &mut self.failures.active,
            Errand::EndedRuns => &mut self.failures.ended,
            Errand::Jobs => &mut self.failures.jobs,
            Errand::Pipelines => &mut self.failures.pipelines,
            Errand::Events(id) => match self.pipelines.get_mut(id) {
                Some(known) => {
                    self.pipelines_section = None;
                    &mut known.events.failure
                }
                None => return,
            },
            Errand::Run(_) | Errand::Failure(..) | Errand::Spec(_) | Errand::OldestSpec | Errand::History(_) => return,
        };
        *slot = Some(error.since(slot.as_ref(), now));
    }

    /// All that is known, as one value. Sections that did not change are shared with the snapshot before.
    pub fn snapshot(&mut self, jobs_interval_s: u32, pipelines_interval_s: u32) -> WorkspaceSnapshot {
        let swept = self.has_swept() || self.jobs_cached;
        if swept && self.jobs_section.is_none() {
            self.jobs_section = Some(Arc::new(self.jobs.values().map(KnownJob::watch).collect()));
        }
        if self.pipelines_at.is_some() && self.pipelines_section.is_none() {
            self.pipelines_section = Some(Arc::new(self.pipelines.values().map(KnownPipeline::watch).collect()));
        }
        let failures = &self.failures;
        WorkspaceSnapshot {
            jobs: Section {
                value: if swept { self.jobs_section.clone() } else { None },
                observed_at: self.jobs_at,
                failure: failures.active.clone().or_else(|| failures.jobs.clone()).or_else(|| failures.ended.clone()),
                interval_s: jobs_interval_s,
                cached: self.jobs_cached,
            },
            pipelines: Section {
                value: self.pipelines_section.clone(),
                observed_at: self.pipelines_at,
                failure: failures.pipelines.clone(),
                interval_s: pipelines_interval_s,
                cached: self.pipelines_cached,
            },
            ..WorkspaceSnapshot::unknown(self.workspace.clone())
        }
    }

    fn mark_swept(&mut self, now: Instant) {
        if self.has_swept() && self.failures.active.is_none() {
            self.jobs_at = Some(now);
            if std::mem::take(&mut self.jobs_cached) {
                self.jobs_section = None;
            }
        }
    }

    /// Takes in what a listing or a page says of a run.
    fn merge(&mut self, mut run: Run) -> Vec<Errand> {
        let Some(known) = self.jobs.get_mut(&run.job) else {
            let news = !self.strangers.contains(&run.job);
            let first = news && !self.orphans.iter().any(|orphan| orphan.job == run.job);
            if news {
                self.orphans.retain(|orphan| orphan.id != run.id);
                self.orphans.push(run);
            }
            return if first && self.jobs_listed { vec![Errand::Jobs] } else { Vec::new() };
        };
        if run.state.is_active() && known.failure.as_ref().is_some_and(|note| note.run == run.id) {
            // A repair reopened it: should it fail again, it may be for another reason.
            known.failure = None;
        }
        // The fleet shows no tasks, and hundreds of runs with theirs would be the bulk of our memory.
        run.tasks = Vec::new();
        match known.runs.iter_mut().find(|before| before.id == run.id) {
            Some(before) => {
                if run.repairs.is_empty() {
                    run.repairs.clone_from(&before.repairs);
                }
                if **before == run {
                    return Vec::new();
                }
                *before = Arc::new(run);
            }
            None => known.runs.push(Arc::new(run)),
        }
        known.runs.sort_by_key(|run| std::cmp::Reverse((run.started_at, run.id)));
        known.runs.truncate(RUNS_PER_JOB);
        self.jobs_section = None;
        known.note_wanted().into_iter().collect()
    }
}

impl KnownJob {
    fn watch(&self) -> JobWatch {
        JobWatch {
            job: self.job.clone(),
            runs: self.runs.clone(),
            history_read: self.history_read,
            failure: self.failure.clone(),
        }
    }

    /// What to ask so that the newest failure is explained. A newer success makes the note pointless.
    fn note_wanted(&mut self) -> Option<Errand> {
        let newest = self.runs.iter().find(|run| matches!(run.state, RunState::Ended(_)))?;
        if !newest.state.is_failure() {
            self.failure = None;
            return None;
        }
        let noted = self.failure.as_ref().is_some_and(|note| note.run == newest.id);
        (!noted).then(|| Errand::Failure(self.job.id, newest.id))
    }
}

impl KnownPipeline {
    fn watch(&self) -> PipelineWatch {
        PipelineWatch {
            pipeline: self.pipeline.clone(),
            flows: self.flows.watches(self.pipeline.state.is_up()),
            lag: self.flows.lag().to_vec(),
            events: self.events.clone(),
        }
    }
}

fn newest_update(pipeline: &Pipeline) -> Option<UpdateId> {
    pipeline.updates.first().map(|update| update.id.clone())
}

/// A listing's entry, completed with what only the pipeline's own page tells.
fn with_specification_of(listed: Pipeline, known: &Pipeline) -> Pipeline {
    Pipeline {
        cause: listed.cause.or_else(|| if listed.state == known.state { known.cause.clone() } else { None }),
        continuous: listed.continuous.or(known.continuous),
        target: listed.target.or_else(|| known.target.clone()),
        channel: listed.channel.or_else(|| known.channel.clone()),
        development: listed.development.or(known.development),
        tags: if listed.tags.is_empty() { known.tags.clone() } else { listed.tags },
        ..listed
    }
}
