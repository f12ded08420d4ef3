//! kill -9 for real: the process stands still before and after every journal write and every request, in turn, is killed
//! there from outside, and started again in the same home. The simulator's own world says whether anything was doubled or
//! lost.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use super::Bench;

/// What a run that was told to stand still came to.
pub(super) enum Stood {
    /// It stood still at this place and was killed there.
    Killed(String),
    /// It passed fewer points and ended.
    Ended(Option<i32>),
}

/// Runs a command with a crash point, and kills it there.
pub(super) fn stand(bench: &Bench, home: &str, point: u64, arguments: &[&str]) -> Stood {
    let mut command = bench.command(home, arguments);
    command.env("LAKESHIFT_TEST_CRASH_POINT", point.to_string()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    err.read_line(&mut line).expect("a line or the end");
    let Some((_, place)) = line.strip_prefix("crash point ").and_then(|rest| rest.split_once(": ")) else {
        let mut rest = String::new();
        err.read_to_string(&mut rest).expect("read");
        return Stood::Ended(child.wait().expect("ended").code());
    };
    // SIGKILL: nothing of the process runs any more.
    child.kill().expect("killed");
    child.wait().expect("ended");
    Stood::Killed(place.trim().to_owned())
}

/// The crash point whose place ends like this, found by killing a process in a home of its own that is thrown away. What
/// it did until then is taken back.
pub(super) fn point_after(bench: &Bench, place: &str, arguments: &[&str]) -> u64 {
    for point in 1..100 {
        let home = format!("probe-{point}");
        match stand(bench, &home, point, arguments) {
            Stood::Killed(found) if found.starts_with(place) => return point,
            Stood::Killed(_) => {}
            Stood::Ended(code) => panic!("{place} was never reached: {code:?}"),
        }
    }
    panic!("{place} was never reached");
}

/// How often an operation's act took effect, and whether one was journaled, is over and how.
struct Aftermath {
    effects: usize,
    operations: Vec<Value>,
}

/// Kills a command at every point there is; `effects` counts what it has done to the world so far, `reset` brings the world
/// back to where the command makes sense again. Gives the matrix.
fn matrix(
    bench: &Bench,
    arguments: &[&str],
    effects: impl Fn(&Bench) -> usize,
    reset: impl Fn(&Bench),
) -> Vec<(u64, String)> {
    let mut killed = Vec::new();
    for point in 1..200 {
        let home = format!("{}-{point}", arguments[1]);
        let before = effects(bench);
        let place = match stand(bench, &home, point, arguments) {
            Stood::Killed(place) => place,
            Stood::Ended(code) => {
                assert_eq!(code, Some(0), "without a crash it ends well");
                assert_eq!(effects(bench), before + 1);
                reset(bench);
                break;
            }
        };
        let journaled =
            !bench.json(&home, &["operations", "list"], 0)["operations"].as_array().expect("a list").is_empty()
                || !bench.json(&home, &["operations", "list", "--all"], 0)["operations"]
                    .as_array()
                    .expect("a list")
                    .is_empty();
        let resumed = bench.run(&home, &["operations", "resume"]);
        assert_eq!(resumed.code, 0, "{point} {place}\n{}\n{}", resumed.out, resumed.err);
        let operations = bench.json(&home, &["operations", "list", "--all"], 0);
        let after = Aftermath {
            effects: effects(bench) - before,
            operations: operations["operations"].as_array().expect("a list").clone(),
        };
        // Nothing doubled, nothing lost: what was written down happened once, and what was not never did.
        assert_eq!(after.effects, usize::from(journaled), "{point} {place}: {}", resumed.out);
        assert!(
            after.operations.iter().all(|operation| operation["phase"] == "completed"),
            "{point} {place}: {operations}"
        );
        if journaled {
            reset(bench);
        }
        killed.push((point, place));
    }
    killed
}

/// Every write and the act's request must have been among the points, each before and after.
fn assert_complete(killed: &[(u64, String)], act: &str) {
    for place in [
        "writing planned, approved",
        "writing intended",
        "writing confirmed",
        "writing verified",
        "writing completed",
        act,
    ] {
        for side in ["before", "after"] {
            let wanted = format!("{side} {place}");
            assert!(killed.iter().any(|(_, place)| *place == wanted), "{wanted} is not among {killed:?}");
        }
    }
}

#[test]
fn a_run_is_started_once_wherever_the_process_is_killed() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    let start = ["run", "start", &job, "--workspace", "dev", "--yes"];
    let killed = matrix(&bench, &start, |bench| bench.runs_of(&job).len(), |bench| bench.end_runs(&job));
    assert_complete(&killed, "POST /api/2.2/jobs/run-now");
}

#[test]
fn a_run_is_repaired_once_wherever_the_process_is_killed() {
    let bench = Bench::new(1.0);
    let job = bench.job();
    bench.json("first", &["run", "start", &job, "--workspace", "dev", "--yes"], 0);
    let run = bench.newest_run(&job);
    bench.end_runs(&job);
    let repairs = |bench: &Bench| {
        let run = bench.ask(&format!("/api/2.2/jobs/runs/get?run_id={run}&include_history=true"));
        let history = run["repair_history"].as_array().cloned().unwrap_or_default();
        history.iter().filter(|part| part["type"] == "REPAIR").count()
    };
    let repair = ["run", "repair", &run, "--workspace", "dev", "--yes"];
    let killed = matrix(&bench, &repair, repairs, |bench| bench.end_runs(&job));
    assert_complete(&killed, "POST /api/2.2/jobs/runs/repair");
}

#[test]
fn a_pipeline_is_started_once_wherever_the_process_is_killed() {
    let bench = Bench::staging(1.0);
    let pipeline = bench.idle_pipeline();
    let start = ["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"];
    let reset = |bench: &Bench| bench.end_update(&pipeline);
    let killed = matrix(&bench, &start, |bench| bench.updates_of(&pipeline).len(), reset);
    assert_complete(&killed, &format!("POST /api/2.0/pipelines/{pipeline}/updates"));
}

/// Kills a command that ends something at every point there is. Before each time `begin` gives something to end, as the
/// command's arguments; `ended` tells whether it did.
fn matrix_of_ends(
    bench: &Bench,
    begin: impl Fn() -> Vec<String>,
    ended: impl Fn() -> bool,
    reset: impl Fn(),
) -> Vec<(u64, String)> {
    let mut killed = Vec::new();
    for point in 1..200 {
        let arguments = begin();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let home = format!("end-{point}");
        let place = match stand(bench, &home, point, &arguments) {
            Stood::Killed(place) => place,
            Stood::Ended(code) => {
                assert_eq!(code, Some(0));
                assert!(ended());
                break;
            }
        };
        let resumed = bench.run(&home, &["operations", "resume"]);
        assert_eq!(resumed.code, 0, "{point} {place}\n{}\n{}", resumed.out, resumed.err);
        let all = bench.json(&home, &["operations", "list", "--all"], 0);
        let operations = all["operations"].as_array().expect("a list");
        assert_eq!(ended(), !operations.is_empty(), "{point} {place}: {all}");
        assert!(operations.iter().all(|operation| operation["phase"] == "completed"), "{point} {place}: {all}");
        reset();
        killed.push((point, place));
    }
    killed
}

#[test]
fn a_run_is_canceled_wherever_the_process_is_killed() {
    let bench = Bench::new(60.0);
    let job = bench.job();
    let begin = || {
        bench.json("first", &["run", "start", &job, "--workspace", "dev", "--yes"], 0);
        let run = bench.newest_run(&job);
        ["run", "cancel", &run, "--workspace", "dev", "--yes"].map(str::to_owned).to_vec()
    };
    let ended = || bench.runs_of(&job)[0]["state"]["result_state"] == "CANCELED";
    let killed = matrix_of_ends(&bench, begin, ended, || bench.end_runs(&job));
    assert_complete(&killed, "POST /api/2.2/jobs/runs/cancel");
}

#[test]
fn a_pipeline_is_stopped_wherever_the_process_is_killed() {
    let bench = Bench::staging(60.0);
    let pipeline = bench.idle_pipeline();
    let begin = || {
        bench.json("first", &["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"], 0);
        ["pipeline", "stop", &pipeline, "--workspace", "staging", "--yes"].map(str::to_owned).to_vec()
    };
    let killed = matrix_of_ends(&bench, begin, || !bench.is_active(&pipeline), || bench.end_update(&pipeline));
    assert_complete(&killed, &format!("POST /api/2.0/pipelines/{pipeline}/stop"));
}
