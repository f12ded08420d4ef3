//! A workspace in memory for the poller's tests: it answers after a latency, counts what it is asked, and can be broken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::api::{Answer, ApiError, WorkspaceApi};
use crate::domain::Instant;
use crate::domain::ids::{JobId, PipelineId, RunId};
use crate::domain::job::{Cadence, Job};
use crate::domain::pipeline::{
    Backlog, FlowProgress, Level, Pipeline, PipelineEvent, PipelineState, Update, UpdateState,
};
use crate::domain::run::{Outcome, Output, Run, RunState, Spent, TaskRun};
use crate::domain::snapshot::FailureKind;
use crate::domain::workspace::{Environment, Workspace};

/// What the fake holds; tests change it directly.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) jobs: Vec<Job>,
    pub(crate) runs: Vec<Run>,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) events: BTreeMap<PipelineId, Vec<PipelineEvent>>,
    /// While set, every question fails with it.
    pub(crate) broken: Option<ApiError>,
    /// While set, questions of these kinds fail with it.
    pub(crate) broken_kinds: BTreeMap<&'static str, ApiError>,
    /// How much later than others event logs answer.
    pub(crate) events_delay: Duration,
    /// When each question of the last minutes was asked.
    pub(crate) asked_at: Vec<(tokio::time::Instant, &'static str)>,
    /// Questions asked, by kind.
    pub(crate) asked: BTreeMap<&'static str, u32>,
}

#[derive(Clone)]
pub(crate) struct FakeApi {
    contents: Arc<Mutex<Contents>>,
    latency: Duration,
}

impl FakeApi {
    pub(crate) fn new() -> Self {
        Self { contents: Arc::default(), latency: Duration::from_millis(40) }
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().expect("no test panics while it holds this")
    }

    pub(crate) fn asked_in_all(&self) -> u32 {
        self.contents().asked.values().sum()
    }

    async fn answer<T>(&self, kind: &'static str, find: impl FnOnce(&Contents) -> Answer<T> + Send) -> Answer<T> {
        let delay = {
            let mut contents = self.contents();
            *contents.asked.entry(kind).or_default() += 1;
            contents.asked_at.push((tokio::time::Instant::now(), kind));
            if kind == "pipeline_events" { contents.events_delay } else { Duration::ZERO }
        };
        tokio::time::sleep(self.latency + delay).await;
        let contents = self.contents();
        match contents.broken.as_ref().or_else(|| contents.broken_kinds.get(kind)) {
            Some(error) => Err(error.clone()),
            None => find(&contents),
        }
    }
}

fn absent() -> ApiError {
    ApiError {
        kind: FailureKind::Remote,
        brief: "404".into(),
        message: "It does not exist.".into(),
        request_id: None,
        absent: true,
        retry_after: None,
    }
}

fn newest_first(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    runs
}

fn without_tasks(run: &Run) -> Run {
    Run { tasks: Vec::new(), ..run.clone() }
}

impl WorkspaceApi for FakeApi {
    fn for_person(&self) -> Self {
        self.clone()
    }

    fn clock_offset_ms(&self) -> i64 {
        0
    }

    fn requests_last_minute(&self) -> u32 {
        let now = tokio::time::Instant::now();
        let contents = self.contents();
        let recent = contents.asked_at.iter().rev().take_while(|(at, _)| now.duration_since(*at).as_secs() < 60);
        u32::try_from(recent.count()).expect("few")
    }

    async fn jobs(&self) -> Answer<Vec<Job>> {
        self.answer("jobs", |has| Ok(has.jobs.clone())).await
    }

    async fn job(&self, id: JobId) -> Answer<Job> {
        self.answer("job", |has| has.jobs.iter().find(|job| job.id == id).cloned().ok_or_else(absent)).await
    }

    async fn active_runs(&self) -> Answer<Vec<Run>> {
        let all = |has: &Contents| has.runs.iter().filter(|run| run.state.is_active()).map(without_tasks).collect();
        self.answer("active_runs", |has| Ok(newest_first(all(has)))).await
    }

    async fn ended_runs(&self, started_from: Instant) -> Answer<Vec<Run>> {
        let all = |has: &Contents| {
            let ended = has.runs.iter().filter(|run| !run.state.is_active() && run.started_at >= Some(started_from));
            ended.map(without_tasks).collect()
        };
        self.answer("ended_runs", |has| Ok(newest_first(all(has)))).await
    }

    async fn job_runs(&self, job: JobId, at_most: usize, _tasks: bool) -> Answer<Vec<Run>> {
        let all = |has: &Contents| has.runs.iter().filter(|run| run.job == job).cloned().collect();
        self.answer("job_runs", |has| Ok(newest_first(all(has)).into_iter().take(at_most).collect())).await
    }

    async fn run(&self, id: RunId) -> Answer<Run> {
        self.answer("run", |has| has.runs.iter().find(|run| run.id == id).cloned().ok_or_else(absent)).await
    }

    async fn run_output(&self, task_run: RunId) -> Answer<Output> {
        let error = format!("\n  Boom in {task_run}\nat line 7");
        self.answer("run_output", |_| Ok(Output { error: Some(error), ..Output::default() })).await
    }

    async fn pipelines(&self) -> Answer<Vec<Pipeline>> {
        let listed = |pipeline: &Pipeline| Pipeline { continuous: None, tags: BTreeMap::new(), ..pipeline.clone() };
        self.answer("pipelines", |has| Ok(has.pipelines.iter().map(listed).collect())).await
    }

    async fn pipeline(&self, id: &PipelineId) -> Answer<Pipeline> {
        self.answer("pipeline", |has| has.pipelines.iter().find(|p| p.id == *id).cloned().ok_or_else(absent)).await
    }

    async fn pipeline_updates(&self, id: &PipelineId, _at_most: usize) -> Answer<Vec<Update>> {
        let id = id.clone();
        self.answer("pipeline_updates", move |has| {
            Ok(has.pipelines.iter().find(|p| p.id == id).map(|p| p.updates.clone()).unwrap_or_default())
        })
        .await
    }

    async fn pipeline_events(
        &self,
        id: &PipelineId,
        newer_than: Option<Instant>,
        at_most: usize,
    ) -> Answer<Vec<PipelineEvent>> {
        let id = id.clone();
        self.answer("pipeline_events", move |has| {
            let all = has.events.get(&id).into_iter().flatten().rev();
            Ok(all.filter(|event| newer_than.is_none_or(|from| event.at > from)).take(at_most).cloned().collect())
        })
        .await
    }
}

pub(crate) fn workspace() -> Workspace {
    Workspace { name: "prod".into(), environment: Environment::Prod, letter: 'P', host: "http://127.0.0.1:1".into() }
}

pub(crate) fn job(id: u64) -> Job {
    Job {
        id: JobId(id),
        name: format!("job {id}"),
        tags: BTreeMap::new(),
        creator: None,
        created_at: None,
        cadence: Cadence::Manual,
        max_concurrent_runs: 1,
        queues: false,
        timeout_s: 0,
        tasks: Vec::new(),
        parameters: Vec::new(),
    }
}

pub(crate) fn run(id: u64, job: u64, state: RunState, started_at: Instant) -> Run {
    let ended_at = (!state.is_active()).then(|| started_at + chrono::TimeDelta::seconds(60));
    Run {
        id: RunId(id),
        job: JobId(job),
        name: format!("job {job}"),
        tasks: vec![TaskRun {
            id: RunId(id + 1_000_000),
            key: "load".into(),
            attempt: 0,
            depends_on: Vec::new(),
            kind: "notebook".into(),
            state: state.clone(),
            message: String::new(),
            started_at: Some(started_at),
            ended_at,
            spent: Spent::default(),
        }],
        state,
        message: String::new(),
        trigger: "PERIODIC".into(),
        creator: None,
        started_at: Some(started_at),
        ended_at,
        spent: Spent::default(),
        run_ms: 0,
        attempt: 0,
        page_url: None,
        parameters: Vec::new(),
        repairs: Vec::new(),
    }
}

pub(crate) fn ended(outcome: Outcome) -> RunState {
    RunState::Ended(outcome)
}

pub(crate) fn stream(id: &str) -> Pipeline {
    Pipeline {
        id: id.into(),
        name: id.into(),
        state: PipelineState::Running,
        healthy: true,
        cause: None,
        continuous: Some(true),
        target: None,
        channel: None,
        development: Some(false),
        tags: BTreeMap::from([("tier".to_owned(), "1".to_owned())]),
        creator: None,
        run_as: None,
        updates: vec![Update {
            id: "u1".into(),
            state: UpdateState::Running,
            cause: None,
            created_at: None,
            full_refresh: false,
            validate_only: false,
        }],
    }
}

pub(crate) fn backlog_event(id: &str, at: Instant, records: u64) -> PipelineEvent {
    PipelineEvent {
        id: id.into(),
        at,
        level: Level::Info,
        kind: "flow_progress".into(),
        message: String::new(),
        update: Some("u1".into()),
        flow: Some("orders".into()),
        error: None,
        progress: Some(FlowProgress {
            status: "RUNNING".into(),
            output_rows: Some(10),
            backlog: Backlog { records: Some(records), ..Backlog::default() },
            ..FlowProgress::default()
        }),
    }
}
