//! The statement API from outside: what is executed, when it ends, who wins, who may.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Lab, items, refusal};

const STATEMENTS: &str = "/api/2.0/sql/statements";
/// Longer than any test runs: statements end when the world is moved.
const HOUR_MS: u64 = 3_600_000;

/// A warehouse of dev: the first never stops by itself, the second does.
async fn warehouse(lab: &Lab, number: usize) -> String {
    let response = lab.call("dev", "operator", Method::GET, "/api/2.0/sql/warehouses", None).await;
    let body: Value = response.json().await.expect("JSON");
    items(&body, "warehouses")[number]["id"].as_str().expect("an id").to_owned()
}

async fn post(lab: &Lab, role: &str, more: Value) -> reqwest::Response {
    let mut body = json!({"warehouse_id": warehouse(lab, 0).await, "wait_timeout": "50s"});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    lab.call("dev", role, Method::POST, STATEMENTS, Some(&body)).await
}

/// Executes in dev and gives the answer, whatever its state.
async fn execute(lab: &Lab, role: &str, more: Value) -> Value {
    let response = post(lab, role, more).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.expect("JSON")
}

pub(super) async fn run(lab: &Lab, role: &str, statement: &str) -> Value {
    execute(lab, role, json!({"statement": statement})).await
}

/// Executes in dev and gives the rows.
async fn rows(lab: &Lab, role: &str, statement: &str) -> Value {
    let answer = run(lab, role, statement).await;
    assert_eq!(answer["status"]["state"], "SUCCEEDED", "{statement}: {answer}");
    answer["result"]["data_array"].clone()
}

async fn look(lab: &Lab, role: &str, id: &str) -> Value {
    let response = lab.call("dev", role, Method::GET, &format!("{STATEMENTS}/{id}"), None).await;
    response.json().await.expect("JSON")
}

/// Begins a statement and gives its id; it has read its snapshot and waits for its end.
async fn begin(lab: &Lab, role: &str, statement: &str) -> String {
    let answer = execute(lab, role, json!({"statement": statement, "wait_timeout": "0s"})).await;
    assert_eq!(answer["status"]["state"], "PENDING", "{answer}");
    let id = answer["statement_id"].as_str().expect("an id").to_owned();
    assert_eq!(look(lab, role, &id).await["status"]["state"], "RUNNING");
    id
}

async fn takes(lab: &Lab, takes_ms: Option<u64>) {
    lab.admin(Method::POST, "/statements", Some(&json!({"takes_ms": takes_ms}))).await;
}

async fn lease(lab: &Lab) {
    for statement in [
        "CREATE SCHEMA dev.locks",
        "CREATE TABLE dev.locks.lease (product STRING, holder STRING, fence BIGINT) TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')",
        "INSERT INTO dev.locks.lease VALUES ('sales', NULL, 1)",
    ] {
        let answer = run(lab, "operator", statement).await;
        assert_eq!(answer["status"]["state"], "SUCCEEDED", "{statement}: {answer}");
    }
}

const ACQUIRE: &str =
    "UPDATE dev.locks.lease SET holder = session_user(), fence = fence + 1 WHERE product = 'sales' AND holder IS NULL";

#[tokio::test]
async fn a_statement_is_executed_with_its_parameters_and_types() {
    let lab = Lab::calm().await;
    let answer = execute(
        &lab,
        "operator",
        json!({
            "statement": "SELECT :n + 1 AS n, :d AS d, :text AS text, :nothing AS nothing",
            "parameters": [
                {"name": "n", "value": "41", "type": "BIGINT"}, {"name": "d", "value": "1.5", "type": "DECIMAL(10,2)"},
                {"name": "text", "value": "it's; -- text"}, {"name": "nothing", "type": "DATE"},
            ],
        }),
    )
    .await;
    assert_eq!(answer["result"]["data_array"], json!([["42", "1.50", "it's; -- text", null]]), "{answer}");
    let columns = items(&answer["manifest"]["schema"], "columns");
    let types: Vec<&str> = columns.iter().map(|column| column["type_name"].as_str().expect("a type")).collect();
    assert_eq!(types, ["LONG", "DECIMAL", "STRING", "DATE"]);
    assert_eq!((&columns[1]["type_precision"], &columns[1]["type_scale"]), (&json!(10), &json!(2)));

    let bad = run(&lab, "operator", "SELECT * FROM dev.nowhere.nothing").await;
    assert_eq!((&bad["status"]["state"], &bad["status"]["sql_state"]), (&json!("FAILED"), &json!("42P01")));
    assert_eq!(bad["status"]["error"]["error_code"], "BAD_REQUEST");
    let message = bad["status"]["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("[TABLE_OR_VIEW_NOT_FOUND]") && bad.get("manifest").is_none(), "{bad}");
}

#[tokio::test]
async fn two_sessions_that_overlap_on_one_row_have_one_winner() {
    let lab = Lab::calm().await;
    lease(&lab).await;
    takes(&lab, Some(HOUR_MS)).await;
    let first = begin(&lab, "operator", ACQUIRE).await;
    let second = begin(&lab, "operator2", ACQUIRE).await;
    lab.advance(3_600.0).await;
    let (won, lost) = (look(&lab, "operator", &first).await, look(&lab, "operator2", &second).await);
    assert_eq!(won["result"]["data_array"], json!([["1"]]), "{won}");
    assert_eq!(lost["status"]["state"], "FAILED", "{lost}");
    assert_eq!(lost["status"]["sql_state"], "2D521");
    takes(&lab, None).await;
    let holder = rows(&lab, "operator", "SELECT holder, fence FROM dev.locks.lease").await;
    assert_eq!(holder, json!([["ana@example.com", "2"]]));
    // Who comes after the winner finds the row taken.
    assert_eq!(rows(&lab, "operator2", ACQUIRE).await, json!([["0"]]));
}

#[tokio::test]
async fn what_is_canceled_before_its_end_leaves_no_trace() {
    let lab = Lab::calm().await;
    lease(&lab).await;
    takes(&lab, Some(HOUR_MS)).await;
    for statement in [ACQUIRE, "DROP TABLE dev.locks.lease"] {
        let id = begin(&lab, "operator", statement).await;
        lab.call("dev", "operator", Method::POST, &format!("{STATEMENTS}/{id}/cancel"), None).await;
        assert_eq!(look(&lab, "operator", &id).await["status"]["state"], "CANCELED");
    }
    let stopped = begin(&lab, "operator", ACQUIRE).await;
    let stop = format!("/api/2.0/sql/warehouses/{}/stop", warehouse(&lab, 0).await);
    lab.call("dev", "ci", Method::POST, &stop, None).await;
    assert_eq!(look(&lab, "operator", &stopped).await["status"]["state"], "CANCELED");
    lab.advance(7_200.0).await;
    takes(&lab, None).await;
    // The warehouse is cold by now: the world must move for it to start.
    let cold =
        execute(&lab, "operator", json!({"statement": "SELECT holder FROM dev.locks.lease", "wait_timeout": "0s"}));
    let id = cold.await["statement_id"].as_str().expect("an id").to_owned();
    assert_eq!(look(&lab, "operator", &id).await["status"]["state"], "PENDING");
    lab.advance(60.0).await;
    assert_eq!(look(&lab, "operator", &id).await["result"]["data_array"], json!([[null]]));
}

#[tokio::test]
async fn a_reader_of_a_snapshot_sees_no_later_commit() {
    let lab = Lab::calm().await;
    lease(&lab).await;
    takes(&lab, Some(HOUR_MS)).await;
    let reader = begin(&lab, "operator2", "SELECT fence FROM dev.locks.lease").await;
    takes(&lab, None).await;
    assert_eq!(rows(&lab, "operator", ACQUIRE).await, json!([["1"]]));
    lab.advance(3_600.0).await;
    assert_eq!(look(&lab, "operator2", &reader).await["result"]["data_array"], json!([["1"]]));
}

#[tokio::test]
async fn a_result_lives_an_hour_and_its_statement_twelve() {
    let lab = Lab::calm().await;
    let id = run(&lab, "operator", "SELECT 1").await["statement_id"].as_str().expect("an id").to_owned();
    lab.advance(3_500.0).await;
    assert_eq!(look(&lab, "operator", &id).await["result"]["data_array"], json!([["1"]]));
    lab.advance(101.0).await;
    let closed = look(&lab, "operator", &id).await;
    assert_eq!((&closed["status"]["state"], closed.get("result")), (&json!("CLOSED"), None));
    let chunk = format!("{STATEMENTS}/{id}/result/chunks/0");
    assert_eq!(lab.call("dev", "operator", Method::GET, &chunk, None).await.status(), StatusCode::NOT_FOUND);
    lab.advance(11.0 * 3_600.0).await;
    let gone = lab.call("dev", "operator", Method::GET, &format!("{STATEMENTS}/{id}"), None).await;
    assert_eq!(refusal(gone).await.1, "RESOURCE_DOES_NOT_EXIST");
}

#[tokio::test]
async fn results_come_in_chunks_inline_or_behind_links() {
    let lab = Lab::calm().await;
    const MANY: &str = "SELECT id, repeat('x', 900) AS filler FROM range(10000) ORDER BY id";
    for disposition in ["INLINE", "EXTERNAL_LINKS"] {
        let answer = execute(&lab, "operator", json!({"statement": MANY, "disposition": disposition})).await;
        assert_eq!(answer["manifest"]["total_row_count"], 10_000, "{}", answer["status"]);
        assert!(answer["manifest"]["total_chunk_count"].as_u64() > Some(1));
        let mut found = 0;
        let mut part = answer["result"].clone();
        loop {
            let place = if disposition == "INLINE" { part.clone() } else { part["external_links"][0].clone() };
            let lines = if disposition == "INLINE" {
                part["data_array"].clone()
            } else {
                let link = place["external_link"].as_str().expect("a link");
                let with_credential = lab.http.get(link).bearer_auth("dapi").send().await.expect("an answer");
                assert_eq!(with_credential.status(), StatusCode::BAD_REQUEST);
                let forged = format!("{}0", link.get(..link.len() - 1).expect("a link"));
                assert_eq!(lab.http.get(forged).send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
                lab.http.get(link).send().await.expect("an answer").json().await.expect("JSON")
            };
            for line in lines.as_array().expect("rows") {
                assert_eq!(line[0], found.to_string());
                found += 1;
            }
            let Some(next) = place["next_chunk_internal_link"].as_str() else { break };
            part = lab.call("dev", "operator", Method::GET, next, None).await.json().await.expect("JSON");
        }
        assert_eq!(found, 10_000);
    }
    let limited = execute(&lab, "operator", json!({"statement": MANY, "row_limit": 3})).await;
    assert_eq!((&limited["manifest"]["total_row_count"], &limited["manifest"]["truncated"]), (&json!(3), &json!(true)));
    let huge = run(&lab, "operator", &MANY.replace("900", "3000")).await;
    assert!(huge["status"]["error"]["message"].as_str().expect("a message").starts_with("Inline byte limit exceeded"));
    let csv = execute(
        &lab,
        "operator",
        json!({"statement": "SELECT 1 AS a, NULL AS b", "disposition": "EXTERNAL_LINKS", "format": "CSV"}),
    )
    .await;
    let link = csv["result"]["external_links"][0]["external_link"].as_str().expect("a link");
    assert_eq!(lab.http.get(link).send().await.expect("an answer").text().await.expect("text"), "a,b\r\n1,\r\n");
    lab.clock.move_on(901);
    assert_eq!(lab.http.get(link).send().await.expect("an answer").status(), StatusCode::FORBIDDEN, "too old");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_runs() {
    let lab = Lab::calm().await;
    for (more, word) in [
        (json!({"statement": ""}), "statement"),
        (json!({"statement": "SELECT 1", "wait_timeout": "3s"}), "wait_timeout"),
        (json!({"statement": "SELECT 1", "format": "CSV"}), "JSON_ARRAY"),
        (json!({"statement": "SELECT 1", "disposition": "NOWHERE"}), "disposition"),
        (json!({"statement": "SELECT 1", "on_wait_timeout": "PANIC"}), "on_wait_timeout"),
        (json!({"statement": "SELECT :a", "parameters": [{"name": "a", "type": "ARRAY<INT>"}]}), "ARRAY<INT>"),
        (json!({"statement": "SELECT 1", "row_limit": -1}), "row_limit"),
    ] {
        let (status, code, message) = refusal(post(&lab, "operator", more).await).await;
        assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{message}");
        assert!(message.contains(word), "{message}");
    }
    let elsewhere = post(&lab, "operator", json!({"statement": "SELECT 1", "warehouse_id": "0000000000000000"})).await;
    assert_eq!(refusal(elsewhere).await.0, 404);
}

#[tokio::test]
async fn rights_are_the_principals() {
    let lab = Lab::calm().await;
    let refused = run(&lab, "reader", "CREATE SCHEMA dev.mine").await;
    assert_eq!(refused["status"]["sql_state"], "42501", "{refused}");
    assert_eq!(rows(&lab, "reader", "SELECT session_user()").await, json!([["kiri@example.com"]]));
    // Another's statement is nobody's business, except an admin's.
    let id = run(&lab, "reader", "SELECT 1").await["statement_id"].as_str().expect("an id").to_owned();
    let path = format!("{STATEMENTS}/{id}");
    assert_eq!(lab.call("dev", "operator", Method::GET, &path, None).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(lab.call("dev", "ci", Method::GET, &path, None).await.status(), StatusCode::OK);
    assert_eq!(lab.call("prod", "ci", Method::GET, &path, None).await.status(), StatusCode::NOT_FOUND);
    // A grant changes what may be done.
    run(&lab, "operator", "GRANT CREATE SCHEMA ON CATALOG dev TO `kiri@example.com`").await;
    assert_eq!(run(&lab, "reader", "CREATE SCHEMA dev.mine").await["status"]["state"], "SUCCEEDED");
}

#[tokio::test]
async fn what_use_says_lasts_in_a_session_and_nowhere_else() {
    let lab = Lab::calm().await;
    let body = json!({"warehouse_id": warehouse(&lab, 0).await, "catalog": "dev"});
    let open = lab.call("dev", "operator", Method::POST, "/api/2.0/sql/sessions", Some(&body)).await;
    let open: Value = open.json().await.expect("JSON");
    let session = open["session_id"].as_str().expect("an id");
    const WHERE: &str = "SELECT current_catalog(), current_schema()";
    let within =
        async |statement: &str| execute(&lab, "operator", json!({"statement": statement, "session_id": session})).await;
    assert_eq!(within(WHERE).await["result"]["data_array"], json!([["dev", "default"]]));
    within("CREATE SCHEMA dev.here").await;
    within("USE dev.here").await;
    assert_eq!(within(WHERE).await["result"]["data_array"], json!([["dev", "here"]]));
    assert_eq!(rows(&lab, "operator", WHERE).await, json!([["main", "default"]]));
    let placed = execute(&lab, "operator", json!({"statement": WHERE, "catalog": "dev", "schema": "here"})).await;
    assert_eq!(placed["result"]["data_array"], json!([["dev", "here"]]));
    let path = format!("/api/2.0/sql/sessions/{session}");
    assert_eq!(lab.call("dev", "operator2", Method::DELETE, &path, None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(lab.call("dev", "operator", Method::DELETE, &path, None).await.status(), StatusCode::OK);
    let after = post(&lab, "operator", json!({"statement": WHERE, "session_id": session})).await;
    assert_eq!(after.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn history_finds_a_statement_by_its_tags_after_a_lost_answer() {
    let lab = Lab::calm().await;
    lab.plant(json!({"kind": "reset", "when": "after", "method": "POST", "route": STATEMENTS, "count": 1})).await;
    let body = json!({
        "statement": "SELECT 11", "warehouse_id": warehouse(&lab, 0).await, "wait_timeout": "0s",
        "query_tags": [{"key": "op", "value": "01JX"}],
    });
    let access = lab.access("dev");
    let sent =
        lab.http.post(format!("{}{STATEMENTS}", access.host)).bearer_auth(&access.tokens["operator"]).json(&body);
    assert!(sent.send().await.is_err(), "the connection was reset");
    let path = "/api/2.0/sql/history/queries?max_results=10";
    let history: Value = lab.call("dev", "operator2", Method::GET, path, None).await.json().await.expect("JSON");
    let found = items(&history, "res").iter().find(|entry| entry["query_tags"][0]["value"] == "01JX").expect("tagged");
    assert_eq!((&found["query_text"], &found["user_name"]), (&json!("SELECT 11"), &json!("ana@example.com")));
    let own: Value = lab.call("dev", "reader", Method::GET, path, None).await.json().await.expect("JSON");
    assert_eq!(items(&own, "res").len(), 0, "a reader sees its own queries");
}
