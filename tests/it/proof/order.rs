//! What is ordered in a run: the plan of each deed, made on what the platform tells, and what a colleague does meanwhile by
//! other means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lakeshift::databricks::Client;
use lakeshift::domain::authority::Verdict;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::ids::{JobId, RunId};
use lakeshift::domain::ulid::Ulid;
use lakeshift::domain::workspace::Environment;
use lakeshift::operations::needs::Rights;
use lakeshift::operations::plan::{OperationId, Plan};
use lakeshift::operations::planning::{Access, Planning, token};
use lakeshift::operations::step::Step;
use lakeshift::operations::{cancel, pipeline, repair, run_now};
use lakeshift::sim::world::pipeline::StartUpdate;
use lakeshift::sim::world::principal::Principal;
use lakeshift::sim::world::{RepairRun, RunNow, RunsFilter, World};

use super::bugs::Bug;
use super::matrix::Deed;
use super::process::Home;
use super::stage::Stage;

/// The waves of a plan of several steps: an update and a run at once, then another run, then the end of a stream.
pub(super) const WAVES: [u32; 4] = [0, 0, 1, 2];

/// How late a request can take effect, as plans are told.
const LATE_BOUND_S: u32 = 90;

/// Makes the plan on what the platform tells, as the program does.
pub(super) async fn plan(stage: &Arc<Stage>, home: &Home, bug: Bug) -> Plan {
    let client = home.client(stage, None, false);
    let now = home.clock.now();
    let planning = Planning {
        id: OperationId(Ulid::new(u64::try_from(now.timestamp_millis()).unwrap(), 1)),
        actor: home.actor(),
        reason: Some("the proof".to_owned()),
        fleet_hash: "f1ee7".to_owned(),
        now,
        observed_at: now,
        workspace: &stage.workspace,
        product: None,
        access: Access::Open,
        has_ledger: stage.ledger.is_some(),
        rights: Rights {
            who: "ana@example.com".to_owned(),
            needed: "nothing".to_owned(),
            verdict: Verdict::Unknown { why: "not asked".to_owned() },
        },
        in_hand: &[],
        off: Vec::new(),
        late_bound_s: LATE_BOUND_S,
    };
    let world = |look: &dyn Fn(&mut World) -> u64| stage.embedded.with_world(|world| look(world));
    let planned = match stage.cell.deed {
        Deed::RunNow | Deed::UndoRun => {
            let job = JobId(world(&|world| job_named(world, "gift_cards")));
            let job = client.job(job).await.unwrap();
            let order = run_now::Order { job: &job, active_runs: 0, parameters: BTreeMap::new(), only: Vec::new() };
            run_now::plan(&planning, &order)
        }
        Deed::Cancel => {
            let run = world(&|world| {
                let (bo, job_id) = (colleague(world), job_named(world, "orders_reconciliation"));
                world.run_now(Environment::Prod, &bo, RunNow { job_id, ..RunNow::default() }).unwrap()
            });
            tokio::time::sleep(Duration::from_secs(30)).await;
            cancel::plan(&planning, &client.run(RunId(run)).await.unwrap())
        }
        Deed::Repair | Deed::UndoRepair => {
            let run = world(&failed_run);
            let run = client.run(RunId(run)).await.unwrap();
            repair::plan(&planning, &repair::Order { run: &run, tasks: Vec::new(), dependents: false })
        }
        Deed::Start | Deed::UndoStart => {
            let pipeline = client.pipeline(&pipeline_named(stage, "returns_flow").as_str().into()).await.unwrap();
            let order = pipeline::Start { pipeline: &pipeline, validate_only: false, tables: Vec::new() };
            pipeline::start(&planning, &order)
        }
        Deed::Stop => {
            let pipeline = client.pipeline(&pipeline_named(stage, "orders_green").as_str().into()).await.unwrap();
            pipeline::stop(&planning, &pipeline)
        }
        Deed::Together | Deed::Next | Deed::UndoOne => Ok(several(stage, &client, &planning).await),
    };
    let mut plan = planned.unwrap();
    plan.tier = stage.tier;
    bug.spoil(&mut plan);
    plan
}

/// A plan of several steps, put together from those of the kinds.
async fn several(stage: &Stage, client: &Client, planning: &Planning<'_>) -> Plan {
    let job = async |name: &str| {
        let job = JobId(stage.embedded.with_world(|world| job_named(world, name)));
        client.job(job).await.unwrap()
    };
    let (gift_cards, orders) = (job("gift_cards").await, job("orders_reconciliation").await);
    let run = |job| {
        let order = run_now::Order { job, active_runs: 0, parameters: BTreeMap::new(), only: Vec::new() };
        run_now::plan(planning, &order).unwrap()
    };
    let returns = client.pipeline(&pipeline_named(stage, "returns_flow").as_str().into()).await.unwrap();
    let green = client.pipeline(&pipeline_named(stage, "orders_green").as_str().into()).await.unwrap();
    let start = pipeline::Start { pipeline: &returns, validate_only: false, tables: Vec::new() };
    let start = pipeline::start(planning, &start).unwrap();
    let (first, next, stop) = (run(&gift_cards), run(&orders), pipeline::stop(planning, &green).unwrap());
    let steps = [&start, &first, &next, &stop].into_iter().zip(WAVES).enumerate().map(|(index, (plan, wave))| {
        let step = plan.steps[0].clone();
        Step { wave, token: step.token.as_ref().map(|_| token(planning.id, index)), ..step }
    });
    Plan { steps: steps.collect(), ..first.clone() }
}

fn pipeline_named(stage: &Stage, name: &str) -> String {
    let views = stage.embedded.with_world(|world| world.pipelines(Environment::Prod));
    views.into_iter().find(|view| view.pipeline.spec.name == name).unwrap().pipeline.pipeline_id
}

/// A colleague works on the same object by other means.
pub(super) fn meddle(stage: &Stage, operation: OperationId) {
    let chance = &stage.chance;
    let deed = match stage.cell.deed {
        deed if deed.is_of_several() => chance.pick(&[Deed::RunNow, Deed::Start, Deed::Stop]),
        deed => deed,
    };
    let more = chance.percent(50);
    let (green, returns) = (pipeline_named(stage, "orders_green"), pipeline_named(stage, "returns_flow"));
    stage.embedded.with_world(|world| {
        let bo = colleague(world);
        let run_id = match deed {
            Deed::RunNow | Deed::UndoRun => {
                let job_id = job_named(world, "gift_cards");
                let _ = world.run_now(Environment::Prod, &bo, RunNow { job_id, ..RunNow::default() });
                return;
            }
            Deed::Repair | Deed::UndoRepair => failed_run(world),
            Deed::Cancel => newest_run(world, "orders_reconciliation"),
            Deed::Start | Deed::UndoStart => {
                if more {
                    let _ = world.stop_pipeline(Environment::Prod, &returns);
                }
                let _ = world.start_update(Environment::Prod, &bo, &returns, StartUpdate::default());
                return;
            }
            Deed::Stop | Deed::Together | Deed::Next | Deed::UndoOne => {
                let _ = world.stop_pipeline(Environment::Prod, &green);
                return;
            }
        };
        let run = world.run(Environment::Prod, run_id).unwrap();
        if run.phase.is_active() {
            let _ = world.cancel_run(Environment::Prod, run_id);
        } else {
            let latest_repair_id = run.repair_history.iter().rev().find_map(|repair| repair.id);
            let order = RepairRun { run_id, rerun_all_failed_tasks: true, latest_repair_id, ..RepairRun::default() };
            let _ = world.repair_run(Environment::Prod, &order);
        }
    });
    stage.judge().cases.get_mut(&operation).unwrap().foreign = true;
}

/// A colleague starts again what was ended, so that a request that comes after the end does harm.
pub(super) fn restart(stage: &Stage) {
    let (green, returns) = (pipeline_named(stage, "orders_green"), pipeline_named(stage, "returns_flow"));
    stage.embedded.with_world(|world| {
        let bo = colleague(world);
        match stage.cell.deed {
            Deed::Cancel => repair_again(world, "orders_reconciliation"),
            Deed::Repair | Deed::UndoRepair => repair_again(world, "invoice_ageing"),
            Deed::Stop => drop(world.start_update(Environment::Prod, &bo, &green, StartUpdate::default())),
            Deed::Start | Deed::UndoStart => {
                drop(world.start_update(Environment::Prod, &bo, &returns, StartUpdate::default()));
            }
            Deed::Together | Deed::Next | Deed::UndoOne => {
                drop(world.start_update(Environment::Prod, &bo, &green, StartUpdate::default()));
                drop(world.start_update(Environment::Prod, &bo, &returns, StartUpdate::default()));
            }
            Deed::RunNow | Deed::UndoRun => {}
        }
    });
}

/// Repairs the newest run of a job, if it is over.
fn repair_again(world: &mut World, job: &str) {
    let run_id = newest_run(world, job);
    let run = world.run(Environment::Prod, run_id).unwrap();
    let latest_repair_id = run.repair_history.iter().rev().find_map(|repair| repair.id);
    let order = RepairRun { run_id, rerun_all_failed_tasks: true, latest_repair_id, ..RepairRun::default() };
    let _ = world.repair_run(Environment::Prod, &order);
}

fn job_named(world: &World, name: &str) -> u64 {
    world.jobs(Environment::Prod).into_iter().find(|job| job.settings.name == name).unwrap().job_id
}

fn colleague(world: &World) -> Principal {
    world.principals().iter().find(|who| who.role == "operator2").unwrap().clone()
}

/// The newest run of a job.
fn newest_run(world: &World, job: &str) -> u64 {
    let filter = RunsFilter { job_id: Some(job_named(world, job)), ..RunsFilter::default() };
    world.runs(Environment::Prod, &filter, None, 1).runs[0].run_id
}

/// The run that failed before the world began.
fn failed_run(world: &mut World) -> u64 {
    newest_run(world, "invoice_ageing")
}
