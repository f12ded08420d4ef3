//! The built-in scenarios do what they promise.

use crate::sim::world::state::{Ending, Phase};
use crate::sim::world::time::{DAY, HOUR, MINUTE, SECOND, after, before};

use super::*;

/// The newest run of each job that is over failed: what a person must look at.
fn burning(world: &World, environment: Environment) -> Vec<String> {
    let filter = |id| RunsFilter { job_id: Some(id), completed_only: true, ..RunsFilter::default() };
    let jobs = world.jobs(environment);
    let newest = jobs.iter().filter_map(|job| world.runs(environment, &filter(job.job_id), None, 1).runs.pop());
    let bad = newest.filter(|run| matches!(run.phase, Phase::Ended(Ending::RunFailed | Ending::TimedOut)));
    let mut names: Vec<String> = bad.map(|run| run.run_name).collect();
    names.sort();
    names
}

#[test]
fn a_calm_day_needs_nobody_for_its_first_ten_minutes_at_any_hour() {
    for hours in [0, 5, 11, 17] {
        for seed in [1, 2] {
            let at = after(start(), hours * HOUR);
            let mut world = World::new(&Scenario::named("calm").expect("built in"), seed, at);
            for minute in [0, 5, 10] {
                world.advance_to(after(at, minute * MINUTE));
                for environment in [Environment::Prod, Environment::Staging, Environment::Dev] {
                    assert_eq!(burning(&world, environment), Vec::<String>::new(), "{environment} at {minute}m");
                    assert!(world.pipelines(environment).iter().all(|view| view.healthy));
                }
            }
        }
    }
}

#[test]
fn an_incident_fails_four_finance_jobs_with_one_cause_within_two_minutes_at_any_hour() {
    for hours in [0, 7, 13, 20] {
        for seed in [1, 2, 3] {
            let at = after(start(), hours * HOUR);
            let mut world = World::new(&Scenario::named("incident").expect("built in"), seed, at);
            assert_eq!(burning(&world, Environment::Prod), Vec::<String>::new());
            world.advance_to(after(at, 2 * MINUTE));
            let expected = ["cash_position", "finance_accruals", "finance_close_daily", "tax_extract"];
            assert_eq!(burning(&world, Environment::Prod), expected, "{hours} h, seed {seed}");
            for name in expected {
                let filter =
                    RunsFilter { job_id: Some(job_id(&world, name)), completed_only: true, ..RunsFilter::default() };
                let run = world.runs(Environment::Prod, &filter, None, 1).runs.remove(0);
                assert!(run.start_time < at, "{name} began before the console was opened");
                assert!(run.state_message.contains("Workload failed"), "{}", run.state_message);
                let failed =
                    run.tasks.iter().rfind(|task| task.phase == Phase::Ended(Ending::TaskFailed)).expect("one");
                let output = world.output(Environment::Prod, failed.run_id).expect("its output");
                let error = output.error.expect("an error");
                assert!(error.contains("UNRESOLVED_COLUMN") && error.contains("`gl_period`"), "{error}");
                assert!(output.error_trace.is_some_and(|trace| trace.contains('\u{1b}')));
                let downstream = |ending| run.tasks.iter().any(|task| task.phase == Phase::Ended(ending));
                assert!(downstream(Ending::UpstreamFailed), "{name}");
            }
        }
    }
}

#[test]
fn in_an_incident_an_hourly_job_runs_far_beyond_its_usual() {
    let mut world = world("incident");
    world.advance_to(after(start(), 2 * MINUTE));
    let filter = RunsFilter { job_id: Some(job_id(&world, "inventory_snapshot_hourly")), ..RunsFilter::default() };
    let runs = world.runs(Environment::Prod, &filter, None, 10).runs;
    assert!(runs[0].phase.is_active());
    assert!(runs[0].start_time < before(start(), 7 * MINUTE));
    assert!(runs[1..].iter().all(|run| run.run_duration_ms < 7 * MINUTE), "usually it is quick");
    assert!(runs[0].start_time > before(start(), 15 * MINUTE), "and it is not late yet");
}

#[test]
fn a_scenario_may_pause_launch_and_slow() {
    let text = "about = 'x'\nquiet_before = '2d'\nquiet_after = '2d'\n\
        [[pause]]\njob = 'stock_alerts'\nat = '1m'\n\
        [[launch]]\njob = 'vendor_payments'\nat = '30s'\n\
        [[slow]]\njob = 'order_status_sync'\nfrom = '0s'\nuntil = '1d'\nfactor = 3.0\n";
    let mut world = World::new(&Scenario::parse("mine", text).expect("reads"), 7, start());
    world.advance_to(after(start(), DAY / 4));
    let since = |name: &str, from| {
        let filter =
            RunsFilter { job_id: Some(job_id(&world, name)), start_time_from: Some(from), ..RunsFilter::default() };
        all_runs(&world, Environment::Prod, &filter)
    };
    assert!(since("stock_alerts", after(start(), MINUTE)).is_empty());
    assert!(since("vendor_payments", start()).iter().any(|run| run.start_time == after(start(), 30 * SECOND)));
    let mean = |runs: &[Run]| runs.iter().map(|run| run.run_duration_ms).sum::<u64>() / runs.len() as u64;
    let all = since("order_status_sync", before(start(), DAY / 4));
    let (now, then): (Vec<Run>, Vec<Run>) = all.into_iter().partition(|run| run.start_time >= start());
    assert!(mean(&now) > 2 * mean(&then));
}
