//! Pipelines: updates, events, streams that run for days and fall behind.

use crate::sim::world::pipeline::{Event, EventLevel, PipelineState, StartUpdate, UpdateCause, UpdateState};
use crate::sim::world::refusal::Refusal;
use crate::sim::world::time::{HOUR, MINUTE, SECOND, after, before};
use crate::sim::world::{EventsFilter, EventsPage};

use super::*;

const PROD: Environment = Environment::Prod;

fn pipeline_id(world: &World, name: &str) -> String {
    let views = world.pipelines(PROD);
    let found = views.iter().find(|view| view.pipeline.spec.name == name);
    found.map(|view| view.pipeline.pipeline_id.clone()).expect("the pipeline exists")
}

fn events(world: &World, name: &str, filter: &EventsFilter, limit: usize) -> EventsPage {
    world.events(PROD, &pipeline_id(world, name), filter, None, limit).expect("answers")
}

/// Backlogs of the first flow, newest first.
fn backlogs(world: &World, name: &str) -> Vec<u64> {
    let page = events(world, name, &EventsFilter::default(), 60);
    let metrics = page.events.iter().map(|event| &event.details["metrics"]);
    metrics.filter_map(|metrics| metrics["backlog_records"].as_u64()).collect()
}

#[test]
fn streams_have_run_for_days_and_tell_their_progress() {
    let world = world("calm");
    for name in ["orders_blue", "orders_green"] {
        let view = world.pipeline(PROD, &pipeline_id(&world, name)).expect("is there");
        assert_eq!((view.state, view.healthy), (PipelineState::Running, true));
        assert!(view.latest_updates[0].creation_time < before(start(), 20 * HOUR));
        let page = events(&world, name, &EventsFilter::default(), 25);
        assert_eq!(page.events.len(), 25);
        assert!(page.next.is_some());
        let newest = &page.events[0];
        assert_eq!(newest.event_type, "flow_progress");
        assert!(newest.timestamp > before(start(), 25 * SECOND) && newest.timestamp <= start());
        assert!(newest.details["metrics"]["num_output_rows"].as_u64().expect("rows") > 100_000);
    }
}

#[test]
fn a_throttled_stream_falls_behind_visibly_and_the_other_color_does_not() {
    let mut world = world("incident");
    let calm = backlogs(&world, "orders_blue")[0];
    world.advance_to(after(start(), 2 * MINUTE));
    let blue = backlogs(&world, "orders_blue");
    assert!(blue[0] > 4 * calm, "{} from {calm}", blue[0]);
    assert!(blue[0] > blue[1] && blue[1] > blue[2], "it grows: {:?}", &blue[..4]);
    let green = backlogs(&world, "orders_green")[0];
    assert!(green < 2 * calm, "{green}");
    world.advance_to(after(start(), 8 * HOUR));
    assert!(backlogs(&world, "orders_blue")[0] < 2 * calm + calm, "it has caught up");
}

#[test]
fn a_stopped_stream_is_idle_and_has_work_to_catch_up_when_it_runs_again() {
    let mut world = world("calm");
    let id = pipeline_id(&world, "orders_green");
    let who = operator(&world);
    let usual = backlogs(&world, "orders_green")[0];
    let started = world.start_update(PROD, &who, &id, StartUpdate::default());
    assert!(matches!(started, Err(Refusal::UpdateActive { .. })));
    world.stop_pipeline(PROD, &id).expect("accepted");
    assert_eq!(world.pipeline(PROD, &id).expect("is there").state, PipelineState::Stopping);
    world.advance_to(after(start(), 30 * MINUTE));
    let view = world.pipeline(PROD, &id).expect("is there");
    assert_eq!((view.state, view.latest_updates[0].state), (PipelineState::Idle, UpdateState::Canceled));
    world.stop_pipeline(PROD, &id).expect("nothing to stop is no error");
    let update = world.start_update(PROD, &who, &id, StartUpdate::default()).expect("starts");
    world.advance_to(after(start(), 36 * MINUTE));
    assert_eq!(world.update(PROD, &id, &update).expect("is there").state, UpdateState::Running);
    assert!(backlogs(&world, "orders_green")[0] > 10 * usual);
}

#[test]
fn pages_of_events_meet_without_a_gap_in_both_orders() {
    let mut world = world("incident");
    world.advance_to(after(start(), 90 * SECOND));
    let id = pipeline_id(&world, "orders_blue");
    for ascending in [false, true] {
        let filter = EventsFilter { from: Some(before(start(), 5 * MINUTE)), ascending, ..EventsFilter::default() };
        let whole = world.events(PROD, &id, &filter, None, 1_000).expect("answers");
        assert_eq!(whole.next, None);
        let mut paged = Vec::new();
        let mut behind = None;
        loop {
            let mut page = world.events(PROD, &id, &filter, behind, 7).expect("answers");
            paged.append(&mut page.events);
            behind = page.next;
            if behind.is_none() {
                break;
            }
        }
        let ids = |events: &[Event]| events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&paged), ids(&whole.events));
        assert!(paged.len() > 50);
    }
}

#[test]
fn a_jobs_task_starts_an_update_that_tells_its_story() {
    let world = world("calm");
    let id = pipeline_id(&world, "inventory_positions");
    let updates = world.updates(PROD, &id, 40).expect("answers");
    assert!(updates.len() >= 40);
    let update = updates.iter().find(|update| !update.state.is_active()).expect("one is over");
    assert_eq!((update.cause, update.state), (UpdateCause::JobTask, UpdateState::Completed));
    let filter = EventsFilter { update_id: Some(update.update_id.clone()), ascending: true, ..EventsFilter::default() };
    let story = events(&world, "inventory_positions", &filter, 250).events;
    let phases: Vec<&str> = story
        .iter()
        .filter(|event| event.event_type == "update_progress")
        .filter_map(|event| event.details["state"].as_str())
        .collect();
    assert_eq!(phases, ["WAITING_FOR_RESOURCES", "INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"]);
    for kind in ["user_action", "create_update", "dataset_definition", "flow_definition", "flow_progress"] {
        assert!(story.iter().any(|event| event.event_type == kind), "{kind}");
    }
    assert_eq!(world.update(PROD, &id, &update.update_id).as_ref(), Ok(update));
    let of_task = world.updates(PROD, &id, 1).expect("answers").remove(0);
    assert!(of_task.creation_time <= world.now());
}

#[test]
fn expectations_count_increments_that_add_up() {
    let world = world("calm");
    let page = events(&world, "orders_blue", &EventsFilter::default(), 30);
    for event in page.events.iter().filter(|event| event.event_type == "flow_progress") {
        let rows = event.details["metrics"]["num_output_rows"].as_u64().expect("rows");
        for expectation in event.details["data_quality"]["expectations"].as_array().expect("a list") {
            let count = |key: &str| expectation[key].as_u64().expect("a count");
            assert_eq!(count("passed_records") + count("failed_records"), rows);
        }
    }
}

#[test]
fn events_can_be_chosen_by_level_and_type() {
    let mut world = world("calm");
    let id = pipeline_id(&world, "orders_green");
    world.stop_pipeline(PROD, &id).expect("accepted");
    world.advance_to(after(start(), MINUTE));
    let filter = EventsFilter { event_types: vec!["update_progress".to_owned()], ..EventsFilter::default() };
    let page = events(&world, "orders_green", &filter, 3);
    let states: Vec<&str> = page.events.iter().filter_map(|event| event.details["state"].as_str()).collect();
    assert_eq!(states, ["CANCELED", "STOPPING", "RUNNING"]);
    let errors = EventsFilter { levels: vec![EventLevel::Error], ..EventsFilter::default() };
    assert!(events(&world, "orders_green", &errors, 10).events.is_empty());
}

#[test]
fn stopping_a_pipeline_stops_the_task_that_waits_for_it() {
    let mut world = world("calm");
    let who = operator(&world);
    let order = crate::sim::world::RunNow { job_id: job_id(&world, "customer_360"), ..Default::default() };
    let run_id = world.run_now(PROD, &who, order).expect("launches");
    let id = pipeline_id(&world, "customer_profile");
    while world
        .updates(PROD, &id, 1)
        .expect("answers")
        .first()
        .is_none_or(|update| update.state != UpdateState::Running)
    {
        world.advance_to(after(world.now(), 10 * SECOND));
        assert!(world.now() < after(start(), HOUR), "the update never ran");
    }
    world.stop_pipeline(PROD, &id).expect("accepted");
    world.advance_to(after(world.now(), 20 * SECOND));
    let update = world.updates(PROD, &id, 1).expect("answers").remove(0);
    assert_eq!(update.state, UpdateState::Canceled);
    let run = world.run(PROD, run_id).expect("is there");
    assert!(run.tasks.iter().all(|task| !task.phase.is_active()), "the tasks behind it do not run");
}
