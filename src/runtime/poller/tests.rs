//! The poller against a workspace in memory, in paused time: hours pass in moments.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::api::ApiError;
use super::fake::{FakeApi, backlog_event, ended, job, run, stream, workspace};
use super::schedule::Pace;
use super::{Polled, Poller, PollerOptions};
use crate::app::message::{Fact, Feed, Message, Observed};
use crate::domain::clock::Clock;
use crate::domain::ids::{JobId, RunId};
use crate::domain::run::{Outcome, RunState};
use crate::domain::snapshot::{FailureKind, Freshness, JobWatch, PipelineWatch, RunDetail, WorkspaceSnapshot};
use crate::runtime::clock::tests::TimerClock;

struct Rig {
    api: FakeApi,
    clock: Arc<TimerClock>,
    poller: Poller<FakeApi>,
    messages: mpsc::Receiver<Message>,
}

mod counts;
mod pipelines;

fn options(clock: &Arc<TimerClock>, out: mpsc::Sender<Message>) -> PollerOptions {
    PollerOptions {
        pace: Pace::default(),
        seed: 11,
        tier_of: Arc::new(|_, pipeline| pipeline.tags.get("tier").and_then(|tier| tier.parse().ok())),
        clock: clock.clone(),
        out,
    }
}

impl Rig {
    fn start(api: FakeApi, cached: Option<Arc<WorkspaceSnapshot>>) -> Self {
        let clock = Arc::new(TimerClock::new());
        let (out, messages) = mpsc::channel(64);
        let polled = Polled { workspace: workspace(), api: api.clone(), cached };
        let poller = Poller::start(vec![polled], &options(&clock, out));
        Self { api, clock, poller, messages }
    }

    /// Waits for the first snapshot that fits, and says how long that took.
    async fn until(&mut self, fits: impl Fn(&WorkspaceSnapshot) -> bool) -> (Arc<WorkspaceSnapshot>, Duration) {
        let began = tokio::time::Instant::now();
        loop {
            let message = tokio::time::timeout(Duration::from_mins(30), self.messages.recv());
            let message = message.await.expect("it comes in half an hour").expect("the poller lives");
            if let Fact::Observed { result: Ok(Observed::Fleet(snapshot)), .. } = message.fact
                && fits(&snapshot)
            {
                return (snapshot, began.elapsed());
            }
        }
    }

    async fn settled(&mut self) -> Arc<WorkspaceSnapshot> {
        self.until(|s| s.jobs.value.is_some() && s.pipelines.value.is_some()).await.0
    }

    /// Lets time pass while messages are drained.
    async fn pass(&mut self, span: Duration) {
        let end = tokio::time::Instant::now() + span;
        while let Ok(Some(_)) = tokio::time::timeout_at(end, self.messages.recv()).await {}
    }

    /// Waits for an answer of a watched feed.
    async fn answer_of(&mut self, wanted: &Feed) -> (u64, Result<Observed, String>) {
        loop {
            let message = tokio::time::timeout(Duration::from_mins(5), self.messages.recv());
            let message = message.await.expect("it comes in five minutes").expect("the poller lives");
            if let Fact::Observed { feed, epoch, result } = message.fact
                && feed == *wanted
            {
                return (epoch, result.map_err(|failure| failure.brief));
            }
        }
    }
}

fn watch_of(snapshot: &WorkspaceSnapshot, id: u64) -> Option<&JobWatch> {
    snapshot.jobs.value.as_ref()?.iter().find(|watch| watch.job.id == JobId(id))
}

fn state_of(snapshot: &WorkspaceSnapshot, job: u64) -> Option<RunState> {
    watch_of(snapshot, job)?.runs.first().map(|run| run.state.clone())
}

fn fake_with_jobs(count: u64) -> FakeApi {
    let api = FakeApi::new();
    api.contents().jobs = (1..=count).map(job).collect();
    api
}

fn seconds(count: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(count)
}

/// One sweep, as a subcommand makes it.
async fn sweep(
    api: &FakeApi,
    clock: &Arc<TimerClock>,
    cached: Option<Arc<WorkspaceSnapshot>>,
    deep: bool,
) -> WorkspaceSnapshot {
    let (out, _messages) = mpsc::channel(1);
    let polled = Polled { workspace: workspace(), api: api.clone(), cached };
    options(clock, out).sweeper(polled, 0).sweep_once(deep).await
}

fn error(kind: FailureKind, brief: &str) -> ApiError {
    ApiError {
        kind,
        brief: brief.to_owned(),
        message: format!("It says {brief}."),
        request_id: Some("r-1".into()),
        absent: false,
        retry_after: None,
    }
}

fn pipeline_of<'s>(snapshot: &'s WorkspaceSnapshot, id: &str) -> Option<&'s PipelineWatch> {
    snapshot.pipelines.value.as_ref()?.iter().find(|watch| watch.pipeline.id.as_str() == id)
}

fn records_of(snapshot: &WorkspaceSnapshot, id: &str) -> Option<u64> {
    pipeline_of(snapshot, id)?.flows.first()?.backlog.records
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_is_whole_before_it_is_shown() {
    let api = fake_with_jobs(3);
    let noon = TimerClock::new().now();
    api.contents().runs =
        vec![run(1, 1, RunState::Running, noon), run(2, 2, ended(Outcome::Succeeded), noon - seconds(600))];
    let mut rig = Rig::start(api, None);
    let (snapshot, took) = rig.until(|s| s.jobs.value.is_some()).await;
    assert!(took < Duration::from_millis(300), "{took:?}");
    assert_eq!(snapshot.jobs.value.as_ref().map(|jobs| jobs.len()), Some(3));
    assert_eq!(state_of(&snapshot, 1), Some(RunState::Running));
    assert_eq!(state_of(&snapshot, 2), Some(ended(Outcome::Succeeded)));
    assert!(matches!(snapshot.jobs.freshness(rig.clock.now()), Freshness::Fresh { .. }));
}

#[tokio::test(start_paused = true)]
async fn every_change_of_a_run_is_seen_within_10_s() {
    let mut rig = Rig::start(fake_with_jobs(5), None);
    rig.settled().await;
    let mut slowest = Duration::ZERO;
    for n in 0..60 {
        let id = 100 + n;
        // Begins at any phase of the intervals.
        rig.pass(Duration::from_millis(1_370 * (n % 9) + 13)).await;
        let now = rig.clock.now();
        rig.api.contents().runs.push(run(id, 1 + n % 5, RunState::Pending, now));
        let newest = |s: &WorkspaceSnapshot| {
            watch_of(s, 1 + n % 5).and_then(|w| w.runs.first().cloned()).filter(|r| r.id == RunId(id))
        };
        let (_, took) = rig.until(|s| newest(s).is_some()).await;
        slowest = slowest.max(took);
        for state in [RunState::Running, ended(if n % 2 == 0 { Outcome::Succeeded } else { Outcome::Failed })] {
            for run in &mut rig.api.contents().runs {
                if run.id == RunId(id) {
                    run.state = state.clone();
                    run.tasks[0].state = state.clone();
                    run.ended_at = (!state.is_active()).then(|| rig.clock.now());
                }
            }
            let (_, took) = rig.until(|s| newest(s).is_some_and(|run| run.state == state)).await;
            slowest = slowest.max(took);
        }
    }
    assert!(slowest <= Duration::from_secs(10), "{slowest:?}");
    assert!(slowest >= Duration::from_secs(1), "the test measures something: {slowest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lives_between_two_listings_is_seen() {
    let mut rig = Rig::start(fake_with_jobs(1), None);
    rig.settled().await;
    rig.pass(Duration::from_mins(3)).await;
    rig.api.contents().runs.push(run(9, 1, ended(Outcome::Skipped), rig.clock.now()));
    let (_, took) = rig.until(|s| state_of(s, 1) == Some(ended(Outcome::Skipped))).await;
    assert!(took <= Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_explained_by_its_first_line_and_a_repair_takes_it_back() {
    let mut rig = Rig::start(fake_with_jobs(1), None);
    let now = rig.clock.now();
    rig.api.contents().runs = vec![run(9, 1, ended(Outcome::Failed), now - seconds(120))];
    let (snapshot, _) = rig.until(|s| watch_of(s, 1).is_some_and(|w| w.failure.is_some())).await;
    let note = watch_of(&snapshot, 1).and_then(|w| w.failure.clone()).expect("a note");
    assert_eq!((note.run, note.task.as_str(), note.error.as_str()), (RunId(9), "load", "Boom in 1000009"));
    rig.pass(Duration::from_mins(5)).await;
    assert_eq!(rig.api.contents().asked.get("run_output"), Some(&1), "explained once");
    rig.api.contents().runs[0].state = RunState::Running;
    let (snapshot, took) = rig.until(|s| state_of(s, 1) == Some(RunState::Running)).await;
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert_eq!(watch_of(&snapshot, 1).and_then(|w| w.failure.clone()), None);
}

#[tokio::test(start_paused = true)]
async fn a_monthly_job_shows_its_last_run() {
    let api = fake_with_jobs(2);
    let noon = TimerClock::new().now();
    api.contents().runs = vec![run(3, 2, ended(Outcome::Succeeded), noon - chrono::TimeDelta::days(29))];
    let mut rig = Rig::start(api, None);
    let (_, took) = rig.until(|s| state_of(s, 2) == Some(ended(Outcome::Succeeded))).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_jobs_first_run_brings_the_job() {
    let mut rig = Rig::start(fake_with_jobs(1), None);
    rig.settled().await;
    rig.pass(Duration::from_secs(20)).await;
    let now = rig.clock.now();
    rig.api.contents().jobs.push(job(7));
    rig.api.contents().runs.push(run(70, 7, RunState::Running, now));
    // Submitted without a job: must not make the poller list the jobs again and again.
    rig.api.contents().runs.push(run(80, 999, RunState::Running, now));
    let (_, took) = rig.until(|s| state_of(s, 7) == Some(RunState::Running)).await;
    assert!(took <= Duration::from_secs(10), "{took:?}");
    let listed = rig.api.contents().asked["jobs"];
    rig.pass(Duration::from_mins(4)).await;
    assert!(rig.api.contents().asked["jobs"] <= listed + 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_workspace_keeps_its_data_says_since_when_and_is_not_hammered() {
    let mut rig = Rig::start(fake_with_jobs(2), None);
    rig.settled().await;
    rig.pass(Duration::from_mins(2)).await;
    let expired = error(FailureKind::Auth, "401 token expired");
    rig.api.contents().broken = Some(expired);
    let (first, _) = rig.until(|s| s.jobs.failure.is_some()).await;
    let before = rig.api.asked_in_all();
    rig.pass(Duration::from_hours(1)).await;
    let asked = rig.api.asked_in_all() - before;
    assert!((20..=60).contains(&asked), "{asked} questions in an hour");
    let (later, _) = rig.until(|s| s.jobs.failure.is_some()).await;
    assert_eq!(later.jobs.value.as_ref().map(|jobs| jobs.len()), Some(2));
    let since = |s: &WorkspaceSnapshot| s.jobs.failure.as_ref().map(|failure| failure.since);
    assert_eq!(since(&later), since(&first));
    match later.jobs.freshness(rig.clock.now()) {
        Freshness::Failed { failure, age_s: Some(age_s) } => {
            assert_eq!(failure.brief, "401 token expired");
            assert!(age_s >= 3_600, "{age_s}");
        }
        other => panic!("{other:?}"),
    }
    rig.api.contents().broken = None;
    let (_, took) = rig.until(|s| s.jobs.failure.is_none()).await;
    assert!(took <= Duration::from_mins(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tier_1_backlog_is_seen_within_20_s() {
    let api = FakeApi::new();
    api.contents().pipelines = (0..6).map(|n| stream(&format!("s{n}"))).collect();
    let mut rig = Rig::start(api, None);
    rig.settled().await;
    rig.pass(Duration::from_secs(30)).await;
    let mut slowest = Duration::ZERO;
    for n in 0..40u64 {
        rig.pass(Duration::from_millis(2_730 * (n % 7))).await;
        let event = backlog_event(&format!("e{n}"), rig.clock.now(), 1_000 + n);
        rig.api.contents().events.entry("s3".into()).or_default().push(event);
        let (_, took) = rig.until(|s| records_of(s, "s3") == Some(1_000 + n)).await;
        slowest = slowest.max(took);
    }
    assert!(slowest <= Duration::from_secs(20), "{slowest:?}");
}

fn run_of(observed: &Observed) -> &RunDetail {
    match observed {
        Observed::Run(detail) => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_watched_run_comes_at_once_then_with_its_surroundings_and_its_error() {
    let api = fake_with_jobs(1);
    let noon = TimerClock::new().now();
    api.contents().runs =
        vec![run(9, 1, ended(Outcome::Failed), noon), run(8, 1, ended(Outcome::Succeeded), noon - seconds(900))];
    let mut rig = Rig::start(api, None);
    let feed = Feed::Run("prod".into(), RunId(9));
    rig.poller.watch(vec![feed.clone()], 4);
    let (epoch, first) = rig.answer_of(&feed).await;
    assert_eq!((epoch, run_of(&first.expect("an answer")).recent.len()), (4, 0));
    let (_, whole) = rig.answer_of(&feed).await;
    let whole = whole.expect("an answer");
    let whole = run_of(&whole);
    assert_eq!(whole.recent.len(), 2);
    assert!(whole.job.is_some());
    assert_eq!(whole.failure.as_ref().map(|(task, _)| *task), Some(RunId(1_000_009)));
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_stays_answers_again_under_the_new_epoch_without_asking() {
    let api = fake_with_jobs(1);
    api.contents().runs = vec![run(9, 1, ended(Outcome::Succeeded), TimerClock::new().now())];
    let mut rig = Rig::start(api, None);
    let feed = Feed::Run("prod".into(), RunId(9));
    rig.poller.watch(vec![feed.clone()], 1);
    rig.answer_of(&feed).await.1.expect("an answer");
    rig.answer_of(&feed).await.1.expect("an answer");
    let asked = rig.api.contents().asked["job_runs"];
    rig.poller.watch(vec![feed.clone(), Feed::Output("prod".into(), RunId(1_000_009))], 2);
    let (epoch, answer) = rig.answer_of(&feed).await;
    assert_eq!(epoch, 2);
    assert_eq!(run_of(&answer.expect("an answer")).recent.len(), 1);
    assert_eq!(rig.api.contents().asked["job_runs"], asked);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_nobody_watches_is_not_asked() {
    let api = fake_with_jobs(1);
    api.contents().runs = vec![run(9, 1, RunState::Running, TimerClock::new().now())];
    let mut rig = Rig::start(api, None);
    let feed = Feed::Run("prod".into(), RunId(9));
    rig.poller.watch(vec![feed.clone()], 1);
    rig.answer_of(&feed).await.1.expect("an answer");
    rig.poller.watch(Vec::new(), 2);
    let asked = rig.api.contents().asked["run"];
    rig.pass(Duration::from_mins(10)).await;
    assert_eq!(rig.api.contents().asked["run"], asked);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_fails_says_so_and_recovers() {
    let api = fake_with_jobs(1);
    let mut rig = Rig::start(api, None);
    let feed = Feed::LatestRun("prod".into(), JobId(1));
    rig.poller.watch(vec![feed.clone()], 1);
    assert_eq!(rig.answer_of(&feed).await.1, Err("no run yet".to_owned()));
    let now = rig.clock.now();
    rig.api.contents().runs.push(run(9, 1, RunState::Running, now));
    let answer = loop {
        if let (_, Ok(answer)) = rig.answer_of(&feed).await {
            break answer;
        }
    };
    assert_eq!(run_of(&answer).run.id, RunId(9));
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_shown_as_such_until_a_whole_sweep_replaces_it() {
    let noon = TimerClock::new().now();
    let api = fake_with_jobs(1);
    api.contents().runs = vec![run(9, 1, RunState::Running, noon - seconds(60))];
    let (snapshot, _) = Rig::start(api.clone(), None).until(|s| state_of(s, 1) == Some(RunState::Running)).await;
    let mut cached = (*snapshot).clone();
    cached.jobs.cached = true;
    // It ended while nobody watched.
    api.contents().runs[0].state = ended(Outcome::Succeeded);
    let mut rig = Rig::start(api, Some(Arc::new(cached)));
    let (fresh, took) = rig.until(|s| !s.jobs.cached).await;
    assert!(took < Duration::from_millis(300), "{took:?}");
    assert!(matches!(fresh.jobs.freshness(rig.clock.now()), Freshness::Fresh { .. }));
    rig.until(|s| state_of(s, 1) == Some(ended(Outcome::Succeeded))).await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_poller_asks_nothing_more() {
    let mut rig = Rig::start(fake_with_jobs(1), None);
    rig.settled().await;
    let api = rig.api.clone();
    rig.poller.stop().await;
    let asked = api.asked_in_all();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(api.asked_in_all(), asked);
}

#[tokio::test(start_paused = true)]
async fn one_sweep_is_whole_and_explains_failures_without_reading_history() {
    let api = fake_with_jobs(3);
    let clock = Arc::new(TimerClock::new());
    let now = clock.now();
    api.contents().runs = vec![
        run(1, 1, ended(Outcome::Failed), now - seconds(90)),
        run(2, 2, ended(Outcome::Succeeded), now - chrono::TimeDelta::days(9)),
    ];
    let sweep = async |deep: bool| sweep(&api, &clock, None, deep).await;
    let shallow = sweep(false).await;
    assert!(watch_of(&shallow, 1).is_some_and(|watch| watch.failure.is_some()));
    assert_eq!(state_of(&shallow, 2), None);
    assert_eq!(api.contents().asked.get("job_runs"), None);
    assert_eq!(state_of(&sweep(true).await, 2), Some(ended(Outcome::Succeeded)));
    api.contents().broken = Some(error(FailureKind::Auth, "401"));
    let broken = sweep(false).await;
    assert!(broken.jobs.failure.is_some() && broken.pipelines.failure.is_some());
}
