//! kill -9 for real: the process stands still before and after every journal write and every request, in turn, is killed
//! there from outside, and started again in the same home. The simulator's own world says whether anything was doubled or
//! lost.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use super::Bench;

/// What a run that was told to stand still came to.
pub(super) enum Stood {
    /// It stood still there and was killed.
    Killed,
    /// It passed fewer points and ended.
    Ended(Option<i32>),
}

/// Runs a command with a crash point, and kills it there.
pub(super) fn stand(bench: &Bench, home: &str, point: &str, arguments: &[&str]) -> Stood {
    let mut command = bench.command(home, arguments);
    command.env("LAKESHIFT_TEST_CRASH_POINT", point).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut err = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    err.read_line(&mut line).expect("a line or the end");
    if !line.starts_with("crash point ") {
        let mut rest = String::new();
        err.read_to_string(&mut rest).expect("read");
        return Stood::Ended(child.wait().expect("ended").code());
    }
    // SIGKILL: nothing of the process runs any more.
    child.kill().expect("killed");
    child.wait().expect("ended");
    Stood::Killed
}

/// The crash points that a command passes which ends well, in their order: each is the how manieth of its place.
pub(super) fn points(bench: &Bench, home: &str, arguments: &[&str]) -> Vec<(u64, String)> {
    let mut command = bench.command(home, arguments);
    let output = command.env("LAKESHIFT_TEST_CRASH_POINT", "list").output().expect("runs");
    let err = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{err}");
    let mut passed: BTreeMap<&str, u64> = BTreeMap::new();
    let places = err.lines().filter_map(|line| Some(line.strip_prefix("crash point ")?.split_once(": ")?.1));
    let count = |place| {
        let nth = passed.entry(place).or_default();
        *nth += 1;
        (*nth, place.to_owned())
    };
    places.map(count).collect()
}

/// Whether it hangs on the time that passes how often a place is met.
pub(super) fn is_timed(place: &str) -> bool {
    place.ends_with("a sign of life") || place.contains(" GET ")
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
    let before = effects(bench);
    let points = points(bench, arguments[1], arguments);
    assert_eq!(effects(bench), before + 1, "without a crash it ends well");
    reset(bench);
    for (point, (nth, place)) in (1..).zip(points) {
        let home = format!("{}-{point}", arguments[1]);
        let before = effects(bench);
        if let Stood::Ended(code) = stand(bench, &home, &format!("{nth}@{place}"), arguments) {
            assert!(code == Some(0) && is_timed(&place), "{place} was not met again: {code:?}");
            reset(bench);
            continue;
        }
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
/// command's arguments; `ended` tells whether it did, and `act` is the route by which it is asked.
fn matrix_of_ends(
    bench: &Bench,
    act: &str,
    begin: impl Fn() -> Vec<String>,
    ended: impl Fn() -> bool,
    reset: impl Fn(),
) -> Vec<(u64, String)> {
    let mut killed = Vec::new();
    let asked = || bench.acts().iter().filter(|asked| asked.starts_with(act)).count();
    let arguments = begin();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let points = points(bench, "end", &arguments);
    assert!(ended(), "without a crash it ends well");
    reset();
    for (point, (nth, place)) in (1..).zip(points) {
        let arguments = begin();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (home, before) = (format!("end-{point}"), asked());
        if let Stood::Ended(code) = stand(bench, &home, &format!("{nth}@{place}"), &arguments) {
            assert!(code == Some(0) && is_timed(&place), "{place} was not met again: {code:?}");
            reset();
            continue;
        }
        let resumed = bench.run(&home, &["operations", "resume"]);
        assert_eq!(resumed.code, 0, "{point} {place}\n{}\n{}", resumed.out, resumed.err);
        let all = bench.json(&home, &["operations", "list", "--all"], 0);
        let operations = all["operations"].as_array().expect("a list");
        assert_eq!(ended(), !operations.is_empty(), "{point} {place}: {all}");
        assert_eq!(asked() - before, operations.len(), "{point} {place}: asked once, by the simulator's own log");
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
    let killed = matrix_of_ends(&bench, "/api/2.2/jobs/runs/cancel ", begin, ended, || bench.end_runs(&job));
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
    let killed = matrix_of_ends(&bench, STOP, begin, || !bench.is_active(&pipeline), || bench.end_update(&pipeline));
    assert_complete(&killed, &format!("POST /api/2.0/pipelines/{pipeline}/stop"));
}

/// The route by which a pipeline is stopped.
const STOP: &str = "/api/2.0/pipelines/{pipeline_id}/stop ";

#[test]
fn what_was_started_is_taken_back_once_wherever_the_process_is_killed() {
    let bench = Bench::staging(60.0);
    let pipeline = bench.idle_pipeline();
    let start = ["pipeline", "start", &pipeline, "--workspace", "staging", "--yes"];
    // It is killed when it has started the update, so that there is something to take back.
    let begin = |home: &str| {
        let stood = stand(&bench, home, "1@after writing confirmed", &start);
        assert!(matches!(stood, Stood::Killed));
        let listed = bench.json(home, &["operations", "list"], 0);
        listed["operations"][0]["operation_id"].as_str().expect("an id").to_owned()
    };
    let asked = || bench.acts().iter().filter(|asked| asked.starts_with(STOP)).count();
    let operation = begin("back");
    let points = points(&bench, "back", &["operations", "abort", &operation]);
    assert!(!bench.is_active(&pipeline), "without a crash it is taken back");
    let mut killed = Vec::new();
    for (point, (nth, place)) in (1..).zip(points) {
        let home = format!("back-{point}");
        let operation = begin(&home);
        let (abort, before) = (["operations", "abort", operation.as_str()], asked());
        if let Stood::Ended(code) = stand(&bench, &home, &format!("{nth}@{place}"), &abort) {
            assert!(code == Some(0) && is_timed(&place), "{place} was not met again: {code:?}");
            continue;
        }
        let is_asked = bench.json(&home, &["operations", "show", &operation], 0)["journal"]
            .as_array()
            .expect("entries")
            .iter()
            .any(|entry| entry["event"] == "abort_asked");
        // Whoever killed it before it was written down asks again; else it only goes on.
        let again = if is_asked { ["operations", "resume", operation.as_str()] } else { abort };
        let shown = bench.run(&home, &again);
        let is_over = bench.json(&home, &["operations", "show", &operation], 0)["phase"] == "aborted";
        assert!(is_over && matches!(shown.code, 0 | 2), "{point} {place}\n{}\n{}", shown.out, shown.err);
        assert!(!bench.is_active(&pipeline), "{point} {place}: it is taken back");
        assert_eq!(asked() - before, 1, "{point} {place}: asked once, by the simulator's own log");
        killed.push((point, place));
    }
    for place in ["abort_asked", "undo_intended", "undone", "undo_verified", "aborted"] {
        for side in ["before", "after"] {
            let wanted = format!("{side} writing ");
            let met = |(_, met): &(u64, String)| met.starts_with(&wanted) && met.contains(place);
            assert!(killed.iter().any(met), "{wanted}{place} is not among {killed:?}");
        }
    }
}
