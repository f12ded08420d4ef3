//! Objects for tests of plans and of the engine.

use crate::domain::authority::Verdict;
use crate::domain::fixture as domain;
use crate::domain::ids::{JobId, RepairId, RunId};
use crate::domain::job::{Job, Parameter, TaskSpec};
use crate::domain::pipeline::{Pipeline, PipelineState, Update, UpdateState};
use crate::domain::run::{Outcome, Repair, Run, RunState, Spent, TaskRun};
use crate::domain::ulid::Ulid;
use crate::domain::workspace::{Environment, Workspace};
use crate::operations::journal::Actor;
use crate::operations::needs::Rights;
use crate::operations::plan::OperationId;
use crate::operations::planning::{Access, Planning};

static PROD: std::sync::LazyLock<Workspace> = std::sync::LazyLock::new(|| domain::workspace(Environment::Prod));

/// Ana plans something in prod, which she has unlocked, on what was read a second ago.
pub(crate) fn planning() -> Planning<'static> {
    Planning {
        id: OperationId(Ulid::new(1_763_790_130_000, 42)),
        actor: Actor("ana@laptop".to_owned()),
        reason: Some("the source was late".to_owned()),
        fleet_hash: "f1ee7".to_owned(),
        now: domain::now(),
        observed_at: domain::now() - chrono::TimeDelta::seconds(1),
        workspace: &PROD,
        product: Some("sales".to_owned()),
        access: Access::Open,
        has_ledger: false,
        off: Vec::new(),
        rights: Rights {
            who: "ana@example.com".to_owned(),
            needed: "CAN_MANAGE_RUN on job 11".to_owned(),
            verdict: Verdict::Allowed { by: "CAN_MANAGE_RUN of oncall".to_owned() },
        },
        in_hand: &[],
        late_bound_s: 90,
    }
}

/// The same on old knowledge in a workspace that is locked.
pub(crate) fn forbidden() -> Planning<'static> {
    let observed_at = domain::now() - chrono::TimeDelta::seconds(31);
    Planning { access: Access::Locked, observed_at, ..planning() }
}

/// A job of two tasks.
pub(crate) fn job() -> Job {
    let task = |key: &str, depends_on: &[&str]| TaskSpec {
        key: key.to_owned(),
        depends_on: depends_on.iter().map(|key| (*key).to_owned()).collect(),
        kind: "notebook".to_owned(),
        pipeline: None,
    };
    let parameter = |name: &str| Parameter { name: name.to_owned(), default: "usual".to_owned() };
    let parameters = vec![parameter("day"), parameter("region")];
    Job { tasks: vec![task("extract", &[]), task("load", &["extract"])], parameters, ..domain::job(11, "orders_daily") }
}

fn task(id: u64, key: &str, state: RunState) -> TaskRun {
    TaskRun {
        id: RunId(id),
        key: key.to_owned(),
        attempt: 0,
        depends_on: Vec::new(),
        kind: "notebook".to_owned(),
        state,
        message: String::new(),
        started_at: None,
        ended_at: None,
        spent: Spent::default(),
    }
}

/// A run whose second task runs.
pub(crate) fn active_run() -> Run {
    let mut run = Run::clone(&domain::run(501, RunState::Running, 10, 10));
    (run.job, run.name) = (JobId(11), "orders_daily".to_owned());
    run.tasks = vec![task(502, "extract", domain::OK), task(503, "load", RunState::Running)];
    run
}

/// A run whose second task failed.
pub(crate) fn failed_run() -> Run {
    let mut run = Run::clone(&domain::run(501, RunState::Ended(Outcome::Failed), 10, 5));
    (run.job, run.name) = (JobId(11), "orders_daily".to_owned());
    run.tasks = vec![task(502, "extract", domain::OK), task(503, "load", domain::FAILED)];
    run
}

/// The same after a repair that failed too.
pub(crate) fn repaired_run() -> Run {
    let mut run = failed_run();
    run.repairs = vec![Repair { id: RepairId(77), started_at: None, ended_at: None, state: domain::FAILED }];
    run
}

/// A pipeline at rest.
pub(crate) fn idle_pipeline() -> Pipeline {
    let mut pipeline = domain::pipeline("6f-1", PipelineState::Idle, false);
    pipeline.updates[0].state = UpdateState::Completed;
    pipeline
}

/// A pipeline with an update under way.
pub(crate) fn running_pipeline() -> Pipeline {
    let mut pipeline = domain::pipeline("6f-1", PipelineState::Running, false);
    let update = Update { id: "u-2".into(), state: UpdateState::Running, ..pipeline.updates[0].clone() };
    pipeline.updates[0].state = UpdateState::Completed;
    pipeline.updates.insert(0, update);
    pipeline
}
