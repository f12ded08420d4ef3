//! Why something is not done: data for the screen, not errors.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::plan::OperationId;
use crate::domain::danger::Danger;
use crate::domain::ids::{RepairId, RunId, UpdateId, WorkspaceName};
use crate::domain::proof::Off;

/// Why no plan is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// What is known of the subject is too old to plan on.
    Stale {
        /// Its age.
        age_s: u64,
        /// The most that is allowed.
        at_most_s: u64,
    },
    /// Everything that changes the workspace is refused.
    ReadOnly {
        /// The workspace.
        workspace: WorkspaceName,
        /// Whether it can be unlocked for one object and one verb, or is refused by the person's own wish.
        unlockable: bool,
    },
    /// Production state and data want a shared ledger, and none is configured.
    NoLedger {
        /// The operation's tier.
        tier: Danger,
    },
    /// What the act stands on was tried, and failed.
    Off {
        /// What is off, and why.
        off: Off,
    },
    /// The person must say why.
    NoReason,
    /// The principal that would act lacks a right, surely.
    Lacks {
        /// Who it is. From outside.
        who: String,
        /// What is missing: `CAN_MANAGE_RUN on job 11`.
        needed: String,
    },
    /// Another operation on the same subject is not over.
    InHand {
        /// That operation.
        operation: OperationId,
        /// What it is; none if it is of another version of this program.
        kind: Option<Kind>,
    },
    /// The run is over.
    RunIsOver {
        /// The run.
        run: RunId,
        /// How it ended.
        state: String,
    },
    /// The run is not over.
    RunIsActive {
        /// The run.
        run: RunId,
        /// Where it stands.
        state: String,
    },
    /// Nothing of the run failed.
    NothingFailed {
        /// The run.
        run: RunId,
    },
    /// The run has no task of this key.
    NoSuchTask {
        /// The key.
        task: String,
        /// The keys that it has.
        known: Vec<String>,
    },
    /// The job declares no parameter of this name.
    NoSuchParameter {
        /// The name.
        parameter: String,
        /// The names that it declares.
        known: Vec<String>,
    },
    /// The run was repaired since: the plan would repair something else.
    RepairedSince {
        /// The newest repair.
        repair: RepairId,
    },
    /// The job has as many runs as it takes at once, and a further one would be skipped rather than queued.
    WouldBeSkipped {
        /// Active runs.
        active: usize,
        /// The most at once.
        limit: u32,
    },
    /// An update is active.
    UpdateIsActive {
        /// The update.
        update: UpdateId,
    },
    /// No update is active.
    NothingRuns,
    /// The pipeline is gone.
    Deleted,
}

/// What an operation in hand is, in words.
pub fn kind_words(kind: Option<Kind>) -> &'static str {
    kind.map_or("of another version of lakeshift", Kind::words)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { age_s, at_most_s } => {
                write!(f, "what is known is {age_s} s old; to plan on it, it may be {at_most_s} s old")
            }
            Self::ReadOnly { workspace, .. } => write!(f, "{workspace} is read-only"),
            Self::NoLedger { tier } => {
                write!(f, "tier {} ({}) needs a shared ledger, and none is configured", tier.tier(), tier.meaning())
            }
            Self::Off { off } => write!(f, "{off}"),
            Self::NoReason => f.write_str("a reason is needed"),
            Self::Lacks { who, needed } => write!(f, "{who} lacks {needed}"),
            Self::InHand { operation, kind } => write!(f, "operation {operation} ({}) is not over", kind_words(*kind)),
            Self::RunIsOver { run, state } => write!(f, "run {run} is over: {state}"),
            Self::RunIsActive { run, state } => write!(f, "run {run} is not over: {state}"),
            Self::NothingFailed { run } => write!(f, "nothing of run {run} failed"),
            Self::NoSuchTask { task, known } => {
                write!(f, "there is no task {task}; there are {}", known.join(", "))
            }
            Self::NoSuchParameter { parameter, known } if known.is_empty() => {
                write!(f, "there is no parameter {parameter}: the job declares none")
            }
            Self::NoSuchParameter { parameter, known } => {
                write!(f, "there is no parameter {parameter}; there are {}", known.join(", "))
            }
            Self::RepairedSince { repair } => write!(f, "the run was repaired since (repair {repair})"),
            Self::WouldBeSkipped { active, limit } => write!(
                f,
                "the run would be skipped: {active} of at most {limit} runs at once are active, and the job does not queue"
            ),
            Self::UpdateIsActive { update } => write!(f, "update {update} is active"),
            Self::NothingRuns => f.write_str("no update is active"),
            Self::Deleted => f.write_str("the pipeline is deleted"),
        }
    }
}

impl Refusal {
    /// What to do about it, if anything can be done.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Stale { .. } => Some("Look again, then plan."),
            Self::ReadOnly { unlockable: true, .. } => Some("Unlock this object for this act."),
            Self::ReadOnly { unlockable: false, .. } => Some("You asked for read_only yourself: lift it first."),
            Self::NoLedger { .. } => Some("Configure [ledger] in the fleet's file."),
            Self::Off { off } => Some(off.hint()),
            Self::NoReason => Some("Say why; it is kept with the operation."),
            Self::Lacks { .. } => Some("Whoever manages the object can grant it."),
            Self::InHand { kind: Some(_), .. } => Some("Let it end, or abort it."),
            Self::InHand { kind: None, .. } => Some("Let it end, or end it with the version that began it."),
            Self::RunIsActive { .. } => Some("Wait until it is over, or cancel it."),
            Self::WouldBeSkipped { .. } => Some("Wait for a run to end, or cancel one."),
            Self::UpdateIsActive { .. } => Some("Wait until it is over, or stop it."),
            Self::RepairedSince { .. } => Some("Look again, then plan."),
            Self::RunIsOver { .. }
            | Self::NothingFailed { .. }
            | Self::NoSuchTask { .. }
            | Self::NoSuchParameter { .. }
            | Self::NothingRuns
            | Self::Deleted => None,
        }
    }
}
