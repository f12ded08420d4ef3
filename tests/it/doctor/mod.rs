//! `lakeshift doctor` against a served world: every check passes in a sound one, fails when what it proves is broken, and the
//! feature that stands on it is then off where it is used.

mod features;
mod ledger;
mod platform;
mod workspaces;

use std::process::{Command, Stdio};
use std::sync::Arc;

use lakeshift::runtime::clock::SystemClock;
use lakeshift::sim::{Access, Options, Simulator};
use serde_json::{Value, json};

use crate::cli::described;

/// A world, a home, and a fleet whose ledger is in prod.
struct Bench {
    world: tokio::runtime::Runtime,
    simulator: Simulator,
    folder: tempfile::TempDir,
    warehouse: String,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        Self::of("calm")
    }

    fn of(scenario: &str) -> Self {
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options { scenario: scenario.to_owned(), seed: 1, ..Options::new(Arc::new(SystemClock)) };
        let simulator = world.block_on(Simulator::start(options)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { world, simulator, folder, warehouse: String::new() };
        bench.simulator.write_config(&bench.config()).unwrap();
        let found = bench.request("GET", "/api/2.0/sql/warehouses", "operator", None);
        bench.warehouse = found["warehouses"][0]["id"].as_str().expect("a warehouse").to_owned();
        let ledger = format!(
            "\n[products.sales]\n[ledger]\nworkspace = 'prod'\nwarehouse = '{}'\ncatalog = 'ops'\nschema = 'release'\n\
             [ledger.roles]\noperator = ['data-engineering']\n",
            bench.warehouse
        );
        bench.reconfigure(|text| text + &ledger);
        // Statements need not take their time here.
        bench.admin("/statements", &json!({"takes_ms": 1}));
        bench
    }

    /// The same with its ledger made.
    fn with_ledger() -> Self {
        let bench = Self::new();
        let made = bench.run(&["ledger", "init", "--run"]);
        assert_eq!(made.code, 0, "{}", made.err);
        bench
    }

    fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("sim.toml")
    }

    fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    fn access(&self) -> &Access {
        self.simulator.workspaces().iter().find(|access| access.name == "prod").unwrap()
    }

    fn request(&self, method: &str, path: &str, role: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.access().host);
        let mut request =
            crate::sim::http().request(method.parse().unwrap(), url).bearer_auth(&self.access().tokens[role]);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.world.block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    /// SQL by hand, as the publisher, who owns the ledger.
    fn by_hand(&self, sql: &str) -> Value {
        let body = json!({"warehouse_id": self.warehouse, "statement": sql, "wait_timeout": "50s"});
        let answer = self.request("POST", "/api/2.0/sql/statements", "publisher", Some(&body));
        assert_eq!(answer["status"]["state"], "SUCCEEDED", "{sql}: {answer}");
        answer
    }

    fn admin(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.simulator.admin());
        self.world.block_on(async {
            let answer = crate::sim::http().post(url).json(body).send().await.unwrap();
            assert!(answer.status().is_success(), "{path} {body}: {}", answer.text().await.unwrap());
        });
    }

    /// All requests to prod, oldest first.
    fn asked(&self) -> Vec<Value> {
        let url = format!("{}/requests?workspace=prod&limit=20000", self.simulator.admin());
        let answer: Value =
            self.world.block_on(async { crate::sim::http().get(url).send().await.unwrap().json().await.unwrap() });
        answer["requests"].as_array().unwrap().clone()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.arg("--config").arg(self.config()).args(arguments);
        command.env_clear().env("HOME", self.folder.path().join("home")).env("USER", "ana").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A round's document, and its exit code.
    fn round(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["doctor", "--output", "json"], arguments].concat());
        assert!(ran.code == 0 || ran.code == 8, "{}{}", ran.out, ran.err);
        (ran.code, described(&ran.out))
    }

    /// One check of one subject, made now.
    fn check(&self, name: &str, subject: &str) -> (String, String) {
        let (code, round) = self.round(&["--check", name]);
        let check = found(&round, name, subject);
        let verdict = check["verdict"].as_str().unwrap().to_owned();
        let failed = round["checks"].as_array().unwrap().iter().any(|check| check["verdict"] == "failed");
        assert_eq!(code, if failed { 8 } else { 0 }, "{round}");
        (verdict, check["finding"].as_str().unwrap().to_owned())
    }
}

/// A check of a round.
fn found<'a>(round: &'a Value, name: &str, subject: &str) -> &'a Value {
    let checks = round["checks"].as_array().unwrap();
    let fits = |check: &&Value| check["check"] == name && check["subject"] == subject;
    checks.iter().find(fits).unwrap_or_else(|| panic!("no {name} of {subject} in {round:#}"))
}

/// Where a feature stands by a round, and why.
fn standing(round: &Value, feature: &str, subject: &str) -> (String, String) {
    let features = round["features"].as_array().unwrap();
    let fits = |shown: &&Value| shown["feature"] == feature && shown["subject"] == subject;
    let shown = features.iter().find(fits).unwrap_or_else(|| panic!("no {feature} of {subject} in {round:#}"));
    (shown["standing"].as_str().unwrap().to_owned(), shown["because"].to_string())
}
