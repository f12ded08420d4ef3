//! A process that is stopped and goes on later (SIGSTOP, SIGCONT; a machine that sleeps looks the same), and taking back
//! while the ledger is down.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::Bench;
use super::kill::{Stood, stand};

/// Sends a signal, by the system's own command.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.expect("kill runs").success(), "{name}");
}

#[test]
fn a_process_that_was_stopped_before_its_request_sends_nothing_once_another_has_gone_on() {
    let bench = Bench::staging(1.0);
    let pipeline = bench.idle_pipeline();
    let route = "/api/2.0/pipelines/{pipeline_id}/updates ";
    let asked = || bench.acts().iter().filter(|asked| asked.starts_with(route)).count();
    // It stands immediately before the request leaves: behind the intent, behind every check but the last.
    let start = ["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"];
    let mut command = bench.command("one", &start);
    let point = format!("1@before POST /api/2.0/pipelines/{pipeline}/updates");
    command.env("LAKESHIFT_TEST_CRASH_POINT", point).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    err.read_line(&mut line).expect("a line");
    assert!(line.starts_with("crash point"), "{line}");
    signal(&child, "STOP");
    child.stdin.take().expect("piped").write_all(b"go on\n").expect("written");

    let listed = loop {
        let listed = bench.json("one", &["operations", "list"], 0);
        if listed["operations"][0]["owner"]["health"] == "hung" {
            break listed;
        }
    };
    let operation = listed["operations"][0]["operation_id"].as_str().expect("an id").to_owned();
    let resumed = bench.json("one", &["operations", "resume", &operation], 0);
    assert_eq!((&resumed["phase"], asked()), (&json!("completed"), 1));
    // A second start would be let in now.
    bench.end_update(&pipeline);

    signal(&child, "CONT");
    let mut rest = String::new();
    err.read_to_string(&mut rest).expect("read");
    let code = child.wait().expect("ended").code();
    assert!(code != Some(0) && rest.contains("taken over"), "{code:?} {rest}");
    assert_eq!(asked(), 1, "it was not started a second time");
    assert!(!bench.is_active(&pipeline));
}

#[test]
fn what_a_home_did_to_production_it_takes_back_while_the_ledger_is_down() {
    let bench = Bench::with_ledger(1.0);
    let pipeline = bench.idle_pipeline();
    let operation = bench.begin("ana", 1, &pipeline);
    let resume = ["operations", "resume", operation.as_str(), "--yes"];
    assert!(matches!(stand(&bench, "ana", "1@after writing confirmed", &resume), Stood::Killed));
    assert!(bench.is_active(&pipeline));

    let file = bench.folder.path().join("sim.toml");
    let config = std::fs::read_to_string(&file).expect("read");
    let warehouse = config.lines().find(|line| line.starts_with("warehouse = ")).expect("a warehouse");
    std::fs::write(&file, config.replace(warehouse, "warehouse = 'none'")).expect("written");
    let refused = bench.run("ana", &resume);
    assert_ne!(refused.code, 0, "going on needs the ledger: {}", refused.out);
    assert!(bench.is_active(&pipeline));
    let aborted = bench.run("ana", &["operations", "abort", &operation]);
    assert_eq!(aborted.code, 0, "{}\n{}", aborted.out, aborted.err);
    assert!(aborted.err.contains("rows wait here for the ledger"), "told late: {}", aborted.err);
    bench.post("/advance", &json!({"seconds": 300}));
    assert!(!bench.is_active(&pipeline));

    std::fs::write(&file, config).expect("written");
    assert_eq!(bench.run("ana", &["ledger", "deliver"]).code, 0);
    assert!(bench.in_ledger(&operation).contains("aborted"));
}
