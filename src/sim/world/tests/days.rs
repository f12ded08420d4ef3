//! What a day looks like, and that it looks the same however one comes to see it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::sim::world::state::{Ending, Phase};
use crate::sim::world::time::{DAY, HOUR, MINUTE, SECOND, after, before};

use super::*;

fn day_before(world: &World, days: u64) -> RunsFilter {
    let to = before(world.started_at(), days * DAY);
    RunsFilter { start_time_from: Some(before(to, DAY - 1)), start_time_to: Some(to), ..RunsFilter::default() }
}

#[test]
fn a_day_has_as_many_runs_as_the_team_says() {
    let world = world("calm");
    let count = |environment| all_runs(&world, environment, &day_before(&world, 0)).len();
    let counts = [Environment::Prod, Environment::Staging, Environment::Dev].map(count);
    assert!((2_400..=2_600).contains(&counts[0]), "prod {}", counts[0]);
    assert!((560..=640).contains(&counts[1]), "staging {}", counts[1]);
    assert!((30..=120).contains(&counts[2]), "dev {}", counts[2]);
}

#[test]
fn the_fleet_has_its_size_and_dev_its_prefixes() {
    let world = world("calm");
    let objects = |environment| world.jobs(environment).len() + world.pipelines(environment).len();
    assert_eq!(objects(Environment::Prod), 120);
    assert_eq!(objects(Environment::Staging), 40);
    let dev = world.jobs(Environment::Dev);
    assert!((24..=48).contains(&dev.len()), "{}", dev.len());
    assert!(dev.iter().all(|job| job.settings.name.starts_with("[dev ")));
    assert!(world.pipelines(Environment::Dev).iter().all(|view| view.pipeline.spec.development == Some(true)));
    let names: BTreeSet<&str> = dev.iter().map(|job| job.settings.name.as_str()).collect();
    assert_eq!(names.len(), dev.len(), "no name twice");
}

#[test]
fn a_living_day_has_as_many_runs_as_a_past_one() {
    let mut world = world("calm");
    world.advance_to(after(start(), DAY));
    let filter = RunsFilter { start_time_from: Some(start()), ..RunsFilter::default() };
    let runs = all_runs(&world, Environment::Prod, &filter);
    assert!((2_400..=2_600).contains(&runs.len()), "{}", runs.len());
}

#[test]
fn history_goes_back_three_weeks_and_no_further() {
    let world = world("calm");
    assert!(!all_runs(&world, Environment::Prod, &day_before(&world, 20)).is_empty());
    assert!(all_runs(&world, Environment::Prod, &day_before(&world, 22)).is_empty());
}

#[test]
fn pages_of_any_size_give_the_same_runs_newest_first_and_none_twice() {
    let mut world = world("calm");
    world.advance_to(after(start(), 20 * MINUTE));
    let filter = RunsFilter { start_time_from: Some(before(start(), 3 * HOUR)), ..RunsFilter::default() };
    let whole: Vec<u64> = all_runs(&world, Environment::Prod, &filter).iter().map(|run| run.run_id).collect();
    let mut paged = Vec::new();
    let mut behind = None;
    loop {
        let page = world.runs(Environment::Prod, &filter, behind, 7);
        assert!(page.runs.windows(2).all(|pair| pair[0].start_time >= pair[1].start_time));
        paged.extend(page.runs.iter().map(|run| run.run_id));
        behind = page.next;
        if behind.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), paged.len());
}

#[test]
fn filters_by_job_and_by_state_agree_with_the_whole() {
    let mut world = world("calm");
    world.advance_to(after(start(), 10 * MINUTE));
    let recent = RunsFilter { start_time_from: Some(before(start(), 2 * DAY)), ..RunsFilter::default() };
    let all = all_runs(&world, Environment::Prod, &recent);
    for name in ["finance_close_daily", "stock_alerts", "audience_activation"] {
        let id = job_id(&world, name);
        let of_job = all_runs(&world, Environment::Prod, &RunsFilter { job_id: Some(id), ..recent.clone() });
        let expected: Vec<&Run> = all.iter().filter(|run| run.job_id == id).collect();
        assert!(!of_job.is_empty(), "{name}");
        assert_eq!(of_job.iter().collect::<Vec<_>>(), expected, "{name}");
    }
    let active = all_runs(&world, Environment::Prod, &RunsFilter { active_only: true, ..RunsFilter::default() });
    let expected: Vec<&Run> = all.iter().filter(|run| run.phase.is_active()).collect();
    assert!(!active.is_empty());
    assert_eq!(active.iter().collect::<Vec<_>>(), expected);
    let over = all_runs(&world, Environment::Prod, &RunsFilter { completed_only: true, ..recent });
    assert_eq!(over.len() + active.len(), all.len());
}

#[test]
fn every_listed_run_and_task_can_be_read_by_its_id() {
    let mut world = world("incident");
    world.advance_to(after(start(), 5 * MINUTE));
    for environment in [Environment::Prod, Environment::Staging, Environment::Dev] {
        let filter = RunsFilter { start_time_from: Some(before(start(), 4 * HOUR)), ..RunsFilter::default() };
        for run in all_runs(&world, environment, &filter) {
            assert_eq!(world.run(environment, run.run_id).expect("is there"), run);
            for task in &run.tasks {
                let (of, read) = world.task_run(environment, task.run_id).expect("is there");
                assert_eq!((of.run_id, &read), (run.run_id, task));
                world.output(environment, task.run_id).expect("answers");
            }
        }
    }
}

/// Everything that can be seen of the recent past and the present, as one text.
fn picture(world: &World) -> String {
    let mut text = String::new();
    for environment in [Environment::Prod, Environment::Staging, Environment::Dev] {
        let filter = RunsFilter { start_time_from: Some(before(start(), 2 * HOUR)), ..RunsFilter::default() };
        for run in all_runs(world, environment, &filter) {
            text.push_str(&format!("{run:?}\n"));
        }
        for view in world.pipelines(environment) {
            text.push_str(&format!("{view:?}\n"));
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn the_size_of_the_steps_changes_nothing(steps in proptest::collection::vec(1_u64..900, 1..12)) {
        let mut stepped = world("incident");
        let mut at = start();
        let order = |world: &mut World| {
            let who = operator(world);
            let job = job_id(world, "customer_360");
            world.run_now(Environment::Prod, &who, crate::sim::world::RunNow { job_id: job, ..Default::default() })
        };
        let first = order(&mut stepped);
        for step in &steps {
            at = after(at, step * SECOND);
            stepped.advance_to(at);
            stepped.pipelines(Environment::Prod);
            stepped.runs(Environment::Prod, &RunsFilter::default(), None, 25);
        }
        let mut straight = world("incident");
        prop_assert_eq!(first, order(&mut straight));
        straight.advance_to(at);
        prop_assert_eq!(picture(&stepped), picture(&straight));
    }
}

#[test]
fn another_seed_is_another_world() {
    let scenario = Scenario::named("calm").expect("built in");
    let ids = |seed| {
        let world = World::new(&scenario, seed, start());
        world.jobs(Environment::Prod).iter().map(|job| job.job_id).collect::<BTreeSet<u64>>()
    };
    assert!(ids(1).is_disjoint(&ids(2)));
    assert_eq!(ids(1), ids(1));
}

#[test]
fn no_job_has_more_runs_at_once_than_it_may() {
    let mut world = world("incident");
    world.advance_to(after(start(), 4 * HOUR));
    for environment in [Environment::Prod, Environment::Staging, Environment::Dev] {
        let filter = RunsFilter { start_time_from: Some(before(start(), 2 * DAY)), ..RunsFilter::default() };
        let mut by_job: BTreeMap<u64, Vec<Run>> = BTreeMap::new();
        for run in all_runs(&world, environment, &filter) {
            by_job.entry(run.job_id).or_default().push(run);
        }
        for runs in by_job.values() {
            for pair in runs.windows(2) {
                // Newest first: the older one must be over when the newer one left the queue.
                let began = after(pair[0].start_time, pair[0].spent.queue_ms);
                let over = pair[1].end_time.is_some_and(|end| end <= began) || pair[0].phase == Phase::Queued;
                assert!(over, "{} overlaps {} of {}", pair[1].run_id, pair[0].run_id, pair[0].run_name);
            }
        }
    }
}

#[test]
fn failures_by_chance_are_a_few_a_day_and_hurt_nobody_for_long() {
    let world = world("calm");
    let filter = RunsFilter {
        start_time_from: Some(before(start(), 9 * DAY)),
        start_time_to: Some(before(start(), 2 * DAY)),
        ..RunsFilter::default()
    };
    let runs = all_runs(&world, Environment::Prod, &filter);
    let failed = runs.iter().filter(|run| run.phase == Phase::Ended(Ending::RunFailed)).count();
    let repaired = runs.iter().filter(|run| run.repair_history.len() > 1).count();
    let retried = runs.iter().filter(|run| run.tasks.iter().any(|task| task.attempt_number > 0)).count();
    assert!((7..=7 * 6).contains(&failed), "{failed} failed in a week");
    assert!(repaired > 0, "nobody repaired anything in a week");
    assert!(retried > failed, "{retried} retried, {failed} failed");
}

#[test]
fn what_a_task_waits_for_is_over_before_it_begins() {
    let world = world("calm");
    for run in all_runs(&world, Environment::Prod, &day_before(&world, 1)) {
        for task in run.tasks.iter().filter(|task| task.start_time.is_some()) {
            for on in &task.task.depends_on {
                let upstream = run.tasks.iter().filter(|up| up.task.task_key == on.task_key);
                let first_over = upstream.filter_map(|up| up.end_time).min();
                assert!(first_over <= task.start_time, "{} of {}", task.task.task_key, run.run_id);
            }
        }
        assert!(run.end_time.is_some_and(|end| end > run.start_time));
    }
}

#[test]
fn some_jobs_have_become_slower() {
    let world = world("calm");
    let filter = RunsFilter {
        job_id: Some(job_id(&world, "replenishment_plan")),
        completed_only: true,
        ..RunsFilter::default()
    };
    let runs = all_runs(&world, Environment::Prod, &filter);
    let mean = |runs: &[Run]| runs.iter().map(|run| run.run_duration_ms).sum::<u64>() / runs.len() as u64;
    assert!(runs.len() >= 18);
    assert!(mean(&runs[..3]) as f64 > 1.25 * mean(&runs[8..]) as f64);
}

#[test]
fn finished_runs_commit_versions_in_order() {
    let mut world = world("calm");
    let table = "prod.inventory.inventory_snapshot";
    assert!(world.table_names(Environment::Prod).iter().any(|name| name == table));
    let earlier = world.table_versions(Environment::Prod, table);
    assert!(earlier.len() > 480, "{}", earlier.len());
    assert!(earlier.windows(2).all(|pair| pair[0].version + 1 == pair[1].version && pair[0].at <= pair[1].at));
    world.advance_to(after(start(), 2 * HOUR));
    let later = world.table_versions(Environment::Prod, table);
    assert_eq!(&later[..earlier.len()], &earlier[..], "what was committed stays");
    assert_eq!(later.len(), earlier.len() + 2);
    let last = later.last().expect("a commit");
    let run = world.run(Environment::Prod, last.run_id).expect("the run");
    assert_eq!(run.phase, Phase::Ended(Ending::Success));
    assert_eq!(world.table_readers(Environment::Prod, "prod.finance.gl_entries").len(), 4);
}
