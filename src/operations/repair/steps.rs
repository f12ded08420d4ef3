//! The steps of a repair.

use super::plan::Order;
use crate::domain::ids::RepairId;
use crate::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};

pub(super) fn steps(order: &Order<'_>, latest_repair: Option<RepairId>) -> Vec<Step> {
    let run = order.run.id;
    vec![Step {
        wave: 0,
        action: Action::RepairRun { run, latest_repair, tasks: order.tasks.clone(), dependents: order.dependents },
        precondition: Condition::RunIsOver { run, latest_repair },
        probe: Probe::RepairAfter { run, latest_repair },
        verify: Probe::WhatStarted,
        patience_s: 120,
        token: None,
        repeat: Repeat::Guarded,
        undo: Undo::CancelRun,
        point_of_no_return: false,
    }]
}
