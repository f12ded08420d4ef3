//! What each kind of fault looks like from outside, and whether the act was applied.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, items};

const LIST: &str = "/api/2.2/jobs/list";
const RUN_NOW: &str = "/api/2.2/jobs/run-now";

#[tokio::test]
async fn a_status_comes_once_with_its_envelope_and_then_all_is_well() {
    let lab = Lab::calm().await;
    for (kind, status, code, retry_after) in [
        (json!("429"), 429, "REQUEST_LIMIT_EXCEEDED", Some("1")),
        (json!(500), 500, "INTERNAL_ERROR", None),
        (json!("503"), 503, "TEMPORARILY_UNAVAILABLE", Some("1")),
    ] {
        lab.plant(json!({"kind": kind, "route": LIST})).await;
        let response = lab.call("prod", "operator", Method::GET, LIST, None).await;
        let header = response.headers().get("retry-after").map(|value| value.to_str().expect("ASCII").to_owned());
        assert_eq!(header.as_deref(), retry_after, "{kind}");
        let (found, found_code, _) = super::refusal(response).await;
        assert_eq!((found, found_code.as_str()), (status, code));
        lab.get(LIST).await;
    }
    lab.plant(json!({"kind": "503", "retry_after_s": null})).await;
    let response = lab.call("prod", "operator", Method::GET, LIST, None).await;
    assert!(response.headers().get("retry-after").is_none());
}

#[tokio::test]
async fn a_reset_before_leaves_the_world_alone_and_one_after_does_not() {
    let lab = Lab::calm().await;
    let job = a_quiet_job(&lab).await;
    let mine = format!("/api/2.2/jobs/runs/list?job_id={job}&active_only=true");
    for (when, expected) in [("before", 0), ("after", 1)] {
        lab.plant(json!({"kind": "reset", "when": when, "route": RUN_NOW})).await;
        let access = lab.access("prod");
        let sent = lab
            .http
            .post(format!("{}{RUN_NOW}", access.host))
            .bearer_auth(&access.tokens["operator"])
            .json(&json!({"job_id": job}))
            .send()
            .await;
        let error = sent.expect_err("no answer comes");
        assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
        let runs = lab.get(&mine).await;
        assert_eq!(runs["runs"].as_array().map_or(0, Vec::len), expected, "{when}");
    }
    let (_, requests) = lab.admin(Method::GET, "/requests", None).await;
    let resets: Vec<&Value> = items(&requests, "requests").iter().filter(|line| line["route"] == RUN_NOW).collect();
    assert_eq!(resets.len(), 2);
    assert!(resets.iter().all(|line| line["status"] == 0 && line["fault"] == "reset" && line["principal"].is_string()));
}

#[tokio::test]
async fn a_cut_body_promises_more_than_comes() {
    let lab = Lab::calm().await;
    for when in ["before", "after"] {
        lab.plant(json!({"kind": "cut_body", "when": when, "route": LIST})).await;
        let response = lab.call("prod", "operator", Method::GET, LIST, None).await;
        assert_eq!(response.status(), StatusCode::OK, "the head arrives");
        assert!(response.content_length().is_some_and(|length| length > 0));
        let error = response.bytes().await.expect_err("the body does not");
        assert!(error.is_body() || error.is_decode(), "{error:?}");
    }
    lab.get(LIST).await;
}

#[tokio::test]
async fn garbage_and_a_sign_in_page_look_like_success() {
    let lab = Lab::calm().await;
    lab.plant(json!({"kind": "garbage", "route": "/api/2.2/*"})).await;
    let response = lab.call("prod", "operator", Method::GET, LIST, None).await;
    assert_eq!(
        (response.status(), response.headers()["content-type"].as_bytes()),
        (StatusCode::OK, &b"application/json"[..])
    );
    assert!(serde_json::from_slice::<Value>(&response.bytes().await.expect("a body")).is_err());

    lab.plant(json!({"kind": "html_sign_in", "workspace": "prod", "method": "GET"})).await;
    let response = lab.call("prod", "operator", Method::GET, LIST, None).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    assert!(response.text().await.expect("a body").contains("Sign In"));
}

#[tokio::test]
async fn garbage_behind_a_refusal_looks_like_success_too() {
    let lab = Lab::calm().await;
    lab.plant(json!({"kind": "garbage", "when": "after", "route": "/api/2.2/jobs/get"})).await;
    let response = lab.call("prod", "operator", Method::GET, "/api/2.2/jobs/get?job_id=1", None).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_too_large_is_refused_like_anything_else() {
    let lab = Lab::calm().await;
    let access = lab.access("prod");
    let (url, body) = (format!("{}{RUN_NOW}", access.host), vec![b' '; 33 * 1024 * 1024]);
    let response = lab.http.post(url).bearer_auth(&access.tokens["operator"]).body(body).send().await.expect("sent");
    let id = response.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    assert_eq!(super::refusal(response).await.0, 413);
    let (_, requests) = lab.admin(Method::GET, "/requests?limit=1", None).await;
    let line = &items(&requests, "requests")[0];
    assert_eq!((&line["request_id"], &line["status"]), (&json!(id), &json!(413)));
}

#[tokio::test]
async fn an_expired_token_stays_expired_when_it_is_of_oauth() {
    let lab = Lab::calm().await;
    let access = lab.access("prod").clone();
    let form = [("grant_type", "client_credentials")];
    let granted: Value = lab
        .http
        .post(format!("{}/oidc/v1/token", access.host))
        .basic_auth(&access.client_id, Some(&access.client_secret))
        .form(&form)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let token = granted["access_token"].as_str().expect("a token");
    let with = |token: String| {
        let request = lab.http.get(format!("{}{LIST}", access.host)).bearer_auth(token);
        async move { request.send().await.expect("an answer").status() }
    };
    assert_eq!(with(token.to_owned()).await, StatusCode::OK);
    lab.plant(json!({"kind": "expired_token", "route": LIST, "count": 2})).await;
    assert_eq!(with(token.to_owned()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(access.tokens["operator"].clone()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(with(token.to_owned()).await, StatusCode::UNAUTHORIZED, "it has expired");
    assert_eq!(with(access.tokens["operator"].clone()).await, StatusCode::OK, "a personal token has not");
}

#[tokio::test]
async fn a_delay_comes_late_and_right_and_shutting_down_does_not_wait_for_it() {
    let lab = Lab::calm().await;
    lab.plant(json!({"kind": "delay", "delay_ms": 30, "route": LIST})).await;
    let began = Instant::now();
    assert!(!items(&lab.get(LIST).await, "jobs").is_empty());
    assert!(began.elapsed() >= Duration::from_millis(30));

    lab.plant(json!({"kind": "delay", "delay_ms": 600_000, "route": RUN_NOW, "when": "after"})).await;
    let job = a_quiet_job(&lab).await;
    let access = lab.access("prod").clone();
    let request = lab.http.post(format!("{}{RUN_NOW}", access.host)).bearer_auth(&access.tokens["operator"]);
    let late = tokio::spawn(request.json(&json!({"job_id": job})).send());
    // It is applied ahead of the wait: the run is there while the answer is not.
    let mine = format!("/api/2.2/jobs/runs/list?job_id={job}&active_only=true");
    let mut asked = 0;
    while lab.get(&mine).await["runs"].as_array().is_none_or(Vec::is_empty) {
        lab.clock.move_on(1);
        asked += 1;
        assert!(asked < 10_000, "the act is never applied");
    }
    let began = Instant::now();
    lab.simulator.shutdown().await;
    let answer = late.await.expect("not cancelled").expect("the answer, early");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn faults_are_listed_refused_and_removed() {
    let lab = Lab::calm().await;
    let (status, planted) = lab.admin(Method::POST, "/faults", Some(&json!({"kind": "500", "count": null}))).await;
    assert_eq!((status, &planted["id"]), (StatusCode::CREATED, &json!(1)));
    lab.plant(json!({"kind": "503", "workspace": "dev"})).await;
    for bad in
        [json!({"kind": "flood"}), json!({"kind": "delay"}), json!({"kind": "500", "workspace": "qa"}), json!([])]
    {
        let (status, answer) = lab.admin(Method::POST, "/faults", Some(&bad)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer["error"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    }
    let (_, listed) = lab.admin(Method::GET, "/faults", None).await;
    assert_eq!(items(&listed, "faults").len(), 2);
    assert_eq!(lab.admin(Method::DELETE, "/faults?id=1", None).await.1, json!({"removed": 1}));
    assert_eq!(lab.admin(Method::DELETE, "/faults", None).await.1, json!({"removed": 1}));
    lab.get(LIST).await;
}

/// A job that has no active run.
async fn a_quiet_job(lab: &Lab) -> u64 {
    let active = lab.get("/api/2.2/jobs/runs/list?active_only=true&limit=25").await;
    let busy: Vec<u64> =
        active["runs"].as_array().into_iter().flatten().filter_map(|run| run["job_id"].as_u64()).collect();
    let jobs = lab.get("/api/2.2/jobs/list?limit=100").await;
    let quiet = items(&jobs, "jobs").iter().filter_map(|job| job["job_id"].as_u64()).find(|id| !busy.contains(id));
    quiet.expect("a job without an active run")
}
