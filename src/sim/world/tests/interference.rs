//! Orders: what people and programs do to runs and jobs, and what the world refuses.

use std::sync::Arc;

use crate::sim::world::job::{JobSettings, QueueSettings};
use crate::sim::world::principal::{Level, Object};
use crate::sim::world::refusal::Refusal;
use crate::sim::world::state::{Ending, Phase};
use crate::sim::world::time::{HOUR, MINUTE, SECOND, after};
use crate::sim::world::{RepairRun, RunNow};

use super::*;

const PROD: Environment = Environment::Prod;

fn launch(world: &mut World, name: &str) -> u64 {
    let order = RunNow { job_id: job_id(world, name), ..RunNow::default() };
    let who = operator(world);
    world.run_now(PROD, &who, order).expect("launches")
}

fn phase(world: &World, run_id: u64) -> Phase {
    world.run(PROD, run_id).expect("is there").phase
}

fn wait(world: &mut World, run_id: u64) -> Run {
    for _ in 0..600 {
        if !phase(world, run_id).is_active() {
            break;
        }
        world.advance_to(after(world.now(), MINUTE));
    }
    world.run(PROD, run_id).expect("is there")
}

/// The finance run that the incident broke, after it failed.
fn broken(world: &mut World) -> Run {
    world.advance_to(after(start(), 2 * MINUTE));
    let filter = RunsFilter {
        job_id: Some(job_id(world, "finance_close_daily")),
        completed_only: true,
        ..RunsFilter::default()
    };
    world.runs(PROD, &filter, None, 1).runs.remove(0)
}

#[test]
fn a_run_goes_through_its_phases() {
    let mut world = world("calm");
    let run_id = launch(&mut world, "vendor_payments");
    let mut phases = vec![phase(&world, run_id)];
    for _ in 0..7_200 {
        world.advance_to(after(world.now(), SECOND));
        let now = phase(&world, run_id);
        if phases.last() != Some(&now) {
            phases.push(now);
        }
    }
    // It has its slot from the first: it was never queued.
    assert_eq!(phases, [Phase::Pending, Phase::Running, Phase::Terminating, Phase::Ended(Ending::Success)]);
}

#[test]
fn a_token_stands_for_one_run() {
    let mut world = world("calm");
    let who = operator(&world);
    let order = RunNow {
        job_id: job_id(&world, "nps_rollup"),
        idempotency_token: Some("once".to_owned()),
        ..RunNow::default()
    };
    let first = world.run_now(PROD, &who, order.clone()).expect("launches");
    world.advance_to(after(start(), HOUR));
    let changed = RunNow { job_parameters: [("as_of".to_owned(), "x".to_owned())].into(), ..order.clone() };
    assert_eq!(world.run_now(PROD, &who, changed), Ok(first));
    let other = RunNow { idempotency_token: Some("twice".to_owned()), ..order.clone() };
    assert_ne!(world.run_now(PROD, &who, other), Ok(first));
    let long = RunNow { idempotency_token: Some("x".repeat(65)), ..order };
    assert!(matches!(world.run_now(PROD, &who, long), Err(Refusal::Invalid(_))));
}

#[test]
fn orders_that_name_what_is_not_there_are_refused() {
    let mut world = world("calm");
    let who = operator(&world);
    let id = job_id(&world, "nps_rollup");
    let missing = RunNow { job_id: 11, ..RunNow::default() };
    assert_eq!(world.run_now(PROD, &who, missing), Err(Refusal::NoSuchJob(11)));
    let task = RunNow { job_id: id, only: vec!["nope".to_owned()], ..RunNow::default() };
    assert!(matches!(world.run_now(PROD, &who, task), Err(Refusal::Invalid(_))));
    let parameter =
        RunNow { job_id: id, job_parameters: [("nope".to_owned(), String::new())].into(), ..RunNow::default() };
    assert!(matches!(world.run_now(PROD, &who, parameter), Err(Refusal::Invalid(_))));
    assert_eq!(world.cancel_run(PROD, 12), Err(Refusal::NoSuchRun(12)));
    assert_eq!(world.run(PROD, 13), Err(Refusal::NoSuchRun(13)));
}

#[test]
fn beyond_its_limit_a_job_queues_or_skips_and_the_queue_moves_up() {
    let mut world = world("calm");
    let first = launch(&mut world, "vendor_payments");
    world.advance_to(after(start(), MINUTE));
    let second = launch(&mut world, "vendor_payments");
    let who = operator(&world);
    let order = RunNow { job_id: job_id(&world, "vendor_payments"), queue: Some(false), ..RunNow::default() };
    let skipped = world.run_now(PROD, &who, order).expect("launches");
    world.advance_to(after(start(), 2 * MINUTE));
    assert_eq!(phase(&world, skipped), Phase::Ended(Ending::MaxConcurrentRuns));
    let queued = world.run(PROD, second).expect("is there");
    assert_eq!(queued.phase, Phase::Queued);
    assert_eq!(queued.queue_reason.as_deref(), Some("Queued due to reaching maximum concurrent runs of 1."));
    let first = wait(&mut world, first);
    let second = wait(&mut world, second);
    assert_eq!(second.phase, Phase::Ended(Ending::Success));
    assert!(after(second.start_time, second.spent.queue_ms) >= first.end_time.expect("over"));
}

#[test]
fn a_canceled_run_stops_soon_and_frees_its_slot() {
    let mut world = world("calm");
    let first = launch(&mut world, "vendor_payments");
    let second = launch(&mut world, "vendor_payments");
    world.advance_to(after(start(), 8 * MINUTE));
    world.cancel_run(PROD, first).expect("accepted");
    assert_eq!(phase(&world, first), Phase::Terminating);
    world.advance_to(after(world.now(), 10 * SECOND));
    let run = world.run(PROD, first).expect("is there");
    assert_eq!(run.phase, Phase::Ended(Ending::Canceled));
    assert!(run.tasks.iter().all(|task| !task.phase.is_active()));
    assert!(run.tasks.iter().any(|task| task.phase == Phase::Ended(Ending::Canceled)));
    assert_ne!(phase(&world, second), Phase::Queued);
    world.cancel_run(PROD, first).expect("accepted");
    assert_eq!(world.run(PROD, first).expect("is there"), run, "a run that is over keeps its result");
}

#[test]
fn canceling_all_spares_the_queue_unless_told() {
    let mut world = world("calm");
    let runs: Vec<u64> = (0..3).map(|_| launch(&mut world, "vendor_payments")).collect();
    world.advance_to(after(start(), MINUTE));
    let id = job_id(&world, "vendor_payments");
    world.cancel_all(PROD, Some(id), false).expect("accepted");
    world.advance_to(after(world.now(), 10 * SECOND));
    assert_eq!(phase(&world, runs[0]), Phase::Ended(Ending::Canceled));
    assert!(phase(&world, runs[1]).is_active() && phase(&world, runs[2]).is_active());
    world.cancel_all(PROD, Some(id), true).expect("accepted");
    world.advance_to(after(world.now(), 10 * SECOND));
    assert!(runs.iter().all(|run| phase(&world, *run) == Phase::Ended(Ending::Canceled)));
    assert!(matches!(world.cancel_all(PROD, None, false), Err(Refusal::Invalid(_))));
}

#[test]
fn a_repair_opens_the_run_again_and_keeps_what_succeeded() {
    let mut world = world("incident");
    let run = broken(&mut world);
    world.advance_to(after(start(), 13 * HOUR));
    let order = RepairRun { run_id: run.run_id, rerun_all_failed_tasks: true, ..RepairRun::default() };
    let repair = world.repair_run(PROD, &order).expect("accepted");
    world.advance_to(after(world.now(), 5 * SECOND));
    let open = world.run(PROD, run.run_id).expect("is there");
    assert!(open.phase.is_active() && open.end_time.is_none());
    assert!(matches!(world.repair_run(PROD, &order), Err(Refusal::NotNow(_))), "not while it is active");
    let over = wait(&mut world, run.run_id);
    assert_eq!(over.phase, Phase::Ended(Ending::Success), "the cause is gone by then");
    assert_eq!(over.repair_history.iter().map(|item| item.id).collect::<Vec<_>>(), [None, Some(repair)]);
    assert_eq!(over.repair_history[0].phase, Phase::Ended(Ending::RunFailed));
    let attempts = |key: &str| over.tasks.iter().filter(|task| task.task.task_key == key).count();
    assert_eq!(attempts("extract_gl"), 1, "what succeeded is not repeated");
    assert_eq!(attempts("reconcile_gl"), 3, "two attempts failed, the repair's succeeded");
    assert!(over.run_duration_ms > 12 * HOUR, "the total counts the repair");
}

#[test]
fn a_second_repair_must_name_the_first() {
    let mut world = world("incident");
    let run = broken(&mut world);
    let order = RepairRun { run_id: run.run_id, rerun_tasks: vec!["reconcile_gl".to_owned()], ..RepairRun::default() };
    let first = world.repair_run(PROD, &order).expect("accepted");
    let again = wait(&mut world, run.run_id);
    assert_eq!(again.phase, Phase::Ended(Ending::RunFailed), "the cause is still there");
    assert!(matches!(world.repair_run(PROD, &order), Err(Refusal::Invalid(_))));
    let wrong = RepairRun { latest_repair_id: Some(first + 1), ..order.clone() };
    assert!(matches!(world.repair_run(PROD, &wrong), Err(Refusal::Invalid(_))));
    let right = RepairRun { latest_repair_id: Some(first), ..order.clone() };
    let second = world.repair_run(PROD, &right).expect("accepted");
    assert_ne!(first, second);
    let both = RepairRun { rerun_all_failed_tasks: true, latest_repair_id: Some(second), ..order };
    wait(&mut world, run.run_id);
    assert!(matches!(world.repair_run(PROD, &both), Err(Refusal::Invalid(_))), "one way of choosing, not two");
}

#[test]
fn a_repair_can_be_canceled_and_every_task_says_so() {
    let mut world = world("incident");
    let run = broken(&mut world);
    world.advance_to(after(start(), 13 * HOUR));
    let order = RepairRun { run_id: run.run_id, rerun_all_failed_tasks: true, ..RepairRun::default() };
    world.repair_run(PROD, &order).expect("accepted");
    world.advance_to(after(world.now(), MINUTE));
    world.cancel_run(PROD, run.run_id).expect("accepted");
    world.advance_to(after(world.now(), 10 * SECOND));
    let over = world.run(PROD, run.run_id).expect("is there");
    assert_eq!(over.phase, Phase::Ended(Ending::Canceled));
    for key in ["reconcile_gl", "publish"] {
        let last = over.tasks.iter().rfind(|task| task.task.task_key == key).expect("is there");
        assert_eq!(last.phase, Phase::Ended(Ending::Canceled), "{key}");
    }
}

#[test]
fn a_run_of_history_can_be_repaired_too() {
    let mut world = world("calm");
    let filter = RunsFilter { job_id: Some(job_id(&world, "vendor_payments")), ..RunsFilter::default() };
    let run = world.runs(PROD, &filter, None, 5).runs.remove(3);
    let key = run.tasks[0].task.task_key.clone();
    let order = RepairRun { run_id: run.run_id, rerun_tasks: vec![key], ..RepairRun::default() };
    world.repair_run(PROD, &order).expect("accepted");
    let over = wait(&mut world, run.run_id);
    assert_eq!(over.phase, Phase::Ended(Ending::Success));
    assert_eq!(over.start_time, run.start_time);
    assert_eq!(over.tasks.len(), run.tasks.len() + 1);
    let listed = all_runs(&world, PROD, &RunsFilter { start_time_from: Some(run.start_time), ..filter });
    assert_eq!(listed.iter().filter(|listed| listed.run_id == run.run_id).count(), 1, "and is listed once");
}

#[test]
fn only_the_chosen_tasks_run() {
    let mut world = world("calm");
    let who = operator(&world);
    let id = job_id(&world, "bundle_margins");
    let order = RunNow { job_id: id, only: vec!["+transform".to_owned()], ..RunNow::default() };
    let run_id = world.run_now(PROD, &who, order).expect("launches");
    let run = wait(&mut world, run_id);
    let ran: Vec<&str> = run
        .tasks
        .iter()
        .filter(|task| task.phase == Phase::Ended(Ending::Success))
        .map(|task| task.task.task_key.as_str())
        .collect();
    assert_eq!(ran, ["extract", "transform"]);
}

#[test]
fn a_job_that_calls_a_job_waits_for_it_and_cancels_it() {
    let mut world = world("calm");
    let run_id = launch(&mut world, "customer_360");
    let mut child = None;
    while child.is_none() && phase(&world, run_id).is_active() {
        world.advance_to(after(world.now(), 10 * SECOND));
        child = world.run(PROD, run_id).expect("is there").tasks.iter().find_map(|task| task.child_run_id);
    }
    let child = child.expect("it called");
    let called = world.run(PROD, child).expect("is there");
    assert_eq!(called.run_name, "audience_activation");
    let parent = called.parent_task_run_id.expect("knows its caller");
    assert_eq!(world.task_run(PROD, parent).expect("is there").0.run_id, run_id);
    world.cancel_run(PROD, run_id).expect("accepted");
    world.advance_to(after(world.now(), 15 * SECOND));
    assert_eq!(phase(&world, child), Phase::Ended(Ending::Canceled));
}

fn settings(text: &serde_json::Value) -> JobSettings {
    serde_json::from_value(text.clone()).expect("settings")
}

#[test]
fn a_created_job_runs_by_its_schedule_and_stops_when_deleted() {
    let mut world = world("calm");
    let who = operator(&world);
    let made = settings(&serde_json::json!({
        "name": "mine", "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": "/a"}}],
        "schedule": {"quartz_cron_expression": "0 0/5 * * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
    }));
    let id = world.create_job(PROD, &who, made.clone()).expect("created");
    assert_eq!(*world.job(PROD, id).expect("is there").settings, made);
    assert_eq!(world.level(PROD, &Object::Job(id), &who), Some(Level::Owner));
    let runs = |world: &World| all_runs(world, PROD, &RunsFilter { job_id: Some(id), ..RunsFilter::default() }).len();
    world.advance_to(after(start(), HOUR));
    assert_eq!(runs(&world), 12);
    world.delete_job(PROD, id).expect("deleted");
    assert_eq!(world.job(PROD, id).map(|job| job.job_id), Err(Refusal::NoSuchJob(id)));
    world.advance_to(after(start(), 2 * HOUR));
    assert_eq!(runs(&world), 12);
}

#[test]
fn a_graph_that_makes_no_sense_is_refused() {
    let mut world = world("calm");
    let who = operator(&world);
    let task = |key: &str, on: &str| serde_json::json!({"task_key": key, "depends_on": [{"task_key": on}]});
    for tasks in [
        serde_json::json!([task("a", "b"), task("b", "a")]),
        serde_json::json!([task("a", "ghost")]),
        serde_json::json!([{"task_key": "a"}, {"task_key": "a"}]),
    ] {
        let made = settings(&serde_json::json!({"name": "bad", "tasks": tasks}));
        assert!(matches!(world.create_job(PROD, &who, made), Err(Refusal::Invalid(_))));
    }
    let schedule =
        serde_json::json!({"name": "bad", "schedule": {"quartz_cron_expression": "never", "timezone_id": "UTC"}});
    assert!(matches!(world.create_job(PROD, &who, settings(&schedule)), Err(Refusal::Invalid(_))));
}

#[test]
fn raising_the_limit_lets_the_queue_in() {
    let mut world = world("calm");
    let runs: Vec<u64> = (0..2).map(|_| launch(&mut world, "vendor_payments")).collect();
    let id = job_id(&world, "vendor_payments");
    let mut wider = JobSettings::clone(&Arc::clone(&world.job(PROD, id).expect("is there").settings));
    wider.max_concurrent_runs = 2;
    wider.queue = Some(QueueSettings { enabled: true, extra: serde_json::Map::new() });
    world.advance_to(after(start(), MINUTE));
    assert_eq!(phase(&world, runs[1]), Phase::Queued);
    world.reset_job(PROD, id, wider).expect("accepted");
    world.advance_to(after(world.now(), 10 * SECOND));
    assert_ne!(phase(&world, runs[1]), Phase::Queued);
}

#[test]
fn time_limits_end_runs_and_tasks() {
    let mut world = world("calm");
    let who = operator(&world);
    for (job_s, task_s, task_ends) in [(20, 0, Ending::TimedOut), (0, 20, Ending::TimedOut)] {
        let made = settings(&serde_json::json!({
            "name": "limited", "timeout_seconds": job_s,
            "tasks": [{"task_key": "a", "timeout_seconds": task_s, "notebook_task": {"notebook_path": "/a"}}],
        }));
        let job_id = world.create_job(PROD, &who, made).expect("created");
        let run_id = world.run_now(PROD, &who, RunNow { job_id, ..RunNow::default() }).expect("launches");
        let run = wait(&mut world, run_id);
        let expected = if job_s > 0 { Ending::TimedOut } else { Ending::RunFailed };
        assert_eq!(run.phase, Phase::Ended(expected));
        assert_eq!(run.tasks[0].phase, Phase::Ended(task_ends));
    }
}

#[test]
fn people_may_do_what_their_groups_may() {
    let world = world("calm");
    let who = |role: &str| world.principals().iter().find(|who| who.role == role).cloned().expect("exists");
    let object = Object::Job(job_id(&world, "finance_close_daily"));
    let level = |role| world.level(PROD, &object, &who(role));
    assert_eq!(level("operator"), Some(Level::Run));
    assert_eq!(level("finance"), Some(Level::Run));
    assert_eq!(level("reader"), Some(Level::View));
    assert_eq!(level("ci"), Some(Level::Manage));
    let roles =
        ["operator", "operator2", "captain", "approver", "finance", "author", "publisher", "auditor", "ci", "reader"];
    for role in roles {
        assert!(level(role).is_some(), "{role}");
    }
}
