//! The operations that this machine knows, as the console follows them: those of this process and of others alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::record::Record;
use crate::domain::Instant;
use crate::domain::proof::Off;
use crate::operations::engine::{Effect, Moment, Phase, Purpose, State, due, fold, phase};
use crate::operations::journal::{Direction, Event, Recorded};
use crate::operations::plan::{OperationId, Plan, Stored};

/// All that is known of operations at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationsSnapshot {
    /// All that are not over, and the newest of the others; newest first.
    pub operations: Vec<Arc<OperationRecord>>,
    /// What waits for the shared ledger.
    pub ledger: LedgerStanding,
    /// What is off because a proof of the doctor failed.
    #[serde(default)]
    pub off: Vec<Off>,
    /// How it stands with the leases that this console's operations need.
    #[serde(default)]
    pub leases: BTreeMap<OperationId, LeaseStanding>,
}

/// How it stands with the lease that an operation in hand here needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStanding {
    /// Whether it is held here: without it nothing is sent.
    pub held: bool,
    /// In words. From outside.
    pub words: String,
}

/// How the shared ledger keeps up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStanding {
    /// Whether one is configured.
    pub configured: bool,
    /// Rows of the outbox that it lacks.
    pub waiting: u64,
    /// When the oldest of them was written, in local time.
    pub oldest_at: Option<Instant>,
    /// Why it does not take them, if it does not. From outside.
    pub trouble: Option<String>,
}

/// One operation as its journal tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// Which one.
    pub id: OperationId,
    /// Its plan, if this program understands it.
    pub plan: Option<Arc<Plan>>,
    /// Its plan as it is stored, if this program does not.
    pub foreign: Option<Value>,
    /// SHA-256 of the plan.
    pub digest: String,
    /// Its entries; empty for one that this program does not understand.
    pub journal: Vec<Recorded>,
    /// The newest entry up to which the ledger has all.
    pub acknowledged: u64,
    /// Who has it in hand.
    pub owner: Option<OwnerView>,
    /// Why it cannot be looked at, where it is in this console's hands.
    #[serde(default)]
    pub trouble: Option<Trouble>,
    /// Whether it is over.
    pub is_over: bool,
}

/// Why an operation cannot be looked at at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Why. From outside.
    pub why: String,
    /// When it is looked again, in local time.
    pub retry_at: Option<Instant>,
}

/// Who has an operation in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerView {
    /// Who a person would ask.
    pub who: String,
    /// Since when, in local time.
    pub since: Instant,
    /// How they are.
    pub health: OwnerHealth,
}

/// How the process is that has an operation in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerHealth {
    /// It is this console.
    Us,
    /// It works.
    Alive,
    /// It gives no sign of life.
    Hung,
    /// It has ended.
    Gone,
    /// It is of another home: all that is known is what it told the ledger.
    Elsewhere,
}

impl OwnerHealth {
    /// The word that stands beside the owner's name; empty for a sound one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Us => "this console",
            Self::Alive => "",
            Self::Hung => "hung",
            Self::Gone => "gone",
            Self::Elsewhere => "another home",
        }
    }
}

/// An operation with what follows from its journal.
#[derive(Clone, Debug)]
pub struct Operation {
    /// As its journal tells it.
    pub record: Arc<OperationRecord>,
    /// Where it stands; none for one that this program does not understand.
    pub state: Option<State>,
}

/// The three words of an act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the first request was about to leave.
    pub requested_at: Option<Instant>,
    /// When we learned that all of it happened.
    pub done_at: Option<Instant>,
    /// Whether what it leads to was seen.
    pub verified: bool,
}

impl Operation {
    /// Reads a record.
    pub fn of(record: Arc<OperationRecord>) -> Self {
        let state = record.plan.as_ref().map(|plan| fold(plan, &record.journal));
        Self { record, state }
    }

    /// Its plan, if this program understands it.
    pub fn plan(&self) -> Option<&Plan> {
        self.record.plan.as_deref()
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment { at: now, acknowledged: self.record.acknowledged }
    }

    /// Where it stands, in one word; none for one that this program does not understand.
    pub fn phase(&self, now: Instant) -> Option<Phase> {
        Some(phase(self.plan()?, self.state.as_ref()?, self.moment(now)))
    }

    /// When its newest entry was written, in local time.
    pub fn newest_at(&self) -> Option<Instant> {
        self.record.journal.last().map(|entry| entry.at)
    }

    /// When it was planned, in local time.
    pub fn planned_at(&self) -> Option<Instant> {
        self.record.journal.first().map(|entry| entry.at)
    }

    /// Whether nobody works on it although it is not over and does not wait for a person.
    pub fn is_orphaned(&self, now: Instant) -> bool {
        let unattended = self
            .record
            .owner
            .as_ref()
            .is_none_or(|owner| matches!(owner.health, OwnerHealth::Gone | OwnerHealth::Hung));
        !self.record.is_over && unattended && self.phase(now).is_some_and(|phase| !phase.wants_person())
    }

    /// How far it has come, in the three words of an act.
    pub fn progress(&self) -> Progress {
        let Some(state) = &self.state else { return Progress::default() };
        let tracks = || state.steps.iter().map(|step| &step.forward);
        let done_at = tracks().map(|track| track.done_at).collect::<Option<Vec<_>>>();
        Progress {
            requested_at: self.record.journal.iter().find(|entry| is_request(entry)).map(|entry| entry.at),
            done_at: done_at.and_then(|all| all.into_iter().max()),
            verified: !state.steps.is_empty() && tracks().all(|track| track.verified),
        }
    }

    /// The step that it is at, from 1, and how many there are.
    pub fn step(&self) -> Option<(usize, usize)> {
        let (plan, state) = (self.plan()?, self.state.as_ref()?);
        let open =
            state.steps.iter().position(|step| !step.forward.verified).unwrap_or(plan.steps.len().saturating_sub(1));
        Some((open + 1, plan.steps.len()))
    }

    /// What it waits for, in words; empty if it waits for nothing. May hold text from outside.
    pub fn waits_for(&self, now: Instant) -> String {
        let (Some(plan), Some(state)) = (self.plan(), &self.state) else {
            return "a version of lakeshift that understands its plan".to_owned();
        };
        if let Some(stuck) = &state.stuck {
            return format!("a person: {}", stuck.why);
        }
        if let Some(reason) = &state.pause {
            return format!("a person: {reason}");
        }
        if state.is_over() {
            return String::new();
        }
        if state.approved_at.is_none() && state.abort.is_none() {
            return "a person to let it go ahead".to_owned();
        }
        if let Some(Trouble { why, retry_at }) = &self.record.trouble {
            let left_s = retry_at.map(|at| at.signed_duration_since(now).num_seconds().max(0));
            let next = left_s.map_or_else(|| "now".to_owned(), |left_s| format!("in {left_s} s"));
            return format!("a look, which fails: {why}; next try {next}");
        }
        let effects = due(plan, state, self.moment(now));
        let words: Vec<String> = effects.iter().filter_map(|effect| waiting(effect, now)).collect();
        words.first().cloned().unwrap_or_default()
    }
}

fn is_request(entry: &Recorded) -> bool {
    matches!(entry.event, Event::Intended { direction: Direction::Do, .. })
}

fn waiting(effect: &Effect, now: Instant) -> Option<String> {
    Some(match effect {
        Effect::Check { .. } => "reading the target again".to_owned(),
        Effect::Act { direction: Direction::Do, .. } => "the platform's answer".to_owned(),
        Effect::Act { direction: Direction::Undo, .. } => "the platform's answer to taking it back".to_owned(),
        Effect::Look { purpose, .. } => match purpose {
            Purpose::Probe => "looking whether it happened: its answer was lost".to_owned(),
            Purpose::Settle => "looking once more: nothing can arrive late now".to_owned(),
            Purpose::Verify => "seeing what it led to".to_owned(),
        },
        Effect::AwaitLedger { .. } => "the ledger to have plan and intent".to_owned(),
        Effect::Wait { until } => {
            let left_s = until.signed_duration_since(now).num_seconds().max(0);
            format!("{left_s} s, until nothing can arrive late")
        }
    })
}

/// All operations that are known, by id.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    known: BTreeMap<OperationId, Operation>,
    /// How the shared ledger keeps up.
    pub ledger: LedgerStanding,
    /// What is off because a proof of the doctor failed.
    pub off: Vec<Off>,
    /// How it stands with the leases that this console's operations need.
    pub leases: BTreeMap<OperationId, LeaseStanding>,
    /// Whether any snapshot came yet.
    pub read: bool,
    /// The shared record, as it was last read.
    pub shared_record: Record,
}

impl Operations {
    /// Takes a snapshot. What did not change is not read again. Gives the operations that newly reached something seen.
    pub fn observe(&mut self, snapshot: &OperationsSnapshot) -> Vec<OperationId> {
        let mut moved = Vec::new();
        let mut known = BTreeMap::new();
        for record in &snapshot.operations {
            let before = self.known.remove(&record.id);
            let operation = match before {
                Some(before) if before.record == *record => before,
                before => {
                    let operation = Operation::of(Arc::clone(record));
                    let was = before.map(|before| before.progress()).unwrap_or_default();
                    let is = operation.progress();
                    let reached = (is.done_at.is_some() && was.done_at.is_none()) || (is.verified && !was.verified);
                    if self.read && (reached || operation.record.is_over) {
                        moved.push(operation.record.id);
                    }
                    operation
                }
            };
            known.insert(record.id, operation);
        }
        self.known = known;
        self.ledger = snapshot.ledger.clone();
        self.off = snapshot.off.clone();
        self.leases = snapshot.leases.clone();
        self.read = true;
        moved
    }

    /// One of them: of this home, or of another that the ledger knows.
    pub fn get(&self, id: OperationId) -> Option<&Operation> {
        self.known.get(&id).or_else(|| self.shared_record.operation(id))
    }

    /// All, those of other homes too, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Operation> {
        let others = self.shared_record.operations().filter(|other| !self.known.contains_key(&other.record.id));
        let mut all: Vec<&Operation> = self.known.values().chain(others).collect();
        all.sort_by_key(|operation| std::cmp::Reverse(operation.record.id));
        all.into_iter()
    }

    /// What an operation waits for, in words: its lease before all else. May hold text from outside.
    pub fn waits_for(&self, operation: &Operation, now: Instant) -> String {
        match self.leases.get(&operation.record.id).filter(|lease| !lease.held && !operation.record.is_over) {
            Some(lease) => match lease.words.strip_prefix("the lease is ") {
                Some(words) => format!("its lease, {words}"),
                None => format!("its lease: {}", lease.words),
            },
            None => operation.waits_for(now),
        }
    }

    /// How many are not over.
    pub fn in_flight(&self) -> usize {
        self.known.values().filter(|operation| !operation.record.is_over).count()
    }

    /// How many wait for a person, or for somebody who goes on with them.
    pub fn wanting(&self, now: Instant) -> usize {
        let wants = |operation: &&Operation| {
            !operation.record.is_over
                && (operation.phase(now).is_none_or(|phase| phase.wants_person()) || operation.is_orphaned(now))
        };
        self.known.values().filter(wants).count()
    }
}

impl OperationRecord {
    /// A record of a plan as it was read back.
    pub fn new(id: OperationId, plan: Stored, digest: String, journal: Vec<Recorded>) -> Self {
        let (plan, foreign) = match plan {
            Stored::Known(plan) => (Some(Arc::new(*plan)), None),
            Stored::Foreign { json, .. } => (None, Some(json)),
        };
        Self { id, plan, foreign, digest, journal, acknowledged: 0, owner: None, trouble: None, is_over: false }
    }
}
