//! The Jobs API on the wire: spellings, paging, filters, the life of a run, refusals.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, items, refusal};

const JOBS: &str = "/api/2.2/jobs";

/// All elements of a listing, page by page.
async fn all(lab: &Lab, path: &str, key: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = lab.get(&format!("{path}{token}")).await;
        found.extend(page[key].as_array().into_iter().flatten().cloned());
        assert_eq!(page["has_more"].as_bool(), Some(page["next_page_token"].is_string()), "{page}");
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return found,
        }
    }
}

#[tokio::test]
async fn a_listing_pages_to_the_end_newest_first() {
    let lab = Lab::calm().await;
    let whole = all(&lab, &format!("{JOBS}/list?limit=100"), "jobs").await;
    let by_seven = all(&lab, &format!("{JOBS}/list?limit=7"), "jobs").await;
    assert!(whole.len() > 50);
    assert_eq!(whole, by_seven);
    let created: Vec<i64> = whole.iter().map(|job| job["created_time"].as_i64().expect("an integer")).collect();
    assert!(created.is_sorted_by(|a, b| a >= b));
    assert!(whole.iter().all(|job| job["settings"]["tasks"].is_null() && job["settings"]["name"].is_string()));

    let first = lab.get(&format!("{JOBS}/list?limit=7")).await;
    assert!(first["prev_page_token"].is_null());
    let second = lab.get(&format!("{JOBS}/list?limit=7&page_token={}", text(&first["next_page_token"]))).await;
    let back = lab.get(&format!("{JOBS}/list?limit=7&page_token={}", text(&second["prev_page_token"]))).await;
    assert_eq!(first["jobs"], back["jobs"]);
}

#[tokio::test]
async fn a_name_is_matched_whole_without_regard_to_case_and_nothing_has_no_key() {
    let lab = Lab::calm().await;
    let jobs = lab.get(&format!("{JOBS}/list?limit=1&expand_tasks=true")).await;
    let job = &items(&jobs, "jobs")[0];
    assert!(!items(&job["settings"], "tasks").is_empty());
    assert_eq!(job["has_more"], false);
    let name = text(&job["settings"]["name"]);
    let found = lab.get(&format!("{JOBS}/list?name={}", name.to_uppercase())).await;
    assert_eq!(items(&found, "jobs")[0]["job_id"], job["job_id"]);
    let nothing = lab.get(&format!("{JOBS}/list?name=no-such-job")).await;
    assert_eq!(nothing, json!({"has_more": false}));
}

#[tokio::test]
async fn limits_and_tokens_out_of_bounds_are_refused() {
    let lab = Lab::calm().await;
    for path in [
        "list?limit=101",
        "list?limit=-1",
        "list?limit=ten",
        "list?expand_tasks=True",
        "list?page_token=bm8",
        "runs/list?limit=26",
        "runs/list?active_only=true&completed_only=true",
        "runs/list?start_time_from=noon",
        "runs/list?page_token=bm8",
        "get",
        "get?job_id=x",
        "runs/get?run_id=-4",
    ] {
        let (status, code, _) = lab.refused(&format!("{JOBS}/{path}")).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{path}");
    }
    assert_eq!(items(&lab.get(&format!("{JOBS}/runs/list?limit=0")).await, "runs").len(), 25, "0 means the most");
    assert_eq!(items(&lab.get(&format!("{JOBS}/runs/list")).await, "runs").len(), 20);
}

#[tokio::test]
async fn a_missing_job_or_run_is_a_400_to_those_who_see_all_and_a_403_to_others() {
    let lab = Lab::calm().await;
    for (path, message) in [
        ("get?job_id=1", "Job 1 does not exist."),
        ("runs/get?run_id=1", "Run 1 does not exist."),
        ("runs/list?job_id=1", "Job 1 does not exist."),
    ] {
        let refused = lab.refused(&format!("{JOBS}/{path}")).await;
        assert_eq!(refused, (400, "INVALID_PARAMETER_VALUE".to_owned(), message.to_owned()));
        let response = lab.call("prod", "reader", Method::GET, &format!("{JOBS}/{path}"), None).await;
        let (status, code, message) = refusal(response).await;
        assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"), "{message}");
    }
    for path in ["run-now", "runs/cancel", "runs/repair"] {
        let body = json!({"job_id": 1, "run_id": 1, "rerun_all_failed_tasks": true});
        let (status, code, message) = lab.post_refused(&format!("{JOBS}/{path}"), body).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{path}");
        assert!(message.contains("does not exist"), "{message}");
        let (status, _, message) = lab.post_refused(&format!("{JOBS}/{path}"), json!({})).await;
        assert_eq!(status, 400);
        assert!(message.contains("Missing required field"), "{message}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let lab = Lab::calm().await;
    let access = lab.access("prod");
    let request = lab.http.post(format!("{}{JOBS}/run-now", access.host)).bearer_auth(&access.tokens["operator"]);
    let (status, code, _) = refusal(request.body("{\"job_id\":").send().await.expect("an answer")).await;
    assert_eq!((status, code.as_str()), (400, "MALFORMED_REQUEST"));
}

#[tokio::test]
async fn runs_come_newest_first_and_a_page_ends_where_the_next_begins() {
    let lab = Lab::calm().await;
    let mut runs = Vec::new();
    let mut token = String::new();
    for _ in 0..8 {
        let page = lab.get(&format!("{JOBS}/runs/list?limit=9{token}")).await;
        runs.extend(items(&page, "runs").to_vec());
        token = format!("&page_token={}", text(&page["next_page_token"]));
        // Runs that begin meanwhile stand in front of the first page and do not shift the next.
        lab.advance(300.0).await;
    }
    let starts: Vec<i64> = runs.iter().map(|run| run["start_time"].as_i64().expect("an integer")).collect();
    assert!(starts.is_sorted_by(|a, b| a >= b));
    let ids: BTreeSet<u64> = runs.iter().map(|run| run["run_id"].as_u64().expect("an integer")).collect();
    assert_eq!(ids.len(), 72);
}

#[tokio::test]
async fn filters_hold_for_every_run() {
    let lab = Lab::calm().await;
    let active = all(&lab, &format!("{JOBS}/runs/list?active_only=true&limit=25"), "runs").await;
    for run in &active {
        assert_ne!(run["status"]["state"], "TERMINATED", "{run}");
        assert_eq!(run["end_time"], 0);
        assert!(run["state"]["result_state"].is_null());
    }
    let completed = lab.get(&format!("{JOBS}/runs/list?completed_only=true&limit=25")).await;
    for run in items(&completed, "runs") {
        assert_eq!(run["status"]["state"], "TERMINATED");
        assert!(run["end_time"].as_i64() >= run["start_time"].as_i64());
        assert!(run["status"]["termination_details"]["code"].is_string());
        assert!(run["tasks"].is_null());
        assert_eq!((&run["setup_duration"], &run["run_id"]), (&json!(0), &run["number_in_job"]));
    }
    let some = &items(&completed, "runs")[3];
    let at = some["start_time"].as_i64().expect("an integer");
    let window = all(&lab, &format!("{JOBS}/runs/list?start_time_from={at}&start_time_to={at}&limit=25"), "runs").await;
    assert!(window.iter().any(|run| run["run_id"] == some["run_id"]), "both bounds are inclusive");
    assert!(window.iter().all(|run| run["start_time"] == at));
    let job = &some["job_id"];
    let of_job = lab.get(&format!("{JOBS}/runs/list?job_id={job}&expand_tasks=true")).await;
    assert!(items(&of_job, "runs").iter().all(|run| run["job_id"] == *job && !items(run, "tasks").is_empty()));
    assert_eq!(lab.get(&format!("{JOBS}/runs/list?run_type=SUBMIT_RUN")).await, json!({"has_more": false}));
}

/// A job with this many tasks or more that has no active run.
async fn quiet_job(lab: &Lab, tasks: usize) -> u64 {
    let active = all(lab, &format!("{JOBS}/runs/list?active_only=true&limit=25"), "runs").await;
    let jobs = all(lab, &format!("{JOBS}/list?limit=100&expand_tasks=true"), "jobs").await;
    let quiet = jobs.iter().find(|job| {
        active.iter().all(|run| run["job_id"] != job["job_id"])
            && job["settings"]["tasks"].as_array().is_some_and(|found| found.len() >= tasks)
    });
    quiet.and_then(|job| job["job_id"].as_u64()).expect("a quiet job")
}

/// Moves world time until the run is over.
async fn ended(lab: &Lab, run_id: u64) -> Value {
    for _ in 0..300 {
        let run = lab.get(&format!("{JOBS}/runs/get?run_id={run_id}&include_history=true")).await;
        if run["status"]["state"] == "TERMINATED" {
            return run;
        }
        lab.advance(60.0).await;
        lab.clock.move_on(1);
    }
    panic!("run {run_id} never ended");
}

#[tokio::test]
async fn a_run_is_started_once_a_token_runs_and_leaves_its_output() {
    let lab = Lab::calm().await;
    let job = quiet_job(&lab, 2).await;
    let body = json!({"job_id": job, "idempotency_token": "once"});
    let started = lab.post(&format!("{JOBS}/run-now"), body.clone()).await;
    assert_eq!(started["run_id"], started["number_in_job"]);
    assert_eq!(lab.post(&format!("{JOBS}/run-now"), body).await, started, "the token names the run");
    let run_id = started["run_id"].as_u64().expect("an id");
    let active = lab.get(&format!("{JOBS}/runs/get?run_id={run_id}")).await;
    assert_eq!((&active["trigger"], &active["end_time"]), (&json!("ONE_TIME"), &json!(0)));
    assert!(active["repair_history"].is_null());

    let run = ended(&lab, run_id).await;
    assert_eq!(run["state"]["life_cycle_state"], "TERMINATED", "{}", run["state"]);
    assert_eq!(run["status"]["termination_details"]["code"], "SUCCESS");
    assert!(run["run_duration"].as_i64() > Some(0));
    assert_eq!(items(&run, "repair_history").len(), 1);
    let url = text(&run["run_page_url"]);
    assert!(url.ends_with(&format!("#job/{job}/run/{run_id}")), "{url}");

    let task = &items(&run, "tasks")[0];
    let task_run = task["run_id"].as_u64().expect("an id");
    let output = lab.get(&format!("{JOBS}/runs/get-output?run_id={task_run}")).await;
    assert_eq!(output["metadata"]["run_id"], task_run);
    assert_eq!(output["metadata"]["job_run_id"], run_id);
    let alone = lab.get(&format!("{JOBS}/runs/get?run_id={task_run}")).await;
    assert_eq!(alone["run_id"], task_run, "a task's run is a run too");
    let (status, _, message) = lab.refused(&format!("{JOBS}/runs/get-output?run_id={run_id}")).await;
    assert_eq!(status, 400);
    assert!(message.contains("multiple tasks"), "{message}");
    let (status, _, message) =
        lab.post_refused(&format!("{JOBS}/run-now"), json!({"job_id": job, "idempotency_token": "x".repeat(65)})).await;
    assert_eq!(status, 400, "{message}");
}

#[tokio::test]
async fn a_canceled_run_is_repaired_and_the_second_repair_names_the_first() {
    let lab = Lab::calm().await;
    let job = quiet_job(&lab, 1).await;
    let started = lab.post(&format!("{JOBS}/run-now"), json!({"job_id": job.to_string()})).await;
    let run_id = started["run_id"].as_u64().expect("an id");
    let repair = |rest: Value| {
        let mut body = json!({"run_id": run_id, "rerun_all_failed_tasks": true});
        body.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        body
    };
    let (status, _, _) = lab.post_refused(&format!("{JOBS}/runs/repair"), repair(json!({}))).await;
    assert_eq!(status, 400, "an active run is not repaired");
    assert_eq!(lab.post(&format!("{JOBS}/runs/cancel"), json!({"run_id": run_id})).await, json!({}));
    let run = ended(&lab, run_id).await;
    assert_eq!(run["state"]["result_state"], "CANCELED");
    assert_eq!(run["state"]["user_cancelled_or_timedout"], true);

    let (status, _, _) = lab.post_refused(&format!("{JOBS}/runs/repair"), json!({"run_id": run_id})).await;
    assert_eq!(status, 400, "what to repair must be said");
    let first = lab.post(&format!("{JOBS}/runs/repair"), repair(json!({}))).await;
    let reopened = lab.get(&format!("{JOBS}/runs/get?run_id={run_id}")).await;
    assert_ne!(reopened["status"]["state"], "TERMINATED");
    assert_eq!(reopened["end_time"], 0);
    lab.post(&format!("{JOBS}/runs/cancel"), json!({"run_id": run_id})).await;
    ended(&lab, run_id).await;
    let (status, _, _) = lab.post_refused(&format!("{JOBS}/runs/repair"), repair(json!({}))).await;
    assert_eq!(status, 400, "the latest repair must be named");
    lab.post(&format!("{JOBS}/runs/repair"), repair(json!({"latest_repair_id": first["repair_id"]}))).await;
    let run = ended(&lab, run_id).await;
    assert_eq!(run["state"]["result_state"], "SUCCESS", "{}", run["state"]);
    let history: Vec<&str> = items(&run, "repair_history").iter().map(|item| text(&item["type"])).collect();
    assert_eq!(history, ["ORIGINAL", "REPAIR", "REPAIR"]);
}

#[tokio::test]
async fn cancel_all_ends_every_active_run_of_a_job() {
    let lab = Lab::calm().await;
    let job = quiet_job(&lab, 1).await;
    let started = lab.post(&format!("{JOBS}/run-now"), json!({"job_id": job})).await;
    lab.post(&format!("{JOBS}/runs/cancel-all"), json!({"job_id": job, "all_queued_runs": true})).await;
    let run = ended(&lab, started["run_id"].as_u64().expect("an id")).await;
    assert_eq!(run["status"]["termination_details"]["code"], "USER_CANCELED");
    let (status, code, _) =
        lab.post_refused(&format!("{JOBS}/runs/cancel-all"), json!({"all_queued_runs": true})).await;
    assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"), "the whole workspace is for admins");
}

#[tokio::test]
async fn who_may_only_look_may_not_act() {
    let lab = Lab::calm().await;
    let job = quiet_job(&lab, 1).await;
    let look = lab.call("prod", "reader", Method::GET, &format!("{JOBS}/get?job_id={job}"), None).await;
    assert_eq!(look.status(), StatusCode::OK);
    let act = lab.call("prod", "reader", Method::POST, &format!("{JOBS}/run-now"), Some(&json!({"job_id": job}))).await;
    let (status, code, message) = refusal(act).await;
    assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"));
    assert!(message.contains("Manage Run"), "{message}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected text, found {value}"))
}
