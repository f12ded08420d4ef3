//! What effects come to when the platform refuses, or is not there.

use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::databricks::auth::Credentials;
use crate::databricks::fake::{self, Reply, json as answer};
use crate::databricks::transport::Fault;
use crate::domain::fixture as domain;
use crate::operations::engine::Purpose;
use crate::operations::fixture::{active_run, repaired_run, running_pipeline};
use crate::operations::journal::Direction;
use crate::operations::{cancel, pipeline};

fn missing() -> Reply {
    answer(404, &json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "it does not exist"}))
}

fn denied() -> Reply {
    answer(403, &json!({"error_code": "PERMISSION_DENIED", "message": "no right"}))
}

fn plan() -> Plan {
    cancel::plan(&crate::operations::fixture::planning(), &active_run()).expect("planned")
}

fn look(probe: Probe, asked: Option<(Action, String)>) -> Effect {
    let (direction, purpose) = (Direction::Do, Purpose::Probe);
    Effect::Look { step: 0, direction, purpose, probe, since: None, evidence: None, asked }
}

/// What an effect comes to against answers in order, and what was sent.
async fn performed(effect: &Effect, permit: Permit, replies: Vec<fn() -> Reply>) -> (Outcome, Vec<String>) {
    let network = fake::World::script(replies);
    let workspace = domain::workspace(crate::domain::workspace::Environment::Prod);
    let workspaces = Workspaces::new([(workspace, Ok(network.client()))]);
    let outcome = workspaces.perform(&plan(), effect, permit).await;
    (outcome, network.lines())
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_for_and_not_there_is_told_by_what_it_is() {
    let (run, pipeline, update) = (RunId(501), PipelineId::new("p"), UpdateId::new("u"));
    let repair = RepairId(7);
    let ended = [
        Probe::RunIsEnding { run },
        Probe::RunEnded { run },
        Probe::RepairIsEnding { run, repair },
        Probe::RepairEnded { run, repair },
        Probe::UpdateIsEnding { pipeline: pipeline.clone(), update: update.clone() },
        Probe::UpdateEnded { pipeline: pipeline.clone(), update },
    ];
    for probe in ended {
        let (outcome, _) = performed(&look(probe.clone(), None), Permit::always(), vec![missing]).await;
        assert!(matches!(outcome, Outcome::Gone(_)), "{probe:?}: {outcome:?}");
    }
    let started = [
        Probe::RepairAfter { run, latest_repair: None },
        Probe::UpdateSince { pipeline, validate_only: false },
        Probe::RunOfToken { job: crate::domain::ids::JobId(11) },
    ];
    for probe in started {
        let (outcome, _) = performed(&look(probe.clone(), None), Permit::always(), vec![missing]).await;
        assert_eq!(outcome, Outcome::Missing, "{probe:?}");
        let (outcome, _) = performed(&look(probe.clone(), None), Permit::always(), vec![denied]).await;
        assert!(matches!(&outcome, Outcome::Ambiguous(why) if why.contains("403")), "{probe:?}: {outcome:?}");
        let (outcome, _) =
            performed(&look(probe.clone(), None), Permit::always(), vec![|| Reply::Break(Fault::Interrupted)]).await;
        assert!(matches!(outcome, Outcome::Unreadable(_)), "{probe:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_given_again_by_its_token_needs_the_permit_and_a_refusal_of_it_a_person() {
    let job = crate::domain::ids::JobId(11);
    let order = Action::RunNow { job, parameters: BTreeMap::new(), only: Vec::new() };
    let effect = look(Probe::RunOfToken { job }, Some((order, "t".to_owned())));
    let runs: fn() -> Reply = || {
        let run = json!({"run_id": 900, "job_id": 11, "start_time": 1, "trigger": "ONE_TIME",
            "status": {"state": "RUNNING"}, "run_page_url": "", "run_name": "r"});
        answer(200, &json!({"runs": [run]}))
    };
    let stale = Permit::new(|| Err("never sent: stale".to_owned()));
    let (outcome, sent) = performed(&effect, stale, vec![runs]).await;
    assert!(matches!(&outcome, Outcome::Unreadable(why) if why.contains("never sent: stale")), "{outcome:?}");
    assert!(sent.iter().all(|line| line.starts_with("GET ")), "{sent:?}");
    for refusal in [missing as fn() -> Reply, denied] {
        let (outcome, sent) = performed(&effect, Permit::always(), vec![runs, refusal]).await;
        assert!(matches!(&outcome, Outcome::Ambiguous(_)), "{outcome:?}");
        assert!(sent.last().is_some_and(|line| line.starts_with("POST ")), "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_of_tokens_that_does_not_answer_is_a_refusal_for_the_moment() {
    let network = fake::World::script(vec![|| Reply::Break(Fault::Connect)]);
    let credentials = Credentials::client_secret("id", SecretString::from("a secret of some length"));
    let workspace = domain::workspace(crate::domain::workspace::Environment::Prod);
    let workspaces = Workspaces::new([(workspace, Ok(network.client_as(credentials)))]);
    let plan = pipeline::stop(&crate::operations::fixture::planning(), &running_pipeline()).expect("planned");
    let (action, token) = (plan.steps[0].action.clone(), None);
    let act = Effect::Act { step: 0, direction: Direction::Do, attempt: 1, action, token };
    let outcome = workspaces.perform(&plan, &act, Permit::always()).await;
    assert!(matches!(outcome, Outcome::Refused { transient: true, .. }), "{outcome:?}");
}

#[test]
fn a_read_that_is_older_than_the_plan_tells_nothing_of_later_repairs() {
    let mut run = repaired_run();
    let latest = Some(RepairId(77));
    assert_eq!(repaired_since(&run, latest), Outcome::Missing);
    let newer = crate::domain::run::Repair { id: RepairId(78), ..run.repairs[0].clone() };
    run.repairs.push(newer);
    let found = |outcome: &Outcome, wanted: RepairId| matches!(outcome, Outcome::Found(Evidence { thing: Thing::Repair { repair, .. }, .. }) if *repair == wanted);
    assert!(found(&repaired_since(&run, latest), RepairId(78)));
    // One that was there when it was planned, and the newest one not read yet.
    run.repairs.truncate(1);
    assert_eq!(repaired_since(&run, Some(RepairId(78))), Outcome::Missing);
    assert!(found(&repaired_since(&run, None), RepairId(77)), "nothing was repaired when it was planned");
}
