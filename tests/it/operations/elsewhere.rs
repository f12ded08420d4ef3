//! Operations of another home, through the real binary: the one that began it is killed at every point there is, and another
//! home goes on by what the ledger has. Nothing is doubled, nothing is lost, and what the ledger never got nobody does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use lakeshift::domain::danger::Danger;
use lakeshift::domain::ulid::Ulid;
use lakeshift::domain::workspace::Environment;
use lakeshift::operations::journal::{Actor, Event, Recorded};
use lakeshift::operations::kind::Kind;
use lakeshift::operations::plan::{Object, OperationId, Plan, Subject, VERSION};
use lakeshift::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};
use lakeshift::runtime::ledger::outbox_rows;
use lakeshift::store::Journal;
use serde_json::{Value, json};

use super::kill::{Stood, is_timed, points, stand};
use super::{Bench, Ran};

const REASON: &str = "ana's machine died";

/// The present, as the whole milliseconds that plans hold.
fn now() -> chrono::DateTime<chrono::Utc> {
    use lakeshift::domain::clock::Clock;
    lakeshift::operations::planning::whole_ms(lakeshift::runtime::clock::SystemClock.now())
}

/// The start of a pipeline as a change of production state: no token names it, so that nothing but the engine keeps it
/// from happening twice. No command makes such a plan yet; everything after the plan is the real one.
fn plan(bench: &Bench, number: u64, pipeline: &str) -> Plan {
    let access = bench.simulator.workspaces().iter().find(|access| access.name == "staging").expect("staging");
    let pipeline: lakeshift::domain::ids::PipelineId = pipeline.into();
    let at = now();
    Plan {
        version: VERSION,
        id: OperationId(Ulid::new(at.timestamp_millis().unsigned_abs(), u128::from(number))),
        kind: Kind::StartPipeline,
        tier: Danger::Production,
        subject: Subject {
            workspace: "staging".into(),
            environment: Environment::Staging,
            host: access.host.clone(),
            object: Object::Pipeline(pipeline.clone()),
            name: "a stream".to_owned(),
            run: None,
            product: Some("orders".to_owned()),
        },
        actor: Actor("ana".to_owned()),
        reason: Some("a test".to_owned()),
        release_id: None,
        fleet_hash: "f".to_owned(),
        made_at: at,
        observed: BTreeMap::new(),
        observed_at: at,
        late_bound_s: 1,
        steps: vec![Step {
            wave: 0,
            action: Action::StartUpdate { pipeline: pipeline.clone(), validate_only: false, tables: Vec::new() },
            precondition: Condition::PipelineIsIdle { pipeline: pipeline.clone() },
            probe: Probe::UpdateSince { pipeline, validate_only: false },
            verify: Probe::WhatStarted,
            patience_s: 120,
            token: None,
            repeat: Repeat::AfterSettling,
            undo: Undo::StopUpdate,
            point_of_no_return: false,
        }],
    }
}

impl Bench {
    /// Plans an operation in a home and lets it go ahead, without doing anything of it. Gives its id.
    pub(super) fn begin(&self, home: &str, number: u64, pipeline: &str) -> String {
        let plan = plan(self, number, pipeline);
        let session = Ulid::new(1, u128::from(number));
        let state = self.folder.path().join(home).join(".local/state/lakeshift");
        let mut journal = Journal::open(&state, session, "ana, a test").expect("opens");
        let recorded = |seq: u64, event| Recorded {
            op_id: plan.id,
            seq,
            event_id: Ulid::new(seq, u128::from(number)),
            at: now(),
            actor: plan.actor.clone(),
            event,
        };
        let planned = recorded(1, Event::Planned { digest: plan.digest().expect("a digest") });
        let taken_by = planned.event_id;
        let entries = [planned, recorded(2, Event::Approved { how: "a test".to_owned() })];
        let rows: Vec<_> = entries.iter().flat_map(|entry| outbox_rows()(&plan, entry, taken_by)).collect();
        journal.begin(&plan, &entries, &rows, now()).expect("begun");
        plan.id.to_string()
    }

    /// SQL by hand, as the ledger's owner.
    fn by_hand(&self, sql: &str) -> Vec<Value> {
        let prod = self.simulator.workspaces().iter().find(|access| access.name == "prod").expect("prod");
        let (host, token) = (&prod.host, &prod.tokens["publisher"]);
        self.world.block_on(async {
            let listed =
                crate::sim::http().get(format!("{host}/api/2.0/sql/warehouses")).bearer_auth(token).send().await;
            let found: Value = listed.expect("sent").json().await.expect("JSON");
            let body = json!({"warehouse_id": found["warehouses"][0]["id"], "statement": sql, "wait_timeout": "50s"});
            let url = format!("{host}/api/2.0/sql/statements");
            let sent = crate::sim::http().post(url).bearer_auth(token).json(&body).send().await;
            let answer: Value = sent.expect("sent").json().await.expect("JSON");
            assert_eq!(answer["status"]["state"], "SUCCEEDED", "{sql}: {answer}");
            answer["result"]["data_array"].as_array().cloned().unwrap_or_default()
        })
    }

    /// The events of an operation that the ledger has, by any writer.
    pub(super) fn in_ledger(&self, operation: &str) -> BTreeSet<String> {
        let rows = self.by_hand(&format!("SELECT verb FROM ops.release.audit_event WHERE op_id = '{operation}'"));
        rows.iter().map(|row| row[0].as_str().expect("a verb").to_owned()).collect()
    }

    /// Ends what a test has begun: the update, and the lease of a process that was killed, so that the next one need not
    /// observe first.
    fn clear(&self, pipeline: &str) {
        self.end_update(pipeline);
        self.by_hand("UPDATE ops.release.lease SET holder = NULL, nonce = NULL, op_id = NULL, expires_at = NULL");
    }

    /// Goes on with an operation as somebody else in another home.
    fn as_bob(&self, home: &str, arguments: &[&str]) -> Ran {
        let output = self.command(home, arguments).env("USER", "bob").output().expect("runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ran { code: output.status.code().expect("a code"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Lets the lease of whoever is gone run out, by the server's clock.
    fn outlast(&self) {
        self.post("/advance", &json!({"seconds": 130}));
    }
}

#[test]
fn another_home_goes_on_wherever_the_first_one_is_killed() {
    let bench = Bench::with_ledger(30.0);
    let pipeline = bench.idle_pipeline();
    let mut matrix: Vec<(u64, String, &str)> = Vec::new();
    let operation = bench.begin("ana", 0, &pipeline);
    let all = points(&bench, "ana", &["operations", "resume", &operation]);
    bench.clear(&pipeline);
    // Questions to the ledger are many and alike: of those between two writes or acts each kind is gone through once.
    let mut between = BTreeSet::new();
    let is_new = |(_, place): &(u64, String)| {
        let is_question = place.contains("/sql/statements") || is_timed(place);
        if !is_question {
            between.clear();
        }
        !is_question || between.insert(place.clone())
    };
    let chosen: Vec<(u64, String)> = all.into_iter().filter(is_new).collect();
    for (point, (nth, place)) in (1..).zip(chosen) {
        let (ana, bob) = (format!("ana-{point}"), format!("bob-{point}"));
        let operation = bench.begin(&ana, point, &pipeline);
        let before = bench.updates_of(&pipeline).len();
        let effects = |bench: &Bench| bench.updates_of(&pipeline).len() - before;
        let resume = ["operations", "resume", &operation];
        if let Stood::Ended(code) = stand(&bench, &ana, &format!("{nth}@{place}"), &resume) {
            let is_question = place.contains("/sql/statements") || is_timed(&place);
            assert!(code == Some(0) && is_question, "{place} was not met again: {code:?}");
            bench.clear(&pipeline);
            continue;
        }
        let told = bench.in_ledger(&operation);
        // Nobody has done what the ledger was never told of.
        assert!(told.contains("intended") || effects(&bench) == 0, "{point} {place}: {told:?}");
        bench.outlast();
        let resume = ["operations", "resume", &operation, "--reason", REASON];
        let gone_on = bench.as_bob(&bob, &resume);
        let by = if told.contains("planned") {
            let is_over = told.contains("completed");
            assert_eq!(gone_on.code, if is_over { 2 } else { 0 }, "{point} {place}\n{}\n{}", gone_on.out, gone_on.err);
            let again = bench.run(&ana, &["operations", "resume", &operation]);
            assert_eq!(again.code, 2, "{point} {place}: it is over\n{}\n{}", again.out, again.err);
            if is_over { "nobody: it was over" } else { "another home" }
        } else {
            assert_eq!(gone_on.code, 2, "{point} {place}: the ledger does not know it\n{}", gone_on.err);
            assert_eq!(effects(&bench), 0, "{point} {place}");
            let own = bench.run(&ana, &["operations", "resume", &operation]);
            assert_eq!(own.code, 0, "{point} {place}\n{}\n{}", own.out, own.err);
            "its own home"
        };
        assert_eq!(effects(&bench), 1, "{point} {place}\n{}", gone_on.out);
        let known = bench.json(&ana, &["operations", "list", "--all"], 0);
        assert_eq!(known["operations"][0]["phase"], "completed", "{point} {place}: {known}");
        matrix.push((point, place, by));
        bench.clear(&pipeline);
    }
    let operation = bench.begin("ana", 9_000, &pipeline);
    let whole = bench.run("ana", &["operations", "resume", &operation]);
    assert_eq!(whole.code, 0, "without a crash it ends well: {}", whole.err);
    let status = bench.json("ana", &["ledger", "status"], 0);
    assert!(status["seals"].as_u64() > Some(0) && status["unsealed"].is_null(), "and its end is sealed: {status}");
    for (point, place, by) in &matrix {
        println!("{point:>4}  {place:<60} {by}");
    }
    let act = format!("POST /api/2.0/pipelines/{pipeline}/updates");
    for place in
        ["writing taken_up", "writing intended", "writing confirmed", "writing verified", "writing completed", &act]
    {
        for side in ["before", "after"] {
            let wanted = format!("{side} {place}");
            assert!(matrix.iter().any(|(_, met, _)| *met == wanted), "{wanted} is not among {matrix:?}");
        }
    }
    assert!(
        matrix.iter().any(|(_, _, by)| *by == "its own home") && matrix.iter().any(|(_, _, by)| *by == "another home")
    );
}

#[test]
fn while_its_owner_lives_another_home_is_refused_by_name() {
    let bench = Bench::with_ledger(1.0);
    let pipeline = bench.idle_pipeline();
    let before = bench.updates_of(&pipeline).len();
    // It stands still with its order in the ledger, alive as far as anybody can tell.
    let ana = "ana".to_owned();
    let operation = bench.begin(&ana, 1, &pipeline);
    let mut command = bench.command(&ana, &["operations", "resume", &operation]);
    let point = format!("1@before POST /api/2.0/pipelines/{pipeline}/updates");
    command.env("LAKESHIFT_TEST_CRASH_POINT", point).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("crash point") && bench.in_ledger(&operation).contains("intended"), "{line}");
    let resume = ["operations", "resume", &operation];

    let listed = bench.json("bob", &["operations", "list", "--ledger"], 0);
    let known =
        &listed["operations"].as_array().expect("a list").iter().find(|known| known["operation_id"] == *operation);
    let known = known.expect("another home's");
    assert_eq!((&known["owner"]["who"], &known["owner"]["health"]), (&json!("ana"), &json!("elsewhere")), "{known}");
    let shown = bench.json("bob", &["operations", "show", &operation], 0);
    let entries = shown["journal"].as_array().expect("entries");
    assert!(entries.iter().any(|entry| entry["event"] == "intended"), "{shown}");
    let silent = bench.as_bob("bob", &resume);
    assert!(silent.code == 6 && silent.err.contains("--reason"), "{}", silent.err);
    let reasoned = ["operations", "resume", &operation, "--reason", REASON];
    let refused = bench.as_bob("bob", &reasoned);
    assert_eq!(refused.code, 6, "{}", refused.err);
    assert!(refused.err.contains("last in the hands of ana: the lease of orders is held by"), "{}", refused.err);

    child.kill().expect("killed");
    child.wait().expect("ended");
    bench.outlast();
    let done = bench.as_bob("bob", &reasoned);
    assert_eq!(done.code, 0, "{}\n{}", done.out, done.err);
    assert_eq!(bench.updates_of(&pipeline).len(), before + 1);
    // Ana's home learns who ended it, and does nothing of it again.
    assert_eq!(bench.run(&ana, &resume).code, 2);
    let shown = bench.json(&ana, &["operations", "show", &operation], 0);
    let mut entries = shown["journal"].as_array().expect("entries").iter();
    assert!(entries.any(|entry| entry["event"] == "taken_up" && entry["actor"] == "bob"), "{shown}");
    assert!(bench.in_ledger(&operation).contains("operation_taken_over"));
}

#[test]
fn what_a_subcommand_did_is_in_the_ledger_when_it_ends_or_it_says_what_is_left() {
    let bench = Bench::with_ledger(1.0);
    let pipeline = bench.idle_pipeline();
    let start = ["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"];
    let done = bench.json("one", &start, 0);
    let told = bench.in_ledger(done["operation_id"].as_str().expect("an id"));
    let events = ["planned", "approved", "intended", "confirmed", "verified", "completed"].map(str::to_owned);
    assert_eq!(told, BTreeSet::from(events));
    bench.end_update(&pipeline);

    let file = bench.folder.path().join("sim.toml");
    let config = std::fs::read_to_string(&file).expect("read");
    let warehouse = config.lines().find(|line| line.starts_with("warehouse = ")).expect("a warehouse");
    std::fs::write(&file, config.replace(warehouse, "warehouse = 'none'")).expect("written");
    let left = bench.run("one", &start);
    assert_eq!(left.code, 0, "{}", left.err);
    assert!(left.err.contains("rows wait here for the ledger: "), "{}", left.err);
    bench.end_update(&pipeline);

    // A ledger that does not let us in is a ledger, not none.
    std::fs::write(bench.folder.path().join("other.token"), "dapi0wrong").expect("written");
    let shut = config.replace("ledger = { token_file", "ledger = { token_file = \"other.token\" }\n# { token_file");
    std::fs::write(&file, shut).expect("written");
    let left = bench.run("one", &start);
    assert_eq!(left.code, 0, "{}", left.err);
    assert!(left.err.contains("rows wait here for the ledger: ") && left.err.contains("401"), "{}", left.err);
    bench.end_update(&pipeline);

    std::fs::write(&file, config).expect("written");
    assert_eq!(bench.run("one", &["ledger", "deliver"]).code, 0);
    assert!(bench.run("one", &["ledger", "status"]).out.contains("_ledger"));
}
