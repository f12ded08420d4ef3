//! Feeds that exist while a screen needs them: one run, one output, one pipeline. A person waits for these, so they are
//! asked in that lane, at once and then at a steady pace.
//!
//! Every answer carries the epoch of the newest set of feeds that its feed belongs to. A feed that stays when the set
//! changes is not asked anew: its last answer is sent again under the new epoch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{Answer, ApiError, EVENTS_PER_PAGE, WorkspaceApi};
use super::flows::Flows;
use super::sweeper::EventsRead;
use crate::app::message::{Fact, Feed, Message, Observed};
use crate::domain::clock::Clock;
use crate::domain::ids::{JobId, PipelineId, RunId, WorkspaceName};
use crate::domain::job::Job;
use crate::domain::pipeline::{Pipeline, PipelineEvent, Update};
use crate::domain::run::{Output, Run};
use crate::domain::snapshot::{EventsReading, FailureKind, FeedFailure, PipelineDetail, PipelineWatch, RunDetail};

/// Between two looks at a run that moves.
const MOVING: Duration = Duration::from_secs(5);

/// Between two looks at the events of a pipeline that moves: with this many and what the fleet takes, a workspace is asked
/// less than once a second (issue 3).
const STREAMING: Duration = Duration::from_secs(10);

/// Between two looks at what rests: a repair may reopen an ended run, a person may start a pipeline.
const RESTING: Duration = Duration::from_secs(30);

/// The first wait after a failure, which doubles with every further one, and the longest.
const BACKOFF: Duration = Duration::from_secs(10);
const BACKOFF_AT_MOST: Duration = Duration::from_mins(2);

/// How long a job's definition and recent runs are good for on a run's screen.
const SURROUNDINGS: Duration = Duration::from_mins(1);

/// Runs of the task grid.
const GRID: usize = 12;

/// Updates and events on a pipeline's screen.
const UPDATES: usize = 25;
const EVENTS: usize = 500;

/// A workspace as feeds reach it.
pub struct Reached<A> {
    /// Which one.
    pub workspace: WorkspaceName,
    /// How to ask it; in the lane of those who wait.
    pub api: A,
    /// Where the workspace's sweeper learns of events that were read here.
    pub events: mpsc::Sender<EventsRead>,
}

/// The feeds that are watched now.
pub struct Feeds<A> {
    reached: Vec<Reached<A>>,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Message>,
    tasks: TaskTracker,
    stop: CancellationToken,
    epoch: watch::Sender<u64>,
    watched: HashMap<Feed, Watched>,
}

struct Watched {
    stop: CancellationToken,
    refresh: mpsc::Sender<()>,
}

impl<A: WorkspaceApi> Feeds<A> {
    /// No feeds yet.
    pub fn new(
        reached: Vec<Reached<A>>,
        clock: Arc<dyn Clock>,
        out: mpsc::Sender<Message>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            reached,
            clock,
            out,
            tasks: TaskTracker::new(),
            stop,
            epoch: watch::Sender::new(0),
            watched: HashMap::new(),
        }
    }

    /// Keeps these feeds fresh and no others; answers carry `epoch` from now on. Fleet feeds are not of these.
    pub fn watch(&mut self, feeds: Vec<Feed>, epoch: u64) {
        self.epoch.send_replace(epoch);
        self.watched.retain(|feed, watched| {
            let stays = feeds.contains(feed);
            if !stays {
                watched.stop.cancel();
            }
            stays
        });
        for feed in feeds {
            if !self.watched.contains_key(&feed)
                && let Some(watched) = self.begin(feed.clone())
            {
                self.watched.insert(feed, watched);
            }
        }
    }

    /// Asks a watched feed now.
    pub fn refresh(&self, feed: &Feed) {
        if let Some(watched) = self.watched.get(feed) {
            // A full channel means that a refresh is already due.
            let _ = watched.refresh.try_send(());
        }
    }

    /// Waits until all tasks have ended; the token given at the start ends them.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn begin(&self, feed: Feed) -> Option<Watched> {
        let (name, subject) = subject(&feed)?;
        let reached = self.reached.iter().find(|reached| reached.workspace == *name)?;
        let asker = Asker {
            api: reached.api.clone(),
            events: reached.events.clone(),
            clock: self.clock.clone(),
            subject,
            run: RunMemory::default(),
            pipeline: PipelineMemory::default(),
        };
        let (refresh, refreshed) = mpsc::channel(1);
        let stop = self.stop.child_token();
        let task = FeedTask {
            feed,
            clock: self.clock.clone(),
            out: self.out.clone(),
            epoch: self.epoch.subscribe(),
            refreshed,
            failure: None,
            failures: Backoff::default(),
            last: None,
        };
        self.tasks.spawn(stop.clone().run_until_cancelled_owned(task.run(asker)));
        Some(Watched { stop, refresh })
    }
}

/// What a feed asks about.
#[derive(Clone)]
enum Subject {
    LatestRun(JobId),
    Run(RunId),
    Output(RunId),
    Pipeline(PipelineId),
}

fn subject(feed: &Feed) -> Option<(&WorkspaceName, Subject)> {
    match feed {
        Feed::Fleet(_) => None,
        Feed::LatestRun(workspace, job) => Some((workspace, Subject::LatestRun(*job))),
        Feed::Run(workspace, run) => Some((workspace, Subject::Run(*run))),
        Feed::Output(workspace, run) => Some((workspace, Subject::Output(*run))),
        Feed::Pipeline(workspace, pipeline) => Some((workspace, Subject::Pipeline(pipeline.clone()))),
    }
}

/// The loop of one feed.
struct FeedTask {
    feed: Feed,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Message>,
    epoch: watch::Receiver<u64>,
    refreshed: mpsc::Receiver<()>,
    failure: Option<FeedFailure>,
    failures: Backoff,
    last: Option<Result<Observed, FeedFailure>>,
}

/// How long to wait after failures in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: longer with each, and at least as long as the workspace asked.
    fn after(&mut self, error: &ApiError) -> Duration {
        let doubled = BACKOFF.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_AT_MOST);
        self.failures += 1;
        doubled.max(error.retry_after.unwrap_or_default())
    }
}

impl FeedTask {
    async fn run<A: WorkspaceApi>(mut self, mut asker: Asker<A>) {
        loop {
            // The first look shows what one request brings, and completes it with what several bring.
            let mut wait = Duration::ZERO;
            // Not even a person's wish comes before what the workspace asked for.
            let mut earliest = tokio::time::Instant::now();
            while wait.is_zero() {
                let (answer, next) = match asker.ask().await {
                    Ok((observed, next)) => {
                        (self.failure, self.failures) = (None, Backoff::default());
                        (Ok(observed), next)
                    }
                    Err(error) => {
                        earliest = tokio::time::Instant::now() + error.retry_after.unwrap_or_default();
                        let failure = error.since(self.failure.as_ref(), self.clock.now());
                        self.failure = Some(failure.clone());
                        (Err(failure), self.failures.after(&error))
                    }
                };
                wait = next;
                self.last = Some(answer);
                if !self.send().await {
                    return;
                }
            }
            let until = tokio::time::Instant::now() + wait;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(until) => break,
                    Some(()) = self.refreshed.recv() => {
                        asker.forget();
                        if tokio::time::Instant::now() >= earliest {
                            break;
                        }
                    }
                    Ok(()) = self.epoch.changed() => if !self.send().await { return },
                }
            }
        }
    }

    async fn send(&mut self) -> bool {
        let Some(result) = self.last.clone() else { return true };
        let epoch = *self.epoch.borrow_and_update();
        let fact = Fact::Observed { feed: self.feed.clone(), epoch, result };
        self.out.send(Message { at: self.clock.now(), fact }).await.is_ok()
    }
}

/// What one feed asks, and what it need not ask again.
struct Asker<A> {
    api: A,
    events: mpsc::Sender<EventsRead>,
    clock: Arc<dyn Clock>,
    subject: Subject,
    run: RunMemory,
    pipeline: PipelineMemory,
}

#[derive(Default)]
struct RunMemory {
    /// The first look at a run is shown before its surroundings are asked for.
    shown: Option<RunId>,
    surroundings: Option<Surroundings>,
    failure: Option<(RunId, Output)>,
}

/// What a run's screen shows around the run.
struct Surroundings {
    read_at: tokio::time::Instant,
    recent: Vec<Arc<Run>>,
    job: Option<Arc<Job>>,
}

#[derive(Default)]
struct PipelineMemory {
    page: Option<Page>,
    flows: Flows,
    events: Vec<PipelineEvent>,
    reading: EventsReading,
    failures: Backoff,
    /// Before this the events are not asked for: they failed.
    events_at: Option<tokio::time::Instant>,
}

/// What changes seldom of a pipeline, and tells so in its events.
struct Page {
    read_at: tokio::time::Instant,
    pipeline: Arc<Pipeline>,
    updates: Vec<Update>,
}

impl<A: WorkspaceApi> Asker<A> {
    /// One look, and how long it is good for. Zero: there is more to ask at once.
    async fn ask(&mut self) -> Answer<(Observed, Duration)> {
        match self.subject.clone() {
            Subject::LatestRun(job) => self.latest_run(job).await,
            Subject::Run(id) => self.one_run(id).await,
            Subject::Output(id) => {
                self.api.run_output(id).await.map(|output| (Observed::Output(Arc::new(output)), RESTING))
            }
            Subject::Pipeline(id) => self.one_pipeline(&id).await,
        }
    }

    /// Drops what was good for a while: a person asked for everything anew.
    fn forget(&mut self) {
        self.run.surroundings = None;
        self.run.failure = None;
        self.pipeline.page = None;
    }

    async fn latest_run(&mut self, job: JobId) -> Answer<(Observed, Duration)> {
        let newest = self.api.job_runs(job, 1, false).await?;
        let Some(newest) = newest.first() else {
            return Err(ApiError {
                kind: FailureKind::Remote,
                brief: "no run yet".into(),
                message: format!("Job {job} has no run yet. One appears here when it starts."),
                request_id: None,
                absent: true,
                retry_after: None,
            });
        };
        let id = newest.id;
        let (observed, wait) = self.one_run(id).await?;
        // A newer run may begin at any time.
        Ok((observed, wait.min(MOVING)))
    }

    async fn one_run(&mut self, id: RunId) -> Answer<(Observed, Duration)> {
        let run = self.api.run(id).await?;
        let rest = if run.state.is_active() { MOVING } else { RESTING };
        let failed = run.failed_task().map(|task| task.id);
        self.run.failure = self.run.failure.take().filter(|(task, _)| Some(*task) == failed);
        if self.run.shown != Some(id) {
            self.run.shown = Some(id);
            self.run.surroundings = None;
            return Ok((Observed::Run(Arc::new(self.detail(run))), Duration::ZERO));
        }
        let now = tokio::time::Instant::now();
        let stale =
            self.run.surroundings.as_ref().is_none_or(|known| now.duration_since(known.read_at) >= SURROUNDINGS);
        let output = async {
            match failed {
                Some(task) if self.run.failure.is_none() => {
                    self.api.run_output(task).await.ok().map(|output| (task, output))
                }
                _ => None,
            }
        };
        let surroundings = async {
            if stale {
                let (recent, job) = tokio::join!(self.api.job_runs(run.job, GRID, true), self.api.job(run.job));
                Some((recent, job))
            } else {
                None
            }
        };
        let (output, surroundings) = tokio::join!(output, surroundings);
        if output.is_some() {
            self.run.failure = output;
        }
        // The run itself is what the screen is about: what surrounds it may be missing, and is asked again next time.
        if let Some((Ok(recent), job)) = surroundings {
            let recent = recent.into_iter().map(Arc::new).collect();
            self.run.surroundings = Some(Surroundings { read_at: now, recent, job: job.ok().map(Arc::new) });
        }
        Ok((Observed::Run(Arc::new(self.detail(run))), rest))
    }

    fn detail(&self, run: Run) -> RunDetail {
        let (recent, job) = match &self.run.surroundings {
            Some(known) => (known.recent.clone(), known.job.clone()),
            None => (Vec::new(), None),
        };
        let interval_s = seconds(if run.state.is_active() { MOVING } else { RESTING });
        RunDetail { run, recent, job, failure: self.run.failure.clone(), interval_s }
    }

    /// The events at each look; the pipeline itself and its updates every half minute, or when an event says that an update
    /// moved. Events that cannot be read leave the rest to be shown.
    async fn one_pipeline(&mut self, id: &PipelineId) -> Answer<(Observed, Duration)> {
        let now = tokio::time::Instant::now();
        let is_old = self.pipeline.page.as_ref().is_none_or(|page| now.duration_since(page.read_at) >= RESTING);
        let newer_than = self.pipeline.flows.newer_than();
        let is_due = self.pipeline.events_at.is_none_or(|at| at <= now);
        let (page, events) =
            tokio::join!(async { if is_old { Some(read_page(&self.api, id).await) } else { None } }, async {
                if is_due { Some(self.api.pipeline_events(id, newer_than, EVENTS_PER_PAGE).await) } else { None }
            },);
        let moved = match events {
            Some(answer) => self.take_events(id, answer),
            None => false,
        };
        let known = self.pipeline.page.take();
        let page = match (page, known) {
            (Some(read), _) => read?,
            (None, Some(known)) if !moved => known,
            (None, _) => read_page(&self.api, id).await?,
        };
        let wait = page.interval();
        let memory = &mut self.pipeline;
        let page = memory.page.insert(page);
        let watch = PipelineWatch {
            pipeline: page.pipeline.clone(),
            flows: memory.flows.watches(page.pipeline.state.is_up()),
            lag: memory.flows.lag().to_vec(),
            events: memory.reading.clone(),
        };
        let updates = page.updates.clone();
        let detail = PipelineDetail { watch, updates, events: memory.events.clone(), interval_s: seconds(wait) };
        Ok((Observed::Pipeline(Arc::new(detail)), wait))
    }

    /// Takes events in and hands them on; whether they say that an update moved.
    fn take_events(&mut self, id: &PipelineId, answer: Answer<Vec<PipelineEvent>>) -> bool {
        let interval_s = seconds(self.pipeline.page.as_ref().map_or(STREAMING, Page::interval));
        let memory = &mut self.pipeline;
        let events = match answer {
            Ok(events) => events,
            Err(error) => {
                let failure = error.since(memory.reading.failure.as_ref(), self.clock.now());
                memory.reading.failure = Some(failure);
                memory.events_at = Some(tokio::time::Instant::now() + memory.failures.after(&error));
                return false;
            }
        };
        memory.reading = EventsReading { read_at: Some(self.clock.now()), failure: None, interval_s };
        (memory.events_at, memory.failures) = (None, Backoff::default());
        let moved = memory.flows.fold(events.clone()).update_moved;
        // The listing overlaps with what is known by some seconds.
        memory.events.retain(|known| !events.iter().any(|new| new.id == known.id));
        memory.events.extend(events.iter().cloned());
        memory.events.sort_by_key(|event| std::cmp::Reverse(event.at));
        memory.events.truncate(EVENTS);
        // A sweeper that does not keep up reads for itself.
        let _ = self.events.try_send(EventsRead { pipeline: id.clone(), events, interval_s });
        moved
    }
}

impl Page {
    fn interval(&self) -> Duration {
        if self.updates.iter().any(|update| update.state.is_active()) { STREAMING } else { RESTING }
    }
}

async fn read_page<A: WorkspaceApi>(api: &A, id: &PipelineId) -> Answer<Page> {
    let (pipeline, updates) = tokio::join!(api.pipeline(id), api.pipeline_updates(id, UPDATES));
    Ok(Page { read_at: tokio::time::Instant::now(), pipeline: Arc::new(pipeline?), updates: updates? })
}

fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)
}
