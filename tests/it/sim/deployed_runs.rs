//! Jobs that somebody deployed run in the world: conditions decide, iterations and called jobs are runs, triggers fire.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Lab, items};

const JOBS: &str = "/api/2.2/jobs";

fn python(key: &str) -> Value {
    json!({"task_key": key, "spark_python_task": {"python_file": "/w/a.py"}})
}

fn after(key: &str, on: &Value) -> Value {
    let mut task = python(key);
    task["depends_on"] = json!([on]);
    task
}

impl Lab {
    async fn run_job(&self, job: &Value, parameters: Value) -> Value {
        let body = json!({"job_id": job, "job_parameters": parameters});
        let run = self.author(Method::POST, &format!("{JOBS}/run-now"), Some(body)).await["run_id"].clone();
        self.advance(3_600.0).await;
        self.author(Method::GET, &format!("{JOBS}/runs/get?run_id={run}"), None).await
    }

    async fn runs_of(&self, job: &Value) -> Vec<Value> {
        let listing = self.author(Method::GET, &format!("{JOBS}/runs/list?job_id={job}&limit=25"), None).await;
        listing["runs"].as_array().cloned().unwrap_or_default()
    }
}

fn task<'a>(run: &'a Value, key: &str) -> &'a Value {
    items(run, "tasks").iter().find(|task| task["task_key"] == key).expect("a task of that key")
}

#[tokio::test]
async fn a_condition_compares_what_the_run_was_given() {
    let lab = Lab::calm().await;
    let gate = json!({"op": "EQUAL_TO", "left": "{{job.parameters.mode}}", "right": "full"});
    let job = lab
        .create_job(json!({
            "parameters": [{"name": "mode", "default": "full"}],
            "tasks": [
                {"task_key": "gate", "condition_task": gate},
                after("yes", &json!({"task_key": "gate", "outcome": "true"})),
                after("no", &json!({"task_key": "gate", "outcome": "false"})),
            ],
        }))
        .await;
    for (parameters, outcome, ran, skipped) in
        [(json!({}), "true", "yes", "no"), (json!({"mode": "part"}), "false", "no", "yes")]
    {
        let run = lab.run_job(&job, parameters).await;
        assert_eq!(run["state"]["result_state"], "SUCCESS", "{run}");
        assert_eq!(task(&run, "gate")["condition_task"]["outcome"], outcome);
        assert_eq!(task(&run, ran)["state"]["result_state"], "SUCCESS");
        assert_eq!(task(&run, skipped)["state"]["result_state"], "EXCLUDED");
    }
}

#[tokio::test]
async fn iterations_are_runs_in_pages_and_each_is_found_by_its_id() {
    let lab = Lab::calm().await;
    let inputs: Vec<u32> = (0..130).collect();
    let each = json!({"inputs": "{{job.parameters.all}}", "concurrency": 20, "task": {
        "task_key": "one", "spark_python_task": {"python_file": "/w/a.py", "parameters": ["{{input}}"]}}});
    let job = lab
        .create_job(json!({
            "parameters": [{"name": "all", "default": json!(inputs).to_string()}],
            "tasks": [{"task_key": "each", "for_each_task": each}],
        }))
        .await;
    let run = lab.run_job(&job, json!({})).await;
    let stats = &task(&run, "each")["for_each_task"]["stats"]["task_run_stats"];
    assert_eq!((&stats["total_iterations"], &stats["succeeded_iterations"]), (&json!(130), &json!(130)), "{stats}");
    let path = format!("{JOBS}/runs/get?run_id={}", task(&run, "each")["run_id"]);
    let first = lab.author(Method::GET, &path, None).await;
    assert_eq!(items(&first, "iterations").len(), 100);
    let token = first["next_page_token"].as_str().expect("a second page");
    let second = lab.author(Method::GET, &format!("{path}&page_token={token}"), None).await;
    assert_eq!((items(&second, "iterations").len(), second["next_page_token"].is_null()), (30, true));
    let last = &items(&second, "iterations")[29];
    assert_eq!((&last["task_key"], &last["state"]["result_state"]), (&json!("one"), &json!("SUCCESS")));
    let found = lab.author(Method::GET, &format!("{JOBS}/runs/get?run_id={}", last["run_id"]), None).await;
    assert_eq!((&found["run_id"], &found["job_run_id"]), (&last["run_id"], &run["run_id"]));
    lab.author(Method::GET, &format!("{JOBS}/runs/get-output?run_id={}", last["run_id"]), None).await;
    let ids: std::collections::BTreeSet<u64> = [&first, &second]
        .into_iter()
        .flat_map(|page| items(page, "iterations"))
        .map(|lap| lap["run_id"].as_u64().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 130, "no two iterations share an id");
}

#[tokio::test]
async fn a_called_job_runs_with_what_its_caller_says() {
    let lab = Lab::calm().await;
    let child = lab
        .create_job(
            json!({"name": "child", "parameters": [{"name": "who", "default": "-"}], "tasks": [python("hello")]}),
        )
        .await;
    let call = json!({"task_key": "call", "run_job_task": {"job_id": child, "job_parameters": {"who": "parent"}}});
    let parent = lab.create_job(json!({"name": "parent", "tasks": [call]})).await;
    let run = lab.run_job(&parent, json!({})).await;
    assert_eq!(run["state"]["result_state"], "SUCCESS");
    let [called] = &lab.runs_of(&child).await[..] else { panic!("one run of the child") };
    assert_eq!(
        (&called["trigger"], &called["trigger_info"]["run_id"]),
        (&json!("RUN_JOB_TASK"), &task(&run, "call")["run_id"])
    );
    assert_eq!(called["job_parameters"], json!([{"name": "who", "default": "-", "value": "parent"}]));
    let path = format!("{JOBS}/runs/get-output?run_id={}", task(&run, "call")["run_id"]);
    assert_eq!(lab.author(Method::GET, &path, None).await["run_job_output"]["run_id"], called["run_id"]);
}

#[tokio::test]
async fn triggers_fire_unless_they_are_paused_and_what_is_continuous_goes_on() {
    let lab = Lab::calm().await;
    let made = async |more: Value| {
        let mut settings = json!({"name": "n", "tasks": [python("t")]});
        settings.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        lab.create_job(settings).await
    };
    let url = "s3://landing/in/";
    let periodic = made(json!({"trigger": {"periodic": {"interval": 2, "unit": "HOURS"}}})).await;
    let files =
        made(json!({"trigger": {"file_arrival": {"url": url, "min_time_between_triggers_seconds": 3000}}})).await;
    let stream = made(json!({"continuous": {"pause_status": "UNPAUSED"}})).await;
    let still = made(json!({"trigger": {"pause_status": "PAUSED", "file_arrival": {"url": url}}})).await;
    let asleep = made(json!({"continuous": {"pause_status": "PAUSED"}})).await;
    lab.advance(6.0 * 3_600.0 + 60.0).await;
    let triggers = async |job: &Value| -> Vec<String> {
        lab.runs_of(job).await.iter().map(|run| run["trigger"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(triggers(&periodic).await, ["PERIODIC"; 3]);
    let arrivals = triggers(&files).await;
    assert!((4..=7).contains(&arrivals.len()) && arrivals.iter().all(|word| word == "FILE_ARRIVAL"), "{arrivals:?}");
    let rounds = lab.runs_of(&stream).await;
    assert!(rounds.len() > 3 && rounds.iter().all(|run| run["trigger"] == "CONTINUOUS"), "{}", rounds.len());
    let active = rounds.iter().filter(|run| run["state"]["result_state"].is_null()).count();
    assert!(active <= 1, "one at a time, not {active}");
    assert!(triggers(&still).await.is_empty() && triggers(&asleep).await.is_empty());
}

#[tokio::test]
async fn the_runs_of_a_deleted_job_stay_for_those_who_saw_them() {
    let lab = Lab::calm().await;
    let job = lab.create_job(json!({"name": "gone", "tasks": [python("t")]})).await;
    let run = lab.run_job(&job, json!({})).await;
    lab.author(Method::POST, &format!("{JOBS}/delete"), Some(json!({"job_id": job}))).await;
    let path = format!("{JOBS}/runs/get?run_id={}", run["run_id"]);
    assert_eq!(lab.author(Method::GET, &path, None).await["run_name"], "gone");
    let all = lab.author(Method::GET, &format!("{JOBS}/runs/list?limit=25"), None).await;
    assert!(items(&all, "runs").iter().any(|listed| listed["run_id"] == run["run_id"]));
}
