//! Jobs and pipelines that somebody deploys: what was written is read back, changed in part, replaced, gone.

use reqwest::Method;
use serde_json::{Value, json};

use super::Lab;

const JOBS: &str = "/api/2.2/jobs";
const PIPELINES: &str = "/api/2.0/pipelines";

impl Lab {
    pub(super) async fn create_job(&self, settings: Value) -> Value {
        self.author(Method::POST, &format!("{JOBS}/create"), Some(settings)).await["job_id"].clone()
    }

    async fn job(&self, id: &Value) -> Value {
        self.author(Method::GET, &format!("{JOBS}/get?job_id={id}"), None).await
    }

    async fn create_pipeline(&self, spec: Value) -> String {
        let made = self.author(Method::POST, PIPELINES, Some(spec)).await;
        made["pipeline_id"].as_str().expect("an id").to_owned()
    }
}

/// Every member of `sent`, at any depth, is in `got`.
fn holds(sent: &Value, got: &Value, place: &str) {
    match sent {
        Value::Object(members) => {
            for (name, value) in members {
                assert!(got.get(name).is_some(), "{place}/{name} is missing in {got}");
                holds(value, &got[name], &format!("{place}/{name}"));
            }
        }
        Value::Array(elements) => {
            assert_eq!(got.as_array().map(Vec::len), Some(elements.len()), "{place}");
            for (at, element) in elements.iter().enumerate() {
                holds(element, &got[at], &format!("{place}/{at}"));
            }
        }
        _ => assert_eq!(sent, got, "{place}"),
    }
}

fn every_kind() -> Value {
    json!({
        "name": "every kind",
        "max_concurrent_runs": 4,
        "trigger": {"pause_status": "PAUSED", "file_arrival": {"url": "/Volumes/dev/raw/in/", "later": 1}},
        "environments": [{"environment_key": "e", "spec": {"environment_version": "4", "dependencies": ["./a.whl"]}}],
        "git_source": {"git_url": "https://example.com/a.git", "git_provider": "gitLab", "git_branch": "main"},
        "health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 9}]},
        "notification_settings": {"no_alert_for_skipped_runs": false},
        "performance_target": "STANDARD",
        "tasks": [
            {"task_key": "check", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}},
            {"task_key": "each", "depends_on": [{"task_key": "check", "outcome": "true"}], "for_each_task": {
                "inputs": "[1, 2]", "concurrency": 2,
                "task": {"task_key": "one", "spark_python_task": {"python_file": "/w/one.py", "parameters": ["{{input}}"]},
                    "environment_key": "e", "max_retries": 0}}},
            {"task_key": "wheel", "python_wheel_task": {"package_name": "p", "entry_point": "m", "named_parameters": {"a": "b"}},
                "environment_key": "e", "retry_on_timeout": false},
            {"task_key": "sql", "sql_task": {"warehouse_id": "w", "alert": {"alert_id": "a", "pause_subscriptions": false}}},
            {"task_key": "dash", "dashboard_task": {"dashboard_id": "d", "subscription": {"paused": false}}, "disabled": false},
        ],
    })
}

#[tokio::test]
async fn a_job_reads_back_as_it_was_written_with_the_servers_defaults() {
    let lab = Lab::calm().await;
    let sent = every_kind();
    let id = lab.create_job(sent.clone()).await;
    let got = lab.job(&id).await;
    holds(&sent, &got["settings"], "");
    assert_eq!(
        (&got["creator_user_name"], &got["run_as_user_name"]),
        (&json!("emre@example.com"), &json!("emre@example.com"))
    );
    let settings = &got["settings"];
    assert_eq!((&settings["format"], &settings["timeout_seconds"]), (&json!("MULTI_TASK"), &json!(0)));
    assert_eq!((&settings["email_notifications"], &settings["webhook_notifications"]), (&json!({}), &json!({})));
    assert!(settings["run_as"].is_null() && settings["queue"].is_null(), "only what was said: {settings}");
    assert_eq!(settings["tasks"][0]["run_if"], "ALL_SUCCESS");
}

#[tokio::test]
async fn dependencies_are_sorted_notebooks_get_a_source_and_instructions_are_forgotten() {
    let lab = Lab::calm().await;
    let cluster = json!({"num_workers": 1, "spark_version": "16.4.x-scala2.12", "apply_policy_default_values": true});
    let notebook = json!({"notebook_path": "/w/n"});
    let id = lab
        .create_job(json!({
            "job_clusters": [{"job_cluster_key": "m", "new_cluster": cluster}],
            "tasks": [
                {"task_key": "b", "notebook_task": notebook, "new_cluster": cluster},
                {"task_key": "a", "notebook_task": notebook, "job_cluster_key": "m"},
                {"task_key": "c", "notebook_task": notebook, "depends_on": [{"task_key": "b"}, {"task_key": "a"}]},
            ],
        }))
        .await;
    let settings = lab.job(&id).await["settings"].clone();
    assert_eq!(settings["name"], "Untitled");
    assert_eq!(settings["tasks"][2]["depends_on"], json!([{"task_key": "a"}, {"task_key": "b"}]));
    assert_eq!(settings["tasks"][0]["notebook_task"]["source"], "WORKSPACE");
    assert!(!settings.to_string().contains("apply_policy_default_values"), "{settings}");
}

#[tokio::test]
async fn an_update_merges_by_key_a_reset_replaces_and_a_deleted_job_is_gone() {
    let lab = Lab::calm().await;
    let task = |key: &str, file: &str| json!({"task_key": key, "spark_python_task": {"python_file": file}});
    let tasks = json!([task("a", "/1.py"), task("b", "/1.py")]);
    let id = lab.create_job(json!({"name": "n", "description": "d", "tags": {"t": "1"}, "tasks": tasks})).await;
    let change = json!({"job_id": id, "fields_to_remove": ["description", "tasks/a"],
        "new_settings": {"timeout_seconds": 60, "tasks": [task("b", "/2.py"), task("c", "/3.py")]}});
    lab.author(Method::POST, &format!("{JOBS}/update"), Some(change)).await;
    let settings = lab.job(&id).await["settings"].clone();
    assert_eq!(
        (&settings["name"], &settings["timeout_seconds"], &settings["description"]),
        (&json!("n"), &json!(60), &Value::Null)
    );
    let files: Vec<&Value> =
        super::items(&settings, "tasks").iter().map(|task| &task["spark_python_task"]["python_file"]).collect();
    assert_eq!(files, ["/2.py", "/3.py"]);

    let reset = json!({"job_id": id, "new_settings": {"name": "m", "run_as": {"user_name": "ana@example.com"}}});
    lab.author(Method::POST, &format!("{JOBS}/reset"), Some(reset)).await;
    let reset = json!({"job_id": id, "new_settings": {"name": "m"}});
    lab.author(Method::POST, &format!("{JOBS}/reset"), Some(reset)).await;
    let job = lab.job(&id).await;
    assert!(job["settings"]["tasks"].is_null() && job["settings"]["tags"].is_null());
    assert_eq!(
        (&job["run_as_user_name"], &job["settings"]["run_as"]["user_name"]),
        (&json!("ana@example.com"), &json!("ana@example.com"))
    );

    lab.author(Method::POST, &format!("{JOBS}/delete"), Some(json!({"job_id": id}))).await;
    let (status, code, message) = lab.author_refused(Method::GET, &format!("{JOBS}/get?job_id={id}"), None).await;
    assert_eq!((status, code.as_str()), (400, "INVALID_PARAMETER_VALUE"));
    assert_eq!(message, format!("Job {id} does not exist."));
}

#[tokio::test]
async fn what_no_job_can_be_is_refused_and_so_is_a_stranger() {
    let lab = Lab::calm().await;
    let notebook = json!({"notebook_path": "/w/n"});
    for wrong in [
        json!({"tasks": [{"task_key": "a"}]}),
        json!({"tasks": [{"task_key": "a", "notebook_task": notebook, "sql_task": {}}]}),
        json!({"tasks": [{"task_key": "a", "condition_task": {"op": "EQUAL_TO"}, "notebook_task": notebook}]}),
        json!({"git_source": {"git_url": "https://example.com/a.git"}}),
        json!({"access_control_list": [{"group_name": "users", "permission_level": "IS_OWNER_OF_ALL"}]}),
    ] {
        let refused = lab.author_refused(Method::POST, &format!("{JOBS}/create"), Some(wrong.clone())).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "INVALID_PARAMETER_VALUE"), "{wrong}");
    }
    let id =
        lab.create_job(json!({"access_control_list": [{"group_name": "users", "permission_level": "CAN_VIEW"}]})).await;
    let body = json!({"job_id": id, "new_settings": {}});
    let response = lab.call("dev", "operator", Method::POST, &format!("{JOBS}/reset"), Some(&body)).await;
    let (status, code, _) = super::refusal(response).await;
    assert_eq!((status, code.as_str()), (403, "PERMISSION_DENIED"));
}

#[tokio::test]
async fn a_pipeline_reads_back_as_it_was_written_and_nothing_else() {
    let lab = Lab::calm().await;
    let sent = json!({
        "name": "made", "catalog": "dev", "schema": "s", "serverless": true, "channel": "CURRENT", "edition": "ADVANCED",
        "libraries": [{"glob": {"include": "/w/**"}}, {"file": {"path": "/w/a.py"}}], "development": false,
        "environment": {"dependencies": ["-e /w"]}, "event_log": {"name": "log", "schema": "ops", "catalog": "dev"},
        "deployment": {"kind": "BUNDLE", "metadata_file_path": "/w/m.json"}, "later": {"a": [1]},
        "clusters": [{"label": "default", "autoscale": {"min_workers": 1, "max_workers": 2, "mode": "ENHANCED"}}],
    });
    let id = lab.create_pipeline(sent.clone()).await;
    let path = format!("{PIPELINES}/{id}");
    let got = lab.author(Method::GET, &path, None).await;
    let mut spec = got["spec"].clone();
    assert_eq!(spec.as_object_mut().expect("a spec").shift_remove("id"), Some(json!(id)));
    assert_eq!(spec, sent);
    assert_eq!((&got["name"], &got["state"], &got["health"]), (&json!("made"), &json!("IDLE"), &json!("HEALTHY")));
    assert!(got["run_as"].is_null(), "told only when somebody said it");

    let (status, code, _) = lab.author_refused(Method::POST, PIPELINES, Some(sent.clone())).await;
    assert_eq!((status, code.as_str()), (409, "RESOURCE_CONFLICT"), "a name is taken");
    let twin = json!({"name": "made", "allow_duplicate_names": true, "run_as": {"user_name": "ana@example.com"}});
    let twin = lab.author(Method::GET, &format!("{PIPELINES}/{}", lab.create_pipeline(twin).await), None).await;
    assert_eq!(twin["run_as"]["user_name"], "ana@example.com");
    assert!(twin["spec"]["allow_duplicate_names"].is_null());
    assert!(twin["spec"]["storage"].as_str().is_some_and(|storage| storage.starts_with("dbfs:/pipelines/")));

    let last = got["last_modified"].as_i64().expect("an instant");
    let edit = json!({"name": "made", "catalog": "dev", "schema": "t", "allow_duplicate_names": true, "expected_last_modified": last});
    lab.author(Method::PUT, &path, Some(edit.clone())).await;
    let got = lab.author(Method::GET, &path, None).await;
    assert_eq!(got["spec"], json!({"id": id, "name": "made", "catalog": "dev", "schema": "t"}));
    assert_eq!(lab.author_refused(Method::PUT, &path, Some(edit)).await.0, 409, "somebody was faster");
    let dotted = json!({"name": "x", "target": "a.b"});
    assert_eq!(lab.author_refused(Method::POST, PIPELINES, Some(dotted)).await.1, "INVALID_PARAMETER_VALUE");

    lab.author(Method::DELETE, &path, None).await;
    assert_eq!(lab.author_refused(Method::GET, &path, None).await.0, 404);
}

#[tokio::test]
async fn a_pipeline_runs_the_flows_that_its_code_defines() {
    let lab = Lab::calm().await;
    let home = "/Users/emre@example.com";
    for (name, code) in
        [("raw.sql", "CREATE STREAMING TABLE raw AS SELECT 1"), ("gold.py", "@dlt.table\ndef gold():\n  pass\n")]
    {
        let path = format!("/api/2.0/workspace-files/import-file{home}/{name}?overwrite=true");
        let access = lab.access("dev");
        let request = lab.http.post(format!("{}{path}", access.host)).bearer_auth(&access.tokens["author"]);
        assert!(request.body(code).send().await.expect("an answer").status().is_success());
    }
    let library = json!([{"glob": {"include": format!("{home}/**")}}]);
    let id = lab
        .create_pipeline(
            json!({"name": "p", "catalog": "dev", "schema": "s", "serverless": true, "libraries": library}),
        )
        .await;
    let path = format!("{PIPELINES}/{id}");
    let update = lab.author(Method::POST, &format!("{path}/updates"), Some(json!({}))).await["update_id"].clone();
    let update = update.as_str().expect("an id");
    lab.advance(1_800.0).await;
    let ended = lab.author(Method::GET, &format!("{path}/updates/{update}"), None).await;
    assert_eq!(ended["update"]["state"], "COMPLETED");
    let filter = format!("{path}/events?max_results=250&filter=update_id%20%3D%20%27{update}%27");
    let events = lab.author(Method::GET, &filter, None).await;
    let events = super::items(&events, "events");
    for flow in ["dev.s.gold", "dev.s.raw"] {
        let ended = |event: &&Value| event["origin"]["flow_name"] == flow && event["event_type"] == "flow_progress";
        assert!(events.iter().any(|event| ended(&event)), "{flow}");
    }
}
