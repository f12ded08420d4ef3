//! Tests of the engine: each rule by itself here; whole lives under every fault in `model`.

use chrono::TimeDelta;

use super::*;
use crate::domain::danger::Danger;
use crate::domain::fixture::now;
use crate::domain::ids::{RepairId, RunId};
use crate::domain::ulid::Ulid;
use crate::operations::fixture::{active_run, failed_run, idle_pipeline, job, planning, running_pipeline};
use crate::operations::journal::{Certainty, Event, Recorded, Thing};
use crate::operations::step::Condition;
use crate::operations::{cancel, pipeline, repair, run_now};

mod gone;
mod model;
mod waves;

/// An operation under the test's hands: records what follows from what it is told.
pub(super) struct Bench {
    pub(super) plan: Plan,
    pub(super) journal: Vec<Recorded>,
    pub(super) state: State,
    pub(super) moment: Moment,
}

impl Bench {
    pub(super) fn new(plan: Plan) -> Self {
        let state = State::new(&plan);
        let mut bench = Self { plan, journal: Vec::new(), state, moment: Moment { at: now(), acknowledged: 0 } };
        let digest = bench.plan.digest().expect("hashable");
        bench.record(Event::Planned { digest });
        bench
    }

    fn approved(plan: Plan) -> Self {
        let mut bench = Self::new(plan);
        bench.tell(&Input::Asked(Request::Approve { how: "confirmed".to_owned() }));
        bench
    }

    fn record(&mut self, event: Event) {
        let seq = self.state.seq + 1;
        let recorded = Recorded {
            op_id: self.plan.id,
            seq,
            event_id: Ulid::new(0, u128::from(seq)),
            at: self.moment.at,
            actor: self.plan.actor.clone(),
            event,
        };
        apply(&mut self.state, &recorded);
        self.journal.push(recorded);
    }

    /// Tells the engine something and records what follows, to the end.
    pub(super) fn tell(&mut self, input: &Input) {
        let mut events = decide(&self.plan, &self.state, input, self.moment);
        while !events.is_empty() {
            for event in events {
                self.record(event);
            }
            events = decide(&self.plan, &self.state, &Input::Clock, self.moment);
        }
    }

    pub(super) fn due(&self) -> Vec<Effect> {
        due(&self.plan, &self.state, self.moment)
    }

    fn only_due(&self) -> Effect {
        let due = self.due();
        assert_eq!(due.len(), 1, "{due:?}");
        due.into_iter().next().expect("one")
    }

    /// Ends the one effect that is due.
    fn end(&mut self, outcome: Outcome) {
        let effect = self.due().into_iter().find(|effect| !matches!(effect, Effect::Wait { .. })).expect("an effect");
        self.tell(&Input::Ended(Box::new(effect), outcome));
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.moment.at += TimeDelta::seconds(seconds);
        self.tell(&Input::Clock);
    }

    fn names(&self) -> Vec<&'static str> {
        self.journal.iter().map(|recorded| recorded.event.name()).collect()
    }
}

fn run_plan() -> Plan {
    let job = job();
    let order =
        run_now::Order { job: &job, active_runs: 0, parameters: std::collections::BTreeMap::new(), only: Vec::new() };
    run_now::plan(&planning(), &order).expect("planned")
}

fn start_plan() -> Plan {
    let pipeline = idle_pipeline();
    let order = pipeline::Start { pipeline: &pipeline, validate_only: false, tables: Vec::new() };
    pipeline::start(&planning(), &order).expect("planned")
}

fn repair_plan() -> Plan {
    repair::plan(&planning(), &repair::Order { run: &failed_run(), tasks: Vec::new(), dependents: false })
        .expect("planned")
}

pub(super) fn plans() -> Vec<Plan> {
    let stop = pipeline::stop(&planning(), &running_pipeline()).expect("planned");
    let cancel = cancel::plan(&planning(), &active_run()).expect("planned");
    vec![run_plan(), cancel, repair_plan(), start_plan(), stop]
}

fn run(certainty: Certainty) -> Evidence {
    Evidence { thing: Thing::Run { run: RunId(900) }, certainty, says: "run 900".to_owned() }
}

fn update(certainty: Certainty) -> Evidence {
    let thing = Thing::Update { pipeline: "6f-1".into(), update: "u-9".into() };
    Evidence { thing, certainty, says: "update u-9".to_owned() }
}

pub(super) fn holds() -> Outcome {
    Outcome::Holds { world_at: now() }
}

fn lost() -> Outcome {
    Outcome::Lost("connection lost".to_owned())
}

#[test]
fn nothing_is_due_before_a_person_approves() {
    let mut bench = Bench::new(run_plan());
    assert_eq!(bench.due(), []);
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Planned);
    bench.tell(&Input::Asked(Request::Approve { how: "--yes".to_owned() }));
    assert!(matches!(bench.only_due(), Effect::Check { .. }));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Running);
}

#[test]
fn a_good_life_checks_intends_asks_and_sees() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    let Effect::Act { attempt: 1, token: Some(token), .. } = bench.only_due() else { panic!("{:?}", bench.due()) };
    assert!(token.len() <= 64 && token.contains(&bench.plan.id.to_string()));
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert!(bench.due().iter().any(|effect| matches!(effect, Effect::Look { purpose: Purpose::Verify, .. })));
    bench.end(Outcome::Missing);
    assert!(!bench.state.is_over(), "not seen yet");
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert_eq!(bench.names(), ["planned", "approved", "intended", "confirmed", "verified", "completed"]);
    assert_eq!(bench.due(), []);
}

#[test]
fn a_lost_answer_is_probed_and_a_token_lets_it_be_asked_again_at_once() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(lost());
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, asked: Some(_), .. }));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Probing);
    bench.end(Outcome::Unreadable("no connection".to_owned()));
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, .. }), "it looks again");
    bench.end(Outcome::Missing);
    bench.end(holds());
    let Effect::Act { attempt: 2, .. } = bench.only_due() else { panic!("{:?}", bench.due()) };
}

#[test]
fn a_start_without_token_is_asked_again_only_after_the_late_bound_and_a_second_look() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    let until = now() + TimeDelta::seconds(90);
    assert_eq!(bench.due(), [Effect::Wait { until }]);
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Settling { until: Some(until) });
    bench.pass(89);
    assert_eq!(bench.due(), [Effect::Wait { until }]);
    bench.pass(1);
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Settle, .. }));
    bench.end(Outcome::Missing);
    assert!(matches!(bench.only_due(), Effect::Check { .. }), "certain by now, so it is asked anew");
}

#[test]
fn what_arrives_late_is_found_by_the_second_look() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    bench.pass(90);
    bench.end(Outcome::Found(update(Certainty::Inferred)));
    bench.end(Outcome::Found(update(Certainty::Inferred)));
    assert_eq!(bench.names()[2..], ["intended", "unknown", "absent", "settled", "verified", "completed"]);
}

#[test]
fn a_doubt_that_could_do_harm_is_settled_before_the_end() {
    let plan = plans().swap_remove(1);
    let ended = || Evidence {
        thing: Thing::State { state: "canceled".to_owned() },
        certainty: Certainty::Inferred,
        says: "canceled".to_owned(),
    };
    let mut bench = Bench::approved(plan);
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Found(ended()));
    bench.end(Outcome::Found(ended()));
    assert!(!bench.state.is_over(), "our cancel may still arrive, and hit a repair of the same run");
    assert!(matches!(bench.only_due(), Effect::Wait { .. }));
    bench.pass(90);
    bench.end(Outcome::Found(ended()));
    assert_eq!(bench.names().last(), Some(&"completed"));
}

#[test]
fn a_refusal_after_a_lost_answer_is_looked_into() {
    let mut bench = Bench::approved(repair_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    bench.end(holds());
    bench.end(Outcome::Refused { why: "the run is active".to_owned(), transient: false, retry_after_s: None });
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, .. }), "our first one may be why");
}

#[test]
fn a_refusal_for_good_after_a_lost_answer_is_settled_and_believed() {
    for plan in [run_plan(), repair_plan()] {
        let refused = || Outcome::Refused { why: "403".to_owned(), transient: false, retry_after_s: None };
        let mut bench = Bench::approved(plan);
        bench.end(holds());
        bench.end(lost());
        bench.end(Outcome::Missing);
        bench.end(holds());
        bench.end(refused());
        bench.end(Outcome::Missing);
        assert!(matches!(bench.only_due(), Effect::Wait { .. }), "the first one may still arrive");
        bench.pass(90);
        bench.end(Outcome::Missing);
        bench.end(holds());
        bench.end(refused());
        assert_eq!(bench.state.end, Some(End::Failed { why: "403".to_owned() }), "it is not asked for ever");
    }
}

#[test]
fn a_refusal_for_the_moment_after_a_lost_answer_is_waited_out() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    bench.end(holds());
    bench.end(Outcome::Refused { why: "429".to_owned(), transient: true, retry_after_s: Some(40) });
    bench.end(Outcome::Missing);
    let until = now() + TimeDelta::seconds(40);
    assert_eq!(bench.due(), [Effect::Wait { until }], "as long as the platform asked");
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Waiting { until });
    bench.pass(40);
    assert!(matches!(bench.only_due(), Effect::Check { .. }));
}

#[test]
fn an_undo_that_is_refused_after_a_lost_answer_is_stuck_in_the_end() {
    let refused = |transient| Outcome::Refused { why: "403".to_owned(), transient, retry_after_s: None };
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    bench.end(holds());
    bench.end(refused(true));
    bench.end(Outcome::Missing);
    assert!(matches!(bench.only_due(), Effect::Wait { .. }), "refused for the moment");
    bench.pass(LONG);
    bench.end(holds());
    bench.end(refused(false));
    bench.end(Outcome::Missing);
    bench.end(Outcome::Missing);
    bench.end(holds());
    bench.end(refused(false));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Stuck);
}

#[test]
fn a_check_that_fails_after_a_lost_answer_is_settled_not_believed() {
    let mut bench = Bench::approved(repair_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    bench.end(Outcome::Fails("the run is active".to_owned()));
    assert!(matches!(bench.only_due(), Effect::Wait { .. }));
    bench.pass(90);
    bench.end(Outcome::Missing);
    bench.end(Outcome::Fails("the run is active".to_owned()));
    assert_eq!(bench.names().last(), Some(&"failed"), "it was somebody else, and nothing of ours happened");
}

#[test]
fn a_refusal_for_the_moment_is_tried_again_and_given_up_in_the_end() {
    let refused = || Outcome::Refused { why: "429".to_owned(), transient: true, retry_after_s: None };
    let mut bench = Bench::approved(run_plan());
    for attempt in 1..=MAX_TRIES {
        bench.end(holds());
        bench.end(refused());
        if attempt < MAX_TRIES {
            assert!(matches!(bench.only_due(), Effect::Wait { .. }), "{attempt}");
            assert!(matches!(phase(&bench.plan, &bench.state, bench.moment), Phase::Waiting { .. }));
            bench.pass(LONG);
        }
    }
    assert_eq!(bench.state.end, Some(End::Failed { why: "429".to_owned() }));
}

#[test]
fn who_takes_over_waits_anew_whatever_the_clocks_say() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Missing);
    assert!(matches!(bench.only_due(), Effect::Wait { .. }));
    // The next machine's clock is ahead by more than the bound on late requests.
    bench.moment.at += TimeDelta::seconds(LONG);
    bench.tell(&Input::TakenUp { from: None });
    assert!(matches!(bench.only_due(), Effect::Wait { .. }), "by its own clock nothing has been waited out");

    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Refused { why: "429".to_owned(), transient: true, retry_after_s: None });
    // This one's clock is behind by hours.
    bench.moment.at -= TimeDelta::hours(5);
    bench.tell(&Input::TakenUp { from: None });
    assert!(matches!(bench.only_due(), Effect::Check { .. }));
}

/// Longer than any wait that the engine chooses.
const LONG: i64 = 120;

#[test]
fn a_refusal_for_good_ends_what_has_not_begun() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Refused { why: "403 permission denied".to_owned(), transient: false, retry_after_s: None });
    assert_eq!(bench.names()[2..], ["intended", "not_done", "failed"]);
}

#[test]
fn an_abort_takes_back_what_was_started() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: Some("wrong day".to_owned()) }));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Undoing);
    bench.end(holds());
    let Effect::Act { direction: Direction::Undo, action, .. } = bench.only_due() else { panic!("{:?}", bench.due()) };
    assert_eq!(action.words(), "cancel run 900");
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert_eq!(bench.names()[4..], ["abort_asked", "undo_intended", "undone", "undo_verified", "aborted"]);
}

#[test]
fn an_abort_of_what_is_over_by_itself_takes_nothing_back() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(Outcome::Fails("run 900 is over".to_owned()));
    assert_eq!(bench.names()[4..], ["abort_asked", "undo_verified", "aborted"]);
}

#[test]
fn what_was_repaired_is_over_only_by_a_read_that_knows_of_the_repair() {
    let mut bench = Bench::approved(repair_plan());
    bench.end(holds());
    let (run, repair) = (RunId(900), RepairId(7));
    let says = "repair 7 of run 900".to_owned();
    bench.end(Outcome::Found(Evidence { thing: Thing::Repair { run, repair }, certainty: Certainty::Answered, says }));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    let Effect::Check { condition, .. } = bench.only_due() else { panic!("{:?}", bench.due()) };
    assert_eq!(condition, Condition::RepairIsActive { run, repair });
}

#[test]
fn what_a_read_does_not_know_yet_is_not_over() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(Outcome::Gone("there is no run 900".to_owned()));
    assert!(matches!(bench.only_due(), Effect::Check { direction: Direction::Undo, .. }), "it looks again");
    bench.pass(90);
    bench.end(Outcome::Gone("there is no run 900".to_owned()));
    assert_eq!(bench.names()[4..], ["abort_asked", "undo_verified", "aborted"], "by now somebody has deleted it");
}

#[test]
fn an_abort_with_a_lost_answer_settles_before_it_says_that_nothing_happened() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(lost());
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(Outcome::Missing);
    assert!(matches!(bench.only_due(), Effect::Wait { .. }), "even with a token: the first may arrive late");
    bench.pass(90);
    bench.end(Outcome::Missing);
    assert_eq!(bench.names().last(), Some(&"aborted"));
}

#[test]
fn what_may_be_a_colleagues_is_not_taken_back() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    bench.end(lost());
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(Outcome::Found(update(Certainty::Inferred)));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Stuck);
    let runbook = &bench.state.stuck.as_ref().expect("stuck").runbook;
    assert!(runbook.iter().any(|line| line.contains("operations close")), "{runbook:?}");
    bench.tell(&Input::Asked(Request::Close { reason: "Ben started it".to_owned() }));
    assert_eq!(bench.state.end, Some(End::Failed { why: "closed by hand: Ben started it".to_owned() }));
}

#[test]
fn two_things_that_could_be_ours_need_a_person() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Ambiguous("two updates".to_owned()));
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Stuck);
    assert_eq!(bench.due(), []);
    bench.tell(&Input::Asked(Request::Unpause));
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, .. }), "it looks again");
}

#[test]
fn there_is_no_way_back_behind_a_point_of_no_return() {
    let mut bench = Bench::approved(plans().swap_remove(1));
    bench.end(holds());
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    assert_eq!(bench.names().last(), Some(&"abort_refused"));
    assert!(bench.state.abort.is_none());
    let mut before = Bench::approved(plans().swap_remove(1));
    before.tell(&Input::Asked(Request::Abort { reason: None }));
    assert_eq!(before.names().last(), Some(&"aborted"));
}

#[test]
fn a_pause_takes_the_answer_of_what_was_asked_and_asks_nothing_further() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.tell(&Input::Asked(Request::Pause));
    assert!(matches!(bench.only_due(), Effect::Act { .. }), "it is under way");
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert_eq!(bench.due(), []);
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Paused);
    bench.tell(&Input::Asked(Request::Unpause));
    assert!(bench.due().iter().any(|effect| matches!(effect, Effect::Look { purpose: Purpose::Verify, .. })));
}

#[test]
fn a_take_over_makes_what_was_intended_unknown() {
    let mut bench = Bench::approved(start_plan());
    bench.end(holds());
    let act = bench.only_due();
    bench.pass(10);
    bench.tell(&Input::TakenUp { from: Some("ben@desk".to_owned()) });
    assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, .. }), "never simply asked again");
    assert_eq!(bench.state.steps[0].forward.doubt_at, Some(bench.moment.at), "it may have been sent until now");
    bench.tell(&Input::Ended(Box::new(act), Outcome::Found(update(Certainty::Answered))));
    assert_eq!(bench.names().last(), Some(&"taken_up"), "an answer to the process before is no answer to this one");
}

#[test]
fn production_waits_for_the_ledger_before_the_first_request() {
    let mut plan = start_plan();
    plan.tier = Danger::Production;
    let mut bench = Bench::approved(plan);
    bench.end(holds());
    assert_eq!(bench.due(), [Effect::AwaitLedger { seq: 3 }]);
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::AwaitingLedger);
    bench.moment.acknowledged = 2;
    assert_eq!(bench.due(), [Effect::AwaitLedger { seq: 3 }], "the plan is there, the intent is not");
    bench.moment.acknowledged = 3;
    assert!(matches!(bench.only_due(), Effect::Act { .. }));
}

#[test]
fn what_the_barrier_kept_back_was_never_sent() {
    for abort in [true, false] {
        let mut plan = start_plan();
        plan.tier = Danger::Production;
        let mut bench = Bench::approved(plan);
        bench.end(holds());
        let request = if abort { Request::Abort { reason: None } } else { Request::Pause };
        bench.tell(&Input::Asked(request));
        assert_eq!(bench.due(), [], "the ledger may come: it is not sent all the same");
        bench.moment.acknowledged = 99;
        assert_eq!(bench.due(), []);
        assert_eq!(bench.names().last(), Some(if abort { &"aborted" } else { &"paused" }));
    }
}

#[test]
fn a_rollback_never_waits_for_the_ledger() {
    let mut plan = start_plan();
    plan.tier = Danger::Rollback;
    let mut bench = Bench::approved(plan);
    bench.end(holds());
    assert!(matches!(bench.only_due(), Effect::Act { .. }));
}

#[test]
fn what_is_not_seen_in_time_is_not_called_a_success() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.pass(119);
    assert!(!bench.state.is_over());
    bench.pass(1);
    assert!(matches!(&bench.state.end, Some(End::Failed { why }) if why.contains("not seen")), "{:?}", bench.state.end);
}

#[test]
fn what_cannot_be_taken_back_is_stuck_with_a_runbook() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(holds());
    bench.end(Outcome::Refused { why: "403".to_owned(), transient: false, retry_after_s: None });
    assert_eq!(phase(&bench.plan, &bench.state, bench.moment), Phase::Stuck);
    bench.tell(&Input::Asked(Request::Unpause));
    assert!(matches!(bench.only_due(), Effect::Check { direction: Direction::Undo, .. }), "a person let it try again");
}

#[test]
fn a_step_of_a_later_wave_waits_for_the_first() {
    let mut plan = run_plan();
    let mut second = plan.steps[0].clone();
    second.wave = 1;
    plan.steps.push(second);
    let mut bench = Bench::approved(plan);
    assert!(matches!(bench.only_due(), Effect::Check { step: 0, .. }));
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert!(matches!(bench.only_due(), Effect::Check { step: 1, .. }));
    bench.end(Outcome::Fails("the job is gone".to_owned()));
    assert_eq!(
        phase(&bench.plan, &bench.state, bench.moment),
        Phase::Paused,
        "one step has happened: a person decides"
    );
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    assert!(matches!(bench.only_due(), Effect::Check { step: 0, direction: Direction::Undo, .. }));
}
