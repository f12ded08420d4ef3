//! Acts through the real binary against a served world: run now, cancel, repair, start and stop, and what becomes of them
//! when answers are lost, people do not confirm, or the process is killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use lakeshift::runtime::clock::SystemClock;
use lakeshift::sim::{Options, Simulator};
use serde_json::{Value, json};

use crate::cli::described;

mod elsewhere;
mod hung;
mod kill;

/// A world and a home. What the fleet's file says on late requests is a second, so that settling does not take minutes.
pub(crate) struct Bench {
    world: tokio::runtime::Runtime,
    simulator: Simulator,
    folder: tempfile::TempDir,
    /// The workspace that the test is about.
    workspace: &'static str,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn document(&self) -> Value {
        described(&self.out)
    }
}

impl Bench {
    /// A test about dev, in a world whose time runs so many times as fast as ours.
    pub(crate) fn new(speed: f64) -> Self {
        Self::of("dev", speed)
    }

    /// A test about staging, which has pipelines that run all the time.
    pub(crate) fn staging(speed: f64) -> Self {
        Self::of("staging", speed)
    }

    /// A test about staging in a world that has a ledger.
    pub(crate) fn with_ledger(speed: f64) -> Self {
        Self::made("staging", speed, Some(lakeshift::runtime::ledger::simulated().expect("a ledger")))
    }

    fn of(workspace: &'static str, speed: f64) -> Self {
        Self::made(workspace, speed, None)
    }

    fn made(workspace: &'static str, speed: f64, ledger: Option<lakeshift::sim::Ledger>) -> Self {
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let world = world.expect("a runtime");
        let options = Options {
            scenario: "calm".to_owned(),
            seed: 1,
            speed,
            ledger,
            ..Options::new(std::sync::Arc::new(SystemClock))
        };
        let simulator = world.block_on(Simulator::start(options)).expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("sim.toml");
        simulator.write_config(&config).expect("written");
        let text = std::fs::read_to_string(&config).expect("read");
        // The ledger is in prod, and need not be spared here.
        let own = "\n[policy.prod]\nrequests_per_s = 30\n[operations]\nlate_bound = \"1s\"\n";
        std::fs::write(&config, text + own).expect("written");
        let bench = Self { world, simulator, folder, workspace };
        // Statements need not take their time here.
        bench.post("/statements", &json!({"takes_ms": 1}));
        bench
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.simulator.admin());
        self.world.block_on(async {
            let answer = crate::sim::http().post(url).json(body).send().await.expect("an answer");
            assert!(answer.status().is_success());
            answer.json::<Value>().await.expect("JSON")
        })
    }

    /// Requests to the workspace that changed something there, by method and route.
    pub(crate) fn acts(&self) -> Vec<String> {
        let url = format!("{}/requests?workspace={}&limit=20000", self.simulator.admin(), self.workspace);
        let answer: Value = self.world.block_on(async {
            crate::sim::http().get(url).send().await.expect("an answer").json().await.expect("JSON")
        });
        let requests = answer["requests"].as_array().expect("requests");
        let acts = requests.iter().filter(|request| request["method"] == "POST");
        acts.map(|request| format!("{} {}", request["route"].as_str().expect("a route"), request["status"])).collect()
    }

    pub(crate) fn ask(&self, path: &str) -> Value {
        let access =
            self.simulator.workspaces().iter().find(|access| access.name == self.workspace).expect("a workspace");
        let (url, token) = (format!("{}{path}", access.host), access.tokens["operator"].clone());
        self.world.block_on(async {
            let answer = crate::sim::http().get(url).bearer_auth(token).send().await.expect("an answer");
            assert!(answer.status().is_success(), "{path}");
            answer.json().await.expect("JSON")
        })
    }

    pub(crate) fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.arg("--config").arg(self.folder.path().join("sim.toml")).args(arguments);
        command.env_clear().env("HOME", self.folder.path().join(home)).env("USER", "ana").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, home: &str, arguments: &[&str]) -> Ran {
        let output = self.command(home, arguments).output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        Ran { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it prints as JSON, with the exit code that was expected.
    pub(crate) fn json(&self, home: &str, arguments: &[&str], code: i32) -> Value {
        let ran = self.run(home, &[arguments, &["--output", "json"]].concat());
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran.document()
    }

    /// A job of dev whose schedule is paused and that is a colleague's, with enough tasks to run for a while.
    pub(crate) fn job(&self) -> String {
        let jobs = self.ask("/api/2.2/jobs/list?limit=100&expand_tasks=true");
        let jobs = jobs["jobs"].as_array().expect("jobs");
        let fits = |job: &&Value| {
            let tasks = job["settings"]["tasks"].as_array().map_or(0, Vec::len);
            job["creator_user_name"] != self.operator() && (5..50).contains(&tasks)
        };
        id(&jobs.iter().find(fits).expect("such a job")["job_id"])
    }

    /// The principal that acts.
    fn operator(&self) -> Value {
        self.ask("/api/2.0/preview/scim/v2/Me")["userName"].clone()
    }

    /// The runs of a job that we started, newest first: colleagues start some of their own.
    pub(crate) fn runs_of(&self, job: &str) -> Vec<Value> {
        let runs = self.ask(&format!("/api/2.2/jobs/runs/list?job_id={job}&limit=24"));
        let operator = self.operator();
        let runs = runs["runs"].as_array().cloned().unwrap_or_default();
        runs.into_iter().filter(|run| run["creator_user_name"] == operator).collect()
    }

    pub(crate) fn newest_run(&self, job: &str) -> String {
        id(&self.runs_of(job)[0]["run_id"])
    }

    /// Something that the workspace is asked for without the program.
    pub(crate) fn order(&self, path: &str, body: &Value) {
        let access =
            self.simulator.workspaces().iter().find(|access| access.name == self.workspace).expect("a workspace");
        let (url, token) = (format!("{}{path}", access.host), access.tokens["operator"].clone());
        self.world.block_on(async {
            let sent = crate::sim::http().post(url).bearer_auth(token).json(body).send().await;
            assert!(sent.expect("an answer").status().is_success(), "{path}");
        });
    }

    /// Ends all runs of a job.
    pub(crate) fn end_runs(&self, job: &str) {
        let job: u64 = job.parse().expect("a number");
        self.order("/api/2.2/jobs/runs/cancel-all", &json!({"job_id": job, "all_queued_runs": true}));
        self.post("/advance", &json!({"seconds": 300}));
    }

    /// A pipeline that runs until it is stopped once it was started; at rest now.
    pub(crate) fn idle_pipeline(&self) -> String {
        let listed = self.ask("/api/2.0/pipelines?max_results=100");
        let statuses = listed["statuses"].as_array().expect("pipelines");
        let mut ids = statuses.iter().map(|pipeline| pipeline["pipeline_id"].as_str().expect("an id").to_owned());
        let continuous = |id: &String| self.ask(&format!("/api/2.0/pipelines/{id}"))["spec"]["continuous"] == true;
        let id = ids.find(continuous).expect("a continuous pipeline");
        self.end_update(&id);
        id
    }

    pub(crate) fn updates_of(&self, pipeline: &str) -> Vec<Value> {
        let listed = self.ask(&format!("/api/2.0/pipelines/{pipeline}/updates?max_results=100"));
        listed["updates"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn is_active(&self, pipeline: &str) -> bool {
        let ends = ["COMPLETED", "FAILED", "CANCELED"];
        self.updates_of(pipeline).iter().any(|update| !ends.contains(&update["state"].as_str().expect("a state")))
    }

    /// Stops a pipeline without the program.
    pub(crate) fn end_update(&self, pipeline: &str) {
        self.order(&format!("/api/2.0/pipelines/{pipeline}/stop"), &json!({}));
        self.post("/advance", &json!({"seconds": 300}));
        assert!(!self.is_active(pipeline));
    }
}

fn id(value: &Value) -> String {
    value.as_u64().expect("an id").to_string()
}

#[test]
fn a_run_is_started_seen_listed_and_taken_back() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    let before = bench.runs_of(&job).len();
    let dry = bench.json("one", &["run", "start", &job, "--workspace", "dev", "--dry-run"], 0);
    assert_eq!((&dry["phase"], &dry["kind"]), (&json!("planned"), &json!("run_now")));
    assert_eq!(bench.acts(), Vec::<String>::new(), "a dry run changes nothing");

    let done = bench.json("one", &["run", "start", &job, "--workspace", "dev", "--yes", "--reason", "late file"], 0);
    assert_eq!(done["phase"], "completed");
    assert_eq!((&done["reason"], &done["actor"]), (&json!("late file"), &json!("ana")));
    assert_eq!(done["steps"][0]["status"], "verified");
    let events: Vec<&str> = done["journal"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["event"].as_str().expect("text"))
        .collect();
    assert_eq!(events, ["planned", "approved", "intended", "confirmed", "verified", "completed"]);
    assert_eq!(bench.runs_of(&job).len(), before + 1);
    assert_eq!(bench.acts(), ["/api/2.2/jobs/run-now 200"]);

    let operation = done["operation_id"].as_str().expect("an id");
    assert_eq!(bench.json("one", &["operations", "list"], 0)["operations"], json!([]));
    let all = bench.json("one", &["operations", "list", "--all"], 0);
    assert_eq!(all["operations"][0]["operation_id"], operation);
    let shown = bench.json("one", &["operations", "show", operation], 0);
    assert_eq!((&shown["plan_digest"], &shown["journal"]), (&done["plan_digest"], &done["journal"]));
    let exported = bench.json("one", &["operations", "export", operation], 0);
    assert_eq!(exported["plan"]["steps"].as_array().expect("steps").len(), 1);
    assert_eq!(exported["journal"].as_array().expect("entries").len(), 6);
    assert_eq!(bench.run("one", &["operations", "abort", operation]).code, 2, "it is over");
    assert_eq!(bench.run("two", &["operations", "show", operation]).code, 2, "another home does not know it");
}

#[test]
fn a_run_is_canceled_and_repaired() {
    let bench = Bench::new(60.0);
    let job = bench.job();
    bench.json("one", &["run", "start", &job, "--workspace", "dev", "--yes"], 0);
    let run = bench.newest_run(&job);
    let repair = ["run", "repair", &run, "--workspace", "dev", "--yes"];
    let refused = bench.run("one", &repair);
    assert_eq!(refused.code, 6, "{}", refused.err);
    assert!(refused.err.contains("is not over"), "{}", refused.err);

    let canceled = bench.json("one", &["run", "cancel", &run, "--workspace", "dev", "--yes"], 0);
    assert_eq!(
        (&canceled["phase"], &canceled["run_id"]),
        (&json!("completed"), &json!(run.parse::<u64>().expect("a number")))
    );
    let again = bench.run("one", &["run", "cancel", &run, "--workspace", "dev", "--yes"]);
    assert_eq!(again.code, 6, "{}", again.err);
    assert!(again.err.contains("is over"), "{}", again.err);

    let repaired = bench.json("one", &repair, 0);
    assert_eq!(repaired["phase"], "completed");
    let run = bench.ask(&format!("/api/2.2/jobs/runs/get?run_id={run}&include_history=true"));
    let repairs = run["repair_history"].as_array().expect("a history");
    assert_eq!(repairs.iter().filter(|part| part["type"] == "REPAIR").count(), 1, "{repairs:?}");
}

#[test]
fn a_pipeline_is_started_and_stopped() {
    let bench = Bench::staging(60.0);
    let pipeline = bench.idle_pipeline();
    let started = bench.json("one", &["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"], 0);
    assert_eq!((&started["phase"], &started["pipeline_id"]), (&json!("completed"), &json!(pipeline)));
    let refused = bench.run("one", &["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"]);
    assert_eq!(refused.code, 6, "{}", refused.err);
    assert!(refused.err.contains("is active"), "{}", refused.err);
    let stopped = bench.json("one", &["pipeline", "stop", &pipeline, "--workspace", "staging", "--yes"], 0);
    assert_eq!(stopped["phase"], "completed");
    let refused = bench.run("one", &["pipeline", "stop", &pipeline, "--workspace", "staging", "--yes"]);
    assert_eq!(refused.code, 6, "{}", refused.err);
    assert!(refused.err.contains("no update is active"), "{}", refused.err);
}

#[test]
fn nothing_is_done_without_a_yes_or_where_policy_forbids_it() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    let silent = bench.run("one", &["run", "start", &job, "--workspace", "dev"]);
    assert_eq!(silent.code, 6, "{}", silent.err);
    assert!(silent.err.contains("--yes"), "{}", silent.err);

    let access = bench.simulator.workspaces().iter().find(|access| access.name == "prod").expect("prod");
    let jobs: Value = bench.world.block_on(async {
        let answer = crate::sim::http()
            .get(format!("{}/api/2.2/jobs/list", access.host))
            .bearer_auth(&access.tokens["operator"]);
        answer.send().await.expect("an answer").json().await.expect("JSON")
    });
    let in_prod = id(&jobs["jobs"][0]["job_id"]);
    let locked = bench.run("one", &["run", "start", &in_prod, "--workspace", "prod", "--yes"]);
    assert_eq!(locked.code, 6, "{}", locked.err);
    assert!(locked.err.contains("read-only") && locked.err.contains("--unlock"), "{}", locked.err);
    let mut personal = bench.command("one", &["run", "start", &in_prod, "--workspace", "prod", "--yes", "--unlock"]);
    let output = personal.env("LAKESHIFT_READ_ONLY", "true").output().expect("runs");
    assert_eq!(output.status.code(), Some(6), "what a person forbids themselves no flag unlocks");
    let unlocked = bench.run("one", &["run", "start", &in_prod, "--workspace", "prod", "--unlock", "--dry-run"]);
    assert_eq!(unlocked.code, 0, "{}", unlocked.err);
    assert!(unlocked.out.contains("tier 2") && !unlocked.out.contains("--unlock"), "{}", unlocked.out);
    let looked = bench.run("one", &["run", "start", &in_prod, "--workspace", "prod", "--dry-run"]);
    assert!(looked.code == 0 && looked.out.contains("to do it, add --unlock"), "{}\n{}", looked.out, looked.err);
    let undeclared = ["run", "start", &job, "--workspace", "dev", "--param", "no_such=1", "--dry-run"];
    let undeclared = bench.run("one", &undeclared);
    assert!(undeclared.code == 6 && undeclared.err.contains("there is no parameter no_such"), "{}", undeclared.err);
    assert_eq!(bench.json("one", &["operations", "list", "--all"], 0)["operations"], json!([]));
    assert_eq!(bench.run("one", &["run", "start", "no_such_job", "--workspace", "dev", "--yes"]).code, 2);
    assert_eq!(bench.acts(), Vec::<String>::new());
}

#[test]
fn a_lost_answer_neither_doubles_nor_loses_an_act() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    for when in ["before", "after"] {
        let before = bench.runs_of(&job).len();
        let route = "/api/2.2/jobs/run-now";
        bench.post(
            "/faults",
            &json!({"kind": "reset", "when": when, "workspace": "dev", "method": "POST", "route": route, "count": 1}),
        );
        let done = bench.json("one", &["run", "start", &job, "--workspace", "dev", "--yes"], 0);
        assert_eq!(done["phase"], "completed", "{when}");
        assert_eq!(bench.runs_of(&job).len(), before + 1, "{when}");
        bench.end_runs(&job);
    }
}

#[test]
fn a_lost_answer_to_what_has_no_token_is_settled() {
    let bench = Bench::staging(1.0);
    let pipeline = bench.idle_pipeline();
    for when in ["before", "after"] {
        let route = "/api/2.0/pipelines/{pipeline_id}/updates";
        bench.post(
            "/faults",
            &json!({"kind": "reset", "when": when, "workspace": "staging", "method": "POST", "route": route, "count": 1}),
        );
        let before = bench.updates_of(&pipeline).len();
        let done = bench.json("one", &["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"], 0);
        assert_eq!(done["phase"], "completed", "{when}");
        let events: Vec<&str> =
            done["journal"].as_array().expect("entries").iter().filter_map(|entry| entry["event"].as_str()).collect();
        assert!(events.contains(&"unknown") && events.contains(&"settled"), "{when}: {events:?}");
        assert_eq!(bench.updates_of(&pipeline).len(), before + 1, "{when}");
        bench.end_update(&pipeline);
    }
}

/// Whatever comes in place of an answer: what happened is told as having happened, and happens once.
#[test]
fn no_fault_before_or_after_the_act_makes_it_untold_or_double() {
    let bench = Bench::staging(1.0);
    let pipeline = bench.idle_pipeline();
    let route = "/api/2.0/pipelines/{pipeline_id}/updates";
    for kind in ["429", "500", "503", "cut_body", "garbage", "html_sign_in", "expired_token"] {
        for when in ["before", "after"] {
            let fault = json!({"kind": kind, "when": when, "workspace": "staging", "method": "POST", "route": route});
            bench.post("/faults", &fault);
            let before = bench.updates_of(&pipeline).len();
            let done = bench.json("one", &["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"], 0);
            assert_eq!(done["phase"], "completed", "{kind} {when}");
            assert_eq!(bench.updates_of(&pipeline).len(), before + 1, "{kind} {when}");
            bench.end_update(&pipeline);
        }
    }
    let bench = Bench::new(1.0);
    let job = bench.job();
    for kind in ["429", "html_sign_in", "expired_token"] {
        for when in ["before", "after"] {
            let before = bench.runs_of(&job).len();
            let route = "/api/2.2/jobs/run-now";
            bench.post("/faults", &json!({"kind": kind, "when": when, "workspace": "dev", "route": route}));
            let done = bench.json("one", &["run", "start", &job, "--workspace", "dev", "--yes"], 0);
            assert_eq!(done["phase"], "completed", "{kind} {when}");
            assert_eq!(bench.runs_of(&job).len(), before + 1, "{kind} {when}");
            bench.end_runs(&job);
        }
    }
    let logs = bench.folder.path().join("one/.local/state/lakeshift/logs");
    assert!(logs.is_dir(), "subcommands that act keep a log");
}

#[test]
fn an_operation_in_a_working_process_is_refused_by_name() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    // It stands still with the operation in hand: alive, as far as anybody can tell.
    let mut command = bench.command("one", &["run", "start", &job, "--workspace", "dev", "--yes"]);
    command.env("LAKESHIFT_TEST_CRASH_POINT", "1@after writing intended").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut line = String::new();
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    err.read_line(&mut line).expect("a line");
    assert!(line.starts_with("crash point"), "{line}");

    let listed = bench.json("one", &["operations", "list"], 0);
    let operation = &listed["operations"][0];
    assert_eq!(operation["owner"]["health"], "alive", "{listed}");
    assert!(operation["owner"]["who"].as_str().expect("text").contains("ana, lakeshift run start"), "{listed}");
    let operation = operation["operation_id"].as_str().expect("an id");
    let held = bench.run("one", &["operations", "resume", operation]);
    assert_eq!(held.code, 6, "{}", held.err);
    assert!(held.err.contains("in the hands of ana, lakeshift run start"), "{}", held.err);
    let second = bench.run("one", &["run", "start", &job, "--workspace", "dev", "--yes"]);
    assert_eq!(second.code, 6, "the same object: {}", second.err);

    child.kill().expect("killed");
    child.wait().expect("ended");
    let mut rest = String::new();
    err.read_to_string(&mut rest).expect("read");
    let resumed = bench.json("one", &["operations", "resume", operation], 0);
    assert_eq!(resumed["phase"], "completed");
}
