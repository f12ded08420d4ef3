//! The judge: knows what is durable and what has happened in the world, and says what must never be.

use std::collections::{BTreeMap, BTreeSet};

use lakeshift::domain::Instant;
use lakeshift::domain::workspace::Environment;
use lakeshift::ledger::journal::{journal, rows_of};
use lakeshift::ledger::{LedgerRow, Table};
use lakeshift::operations::engine::{State, fold};
use lakeshift::operations::journal::{Certainty, Event, Recorded};
use lakeshift::operations::plan::{OperationId, Plan};
use lakeshift::operations::step::Action;
use lakeshift::sim::Embedded;
use serde_json::Value;

use super::case::Case;
use super::ledger;
use super::matrix::{Deed, Fault};
use super::network::Order;
use super::process::session;
use crate::ledger::Desk;

/// See the module's page.
#[derive(Default)]
pub(super) struct Judge {
    pub(super) cases: BTreeMap<OperationId, Case>,
    wrongs: Vec<String>,
}

impl Judge {
    /// What was wrong first, if anything was.
    pub(super) fn wrong(&self) -> Option<&String> {
        self.wrongs.first()
    }

    /// The deed that an order on the wire belongs to.
    pub(super) fn deed(&self, order: &Order) -> Option<Deed> {
        self.cases.values().find_map(|case| Some(case.deed_at(case.place(order)?)))
    }

    /// A process began an operation.
    pub(super) fn began(&mut self, process: u64, plan: &Plan, entries: &[Recorded]) {
        let case = Case::begun(process, plan, entries);
        self.cases.insert(plan.id, case);
    }

    /// A process became the owner.
    pub(super) fn taken(&mut self, process: u64, operation: OperationId) {
        if let Some(case) = self.cases.get_mut(&operation) {
            case.owner = Some(process);
        }
    }

    /// A machine has the operation now, by what the ledger knows of it, and perhaps a note of its own that it does not
    /// know what was asked last.
    pub(super) fn adopted(&mut self, process: u64, home: usize, operation: OperationId, entries: &[Recorded]) {
        let Some(case) = self.cases.get_mut(&operation) else { return };
        let common = case.journal.iter().zip(entries).take_while(|(here, there)| here == there).count();
        let noted = entries.iter().skip_while(|entry| !matches!(entry.event, Event::TakenUp { .. }));
        let noted = if case.home == home { 0 } else { noted.count().min(entries.len() - common) };
        let told = entries.len() - noted;
        if !entries[common..told].iter().all(|entry| case.lost.contains(entry)) {
            self.wrongs.push("the ledger has entries that were never durable".to_owned());
        }
        case.lost.extend(case.journal.split_off(common));
        case.lost.retain(|entry| !entries.contains(entry));
        case.journal.extend_from_slice(&entries[common..]);
        let writer = (noted > 0).then_some(process);
        (case.home, case.owner, case.writer, case.is_judged) = (home, None, writer, false);
    }

    /// Another machine goes on by what the ledger was told. Without a lease nothing was heard of the operation for long, and
    /// nothing of it can happen twice.
    pub(super) fn adopted_unled(&mut self, operation: OperationId, told: &[Recorded], quiet_s: i64) {
        let Some(case) = self.cases.get(&operation).filter(|case| !case.plan.tier.waits_for_ledger()) else { return };
        let state = fold(&case.plan, told);
        if quiet_s < 150 && !state.is_held() {
            self.wrongs.push(format!("it was taken over {quiet_s} s after its owner was heard of"));
        }
        if state.abort.is_none() && case.may_double(&state) {
            self.wrongs.push(format!("it was taken over, and could happen twice: {state:?}"));
        }
    }

    /// Another machine is refused, since the ledger may lack what could happen twice.
    pub(super) fn refused_blind(&mut self, operation: OperationId, told: &[Recorded]) {
        let Some(case) = self.cases.get(&operation) else { return };
        let state = fold(&case.plan, told);
        if case.plan.tier.waits_for_ledger() || !case.may_double(&state) {
            self.wrongs.push(format!("it was refused, and nothing of it could happen twice: {state:?}"));
        }
    }

    /// Entries have become durable.
    pub(super) fn recorded(&mut self, process: u64, home: usize, operation: OperationId, entries: &[Recorded]) {
        let Some(case) = self.cases.get_mut(&operation) else { return };
        if case.home != home {
            // It came too late, and is no part of the journal.
            return case.lost.extend_from_slice(entries);
        }
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
        if case.end().is_some() && !case.is_closed_by_hand() {
            wrongs.extend(case.left_open());
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
        is_unanswered: bool,
        now: Instant,
    ) {
        let mut wrongs = Vec::new();
        let Some((case, place)) = self.cases.values_mut().find_map(|case| case.place(order).map(|place| (case, place)))
        else {
            self.wrongs.push(format!("p{process} sent {order:?}, which no plan asks for"));
            return;
        };
        let deed = case.deed_at(place);
        let intents = case.intents(place);
        if let Some(why) = case.too_early(place) {
            wrongs.push(format!("{deed:?} was sent too early: {why}"));
        }
        if intents == 0 {
            wrongs.push(format!("{deed:?} was sent without a durable intent"));
        }
        // A machine that the ledger does not answer takes back what it did, whoever has gone on meanwhile.
        let is_alone = place.is_back && is_unanswered && case.plan.tier.waits_for_ledger();
        case.undone_alone |= is_alone;
        if case.owner != Some(process) && !is_alone {
            wrongs.push(format!("{deed:?} was sent by p{process}, but p{:?} has the operation", case.owner));
        }
        if case.end().is_some() && !is_alone {
            wrongs.push(format!("{deed:?} was sent after the end"));
        }
        let told = case.must_be_told(place);
        if let Some(desk) = ledger.filter(|_| told > 0) {
            let has: BTreeSet<Option<u64>> =
                ledger::audit(desk, case.plan.id).iter().map(|row| row.number("seq")?.try_into().ok()).collect();
            if !(1..=told).all(|seq| has.contains(&Some(seq))) {
                wrongs.push(format!("{deed:?} was sent, and the ledger lacks entries up to {told}: it has {has:?}"));
            }
        }
        if let Some(desk) = ledger.filter(|_| case.plan.tier.waits_for_ledger() && !is_alone) {
            let holder = ledger::holder(desk, now);
            let is_ours = holder.as_ref().is_some_and(|nonce| nonce.starts_with(&session(process).to_string()));
            if !is_ours {
                wrongs.push(format!("{deed:?} was sent by p{process}, and the lease is held by {holder:?}"));
            }
        }
        // What never left may be sent again, and so may what is not let in.
        if !matches!(fault, Some(Fault::Refused | Fault::Expired)) {
            let sent = case.sent.entry(place).or_default();
            *sent += 1;
            if !order.may_repeat() && *sent > intents {
                wrongs.push(format!("{deed:?} was sent {sent} times on {intents} intents"));
            }
        }
        self.wrongs.extend(wrongs);
    }

    /// An act was not let in: it may be sent again.
    pub(super) fn turned_away(&mut self, order: &Order) {
        for case in self.cases.values_mut() {
            if let Some(place) = case.place(order) {
                case.sent.entry(place).and_modify(|sent| *sent = sent.saturating_sub(1));
            }
        }
    }

    /// An act has reached its workspace.
    pub(super) fn applied(&mut self, order: &Order, succeeded: bool, body: &Value, world: &Embedded) {
        if !succeeded {
            return;
        }
        let Some((case, place)) = self.cases.values_mut().find_map(|case| case.place(order).map(|place| (case, place)))
        else {
            return;
        };
        let deed = case.deed_at(place);
        let is_over = case.end().is_some() && !case.is_closed_by_hand() && !(place.is_back && case.undone_alone);
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
        if let Some(effect) = effect {
            let effects = case.effects.entry(place.step).or_default();
            if effects.insert(effect.clone()) && is_over {
                wrongs.push(format!("{deed:?} led to {effect} after the end"));
            }
            if effects.len() > 1 {
                wrongs.push(format!("{deed:?} happened {} times: {effects:?}", effects.len()));
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
            let state = case.state();
            for (index, step) in case.plan.steps.iter().enumerate() {
                let (action, effects) = (&step.action, case.led_to(index));
                let lives = match action {
                    Action::RunNow { .. } => effects.iter().any(|run| is_active(world, run.parse().unwrap())),
                    Action::RepairRun { run, .. } => !effects.is_empty() && is_active(world, run.0),
                    Action::StartUpdate { pipeline, .. } => active_update(world, pipeline.as_str())
                        .is_some_and(|update| effects.contains(&format!("\"{update}\""))),
                    Action::CancelRun { run } => is_active(world, run.0),
                    Action::StopPipeline { pipeline } => active_update(world, pipeline.as_str()).is_some(),
                };
                let starts = !matches!(action, Action::CancelRun { .. } | Action::StopPipeline { .. });
                let evidence = state.steps[index].forward.evidence.as_ref();
                let is_inferred = evidence.is_some_and(|evidence| evidence.certainty == Certainty::Inferred);
                match end {
                    Event::Completed if starts && effects.is_empty() && !(is_inferred && case.foreign) => {
                        wrongs.push(format!("{action:?} completed, and nothing has happened"));
                    }
                    Event::Completed if !starts && lives && !case.foreign => {
                        wrongs.push(format!("{action:?} completed, and its target lives"));
                    }
                    Event::Aborted if starts && lives && !case.foreign => {
                        wrongs.push(format!("{action:?} was taken back, and what it started lives"));
                    }
                    _ => {}
                }
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
            let done = state.steps.iter().any(|at| at.forward.done_at.is_some());
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
        // What is less than production goes ahead, and the ledger is told afterwards.
        let sent =
            |case: &&Case| case.plan.tier.waits_for_ledger() && !(case.sent.is_empty() && case.effects.is_empty());
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
