//! The task that keeps one workspace's snapshot fresh: takes errands from the schedule, runs a few at a time, feeds the
//! answers to what is known, and publishes snapshots.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::api::{Answer, EVENTS_PER_PAGE, WorkspaceApi};
use super::knowledge::{Knowledge, RUNS_PER_JOB};
use super::schedule::{Elapsed, Errand, Pace, Schedule};
use crate::app::message::{Fact, Feed, Message, Observed};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::ids::{PipelineId, RunId};
use crate::domain::job::Job;
use crate::domain::pipeline::{Pipeline, PipelineEvent};
use crate::domain::run::{Output, Run};
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Workspace;

/// Answers to questions that are asked once may wait this long for company before they are published.
const COMPANY: Duration = Duration::from_millis(250);

/// How far back the listing of ended runs may reach. After a longer gap each job's history is read instead.
const LOOK_BACK: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// How far two listings of ended runs overlap, since runs appear in listings somewhat late.
const OVERLAP: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// Specifications are read anew only while the workspace's last minute took fewer requests than this: under one a second
/// in all, whatever else is asked (issue 3).
const SPECS_BELOW: u32 = 55;

/// Says which tier a pipeline belongs to.
pub type TierOf = Arc<dyn Fn(&Workspace, &Pipeline) -> Option<u8> + Send + Sync>;

/// What a sweeper is made of.
pub struct SweeperOptions<A> {
    /// Which workspace.
    pub workspace: Workspace,
    /// How to ask it.
    pub api: A,
    /// What an earlier process left in the cache.
    pub cached: Option<Arc<WorkspaceSnapshot>>,
    /// How often to ask.
    pub pace: Pace,
    /// Seed of the jitter.
    pub seed: u64,
    /// Which pipelines are urgent.
    pub tier_of: TierOf,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where snapshots go.
    pub out: mpsc::Sender<Message>,
}

/// What a question brought.
enum Report {
    ActiveRuns(Vec<Run>),
    EndedRuns(Vec<Run>),
    Jobs(Vec<Job>),
    Pipelines(Vec<Pipeline>),
    Run(Box<Run>),
    Failure(Box<Run>, Option<Output>),
    Spec(Box<Pipeline>),
    History(Vec<Run>),
    Events(Vec<PipelineEvent>),
    Nothing,
}

/// What somebody else read of a pipeline's event log, while a screen shows it: one reading serves both.
#[derive(Debug)]
pub struct EventsRead {
    /// Whose.
    pub pipeline: PipelineId,
    /// What was new.
    pub events: Vec<PipelineEvent>,
    /// Seconds until they are read again.
    pub interval_s: u32,
}

/// How far a sweeper goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// On and on.
    Endless,
    /// One sweep, with only what the present state needs.
    Shallow,
    /// One sweep, with each job's older runs and each pipeline's specification.
    Deep,
}

/// One workspace's poller.
pub struct Sweeper<A> {
    workspace: Workspace,
    api: A,
    knowledge: Knowledge,
    schedule: Schedule,
    tier_of: TierOf,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Message>,
    began: tokio::time::Instant,
    /// Up to when, in workspace time, ended runs were listed.
    ended_until: Option<Instant>,
    publish_at: Option<Elapsed>,
    depth: Depth,
}

impl<A: WorkspaceApi> Sweeper<A> {
    /// A sweeper that has asked nothing yet.
    pub fn new(options: SweeperOptions<A>) -> Self {
        let cached = options.cached.as_deref();
        // The cache's instants are local; the workspace's clock at that time told the difference.
        let ended_until = cached.and_then(|cached| cached.jobs.observed_at.map(|at| cached.world_now(at)));
        Self {
            knowledge: Knowledge::new(options.workspace.clone(), cached),
            schedule: Schedule::new(options.pace, options.seed),
            workspace: options.workspace,
            api: options.api,
            tier_of: options.tier_of,
            clock: options.clock,
            out: options.out,
            began: tokio::time::Instant::now(),
            ended_until,
            publish_at: None,
            depth: Depth::Endless,
        }
    }

    /// Polls until told to stop. A message on `refresh` makes all listings due at once; what comes by `elsewhere` is not
    /// asked for here.
    pub async fn run(
        mut self,
        mut refresh: mpsc::Receiver<()>,
        mut elsewhere: mpsc::Receiver<EventsRead>,
        stop: CancellationToken,
    ) {
        let mut on_the_way = FuturesUnordered::new();
        loop {
            let now = self.began.elapsed();
            while let Some(errand) = self.schedule.take(now) {
                on_the_way.push(self.go(errand));
            }
            if self.publish_at.is_some_and(|at| at <= now) && !self.publish().await {
                return;
            }
            let wake_at = [self.schedule.next_at(), self.publish_at].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(()) = refresh.recv() => self.schedule.hasten_all(self.began.elapsed()),
                Some((errand, answer)) = on_the_way.next() => self.take_in(&errand, answer),
                Some(read) = elsewhere.recv() => self.take_from_elsewhere(read),
                () = wait_until(self.began, wake_at) => {}
            }
        }
    }

    /// Asks until one complete sweep of jobs, runs and pipelines is known, or shown to be impossible, every failure is
    /// explained, and the events of every stream that runs were read or shown to be unreadable. For subcommands that print
    /// once. Each job's older runs and each pipeline's specification, a request apiece, are read only if `deep`; then
    /// what the cache holds of specifications is read anew too.
    pub async fn sweep_once(mut self, deep: bool) -> WorkspaceSnapshot {
        self.depth = if deep { Depth::Deep } else { Depth::Shallow };
        let mut on_the_way = FuturesUnordered::new();
        loop {
            let now = self.began.elapsed();
            while let Some(errand) = self.schedule.take(now) {
                on_the_way.push(self.go(errand));
            }
            let snapshot = self.snapshot();
            let (jobs, pipelines) = (&snapshot.jobs, &snapshot.pipelines);
            let jobs_done = jobs.failure.is_some() || self.knowledge.has_swept();
            let pipelines_done = pipelines.failure.is_some() || (pipelines.value.is_some() && !pipelines.cached);
            if jobs_done && pipelines_done && (jobs.failure.is_some() || self.schedule.settled()) {
                return snapshot;
            }
            tokio::select! {
                biased;
                Some((errand, answer)) = on_the_way.next() => self.take_in(&errand, answer),
                () = wait_until(self.began, self.schedule.next_at()) => {}
            }
        }
    }

    fn world_now(&self) -> Instant {
        self.clock.now() + chrono::TimeDelta::milliseconds(self.api.clock_offset_ms())
    }

    /// Puts a question on its way.
    fn go(&mut self, errand: Errand) -> BoxFuture<'static, (Errand, Answer<Report>)> {
        let api = self.api.clone();
        // Nothing waits for a specification that is read anew: it takes what others leave of the workspace's minute.
        let has_room = api.requests_last_minute() < SPECS_BELOW;
        let oldest_spec = if errand == Errand::OldestSpec && has_room { self.knowledge.oldest_spec() } else { None };
        let ended_from = self.ended_from();
        let newer_than = match &errand {
            Errand::Events(id) => self.knowledge.events_newer_than(id),
            _ => None,
        };
        async move {
            let report = match &errand {
                Errand::ActiveRuns => api.active_runs().await.map(Report::ActiveRuns),
                Errand::EndedRuns => api.ended_runs(ended_from).await.map(Report::EndedRuns),
                Errand::Jobs => api.jobs().await.map(Report::Jobs),
                Errand::Pipelines => api.pipelines().await.map(Report::Pipelines),
                Errand::Run(id) => api.run(*id).await.map(|run| Report::Run(Box::new(run))),
                Errand::Failure(_, id) => read_failure(&api, *id).await,
                Errand::Spec(id) => api.pipeline(id).await.map(|pipeline| Report::Spec(Box::new(pipeline))),
                Errand::History(job) => api.job_runs(*job, RUNS_PER_JOB, false).await.map(Report::History),
                Errand::Events(id) => api.pipeline_events(id, newer_than, EVENTS_PER_PAGE).await.map(Report::Events),
                Errand::OldestSpec => match oldest_spec {
                    Some(id) => api.pipeline(&id).await.map(|pipeline| Report::Spec(Box::new(pipeline))),
                    None => Ok(Report::Nothing),
                },
            };
            (errand, report)
        }
        .boxed()
    }

    fn ended_from(&self) -> Instant {
        let bound = self.world_now() - LOOK_BACK;
        self.ended_until.map_or(bound, |until| (until - OVERLAP).max(bound))
    }

    /// Takes an answer in, and plans what it makes necessary.
    fn take_in(&mut self, errand: &Errand, answer: Answer<Report>) {
        let (elapsed, now) = (self.began.elapsed(), self.clock.now());
        let report = match answer {
            Ok(report) => report,
            // Of what recurs, the next listing tells whether it is gone.
            Err(error) if error.absent && !errand.recurs() => {
                self.schedule.dropped(errand);
                if let Errand::Run(id) | Errand::Failure(_, id) = errand {
                    self.knowledge.run_gone(*id);
                }
                return;
            }
            Err(error) => {
                tracing::warn!(workspace = %self.workspace.name, ?errand, error = %error.message, "poll failed");
                self.schedule.failed(errand, error.retry_after, elapsed);
                self.knowledge.failed(errand, &error, now);
                self.publish_by(elapsed);
                return;
            }
        };
        let found = match &report {
            Report::ActiveRuns(runs) => runs.len(),
            _ => 0,
        };
        let is_news = !matches!(report, Report::Nothing);
        let errands = self.know(errand, report, now, elapsed);
        for errand in errands {
            match errand {
                Errand::Jobs => self.schedule.hasten(&errand, elapsed),
                Errand::History(_) | Errand::Spec(_) if self.depth == Depth::Shallow => {}
                errand => self.schedule.ask(errand),
            }
        }
        self.schedule.answered(errand, found, elapsed);
        if is_news {
            let soon = matches!(errand, Errand::Spec(_) | Errand::History(_) | Errand::Failure(..));
            self.publish_by(if soon { elapsed + COMPANY } else { elapsed });
        }
    }

    fn take_from_elsewhere(&mut self, read: EventsRead) {
        let (elapsed, now) = (self.began.elapsed(), self.clock.now());
        let EventsRead { pipeline, events, interval_s } = read;
        self.schedule.answered_elsewhere(&Errand::Events(pipeline.clone()), elapsed);
        self.take_events(&pipeline, events, interval_s, now, elapsed);
        self.publish_by(elapsed);
    }

    fn take_events(
        &mut self,
        id: &PipelineId,
        events: Vec<PipelineEvent>,
        interval_s: u32,
        now: Instant,
        elapsed: Elapsed,
    ) {
        if self.knowledge.events_read(id, events, interval_s, now).update_moved {
            self.schedule.hasten(&Errand::Pipelines, elapsed);
        }
    }

    fn know(&mut self, errand: &Errand, report: Report, now: Instant, elapsed: Elapsed) -> Vec<Errand> {
        match report {
            Report::ActiveRuns(runs) => self.knowledge.active_runs_listed(runs, now),
            Report::EndedRuns(runs) => {
                let until = self.world_now();
                let gap = self.ended_until.is_some_and(|before| until - before > LOOK_BACK);
                self.ended_until = Some(until);
                let mut errands = self.knowledge.ended_runs_listed(runs, now);
                if gap {
                    errands.extend(self.knowledge.all_histories());
                }
                errands
            }
            Report::Jobs(jobs) => self.knowledge.jobs_listed(jobs, now),
            Report::Pipelines(pipelines) => {
                let errands = self.knowledge.pipelines_listed(pipelines, now);
                self.follow_pipelines(elapsed);
                if self.depth == Depth::Deep { self.knowledge.all_specs() } else { errands }
            }
            Report::Run(run) => self.knowledge.run_read(*run),
            Report::Failure(run, output) => {
                self.knowledge.failure_read(&run, output.as_ref());
                self.knowledge.run_read(*run)
            }
            Report::Spec(pipeline) => {
                self.knowledge.pipeline_read(*pipeline);
                self.follow_pipelines(elapsed);
                Vec::new()
            }
            Report::History(runs) => {
                let Errand::History(job) = errand else { return Vec::new() };
                self.knowledge.history_read(*job, runs)
            }
            Report::Events(events) => {
                let Errand::Events(id) = errand else { return Vec::new() };
                let interval_s = self.schedule.events_interval_s(id);
                self.take_events(id, events, interval_s, now, elapsed);
                Vec::new()
            }
            Report::Nothing => Vec::new(),
        }
    }

    fn follow_pipelines(&mut self, elapsed: Elapsed) {
        let tier_of = |pipeline: &Pipeline| (self.tier_of)(&self.workspace, pipeline);
        let (urgent, others) = self.knowledge.pipelines_to_follow(&tier_of);
        self.schedule.watch_events(&urgent, &others, elapsed);
        if self.depth == Depth::Endless {
            self.schedule.watch_specs(self.knowledge.specs_known(), elapsed);
        }
    }

    fn publish_by(&mut self, at: Elapsed) {
        self.publish_at = Some(self.publish_at.map_or(at, |planned| planned.min(at)));
    }

    fn snapshot(&mut self) -> WorkspaceSnapshot {
        let interval_s = self.schedule.jobs_interval_s(self.knowledge.active_count());
        let mut snapshot = self.knowledge.snapshot(interval_s, self.schedule.pipelines_interval_s());
        snapshot.clock_offset_ms = self.api.clock_offset_ms();
        snapshot.requests_last_minute = self.api.requests_last_minute();
        snapshot
    }

    /// Gives false when nobody listens any more.
    async fn publish(&mut self) -> bool {
        self.publish_at = None;
        let snapshot = Arc::new(self.snapshot());
        let fact = Fact::Observed {
            feed: Feed::Fleet(self.workspace.name.clone()),
            epoch: 0,
            result: Ok(Observed::Fleet(snapshot)),
        };
        self.out.send(Message { at: self.clock.now(), fact }).await.is_ok()
    }
}

/// A failed run and the output of the task that failed first. An output that cannot be read is no reason to say nothing.
async fn read_failure<A: WorkspaceApi>(api: &A, id: RunId) -> Answer<Report> {
    let run = api.run(id).await?;
    let output = match run.failed_task() {
        Some(task) => match api.run_output(task.id).await {
            Ok(output) => Some(output),
            Err(error) if error.absent => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    Ok(Report::Failure(Box::new(run), output))
}

async fn wait_until(began: tokio::time::Instant, at: Option<Elapsed>) {
    match at {
        Some(at) => tokio::time::sleep_until(began + at).await,
        None => std::future::pending().await,
    }
}
