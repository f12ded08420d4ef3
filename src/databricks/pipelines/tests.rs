//! Tests of what the Pipelines and warehouses APIs are asked.

use serde_json::json;

use super::*;
use crate::databricks::fake::{World, json as answer};
use crate::domain::ids::WarehouseId;
use crate::domain::pipeline::{PipelineState, UpdateState};
use crate::domain::warehouse::WarehouseState;

fn id() -> PipelineId {
    PipelineId::new("6f0c")
}

#[tokio::test(start_paused = true)]
async fn pipelines_are_listed_over_pages_and_read_one_by_one() {
    let world = World::new(|request, n| match (request.url.path(), n) {
        ("/api/2.0/pipelines", 0) => {
            answer(200, &json!({"statuses": [{"pipeline_id": "a", "state": "IDLE"}], "next_page_token": "x"}))
        }
        ("/api/2.0/pipelines", _) => answer(200, &json!({"statuses": [{"pipeline_id": "b", "state": "RUNNING"}]})),
        _ => answer(200, &json!({"pipeline_id": "6f0c", "name": "n", "state": "IDLE", "spec": {"continuous": true}})),
    });
    let client = world.client();
    let listed = client.pipelines().await.expect("lists");
    assert_eq!(
        listed.iter().map(|pipeline| &pipeline.state).collect::<Vec<_>>(),
        [&PipelineState::Idle, &PipelineState::Running]
    );
    assert_eq!(client.pipeline(&id()).await.expect("reads").continuous, Some(true));
    assert_eq!(
        world.lines(),
        [
            "GET /api/2.0/pipelines?max_results=100",
            "GET /api/2.0/pipelines?max_results=100&page_token=x",
            "GET /api/2.0/pipelines/6f0c"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn updates_come_from_listing_and_page() {
    let world = World::new(|request, _| match request.url.path().ends_with("/updates") {
        true => answer(
            200,
            &json!({"updates": [{"update_id": "u2", "state": "RUNNING", "creation_time": 1_700_000_000_000_i64,
            "cause": "JOB_TASK"}, {"update_id": "u1", "state": "COMPLETED"}], "next_page_token": "more"}),
        ),
        false => answer(200, &json!({"update": {"update_id": "u1", "state": "COMPLETED", "full_refresh": true}})),
    });
    let client = world.client();
    let updates = client.pipeline_updates(&id(), 2).await.expect("lists");
    assert_eq!((updates.len(), updates[0].cause.as_deref()), (2, Some("JOB_TASK")));
    let update = client.pipeline_update(&id(), &UpdateId::new("u1")).await.expect("reads");
    assert_eq!((update.state, update.full_refresh), (UpdateState::Completed, true));
    assert_eq!(
        world.lines(),
        ["GET /api/2.0/pipelines/6f0c/updates?max_results=2", "GET /api/2.0/pipelines/6f0c/updates/u1"]
    );
}

#[tokio::test(start_paused = true)]
async fn events_are_filtered_first_and_followed_by_token_alone() {
    let world = World::new(|_, n| {
        let event = json!({"id": n.to_string(), "timestamp": "2026-01-02T03:04:05.000Z", "level": "INFO"});
        answer(200, &json!({"events": [event], "next_page_token": format!("p{n}")}))
    });
    let query = EventsQuery {
        newer_than: chrono::DateTime::from_timestamp_millis(1_700_000_000_123),
        update: Some(UpdateId::new("u'1")),
        levels: vec![Level::Metrics, Level::Error],
        kinds: vec!["flow_progress".into()],
        ..EventsQuery::newest(2)
    };
    assert_eq!(world.client().pipeline_events(&id(), &query).await.expect("lists").len(), 2);
    let first = &world.sent()[0].url;
    let filter = first.query_pairs().find(|(name, _)| name == "filter").expect("a filter").1.into_owned();
    assert_eq!(
        filter,
        "timestamp > '2023-11-14T22:13:20.123Z' AND update_id = 'u''1' AND level in ('METRICS','ERROR') AND event_type = 'flow_progress'"
    );
    assert_eq!(world.lines()[1], "GET /api/2.0/pipelines/6f0c/events?max_results=2&page_token=p0");
    assert_eq!(EventsQuery::newest(1).filter(), None);
}

#[tokio::test(start_paused = true)]
async fn an_update_is_started_as_ordered() {
    let world = World::new(|_, _| answer(200, &json!({"update_id": "u9"})));
    let client = world.client();
    let selected = Refresh::Selected { tables: vec!["a".into()], full: vec!["b".into()] };
    let orders = [
        (StartUpdate::default(), json!({})),
        (StartUpdate { refresh: Refresh::Full, ..StartUpdate::default() }, json!({"full_refresh": true})),
        (
            StartUpdate { refresh: selected, validate_only: true, ..StartUpdate::default() },
            json!({"refresh_selection": ["a"], "full_refresh_selection": ["b"], "validate_only": true}),
        ),
    ];
    for (at, (order, body)) in orders.into_iter().enumerate() {
        assert_eq!(client.start_update(&id(), &order).await.expect("starts"), UpdateId::new("u9"));
        assert_eq!(world.body(at), body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_may_be_repeated() {
    let world = World::new(|_, n| if n == 0 { answer(503, &json!({})) } else { answer(200, &json!({})) });
    world.client().stop_pipeline(&id()).await.expect("accepted");
    assert_eq!(world.lines(), vec!["POST /api/2.0/pipelines/6f0c/stop"; 2]);
}

#[tokio::test(start_paused = true)]
async fn warehouses_are_listed_and_read() {
    let world = World::new(|request, _| match request.url.path().ends_with("/warehouses") {
        true => answer(200, &json!({"warehouses": [{"id": "w", "state": "STOPPED"}]})),
        false => answer(404, &json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})),
    });
    let client = world.client();
    assert_eq!(client.warehouses().await.expect("lists")[0].state, WarehouseState::Stopped);
    assert!(client.warehouse(&WarehouseId::new("x/../y")).await.expect_err("missing").is_not_found());
    assert_eq!(world.lines()[1], "GET /api/2.0/sql/warehouses/x%2F..%2Fy");
}
