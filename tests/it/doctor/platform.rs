//! The checks on what the platform promises: each holds on one that keeps it, and fails on one that does not.

use lakeshift::domain::proof::Verdict;
use lakeshift::domain::sql::Rows;
use lakeshift::domain::ulid::Ulid;
use lakeshift::ledger::sql::Ask;
use lakeshift::ledger::{Sql, SqlTrouble};
use lakeshift::runtime::doctor::scratch::Scratch;
use lakeshift::runtime::doctor::selftest::lease_conflict;
use lakeshift::sim::scenario::Breaks;
use serde_json::{Value, json};

use super::{Bench, found, standing};
use crate::ledger::{Desk, block_on};

const LEDGER: &str = "ops.release";

fn verdict<'a>(round: &'a Value, check: &str) -> &'a str {
    found(round, check, LEDGER)["verdict"].as_str().unwrap()
}

/// The self-tests' schemas that are there now.
fn left(bench: &Bench) -> usize {
    let listed = bench.request("GET", "/api/2.1/unity-catalog/schemas?catalog_name=ops", "publisher", None);
    let schemas = listed["schemas"].as_array().unwrap();
    schemas.iter().filter(|schema| schema["name"].as_str().unwrap().starts_with("lakeshift_selftest_")).count()
}

const VIEWS: [&str; 4] = ["view-identity", "view-comments", "view-marker", "time-travel"];

#[test]
fn a_platform_that_keeps_its_promises_is_found_to_and_nothing_is_left_behind() {
    let bench = Bench::with_ledger();
    let warehouses = bench.request("GET", "/api/2.0/sql/warehouses", "operator", None);
    let second = warehouses["warehouses"][1]["id"].as_str().expect("a second warehouse").to_owned();
    let wanted = [&VIEWS[..], &["lease-conflict", "alter-latency", "second-warehouse", "pinned-route"]].concat();
    let checks: Vec<&str> = wanted.iter().flat_map(|check| ["--check", check]).collect();
    let (_, round) = bench.round(&[&checks[..], &["--write", "--second-warehouse", &second]].concat());
    for check in wanted.iter().filter(|check| **check != "pinned-route") {
        assert_eq!(verdict(&round, check), "proven", "{round:#}");
    }
    assert_eq!(found(&round, "view-comments", LEDGER)["figures"]["comments_lost"], 1);
    assert_eq!(verdict(&round, "pinned-route"), "failed", "the simulator folds no route: {round:#}");
    assert_eq!(standing(&round, "view_switch", LEDGER).0, "on");
    assert_eq!(standing(&round, "pinned_route", LEDGER).0, "off");
    assert_eq!(standing(&round, "version_pins", LEDGER).0, "on");
    assert_eq!(left(&bench), 0);
    let refused = bench.run(&["doctor", "--check", "view-identity"]);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("--write"), "{}", refused.err);
}

#[test]
fn a_platform_that_breaks_them_is_found_out() {
    let bench = Bench::with_ledger();
    let all = json!({"view_identity": true, "view_comments": true, "view_marker": true, "time_travel": true});
    bench.admin("/breaks", &all);
    let checks: Vec<&str> = VIEWS.iter().flat_map(|check| ["--check", check]).collect();
    let (code, round) = bench.round(&[&checks[..], &["--write"]].concat());
    assert_eq!(code, 8);
    for check in ["view-identity", "view-marker", "time-travel"] {
        assert_eq!(verdict(&round, check), "failed", "{round:#}");
    }
    let finding = found(&round, "view-identity", LEDGER)["finding"].as_str().unwrap();
    assert_eq!(finding, "a changed view is another object, and has lost its grants");
    assert_eq!(found(&round, "view-comments", LEDGER)["figures"]["comments_lost"], 0);
    assert_eq!(standing(&round, "view_switch", LEDGER).0, "off");
    assert_eq!(standing(&round, "version_pins", LEDGER).0, "off");
    assert_eq!(left(&bench), 0);
}

#[test]
fn figures_under_another_name_are_missed_in_events_and_in_published_logs() {
    let bench = Bench::with_ledger();
    let checks = ["--check", "pipeline-events", "--check", "event-log-tables"];
    let (code, round) = bench.round(&checks);
    assert_eq!((code, found(&round, "pipeline-events", "prod")["verdict"].as_str()), (0, Some("proven")), "{round:#}");
    assert_eq!(verdict(&round, "event-log-tables"), "proven", "{round:#}");
    // Another world: a log that was read once keeps what it has.
    let bench = Bench::with_ledger();
    bench.admin("/breaks", &json!({"event_details": true}));
    let (code, round) = bench.round(&checks);
    assert_eq!((code, found(&round, "pipeline-events", "prod")["verdict"].as_str()), (8, Some("failed")), "{round:#}");
    assert_eq!(verdict(&round, "event-log-tables"), "failed", "{round:#}");
    assert_eq!(standing(&round, "flow_figures", "prod").0, "off");
    assert_eq!(standing(&round, "event_gates", LEDGER).0, "off");
    let pipelines = bench.run(&["pipelines", "--workspace", "prod"]);
    assert!(pipelines.out.contains("rows and backlog of flows") && pipelines.out.contains("pipeline-events failed"));
}

#[test]
fn system_tables_that_may_not_be_read_are_told_with_the_missing_right() {
    // A world without jobs: system tables of three weeks take their time.
    let bench = Bench::of("bundle");
    let reader = bench.access().tokens["reader"].clone();
    std::fs::write(bench.folder.path().join("sim.prod.publisher.token"), reader).unwrap();
    let (code, round) = bench.round(&["--check", "system-tables"]);
    let check = found(&round, "system-tables", LEDGER);
    assert_eq!((code, check["verdict"].as_str()), (8, Some("failed")), "{check}");
    assert!(check["finding"].as_str().unwrap().starts_with("system.lakeflow.job_run_timeline: "), "{check}");
    assert_eq!(standing(&round, "costs", LEDGER).0, "off");
}

#[test]
fn late_system_tables_are_three_days_late() {
    let bench = Bench::new();
    bench.admin("/breaks", &json!({"system_tables": true}));
    // What was asked by now would be told five minutes later.
    bench.admin("/advance", &json!({"seconds": 3600}));
    let told = |bench: &Bench| bench.by_hand("SELECT count(*) > 0 AS told FROM system.query.history");
    told(&bench);
    bench.admin("/advance", &json!({"seconds": 3600}));
    assert_eq!(told(&bench)["result"]["data_array"], json!([["false"]]));
    bench.admin("/breaks", &json!({}));
    assert_eq!(told(&bench)["result"]["data_array"], json!([["true"]]));
}

/// Sessions of which each reads before the other commits.
#[derive(Clone)]
struct Overlapping(Desk);

impl Sql for Overlapping {
    async fn execute(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        let running = self.0.begin(ask)?;
        if ask.named.name == "ledger.lease.acquire" {
            tokio::task::yield_now().await;
        }
        self.0.commit(running)
    }
}

#[test]
fn a_lease_that_two_sessions_get_is_found_out() {
    for broken in [false, true] {
        let desk = Desk::new();
        desk.server.lock().unwrap().engine.set_breaks(Breaks { write_conflicts: broken, ..Breaks::default() });
        let sql = Overlapping(desk);
        let scratch = Scratch::new(&sql, "ops", Ulid::new(1, 7)).unwrap();
        let finding = block_on(async {
            scratch.make().await.unwrap();
            let finding = lease_conflict(&scratch).await;
            scratch.drop_all().await.unwrap();
            finding
        });
        if broken {
            assert_eq!(finding.verdict, Verdict::Failed, "{finding:?}");
            assert!(finding.says.contains("both sessions were told that they have the lease"), "{finding:?}");
        } else {
            assert_eq!((finding.verdict, finding.figures["conflicts"]), (Verdict::Proven, 3), "{finding:?}");
        }
    }
}

/// Through the whole program: the self-test, the record of it, and the command that stands on it.
#[test]
fn an_engine_on_which_the_later_writer_wins_turns_leases_off() {
    let bench = Bench::with_ledger();
    let conflict = ["--check", "lease-conflict", "--write"];
    // Long enough that two sessions read before either commits.
    bench.admin("/statements", &json!({"takes_ms": 400}));
    let (_, round) = bench.round(&conflict);
    assert_eq!(verdict(&round, "lease-conflict"), "proven", "{round:#}");
    assert_eq!(standing(&round, "leases", LEDGER).0, "on");

    bench.admin("/breaks", &json!({"write_conflicts": true}));
    let (code, round) = bench.round(&conflict);
    assert_eq!((code, verdict(&round, "lease-conflict")), (8, "failed"), "{round:#}");
    let finding = found(&round, "lease-conflict", LEDGER)["finding"].as_str().unwrap();
    assert!(finding.contains("both sessions were told that they have the lease"), "{finding}");
    for feature in ["leases", "production_acts", "view_switch"] {
        assert_eq!(standing(&round, feature, LEDGER).0, "off", "{feature}");
    }
    bench.admin("/statements", &json!({"takes_ms": 1}));
    let refused = bench.run(&["ledger", "seal"]);
    assert_eq!(refused.code, 6, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("lease-conflict failed on "), "{}", refused.err);
}

#[test]
fn changes_of_views_that_take_longer_than_the_window_turn_the_switch_off() {
    let bench = Bench::with_ledger();
    let latency = ["--check", "alter-latency", "--write"];
    let (_, round) = bench.round(&latency);
    assert_eq!(verdict(&round, "alter-latency"), "proven", "within half a minute: {round:#}");
    bench.admin("/statements", &json!({"takes_ms": 150}));
    let (code, round) = bench.round(&[&latency[..], &["--window-ms", "100"]].concat());
    assert_eq!((code, verdict(&round, "alter-latency")), (8, "failed"), "{round:#}");
    assert!(found(&round, "alter-latency", LEDGER)["figures"]["p50_ms"].as_i64().unwrap() >= 150, "{round:#}");
    assert_eq!(standing(&round, "view_switch", LEDGER).0, "off");
}

#[test]
fn a_second_warehouse_that_goes_on_reading_what_was_is_found_out() {
    let bench = Bench::with_ledger();
    let warehouses = bench.request("GET", "/api/2.0/sql/warehouses", "operator", None);
    let second = warehouses["warehouses"][1]["id"].as_str().expect("a second warehouse").to_owned();
    bench.admin("/breaks", &json!({"view_lag": true}));
    let wanted = ["--check", "second-warehouse", "--write", "--second-warehouse", &second, "--window-ms", "300"];
    let (code, round) = bench.round(&wanted);
    assert_eq!((code, verdict(&round, "second-warehouse")), (8, "failed"), "{round:#}");
    let check = found(&round, "second-warehouse", LEDGER);
    assert_eq!(check["finding"], "a second warehouse has not seen a change after 300 ms");
    assert_eq!(check["fix"], "Wait longer before a switch counts as seen.");
}
