//! What is written down of an operation: events in the past tense, append-only. Folding them gives its state.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::plan::OperationId;
use crate::domain::Instant;
use crate::domain::ids::{PipelineId, RepairId, RunId, UpdateId};
use crate::domain::ulid::Ulid;

/// One entry of an operation's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The operation.
    pub op_id: OperationId,
    /// 1 for the first entry; no number is left out.
    pub seq: u64,
    /// Unique everywhere: the ledger knows an entry that it has by this.
    pub event_id: Ulid,
    /// When it was recorded, in local time of the recorder.
    pub at: Instant,
    /// Who was at the console. The ledger adds by itself whose credential wrote it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

/// Who acts, as the local machine knows them: `ana@laptop`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(pub String);

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a step is being done or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Forward.
    Do,
    /// Taken back after an abort.
    Undo,
}

/// What happened to an operation. `step` counts from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The plan was made; always the first entry.
    Planned {
        /// SHA-256 of the plan's canonical JSON.
        digest: String,
    },
    /// A person let it go ahead.
    Approved {
        /// How: `confirmed`, `--yes`, ...
        how: String,
    },
    /// Another process goes on with it. Whatever was asked before and not answered is unknown from here on.
    TakenUp {
        /// Who had it before, if it was known.
        from: Option<String>,
    },
    /// What must hold before a step does not hold.
    CheckFailed {
        /// The step.
        step: usize,
        /// What was found instead.
        why: String,
    },
    /// A step is about to be asked. Durable before the request leaves.
    Intended {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// 1 for the first.
        attempt: u32,
        /// The workspace's own time when what must hold was seen to hold: what it led to is not older. Our clock may be
        /// another one when it is looked for, on another machine or after a jump.
        world_at: Instant,
    },
    /// A step happened.
    Confirmed {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// The attempt that was the last when it was learned.
        attempt: u32,
        /// How we know.
        evidence: Evidence,
    },
    /// An attempt certainly did not happen.
    NotDone {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// Why, in the platform's words or ours.
        why: String,
        /// When it is worth another try; none if it is not.
        retry_at: Option<Instant>,
    },
    /// Nobody knows whether an attempt happened: its answer was lost.
    Unknown {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// The attempt.
        attempt: u32,
        /// How the answer was lost.
        why: String,
    },
    /// A probe did not find what an unknown attempt should have led to. It may still arrive.
    Absent {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
    },
    /// The bound on late requests has passed and it was looked again.
    Settled {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// What was found; none if it is certain by now that nothing happened.
        found: Option<Evidence>,
    },
    /// What a step should lead to was seen.
    Verified {
        /// The step.
        step: usize,
        /// Forward or back.
        direction: Direction,
        /// What was seen.
        evidence: Evidence,
    },
    /// It waits for a person.
    Paused {
        /// Why.
        reason: PauseReason,
    },
    /// A person let it go on, after a pause or out of being stuck.
    Unpaused,
    /// A person wants it taken back.
    AbortAsked {
        /// Why, in their words.
        reason: Option<String>,
    },
    /// It cannot be taken back any more.
    AbortRefused {
        /// Why.
        why: String,
    },
    /// All of it is done and verified.
    Completed,
    /// All that had happened is taken back.
    Aborted,
    /// It ended without reaching its aim.
    Failed {
        /// Why.
        why: String,
    },
    /// It can go neither on nor back without a person.
    Stuck {
        /// Why.
        why: String,
        /// What the person should do, in order.
        runbook: Vec<String>,
    },
}

/// Why an operation waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum PauseReason {
    /// A person asked for it.
    Asked,
    /// A step may not go ahead, and others have happened already.
    CheckFailed {
        /// The step.
        step: usize,
        /// What was found instead.
        why: String,
    },
    /// The platform refuses a step, and others have happened already.
    Refused {
        /// The step.
        step: usize,
        /// Why.
        why: String,
    },
    /// What a step leads to was not seen in time, and others have happened too.
    Unseen {
        /// The step.
        step: usize,
        /// What was not seen, and for how long.
        why: String,
    },
}

/// How we know that something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it led to.
    pub thing: Thing,
    /// Whether it is certain that it was us.
    pub certainty: Certainty,
    /// What was seen, in a few words.
    pub says: String,
}

/// What a step led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "thing", rename_all = "snake_case")]
pub enum Thing {
    /// A run.
    Run {
        /// Its id.
        run: RunId,
    },
    /// A repair.
    Repair {
        /// The repaired run.
        run: RunId,
        /// The repair.
        repair: RepairId,
    },
    /// An update.
    Update {
        /// The pipeline.
        pipeline: PipelineId,
        /// The update.
        update: UpdateId,
    },
    /// A state of something that was there before.
    State {
        /// The state's word.
        state: String,
    },
}

/// Whether it was us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The platform's answer to our request names it, or what was seen cannot be anybody else's.
    Answered,
    /// It is what we asked for and appeared since we asked; the platform does not say who caused it.
    Inferred,
}

impl Event {
    /// The event's name: the verb of the ledger's audit row.
    pub fn name(&self) -> &'static str {
        let back = |direction: &Direction, forward, back| if *direction == Direction::Do { forward } else { back };
        match self {
            Self::Planned { .. } => "planned",
            Self::Approved { .. } => "approved",
            Self::TakenUp { .. } => "taken_up",
            Self::CheckFailed { .. } => "check_failed",
            Self::Intended { direction, .. } => back(direction, "intended", "undo_intended"),
            Self::Confirmed { direction, .. } => back(direction, "confirmed", "undone"),
            Self::NotDone { direction, .. } => back(direction, "not_done", "not_undone"),
            Self::Unknown { direction, .. } => back(direction, "unknown", "undo_unknown"),
            Self::Absent { direction, .. } => back(direction, "absent", "undo_absent"),
            Self::Settled { direction, .. } => back(direction, "settled", "undo_settled"),
            Self::Verified { direction, .. } => back(direction, "verified", "undo_verified"),
            Self::Paused { .. } => "paused",
            Self::Unpaused => "unpaused",
            Self::AbortAsked { .. } => "abort_asked",
            Self::AbortRefused { .. } => "abort_refused",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Failed { .. } => "failed",
            Self::Stuck { .. } => "stuck",
        }
    }

    /// The step that it is about, if it is about one.
    pub fn step(&self) -> Option<usize> {
        match self {
            Self::CheckFailed { step, .. }
            | Self::Intended { step, .. }
            | Self::Confirmed { step, .. }
            | Self::NotDone { step, .. }
            | Self::Unknown { step, .. }
            | Self::Absent { step, .. }
            | Self::Settled { step, .. }
            | Self::Verified { step, .. } => Some(*step),
            _ => None,
        }
    }

    /// What it says beyond its name, for a person; empty if nothing. May hold text from outside.
    pub fn detail(&self) -> String {
        match self {
            Self::Planned { digest } => format!("plan {}", digest.get(..12).unwrap_or(digest)),
            Self::Approved { how } => how.clone(),
            Self::TakenUp { from } => from.as_ref().map(|from| format!("from {from}")).unwrap_or_default(),
            Self::CheckFailed { why, .. }
            | Self::NotDone { why, .. }
            | Self::Unknown { why, .. }
            | Self::AbortRefused { why }
            | Self::Failed { why }
            | Self::Stuck { why, .. } => why.clone(),
            Self::Intended { attempt, .. } if *attempt > 1 => format!("attempt {attempt}"),
            Self::Confirmed { evidence, .. } | Self::Verified { evidence, .. } => evidence.says.clone(),
            Self::Settled { found, .. } => {
                found.as_ref().map_or_else(|| "nothing happened".to_owned(), |found| found.says.clone())
            }
            Self::Paused { reason } => reason.to_string(),
            Self::AbortAsked { reason } => reason.clone().unwrap_or_default(),
            Self::Intended { .. } | Self::Absent { .. } | Self::Unpaused | Self::Completed | Self::Aborted => {
                String::new()
            }
        }
    }
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("a person asked for it"),
            Self::CheckFailed { step, why } | Self::Unseen { step, why } => write!(f, "step {}: {why}", step + 1),
            Self::Refused { step, why } => write!(f, "step {} was refused: {why}", step + 1),
        }
    }
}
