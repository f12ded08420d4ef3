//! What rows say of a workspace.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{Counts, FleetRow, Object, Past, SortKey, Urgency, rows};
use crate::domain::fixture::{FAILED, OK, SKIPPED, failure, job, now, pipeline, run, snapshot, stream, watch};
use crate::domain::ids::{JobId, RunId};
use crate::domain::inventory::{Condition, Inventory, Rule, Sla};
use crate::domain::job::{Cadence, Job, TaskSpec};
use crate::domain::pipeline::PipelineState;
use crate::domain::run::{Run, RunState};
use crate::domain::snapshot::{EventsReading, Freshness, JobWatch, PipelineWatch};
use crate::domain::status::Status;
use crate::domain::workspace::Environment;

fn row(job: Job, runs: Vec<Arc<Run>>) -> FleetRow {
    row_of(watch(job, runs))
}

fn row_of(watch: JobWatch) -> FleetRow {
    rows(&snapshot(vec![watch], Vec::new()), &Inventory::default(), now()).remove(0)
}

fn stream_row(seconds: &[f64], inventory: &Inventory) -> FleetRow {
    rows(&snapshot(Vec::new(), vec![stream(seconds)]), inventory, now()).remove(0)
}

#[test]
fn an_active_run_tells_the_state_even_if_a_newer_start_was_skipped() {
    let row = row(job(1, "hourly"), vec![run(3, SKIPPED, 1, 0), run(2, RunState::Running, 30, 0), run(1, OK, 90, 10)]);
    assert_eq!(row.status, Status::Running);
    assert_eq!(row.took_ms(now()), Some(30 * 60_000));
    assert!(
        matches!(&row.past, Past::Runs { cells, reading: false } if *cells == [Status::Ok, Status::Running, Status::Skipped])
    );
}

#[test]
fn a_paused_job_says_so_unless_it_failed() {
    let paused = || Job {
        cadence: Cadence::Cron { expression: "0 0 6 * * ?".to_owned(), zone: "UTC".to_owned(), paused: true },
        ..job(1, "daily")
    };
    assert_eq!(row(paused(), vec![run(1, OK, 90, 10)]).status, Status::Paused);
    assert_eq!(row(paused(), vec![run(1, FAILED, 90, 10)]).status, Status::Failed);
    assert_eq!(row(job(1, "manual"), Vec::new()).status, Status::NeverStarted);
    let unread = JobWatch { history_read: false, ..watch(job(1, "manual"), Vec::new()) };
    let row = row_of(unread);
    assert_eq!(row.status, Status::Unread, "nobody looked yet");
    assert_eq!(Counts::of([&row]).reading, 1);
}

#[test]
fn a_run_is_long_against_the_median_of_its_own_successes() {
    let mut runs = vec![run(9, RunState::Running, 50, 0)];
    runs.extend((1..=6).map(|day| run(8 - day, OK, 1_440 * i64::try_from(day).expect("small"), 25)));
    runs.push(run(1, FAILED, 20_000, 500));
    let row = row(job(1, "daily"), runs);
    assert_eq!(row.timing.usual_ms, Some(25 * 60_000));
    assert_eq!(row.unusual(now()), Some(2.0));
    assert_eq!(row.urgency, Urgency::RunningLong);
}

#[test]
fn what_is_normal_or_little_known_is_not_spoken_of() {
    let history = |count: i64| (1..=count).map(|day| run(1, OK, 1_440 * day, 25));
    let with =
        |newest, count| {
            let mut runs = vec![newest];
            runs.extend(history(count).enumerate().map(|(index, past)| {
                Arc::new(Run { id: RunId(u64::try_from(index).expect("small")), ..(*past).clone() })
            }));
            row(job(1, "daily"), runs).unusual(now())
        };
    assert_eq!(with(run(99, OK, 60, 27), 10), None, "normal");
    assert_eq!(with(run(99, OK, 600, 50), 4), None, "four runs say nothing");
    assert_eq!(with(run(99, OK, 600, 50), 10), Some(2.0));
    assert_eq!(with(run(99, OK, 600, 5), 10), Some(0.2), "suspiciously short");
    assert_eq!(with(run(99, RunState::Running, 5, 0), 10), None, "a run that runs is never too short");
    assert_eq!(with(run(99, FAILED, 600, 5), 10), None, "a run that failed is short because it failed");
}

#[test]
fn a_stream_lags_behind_what_was_promised() {
    let calm = [20.0; 10];
    assert_eq!(stream_row(&calm, &Inventory::default()).status, Status::Running);
    let mut behind = calm.to_vec();
    behind.extend([80.0, 120.0, 252.0]);
    let row = stream_row(&behind, &Inventory::default());
    assert_eq!((row.status, row.lag_s(), row.urgency), (Status::Lagging, Some(252), Urgency::Lagging));
    assert_eq!(row.since, Some(now() - TimeDelta::minutes(2)), "since the first reading above the bound");
    assert!(matches!(row.past, Past::Lag { rising: true, .. }));

    let promised =
        Rule { sla: Some(Sla::Freshness { max_age_s: 300 }), condition: Condition::default(), ..Rule::default() };
    let lenient = Inventory { rules: vec![promised], ..Inventory::default() };
    assert_eq!(stream_row(&behind, &lenient).status, Status::Running);
}

#[test]
fn a_pipeline_that_a_job_drives_is_part_of_the_jobs_row() {
    let task = TaskSpec {
        key: "update".to_owned(),
        depends_on: Vec::new(),
        kind: "pipeline".to_owned(),
        pipeline: Some("triggered".into()),
    };
    let driver = Job { tasks: vec![task], ..job(1, "driver") };
    let triggered = PipelineWatch {
        pipeline: Arc::new(pipeline("triggered", PipelineState::Idle, false)),
        flows: Vec::new(),
        lag: Vec::new(),
        events: EventsReading::default(),
    };
    let alone =
        PipelineWatch { pipeline: Arc::new(pipeline("alone", PipelineState::Idle, false)), ..triggered.clone() };
    let rows = rows(&snapshot(vec![watch(driver, Vec::new())], vec![triggered, alone]), &Inventory::default(), now());
    let objects: Vec<Object> = rows.into_iter().map(|row| row.id.object).collect();
    assert_eq!(objects, [Object::Job(JobId(1)), Object::Pipeline("alone".into())]);
}

#[test]
fn a_lag_that_cannot_be_read_is_no_good_news_and_says_how_old_it_is() {
    let standing = |events: EventsReading| {
        let watch = PipelineWatch { events, ..stream(&[20.0]) };
        let row = rows(&snapshot(Vec::new(), vec![watch]), &Inventory::default(), now()).remove(0);
        (Counts::of([&row]).unreadable, row.lag_freshness(now()))
    };
    let read = |minutes: i64| Some(now() - chrono::TimeDelta::minutes(minutes));
    let fresh = EventsReading { read_at: read(0), failure: None, interval_s: 15 };
    assert_eq!(standing(fresh.clone()), (0, Some(Freshness::Fresh { age_s: 0 })));
    let old = EventsReading { read_at: read(1), ..fresh.clone() };
    assert_eq!(standing(old), (0, Some(Freshness::Stale { age_s: 60 })));
    assert_eq!(standing(EventsReading::default()), (0, Some(Freshness::Loading)), "the cache's lag is not of now");
    let refused = EventsReading { read_at: read(2), failure: Some(failure(2)), ..fresh.clone() };
    assert_eq!(standing(refused), (1, Some(Freshness::Failed { failure: failure(2), age_s: Some(120) })));
    let mut stopped = stream(&[20.0]);
    stopped.pipeline = Arc::new(pipeline("p1", PipelineState::Idle, true));
    let row = rows(&snapshot(Vec::new(), vec![stopped]), &Inventory::default(), now()).remove(0);
    assert_eq!(row.lag_freshness(now()), None, "a stream that does not run claims nothing");
}

#[test]
fn what_burns_stands_first_and_production_before_the_rest() {
    let named = |environment, name: &str, tier, urgency| {
        let mut row = row(job(1, name), Vec::new());
        row.environment = environment;
        row.tier = tier;
        row.urgency = urgency;
        row
    };
    let mut rows = [
        named(Environment::Dev, "a", Some(1), Urgency::Failed),
        named(Environment::Prod, "b", Some(1), Urgency::Quiet),
        named(Environment::Prod, "c", Some(2), Urgency::Failed),
        named(Environment::Prod, "d", None, Urgency::Failed),
        named(Environment::Prod, "e", Some(1), Urgency::Failed),
        named(Environment::Prod, "f", Some(3), Urgency::Lagging),
    ];
    rows.sort_by(|a, b| SortKey::Urgency.compare(a, b, now()));
    let names: String = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, "ecdafb");
}

#[test]
fn a_filter_finds_by_every_word() {
    let row = row(job(77, "finance_close"), vec![run(1, FAILED, 60, 5)]);
    for found in ["", "PROD failed", "close 77", "job fin"] {
        assert!(row.matches(found), "{found}");
    }
    assert!(!row.matches("prod ok"));
}

#[test]
fn names_are_harmless_and_lose_the_development_prefix() {
    let row = row(job(1, "[dev ana] \u{1b}[31morders\u{202e}"), Vec::new());
    assert_eq!((row.name.as_str(), row.development), ("orders", true));
}

#[test]
fn counts_add_up() {
    let failed = row(job(1, "a"), vec![run(1, FAILED, 60, 5)]);
    let running = row(job(2, "b"), vec![run(1, RunState::Running, 60, 5)]);
    let counts = Counts::of([&failed, &running]);
    assert_eq!((counts.total, counts.failing, counts.running), (2, 1, 1));
    assert_eq!((counts + counts).total, 4);
}
