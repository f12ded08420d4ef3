//! The steps of a cancellation.

use crate::domain::ids::RunId;
use crate::operations::step::{Action, Condition, Probe, Repeat, Step, Undo};

pub(super) fn steps(run: RunId) -> Vec<Step> {
    vec![Step {
        wave: 0,
        action: Action::CancelRun { run },
        precondition: Condition::RunIsActive { run },
        probe: Probe::RunIsEnding { run },
        verify: Probe::RunEnded { run },
        // Clean-up of clusters takes minutes.
        patience_s: 900,
        token: None,
        repeat: Repeat::Idempotent,
        undo: Undo::Nothing,
        point_of_no_return: true,
    }]
}
