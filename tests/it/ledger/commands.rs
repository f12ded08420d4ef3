//! `lakeshift ledger` and `whoami` of the real binary against a served world.

use std::process::{Command, Stdio};

use lakeshift::runtime::clock::SystemClock;
use lakeshift::sim::{Options, Simulator};
use serde_json::{Value, json};

use crate::cli::described;

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
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options =
            Options { scenario: "calm".to_owned(), seed: 1, ..Options::new(std::sync::Arc::new(SystemClock)) };
        let simulator = world.block_on(Simulator::start(options)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sim.toml");
        simulator.write_config(&file).unwrap();
        let mut bench = Self { world, simulator, folder, warehouse: String::new() };
        let found = bench.request("GET", "/api/2.0/sql/warehouses", "operator", None);
        bench.warehouse = found["warehouses"][0]["id"].as_str().expect("a warehouse").to_owned();
        let ledger = format!(
            "\n[products.sales]\n[ledger]\nworkspace = 'prod'\nwarehouse = '{}'\ncatalog = 'ops'\nschema = 'release'\n\
             [ledger.roles]\nviewer = ['auditors']\noperator = ['data-engineering']\n",
            bench.warehouse
        );
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + &ledger).unwrap();
        bench
    }

    fn request(&self, method: &str, path: &str, role: &str, body: Option<&Value>) -> Value {
        let access = self.simulator.workspaces().iter().find(|access| access.name == "prod").unwrap();
        let url = format!("{}{path}", access.host);
        let mut request = crate::sim::http().request(method.parse().unwrap(), url).bearer_auth(&access.tokens[role]);
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

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.arg("--config").arg(self.folder.path().join("sim.toml")).args(arguments);
        command.env_clear().env("HOME", self.folder.path().join("home")).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}: {}", ran.out);
        ran.out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        described(&self.done(&[arguments, &["--output", "json"]].concat()))
    }
}

/// One course from nothing to proof: what is made, sealed, tampered with, found and exported.
#[test]
fn a_ledger_from_its_first_table_to_its_proof() {
    let bench = Bench::new();
    let missing = bench.run(&["ledger", "status"]);
    assert_eq!(missing.code, 5, "{}", missing.err);
    assert!(missing.err.contains("ledger init --run"), "{}", missing.err);

    let printed = bench.done(&["ledger", "init"]);
    assert!(printed.contains("CREATE TABLE IF NOT EXISTS `ops`.`release`.`audit_event`"), "{printed}");
    assert!(printed.contains("GRANT MODIFY ON TABLE `ops`.`release`.`lease` TO `data-engineering`"), "{printed}");
    assert_eq!(bench.run(&["ledger", "status"]).code, 5, "printing makes nothing");
    for _ in 0..2 {
        let made = bench.json(&["ledger", "init", "--run"]);
        assert_eq!((made["ran"].as_bool(), made["schema_name"].as_str()), (Some(true), Some("ops.release")));
    }
    let procedures = bench.json(&["ledger", "init", "--procedures"]);
    let texts = procedures["statements"].to_string();
    assert!(texts.contains("SQL SECURITY DEFINER") && !texts.contains("GRANT MODIFY"), "{texts}");

    let status = bench.json(&["ledger", "status"]);
    assert_eq!((status["seals"].as_u64(), status["sealed"].is_null()), (Some(0), true));
    let leases: Vec<&str> =
        status["leases"].as_array().unwrap().iter().map(|lease| lease["product"].as_str().unwrap()).collect();
    assert!(["_fleet", "_ledger", "orders", "sales"].iter().all(|product| leases.contains(product)), "{leases:?}");

    let insert = |id: &str| {
        bench.by_hand(&format!(
            "INSERT INTO ops.release.audit_event (audit_id, verb, target, outcome, actor, recorded_at, content_hash) \
             VALUES ('{id}', 'looked', '=1+1', 'done', session_user(), current_timestamp(), '{}')",
            content_hash(id)
        ));
    };
    insert("x1");
    insert("x2");
    let sealed = bench.json(&["ledger", "seal"]);
    assert_eq!((sealed["rows"].as_u64(), sealed["seal"]["seq"].as_i64()), (Some(2), Some(1)));
    assert!(bench.done(&["ledger", "seal"]).starts_with("nothing new since seal 1"));
    let hash = sealed["seal"]["seal_hash"].as_str().unwrap();
    let verified = bench.json(&["ledger", "verify", "--expect", hash]);
    assert_eq!((verified["ok"].as_bool(), verified["sealed_rows"].as_u64()), (Some(true), Some(2)));
    assert_eq!(bench.json(&["ledger", "status"])["leases"][1]["state"], "free", "the sealer gave its lease back");

    let csv = bench.done(&["ledger", "export", "--as", "csv"]);
    assert!(csv.starts_with("audit_id,op_id,seq,verb") && csv.contains("\"'=1+1\""), "{csv}");
    let report = bench.done(&["ledger", "export"]);
    assert!(report.contains("Verified: what was sealed is what is there."), "{report}");
    let exported = described(&bench.done(&["ledger", "export", "--as", "json"]));
    assert_eq!(exported["rows"].as_array().unwrap().len(), 2);
    let none = described(&bench.done(&["ledger", "export", "--as", "json", "--since", "2100-01-01"]));
    assert_eq!(none["rows"].as_array().unwrap().len(), 0);
    assert_eq!(bench.run(&["ledger", "export", "--table", "audits"]).code, 2);

    bench.by_hand("ALTER TABLE ops.release.audit_event SET TBLPROPERTIES ('delta.appendOnly' = 'false')");
    bench.by_hand("UPDATE ops.release.audit_event SET outcome = 'refused' WHERE audit_id = 'x1'");
    let found = bench.run(&["ledger", "verify"]);
    assert_eq!(found.code, 8, "{}{}", found.out, found.err);
    assert!(found.out.contains("audit_event x1: edited since it was sealed by 1"), "{}", found.out);
    assert!(found.out.contains("UPDATE by") && !found.out.contains("x2"), "{}", found.out);
    let document = bench.run(&["ledger", "verify", "--output", "json"]);
    assert_eq!(described(&document.out)["ok"], false);
    assert!(bench.done(&["ledger", "export"]).contains("**Verification failed"));
}

/// The hash of the row that the test inserts by hand.
fn content_hash(id: &str) -> String {
    use lakeshift::ledger::{LedgerRow, Table, Value};
    let text = |text: &str| Value::Text(text.to_owned());
    let values =
        [("audit_id", text(id)), ("verb", text("looked")), ("target", text("=1+1")), ("outcome", text("done"))];
    LedgerRow::new(Table::AuditEvent, values).unwrap().content_hash
}

#[test]
fn what_was_left_in_the_outbox_is_delivered_once_the_ledger_is_there() {
    let bench = Bench::new();
    let state = bench.folder.path().join("home/.local/state/lakeshift");
    let row = super::event("a1", "planned");
    let mut outbox = lakeshift::store::Journal::open(&state, lakeshift::domain::ulid::Ulid::new(1, 1), "test").unwrap();
    let waiting = lakeshift::store::OutboxRow {
        id: row.id.clone(),
        table: row.table.name().to_owned(),
        body: serde_json::to_string(&row).unwrap(),
        operation: None,
        seq: None,
    };
    outbox.post(&[waiting], chrono::DateTime::UNIX_EPOCH).unwrap();
    let early = bench.run(&["ledger", "deliver"]);
    assert_eq!(early.code, 5, "{}", early.err);
    assert!(early.out.starts_with("0 rows delivered, 1 wait"), "{}", early.out);
    bench.done(&["ledger", "init", "--run"]);
    let status = bench.json(&["ledger", "status"]);
    assert_eq!(status["outbox"], json!({"waiting": 1, "oldest_at": "1970-01-01T00:00:00Z"}));
    assert_eq!(bench.json(&["ledger", "deliver"])["rows"], 1);
    assert_eq!(bench.json(&["ledger", "status"])["outbox"]["waiting"], 0);
    assert!(bench.done(&["ledger", "export"]).contains("| planned | prod/job/7 | ok |"));
}

#[test]
fn a_lease_that_another_holds_is_told_by_name() {
    let bench = Bench::new();
    bench.done(&["ledger", "init", "--run"]);
    bench.by_hand(
        "UPDATE ops.release.lease SET holder = 'bob@example.com', nonce = 'n', fence = fence + 1, op_id = 'seal', \
         expires_at = current_timestamp() + INTERVAL 1 HOUR WHERE product = '_ledger'",
    );
    let refused = bench.run(&["ledger", "seal"]);
    assert_eq!(refused.code, 6, "{}", refused.err);
    assert!(refused.err.contains("_ledger is held by bob@example.com"), "{}", refused.err);
    let status = bench.done(&["ledger", "status"]);
    assert!(status.lines().any(|line| line.contains("held") && line.contains("bob@example.com")), "{status}");
}

#[test]
fn whoami_tells_who_and_what_may_be_done() {
    let bench = Bench::new();
    bench.done(&["ledger", "init", "--run"]);
    let told = bench.json(&["whoami"]);
    let identities = told["identities"].as_array().unwrap();
    assert_eq!(identities.len(), 12, "three workspaces, four roles");
    assert!(identities.iter().all(|one| one["failure"].is_null() && one["active"] == true), "{identities:?}");
    let rights = told["rights"].as_array().unwrap();
    assert!(rights.iter().any(|right| right["need"] == "SELECT on schema ops.release"), "{rights:?}");

    let jobs = bench.request("GET", "/api/2.2/jobs/list", "operator", None);
    let job = jobs["jobs"][0]["job_id"].to_string();
    let ambiguous = bench.run(&["whoami", "--job", &job]);
    assert_eq!(ambiguous.code, 2, "{}", ambiguous.err);
    let told = bench.json(&["whoami", "--workspace", "prod", "--job", &job]);
    let rights = told["rights"].as_array().unwrap();
    let of_job: Vec<&Value> = rights.iter().filter(|right| right["role"] == "operator").collect();
    assert_eq!(of_job.len(), 3, "{rights:?}");
    assert!(of_job.iter().all(|right| right["need"] == format!("CAN_MANAGE_RUN on job {job}")), "{of_job:?}");
}

#[test]
fn without_a_ledger_its_commands_say_what_to_add() {
    let bench = Bench::new();
    let file = bench.folder.path().join("sim.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.split("[ledger]").next().unwrap()).unwrap();
    for arguments in [["ledger", "init"], ["ledger", "status"], ["ledger", "verify"]] {
        let ran = bench.run(&arguments);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert!(ran.err.contains("no ledger is configured"), "{}", ran.err);
    }
}
