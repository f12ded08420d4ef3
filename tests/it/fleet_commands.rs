//! `status`, `runs`, `run show` and `pipelines` of the real binary against a served world: what they print, whether the
//! published schemas agree with it, which exit code they end with, and whether they are honest where a workspace is not
//! well.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use lakeshift::runtime::clock::SystemClock;
use lakeshift::sim::{Options, Simulator};
use serde_json::{Value, json};

use crate::cli::described;

/// A world and a home; the configuration is the simulator's own.
struct Bench {
    world: tokio::runtime::Runtime,
    simulator: Simulator,
    folder: tempfile::TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn document(&self) -> Value {
        described(&self.out)
    }

    /// The first line that begins with these words.
    fn line(&self, start: &str) -> &str {
        let found = self.out.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no line begins with {start:?}:\n{}\n{}", self.out, self.err))
    }
}

impl Bench {
    fn of(scenario: &str) -> Self {
        Self::with(scenario, false)
    }

    fn with(scenario: &str, unknown_fields: bool) -> Self {
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let world = world.expect("a runtime");
        let options = Options {
            scenario: scenario.to_owned(),
            seed: 1,
            // World time moves only when it is told to.
            speed: 0.0,
            unknown_fields,
            ..Options::new(std::sync::Arc::new(SystemClock))
        };
        let simulator = world.block_on(Simulator::start(options)).expect("starts");
        let folder = tempfile::tempdir().expect("a folder");
        simulator.write_config(&folder.path().join("sim.toml")).expect("written");
        Self { world, simulator, folder }
    }

    /// The incident an hour and a half after it began: tier-1 jobs failed longer ago than listings of runs are asked for.
    fn after_the_incident() -> Self {
        let bench = Self::of("incident");
        bench.admin("/advance", &json!({"seconds": 420}));
        assert_eq!(bench.run("one", &["status", "--deep"]).code, 0);
        bench.admin("/advance", &json!({"seconds": 5_000}));
        bench
    }

    fn admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.simulator.admin());
        let sent = self.world.block_on(async { crate::sim::http().post(url).json(body).send().await });
        assert!(sent.expect("an answer").status().is_success());
    }

    /// Each request to prod suffers this from now on.
    fn plant(&self, kind: &str, route: &str) {
        self.admin("/faults", &json!({"kind": kind, "workspace": "prod", "route": route, "count": null}));
    }

    fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let home: &Path = &self.folder.path().join(home);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.arg("--config").arg(self.folder.path().join("sim.toml")).args(arguments);
        command.env_clear().env("HOME", home).stdin(Stdio::null());
        command
    }

    /// Runs the binary with a home of this name: homes share no cache.
    fn run(&self, home: &str, arguments: &[&str]) -> Ran {
        let output = self.command(home, arguments).output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        Ran { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// The JSON document that it prints, once its published schema agrees.
    fn json(&self, home: &str, arguments: &[&str]) -> Value {
        let ran = self.run(home, &[arguments, &["--output", "json"]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
        ran.document()
    }
}

fn items<'a>(document: &'a Value, key: &str) -> &'a Vec<Value> {
    document[key].as_array().unwrap_or_else(|| panic!("no {key} in {document}"))
}

/// A workspace's line says that its data was read by this very command: "fresh" or, on a machine that took its time
/// over the other workspaces, some seconds old; never minutes, unread or failed.
fn read_by_now(line: &str) -> bool {
    line.ends_with("fresh")
        || line.rsplit(' ').nth(1).is_some_and(|age| {
            age.strip_suffix('s').is_some_and(|s| s.parse::<u32>().is_ok()) && line.ends_with(" old")
        })
}

#[test]
fn a_calm_fleet_is_told_as_calm_once_all_of_it_was_read() {
    let bench = Bench::of("calm");
    let status = bench.run("one", &["status", "--deep"]);
    assert_eq!((status.code, status.err.as_str()), (0, ""));
    assert!(status.line("ENV").ends_with("DATA"));
    for start in ["PROD  prod", "stg   staging", "dev   dev"] {
        assert!(read_by_now(status.line(start)), "{}", status.out);
    }
    assert!(!status.out.contains("not looked at"), "{}", status.out);

    let all = bench.json("one", &["status", "--all"]);
    assert_eq!(all["unread"]["pipelines"], 0, "the cache knows them by now");
    assert_eq!(all["counts"]["rows"].as_u64(), Some(items(&all, "objects").len() as u64));
    assert_eq!(items(&all, "workspaces").len(), 3);
    let only = bench.json("one", &["status", "--all", "--workspace", "dev"]);
    assert!(items(&only, "objects").iter().all(|object| object["workspace"] == "dev"));
}

#[test]
fn what_was_never_looked_at_does_not_pass_for_good_news() {
    let bench = Bench::after_the_incident();
    // A home without a cache: the failures are older than what the listings tell.
    let first = bench.run("two", &["status"]);
    assert_eq!(first.code, 0);
    assert!(!first.out.lines().any(|line| line == "nothing wants a person"), "{}", first.out);
    assert!(first.line("not looked at: no run of ").contains("--deep"), "{}", first.out);
    let unread = bench.json("three", &["status"])["unread"].clone();
    assert!(unread["jobs"].as_u64() > Some(0) && unread["pipelines"].as_u64() > Some(0), "{unread}");

    let deep = bench.json("two", &["status", "--deep"]);
    assert_eq!(deep["unread"], json!({"jobs": 0, "pipelines": 0, "lags": 0}));
    assert!(deep["counts"]["failing"].as_u64() > Some(0), "{deep}");
    // And once it was read, the cache knows it.
    assert_eq!(bench.json("two", &["status"])["counts"]["failing"], deep["counts"]["failing"]);
}

#[test]
fn members_that_no_documentation_names_change_nothing() {
    let (plain, grown) = (Bench::of("calm"), Bench::with("calm", true));
    let told = |bench: &Bench| {
        let all = bench.json("one", &["status", "--all", "--deep"]);
        let of =
            |object: &Value| ["workspace", "kind", "id", "name", "tier", "owner"].map(|key| object[key].to_string());
        let mut objects: Vec<_> = items(&all, "objects").iter().map(of).collect();
        objects.sort();
        (objects, all["unread"].clone())
    };
    assert_eq!(told(&grown), told(&plain));
    let runs = grown.json("one", &["runs", "--workspace", "prod", "--limit", "1"]);
    let run = items(&runs, "runs")[0]["run_id"].to_string();
    assert!(!items(&grown.json("one", &["run", "show", &run]), "tasks").is_empty());
    assert!(!items(&grown.json("one", &["pipelines"]), "pipelines").is_empty());
}

#[test]
fn an_incident_is_told_by_each_command() {
    let bench = Bench::after_the_incident();
    let status = bench.json("one", &["status"]);
    let failed = items(&status, "objects").iter().find(|object| object["status"] == "failed").expect("one failed");
    assert_eq!((&failed["problem"], &failed["workspace"]), (&json!(true), &json!("prod")));
    let id = &failed["failure"]["run_id"];
    let run = id.to_string();
    let job = failed["name"].as_str().expect("a name");
    let text = bench.run("one", &["status"]);
    let line = text.out.lines().find(|line| line.contains(job)).expect("its line");
    assert!(line.contains(&run) && line.chars().count() < 200, "{line}");

    let runs = bench.json("one", &["runs", "--failed", "--job", job]);
    assert!(items(&runs, "runs").iter().any(|shown| shown["run_id"] == *id), "{runs}");
    let lines = bench.run("one", &["runs", "--limit", "5", "--output", "ndjson"]);
    assert_eq!(lines.out.lines().map(described).count(), 5);
    let some = bench.run("one", &["runs", "--limit", "5"]);
    assert!(some.line("the newest 5 of ").ends_with("; times in UTC"), "{}", some.out);
    assert_eq!(some.out.lines().take_while(|line| !line.is_empty()).count(), 7, "{}", some.out);

    let page = bench.json("one", &["run", "show", &run]);
    assert_eq!(page["run"]["status"], "failed");
    assert!(page["failure"]["error"].is_string() && page["failure"]["unread"].is_null(), "{page}");
    let shown = bench.run("one", &["run", "show", &run, "--workspace", "prod"]);
    assert_eq!(shown.code, 0);
    assert!(shown.line("job").contains(job));
    assert!(shown.out.contains(" failed:\n"), "{}", shown.out);
    assert!(shown.out.lines().all(|line| line == line.trim_end()), "no line ends in spaces");

    let active = bench.json("one", &["runs", "--active", "--limit", "1"]);
    let running = bench.run("one", &["run", "show", &items(&active, "runs")[0]["run_id"].to_string()]);
    assert!(!running.line("time").contains(" to "), "it has no end yet: {}", running.out);

    let pipelines = bench.json("one", &["pipelines"]);
    let stream = items(&pipelines, "pipelines").iter().find(|pipeline| pipeline["tier"] == 1);
    assert!(stream.is_some_and(|pipeline| pipeline["owner"].is_string()), "{pipelines}");
    let lines = bench.run("one", &["pipelines", "--output", "ndjson"]);
    assert_eq!(lines.out.lines().map(described).count(), items(&pipelines, "pipelines").len());
}

#[test]
fn what_is_not_there_is_exit_code_2_and_says_what_is() {
    let bench = Bench::of("calm");
    let run = bench.run("one", &["run", "show", "77"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("no run 77 in prod, staging, dev"), "{}", run.err);
    let workspace = bench.run("one", &["status", "--workspace", "prd"]);
    assert_eq!(workspace.code, 2);
    assert!(workspace.err.contains("prod, staging, dev"), "{}", workspace.err);
}

#[test]
fn a_workspace_that_does_not_answer_leaves_no_zeros_and_no_all_clear() {
    for (kind, code, brief) in [("503", 5, "503 unavailable"), ("expired_token", 4, "401 token expired")] {
        let bench = Bench::of("calm");
        bench.plant(kind, "*");
        let status = bench.run("one", &["status"]);
        assert_eq!(status.code, code, "{}", status.err);
        let prod: Vec<&str> = status.line("PROD").split_whitespace().collect();
        assert_eq!(prod[..6], ["PROD", "prod", "?", "?", "?", "?"], "{}", status.out);
        assert!(status.line("PROD").ends_with(brief), "{}", status.out);
        assert!(read_by_now(status.line("stg")), "the others are told as ever: {}", status.out);
        assert!(status.out.contains("nothing wants a person in what was read"), "{}", status.out);
        assert!(status.err.starts_with("lakeshift: prod could not be read: GET /api/"), "{}", status.err);

        let ran = bench.run("one", &["status", "--output", "json"]);
        let document = ran.document();
        let prod = &items(&document, "workspaces")[0]["jobs"];
        assert!(prod["failure"].is_string() && prod["observed_at"].is_null(), "{document}");
        let error: Value = serde_json::from_str(&ran.err).expect("JSON");
        assert_eq!((&error["schema"], &error["exit_code"]), (&json!("lakeshift.error/1"), &json!(code)));

        for command in ["runs", "pipelines"] {
            let ran = bench.run("two", &[command, "--workspace", "prod"]);
            assert_eq!(ran.code, code);
            assert!(ran.line("no such").ends_with("in what could be read"), "{}", ran.out);
        }
    }
}

/// The seconds that the streams of prod are behind, by name, of those that are behind at all.
fn behind(document: &Value) -> Vec<(String, u64)> {
    let streams = items(document, "pipelines").iter().filter(|pipeline| pipeline["workspace"] == "prod");
    let name = |pipeline: &Value| pipeline["name"].as_str().expect("a name").to_owned();
    streams.filter_map(|pipeline| Some((name(pipeline), pipeline["lag_s"].as_u64()?))).collect()
}

#[test]
fn every_look_at_pipelines_tells_every_backlog_however_late_the_logs_answer() {
    let bench = Bench::after_the_incident();
    let first = bench.json("one", &["pipelines"]);
    assert!(behind(&first).iter().any(|(_, lag_s)| *lag_s > 60), "{first}");
    let events = "/api/2.0/pipelines/{pipeline_id}/events";
    bench.admin("/faults", &json!({"kind": "delay", "delay_ms": 700, "route": events, "count": null}));
    for _ in 0..3 {
        let again = bench.json("one", &["pipelines"]);
        assert_eq!(behind(&again), behind(&first));
        let running = items(&again, "pipelines").iter().filter(|pipeline| pipeline["continuous"] == true);
        let running: Vec<&Value> = running.filter(|pipeline| pipeline["status"] != "stopped").collect();
        assert!(running.iter().any(|pipeline| pipeline["status"] == "lagging"), "{again}");
        assert!(running.iter().all(|pipeline| pipeline["lag_failure"].is_null()), "{again}");
    }
}

#[test]
fn event_logs_that_cannot_be_read_are_no_good_news() {
    let bench = Bench::after_the_incident();
    bench.plant("500", "/api/2.0/pipelines/{pipeline_id}/events");
    let status = bench.run("one", &["status"]);
    assert_eq!(status.code, 5, "{}", status.out);
    assert!(status.err.contains("the lag of") && status.err.contains("could not be read"), "{}", status.err);
    assert!(status.line("PROD").contains("lags unread"), "{}", status.out);
    assert!(status.out.contains("unread: the lag of"), "{}", status.out);
    let document = bench.run("one", &["status", "--all", "--output", "json"]).document();
    assert!(document["unread"]["lags"].as_u64().is_some_and(|lags| lags > 0), "{document}");
    assert!(items(&document, "objects").iter().any(|object| object["lag_failure"].is_string()), "{document}");
    let pipelines = bench.run("one", &["pipelines"]);
    assert_eq!(pipelines.code, 5);
    assert!(pipelines.out.contains("unread"), "{}", pipelines.out);
}

#[test]
fn settings_that_were_edited_are_read_anew_when_asked_for() {
    let bench = Bench::of("calm");
    let before = bench.json("one", &["pipelines", "--deep", "--workspace", "prod"]);
    let stream = items(&before, "pipelines").iter().find(|pipeline| pipeline["tier"] == 1).expect("a stream").clone();
    let access = bench.simulator.workspaces().iter().find(|access| access.name == "prod").expect("prod");
    let url = format!("{}/api/2.0/pipelines/{}", access.host, stream["pipeline_id"].as_str().expect("an id"));
    let status = bench.world.block_on(async {
        let http = crate::sim::http();
        let token = &access.tokens["ci"];
        let read = http.get(&url).bearer_auth(token).send().await.expect("an answer");
        let mut spec = read.json::<Value>().await.expect("JSON")["spec"].clone();
        spec["tags"]["tier"] = json!("3");
        spec["tags"]["owner"] = json!("bo@example.com");
        http.put(&url).bearer_auth(token).json(&spec).send().await.expect("an answer").status()
    });
    assert!(status.is_success(), "{status}");
    let after = bench.json("one", &["pipelines", "--deep", "--workspace", "prod"]);
    let edited = items(&after, "pipelines").iter().find(|found| found["pipeline_id"] == stream["pipeline_id"]);
    let edited = edited.expect("still there");
    assert_eq!((&edited["tier"], &edited["owner"]), (&json!(3), &json!("bo@example.com")));
}

#[test]
fn what_was_read_before_is_told_with_its_age() {
    let bench = Bench::after_the_incident();
    let before = bench.json("one", &["status"]);
    bench.plant("503", "*");
    let ran = bench.run("one", &["status", "--output", "json"]);
    assert_eq!(ran.code, 5);
    let after = ran.document();
    assert_eq!(after["counts"]["failing"], before["counts"]["failing"]);
    assert_eq!(
        after["counts"]["lagging"], before["counts"]["lagging"],
        "a stream does not catch up by not being asked"
    );
    let text = bench.run("one", &["status"]);
    assert!(text.line("PROD").ends_with(" old"), "{}", text.out);
}

#[test]
fn a_run_whose_output_cannot_be_read_is_shown_without_it() {
    let bench = Bench::after_the_incident();
    let status = bench.json("one", &["status"]);
    let failed = items(&status, "objects").iter().find(|object| object["status"] == "failed").expect("one failed");
    let run = failed["failure"]["run_id"].to_string();
    bench.plant("503", "/api/2.2/jobs/runs/get-output");
    let shown = bench.run("one", &["run", "show", &run]);
    assert_eq!(shown.code, 5, "{}", shown.err);
    assert!(shown.line("state").ends_with("failed"));
    assert!(shown.out.contains("its output could not be read"), "{}", shown.out);
    let ran = bench.run("one", &["run", "show", &run, "--output", "json"]);
    assert!(ran.document()["failure"]["unread"].as_str().is_some_and(|told| told.contains("503")));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let bench = Bench::of("calm");
    let mut child = bench.command("one", &["runs", "--limit", "5000"]).stdout(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    assert!(child.wait().expect("ended").success());
}

#[test]
fn a_watch_tells_what_is_there_then_what_changes_and_ends_well() {
    let bench = Bench::of("incident");
    let mut child = bench.command("one", &["watch", "--workspace", "prod", "--output", "ndjson"]);
    let mut child = child.stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("a line"));
    let first = described(&lines.next().expect("a line"));
    assert_eq!((&first["change"], &first["workspace"]), (&json!("read"), &json!("prod")));
    assert!(first["object"].is_null());
    bench.admin("/advance", &json!({"seconds": 420}));
    let mut changes = lines.by_ref().map(|line| described(&line));
    let failed = changes.find(|change| change["object"]["status"] == "failed").expect("the incident is told");
    assert_eq!(failed["object"]["problem"], true, "{failed}");
    bench.plant("expired_token", "*");
    let lost = changes.find(|change| change["change"] == "lost").expect("the loss is told");
    assert!(lost["failure"].as_str().is_some_and(|told| told.contains("401")), "{lost}");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("sent");
    assert!(sent.success());
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn a_watch_is_text_for_people_ends_with_its_reader_and_is_no_single_document() {
    let bench = Bench::of("incident");
    let refused = bench.run("one", &["watch", "--output", "json"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.contains("ndjson"), "{}", refused.err);

    let mut child = bench.command("one", &["watch", "--all", "--workspace", "prod"]);
    let mut child = child.stdout(Stdio::piped()).spawn().expect("starts");
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    assert!(line.ends_with("  PROD  prod  read; what wants a person follows\n"), "{line}");
    drop(reader);
    bench.admin("/advance", &json!({"seconds": 420}));
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn a_recording_is_replayed_to_its_last_screen() {
    let bench = Bench::of("calm");
    let file = bench.folder.path().join("session.jsonl");
    let opening = json!({
        "recording": 2, "version": "0.1.0", "workspaces": [], "zone": "UTC", "read_only": [], "keys": {},
        "inventory": {"rules": [], "products": {}, "tags": {}, "dev_prefixes": []},
        "size": [80, 24], "now": "2026-03-02T12:00:00Z",
    });
    let tick = json!({"at": "2026-03-02T12:00:01Z", "fact": "Ticked"});
    std::fs::write(&file, format!("{opening}\n{tick}\n")).expect("written");
    let path = file.to_str().expect("text");
    let text = bench.run("one", &["replay", path]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    assert_eq!(text.out.lines().count(), 24, "{}", text.out);
    assert!(text.out.contains("12:00"), "{}", text.out);
    let document = bench.json("one", &["replay", path]);
    assert_eq!((&document["messages"], &document["at"]), (&json!(1), &json!("2026-03-02T12:00:01Z")));
    assert_eq!(items(&document, "screen").len(), 24);

    std::fs::write(&file, format!("{opening}\n{{}}\n{tick}\n")).expect("written");
    let refused = bench.run("one", &["replay", path]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("session.jsonl:2:"), "{}", refused.err);
    assert_eq!(bench.run("one", &["replay", "no/such/file"]).code, 2);
}
