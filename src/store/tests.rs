//! The store as two processes, a later version and a broken disk would meet it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Error, Store, schema};
use crate::domain::Instant;
use crate::domain::fleet::PAST_CELLS;
use crate::domain::ids::{JobId, RunId};
use crate::domain::job::{Cadence, Job};
use crate::domain::pipeline::{Backlog, Pipeline, PipelineState};
use crate::domain::run::{Outcome, Run, RunState, Spent, TaskRun};
use crate::domain::snapshot::{
    EventsReading, FailureNote, JobWatch, LagSample, PipelineWatch, RunDetail, Section, WorkspaceSnapshot,
};
use crate::domain::workspace::{Environment, Workspace};

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state/lakeshift.db")
    }

    fn open(&self) -> Store {
        let opened = Store::open(&self.path(), "now").expect("opens");
        assert_eq!(opened.set_aside, None);
        opened.store
    }
}

fn at(s: i64) -> Instant {
    Instant::from_timestamp(1_772_400_000 + s, 0).expect("an instant")
}

fn workspace() -> Workspace {
    Workspace { name: "prod".into(), environment: Environment::Prod, letter: 'P', host: "http://127.0.0.1:1".into() }
}

fn job(id: u64) -> Job {
    Job {
        id: JobId(id),
        name: format!("job {id}"),
        tags: BTreeMap::from([("tier".into(), "1".into())]),
        creator: None,
        created_at: Some(at(-9)),
        cadence: Cadence::Continuous { paused: true },
        max_concurrent_runs: 1,
        queues: true,
        timeout_s: 60,
        tasks: Vec::new(),
        parameters: Vec::new(),
    }
}

fn run(id: u64, job: u64, state: RunState, started: i64) -> Arc<Run> {
    Arc::new(Run {
        id: RunId(id),
        job: JobId(job),
        name: "close".into(),
        ended_at: (!state.is_active()).then(|| at(started + 60)),
        state,
        message: "said\u{1b}[31m".into(),
        trigger: "PERIODIC".into(),
        creator: Some("ana@example.com".into()),
        started_at: Some(at(started)),
        spent: Spent { queued_ms: 1, setup_ms: 2, execution_ms: 3, cleanup_ms: 4 },
        run_ms: 10,
        attempt: 1,
        page_url: Some("https://x/1".into()),
        parameters: vec![("day".into(), "2026-03-01".into())],
        repairs: Vec::new(),
        tasks: Vec::new(),
    })
}

fn pipeline(id: &str) -> Pipeline {
    Pipeline {
        id: id.into(),
        name: "orders".into(),
        state: PipelineState::Running,
        healthy: true,
        cause: None,
        continuous: Some(true),
        target: Some("sales.gold".into()),
        channel: None,
        development: Some(false),
        tags: BTreeMap::new(),
        creator: None,
        run_as: None,
        updates: Vec::new(),
    }
}

fn lag(s: i64, records: u64) -> LagSample {
    LagSample { at: at(s), backlog: Backlog { records: Some(records), seconds: Some(1.5), ..Backlog::default() } }
}

fn section<T>(value: Vec<T>) -> Section<Arc<Vec<T>>> {
    Section { value: Some(Arc::new(value)), observed_at: Some(at(0)), ..Section::default() }
}

fn snapshot() -> WorkspaceSnapshot {
    let failed = run(11, 1, RunState::Ended(Outcome::Failed), 100);
    let note = FailureNote { run: RunId(11), task: "load".into(), error: "boom".into() };
    WorkspaceSnapshot {
        clock_offset_ms: 5_000,
        jobs: section(vec![
            JobWatch {
                job: Arc::new(job(1)),
                runs: vec![failed, run(10, 1, RunState::Ended(Outcome::Succeeded), 0)],
                history_read: true,
                failure: Some(note),
            },
            JobWatch {
                job: Arc::new(job(2)),
                runs: vec![run(20, 2, RunState::Running, 50)],
                history_read: true,
                failure: None,
            },
        ]),
        pipelines: section(vec![PipelineWatch {
            pipeline: Arc::new(pipeline("p-1")),
            flows: Vec::new(),
            lag: vec![lag(0, 5), lag(15, 9)],
            events: EventsReading::default(),
        }]),
        ..WorkspaceSnapshot::unknown(workspace())
    }
}

fn as_cached(mut snapshot: WorkspaceSnapshot) -> WorkspaceSnapshot {
    snapshot.jobs.cached = true;
    snapshot.pipelines.cached = true;
    snapshot
}

#[test]
fn what_was_written_comes_back_marked_as_cached() {
    let folder = Folder::new();
    folder.open().record(&snapshot(), None).expect("writes");
    let loaded = folder.open().load(&workspace()).expect("reads").expect("it was seen");
    assert_eq!(loaded, as_cached(snapshot()));
}

#[test]
fn a_job_whose_older_runs_were_not_asked_for_comes_back_so() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut first = snapshot();
    let mut jobs = first.jobs.value.as_deref().cloned().expect("jobs");
    jobs[1].history_read = false;
    first.jobs = section(jobs);
    store.record(&first, None).expect("writes");
    let read = |store: &Store| {
        let jobs = store.load(&workspace()).expect("reads").expect("seen").jobs.value.expect("jobs");
        jobs.iter().map(|watch| watch.history_read).collect::<Vec<_>>()
    };
    assert_eq!(read(&store), [true, false], "one run of it is known, and nobody asked for more");
    store.record(&snapshot(), Some(&first)).expect("writes");
    assert_eq!(read(&store), [true, true]);
}

#[test]
fn a_name_that_moved_to_another_host_starts_empty() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.record(&snapshot(), None).expect("writes");
    let moved = Workspace { host: "http://127.0.0.1:2".into(), ..workspace() };
    assert_eq!(store.load(&moved).expect("reads"), None);
}

#[test]
fn only_changes_are_written() {
    let folder = Folder::new();
    let mut store = folder.open();
    let first = snapshot();
    assert!(store.record(&first, None).expect("writes").rows > 5);
    assert_eq!(store.record(&first, Some(&first)).expect("writes").rows, 0);
    let mut second = first.clone();
    let mut jobs = first.jobs.value.as_deref().cloned().expect("jobs");
    jobs[1].runs[0] = run(20, 2, RunState::Ended(Outcome::Canceled), 50);
    second.jobs = section(jobs);
    assert_eq!(store.record(&second, Some(&first)).expect("writes").rows, 1);
    let loaded = store.load(&workspace()).expect("reads").expect("seen");
    assert_eq!(loaded.jobs.value, second.jobs.value);
}

/// How many steps SQLite's machine takes to read the picture of a store that keeps so many runs of a job, and how many of
/// them the picture holds. Counted rather than timed: the first frame waits for exactly this.
fn steps_to_load(kept: u64) -> (usize, usize) {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut picture = snapshot();
    let runs: Vec<_> = (0..kept)
        .rev()
        .map(|id| run(100 + id, 2, RunState::Ended(Outcome::Succeeded), i64::try_from(id).expect("small")))
        .collect();
    let detail = RunDetail { run: (*runs[0]).clone(), recent: runs.clone(), job: None, failure: None, interval_s: 30 };
    let watch = JobWatch { job: Arc::new(job(2)), runs, history_read: true, failure: None };
    picture.jobs = section(vec![watch]);
    store.record(&picture, None).expect("writes");
    store.record_detail(&workspace().name, &detail).expect("writes");
    let steps = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = steps.clone();
    let count = move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    store.connection.progress_handler(1, Some(count)).expect("counts");
    let loaded = store.load(&workspace()).expect("reads").expect("it was seen");
    let jobs = loaded.jobs.value.expect("jobs");
    (steps.load(std::sync::atomic::Ordering::Relaxed), jobs[0].runs.len())
}

#[test]
fn the_first_frame_waits_for_what_it_draws_and_not_for_all_that_is_kept() {
    let (few, drawn) = steps_to_load(PAST_CELLS as u64 + 1);
    assert_eq!(drawn, PAST_CELLS + 1);
    assert!(few > drawn, "{few} steps were counted");
    assert_eq!(steps_to_load(500), (few, drawn));
}

#[test]
fn a_statement_is_planned_once_however_often_it_is_asked() {
    let folder = Folder::new();
    let store = folder.open();
    let mut read = store.connection.prepare("SELECT name FROM runs WHERE workspace = ?1 AND job = ?2").expect("reads");
    for job in 0..50 {
        assert!(!read.exists(rusqlite::params!["prod", job]).expect("reads"));
    }
    assert_eq!(read.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn a_store_of_the_present_format_is_opened_without_a_write() {
    let folder = Folder::new();
    let mut store = folder.open();
    let writing = store.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("begins");
    // Another process holds the write lock; one that only starts does not wait for it.
    folder.open();
    writing.commit().expect("ends");
}

#[test]
fn settings_are_kept_as_they_change_and_gone_jobs_are_not_shown() {
    let folder = Folder::new();
    let mut store = folder.open();
    let first = snapshot();
    store.record(&first, None).expect("writes");
    let mut jobs = first.jobs.value.as_deref().cloned().expect("jobs");
    jobs.pop();
    jobs[0].job = Arc::new(Job { timeout_s: 99, ..job(1) });
    let mut second = WorkspaceSnapshot { jobs: section(jobs), ..first.clone() };
    second.jobs.observed_at = Some(at(300));
    store.record(&second, Some(&first)).expect("writes");
    let kept: i64 = store
        .connection
        .query_row("SELECT count(*) FROM settings WHERE object = 'job 1'", [], |row| row.get(0))
        .expect("counts");
    assert_eq!(kept, 2);
    let loaded = store.load(&workspace()).expect("reads").expect("seen");
    assert_eq!(loaded.jobs.value.as_ref().map(|jobs| jobs.len()), Some(1));
    assert_eq!(loaded.jobs.observed_at, Some(at(300)));
}

#[test]
fn two_processes_share_the_file() {
    let folder = Folder::new();
    let (mut one, mut other) = (folder.open(), folder.open());
    one.record(&snapshot(), None).expect("writes");
    other.record(&snapshot(), None).expect("writes");
    let writers: Vec<_> = (0..4u64)
        .map(|n| {
            let mut store = folder.open();
            std::thread::spawn(move || {
                for round in 0..20 {
                    let mut mine = snapshot();
                    let runs = vec![run(1_000 + n * 100 + round, 1, RunState::Running, 500)];
                    mine.jobs =
                        section(vec![JobWatch { job: Arc::new(job(1)), runs, history_read: true, failure: None }]);
                    store.record(&mine, None).expect("writes, having waited its turn");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("no writer fails");
    }
    let runs: i64 = one.connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).expect("counts");
    assert_eq!(runs, 3 + 80);
}

#[test]
fn a_file_that_is_no_database_is_set_aside_and_told() {
    let folder = Folder::new();
    drop(folder.open());
    let garbage = "this is no database, but it may be somebody's only copy. ".repeat(200);
    std::fs::write(folder.path(), &garbage).expect("writes");
    let opened = Store::open(&folder.path(), "20260301T120000Z").expect("opens anew");
    let aside = opened.set_aside.expect("it is told");
    assert!(aside.ends_with("lakeshift.db.unreadable-20260301T120000Z"), "{aside:?}");
    assert_eq!(std::fs::read_to_string(aside).expect("kept"), garbage);
    assert_eq!(opened.store.load(&workspace()).expect("reads"), None);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    let newer = i64::try_from(schema::STEPS.len()).expect("small") + 1;
    folder.open().connection.pragma_update(None, "user_version", newer).expect("set");
    let error = Store::open(&folder.path(), "now").expect_err("refused");
    assert!(matches!(error, Error::Newer { found, .. } if found == newer), "{error}");
    assert!(error.to_string().contains("update lakeshift"), "{error}");
}

#[test]
fn another_programs_file_is_left_alone() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().parent().expect("a parent")).expect("made");
    let other = rusqlite::Connection::open(folder.path()).expect("opens");
    other.execute_batch("CREATE TABLE precious (x)").expect("made");
    let error = Store::open(&folder.path(), "now").expect_err("refused");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mut store = folder.open();
    store.record(&snapshot(), None).expect("writes");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("exists").permissions().mode() & 0o777;
    assert_eq!(mode(folder.path().parent().expect("a parent")), 0o700);
    assert_eq!(mode(&folder.path()), 0o600);
    assert_eq!(mode(&folder.path().with_extension("db-wal")), 0o600);
}

#[test]
fn old_rows_go_but_each_job_keeps_its_last_runs() {
    let folder = Folder::new();
    let mut store = folder.open();
    let day = 86_400;
    let mut first = snapshot();
    let old = run(5, 2, RunState::Ended(Outcome::Succeeded), -100 * day);
    let many = (0..40)
        .map(|n| run(100 + n, 1, RunState::Ended(Outcome::Succeeded), -90 * day + i64::try_from(n).expect("small")));
    first.jobs = section(vec![
        JobWatch { job: Arc::new(job(1)), runs: many.collect(), history_read: true, failure: None },
        JobWatch { job: Arc::new(job(2)), runs: vec![old], history_read: true, failure: None },
    ]);
    store.record(&first, None).expect("writes");
    store.prune(at(60 * day)).expect("prunes");
    let count = |sql: &str| store.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("counts");
    assert_eq!(count("SELECT count(*) FROM runs WHERE job = 2"), 1);
    assert_eq!(count("SELECT count(*) FROM runs WHERE job = 1"), 30);
    assert_eq!(count("SELECT min(run) FROM runs WHERE job = 1"), 110, "the oldest go");
    assert_eq!(count("SELECT count(*) FROM samples"), 0);
}

#[test]
fn tasks_of_a_run_are_kept() {
    let folder = Folder::new();
    let mut store = folder.open();
    let task = TaskRun {
        id: RunId(77),
        key: "load".into(),
        attempt: 0,
        depends_on: vec!["extract".into()],
        kind: "notebook".into(),
        state: RunState::Ended(Outcome::Failed),
        message: String::new(),
        started_at: Some(at(1)),
        ended_at: Some(at(2)),
        spent: Spent::default(),
    };
    let whole = Run { tasks: vec![task], ..(*run(10, 1, RunState::Ended(Outcome::Failed), 0)).clone() };
    let detail = RunDetail { run: whole, recent: Vec::new(), job: None, failure: None, interval_s: 30 };
    assert_eq!(store.record_detail(&"prod".into(), &detail).expect("writes").rows, 1);
    let outcome: String = store
        .connection
        .query_row("SELECT outcome FROM tasks WHERE task = 'load' AND run = 10", [], |row| row.get(0))
        .expect("reads");
    assert_eq!(outcome, "failed");
}
