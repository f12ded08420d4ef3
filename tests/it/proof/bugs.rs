//! Bugs that are planted through the seams, to see that the proof finds each.

use lakeshift::operations::plan::Plan;
use lakeshift::operations::step::{Action, Repeat};

use super::matrix::{Cell, Deed, Fault};

/// What is wrong with the program of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Nothing.
    None,
    /// An act whose answer was lost is asked again at once.
    ResendsOnError,
    /// A plan says of an act that a late arrival does no harm, so it completes without settling.
    CompletesWithoutSettling,
    /// A plan is told that nothing arrives late.
    TrustsTheNetwork,
    /// The journal says that it has written before it has.
    ActsBeforeIntent,
    /// A call that is not idempotent is declared so, and the client retries it.
    RetriesUnsafeCalls,
    /// An operation is taken from an owner that works.
    TakesFromTheLiving,
    /// All steps of a plan go at once, and are taken back at once.
    IgnoresWaves,
}

impl Bug {
    /// All but none.
    pub(super) const PLANTED: [Self; 7] = [
        Self::ResendsOnError,
        Self::CompletesWithoutSettling,
        Self::TrustsTheNetwork,
        Self::ActsBeforeIntent,
        Self::RetriesUnsafeCalls,
        Self::TakesFromTheLiving,
        Self::IgnoresWaves,
    ];

    /// Whether it can show where a cell aims.
    pub(super) fn shows_in(self, cell: Cell) -> bool {
        match self {
            Self::CompletesWithoutSettling => {
                cell.fault == Fault::Late && matches!(cell.deed, Deed::Cancel | Deed::Stop)
            }
            Self::TakesFromTheLiving => cell.fault == Fault::SecondCaptain,
            Self::IgnoresWaves => cell.deed.is_of_several(),
            _ => true,
        }
    }

    /// Spoils a plan.
    pub(super) fn spoil(self, plan: &mut Plan) {
        match self {
            Self::CompletesWithoutSettling => {
                for step in &mut plan.steps {
                    if matches!(step.action, Action::CancelRun { .. } | Action::StopPipeline { .. }) {
                        step.repeat = Repeat::Guarded;
                    }
                }
            }
            Self::TrustsTheNetwork => plan.late_bound_s = 0,
            Self::IgnoresWaves => plan.steps.iter_mut().for_each(|step| step.wave = 0),
            _ => {}
        }
    }
}
