//! Plans the start and the stop of a pipeline.

use std::collections::BTreeMap;

use super::steps;
use crate::domain::pipeline::{Pipeline, PipelineState, Update};
use crate::domain::status::Status;
use crate::operations::kind::Kind;
use crate::operations::plan::{Object, Plan};
use crate::operations::planning::Planning;
use crate::operations::refusal::Refusal;

/// What is wanted of a start, and what was seen.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The pipeline, as it was just read.
    pub pipeline: &'a Pipeline,
    /// Only check, write nothing.
    pub validate_only: bool,
    /// Tables to refresh; empty is all.
    pub tables: Vec<String>,
}

/// The plan of a start.
///
/// # Errors
/// All that forbids it.
pub fn start(planning: &Planning<'_>, order: &Start<'_>) -> Result<Plan, Vec<Refusal>> {
    let pipeline = order.pipeline;
    let mut refusals = gone(pipeline);
    if let Some(update) = active(pipeline) {
        refusals.push(Refusal::UpdateIsActive { update: update.id.clone() });
    }
    let subject = planning.subject(Object::Pipeline(pipeline.id.clone()), &pipeline.name, None);
    planning.plan(Kind::StartPipeline, subject, observed(pipeline), refusals, steps::start(order))
}

/// The plan of a stop of the update that is active.
///
/// # Errors
/// All that forbids it.
pub fn stop(planning: &Planning<'_>, pipeline: &Pipeline) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = gone(pipeline);
    let subject = planning.subject(Object::Pipeline(pipeline.id.clone()), &pipeline.name, None);
    let steps = match active(pipeline) {
        Some(update) => steps::stop(&pipeline.id, &update.id),
        None => {
            refusals.push(Refusal::NothingRuns);
            Vec::new()
        }
    };
    planning.plan(Kind::StopPipeline, subject, observed(pipeline), refusals, steps)
}

fn active(pipeline: &Pipeline) -> Option<&Update> {
    pipeline.updates.iter().find(|update| update.state.is_active())
}

fn gone(pipeline: &Pipeline) -> Vec<Refusal> {
    if pipeline.state == PipelineState::Deleted { vec![Refusal::Deleted] } else { Vec::new() }
}

fn observed(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let newest = pipeline.updates.first();
    let state = Status::of_pipeline(&pipeline.state, newest.map(|update| &update.state));
    let mode = match pipeline.continuous {
        Some(true) => "continuous",
        Some(false) => "triggered",
        None => "not read",
    };
    BTreeMap::from([
        ("state".to_owned(), state.word().to_owned()),
        ("mode".to_owned(), mode.to_owned()),
        ("publishes to".to_owned(), pipeline.target.clone().unwrap_or_default()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::fixture::{idle_pipeline, planning, running_pipeline};

    fn order(pipeline: &Pipeline) -> Start<'_> {
        Start { pipeline, validate_only: false, tables: Vec::new() }
    }

    #[test]
    fn the_steps_of_a_start() {
        let pipeline = idle_pipeline();
        insta::assert_json_snapshot!(start(&planning(), &order(&pipeline)).expect("planned"));
    }

    #[test]
    fn the_steps_of_a_stop_name_the_update() {
        insta::assert_json_snapshot!(stop(&planning(), &running_pipeline()).expect("planned"));
    }

    #[test]
    fn a_start_beside_an_update_and_a_stop_of_nothing_are_refused() {
        let (idle, running) = (idle_pipeline(), running_pipeline());
        let refused = start(&planning(), &order(&running)).expect_err("refused");
        assert_eq!(refused, [Refusal::UpdateIsActive { update: "u-2".into() }]);
        assert_eq!(stop(&planning(), &idle).expect_err("refused"), [Refusal::NothingRuns]);
        let gone = Pipeline { state: PipelineState::Deleted, ..idle };
        assert_eq!(start(&planning(), &order(&gone)).expect_err("refused"), [Refusal::Deleted]);
    }
}
