//! The steps of a run.

use super::plan::Order;
use crate::operations::plan::OperationId;
use crate::operations::planning::token;
use crate::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};

pub(super) fn steps(operation: OperationId, order: &Order<'_>) -> Vec<Step> {
    let job = order.job.id;
    vec![Step {
        wave: 0,
        action: Action::RunNow { job, parameters: order.parameters.clone(), only: order.only.clone() },
        precondition: Condition::JobTakesRuns { job },
        probe: Probe::RunOfToken { job },
        verify: Probe::WhatStarted,
        patience_s: 120,
        token: Some(token(operation, 0)),
        repeat: Repeat::ByToken,
        undo: Undo::CancelRun,
        point_of_no_return: false,
    }]
}
