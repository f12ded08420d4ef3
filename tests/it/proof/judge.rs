//! The judge: knows what is durable and what has happened in the world, and says what must never be.

use std::collections::{BTreeMap, BTreeSet};

use lakeshift::domain::Instant;
use lakeshift::domain::workspace::Environment;
use lakeshift::ledger::journal::{journal, rows_of};
use lakeshift::ledger::{LedgerRow, Table};
use lakeshift::operations::engine::{State, fold};
use lakeshift::operations::journal::{Certainty, Direction, Event, Recorded};
use lakeshift::operations::kind::Kind;
use lakeshift::operations::plan::{OperationId, Plan};
use lakeshift::operations::step::Action;
use lakeshift::sim::Embedded;
use serde_json::Value;

use super::ledger;
use super::matrix::{Deed, Fault};
use super::network::Order;
use super::process::session;
use crate::ledger::Desk;

/// What is known of one operation.
pub(super) struct Case {
    pub(super) plan: Plan,
    /// Every entry that is durable, as far as the operation goes on from it.
    pub(super) journal: Vec<Recorded>,
    /// Entries that were durable on a machine that is lost.
    pub(super) lost: Vec<Recorded>,
    /// The process that has it in hand.
    pub(super) owner: Option<u64>,
    writer: Option<u64>,
    sent: BTreeMap<Deed, u64>,
    /// What its deed led to in the world, by id.
    effects: BTreeSet<String>,
    /// Whether somebody else worked on the object.
    pub(super) foreign: bool,
    is_judged: bool,
}

/// See the module's page.
#[derive(Default)]
pub(super) struct Judge {
    pub(super) cases: BTreeMap<OperationId, Case>,
    wrongs: Vec<String>,
}

impl Case {
    /// What it does to the platform in a direction.
    pub(super) fn deed(&self, direction: Direction) -> Deed {
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

    /// Whether an order on the wire is this operation's, and in which direction.
    fn direction(&self, order: &Order) -> Option<Direction> {
        let step = self.plan.steps.first()?;
        let forward = match (order, &step.action) {
            (Order::RunNow { token }, Action::RunNow { .. }) => *token == step.token,
            (Order::Cancel { run }, Action::CancelRun { run: planned }) => *run == planned.0,
            (Order::Repair { run }, Action::RepairRun { run: planned, .. }) => *run == planned.0,
            (Order::Start { pipeline }, Action::StartUpdate { pipeline: planned, .. })
            | (Order::Stop { pipeline }, Action::StopPipeline { pipeline: planned }) => pipeline == planned.as_str(),
            _ => false,
        };
        let back = match (order, &step.action) {
            (Order::Cancel { run }, Action::RunNow { .. }) => self.effects.contains(&run.to_string()),
            (Order::Cancel { run }, Action::RepairRun { run: planned, .. }) => *run == planned.0,
            (Order::Stop { pipeline }, Action::StartUpdate { pipeline: planned, .. }) => pipeline == planned.as_str(),
            _ => false,
        };
        match (forward, back) {
            (true, _) => Some(Direction::Do),
            (_, true) => Some(Direction::Undo),
            _ => None,
        }
    }

    fn intents(&self, direction: Direction) -> u64 {
        let intended =
            |entry: &&Recorded| matches!(entry.event, Event::Intended { direction: d, .. } if d == direction);
        self.journal.iter().chain(&self.lost).filter(intended).count() as u64
    }

    /// The entries that the ledger must have before an act in this direction leaves.
    fn must_be_told(&self, direction: Direction) -> u64 {
        let state = self.state();
        let waits = self.plan.tier.waits_for_ledger() && direction == Direction::Do && !state.released;
        if waits { state.steps[0].forward.intended_seq } else { 0 }
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Option<&Event> {
        let last = &self.journal.last()?.event;
        matches!(last, Event::Completed | Event::Aborted | Event::Failed { .. }).then_some(last)
    }

    fn is_closed_by_hand(&self) -> bool {
        matches!(self.end(), Some(Event::Failed { why }) if why.starts_with("closed by hand"))
    }

    pub(super) fn state(&self) -> State {
        fold(&self.plan, &self.journal)
    }
}

impl Judge {
    /// What was wrong first, if anything was.
    pub(super) fn wrong(&self) -> Option<&String> {
        self.wrongs.first()
    }

    /// The deed that an order on the wire belongs to.
    pub(super) fn deed(&self, order: &Order) -> Option<Deed> {
        self.cases.values().find_map(|case| Some(case.deed(case.direction(order)?)))
    }

    /// A process began an operation.
    pub(super) fn began(&mut self, process: u64, plan: &Plan, entries: &[Recorded]) {
        let case = Case {
            plan: plan.clone(),
            journal: entries.to_vec(),
            lost: Vec::new(),
            owner: Some(process),
            writer: Some(process),
            sent: BTreeMap::new(),
            effects: BTreeSet::new(),
            foreign: false,
            is_judged: false,
        };
        self.cases.insert(plan.id, case);
    }

    /// A process became the owner.
    pub(super) fn taken(&mut self, process: u64, operation: OperationId) {
        if let Some(case) = self.cases.get_mut(&operation) {
            case.owner = Some(process);
        }
    }

    /// Another home has the operation now, as the ledger knows it.
    pub(super) fn adopted(&mut self, operation: OperationId, entries: &[Recorded]) {
        let Some(case) = self.cases.get_mut(&operation) else { return };
        if !case.journal.starts_with(entries) {
            self.wrongs.push("the ledger has entries that were never durable".to_owned());
        }
        case.lost.extend(case.journal.split_off(entries.len().min(case.journal.len())));
        (case.owner, case.writer, case.is_judged) = (None, None, false);
    }

    /// Entries have become durable.
    pub(super) fn recorded(&mut self, process: u64, operation: OperationId, entries: &[Recorded]) {
        let Some(case) = self.cases.get_mut(&operation) else { return };
        let mut wrongs = Vec::new();
        if case.end().is_some() {
            wrongs.push(format!("p{process} wrote behind the end"));
        }
        for entry in entries {
            if entry.seq != case.journal.len() as u64 + 1 {
                wrongs.push(format!("entry {} stands at place {}", entry.seq, case.journal.len() + 1));
            }
            if case.writer != Some(process) && !matches!(entry.event, Event::TakenUp { .. }) {
                wrongs.push(format!("p{process} wrote {} without taking the operation up", entry.event.name()));
            }
            case.writer = Some(process);
            case.journal.push(entry.clone());
        }
        self.wrongs.extend(wrongs);
    }

    /// An act is leaving.
    pub(super) fn sent(
        &mut self,
        process: u64,
        order: &Order,
        fault: Option<Fault>,
        ledger: Option<&Desk>,
        now: Instant,
    ) {
        let mut wrongs = Vec::new();
        let Some((case, direction)) =
            self.cases.values_mut().find_map(|case| case.direction(order).map(|direction| (case, direction)))
        else {
            self.wrongs.push(format!("p{process} sent {order:?}, which no plan asks for"));
            return;
        };
        let deed = case.deed(direction);
        let intents = case.intents(direction);
        if intents == 0 {
            wrongs.push(format!("{deed:?} was sent without a durable intent"));
        }
        if case.owner != Some(process) {
            wrongs.push(format!("{deed:?} was sent by p{process}, but p{:?} has the operation", case.owner));
        }
        if case.end().is_some() {
            wrongs.push(format!("{deed:?} was sent after the end"));
        }
        let told = case.must_be_told(direction);
        if let Some(desk) = ledger.filter(|_| told > 0) {
            let has: BTreeSet<Option<u64>> =
                ledger::audit(desk, case.plan.id).iter().map(|row| row.number("seq")?.try_into().ok()).collect();
            if !(1..=told).all(|seq| has.contains(&Some(seq))) {
                wrongs.push(format!("{deed:?} was sent, and the ledger lacks entries up to {told}: it has {has:?}"));
            }
        }
        if let Some(desk) = ledger.filter(|_| case.plan.tier.waits_for_ledger()) {
            let holder = ledger::holder(desk, now);
            let is_ours = holder.as_ref().is_some_and(|nonce| nonce.starts_with(&session(process).to_string()));
            if !is_ours {
                wrongs.push(format!("{deed:?} was sent by p{process}, and the lease is held by {holder:?}"));
            }
        }
        // What never left, and what was not let in, may be sent again.
        if !matches!(fault, Some(Fault::Refused | Fault::Expired)) {
            let sent = case.sent.entry(deed).or_default();
            *sent += 1;
            if !order.may_repeat() && *sent > intents {
                wrongs.push(format!("{deed:?} was sent {sent} times on {intents} intents"));
            }
        }
        self.wrongs.extend(wrongs);
    }

    /// An act has reached its workspace.
    pub(super) fn applied(&mut self, order: &Order, succeeded: bool, body: &Value, world: &Embedded) {
        if !succeeded {
            return;
        }
        let Some((case, direction)) =
            self.cases.values_mut().find_map(|case| case.direction(order).map(|direction| (case, direction)))
        else {
            return;
        };
        let deed = case.deed(direction);
        let is_over = case.end().is_some() && !case.is_closed_by_hand();
        let mut wrongs = Vec::new();
        let effect = match order {
            Order::RunNow { .. } => Some(body["run_id"].to_string()),
            Order::Repair { .. } => Some(body["repair_id"].to_string()),
            Order::Start { .. } => Some(body["update_id"].to_string()),
            Order::Cancel { run } => {
                if is_over && is_active(world, *run) {
                    wrongs.push(format!("{deed:?} hit run {run} after the end"));
                }
                None
            }
            Order::Stop { pipeline } => {
                if is_over && active_update(world, pipeline).is_some() {
                    wrongs.push(format!("{deed:?} hit pipeline {pipeline} after the end"));
                }
                None
            }
        };
        if let Some(effect) = effect.filter(|effect| case.effects.insert(effect.clone())) {
            if is_over {
                wrongs.push(format!("{deed:?} led to {effect} after the end"));
            }
            if case.effects.len() > 1 {
                wrongs.push(format!("{deed:?} happened {} times: {:?}", case.effects.len(), case.effects));
            }
        }
        self.wrongs.extend(wrongs);
    }

    /// What is seen of a live operation must be what its journal says.
    pub(super) fn compare(&mut self, process: u64, operation: OperationId, live: &State, stored: Option<&[Recorded]>) {
        let Some(case) = self.cases.get(&operation) else { return };
        if case.owner != Some(process) {
            return;
        }
        let mut wrongs = Vec::new();
        if case.state() != *live {
            wrongs.push(format!("p{process} sees {live:?}, the journal says {:?}", case.state()));
        }
        if stored.is_some_and(|stored| stored != case.journal) {
            wrongs.push("the store does not hold the journal that was written".to_owned());
        }
        self.wrongs.extend(wrongs);
    }

    /// Whoever has just ended has told the truth, as far as the world shows it now.
    pub(super) fn judge_ends(&mut self, world: &Embedded) {
        let mut wrongs = Vec::new();
        for case in self.cases.values_mut().filter(|case| !case.is_judged) {
            let Some(end) = case.end() else { continue };
            if case.is_closed_by_hand() {
                case.is_judged = true;
                continue;
            }
            let action = &case.plan.steps[0].action;
            let lives = match action {
                Action::RunNow { .. } => case.effects.iter().any(|run| is_active(world, run.parse().unwrap())),
                Action::RepairRun { run, .. } => !case.effects.is_empty() && is_active(world, run.0),
                Action::StartUpdate { pipeline, .. } => active_update(world, pipeline.as_str())
                    .is_some_and(|update| case.effects.contains(&format!("\"{update}\""))),
                Action::CancelRun { run } => is_active(world, run.0),
                Action::StopPipeline { pipeline } => active_update(world, pipeline.as_str()).is_some(),
            };
            let starts = matches!(case.plan.kind, Kind::RunNow | Kind::Repair | Kind::StartPipeline);
            let evidence = case.state().steps[0].forward.evidence.clone();
            let is_inferred = evidence.is_some_and(|evidence| evidence.certainty == Certainty::Inferred);
            match end {
                Event::Completed if starts && case.effects.is_empty() && !(is_inferred && case.foreign) => {
                    wrongs.push(format!("{:?} completed, and nothing has happened", case.plan.kind));
                }
                Event::Completed if !starts && lives && !case.foreign => {
                    wrongs.push(format!("{:?} completed, and its target lives", case.plan.kind));
                }
                Event::Aborted if starts && lives && !case.foreign => {
                    wrongs.push(format!("{:?} was taken back, and what it started lives", case.plan.kind));
                }
                _ => {}
            }
            case.is_judged = true;
        }
        self.wrongs.extend(wrongs);
    }

    /// All is over and everything that was under way has arrived.
    pub(super) fn judge_all(&mut self) {
        let mut wrongs = Vec::new();
        for case in self.cases.values() {
            let state = case.state();
            let done = state.steps[0].forward.done_at.is_some();
            if let Some(Event::Failed { why }) = case.end()
                && !case.is_closed_by_hand()
                && !done
                && !case.effects.is_empty()
            {
                wrongs.push(format!("failed ({why}) without having done anything, and it led to {:?}", case.effects));
            }
        }
        self.wrongs.extend(wrongs);
    }

    /// The ledger tells the whole story: every entry with actor, intent and outcome, and every result of a step.
    pub(super) fn judge_ledger(&mut self, desk: &Desk) {
        let mut wrongs = Vec::new();
        for (operation, case) in &self.cases {
            match journal(&operation.to_string(), ledger::audit(desk, *operation)) {
                Ok(found) if found.plan.known() != Some(&case.plan) => {
                    wrongs.push("the ledger has another plan".to_owned());
                }
                Ok(found) if found.journal != case.journal => {
                    wrongs.push(format!("the ledger tells {:?}", found.journal));
                }
                Ok(_) => {}
                Err(error) => wrongs.push(format!("the ledger's journal cannot be read: {error}")),
            }
            let rows: Vec<LedgerRow> =
                case.journal.iter().flat_map(|entry| rows_of(&case.plan, entry, None).unwrap()).collect();
            // The audit's rows name their process too; their content has been compared above.
            let rows: Vec<LedgerRow> = rows.into_iter().filter(|row| row.table != Table::AuditEvent).collect();
            let missing = ledger::missing(desk, &rows);
            if !missing.is_empty() {
                wrongs.push(format!("the ledger lacks {}", missing.join(", ")));
            }
        }
        self.wrongs.extend(wrongs);
    }

    /// No home has the operation, and the ledger never heard of it: then nothing may have been sent.
    pub(super) fn judge_unheard(&mut self) {
        let sent = |case: &&Case| !case.sent.is_empty() || !case.effects.is_empty();
        let wrongs =
            self.cases.values().filter(sent).map(|case| format!("nobody knows of it, and it sent {:?}", case.sent));
        let wrongs: Vec<String> = wrongs.collect();
        self.wrongs.extend(wrongs);
    }
}

pub(super) fn is_active(world: &Embedded, run: u64) -> bool {
    world.with_world(|world| world.run(Environment::Prod, run)).is_ok_and(|run| run.phase.is_active())
}

pub(super) fn active_update(world: &Embedded, pipeline: &str) -> Option<String> {
    let updates = world.with_world(|world| world.updates(Environment::Prod, pipeline, 5)).unwrap();
    updates.into_iter().find(|update| update.state.is_active()).map(|update| update.update_id)
}
