//! How many requests it takes, counted under paused time: a bound that every machine can hold.

use super::*;

/// The load of issue 3: prod with 120 jobs and about 2,500 runs a day, and eight streams of tier 1 among 120 pipelines.
#[tokio::test(start_paused = true)]
async fn an_hour_of_a_busy_workspace_takes_less_than_a_request_a_second() {
    let mut rig = busy_workspace().await;
    let asked = busy_hour(&mut rig).await;
    assert!(asked < 3_600, "{asked} requests in an hour: {:?}", rig.api.contents().asked);
    assert!(asked > 1_000, "the hour was polled");
    let specs = rig.api.contents().asked["pipeline"];
    assert!(specs > 200, "{specs}: each specification was read once, and some of them anew");
}

async fn busy_workspace() -> Rig {
    let api = fake_with_jobs(120);
    let mut pipelines: Vec<_> = (0..120).map(|n| stream(&format!("s{n}"))).collect();
    for resting in pipelines.iter_mut().skip(8) {
        resting.continuous = Some(false);
        resting.tags.clear();
    }
    api.contents().pipelines = pipelines;
    let mut rig = Rig::start(api, None);
    rig.pass(Duration::from_mins(2)).await;
    rig
}

/// An hour in which two runs a minute begin and end; gives the requests that it took.
async fn busy_hour(rig: &mut Rig) -> u32 {
    let before = rig.api.asked_in_all();
    for minute in 0..60u64 {
        let now = rig.clock.now();
        {
            let mut contents = rig.api.contents();
            for run in &mut contents.runs {
                if run.state.is_active() && run.started_at.is_some_and(|at| now - at > seconds(600)) {
                    run.state = ended(if run.id.0.is_multiple_of(20) { Outcome::Failed } else { Outcome::Succeeded });
                    run.ended_at = Some(now);
                }
            }
            for n in 0..2 {
                let id = 1_000 + minute * 2 + n;
                contents.runs.push(run(id, 1 + id % 120, RunState::Running, now));
            }
        }
        rig.pass(Duration::from_mins(1)).await;
    }
    rig.api.asked_in_all() - before
}

/// The same with a stream's screen open, which is asked for besides.
#[tokio::test(start_paused = true)]
async fn a_stream_s_screen_keeps_a_busy_workspace_below_a_request_a_second_too() {
    let mut rig = busy_workspace().await;
    rig.poller.watch(vec![Feed::Pipeline("prod".into(), "s0".into())], 1);
    rig.pass(Duration::from_mins(2)).await;
    let asked = busy_hour(&mut rig).await;
    assert!(asked < 3_600, "{asked} requests in an hour: {:?}", rig.api.contents().asked);
}

/// Requests that a span takes.
async fn asked_over(rig: &mut Rig, span: Duration) -> u32 {
    let before = rig.api.asked_in_all();
    rig.pass(span).await;
    rig.api.asked_in_all() - before
}

#[tokio::test(start_paused = true)]
async fn a_workspace_in_which_nothing_runs_is_asked_once_in_three_seconds_at_most() {
    let mut rig = Rig::start(fake_with_jobs(10), None);
    rig.settled().await;
    rig.pass(Duration::from_mins(2)).await;
    let asked = asked_over(&mut rig, Duration::from_hours(1)).await;
    assert!((300..1_200).contains(&asked), "{asked} requests in an hour: {:?}", rig.api.contents().asked);
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_takes_the_listings_and_a_request_for_each_job_s_older_runs() {
    let mut rig = Rig::start(fake_with_jobs(120), None);
    rig.pass(Duration::from_mins(5)).await;
    let contents = rig.api.contents();
    assert_eq!(contents.asked["job_runs"], 120, "each job's older runs once");
    assert!(contents.asked["jobs"] <= 6, "{:?}", contents.asked);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_watched_adds_less_than_a_request_a_second() {
    let api = fake_with_jobs(1);
    api.contents().runs = vec![run(9, 1, RunState::Running, TimerClock::new().now())];
    let mut rig = Rig::start(api, None);
    rig.settled().await;
    rig.pass(Duration::from_mins(2)).await;
    let alone = asked_over(&mut rig, Duration::from_mins(10)).await;
    rig.poller.watch(vec![Feed::Run("prod".into(), RunId(9))], 1);
    let watched = asked_over(&mut rig, Duration::from_mins(10)).await;
    assert!(watched > alone + 100, "{watched} and {alone}: the screen is kept fresh");
    assert!(watched < alone + 600, "{watched} and {alone}: {:?}", rig.api.contents().asked);
}
