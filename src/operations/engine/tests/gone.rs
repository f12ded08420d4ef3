//! What is not there any more has ended, once no read can be too young to know it.

use super::*;
use crate::operations::engine::Purpose;

fn gone() -> Outcome {
    Outcome::Gone("404 Run 501 does not exist".to_owned())
}

#[test]
fn a_run_that_was_deleted_after_a_lost_cancel_ends_the_cancellation() {
    let mut bench = Bench::approved(cancel::plan(&planning(), &active_run()).expect("planned"));
    bench.end(holds());
    bench.end(lost());
    for _ in 0..3 {
        bench.end(gone());
        assert!(matches!(bench.only_due(), Effect::Look { purpose: Purpose::Probe, .. }), "a read may be too young");
    }
    bench.pass(90);
    bench.end(gone());
    bench.end(gone());
    bench.pass(90);
    bench.end(gone());
    assert_eq!(bench.names()[3..], ["unknown", "confirmed", "verified", "settled", "completed"]);
}

#[test]
fn what_was_started_and_deleted_is_taken_back() {
    let mut bench = Bench::approved(run_plan());
    bench.end(holds());
    bench.end(Outcome::Found(run(Certainty::Answered)));
    bench.tell(&Input::Asked(Request::Abort { reason: None }));
    bench.end(holds());
    bench.end(lost());
    bench.end(gone());
    assert!(matches!(bench.only_due(), Effect::Look { direction: Direction::Undo, .. }), "a moment ago it was started");
    bench.pass(90);
    bench.end(gone());
    bench.end(gone());
    bench.pass(90);
    bench.end(gone());
    assert_eq!(bench.names().last(), Some(&"aborted"), "{:?}", bench.names());
}
