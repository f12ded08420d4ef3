//! Tests of what the Jobs API is asked and how its pages come together.

use serde_json::{Value, json};

use super::*;
use crate::databricks::Kind;
use crate::databricks::fake::{World, json as answer};

/// The value of a query's member.
fn asked(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn page(url: &url::Url) -> usize {
    asked(url, "page_token").map_or(0, |token| token.parse().expect("our token"))
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_read_to_its_end_even_over_an_empty_page() {
    let world = World::new(|request, _| match page(&request.url) {
        0 => answer(200, &json!({"jobs": [{"job_id": 1}], "has_more": true, "next_page_token": "1"})),
        1 => answer(200, &json!({"next_page_token": "2"})),
        _ => answer(200, &json!({"jobs": [{"job_id": "3"}], "next_page_token": ""})),
    });
    let jobs = world.client().jobs(true).await.expect("lists");
    assert_eq!(jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(world.lines()[1], "GET /api/2.2/jobs/list?limit=100&expand_tasks=true&page_token=1");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_is_no_listing() {
    let world = World::new(|request, _| match page(&request.url) {
        0 => answer(200, &json!({"jobs": [{"job_id": 1}], "next_page_token": "1"})),
        _ => answer(403, &json!({"message": "no"})),
    });
    assert_eq!(world.client().jobs(false).await.expect_err("fails").status(), Some(403));
}

#[tokio::test(start_paused = true)]
async fn a_listing_in_a_circle_ends() {
    let world =
        World::new(|_, n| answer(200, &json!({"jobs": [{"job_id": n}], "next_page_token": (n % 3).to_string()})));
    let error = world.client().jobs(false).await.expect_err("fails");
    assert_eq!((error.kind(), world.sent().len()), (&Kind::EndlessPages, 4));
}

fn tasks(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| json!({"task_key": format!("t{n}"), "run_id": 1_000 + n, "notebook_task": {}})).collect()
}

#[tokio::test(start_paused = true)]
async fn the_arrays_of_one_object_are_joined_over_its_pages() {
    let world = World::new(|request, _| {
        let n = page(&request.url);
        let token = if n < 2 { json!((n + 1).to_string()) } else { Value::Null };
        let part = tasks(n * 100..(n * 100 + 100).min(250));
        if request.url.path().ends_with("/runs/get") {
            // An array that is exhausted comes back empty.
            let repairs = if n == 0 { json!([{"type": "REPAIR", "id": 5}]) } else { json!([]) };
            let parameters = json!([{"name": format!("p{n}"), "value": "v"}]);
            return answer(
                200,
                &json!({"run_id": 9, "tasks": part, "repair_history": repairs, "job_parameters": parameters,
                "next_page_token": token}),
            );
        }
        answer(200, &json!({"job_id": 8, "settings": {"name": "wide", "tasks": part}, "next_page_token": token}))
    });
    let client = world.client();
    let run = client.run(RunId(9)).await.expect("reads");
    assert_eq!((run.tasks.len(), run.repairs.len(), run.parameters.len()), (250, 1, 3));
    assert_eq!(run.tasks[249].key, "t249");
    let job = client.job(JobId(8)).await.expect("reads");
    assert_eq!((job.tasks.len(), job.name.as_str()), (250, "wide"));
    assert_eq!(world.lines()[0], "GET /api/2.2/jobs/runs/get?run_id=9&include_history=true");
    assert_eq!(world.lines()[1], "GET /api/2.2/jobs/runs/get?run_id=9&include_history=true&page_token=1");
}

#[tokio::test(start_paused = true)]
async fn inner_pages_in_a_circle_end() {
    let world = World::new(|_, _| answer(200, &json!({"run_id": 9, "next_page_token": "again"})));
    assert_eq!(world.client().run(RunId(9)).await.expect_err("fails").kind(), &Kind::EndlessPages);
}

#[tokio::test(start_paused = true)]
async fn what_a_listing_cuts_is_read_whole_and_what_went_since_is_left_out() {
    let world = World::new(|request, _| match request.url.path() {
        "/api/2.2/jobs/runs/list" => answer(
            200,
            &json!({"runs": [{"run_id": 1, "has_more": true, "tasks": tasks(0..100)}, {"run_id": 2}, {"run_id": 3, "has_more": true}]}),
        ),
        _ if asked(&request.url, "run_id").as_deref() == Some("3") => {
            answer(400, &json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "Run 3 does not exist."}))
        }
        _ => answer(200, &json!({"run_id": 1, "tasks": tasks(0..130)})),
    });
    let runs = world.client().runs(&RunsQuery { expand_tasks: true, ..RunsQuery::default() }).await.expect("lists");
    assert_eq!(runs.iter().map(|run| (run.id.0, run.tasks.len())).collect::<Vec<_>>(), [(1, 130), (2, 0)]);
}

#[tokio::test(start_paused = true)]
async fn filters_and_the_wanted_number_are_asked_for() {
    let world = World::new(|request, n| {
        let limit: usize = asked(&request.url, "limit").expect("a limit").parse().expect("a number");
        let runs: Vec<_> = (0..limit).map(|at| json!({"run_id": n * 100 + at})).collect();
        answer(200, &json!({"runs": runs, "next_page_token": n.to_string()}))
    });
    let at = chrono::DateTime::from_timestamp_millis(1_700_000_000_123);
    let query = RunsQuery {
        completed_only: true,
        job: Some(JobId(4)),
        started_from: at,
        started_to: at,
        at_most: Some(30),
        ..RunsQuery::default()
    };
    assert_eq!(world.client().runs(&query).await.expect("lists").len(), 30);
    assert_eq!(
        world.lines(),
        [
            "GET /api/2.2/jobs/runs/list?limit=24&completed_only=true&job_id=4&start_time_from=1700000000123&start_time_to=1700000000123",
            "GET /api/2.2/jobs/runs/list?limit=24&completed_only=true&job_id=4&start_time_from=1700000000123&start_time_to=1700000000123&page_token=0",
        ]
    );
    let few = RunsQuery { active_only: true, at_most: Some(3), ..RunsQuery::default() };
    assert_eq!(world.client().runs(&few).await.expect("lists").len(), 3);
    assert_eq!(world.lines()[2], "GET /api/2.2/jobs/runs/list?limit=3&active_only=true");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_ordered_with_its_token_and_repeated_with_the_same() {
    let world = World::new(|_, n| match n {
        0 => answer(503, &json!({})),
        _ => answer(200, &json!({"run_id": "77", "number_in_job": 77})),
    });
    let token = IdempotencyToken::new("op-1/step-2").expect("short enough");
    let order = RunNow {
        idempotency_token: Some(token),
        parameters: [("day".to_owned(), "2026-01-02".to_owned())].into(),
        only: vec!["load+".into()],
        full_refresh: true,
        ..RunNow::of(JobId(4))
    };
    assert_eq!(world.client().run_now(&order).await.expect("starts"), RunId(77));
    let body = json!({"job_id": 4, "job_parameters": {"day": "2026-01-02"}, "idempotency_token": "op-1/step-2",
        "only": ["load+"], "pipeline_params": {"full_refresh": true}});
    assert_eq!((world.body(0), world.body(1)), (body.clone(), body));
    let plain = World::new(|_, _| answer(200, &json!({"run_id": 1})));
    plain.client().run_now(&RunNow::of(JobId(4))).await.expect("starts");
    assert_eq!(plain.body(0), json!({"job_id": 4}), "nothing is sent that was not asked for");
}

#[test]
fn a_token_has_a_length() {
    assert_eq!(IdempotencyToken::new(""), Err(TokenTooLong(0)));
    assert_eq!(IdempotencyToken::new("x".repeat(65)), Err(TokenTooLong(65)));
    assert!(IdempotencyToken::new("x".repeat(64)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_repair_says_what_it_knows_and_leaves_once() {
    let world = World::new(|_, n| match n {
        0 => answer(200, &json!({"repair_id": 6})),
        _ => answer(503, &json!({})),
    });
    let order = RepairRun {
        run: RunId(9),
        rerun: Rerun::Tasks(vec!["load".into()]),
        dependents: true,
        latest_repair: Some(RepairId(5)),
        parameters: BTreeMap::new(),
    };
    assert_eq!(world.client().repair_run(&order).await.expect("repairs"), RepairId(6));
    assert_eq!(
        world.body(0),
        json!({"run_id": 9, "rerun_tasks": ["load"], "rerun_dependent_tasks": true, "latest_repair_id": 5})
    );
    let all = RepairRun { rerun: Rerun::AllFailed, dependents: false, latest_repair: None, ..order };
    assert!(world.client().repair_run(&all).await.is_err());
    assert_eq!((world.sent().len(), world.body(1)), (2, json!({"run_id": 9, "rerun_all_failed_tasks": true})));
}

#[tokio::test(start_paused = true)]
async fn cancel_and_output_name_the_run() {
    let world = World::new(|_, n| match n {
        0 => answer(200, &json!({})),
        _ => answer(200, &json!({"error": "boom", "metadata": {"run_id": 3}})),
    });
    let client = world.client();
    client.cancel_run(RunId(9)).await.expect("accepted");
    assert_eq!(client.run_output(RunId(3)).await.expect("reads").error.as_deref(), Some("boom"));
    assert_eq!(world.body(0), json!({"run_id": 9}));
    assert_eq!(world.lines()[1], "GET /api/2.2/jobs/runs/get-output?run_id=3");
}
