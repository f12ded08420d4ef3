//! The admin port: time, state, requests.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, items};

fn now(answer: &Value) -> DateTime<Utc> {
    answer["now"].as_str().expect("text").parse().expect("an instant")
}

#[tokio::test]
async fn world_time_runs_pauses_jumps_and_runs_on() {
    let lab = Lab::with(|options| lakeshift::sim::Options { speed: 10.0, ..options }).await;
    let began = now(&lab.admin(Method::GET, "/state", None).await.1["time"]);
    lab.clock.move_on(6);
    let (_, paused) = lab.admin(Method::POST, "/pause", None).await;
    assert_eq!((now(&paused) - began).num_seconds(), 60);
    assert_eq!(paused["paused"], true);
    lab.clock.move_on(100);
    let (_, jumped) = lab.admin(Method::POST, "/advance", Some(&json!({"seconds": 30.5}))).await;
    assert_eq!((now(&jumped) - began).num_milliseconds(), 90_500);
    let (_, resumed) = lab.admin(Method::POST, "/resume", None).await;
    assert_eq!((now(&resumed), &resumed["paused"]), (now(&jumped), &json!(false)));
    lab.clock.move_on(1);
    let state = lab.admin(Method::GET, "/state", None).await.1;
    assert_eq!((now(&state["time"]) - began).num_milliseconds(), 100_500);
}

#[tokio::test]
async fn a_jump_that_makes_no_sense_is_refused_and_moves_nothing() {
    let lab = Lab::calm().await;
    let before = now(&lab.admin(Method::GET, "/state", None).await.1["time"]);
    for bad in [json!({"seconds": -1}), json!({"seconds": 1e12}), json!({"minutes": 1}), json!({}), json!("x")] {
        let (status, answer) = lab.admin(Method::POST, "/advance", Some(&bad)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer["error"].is_string());
    }
    let (status, answer) = lab.admin(Method::GET, "/nothing", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{answer}");
    assert_eq!(now(&lab.admin(Method::GET, "/state", None).await.1["time"]), before);
}

#[tokio::test]
async fn a_jump_lets_everything_happen_that_was_due() {
    let lab = Lab::calm().await;
    let newest = async || items(&lab.get("/api/2.2/jobs/runs/list?limit=1").await, "runs")[0]["start_time"].as_i64();
    let before = newest().await.expect("a run");
    lab.advance(6.0 * 3600.0).await;
    assert!(newest().await.expect("a run") > before + 5 * 3_600_000);
}

#[tokio::test]
async fn what_the_state_says_is_what_the_wire_says() {
    let lab = Lab::calm().await;
    let state = lab.admin(Method::GET, "/state", None).await.1;
    let names: Vec<&str> = items(&state, "workspaces").iter().filter_map(|site| site["name"].as_str()).collect();
    assert_eq!(names.len(), 3);
    let prod = items(&state, "workspaces").iter().find(|site| site["name"] == "prod").expect("prod");
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = lab.get(&format!("/api/2.2/jobs/runs/list?active_only=true&limit=25{token}")).await;
        listed.extend(page["runs"].as_array().into_iter().flatten().map(|run| run["run_id"].as_u64()));
        let Some(next) = page["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
    }
    let said: Vec<Option<u64>> = items(prod, "active_runs").iter().map(|run| run["run_id"].as_u64()).collect();
    assert_eq!(said, listed);
}

#[tokio::test]
async fn requests_are_kept_in_order_and_can_be_narrowed() {
    let lab = Lab::calm().await;
    lab.get("/api/2.2/jobs/list?limit=1").await;
    lab.call("dev", "author", Method::GET, "/api/2.0/pipelines/none", None).await;
    lab.http.get(format!("{}/nothing", lab.access("dev").host)).send().await.expect("an answer");
    let requests = async |query: &str| lab.admin(Method::GET, &format!("/requests{query}"), None).await.1;
    let all = requests("").await;
    assert_eq!(all["total"], 3);
    let lines = items(&all, "requests");
    assert_eq!(lines.iter().filter_map(|line| line["seq"].as_u64()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((&lines[0]["path"], &lines[0]["query"]), (&json!("/api/2.2/jobs/list"), &json!("limit=1")));
    assert_eq!(lines[1]["route"], "/api/2.0/pipelines/{pipeline_id}");
    assert!(lines[1]["principal"].as_str().is_some_and(|name| name.contains('@')));
    assert_eq!(
        (&lines[2]["principal"], &lines[2]["route"], &lines[2]["status"]),
        (&Value::Null, &json!("/nothing"), &json!(401))
    );
    assert_eq!(items(&requests("?after=1&limit=1").await, "requests")[0]["seq"], 3);
    assert_eq!(items(&requests("?workspace=prod").await, "requests").len(), 1);
    assert_eq!(lab.admin(Method::GET, "/requests?limit=x", None).await.0, StatusCode::BAD_REQUEST);
}
