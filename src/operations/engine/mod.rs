//! The engine: three pure functions over a plan and the state that its journal folds to.
//!
//! - [`apply`] alone changes a state, by one journal entry.
//! - [`decide`] turns what was learned ([`Input`]) into the events to be recorded.
//! - [`due`] tells which effects should be in flight *because of the state*. To recover is to load, fold and ask `due`:
//!   there is no separate way to resume.
//!
//! The rules that keep acts from being lost or doubled:
//!
//! 1. A request leaves only when its intent is in the journal ([`Event::Intended`]).
//! 2. A lost answer makes an attempt *unknown*, never failed: the next effect is the probe. So does a take-over by another
//!    process, for whatever had been intended and not answered.
//! 3. What a probe does not find may still arrive. A step without a token or a guard is asked again only after the plan's
//!    bound on late requests has passed and it was looked again (*settling*); so it is before an operation ends with a
//!    doubt that could do harm, and before it is concluded that there is nothing to take back.
//! 4. Steps of one wave go at once; a wave begins when all before it are done, seen and free of doubt that could do harm,
//!    and waves are taken back in reverse. What cannot go ahead ends the operation only where no other step of it has
//!    happened or may yet; else a person decides, and nothing further is asked meanwhile.
//! 5. It is done when an answer says so; it is over when what it led to was *seen*.

mod apply;
mod decide;
mod due;
mod phase;
mod runbook;
#[cfg(test)]
mod tests;

pub use apply::{apply, fold};
pub use decide::{Input, Outcome, Request, decide};
pub use due::{Effect, Purpose, due};
pub use phase::{Phase, phase};

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::journal::Event;
use super::journal::{Actor, Direction, Evidence, PauseReason};
use super::plan::Plan;
use crate::domain::Instant;

/// Tries of a step that is refused for the moment, before it counts as refused for good.
pub const MAX_TRIES: u32 = 5;

/// The present, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Local time.
    pub at: Instant,
    /// The shared ledger has every entry up to this one.
    pub acknowledged: u64,
}

/// Where an operation stands: the fold of its journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The newest entry.
    pub seq: u64,
    /// When it was planned.
    pub planned_at: Option<Instant>,
    /// When a person let it go ahead.
    pub approved_at: Option<Instant>,
    /// One a step of the plan.
    pub steps: Vec<StepState>,
    /// Why it waits for a person.
    pub pause: Option<PauseReason>,
    /// Why it can go neither on nor back.
    pub stuck: Option<Stuck>,
    /// That a person wants it taken back.
    pub abort: Option<Abort>,
    /// When a person last let it go on.
    pub unpaused_at: Option<Instant>,
    /// How it ended.
    pub end: Option<End>,
}

/// Where a step stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Doing it.
    pub forward: Track,
    /// Taking it back.
    pub back: Track,
}

/// How far a step has come in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Where it stands.
    pub standing: Standing,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts since a person last let it go on.
    pub tries: u32,
    /// The entry of the newest intent.
    pub intended_seq: u64,
    /// The workspace's time when it was first intended: nothing that it led to is older.
    pub since: Option<Instant>,
    /// Attempts of which nobody knows whether they happened or will.
    pub doubts: u32,
    /// When the newest doubt arose.
    pub doubt_at: Option<Instant>,
    /// Whether the doubt must be settled before it is tried again: because something looks as if it had worked, or
    /// because another attempt was refused for good.
    pub must_settle: bool,
    /// No further attempt before this instant: the platform refused one for the moment while another was in doubt.
    pub not_before: Option<Instant>,
    /// How we know that it happened.
    pub evidence: Option<Evidence>,
    /// When we learned that it happened.
    pub done_at: Option<Instant>,
    /// Whether what it led to was seen.
    pub verified: bool,
}

/// Where a step stands in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was asked.
    #[default]
    Todo,
    /// The intent is in the journal; the request is, or is about to be, under way.
    Intended,
    /// Nobody knows whether it happened.
    Unknown,
    /// A probe did not find it.
    Absent,
    /// It certainly did not happen.
    NotDone {
        /// Why.
        why: String,
        /// When it is worth another try; none if it is not.
        retry_at: Option<Instant>,
    },
    /// It happened.
    Done,
}

/// Why an operation can go neither on nor back, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// Why.
    pub why: String,
    /// What a person should do, in order.
    pub runbook: Vec<String>,
}

/// That a person wants an operation taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Instant,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// All of it is done and verified.
    Completed,
    /// All that had happened is taken back.
    Aborted,
    /// It ended without reaching its aim.
    Failed {
        /// Why.
        why: String,
    },
}

impl State {
    /// The state before the first entry.
    pub fn new(plan: &Plan) -> Self {
        Self {
            seq: 0,
            planned_at: None,
            approved_at: None,
            steps: vec![StepState::default(); plan.steps.len()],
            pause: None,
            stuck: None,
            abort: None,
            unpaused_at: None,
            end: None,
        }
    }

    /// Whether nothing of it is left to do for the program.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Whether it waits for a person: paused or stuck.
    pub fn is_held(&self) -> bool {
        self.pause.is_some() || self.stuck.is_some()
    }
}

impl StepState {
    /// The track of a direction.
    pub fn track(&self, direction: Direction) -> &Track {
        match direction {
            Direction::Do => &self.forward,
            Direction::Undo => &self.back,
        }
    }

    fn track_mut(&mut self, direction: Direction) -> &mut Track {
        match direction {
            Direction::Do => &mut self.forward,
            Direction::Undo => &mut self.back,
        }
    }
}

impl Track {
    /// When a doubt counts as settled, if there is one: no request can still arrive then.
    fn settles_at(&self, plan: &Plan) -> Option<Instant> {
        let doubt_at = self.doubt_at.filter(|_| self.doubts > 0)?;
        Some(doubt_at + chrono::TimeDelta::seconds(i64::from(plan.late_bound_s)))
    }
}
