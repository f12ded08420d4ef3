//! The checks on workspaces.

use serde_json::json;

use super::{Bench, found, standing};

/// The route that tells who somebody is.
const ME: &str = "/api/2.0/preview/scim/v2/Me";

#[test]
fn a_sound_workspace_is_found_sound_and_the_page_says_so_in_eighty_columns() {
    let bench = Bench::new();
    // Not the clock: a machine that stands still for a while is right to be told so.
    let checks = ["connectivity", "sign-in", "permissions", "pipeline-events", "warehouse"];
    let checks: Vec<&str> = checks.iter().flat_map(|check| ["--check", check]).collect();
    let (code, round) = bench.round(&[&checks[..], &["--workspace", "dev", "--workspace", "staging"]].concat());
    assert_eq!((code, round["checks"].as_array().unwrap().len()), (0, 8), "the ledger is in prod: {round:#}");
    for workspace in ["dev", "staging"] {
        for check in ["connectivity", "sign-in"] {
            let check = found(&round, check, workspace);
            assert_eq!(check["verdict"], "proven", "{check}");
            assert!(check["fix"].is_null());
        }
    }
    assert_eq!(found(&round, "permissions", "dev")["verdict"], "proven");
    assert_eq!(standing(&round, "acts", "dev").0, "on");
    // Whoever may not manage an object cannot read who may use it: that is no failure.
    assert_eq!(found(&round, "permissions", "staging")["verdict"], "undecided");
    assert_eq!(standing(&round, "acts", "staging").0, "assumed");
    let events = found(&round, "pipeline-events", "staging");
    assert_eq!(events["verdict"], "proven", "{events}");
    assert_eq!(standing(&round, "flow_figures", "staging").0, "on");

    let page = bench.run(&["doctor", "--workspace", "dev", "--check", "sign-in", "--check", "connectivity"]);
    assert_eq!((page.code, page.err.as_str()), (0, ""), "{}", page.out);
    assert!(page.out.lines().any(|line| line.starts_with("  ok       sign-in           reader,")), "{}", page.out);
    assert!(page.out.lines().all(|line| line.chars().count() <= 80), "{}", page.out);
}

#[test]
fn a_workspace_that_does_not_answer_is_told_and_nothing_can_be_done_there() {
    let bench = Bench::new();
    bench.admin("/faults", &json!({"kind": "html_sign_in", "workspace": "dev", "count": null}));
    let (code, round) = bench.round(&["--workspace", "dev"]);
    assert_eq!(code, 8);
    let check = found(&round, "connectivity", "dev");
    assert_eq!(check["verdict"], "failed", "{check}");
    assert!(check["finding"].as_str().unwrap().contains("sign-in page"), "{check}");
    assert!(check["fix"].as_str().unwrap().contains("proxy"), "{check}");
    assert_eq!(found(&round, "sign-in", "dev")["verdict"], "undecided");
    let (standing, because) = standing(&round, "acts", "dev");
    assert_eq!(standing, "off");
    assert!(because.contains("connectivity failed on "), "{because}");
    let act = bench.run(&["run", "start", "7", "--workspace", "dev", "--yes"]);
    assert_eq!(act.code, 5, "{}{}", act.out, act.err);
}

#[test]
fn a_credential_that_does_not_sign_in_is_named_with_its_role() {
    let bench = Bench::new();
    std::fs::write(bench.folder.path().join("sim.prod.publisher.token"), "dapi-of-yesterday").unwrap();
    let (code, round) = bench.round(&["--workspace", "prod", "--check", "sign-in"]);
    assert_eq!(code, 8);
    let check = found(&round, "sign-in", "prod");
    let finding = check["finding"].as_str().unwrap();
    assert!(finding.starts_with("publisher: 401") && finding.contains("; ledger: 401"), "{finding}");
    assert!(!finding.contains("operator") && !finding.contains("dapi"), "{finding}");
    assert_eq!(standing(&round, "acts", "prod").0, "assumed", "the operator signs in");
    assert_eq!(bench.run(&["ledger", "status"]).code, 5, "what needs the credential fails by itself, too");
    std::fs::write(bench.folder.path().join("sim.prod.operator.token"), "dapi-of-yesterday").unwrap();
    let (_, round) = bench.round(&["--workspace", "prod", "--check", "permissions"]);
    assert!(
        found(&round, "permissions", "prod")["finding"].as_str().unwrap().starts_with("the operator does not sign in")
    );
    assert_eq!(standing(&round, "acts", "prod").0, "off");
    let act = bench.run(&["run", "start", "7", "--workspace", "prod", "--unlock", "--yes"]);
    assert!(act.code != 0 && act.err.contains("401"), "{}", act.err);
}

#[test]
fn an_operator_without_rights_is_told_what_is_missing() {
    let bench = Bench::new();
    let reader = bench.access().tokens["reader"].clone();
    std::fs::write(bench.folder.path().join("sim.prod.operator.token"), reader).unwrap();
    let (verdict, finding) = bench.check("permissions", "prod");
    assert_ne!(verdict, "proven", "{finding}");
    let jobs = bench.request("GET", "/api/2.2/jobs/list", "operator", None);
    let job = jobs["jobs"][0]["job_id"].to_string();
    let start = |job: &str| bench.run(&["run", "start", job, "--workspace", "prod", "--unlock", "--yes"]);
    let act = start(&job);
    assert_eq!(act.code, 5, "nobody could tell before: {}{}", act.out, act.err);
    assert!(act.err.contains("403"), "{}", act.err);
}

#[test]
fn where_rights_can_be_read_a_missing_one_is_named_before_anything_is_asked() {
    let bench = Bench::new();
    bench.admin("/breaks", &json!({"rights_told": true}));
    let reader = bench.access().tokens["reader"].clone();
    std::fs::write(bench.folder.path().join("sim.prod.operator.token"), reader).unwrap();
    let (code, round) = bench.round(&["--workspace", "prod", "--check", "permissions"]);
    let check = found(&round, "permissions", "prod");
    assert_eq!((code, check["verdict"].as_str()), (8, Some("failed")), "{check}");
    assert!(check["finding"].as_str().unwrap().contains("lacks CAN_MANAGE_RUN on job "), "{check}");
    assert_eq!(standing(&round, "acts", "prod").0, "off");

    let jobs = bench.request("GET", "/api/2.2/jobs/list", "operator", None);
    let job = jobs["jobs"][0]["job_id"].to_string();
    let runs = bench.request("GET", &format!("/api/2.2/jobs/runs/list?job_id={job}"), "operator", None);
    let run = runs["runs"][0]["run_id"].to_string();
    let pipelines = bench.request("GET", "/api/2.0/pipelines", "operator", None);
    let pipeline = pipelines["statuses"][0]["pipeline_id"].as_str().unwrap().to_owned();
    for (act, id, needed) in [
        (["run", "start"], &job, format!("CAN_MANAGE_RUN on job {job}")),
        (["run", "cancel"], &run, format!("CAN_MANAGE_RUN on job {job}")),
        (["run", "repair"], &run, format!("CAN_MANAGE_RUN on job {job}")),
        (["pipeline", "start"], &pipeline, format!("CAN_RUN on pipeline {pipeline}")),
        (["pipeline", "stop"], &pipeline, format!("CAN_RUN on pipeline {pipeline}")),
    ] {
        for how in ["--yes", "--dry-run"] {
            let ran = bench.run(&[&act[..], &[id, "--workspace", "prod", "--unlock", how]].concat());
            assert_eq!(ran.code, 6, "{act:?} {how}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(&format!("lacks {needed}")), "{act:?} {how}: {}", ran.err);
        }
    }
    let asked = bench.asked();
    let acts = asked.iter().filter(|request| request["method"] == "POST").map(|request| request["route"].to_string());
    let acts: Vec<String> = acts.filter(|route| route.contains("jobs") || route.contains("pipelines")).collect();
    assert_eq!(acts, Vec::<String>::new(), "nothing was asked for");
}

#[test]
fn a_clock_that_is_off_is_told_and_turns_nothing_off() {
    let bench = Bench::new();
    bench.admin("/advance", &json!({"seconds": 36_000}));
    let (verdict, finding) = bench.check("clock", "dev");
    assert_eq!(verdict, "failed");
    assert!(finding.starts_with("this machine is 36") && finding.ends_with(" s behind the server"), "{finding}");
    let page = bench.run(&["doctor", "--check", "clock"]);
    assert!(
        page.out.contains("FAILED   clock") && page.out.contains("to do      Set this machine's clock"),
        "{}",
        page.out
    );
    assert!(!page.out.contains("  OFF "), "{}", page.out);
}

#[test]
fn what_was_found_last_is_told_without_asking() {
    let bench = Bench::new();
    let nothing = bench.run(&["doctor", "--last"]);
    assert!(nothing.out.starts_with("nothing was ever tried here"), "{}", nothing.out);
    bench.admin("/faults", &json!({"kind": "503", "route": ME, "workspace": "dev", "count": null}));
    bench.check("sign-in", "dev");
    let url = format!("{}/faults", bench.simulator.admin());
    bench.world.block_on(async { crate::sim::http().delete(url).send().await.unwrap() });
    let (code, last) = bench.round(&["--last"]);
    assert_eq!((code, found(&last, "sign-in", "dev")["verdict"].as_str()), (8, Some("failed")), "the fault is over");
    assert_eq!(bench.check("sign-in", "dev").0, "proven");
    assert_eq!(bench.round(&["--last"]).0, 0);
    assert_eq!(bench.run(&["doctor", "--check", "cutover"]).code, 2);
}
