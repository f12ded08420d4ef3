//! Plans the cancellation of a run.

use std::collections::BTreeMap;

use super::steps::steps;
use crate::domain::run::Run;
use crate::domain::status::Status;
use crate::operations::kind::Kind;
use crate::operations::plan::{Object, Plan};
use crate::operations::planning::Planning;
use crate::operations::refusal::Refusal;

/// The plan of a cancellation of a run, as it was just read.
///
/// # Errors
/// All that forbids it.
pub fn plan(planning: &Planning<'_>, run: &Run) -> Result<Plan, Vec<Refusal>> {
    let state = Status::from(&run.state).word().to_owned();
    let mut refusals = Vec::new();
    if !run.state.is_active() {
        refusals.push(Refusal::RunIsOver { run: run.id, state: state.clone() });
    }
    let unfinished = run.latest_tasks().iter().filter(|task| task.state.is_active()).count();
    let observed = BTreeMap::from([
        ("state".to_owned(), state),
        ("unfinished tasks".to_owned(), format!("{unfinished} of {}", run.latest_tasks().len())),
    ]);
    let subject = planning.subject(Object::Job(run.job), &run.name, Some(run.id));
    planning.plan(Kind::Cancel, subject, observed, refusals, steps(run.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::fixture::{active_run, failed_run, planning};

    #[test]
    fn the_steps_of_a_cancellation() {
        insta::assert_json_snapshot!(plan(&planning(), &active_run()).expect("planned"));
    }

    #[test]
    fn a_run_that_is_over_is_refused() {
        let refused = plan(&planning(), &failed_run()).expect_err("refused");
        assert_eq!(refused, [Refusal::RunIsOver { run: failed_run().id, state: "failed".to_owned() }]);
    }
}
