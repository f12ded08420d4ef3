//! Plans the repair of a run.

use std::collections::BTreeMap;

use super::steps::steps;
use crate::domain::run::{Run, TaskRun};
use crate::domain::status::Status;
use crate::operations::kind::Kind;
use crate::operations::plan::{Object, Plan};
use crate::operations::planning::Planning;
use crate::operations::refusal::Refusal;

/// What is wanted, and what was seen.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The run, complete with tasks and repairs, as it was just read.
    pub run: &'a Run,
    /// Task keys; empty is all that failed or did not run.
    pub tasks: Vec<String>,
    /// With all that depends on them.
    pub dependents: bool,
}

/// The plan of a repair. The run's job is taken as it is *now*: the platform repairs with the job's present settings.
///
/// # Errors
/// All that forbids it.
pub fn plan(planning: &Planning<'_>, order: &Order<'_>) -> Result<Plan, Vec<Refusal>> {
    let run = order.run;
    let state = Status::from(&run.state).word().to_owned();
    let mut refusals = Vec::new();
    if run.state.is_active() {
        refusals.push(Refusal::RunIsActive { run: run.id, state: state.clone() });
    }
    let latest = run.latest_tasks();
    let known: Vec<String> = latest.iter().map(|task| task.key.clone()).collect();
    for key in &order.tasks {
        if !known.contains(key) {
            refusals.push(Refusal::NoSuchTask { task: key.clone(), known: known.clone() });
        }
    }
    let failed: Vec<&str> = to_repair(run).map(|task| task.key.as_str()).collect();
    if order.tasks.is_empty() && failed.is_empty() {
        refusals.push(Refusal::NothingFailed { run: run.id });
    }
    let latest_repair = run.repairs.last().map(|repair| repair.id);
    let observed = BTreeMap::from([
        ("state".to_owned(), state),
        ("failed tasks".to_owned(), failed.join(", ")),
        ("repairs so far".to_owned(), run.repairs.len().to_string()),
    ]);
    let subject = planning.subject(Object::Job(run.job), &run.name, Some(run.id));
    planning.plan(Kind::Repair, subject, observed, refusals, steps(order, latest_repair))
}

/// The tasks that a repair of all failed ones runs again, in the run's order: those that ended and did not end well. An
/// outcome that this version does not know is among them: the platform decides, and nothing says that it went well.
pub fn to_repair(run: &Run) -> impl Iterator<Item = &TaskRun> {
    run.latest_tasks().into_iter().filter(|task| !task.state.is_active() && !task.state.is_success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::{Outcome, RunState};
    use crate::operations::fixture::{active_run, failed_run, planning, repaired_run};

    fn all(run: &Run) -> Order<'_> {
        Order { run, tasks: Vec::new(), dependents: false }
    }

    #[test]
    fn the_steps_of_a_repair_name_the_newest_repair() {
        let run = repaired_run();
        let order = Order { tasks: vec!["load".to_owned()], dependents: true, ..all(&run) };
        insta::assert_json_snapshot!(plan(&planning(), &order).expect("planned"));
    }

    #[test]
    fn a_first_repair_names_none() {
        let plan = plan(&planning(), &all(&failed_run())).expect("planned");
        insta::assert_json_snapshot!(plan.steps);
        assert_eq!(plan.observed["failed tasks"], "load");
    }

    #[test]
    fn an_outcome_that_is_not_known_is_planned_on_as_it_is_told() {
        let mut run = failed_run();
        run.tasks[1].state = RunState::Ended(Outcome::Unknown("EXCLUDED".to_owned()));
        assert_eq!(plan(&planning(), &all(&run)).expect("planned").observed["failed tasks"], "load");
    }

    #[test]
    fn what_cannot_be_repaired_is_refused() {
        let refused = |run: &Run| plan(&planning(), &all(run)).expect_err("refused");
        let active = active_run();
        assert!(matches!(refused(&active)[0], Refusal::RunIsActive { .. }));
        let mut good = failed_run();
        good.state = RunState::Ended(Outcome::Succeeded);
        for task in &mut good.tasks {
            task.state = RunState::Ended(Outcome::Succeeded);
        }
        assert_eq!(refused(&good), [Refusal::NothingFailed { run: good.id }]);
        let order = Order { tasks: vec!["lod".to_owned()], ..all(&good) };
        assert!(matches!(plan(&planning(), &order).expect_err("refused")[0], Refusal::NoSuchTask { .. }));
    }
}
