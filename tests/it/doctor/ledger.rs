//! The checks on the ledger and its warehouse.

use serde_json::json;

use super::{Bench, found, standing};

const LEDGER: &str = "ops.release";

#[test]
fn a_whole_ledger_is_found_whole_and_has_the_round_in_its_audit() {
    let bench = Bench::with_ledger();
    let reading = ["warehouse", "permissions", "ledger-tables"];
    let arguments: Vec<&str> = reading.iter().flat_map(|name| ["--check", name]).collect();
    let (code, round) = bench.round(&arguments);
    assert_eq!(code, 0, "{round:#}");
    for name in reading {
        assert_eq!(found(&round, name, LEDGER)["verdict"], "proven", "{round:#}");
    }
    let untried = "[\"lease-conflict: never tried\"]".to_owned();
    assert_eq!(standing(&round, "production_acts", LEDGER), ("assumed".to_owned(), untried.clone()));
    assert_eq!(standing(&round, "leases", LEDGER), ("assumed".to_owned(), untried));
    assert_eq!(standing(&round, "view_switch", LEDGER).0, "unproven");
    assert_eq!(round["kept"], json!({"here": true, "ledger": true, "waits_because": null}));
    let told = bench.by_hand("SELECT outcome, detail_json FROM ops.release.audit_event WHERE verb = 'doctor'");
    let rows = told["result"]["data_array"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0][0].as_str()), (1, Some("passed")));
    assert!(rows[0][1].as_str().unwrap().contains("\"check\":\"warehouse\""), "{told}");
}

#[test]
fn without_its_tables_the_ledger_is_told_to_be_made_and_the_round_waits_for_it() {
    let bench = Bench::new();
    let (code, round) = bench.round(&["--check", "ledger-tables"]);
    let check = found(&round, "ledger-tables", LEDGER);
    assert_eq!((code, check["verdict"].as_str()), (8, Some("failed")), "{check}");
    assert!(check["fix"].as_str().unwrap().contains("lakeshift ledger init --run"), "{check}");
    assert_eq!(
        (standing(&round, "production_acts", LEDGER).0.as_str(), &round["kept"]["ledger"]),
        ("off", &json!(false))
    );
    assert_eq!(bench.run(&["ledger", "init", "--run"]).code, 0);
    assert_eq!(bench.check("ledger-tables", LEDGER).0, "proven");
    let told = bench.by_hand("SELECT outcome FROM ops.release.audit_event WHERE verb = 'doctor' ORDER BY audit_id");
    assert_eq!(told["result"]["data_array"], json!([["failed"], ["passed"]]), "what waited came with the next round");
}

#[test]
fn a_table_of_facts_that_takes_updates_is_named() {
    let bench = Bench::with_ledger();
    bench.by_hand("ALTER TABLE ops.release.approval SET TBLPROPERTIES ('delta.appendOnly' = 'false')");
    let (verdict, finding) = bench.check("ledger-tables", LEDGER);
    assert_eq!((verdict.as_str(), finding.starts_with("approval takes UPDATE")), ("failed", true), "{finding}");
    bench.by_hand("ALTER TABLE ops.release.approval SET TBLPROPERTIES ('delta.appendOnly' = 'true')");
    bench.by_hand("INSERT INTO ops.release.lease SELECT * FROM ops.release.lease WHERE product = 'sales'");
    let (verdict, finding) = bench.check("ledger-tables", LEDGER);
    assert_eq!((verdict.as_str(), finding.as_str()), ("failed", "sales has 2 leases, and so none that holds"));
    bench.by_hand("DELETE FROM ops.release.lease WHERE product = 'sales'");
    let (verdict, finding) = bench.check("ledger-tables", LEDGER);
    assert_eq!((verdict.as_str(), finding.as_str()), ("failed", "sales has no lease"));
}

#[test]
fn a_warehouse_that_is_not_there_is_told() {
    let bench = Bench::with_ledger();
    let warehouse = bench.warehouse.clone();
    bench.reconfigure(|text| text.replace(&warehouse, "0000000000000000"));
    let (code, round) = bench.round(&["--check", "warehouse", "--check", "ledger-tables"]);
    let check = found(&round, "warehouse", LEDGER);
    assert_eq!((code, check["verdict"].as_str()), (8, Some("failed")), "{check}");
    assert!(check["finding"].as_str().unwrap().contains("0000000000000000"), "{check}");
    assert_eq!(found(&round, "ledger-tables", LEDGER)["verdict"], "undecided");
    assert_eq!(standing(&round, "production_acts", LEDGER).0, "off");
}
