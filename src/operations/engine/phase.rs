//! Where an operation stands, in one word. Computed, never stored.

use serde::{Deserialize, Serialize};

use super::due::{Effect, Purpose, due};
use super::{End, Moment, State};
use crate::domain::Instant;
use crate::operations::journal::Direction;
use crate::operations::plan::Plan;

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// A person has not let it go ahead yet.
    Planned,
    /// The shared ledger does not have plan and intents yet.
    AwaitingLedger,
    /// It checks, asks and verifies.
    Running,
    /// An answer was lost: it looks what happened.
    Probing,
    /// It waits until no request can arrive any more, and looks again.
    Settling {
        /// Until when, in local time.
        until: Option<Instant>,
    },
    /// The platform refused for the moment.
    Waiting {
        /// Until when, in local time.
        until: Instant,
    },
    /// It waits for a person.
    Paused,
    /// It is being taken back.
    Undoing,
    /// It can go neither on nor back without a person.
    Stuck,
    /// It ended well.
    Completed,
    /// It was taken back.
    Aborted,
    /// It ended without reaching its aim.
    Failed,
}

impl Phase {
    /// The word for tables and for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::AwaitingLedger => "awaiting ledger",
            Self::Running => "running",
            Self::Probing => "probing",
            Self::Settling { .. } => "settling",
            Self::Waiting { .. } => "waiting",
            Self::Paused => "paused",
            Self::Undoing => "undoing",
            Self::Stuck => "stuck",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
        }
    }

    /// Whether a person must do something before it goes on.
    pub fn wants_person(&self) -> bool {
        matches!(self, Self::Planned | Self::Paused | Self::Stuck)
    }
}

/// Where it stands now.
pub fn phase(plan: &Plan, state: &State, moment: Moment) -> Phase {
    match &state.end {
        Some(End::Completed) => return Phase::Completed,
        Some(End::Aborted) => return Phase::Aborted,
        Some(End::Failed { .. }) => return Phase::Failed,
        None => {}
    }
    if state.stuck.is_some() {
        return Phase::Stuck;
    }
    if state.pause.is_some() {
        return Phase::Paused;
    }
    if state.approved_at.is_none() && state.abort.is_none() {
        return Phase::Planned;
    }
    let effects = due(plan, state, moment);
    let doubts = state.steps.iter().any(|at| at.forward.doubts + at.back.doubts > 0);
    let mut found = if state.abort.is_some() { Phase::Undoing } else { Phase::Running };
    for effect in effects {
        found = match effect {
            Effect::AwaitLedger { .. } => return Phase::AwaitingLedger,
            Effect::Look { purpose: Purpose::Settle, .. } => return Phase::Settling { until: None },
            Effect::Look { purpose: Purpose::Probe, direction: Direction::Do, .. } => Phase::Probing,
            Effect::Wait { until } if found == Phase::Running || found == Phase::Undoing => {
                let verifying = state.steps.iter().any(|at| at.forward.done_at.is_some() && !at.forward.verified);
                let put_off = state
                    .steps
                    .iter()
                    .any(|at| [&at.forward, &at.back].map(|track| track.not_before).contains(&Some(until)));
                match (verifying, doubts && !put_off) {
                    (true, _) => found,
                    (false, true) => Phase::Settling { until: Some(until) },
                    (false, false) => Phase::Waiting { until },
                }
            }
            _ => found,
        };
    }
    found
}
