//! What is known of one operation: its plan, what is durable of it, and what it led to in the world.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use lakeshift::operations::engine::{Standing, State, Track, fold};
use lakeshift::operations::journal::{Direction, Event, Recorded};
use lakeshift::operations::kind::Kind;
use lakeshift::operations::plan::Plan;
use lakeshift::operations::step::{Action, Repeat, Step, Undo};

use super::matrix::Deed;
use super::network::Order;
use super::order;

/// What is asked of the platform by one operation: a step of its plan, done or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) step: usize,
    pub(super) is_back: bool,
}

/// What is known of one operation.
pub(super) struct Case {
    pub(super) plan: Plan,
    /// The wave of each step, whatever the plan says.
    waves: Vec<u32>,
    /// Every entry that is durable, as far as the operation goes on from it.
    pub(super) journal: Vec<Recorded>,
    /// Entries that are durable on a machine that is lost, or that came too late.
    pub(super) lost: Vec<Recorded>,
    /// The machine that has it.
    pub(super) home: usize,
    /// The process that has it in hand.
    pub(super) owner: Option<u64>,
    pub(super) writer: Option<u64>,
    pub(super) sent: BTreeMap<Place, u64>,
    /// What its steps led to in the world, by id.
    pub(super) effects: BTreeMap<usize, BTreeSet<String>>,
    /// Whether a machine that the ledger did not answer has taken something of it back, as it may.
    pub(super) undone_alone: bool,
    /// Whether somebody else worked on the object.
    pub(super) foreign: bool,
    pub(super) is_judged: bool,
}

impl Place {
    fn of(step: usize, direction: Direction) -> Self {
        Self { step, is_back: direction == Direction::Undo }
    }

    fn direction(self) -> Direction {
        if self.is_back { Direction::Undo } else { Direction::Do }
    }
}

impl Case {
    /// A process has begun it.
    pub(super) fn begun(process: u64, plan: &Plan, entries: &[Recorded]) -> Self {
        Self {
            plan: plan.clone(),
            waves: order::WAVES[..plan.steps.len()].to_vec(),
            journal: entries.to_vec(),
            lost: Vec::new(),
            home: 0,
            owner: Some(process),
            writer: Some(process),
            sent: BTreeMap::new(),
            effects: BTreeMap::new(),
            undone_alone: false,
            foreign: false,
            is_judged: false,
        }
    }

    /// What it does to the platform with a step in a direction.
    pub(super) fn deed(&self, step: usize, direction: Direction) -> Deed {
        if self.plan.steps.len() > 1 {
            return match direction {
                Direction::Undo => Deed::UndoOne,
                Direction::Do if self.waves[step] == 0 => Deed::Together,
                Direction::Do => Deed::Next,
            };
        }
        match (self.plan.kind, direction) {
            (Kind::RunNow, Direction::Do) => Deed::RunNow,
            (Kind::RunNow, Direction::Undo) => Deed::UndoRun,
            (Kind::Repair, Direction::Do) => Deed::Repair,
            (Kind::Repair, Direction::Undo) => Deed::UndoRepair,
            (Kind::StartPipeline, Direction::Do) => Deed::Start,
            (Kind::StartPipeline, Direction::Undo) => Deed::UndoStart,
            (Kind::Cancel, _) => Deed::Cancel,
            (Kind::StopPipeline, _) => Deed::Stop,
        }
    }

    pub(super) fn deed_at(&self, place: Place) -> Deed {
        self.deed(place.step, place.direction())
    }

    /// All deeds that were intended, on whichever machine.
    pub(super) fn deeds(&self) -> BTreeSet<Deed> {
        let of = |entry: &Recorded| match entry.event {
            Event::Intended { step, direction, .. } => Some(self.deed(step, direction)),
            _ => None,
        };
        self.journal.iter().chain(&self.lost).filter_map(of).collect()
    }

    /// The place in the plan of an order on the wire, if it is this operation's.
    pub(super) fn place(&self, order: &Order) -> Option<Place> {
        let forward = |step: &Step| match (order, &step.action) {
            (Order::RunNow { token }, Action::RunNow { .. }) => *token == step.token,
            (Order::Cancel { run }, Action::CancelRun { run: planned }) => *run == planned.0,
            (Order::Repair { run }, Action::RepairRun { run: planned, .. }) => *run == planned.0,
            (Order::Start { pipeline }, Action::StartUpdate { pipeline: planned, .. })
            | (Order::Stop { pipeline }, Action::StopPipeline { pipeline: planned }) => pipeline == planned.as_str(),
            _ => false,
        };
        let back = |step: usize| match (order, &self.plan.steps[step].action) {
            (Order::Cancel { run }, Action::RunNow { .. }) => self.led_to(step).contains(&run.to_string()),
            (Order::Cancel { run }, Action::RepairRun { run: planned, .. }) => *run == planned.0,
            (Order::Stop { pipeline }, Action::StartUpdate { pipeline: planned, .. }) => pipeline == planned.as_str(),
            _ => false,
        };
        let steps = &self.plan.steps;
        let ahead = steps.iter().position(forward).map(|step| Place { step, is_back: false });
        ahead.or_else(|| (0..steps.len()).find(|step| back(*step)).map(|step| Place { step, is_back: true }))
    }

    /// What a step led to in the world.
    pub(super) fn led_to(&self, step: usize) -> BTreeSet<String> {
        self.effects.get(&step).cloned().unwrap_or_default()
    }

    pub(super) fn intents(&self, place: Place) -> u64 {
        let intended = |entry: &&Recorded| match entry.event {
            Event::Intended { step, direction, .. } => Place::of(step, direction) == place,
            _ => false,
        };
        self.journal.iter().chain(&self.lost).filter(intended).count() as u64
    }

    /// The entries that the ledger must have before an act leaves.
    pub(super) fn must_be_told(&self, place: Place) -> u64 {
        let waits = self.plan.tier.waits_for_ledger() && !place.is_back;
        if waits { self.state().steps[place.step].forward.intended_seq } else { 0 }
    }

    /// Why it is too early for a step: one of an earlier wave is not finished, or, on the way back, one of a later wave is
    /// not taken back.
    pub(super) fn too_early(&self, place: Place) -> Option<String> {
        let state = self.state();
        let (waves, wave) = (&self.waves, self.waves[place.step]);
        let is_finished = |step: usize| {
            let track = &state.steps[step].forward;
            let is_safe = track.doubts == 0 || self.plan.steps[step].repeat.is_late_proof();
            track.standing == Standing::Done && track.verified && is_safe
        };
        let is_back = |step: usize| {
            let (forward, back) = (&state.steps[step].forward, &state.steps[step].back);
            match forward.standing {
                Standing::Intended | Standing::Unknown => false,
                Standing::Done => {
                    let is_taken_back = back.standing == Standing::Done && back.verified && back.doubts == 0;
                    is_taken_back || self.plan.steps[step].undo == Undo::Nothing
                }
                Standing::Todo | Standing::Absent | Standing::NotDone { .. } => forward.doubts == 0,
            }
        };
        let mut steps = 0..waves.len();
        let open = if place.is_back {
            steps.find(|step| waves[*step] > wave && !is_back(*step))
        } else {
            steps.find(|step| waves[*step] < wave && !is_finished(*step))
        };
        open.map(|step| format!("step {step} of wave {} is open: {:?}", waves[step], state.steps[step]))
    }

    /// What may still happen although it has ended.
    pub(super) fn left_open(&self) -> Option<String> {
        let ended_at = self.journal.last()?.at;
        let bound = TimeDelta::seconds(i64::from(self.plan.late_bound_s));
        let is_open = |track: &Track, is_late_proof: bool| match track.standing {
            Standing::Intended | Standing::Unknown => true,
            Standing::Done if is_late_proof => false,
            _ => track.doubts > 0 && track.doubt_at.is_none_or(|at| ended_at < at + bound),
        };
        let state = self.state();
        let open = self
            .plan
            .steps
            .iter()
            .zip(&state.steps)
            .find(|(step, at)| is_open(&at.forward, step.repeat.is_late_proof()) || is_open(&at.back, false));
        open.map(|(_, at)| format!("it ended ({:?}), and a step is open: {at:?}", state.end))
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Option<&Event> {
        let last = &self.journal.last()?.event;
        matches!(last, Event::Completed | Event::Aborted | Event::Failed { .. }).then_some(last)
    }

    pub(super) fn is_closed_by_hand(&self) -> bool {
        matches!(self.end(), Some(Event::Failed { why }) if why.starts_with("closed by hand"))
    }

    pub(super) fn state(&self) -> State {
        fold(&self.plan, &self.journal)
    }

    /// Whether it has a step that is not known to be done and that the platform would do twice.
    pub(super) fn may_double(&self, state: &State) -> bool {
        let steps = self.plan.steps.iter().zip(&state.steps);
        let may = |step: &Step| step.repeat == Repeat::AfterSettling;
        steps.into_iter().any(|(step, at)| may(step) && at.forward.standing != Standing::Done)
    }
}
