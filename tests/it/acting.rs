//! An act through the real console: from the key on a failed row, over the lock of production, to the row that turns.
//!
//! The world of the simulator stands still but for the jumps that the test makes, so nothing here depends on speed.

use std::sync::Arc;

use lakeshift::runtime::clock::SystemClock;
use lakeshift::sim::{Options, Simulator};
use serde_json::json;

use crate::pty::{Home, Terminal};

/// The incident twelve hours on: what made the finance jobs fail is over, their failed runs are still there.
const LATER_S: u32 = 43_200;

/// Longer than what the repaired tasks take.
const REPAIRED_S: u32 = 2_400;

struct World {
    runtime: tokio::runtime::Runtime,
    simulator: Simulator,
}

impl World {
    fn start(home: &Home) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let options = Options {
            seed: 7,
            speed: 0.0,
            request_log: Some(home.path().join("requests.jsonl")),
            ..Options::new(Arc::new(SystemClock))
        };
        let simulator = runtime.block_on(Simulator::start(options)).expect("starts");
        simulator.write_config(&home.path().join("config.toml")).expect("a configuration");
        Self { runtime, simulator }
    }

    fn advance(&self, seconds: u32) {
        let url = format!("{}/advance", self.simulator.admin());
        let asked = crate::sim::http().post(url).json(&json!({"seconds": seconds})).send();
        assert!(self.runtime.block_on(asked).expect("an answer").status().is_success());
    }
}

#[test]
fn a_failed_run_is_repaired_and_its_row_turns() {
    let home = Home::new();
    let log = home.path().join("requests.jsonl");
    let world = World::start(&home);
    world.advance(LATER_S);

    let mut terminal = Terminal::console_at(home, 120, 40);
    terminal.until_shown("failing");
    terminal.press("/cash_position PROD\r");
    let failed = |line: &str| line.contains("cash_position") && line.contains("failed");
    terminal.until("the failed row", |screen| screen.contents().lines().any(failed));

    terminal.press("r");
    terminal.until_shown("Prod is read-only");
    terminal.press("u");
    terminal.until_shown("P unlock");
    terminal.press("P");
    terminal.until_shown("y repair run");
    terminal.until_shown("failed tasks join");
    terminal.press("y");
    terminal.until("what was seen of it", |screen| {
        let shown = screen.contents();
        shown.lines().any(|line| line.contains("verified") && line.contains("repair"))
    });

    terminal.press("o");
    terminal.until_shown("completed");
    terminal.press("8");
    terminal.until_shown("plans and journals whole");
    terminal.press("1");
    world.advance(REPAIRED_S);
    let turned = |line: &str| line.contains("cash_position") && line.contains("ok");
    terminal.until("the row that turned", |screen| screen.contents().lines().any(turned));

    terminal.press("q");
    assert!(terminal.ended().success());
    let asked = std::fs::read_to_string(log).expect("a log of requests");
    let acts = asked.lines().filter(|line| line.contains("POST"));
    assert_eq!(acts.filter(|line| line.contains("runs/repair")).count(), 1, "asked once, whatever was pressed");
}

/// A job of dev, and a home whose world stands still.
fn asked_on_the_command_line(world: &World, home: Home) -> (Terminal, std::path::PathBuf) {
    let access = world.simulator.workspaces().iter().find(|access| access.name == "dev").expect("dev");
    let url = format!("{}/api/2.2/jobs/list", access.host);
    let token = access.tokens["operator"].clone();
    let jobs: serde_json::Value = world.runtime.block_on(async {
        crate::sim::http().get(url).bearer_auth(token).send().await.expect("an answer").json().await.expect("JSON")
    });
    let job = jobs["jobs"][0]["job_id"].to_string();
    let log = home.path().join("requests.jsonl");
    (Terminal::subcommand(home, &["run", "start", &job, "--workspace", "dev"]), log)
}

fn runs_asked(log: &std::path::Path) -> usize {
    let asked = std::fs::read_to_string(log).expect("a log of requests");
    asked.lines().filter(|line| line.contains("POST") && line.contains("run-now")).count()
}

#[test]
fn the_command_line_asks_as_the_console_does() {
    let home = Home::new();
    let world = World::start(&home);
    let (mut terminal, log) = asked_on_the_command_line(&world, home);
    terminal.press("y\ry");
    terminal.until_shown("y goes ahead");
    terminal.until_shown("rights: ");
    terminal.until_shown("tier 2: costs time or money");
    terminal.press("\r");
    assert_eq!(terminal.ended().exit_code(), 6, "neither what was typed ahead nor Enter goes ahead");
    terminal.until_shown("not confirmed: nothing was done");
    terminal.assert_restored();
    assert_eq!(runs_asked(&log), 0);

    let home = Home::new();
    let world = World::start(&home);
    let (mut terminal, log) = asked_on_the_command_line(&world, home);
    terminal.until_shown("y goes ahead");
    terminal.press("y");
    terminal.until_shown("confirmed with y on the command line");
    terminal.until("its request", |_| runs_asked(&log) == 1);
    terminal.signal("INT");
    terminal.ended();
    terminal.assert_restored();
}

#[test]
fn a_signal_while_it_asks_leaves_the_act_and_gives_the_terminal_back() {
    let home = Home::new();
    let world = World::start(&home);
    let (mut terminal, log) = asked_on_the_command_line(&world, home);
    terminal.until_shown("y goes ahead");
    terminal.signal("TERM");
    assert_eq!(terminal.ended().exit_code(), 6);
    terminal.assert_restored();
    assert_eq!(runs_asked(&log), 0);
}
