//! Objects for tests: plain jobs, runs, streams and workspaces at one fixed instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::ids::{JobId, RunId};
use crate::domain::job::{Cadence, Job};
use crate::domain::pipeline::{Backlog, Pipeline, PipelineState, Update, UpdateState};
use crate::domain::request::{Lane, RequestRecord};
use crate::domain::run::{Outcome, Run, RunState, Spent};
use crate::domain::snapshot::{
    EventsReading, FailureKind, FailureNote, FeedFailure, FlowWatch, JobWatch, LagSample, PipelineWatch, Section,
    WorkspaceSnapshot,
};
use crate::domain::workspace::{Environment, Workspace};

/// The present of all tests, in local time.
pub(crate) fn now() -> Instant {
    "2026-11-22T05:42:10Z".parse().expect("an instant")
}

pub(crate) fn workspace(environment: Environment) -> Workspace {
    Workspace {
        name: environment.to_string().as_str().into(),
        environment,
        letter: environment.to_string().chars().next().expect("a word").to_ascii_uppercase(),
        host: "https://h.example.com".to_owned(),
    }
}

pub(crate) fn job(id: u64, name: &str) -> Job {
    Job {
        id: JobId(id),
        name: name.to_owned(),
        tags: BTreeMap::new(),
        creator: None,
        created_at: None,
        cadence: Cadence::Manual,
        max_concurrent_runs: 1,
        queues: true,
        timeout_s: 0,
        tasks: Vec::new(),
        parameters: Vec::new(),
    }
}

/// A run that began so many minutes ago and took, or has taken, so many minutes.
pub(crate) fn run(id: u64, state: RunState, minutes_ago: i64, minutes: i64) -> Arc<Run> {
    let started_at = now() - TimeDelta::minutes(minutes_ago);
    let ended_at = (!state.is_active()).then(|| started_at + TimeDelta::minutes(minutes));
    Arc::new(Run {
        id: RunId(id),
        job: JobId(1),
        name: String::new(),
        state,
        message: String::new(),
        trigger: "PERIODIC".to_owned(),
        creator: None,
        started_at: Some(started_at),
        ended_at,
        spent: Spent::default(),
        run_ms: 0,
        attempt: 0,
        page_url: None,
        parameters: Vec::new(),
        repairs: Vec::new(),
        tasks: Vec::new(),
    })
}

pub(crate) const OK: RunState = RunState::Ended(Outcome::Succeeded);
pub(crate) const FAILED: RunState = RunState::Ended(Outcome::Failed);
pub(crate) const SKIPPED: RunState = RunState::Ended(Outcome::Skipped);

pub(crate) fn snapshot(jobs: Vec<JobWatch>, pipelines: Vec<PipelineWatch>) -> WorkspaceSnapshot {
    snapshot_of(Environment::Prod, jobs, pipelines)
}

/// A workspace that was just polled.
pub(crate) fn snapshot_of(
    environment: Environment,
    jobs: Vec<JobWatch>,
    pipelines: Vec<PipelineWatch>,
) -> WorkspaceSnapshot {
    let mut snapshot = WorkspaceSnapshot::unknown(workspace(environment));
    snapshot.jobs = Section { value: Some(Arc::new(jobs)), observed_at: Some(now()), ..Section::default() };
    snapshot.pipelines = Section { value: Some(Arc::new(pipelines)), observed_at: Some(now()), ..Section::default() };
    snapshot
}

pub(crate) fn watch(job: Job, runs: Vec<Arc<Run>>) -> JobWatch {
    JobWatch { job: Arc::new(job), runs, history_read: true, failure: None }
}

pub(crate) fn pipeline(id: &str, state: PipelineState, continuous: bool) -> Pipeline {
    Pipeline {
        id: id.into(),
        name: format!("{id}_pipeline"),
        state,
        healthy: true,
        cause: None,
        continuous: Some(continuous),
        target: None,
        channel: None,
        development: None,
        tags: BTreeMap::new(),
        creator: None,
        run_as: None,
        updates: vec![Update {
            id: "u".into(),
            state: UpdateState::Running,
            cause: None,
            created_at: Some(now() - TimeDelta::days(3)),
            full_refresh: false,
            validate_only: false,
        }],
    }
}

/// A stream whose lag was read once a minute, the newest now.
pub(crate) fn stream(seconds: &[f64]) -> PipelineWatch {
    let backlog = |seconds| Backlog { seconds: Some(seconds), ..Backlog::default() };
    let at = |back: usize| now() - TimeDelta::minutes(i64::try_from(back).expect("small"));
    PipelineWatch {
        pipeline: Arc::new(pipeline("p1", PipelineState::Running, true)),
        flows: vec![FlowWatch {
            name: "orders".to_owned(),
            status: "RUNNING".to_owned(),
            backlog: seconds.last().copied().map_or_else(Backlog::default, backlog),
            output_rows_per_s: None,
            history: Vec::new(),
            expectations: Vec::new(),
            dropped_records: 0,
        }],
        lag: seconds
            .iter()
            .rev()
            .enumerate()
            .map(|(back, seconds)| LagSample { at: at(back), backlog: backlog(*seconds) })
            .rev()
            .collect(),
        events: EventsReading { read_at: Some(now()), failure: None, interval_s: 15 },
    }
}

/// A failed poll, since some minutes ago.
pub(crate) fn failure(minutes_ago: i64) -> FeedFailure {
    FeedFailure {
        kind: FailureKind::Auth,
        since: now() - TimeDelta::minutes(minutes_ago),
        brief: "401 token expired".to_owned(),
        message: "The workspace refused the token of the reader: renew it with `databricks auth login`".to_owned(),
        request_id: Some("7f2c".to_owned()),
    }
}

/// Three workspaces in which something of everything goes on.
pub(crate) fn fleet() -> Vec<WorkspaceSnapshot> {
    let daily = |id: u64, name: &str, hour: u32| Job {
        cadence: Cadence::Cron { expression: format!("0 5 {hour} * * ?"), zone: "UTC".to_owned(), paused: false },
        tags: BTreeMap::from([("owner".to_owned(), name.split('_').next().unwrap_or_default().to_owned())]),
        ..job(id, name)
    };
    let history = |id: u64, newest: Arc<Run>, minutes: i64| {
        let past = (1..=14).map(|day: i64| {
            let state = if day == 5 { FAILED } else { OK };
            run(id * 100 + 20 - u64::try_from(day).expect("small"), state, day * 1_440, minutes)
        });
        std::iter::once(newest).chain(past).collect::<Vec<_>>()
    };
    let failed = JobWatch {
        failure: Some(FailureNote {
            run: RunId(918_273_645),
            task: "reconcile_gl".to_owned(),
            error: "AnalysisException: [UNRESOLVED_COLUMN] `gl_period` cannot be resolved".to_owned(),
        }),
        ..watch(daily(11, "finance_close_daily", 5), history(11, run(918_273_645, FAILED, 53, 41), 26))
    };
    let mut behind = stream(&[20.0, 20.0, 21.0, 20.0, 22.0, 20.0, 45.0, 70.0, 95.0, 140.0, 190.0, 252.0]);
    behind.flows[0].backlog.records = Some(12_100);
    behind.flows[0].output_rows_per_s = Some(92_000.0);
    let mut calm = stream(&[18.0; 12]);
    calm.pipeline =
        Arc::new(Pipeline { name: "orders_green".to_owned(), ..pipeline("p2", PipelineState::Running, true) });
    behind.pipeline =
        Arc::new(Pipeline { name: "orders_blue".to_owned(), ..pipeline("p1", PipelineState::Running, true) });
    let prod = vec![
        failed,
        watch(daily(12, "ledger_extract", 4), history(12, run(1_200, OK, 90, 22), 21)),
        watch(
            daily(13, "returns_hourly_with_a_rather_long_name_that_is_cut_v2", 6),
            history(13, run(1_300, RunState::Running, 70, 0), 30),
        ),
    ];
    let staging = vec![watch(daily(21, "customer_360", 3), history(21, run(2_100, RunState::Queued, 2, 0), 22))];
    let dev = vec![
        watch(job(31, "[dev ana] orders_blue"), Vec::new()),
        watch(job(32, "[dev bo] scratch"), vec![run(3_200, RunState::Ended(Outcome::Canceled), 3_000, 4)]),
    ];
    vec![
        snapshot_of(Environment::Dev, dev, Vec::new()),
        snapshot_of(Environment::Staging, staging, Vec::new()),
        snapshot_of(Environment::Prod, prod, vec![behind, calm]),
    ]
}

/// A request that ended well, or with a status that tells it did not.
pub(crate) fn request(seconds_ago: i64, route: &str, status: Option<u16>) -> RequestRecord {
    RequestRecord {
        at: now() - TimeDelta::seconds(seconds_ago),
        workspace: "prod".into(),
        lane: Lane::Poll,
        method: "GET".to_owned(),
        route: route.to_owned(),
        path: route.to_owned(),
        is_whole: true,
        query: "limit=25&active_only=true".to_owned(),
        status,
        attempt: 1,
        ms: 143,
        bytes: 51_234,
        request_id: status.map(|_| "4f0e6c1a".to_owned()),
        error: match status {
            Some(200) => None,
            Some(status) => Some(format!("{status} too many requests")),
            None => Some("no answer within 30 s".to_owned()),
        },
    }
}
