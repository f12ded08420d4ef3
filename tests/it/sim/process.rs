//! `lakeshift sim` as a process: its line, its files, its end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use lakeshift::config::layers::Flags;
use lakeshift::config::paths::Paths;
use lakeshift::config::{self, LoadOptions};
use lakeshift::domain::credential::{CredentialSource, Role, SecretSource};
use lakeshift::domain::inventory::{ObjectFacts, ObjectKind};
use reqwest::Method;
use serde_json::Value;

/// The real binary, killed when the test is over before it is.
pub(super) struct Process {
    child: Child,
    pub(super) start: Value,
}

impl Process {
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut line).expect("a line");
        child.stdout = Some(out.into_inner());
        Self { child, start: serde_json::from_str(&line).expect("one line of JSON") }
    }

    fn signal(&mut self, name: &str) -> (ExitStatus, String) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("sent");
        assert!(sent.success());
        let mut rest = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut rest).expect("read");
        (self.child.wait().expect("ended"), rest)
    }

    pub(super) fn workspace(&self, name: &str) -> &Value {
        let found = super::items(&self.start, "workspaces").iter().find(|workspace| workspace["name"] == name);
        found.expect("a workspace of that name")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
    command.arg("sim").args(arguments).current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    command
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn it_says_one_line_and_ends_well_at_each_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut process = Process::start(folder.path(), &["--seed", "3"]);
        let (status, rest) = process.signal(signal);
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

#[test]
fn the_seed_decides_the_tokens_and_the_port_base_the_ports() {
    let folder = tempfile::tempdir().expect("a folder");
    let tokens = |process: &Process| text(&process.workspace("prod")["tokens"], "captain").to_owned();
    let first = Process::start(folder.path(), &["--seed", "3"]);
    let other = Process::start(folder.path(), &["--seed", "4"]);
    assert_ne!(tokens(&first), tokens(&other));
    assert_eq!(tokens(&first), tokens(&Process::start(folder.path(), &["--seed", "3"])));

    // A base that is free now may be taken a moment later: then the refusal says what to do, and we look further.
    for base in (20_000..60_000).step_by(1_501) {
        let mut command = command(folder.path(), &["--port-base", &base.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("read");
        if line.is_empty() {
            let output = child.wait_with_output().expect("ended");
            assert!(String::from_utf8_lossy(&output.stderr).contains("--port-base"), "{output:?}");
            continue;
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let start: Value = serde_json::from_str(&line).expect("JSON");
        let hosts: Vec<&str> =
            super::items(&start, "workspaces").iter().map(|workspace| text(workspace, "host")).collect();
        let expected: Vec<String> = (base..).take(hosts.len()).map(|port| format!("http://127.0.0.1:{port}")).collect();
        assert_eq!(hosts, expected);
        assert_eq!(text(&start, "admin"), format!("http://127.0.0.1:{}", base + hosts.len()));
        return;
    }
    panic!("no free ports");
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, word) in [
        (&["--scenario", "earthquake"][..], "earthquake"),
        (&["--speed", "-1"], "speed"),
        (&["--port-base", "65535"], "65535"),
        (&["--request-log", "no/such/folder/log"], "no/such/folder/log"),
        (&["--config-out", "no/such/folder/sim.toml"], "no/such/folder"),
    ] {
        let mut child =
            command(folder.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("read");
        if !line.is_empty() {
            child.kill().expect("killed");
            panic!("{arguments:?} are accepted: {line}");
        }
        let output = child.wait_with_output().expect("ended");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(word), "{errors}");
    }
}

#[tokio::test]
async fn a_request_is_in_the_log_when_its_answer_arrives() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("requests.ndjson");
    std::fs::write(&log, "of an older run\n").expect("written");
    let process = Process::start(folder.path(), &["--request-log", "requests.ndjson"]);
    let prod = process.workspace("prod");
    let http = super::http();
    for number in 1..=50_u64 {
        let url = format!("{}/api/2.2/jobs/list?limit={number}", text(prod, "host"));
        let request = http.request(Method::GET, url).bearer_auth(text(&prod["tokens"], "operator"));
        let response = request.send().await.expect("an answer");
        let id = response.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
        let bytes = response.content_length();
        // Read before the body is: the line was there before the first byte left.
        let lines = std::fs::read_to_string(&log).expect("read");
        let last: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
        assert_eq!((last["seq"].as_u64(), text(&last, "request_id")), (Some(number), id.as_str()));
        assert_eq!((last["bytes"].as_u64(), text(&last, "query")), (bytes, format!("limit={number}").as_str()));
    }
}

#[tokio::test]
async fn its_configuration_is_used_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(folder.path(), &["--config-out", "sim.toml"]);
    assert_eq!(text(&process.start, "config"), "sim.toml");
    let paths = Paths::below(folder.path());
    let file = folder.path().join("sim.toml");
    let options = LoadOptions { file: Some(file), flags: Flags::default(), environment: BTreeMap::new(), paths };
    let config = config::load(&options).expect("loads");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let workspaces = config.workspaces();
    assert_eq!(workspaces.len(), 3);
    for workspace in workspaces {
        let told = process.workspace(workspace.workspace.name.as_str());
        assert_eq!(workspace.workspace.host, text(told, "host"));
        for (role, of) in [(Role::Reader, "operator"), (Role::Operator, "operator"), (Role::Publisher, "publisher")] {
            let Some(CredentialSource::Token(SecretSource::File(path))) = workspace.credentials.get(&role) else {
                panic!("{role} signs in with {:?}", workspace.credentials.get(&role));
            };
            let token = std::fs::read_to_string(path).expect("a token");
            assert_eq!(token.trim(), text(&told["tokens"], of));
            assert_eq!(std::fs::metadata(path).expect("there").permissions().mode() & 0o777, 0o600);
        }
    }

    // Every promise that a tag makes is understood.
    let inventory = config.inventory();
    let (prod, http) = (process.workspace("prod"), super::http());
    let get = async |path: String| -> Value {
        let request = http.get(format!("{}{path}", text(prod, "host"))).bearer_auth(text(&prod["tokens"], "operator"));
        request.send().await.expect("an answer").json().await.expect("JSON")
    };
    let mut tagged: Vec<(ObjectKind, Value)> = Vec::new();
    for job in super::items(&get("/api/2.2/jobs/list?limit=100".to_owned()).await, "jobs") {
        tagged.push((ObjectKind::Job, job["settings"]["tags"].clone()));
    }
    for pipeline in super::items(&get("/api/2.0/pipelines?max_results=100".to_owned()).await, "statuses") {
        let pipeline = get(format!("/api/2.0/pipelines/{}", text(pipeline, "pipeline_id"))).await;
        tagged.push((ObjectKind::Pipeline, pipeline["spec"]["tags"].clone()));
    }
    let workspace = &config.workspaces()[0].workspace;
    let mut promises = 0;
    for (kind, tags) in tagged {
        let tags: BTreeMap<String, String> = serde_json::from_value(tags).unwrap_or_default();
        let found = inventory.classify(workspace, ObjectFacts { kind, id: "1", name: "any", tags: &tags });
        assert_eq!(found.sla.is_some(), tags.contains_key("sla"), "{tags:?}");
        assert_eq!(found.tier.is_some(), tags.contains_key("tier"), "{tags:?}");
        promises += usize::from(found.sla.is_some());
    }
    assert!(promises > 10, "{promises}");
}
