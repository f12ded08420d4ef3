//! One world: what runs do, tables and system tables tell; what is asked of one face, every other knows.

use reqwest::Method;
use serde_json::{Value, json};

use super::sql::run;
use super::{Lab, items};

async fn rows(lab: &Lab, role: &str, statement: &str) -> Vec<Vec<String>> {
    let answer = run(lab, role, statement).await;
    assert_eq!(answer["status"]["state"], "SUCCEEDED", "{statement}: {answer}");
    let text = |cell: &Value| cell.as_str().unwrap_or("null").to_owned();
    let rows = answer["result"]["data_array"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row.as_array().expect("a row").iter().map(text).collect()).collect()
}

async fn one(lab: &Lab, statement: &str) -> String {
    rows(lab, "operator", statement).await[0][0].clone()
}

const TABLE: &str = "prod.finance.finance_kpis";

/// The job that writes [`TABLE`].
async fn job(lab: &Lab) -> u64 {
    let jobs = lab.get("/api/2.2/jobs/list?name=finance_kpis_hourly").await;
    items(&jobs, "jobs")[0]["job_id"].as_u64().expect("an id")
}

#[tokio::test]
async fn a_run_that_succeeds_commits_a_version() {
    let lab = Lab::calm().await;
    let history = format!("DESCRIBE HISTORY {TABLE}");
    let before = rows(&lab, "operator", &history).await;
    let newest: i64 = before[0][0].parse().expect("a version");
    assert!(before.len() > 400, "three weeks, every hour: {}", before.len());
    let started = lab.post("/api/2.2/jobs/run-now", json!({"job_id": job(&lab).await})).await;
    let run_id = started["run_id"].as_u64().expect("an id");
    lab.advance(600.0).await;
    let after = rows(&lab, "operator", &history).await;
    let mine = after.iter().find(|row| row[6].contains(&run_id.to_string())).expect("the run's commit");
    let version: i64 = mine[0].parse().expect("a version");
    assert!(version > newest && mine[4] == "WRITE", "{mine:?}");
    let count = async |at: i64| -> i64 {
        one(&lab, &format!("SELECT count(*) FROM {TABLE} VERSION AS OF {at}")).await.parse().expect("a count")
    };
    assert!(count(version).await > count(version - 1).await);
    assert_eq!(one(&lab, &format!("SELECT count(*) > 0 FROM {TABLE} WHERE run_id = {run_id}")).await, "true");
    // Unity Catalog tells the same version.
    let path = format!("/api/2.1/unity-catalog/tables/{TABLE}");
    let newest = after[0][0].clone();
    assert_eq!(lab.get(&path).await["properties"]["delta.lastUpdateVersion"], newest.as_str());
}

#[tokio::test]
async fn system_tables_tell_of_runs_and_acts_late() {
    let lab = Lab::calm().await;
    let grant = json!({"changes": [{"principal": "analysts", "add": ["SELECT"]}]});
    let path = "/api/2.1/unity-catalog/permissions/schema/dev.default";
    lab.call("dev", "operator", Method::PATCH, path, Some(&grant)).await;
    let job = job(&lab).await;
    let started = lab.post("/api/2.2/jobs/run-now", json!({"job_id": job})).await;
    let run_id = started["run_id"].as_u64().expect("an id");
    lab.advance(300.0).await;
    let timeline = format!(
        "SELECT result_state, trigger_type, termination_code FROM system.lakeflow.job_run_timeline WHERE job_id = '{job}' AND run_id = '{run_id}' AND result_state IS NOT NULL"
    );
    assert!(rows(&lab, "operator", &timeline).await.is_empty(), "too soon");
    lab.advance(3_600.0).await;
    assert_eq!(rows(&lab, "operator", &timeline).await, [["SUCCEEDED", "ONETIME", "SUCCESS"]]);
    let settings = format!(
        "SELECT name, paused, tags['product'] FROM system.lakeflow.jobs WHERE job_id = '{job}' ORDER BY change_time"
    );
    assert_eq!(rows(&lab, "operator", &settings).await, [["finance_kpis_hourly", "false", "finance"]]);
    let tasks = format!(
        "SELECT count(DISTINCT run_id) FROM system.lakeflow.job_task_run_timeline WHERE job_run_id = '{run_id}'"
    );
    assert_eq!(one(&lab, &tasks).await, "3");
    let audit = format!(
        "SELECT action_name FROM system.access.audit WHERE request_params['runId'] = '{run_id}' ORDER BY event_time, action_name"
    );
    assert_eq!(rows(&lab, "operator", &audit).await, [["runNow"], ["runStart"], ["runSucceeded"]]);
    let history = "SELECT executed_by FROM system.query.history WHERE statement_text LIKE '%job_run_timeline%' AND execution_status = 'FINISHED' LIMIT 1";
    assert_eq!(one(&lab, history).await, "ana@example.com");
    let lineage = "SELECT count(*) > 0 FROM system.access.table_lineage WHERE source_table_full_name = 'prod.finance.gl_entries' AND target_table_full_name = 'prod.finance.tax_extract' AND entity_type = 'JOB'";
    assert_eq!(one(&lab, lineage).await, "true");
    let audit = "SELECT user_identity.email, request_params['changes'] FROM system.access.audit WHERE service_name = 'unityCatalog' AND action_name = 'updatePermissions'";
    assert_eq!(rows(&lab, "operator", audit).await, [["ana@example.com", "analysts: +[SELECT] -[]"]]);
    // Whoever reads nothing of system sees nothing of it.
    let refused = run(&lab, "reader", &timeline).await;
    assert_eq!(refused["status"]["sql_state"], "42501", "{refused}");
}

#[tokio::test]
async fn a_year_of_billing_is_priced_and_corrected() {
    let lab = Lab::calm().await;
    let days = rows(
        &lab,
        "operator",
        "SELECT datediff(max(usage_date), min(usage_date)), count(*) = count(DISTINCT record_id), max(ingestion_date) >= max(usage_date), sum(usage_quantity) > 0 FROM system.billing.usage",
    )
    .await;
    assert!(days[0][0].parse::<i64>().is_ok_and(|days| (350..=366).contains(&days)), "{days:?}");
    assert_eq!(days[0][1..], ["true", "true", "true"]);
    const PRICED: &str = "FROM system.billing.usage u LEFT JOIN system.billing.list_prices p ON u.sku_name = p.sku_name AND u.cloud = p.cloud AND u.usage_unit = p.usage_unit AND u.usage_end_time >= p.price_start_time AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time)";
    assert_eq!(
        one(&lab, &format!("SELECT count(*) {PRICED} WHERE p.sku_name IS NULL")).await,
        "0",
        "nothing is unpriced"
    );
    let net = "SELECT record_type, count(*), sum(usage_quantity) < 0 FROM system.billing.usage GROUP BY record_type ORDER BY record_type";
    let kinds = rows(&lab, "operator", net).await;
    assert_eq!(
        kinds.iter().map(|kind| (kind[0].as_str(), kind[2].as_str())).collect::<Vec<_>>(),
        [("ORIGINAL", "false"), ("RESTATEMENT", "false"), ("RETRACTION", "true")]
    );
    assert_eq!(kinds[1][1], kinds[2][1], "every correction takes back and restates");
    // Usage of today comes later today.
    let known = one(&lab, "SELECT count(*) FROM system.billing.usage WHERE usage_date = DATE'2026-03-04'").await;
    lab.advance(6.0 * 3_600.0).await;
    let later = one(&lab, "SELECT count(*) FROM system.billing.usage WHERE usage_date = DATE'2026-03-04'").await;
    assert!(later.parse::<u64>().expect("a count") > known.parse().expect("a count"), "{known} {later}");
}

#[tokio::test]
async fn an_event_log_is_a_table() {
    let lab = Lab::calm().await;
    let pipelines = lab.get("/api/2.0/pipelines?max_results=100").await;
    let stream =
        items(&pipelines, "statuses").iter().find(|pipeline| pipeline["state"] == "RUNNING").expect("a stream");
    let (id, name) = (stream["pipeline_id"].as_str().expect("an id"), stream["name"].as_str().expect("a name"));
    const BACKLOG: &str =
        "max_by(CAST(details:flow_progress.metrics.backlog_records AS BIGINT), timestamp) IS NOT NULL";
    let backlog = |from: &str| {
        format!(
            "SELECT {BACKLOG} FROM {from} WHERE event_type = 'flow_progress' AND timestamp > current_timestamp() - INTERVAL 15 MINUTES"
        )
    };
    for role in ["operator", "reader"] {
        for from in [format!("prod.ops_eventlog.{name}"), format!("event_log('{id}')")] {
            assert_eq!(rows(&lab, role, &backlog(&from)).await, [["true"]], "{from}");
        }
    }
    let newest = format!("SELECT max(timestamp) FROM prod.ops_eventlog.{name}");
    let before = one(&lab, &newest).await;
    lab.advance(120.0).await;
    assert!(one(&lab, &newest).await > before);
}
