//! The steps of a start and of a stop.

use super::plan::Start;
use crate::domain::ids::{PipelineId, UpdateId};
use crate::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};

pub(super) fn start(order: &Start<'_>) -> Vec<Step> {
    let (pipeline, validate_only) = (order.pipeline.id.clone(), order.validate_only);
    vec![Step {
        wave: 0,
        action: Action::StartUpdate { pipeline: pipeline.clone(), validate_only, tables: order.tables.clone() },
        precondition: Condition::PipelineIsIdle { pipeline: pipeline.clone() },
        probe: Probe::UpdateSince { pipeline, validate_only },
        verify: Probe::WhatStarted,
        patience_s: 120,
        token: None,
        repeat: Repeat::AfterSettling,
        undo: Undo::StopUpdate,
        point_of_no_return: false,
    }]
}

pub(super) fn stop(pipeline: &PipelineId, update: &UpdateId) -> Vec<Step> {
    vec![Step {
        wave: 0,
        action: Action::StopPipeline { pipeline: pipeline.clone() },
        precondition: Condition::UpdateIsActive { pipeline: pipeline.clone(), update: update.clone() },
        probe: Probe::UpdateIsEnding { pipeline: pipeline.clone(), update: update.clone() },
        verify: Probe::UpdateEnded { pipeline: pipeline.clone(), update: update.clone() },
        // A stream finishes its micro-batch first.
        patience_s: 1_200,
        token: None,
        repeat: Repeat::Idempotent,
        undo: Undo::Nothing,
        point_of_no_return: true,
    }]
}
