//! Operations of several steps: waves, what one step's trouble means for the others, and the way back.

use super::*;
use crate::operations::journal::PauseReason;
use crate::operations::step::Step;

/// Starts a run and an update at once, then another run.
fn several(waves: [u32; 3]) -> Plan {
    let mut plan = run_plan();
    let (run, start) = (plan.steps[0].clone(), start_plan().steps[0].clone());
    let steps = [run.clone(), start, Step { token: run.token.as_ref().map(|token| format!("{token}-again")), ..run }];
    plan.steps = steps.into_iter().zip(waves).map(|(step, wave)| Step { wave, ..step }).collect();
    plan
}

impl Bench {
    /// The one effect of a step that is due, waits aside.
    fn of_step(&self, step: usize) -> Option<Effect> {
        let of = |effect: &Effect| match effect {
            Effect::Check { step, .. } | Effect::Act { step, .. } | Effect::Look { step, .. } => Some(*step),
            Effect::AwaitLedger { .. } | Effect::Wait { .. } => None,
        };
        self.due().into_iter().find(|effect| of(effect) == Some(step))
    }

    fn end_step(&mut self, step: usize, outcome: Outcome) {
        let effect = self.of_step(step).unwrap_or_else(|| panic!("nothing of {step} in {:?}", self.due()));
        self.tell(&Input::Ended(Box::new(effect), outcome));
    }

    fn do_step(&mut self, step: usize, evidence: &Evidence) {
        for outcome in [holds(), Outcome::Found(evidence.clone()), Outcome::Found(evidence.clone())] {
            self.end_step(step, outcome);
        }
    }

    fn has_ended(&self) -> bool {
        self.state.is_over()
    }
}

fn refused() -> Outcome {
    Outcome::Refused { why: "403".to_owned(), transient: false, retry_after_s: None }
}

fn abort() -> Input {
    Input::Asked(Request::Abort { reason: None })
}

#[test]
fn what_is_refused_does_not_end_what_another_step_has_under_way() {
    for fails_at_check in [true, false] {
        let mut bench = Bench::approved(several([0, 0, 1]));
        bench.end_step(1, holds());
        if fails_at_check {
            bench.end_step(0, Outcome::Fails("the job is gone".to_owned()));
        } else {
            bench.end_step(0, holds());
            bench.end_step(0, refused());
        }
        assert!(bench.state.pause.is_some(), "a person decides: {:?}", bench.names());
        assert!(
            matches!(bench.only_due(), Effect::Act { step: 1, .. }),
            "its answer is still taken, and no more asked"
        );
        bench.end_step(1, Outcome::Found(update(Certainty::Answered)));
        assert_eq!(bench.due(), []);
        bench.tell(&abort());
        bench.end_step(1, holds());
        bench.end_step(1, Outcome::Found(update(Certainty::Answered)));
        bench.end_step(1, Outcome::Found(update(Certainty::Answered)));
        assert_eq!(bench.state.end, Some(End::Aborted));
    }
}

#[test]
fn what_is_not_seen_in_time_does_not_end_what_another_step_has_in_doubt() {
    let mut bench = Bench::approved(several([0, 0, 1]));
    bench.end_step(0, holds());
    bench.end_step(0, Outcome::Found(run(Certainty::Answered)));
    bench.end_step(1, holds());
    bench.end_step(1, lost());
    bench.pass(LONG);
    assert!(matches!(&bench.state.pause, Some(PauseReason::Unseen { step: 0, .. })), "{:?}", bench.names());
    bench.tell(&abort());
    bench.end_step(1, Outcome::Missing);
    bench.end_step(1, Outcome::Missing);
    assert!(bench.of_step(0).is_some() && !bench.has_ended(), "the doubt is settled, and the run is to be canceled");
}

#[test]
fn a_request_that_may_still_arrive_outlasts_patience() {
    let mut plan = start_plan();
    plan.late_bound_s = 300;
    let mut bench = Bench::approved(plan);
    bench.end(holds());
    bench.end(lost());
    bench.end(Outcome::Found(update(Certainty::Inferred)));
    bench.pass(299);
    assert!(!bench.has_ended(), "its patience of 120 s is over, the bound on late requests is not");
    bench.pass(1);
    assert!(matches!(bench.state.end, Some(End::Failed { .. })));
}

#[test]
fn a_step_that_is_refused_alone_ends_the_operation_and_withdraws_what_the_ledger_kept_back() {
    let mut plan = several([0, 0, 1]);
    plan.tier = Danger::Production;
    let mut bench = Bench::approved(plan);
    bench.end_step(0, holds());
    bench.end_step(1, holds());
    bench.moment.acknowledged = 3;
    assert!(bench.due().contains(&Effect::AwaitLedger { seq: 4 }));
    bench.end_step(0, refused());
    assert_eq!(bench.names()[4..], ["not_done", "not_done", "failed"], "the update was never asked for");
}

#[test]
fn waves_go_one_after_another_and_are_taken_back_in_reverse() {
    let mut bench = Bench::approved(several([0, 0, 1]));
    bench.do_step(0, &run(Certainty::Answered));
    bench.end_step(1, holds());
    bench.end_step(1, Outcome::Found(update(Certainty::Answered)));
    assert_eq!(bench.of_step(2), None, "the update was not seen yet");
    bench.end_step(1, Outcome::Found(update(Certainty::Answered)));
    bench.end_step(2, holds());
    bench.end_step(2, lost());
    bench.tell(&abort());
    assert_eq!((bench.of_step(0), bench.of_step(1)), (None, None), "the last wave may yet happen");
    bench.end_step(2, Outcome::Found(run(Certainty::Answered)));
    bench.do_step(2, &run(Certainty::Answered));
    assert!(bench.of_step(0).is_some() && bench.of_step(1).is_some());
}

#[test]
fn what_may_be_somebody_elses_keeps_nothing_else_from_being_taken_back() {
    let mut bench = Bench::approved(several([0, 0, 1]));
    bench.do_step(0, &run(Certainty::Answered));
    bench.end_step(1, holds());
    bench.end_step(1, lost());
    bench.end_step(1, Outcome::Found(update(Certainty::Inferred)));
    bench.end_step(1, Outcome::Found(update(Certainty::Inferred)));
    bench.pass(90);
    bench.end_step(1, Outcome::Found(update(Certainty::Inferred)));
    bench.do_step(2, &run(Certainty::Answered));
    assert_eq!(bench.state.end, Some(End::Completed));

    // The same, and it is taken back before its end.
    let mut journal = bench.journal.clone();
    journal.pop();
    bench.state = fold(&bench.plan, &journal);
    bench.tell(&abort());
    bench.do_step(2, &run(Certainty::Answered));
    assert!(bench.state.stuck.is_none() && bench.of_step(1).is_none(), "{:?}", bench.names());
    bench.do_step(0, &run(Certainty::Answered));
    assert!(bench.state.stuck.is_some(), "all that is surely ours is taken back");
}

#[test]
fn on_production_each_intent_to_go_ahead_is_in_the_ledger_before_it_is_asked_and_taking_back_waits_for_nothing() {
    let mut plan = several([0, 0, 1]);
    plan.tier = Danger::Production;
    let mut bench = Bench::approved(plan);
    bench.end_step(0, holds());
    bench.moment.acknowledged = 3;
    bench.end_step(0, Outcome::Found(run(Certainty::Answered)));
    bench.end_step(1, holds());
    assert!(
        bench.due().contains(&Effect::AwaitLedger { seq: 5 }),
        "whoever takes it over knows it by the ledger alone"
    );
    bench.tell(&abort());
    bench.end_step(0, holds());
    assert!(matches!(bench.only_due(), Effect::Act { direction: Direction::Undo, .. }), "whatever the ledger has");
}

#[test]
fn a_look_by_token_is_an_act_and_waits_for_the_ledger_like_one() {
    let mut plan = run_plan();
    plan.tier = Danger::Production;
    let mut bench = Bench::approved(plan);
    bench.end(holds());
    bench.tell(&Input::TakenUp { from: None });
    assert_eq!(bench.due(), [Effect::AwaitLedger { seq: 3 }]);
    bench.moment.acknowledged = 3;
    assert!(bench.only_due().asks(), "it gives the order again");
    bench.end(Outcome::Found(run(Certainty::Answered)));
    assert!(!bench.due()[0].asks(), "to see that it is there is to read");
}
