//! The Pipelines API and SQL warehouses on the wire.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Lab, items, refusal};

const PIPELINES: &str = "/api/2.0/pipelines";

/// All pipelines of prod.
async fn all(lab: &Lab) -> Vec<Value> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = lab.get(&format!("{PIPELINES}?max_results=5{token}")).await;
        found.extend(items(&page, "statuses").to_vec());
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return found,
        }
    }
}

/// The address of a pipeline of prod that runs for ever, or of one that does not.
async fn one(lab: &Lab, continuous: bool) -> String {
    for status in all(lab).await {
        let path = format!("{PIPELINES}/{}", text(&status["pipeline_id"]));
        let pipeline = lab.get(&path).await;
        if pipeline["spec"]["continuous"] == continuous && (continuous || pipeline["state"] == "IDLE") {
            return path;
        }
    }
    panic!("no such pipeline");
}

#[tokio::test]
async fn a_listing_is_in_order_of_ids_and_can_be_filtered_by_name() {
    let lab = Lab::calm().await;
    let pipelines = all(&lab).await;
    let ids: Vec<&str> = pipelines.iter().map(|pipeline| text(&pipeline["pipeline_id"])).collect();
    assert!(ids.len() > 5 && ids.is_sorted());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    for update in pipelines.iter().flat_map(|pipeline| pipeline["latest_updates"].as_array().into_iter().flatten()) {
        assert!(text(&update["creation_time"]).ends_with('Z'), "text here: {update}");
    }
    let backwards = lab.get(&format!("{PIPELINES}?order_by=id+desc&max_results=1")).await;
    assert_eq!(items(&backwards, "statuses")[0]["pipeline_id"], *ids.last().expect("some"));
    let name = text(&pipelines[0]["name"]);
    let part = &name[1..name.len() - 1];
    let found = lab.get(&format!("{PIPELINES}?filter=name+LIKE+'%25{part}%25'")).await;
    assert!(items(&found, "statuses").iter().any(|pipeline| pipeline["name"] == name));
    assert_eq!(lab.get(&format!("{PIPELINES}?filter=name+LIKE+'nobody'")).await, json!({}));
    for bad in ["filter=name", "max_results=101", "max_results=0", "order_by=name", "page_token=bm8"] {
        let (status, code, _) = lab.refused(&format!("{PIPELINES}?{bad}")).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{bad}");
    }
}

#[tokio::test]
async fn an_update_runs_alone_and_its_events_tell_the_story() {
    let lab = Lab::calm().await;
    let path = one(&lab, false).await;
    let started = lab.post(&format!("{path}/updates"), json!({"full_refresh": false})).await;
    let update_id = text(&started["update_id"]).to_owned();
    let (status, code, message) = lab.post_refused(&format!("{path}/updates"), json!({})).await;
    assert_eq!((status, code.as_str()), (409, "RESOURCE_CONFLICT"));
    assert!(message.contains(&update_id), "{message}");

    let mut update = Value::Null;
    for _ in 0..120 {
        update = lab.get(&format!("{path}/updates/{update_id}")).await["update"].clone();
        if update["state"] == "COMPLETED" {
            break;
        }
        lab.advance(60.0).await;
        lab.clock.move_on(1);
    }
    assert_eq!(update["state"], "COMPLETED");
    assert_eq!(update["cause"], "API_CALL");
    assert!(update["creation_time"].is_i64(), "an integer here: {update}");
    let mut updates = Vec::new();
    let mut token = String::new();
    for _ in 0..3 {
        let page = lab.get(&format!("{path}/updates?max_results=2{token}")).await;
        updates.extend(items(&page, "updates").to_vec());
        token = format!("&page_token={}", text(&page["next_page_token"]));
    }
    let created: Vec<i64> = updates.iter().filter_map(|update| update["creation_time"].as_i64()).collect();
    assert!(created.len() == 6 && created.is_sorted_by(|a, b| a > b), "each once, newest first: {created:?}");
    let since = lab.get(&format!("{path}/updates?until_update_id={update_id}&max_results=100")).await;
    assert_eq!(items(&since, "updates").last().expect("some")["update_id"], update_id.as_str());

    let query = format!("max_results=7&order_by=timestamp+asc&filter=update_id+%3D+'{update_id}'");
    let mut events = Vec::new();
    let mut page = lab.get(&format!("{path}/events?{query}")).await;
    loop {
        events.extend(items(&page, "events").to_vec());
        let Some(token) = page["next_page_token"].as_str() else { break };
        // The vendor's SDK repeats the question beside the token; other callers send the token alone.
        let again = if events.len() % 2 == 0 { format!("{query}&") } else { "max_results=7&".to_owned() };
        page = lab.get(&format!("{path}/events?{again}page_token={token}")).await;
    }
    let stamps: Vec<&str> = events.iter().map(|event| text(&event["timestamp"])).collect();
    assert!(stamps.is_sorted());
    assert_eq!(events.iter().map(|event| text(&event["id"])).collect::<BTreeSet<_>>().len(), events.len());
    for event in &events {
        let kind = text(&event["event_type"]);
        assert!(event["details"][kind].is_object(), "details stand below their kind: {event}");
        assert_eq!(event["origin"]["update_id"], update_id.as_str());
        assert_ne!(event["level"], "METRICS", "metrics come when asked for");
    }
    let kinds: BTreeSet<&str> = events.iter().map(|event| text(&event["event_type"])).collect();
    assert!(kinds.is_superset(&BTreeSet::from(["create_update", "update_progress", "flow_progress"])), "{kinds:?}");
    assert_eq!(events.last().expect("some")["details"]["update_progress"]["state"], "COMPLETED");
}

#[tokio::test]
async fn events_come_newest_first_and_obey_their_filter() {
    let lab = Lab::calm().await;
    let path = one(&lab, true).await;
    let page = lab.get(&format!("{path}/events?max_results=50")).await;
    let stamps: Vec<&str> = items(&page, "events").iter().map(|event| text(&event["timestamp"])).collect();
    assert!(stamps.len() == 50 && stamps.is_sorted_by(|a, b| a >= b));
    let (newest, oldest) = (stamps[0], stamps[49]);
    let filter = format!("timestamp+>+'{oldest}'+AND+level+in+('INFO')+AND+event_type='flow_progress'");
    let page = lab.get(&format!("{path}/events?max_results=250&filter={filter}")).await;
    for event in items(&page, "events") {
        assert!(text(&event["timestamp"]) > oldest && text(&event["timestamp"]) <= newest);
        assert_eq!((text(&event["level"]), text(&event["event_type"])), ("INFO", "flow_progress"));
    }
    let first = lab.get(&format!("{path}/events?max_results=1")).await;
    let token = text(&first["next_page_token"]);
    for bad in [
        format!("page_token={token}&filter=level='INFO'"),
        format!("page_token={token}&order_by=timestamp+asc"),
        "filter=level".to_owned(),
        "order_by=id".to_owned(),
        "page_token=bm8".to_owned(),
    ] {
        let (status, code, _) = lab.refused(&format!("{path}/events?{bad}")).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{bad}");
    }
}

#[tokio::test]
async fn a_stop_ends_the_update_and_twice_is_once() {
    let lab = Lab::calm().await;
    let path = one(&lab, false).await;
    let started = lab.post(&format!("{path}/updates"), json!({"full_refresh": true})).await;
    lab.advance(20.0).await;
    assert_eq!(lab.post(&format!("{path}/stop"), json!({})).await, json!({}));
    lab.advance(600.0).await;
    assert_eq!(lab.post(&format!("{path}/stop"), json!({})).await, json!({}));
    let update = lab.get(&format!("{path}/updates/{}", text(&started["update_id"]))).await;
    assert_eq!((&update["update"]["state"], &update["update"]["full_refresh"]), (&json!("CANCELED"), &json!(true)));
    assert_eq!(lab.get(&path).await["state"], "IDLE");
}

#[tokio::test]
async fn missing_and_forbidden_pipelines_are_told_apart_for_those_who_see_all() {
    let lab = Lab::calm().await;
    let missing = format!("{PIPELINES}/00000000-0000-0000-0000-000000000000");
    for path in [missing.clone(), format!("{missing}/updates"), format!("{missing}/events")] {
        let (status, code, message) = lab.refused(&path).await;
        assert_eq!((status, code.as_str()), (404, "RESOURCE_DOES_NOT_EXIST"), "{path}");
        assert!(message.contains("was not found"), "{message}");
    }
    let (status, _, _) = refusal(lab.call("prod", "reader", Method::GET, &missing, None).await).await;
    assert_eq!(status, 403);
    let path = one(&lab, false).await;
    let (status, _, message) = lab.refused(&format!("{path}/updates/00000000-0000-0000-0000-000000000000")).await;
    assert_eq!(status, 404, "{message}");
    let act = lab.call("prod", "reader", Method::POST, &format!("{path}/updates"), Some(&json!({}))).await;
    let (status, code, _) = refusal(act).await;
    assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"));
    let both = json!({"refresh_selection": ["a"], "full_refresh_selection": ["a"]});
    let (status, _, message) = lab.post_refused(&format!("{path}/updates"), both).await;
    assert_eq!(status, 400, "{message}");
}

#[tokio::test]
async fn a_warehouse_takes_time_to_start() {
    let lab = Lab::calm().await;
    let warehouses = lab.get("/api/2.0/sql/warehouses").await;
    let path = format!("/api/2.0/sql/warehouses/{}", text(&items(&warehouses, "warehouses")[0]["id"]));
    let ci = async |rest: &str| lab.call("prod", "ci", Method::POST, &format!("{path}{rest}"), None).await.status();
    assert!(ci("/stop").await.is_success());
    lab.advance(60.0).await;
    assert_eq!(lab.get(&path).await["state"], "STOPPED");
    assert!(ci("/start").await.is_success());
    assert_eq!(lab.get(&path).await["state"], "STARTING");
    lab.advance(600.0).await;
    let warehouse = lab.get(&path).await;
    assert_eq!((&warehouse["state"], &warehouse["health"]["status"]), (&json!("RUNNING"), &json!("HEALTHY")));
    let (status, code, _) = lab.refused("/api/2.0/sql/warehouses/0000000000000000").await;
    assert_eq!((status, code.as_str()), (404, "RESOURCE_DOES_NOT_EXIST"));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected text, found {value}"))
}

#[tokio::test]
async fn a_page_leads_back_to_the_one_before() {
    let lab = Lab::calm().await;
    let pipeline = one(&lab, true).await;
    let runs = "/api/2.2/jobs/runs/list?limit=2".to_owned();
    for (key, first) in [
        ("updates", format!("{pipeline}/updates?max_results=1")),
        ("events", format!("{pipeline}/events?max_results=2&filter=level%3D%27INFO%27")),
        ("runs", runs),
    ] {
        let path = first.split_once("&filter").map_or(first.as_str(), |(path, _)| path).to_owned();
        let at = async |token: &Value| lab.get(&format!("{path}&page_token={}", text(token))).await;
        let first = lab.get(&first).await;
        assert!(first["prev_page_token"].is_null(), "{key}");
        if first["next_page_token"].is_null() {
            assert_eq!(key, "updates", "of the others there are many");
            continue;
        }
        let second = at(&first["next_page_token"]).await;
        assert_ne!(second[key], first[key]);
        assert_eq!(at(&second["prev_page_token"]).await[key], first[key], "{key}");
    }
}
