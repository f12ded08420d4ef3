//! Pipelines: their event logs, which may be late or closed, and their specifications, which people edit.

use super::*;
use crate::domain::ids::PipelineId;
use crate::domain::pipeline::Update;

/// A workspace with two streams that are behind by some records.
fn streams() -> (FakeApi, Arc<TimerClock>) {
    let (api, clock) = (FakeApi::new(), Arc::new(TimerClock::new()));
    api.contents().pipelines = vec![stream("s0"), stream("s1")];
    for id in ["s0", "s1"] {
        let event = backlog_event(&format!("e-{id}"), clock.now(), 700);
        api.contents().events.insert(id.into(), vec![event]);
    }
    (api, clock)
}

#[tokio::test(start_paused = true)]
async fn one_sweep_waits_for_every_stream_s_backlog_however_late_it_comes() {
    let (api, clock) = streams();
    api.contents().events_delay = Duration::from_secs(7);
    let cached = Arc::new(sweep(&api, &clock, None, true).await);
    for look in 0..4 {
        let snapshot = sweep(&api, &clock, Some(cached.clone()), false).await;
        for id in ["s0", "s1"] {
            assert_eq!(records_of(&snapshot, id), Some(700), "{id} at look {look}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_sweep_does_not_wait_for_a_log_that_is_closed_and_says_so() {
    let (api, clock) = streams();
    let cached = Arc::new(sweep(&api, &clock, None, true).await);
    api.contents().broken_kinds.insert("pipeline_events", error(FailureKind::Denied, "403 permission denied"));
    let snapshot = sweep(&api, &clock, Some(cached), false).await;
    let watch = pipeline_of(&snapshot, "s0").expect("listed");
    assert!(watch.is_lag_unread() && !watch.lag.is_empty(), "the cache's lag is there, and is not called fresh");
    match watch.lag_freshness(clock.now()) {
        Some(Freshness::Failed { failure, age_s: None }) => assert_eq!(failure.brief, "403 permission denied"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_keeps_its_lag_says_since_when_and_recovers() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    rig.until(|s| records_of(s, "s0") == Some(700)).await;
    rig.api.contents().broken_kinds.insert("pipeline_events", error(FailureKind::Remote, "500 internal error"));
    let is_failed = |s: &WorkspaceSnapshot| pipeline_of(s, "s0").is_some_and(PipelineWatch::is_lag_unread);
    rig.until(is_failed).await;
    rig.pass(Duration::from_mins(10)).await;
    let (snapshot, _) = rig.until(is_failed).await;
    assert!(matches!(snapshot.pipelines.freshness(rig.clock.now()), Freshness::Fresh { .. }), "the listing is well");
    let watch = pipeline_of(&snapshot, "s0").expect("listed");
    assert_eq!(records_of(&snapshot, "s0"), Some(700));
    match watch.lag_freshness(rig.clock.now()) {
        Some(Freshness::Failed { age_s: Some(age_s), .. }) => assert!(age_s >= 600, "{age_s}"),
        other => panic!("{other:?}"),
    }
    rig.api.contents().broken_kinds.clear();
    rig.until(|s| pipeline_of(s, "s0").is_some_and(|watch| !watch.is_lag_unread())).await;
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_pipeline_that_is_gone_is_not_asked_for_in_a_loop() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    rig.until(|s| records_of(s, "s0") == Some(700)).await;
    let gone = ApiError { absent: true, ..error(FailureKind::Remote, "404 not found") };
    rig.api.contents().broken_kinds.insert("pipeline_events", gone);
    let before = rig.api.contents().asked["pipeline_events"];
    rig.pass(Duration::from_mins(5)).await;
    let asked = rig.api.contents().asked["pipeline_events"] - before;
    assert!((2..=20).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn an_edited_specification_is_seen_within_the_time_of_jobs_after_a_restart_too() {
    let (api, clock) = streams();
    let cached = Arc::new(sweep(&api, &clock, None, true).await);
    let tier = |s: &WorkspaceSnapshot| pipeline_of(s, "s0").and_then(|watch| watch.pipeline.tags.get("tier").cloned());
    let edit = |api: &FakeApi, tier: &str| {
        api.contents().pipelines[0].tags.insert("tier".to_owned(), tier.to_owned());
    };
    edit(&api, "3");
    let mut rig = Rig::start(api.clone(), Some(cached.clone()));
    let (_, took) = rig.until(|s| tier(s).as_deref() == Some("3")).await;
    assert!(took <= Pace::default().jobs + Duration::from_secs(1), "{took:?}");
    edit(&rig.api, "2");
    let (_, took) = rig.until(|s| tier(s).as_deref() == Some("2")).await;
    assert!(took <= Pace::default().jobs + Duration::from_secs(1), "{took:?}");
    edit(&rig.api, "1");
    assert_eq!(tier(&sweep(&rig.api, &rig.clock, Some(cached), true).await).as_deref(), Some("1"), "--deep");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_became_a_stream_is_followed_once_its_new_update_is_listed() {
    let (api, _) = streams();
    api.contents().pipelines[0].continuous = Some(false);
    let mut rig = Rig::start(api, None);
    rig.until(|s| records_of(s, "s1") == Some(700)).await;
    rig.pass(Duration::from_secs(30)).await;
    {
        let mut contents = rig.api.contents();
        let pipeline = &mut contents.pipelines[0];
        pipeline.continuous = Some(true);
        pipeline.updates.insert(0, Update { id: "u2".into(), ..pipeline.updates[0].clone() });
    }
    let (_, took) = rig.until(|s| records_of(s, "s0") == Some(700)).await;
    assert!(took <= Duration::from_secs(62), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn specifications_that_cannot_be_read_do_not_keep_the_others_from_being_read() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    rig.until(|s| records_of(s, "s0") == Some(700)).await;
    let before = rig.api.contents().asked["pipeline"];
    rig.api.contents().broken_kinds.insert("pipeline", error(FailureKind::Denied, "403 permission denied"));
    rig.pass(Duration::from_mins(10)).await;
    assert!(rig.api.contents().asked["pipeline"] > before);
    rig.api.contents().broken_kinds.clear();
    rig.api.contents().pipelines[1].tags.insert("owner".to_owned(), "ana".to_owned());
    rig.until(|s| pipeline_of(s, "s1").is_some_and(|watch| watch.pipeline.tags.contains_key("owner"))).await;
}

fn detail_of(answer: Result<Observed, String>) -> Arc<crate::domain::snapshot::PipelineDetail> {
    match answer {
        Ok(Observed::Pipeline(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_watched_pipeline_s_events_are_read_once_for_screen_and_fleet() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    rig.until(|s| records_of(s, "s0") == Some(700)).await;
    let feed = Feed::Pipeline("prod".into(), PipelineId::new("s0"));
    rig.poller.watch(vec![feed.clone()], 1);
    assert_eq!(detail_of(rig.answer_of(&feed).await.1).interval_s, 10);
    rig.pass(Duration::from_secs(30)).await;
    let before = rig.api.contents().asked["pipeline_events"];
    rig.pass(Duration::from_mins(10)).await;
    let asked = rig.api.contents().asked["pipeline_events"] - before;
    // 60 for the screen and about 42 for the other stream; a second reader of the first would make it 42 more.
    assert!((95..=108).contains(&asked), "{asked}");
    let event = backlog_event("e-new", rig.clock.now(), 9_000);
    rig.api.contents().events.entry("s0".into()).or_default().push(event);
    let (_, took) = rig.until(|s| records_of(s, "s0") == Some(9_000)).await;
    assert!(took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watched_pipeline_is_shown_without_the_events_that_it_hides() {
    let (api, _) = streams();
    api.contents().broken_kinds.insert("pipeline_events", error(FailureKind::Denied, "403 permission denied"));
    let mut rig = Rig::start(api, None);
    let feed = Feed::Pipeline("prod".into(), PipelineId::new("s0"));
    rig.poller.watch(vec![feed.clone()], 1);
    let detail = detail_of(rig.answer_of(&feed).await.1);
    assert_eq!(detail.updates.len(), 1);
    assert_eq!(
        detail.watch.events.failure.as_ref().map(|failure| failure.brief.as_str()),
        Some("403 permission denied")
    );
    let before = rig.api.contents().asked["pipeline_events"];
    rig.pass(Duration::from_mins(30)).await;
    let asked = rig.api.contents().asked["pipeline_events"] - before;
    assert!((20..=70).contains(&asked), "{asked}: by screen and fleet, ever more seldom");
}

#[tokio::test(start_paused = true)]
async fn a_watched_pipeline_s_update_that_moves_is_read_at_once() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    let feed = Feed::Pipeline("prod".into(), PipelineId::new("s0"));
    rig.poller.watch(vec![feed.clone()], 1);
    detail_of(rig.answer_of(&feed).await.1);
    rig.pass(Duration::from_secs(35)).await;
    let now = rig.clock.now();
    let mut moved = backlog_event("moved", now, 1);
    moved.kind = "update_progress".to_owned();
    moved.progress = None;
    {
        let mut contents = rig.api.contents();
        contents.events.entry("s0".into()).or_default().push(moved);
        let pipeline = &mut contents.pipelines[0];
        pipeline.updates.insert(0, Update { id: "u2".into(), ..pipeline.updates[0].clone() });
    }
    loop {
        let detail = detail_of(rig.answer_of(&feed).await.1);
        if detail.updates.len() == 2 {
            break;
        }
    }
    let took = rig.clock.now() - now;
    assert!(took <= seconds(11), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_asks_to_be_left_alone_is_left_alone() {
    let (api, _) = streams();
    let mut rig = Rig::start(api, None);
    let feed = Feed::Pipeline("prod".into(), PipelineId::new("s0"));
    rig.poller.watch(vec![feed.clone()], 1);
    rig.until(|s| records_of(s, "s0") == Some(700)).await;
    rig.pass(Duration::from_mins(1)).await;
    let wait = Duration::from_secs(120);
    let busy = ApiError { retry_after: Some(wait), ..error(FailureKind::Remote, "429 too many requests") };
    rig.api.contents().broken = Some(busy);
    rig.pass(Duration::from_mins(4)).await;
    let from = rig.api.contents().asked_at.len();
    rig.pass(Duration::from_mins(30)).await;
    let mut last = std::collections::BTreeMap::new();
    let asked = rig.api.contents().asked_at[from..].to_vec();
    assert!(asked.len() > 10, "it goes on asking: {}", asked.len());
    for (at, kind) in asked {
        // What two readers ask for is asked for by each.
        let of_two = ["pipeline", "pipeline_updates", "pipeline_events"].contains(&kind);
        let before = last.insert(kind, at);
        assert!(of_two || before.is_none_or(|before| at - before >= wait), "{kind} after {:?}", before.map(|b| at - b));
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_fails_is_asked_ever_more_seldom() {
    let api = fake_with_jobs(1);
    api.contents().broken_kinds.insert("run", error(FailureKind::Remote, "500 internal error"));
    let mut rig = Rig::start(api, None);
    rig.poller.watch(vec![Feed::Run("prod".into(), RunId(9))], 1);
    rig.pass(Duration::from_mins(30)).await;
    let asked = rig.api.contents().asked["run"];
    assert!((10..=25).contains(&asked), "{asked}");
}
