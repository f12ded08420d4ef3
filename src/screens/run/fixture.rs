//! A run for tests: four tasks, the third of which failed twice, and eleven runs before it.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::fixture::{FAILED, OK, job, now, run};
use crate::domain::ids::{JobId, RepairId, RunId};
use crate::domain::job::{Cadence, TaskSpec};
use crate::domain::run::{Outcome, Output, Repair, Run, RunState, Spent, TaskRun};
use crate::domain::snapshot::RunDetail;

/// The task run that failed first.
pub(crate) const FAILED_TASK: RunId = RunId(918_273_703);

fn ago(minutes: i64) -> Instant {
    now() - TimeDelta::minutes(minutes)
}

/// A task's run that began so many minutes ago and took so many.
pub(crate) fn task(
    id: u64,
    key: &str,
    depends_on: &[&str],
    state: RunState,
    minutes_ago: i64,
    minutes: i64,
) -> TaskRun {
    let started = !matches!(state, RunState::Blocked | RunState::Ended(Outcome::UpstreamFailed));
    let ended = started && !state.is_active();
    TaskRun {
        id: RunId(id),
        key: key.to_owned(),
        attempt: 0,
        depends_on: depends_on.iter().map(|key| (*key).to_owned()).collect(),
        kind: "notebook".to_owned(),
        state,
        message: String::new(),
        started_at: started.then(|| ago(minutes_ago)),
        ended_at: ended.then(|| ago(minutes_ago - minutes)),
        spent: Spent { queued_ms: 30_000, setup_ms: 120_000, execution_ms: 0, cleanup_ms: 30_000 },
    }
}

fn past(at: u64) -> Arc<Run> {
    let minutes_ago = 53 + 1_440 * i64::try_from(at).expect("small");
    let mut past = Run::clone(&run(918_270_000 - at, if at == 5 { FAILED } else { OK }, minutes_ago, 26));
    past.job = JobId(11);
    let last = if at == 5 { RunState::Ended(Outcome::UpstreamFailed) } else { OK };
    past.tasks = vec![
        task(at * 10 + 1, "extract_gl", &[], OK, minutes_ago, 6),
        task(at * 10 + 2, "extract_ap", &[], OK, minutes_ago, 4),
        task(at * 10 + 3, "reconcile_gl", &["extract_gl", "extract_ap"], past.state.clone(), minutes_ago - 6, 18),
        task(at * 10 + 4, "publish", &["reconcile_gl"], last, minutes_ago - 24, 2),
    ];
    if at > 8 {
        past.tasks.remove(1);
    }
    Arc::new(past)
}

/// What the failed task left behind, with what a hostile one might add.
pub(crate) fn output() -> Output {
    let frames: Vec<String> =
        (1..60).map(|at| format!("  File \"/Workspace/finance/reconcile_gl.py\", line {at}, in step_{at}")).collect();
    Output {
        error: Some(
            "AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name \
             `gl_period` cannot be resolved. Did you mean one of the following? [`gl_prd`, `gl_account`]\nSQLSTATE: 42703"
                .to_owned(),
        ),
        trace: Some(format!(
            "\u{1b}[0;31m---------------------------------------------------------------------------\u{1b}[0m\n\
             \u{1b}[0;31mAnalysisException\u{1b}[0m                         Traceback (most recent call last)\n{}\n\
             \u{1b}]0;owned\u{7}AnalysisException: `gl_period`",
            frames.join("\n")
        )),
        ..Output::default()
    }
}

/// The failed run with those around it.
pub(crate) fn failed() -> RunDetail {
    let mut newest = Run::clone(&run(918_273_645, FAILED, 53, 41));
    newest.job = JobId(11);
    newest.parameters = vec![("business_date".to_owned(), "2026-11-21".to_owned())];
    newest.repairs =
        vec![Repair { id: RepairId(7_001), started_at: Some(ago(20)), ended_at: Some(ago(12)), state: FAILED }];
    newest.creator = Some("svc-finance@example.com".to_owned());
    newest.tasks = vec![
        task(918_273_704, "publish", &["reconcile_gl"], RunState::Ended(Outcome::UpstreamFailed), 0, 0),
        task(918_273_701, "extract_gl", &[], OK, 53, 6),
        task(918_273_702, "extract_ap", &[], OK, 53, 4),
        task(918_273_699, "reconcile_gl", &["extract_gl", "extract_ap"], FAILED, 46, 22),
        TaskRun { attempt: 1, ..task(FAILED_TASK.0, "reconcile_gl", &["extract_gl", "extract_ap"], FAILED, 20, 8) },
    ];
    let mut definition = job(1, "finance_close_daily");
    definition.cadence =
        Cadence::Cron { expression: "0 5 5 * * ?".to_owned(), zone: "America/New_York".to_owned(), paused: false };
    definition.tasks = vec![TaskSpec {
        key: "publish".to_owned(),
        depends_on: vec!["reconcile_gl".to_owned()],
        kind: "pipeline".to_owned(),
        pipeline: Some("p1".into()),
    }];
    RunDetail {
        run: newest,
        recent: (1..12).map(past).collect(),
        job: Some(Arc::new(definition)),
        failure: Some((FAILED_TASK, output())),
        interval_s: 30,
    }
}

/// The same job while it runs: one task done, one running, one waiting for compute, one for its upstream.
pub(crate) fn running() -> RunDetail {
    let mut detail = failed();
    detail.failure = None;
    detail.interval_s = 5;
    detail.run = Run::clone(&run(918_273_646, RunState::Running, 12, 0));
    detail.run.job = JobId(11);
    detail.run.tasks = vec![
        task(21, "extract_gl", &[], OK, 12, 6),
        task(22, "extract_ap", &[], RunState::Running, 12, 0),
        task(23, "reconcile_gl", &["extract_gl"], RunState::Pending, 6, 0),
        task(24, "publish", &["reconcile_gl"], RunState::Blocked, 0, 0),
    ];
    detail.recent.insert(0, Arc::new(failed().run));
    detail
}
