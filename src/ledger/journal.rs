//! Operations in the ledger: each journal entry becomes one row of the audit, and the rows that auditors read beside it;
//! and the way back, from the audit's rows to plan and journal, by which any other home takes an operation over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::rows::{BadRow, LedgerRow, Recorded as LedgerRecorded, Value, earliest, hash_of};
use super::tables::Table;
use crate::domain::Instant;
use crate::domain::proof::{Check, Feature, Proof, Subject, Verdict};
use crate::domain::ulid::Ulid;
use crate::operations::canonical::{Unhashable, digest_of_text};
use crate::operations::journal::{Actor, Direction, Event, Recorded};
use crate::operations::plan::{Plan, Stored};

/// What the audit calls a round of the doctor.
const DOCTOR: &str = "doctor";

/// The version of the audit's `detail_json`.
const DETAIL_VERSION: u32 = 1;

/// The attempt of a result that was learned by looking again after the bound on late requests: whichever attempt it was.
const SETTLED_ATTEMPT: i64 = 0;

/// What rounds of the doctor have shown, in whichever home: the newest proof of each check and subject that features stand on
/// and that no act proves anew. What another version wrote and this one does not know is left out, and so is a row that is
/// not what its writer hashed.
pub fn proofs_of(rows: &[LedgerRecorded]) -> Vec<Proof> {
    let lasts = |check: &Check| {
        Feature::ALL.iter().any(|feature| !feature.is_proven_by_use() && feature.stands_on().contains(check))
    };
    let mut newest: BTreeMap<(&str, Subject), Proof> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.text("verb") == Some(DOCTOR) && row.content_holds()) {
        let detail: Json = row.text("detail_json").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let told = detail["proofs"].as_array().cloned().unwrap_or_default();
        let known = told.into_iter().filter_map(|proof| serde_json::from_value::<Proof>(proof).ok());
        for proof in known.filter(|proof| proof.verdict != Verdict::Undecided && lasts(&proof.check)) {
            let place = newest.entry((proof.check.name(), proof.subject.clone()));
            let kept = place.or_insert_with(|| proof.clone());
            if kept.at < proof.at {
                *kept = proof;
            }
        }
    }
    newest.into_values().collect()
}

/// Why an entry cannot be written into the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// A row is not one of its table.
    #[error(transparent)]
    Row(#[from] BadRow),
    /// The plan has no canonical form.
    #[error(transparent)]
    Plan(#[from] Unhashable),
}

/// Why the audit's rows of an operation are no journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJournal {
    /// There are none.
    #[error("the ledger knows no operation {0}")]
    Nothing(String),
    /// A row's content is not of the form that this program knows.
    #[error("row {0} of the audit cannot be read by this version")]
    Unreadable(String),
    /// An entry is not there: it may not have been delivered yet.
    #[error("the ledger lacks entry {0} of the journal")]
    Gap(u64),
    /// The plan is not the one that was planned.
    #[error("the plan's digest is not the one that was planned")]
    OtherPlan,
}

/// What stands in the audit's `detail_json`.
#[derive(Debug, Serialize, Deserialize)]
struct Detail {
    v: u32,
    op_id: String,
    seq: u64,
    at: Instant,
    by: Actor,
    /// The entry with which its writer got the operation in hand, where that is known: of two that go on from the same
    /// entry, who took it up counts. (Rows of old name the writer's process.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Ulid>,
    event: Json,
    /// Only of the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Json>,
}

/// An operation as another home finds it in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its plan. [`Stored::Foreign`] also if an entry has words that this program does not know: it is shown, not resumed.
    pub plan: Stored,
    /// The plan's digest as it was when it was planned.
    pub digest: String,
    /// Its entries; empty for a foreign one.
    pub journal: Vec<Recorded>,
    /// Who has written each entry, by the server's word, in the order of the entries.
    pub writers: Vec<String>,
    /// Who was at the console when the newest entry was written.
    pub last_by: Actor,
    /// The entry with which they got it in hand, where that is known.
    pub taken_by: Option<Ulid>,
    /// When the newest entry was recorded, by the server's clock, in microseconds since 1970.
    pub newest_us: i64,
}

/// The ledger's rows of one journal entry, which was written by whoever got the operation in hand with the entry
/// `taken_by`. Pure: the same entry gives the same rows, so that it can be
/// delivered twice.
///
/// # Errors
/// Never for the plans and entries that this program makes.
pub fn rows_of(plan: &Plan, entry: &Recorded, taken_by: Option<Ulid>) -> Result<Vec<LedgerRow>, Unwritable> {
    let mut rows = vec![audit(plan, entry, taken_by)?];
    match &entry.event {
        Event::Planned { digest } => {
            rows.push(operation(plan, digest)?);
            for (index, step) in plan.steps.iter().enumerate() {
                rows.push(operation_step(plan, index, step)?);
            }
        }
        event => {
            if let Some(result) = step_result(plan, entry, event)? {
                rows.push(result);
            }
        }
    }
    Ok(rows)
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn number(number: u64) -> Value {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

fn audit(plan: &Plan, entry: &Recorded, taken_by: Option<Ulid>) -> Result<LedgerRow, Unwritable> {
    let first = matches!(entry.event, Event::Planned { .. });
    let plan_json = if first { serde_json::from_str(&plan.canonical()?).ok() } else { None };
    let detail = Detail {
        v: DETAIL_VERSION,
        op_id: plan.id.to_string(),
        seq: entry.seq,
        at: entry.at,
        by: entry.actor.clone(),
        session: taken_by,
        event: serde_json::to_value(&entry.event).unwrap_or_default(),
        plan: plan_json,
    };
    let row = LedgerRow::new(
        Table::AuditEvent,
        [
            ("audit_id", text(entry.event_id.to_string())),
            ("op_id", text(plan.id.to_string())),
            ("seq", number(entry.seq)),
            ("verb", text(entry.event.name())),
            ("target", text(plan.subject.target())),
            ("outcome", text(outcome(&entry.event))),
            ("detail_json", text(serde_json::to_string(&detail).unwrap_or_default())),
            ("client_version", text(env!("CARGO_PKG_VERSION"))),
        ],
    )?;
    Ok(row)
}

fn operation(plan: &Plan, digest: &str) -> Result<LedgerRow, BadRow> {
    let mut values =
        vec![("op_id", text(plan.id.to_string())), ("kind", text(plan.kind.name())), ("plan_digest", text(digest))];
    values.extend(plan.reason.clone().map(|reason| ("reason", text(reason))));
    values.extend(plan.release_id.clone().map(|release| ("release_id", text(release))));
    LedgerRow::new(Table::Operation, values)
}

fn operation_step(plan: &Plan, index: usize, step: &crate::operations::step::Step) -> Result<LedgerRow, BadRow> {
    let json = |part: &Json| text(part.to_string());
    let part = |value: Result<Json, serde_json::Error>| value.unwrap_or_default();
    LedgerRow::new(
        Table::OperationStep,
        [
            ("op_id", text(plan.id.to_string())),
            ("step", number(index as u64)),
            ("object_name", text(crate::domain::text::line(&plan.subject.name))),
            ("object_id", text(plan.subject.target())),
            ("action_text", json(&part(serde_json::to_value(&step.action)))),
            ("undo_text", json(&part(serde_json::to_value(step.undo)))),
            ("pre_hash", text(hash_of(&step.precondition))),
            ("post_hash", text(hash_of(&step.verify))),
        ],
    )
}

/// The result of an attempt, where the event tells one.
fn step_result(plan: &Plan, entry: &Recorded, event: &Event) -> Result<Option<LedgerRow>, BadRow> {
    let happened = |direction: &Direction| if *direction == Direction::Do { "applied" } else { "reverted" };
    let (step, attempt, outcome, observed, why) = match event {
        Event::Confirmed { step, direction, attempt, evidence } => {
            (*step, i64::from(*attempt), happened(direction), Some(evidence), None)
        }
        Event::Settled { step, direction, found: Some(evidence) } => {
            (*step, SETTLED_ATTEMPT, happened(direction), Some(evidence), None)
        }
        Event::Settled { step, found: None, .. } => (*step, SETTLED_ATTEMPT, "failed", None, None),
        Event::Unknown { step, attempt, why, .. } => (*step, i64::from(*attempt), "unknown", None, Some(why)),
        Event::NotDone { step, attempt, why, .. } => (*step, i64::from(*attempt), "failed", None, Some(why)),
        _ => return Ok(None),
    };
    let mut values = vec![
        ("op_id", text(plan.id.to_string())),
        ("step", number(step as u64)),
        ("attempt", Value::Number(attempt)),
        ("outcome", text(outcome)),
        ("ended_at", Value::Time(entry.at)),
    ];
    values.extend(observed.map(|evidence| ("observed_hash", text(hash_of(evidence)))));
    values.extend(why.map(|why| ("error_class", text(crate::domain::text::line(why)))));
    LedgerRow::new(Table::StepResult, values).map(Some)
}

/// What an auditor filters by.
fn outcome(event: &Event) -> &'static str {
    match event {
        Event::Planned { .. }
        | Event::Approved { .. }
        | Event::TakenUp { .. }
        | Event::Intended { .. }
        | Event::Unpaused
        | Event::AbortAsked { .. } => "noted",
        Event::Confirmed { .. } | Event::Verified { .. } | Event::Settled { found: Some(_), .. } | Event::Completed => {
            "done"
        }
        Event::Aborted => "reverted",
        Event::CheckFailed { .. } | Event::AbortRefused { .. } => "refused",
        Event::NotDone { .. } | Event::Failed { .. } | Event::Settled { found: None, .. } => "failed",
        Event::Unknown { .. } | Event::Absent { .. } => "unknown",
        Event::Paused { .. } | Event::Stuck { .. } => "waiting",
    }
}

/// What the audit says when somebody goes on with an operation of another home: who, from whom, why.
///
/// # Errors
/// Never for texts; the row's own check is passed on.
pub fn taken_over(audit_id: Ulid, plan: &Plan, by: &Actor, from: &Actor, reason: &str) -> Result<LedgerRow, BadRow> {
    let detail = serde_json::json!({"v": DETAIL_VERSION, "by": by, "from": from, "reason": reason});
    LedgerRow::new(
        Table::AuditEvent,
        [
            ("audit_id", text(audit_id.to_string())),
            ("op_id", text(plan.id.to_string())),
            ("verb", text("operation_taken_over")),
            ("target", text(plan.subject.target())),
            ("outcome", text("noted")),
            ("detail_json", text(detail.to_string())),
            ("client_version", text(env!("CARGO_PKG_VERSION"))),
        ],
    )
}

/// Plan and journal of an operation, from the audit's rows in any order, doubles included.
///
/// Where two processes have gone on from the same entry, the one counts that took the operation up. What the other wrote
/// beside it came too late: it is in the audit, and not in the journal.
///
/// # Errors
/// When an entry is missing or unreadable, or the plan is not the one that was planned: such an operation is not taken over.
pub fn journal(op_id: &str, rows: impl IntoIterator<Item = LedgerRecorded>) -> Result<Found, NoJournal> {
    let mut numbered: BTreeMap<u64, Vec<(LedgerRecorded, Detail)>> = BTreeMap::new();
    // Oldest first, so that of several who took it up at the same entry the first one counts.
    for row in earliest(rows.into_iter().filter(|row| {
        // Beside the journal an operation may have other rows, such as a lease that was taken for it.
        row.table == Table::AuditEvent && row.text("op_id") == Some(op_id) && row.number("seq").is_some()
    })) {
        let detail: Option<Detail> = row.text("detail_json").and_then(|detail| serde_json::from_str(detail).ok());
        match detail.filter(|detail| detail.v == DETAIL_VERSION && detail.op_id == op_id) {
            Some(detail) => numbered.entry(detail.seq).or_default().push((row, detail)),
            None => return Err(NoJournal::Unreadable(row.id)),
        }
    }
    if numbered.is_empty() {
        return Err(NoJournal::Nothing(op_id.to_owned()));
    }
    let mut reading = Reading::default();
    let mut expected = 1;
    while let Some(candidates) = numbered.remove(&expected) {
        let Some((row, detail)) = reading.counting(candidates) else { break };
        reading.take(op_id, row, detail)?;
        expected += 1;
    }
    let has_gap = numbered.values().flatten().any(|(_, detail)| detail.session == reading.session);
    if expected == 1 || has_gap {
        return Err(NoJournal::Gap(expected));
    }
    reading.found()
}

/// The operations that some rows of the audit tell of, by id; without a journal where the rows do not have all of it.
pub fn operations_of(rows: &[LedgerRecorded]) -> BTreeMap<String, Result<Found, NoJournal>> {
    let mut by_id: BTreeMap<String, Vec<LedgerRecorded>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.number("seq").is_some()) {
        if let Some(op_id) = row.text("op_id") {
            by_id.entry(op_id.to_owned()).or_default().push(row.clone());
        }
    }
    by_id
        .into_iter()
        .map(|(op_id, rows)| {
            let found = journal(&op_id, rows);
            (op_id, found)
        })
        .collect()
}

/// A journal as far as it was read.
#[derive(Default)]
struct Reading {
    session: Option<Ulid>,
    plan: Option<Json>,
    entries: Vec<Recorded>,
    writers: Vec<String>,
    last_by: Option<Actor>,
    newest_us: i64,
    foreign: bool,
}

impl Reading {
    /// Of the entries of one number the one that counts.
    fn counting(&self, candidates: Vec<(LedgerRecorded, Detail)>) -> Option<(LedgerRecorded, Detail)> {
        let is_first = self.last_by.is_none();
        let takes = |detail: &Detail| detail.session != self.session && detail.event["event"] == "taken_up";
        let taking = candidates.iter().position(|(_, detail)| takes(detail));
        let own = || candidates.iter().position(|(_, detail)| is_first || detail.session == self.session);
        let index = taking.or_else(own)?;
        candidates.into_iter().nth(index)
    }

    fn take(&mut self, op_id: &str, row: LedgerRecorded, detail: Detail) -> Result<(), NoJournal> {
        match (serde_json::from_value::<Event>(detail.event), row.id.parse(), op_id.parse()) {
            (Ok(event), Ok(event_id), Ok(op_id)) => {
                let actor = detail.by.clone();
                self.entries.push(Recorded { op_id, seq: detail.seq, event_id, at: detail.at, actor, event });
            }
            (Err(_), _, _) => self.foreign = true,
            _ => return Err(NoJournal::Unreadable(row.id)),
        }
        self.plan = self.plan.take().or(detail.plan);
        self.session = detail.session;
        self.writers.push(row.actor);
        self.last_by = Some(detail.by);
        self.newest_us = self.newest_us.max(row.recorded_us);
        Ok(())
    }

    fn found(self) -> Result<Found, NoJournal> {
        let (Some(plan), Some(last_by)) = (&self.plan, self.last_by) else { return Err(NoJournal::Gap(1)) };
        let canonical = crate::operations::canonical(plan).map_err(|_| NoJournal::OtherPlan)?;
        let digest = digest_of_text(&canonical);
        match self.entries.first().map(|entry| &entry.event) {
            Some(Event::Planned { digest: planned }) if *planned == digest => {}
            _ if self.foreign => {}
            _ => return Err(NoJournal::OtherPlan),
        }
        let stored = Stored::read(&canonical).map_err(|_| NoJournal::OtherPlan)?;
        let version = plan["version"].as_u64();
        let plan = if self.foreign { Stored::Foreign { version, json: plan.clone() } } else { stored };
        let journal = if plan.known().is_some() { self.entries } else { Vec::new() };
        Ok(Found {
            plan,
            digest,
            journal,
            writers: self.writers,
            last_by,
            taken_by: self.session,
            newest_us: self.newest_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture as domain;
    use crate::domain::ids::RunId;
    use crate::domain::ulid::Ulid;
    use crate::operations::fixture;
    use crate::operations::journal::{Certainty, Evidence, Thing};

    fn plan() -> Plan {
        crate::operations::cancel::plan(&fixture::planning(), &fixture::active_run()).expect("a plan")
    }

    fn entries(plan: &Plan) -> Vec<Recorded> {
        let evidence = Evidence {
            thing: Thing::Run { run: RunId(501) },
            certainty: Certainty::Answered,
            says: "run 501 \u{1b}[2J is ending".to_owned(),
        };
        let step = |event: fn(usize, Direction, u32, Evidence) -> Event, evidence: &Evidence| {
            event(0, Direction::Do, 1, evidence.clone())
        };
        let events = [
            Event::Planned { digest: plan.digest().expect("a digest") },
            Event::Approved { how: "--yes".to_owned() },
            Event::Intended { step: 0, direction: Direction::Do, attempt: 1, world_at: domain::now() },
            Event::Unknown { step: 0, direction: Direction::Do, attempt: 1, why: "reset".to_owned() },
            step(
                |step, direction, attempt, evidence| Event::Confirmed { step, direction, attempt, evidence },
                &evidence,
            ),
            Event::Completed,
        ];
        let entry = |(event, seq): (Event, u64)| Recorded {
            op_id: plan.id,
            seq,
            event_id: Ulid::new(1_000 + seq, 1),
            at: domain::now(),
            actor: Actor("ana@laptop".to_owned()),
            event,
        };
        events.into_iter().zip(1..).map(entry).collect()
    }

    fn recorded(rows: Vec<LedgerRow>) -> Vec<LedgerRecorded> {
        let recorded = |(row, recorded_us): (LedgerRow, i64)| LedgerRecorded {
            table: row.table,
            id: row.id,
            columns: row.columns,
            actor: "ana@example.test".to_owned(),
            recorded_us,
            content_hash: row.content_hash,
        };
        rows.into_iter().zip(0..).map(recorded).collect()
    }

    fn all_rows(plan: &Plan) -> Vec<LedgerRow> {
        entries(plan).iter().flat_map(|entry| rows_of(plan, entry, None).expect("rows")).collect()
    }

    #[test]
    fn another_home_finds_plan_and_journal_whatever_the_order_and_the_doubles() {
        let plan = plan();
        let mut rows = recorded(all_rows(&plan));
        rows.extend(recorded(all_rows(&plan)));
        rows.reverse();
        let found = journal(&plan.id.to_string(), rows).expect("a journal");
        assert_eq!(found.plan.known(), Some(&plan));
        assert_eq!(found.journal, entries(&plan));
        assert_eq!(Ok(found.digest), plan.digest());
        assert!(found.writers.iter().all(|writer| writer == "ana@example.test"));
    }

    #[test]
    fn the_rows_that_auditors_read_stand_beside_the_audit() {
        let plan = plan();
        let rows = all_rows(&plan);
        let count = |table: Table| rows.iter().filter(|row| row.table == table).count();
        let steps = plan.steps.len();
        assert_eq!((count(Table::AuditEvent), count(Table::Operation), count(Table::OperationStep)), (6, 1, steps));
        let results: Vec<&LedgerRow> = rows.iter().filter(|row| row.table == Table::StepResult).collect();
        let said: Vec<_> = results.iter().map(|row| row.columns["outcome"].as_deref().unwrap_or_default()).collect();
        assert_eq!(said, ["unknown", "applied"]);
        assert_eq!(results[0].columns["error_class"].as_deref(), Some("reset"));
    }

    #[test]
    fn the_same_entry_gives_the_same_rows() {
        assert_eq!(all_rows(&plan()), all_rows(&plan()));
    }

    #[test]
    fn what_is_missing_or_changed_is_not_taken_over() {
        let plan = plan();
        let id = plan.id.to_string();
        assert_eq!(journal(&id, []), Err(NoJournal::Nothing(id.clone())));
        let mut rows = recorded(all_rows(&plan));
        rows.retain(|row| row.text("verb") != Some("intended"));
        assert_eq!(journal(&id, rows), Err(NoJournal::Gap(3)));
        let mut rows = recorded(all_rows(&plan));
        for row in &mut rows {
            if row.text("verb") == Some("planned") {
                let detail = row.text("detail_json").unwrap_or_default().replace("orders_daily", "payments");
                row.columns.insert("detail_json".to_owned(), Some(detail));
            }
        }
        assert_eq!(journal(&id, rows), Err(NoJournal::OtherPlan));
    }

    #[test]
    fn an_entry_with_words_of_a_later_version_is_shown_and_not_resumed() {
        let plan = plan();
        let mut rows = recorded(all_rows(&plan));
        for row in &mut rows {
            let detail = row
                .text("detail_json")
                .map(|detail| detail.replace("\"event\":\"completed\"", "\"event\":\"blessed\""));
            row.columns.insert("detail_json".to_owned(), detail);
        }
        let found = journal(&plan.id.to_string(), rows).expect("found");
        assert!(found.plan.known().is_none() && found.journal.is_empty());
    }

    /// One process wrote three entries; another took it up behind the second; the first went on as if nothing were.
    #[test]
    fn of_two_that_go_on_the_one_counts_that_took_it_up() {
        let plan = plan();
        let (ana, bob) = (Ulid::new(1, 1), Ulid::new(2, 2));
        let mut late = entries(&plan);
        let taken = |seq: u64, event: Event| Recorded {
            op_id: plan.id,
            seq,
            event_id: Ulid::new(9_000 + seq, 2),
            at: domain::now(),
            actor: Actor("bob@desk".to_owned()),
            event,
        };
        let going_on = [taken(3, Event::TakenUp { from: None }), taken(4, Event::Unpaused)];
        late[2].at = domain::now();
        let of = |entries: &[Recorded], session| -> Vec<LedgerRow> {
            entries.iter().flat_map(|entry| rows_of(&plan, entry, Some(session)).expect("rows")).collect()
        };
        let rows = recorded([of(&late, ana), of(&going_on, bob)].concat());
        let found = journal(&plan.id.to_string(), rows).expect("a journal");
        assert_eq!(found.journal, [&late[..2], &going_on[..]].concat());
        assert_eq!(found.last_by, Actor("bob@desk".to_owned()));
        // She takes it back in the same process: what she wrote before is still no part of it.
        let hers = [Recorded { actor: Actor("ana@laptop".to_owned()), ..taken(5, Event::TakenUp { from: None }) }];
        let beside = taken(5, Event::Unpaused);
        let beside = Recorded { event_id: Ulid::new(8_005, 1), ..beside };
        let rows =
            [of(&late, ana), of(std::slice::from_ref(&beside), ana), of(&going_on, bob), of(&hers, hers[0].event_id)];
        let found = journal(&plan.id.to_string(), recorded(rows.concat())).expect("a journal");
        assert_eq!(found.journal, [&late[..2], &going_on[..], &hers[..]].concat());
        assert_eq!(found.taken_by, Some(hers[0].event_id));
        // What is missing of the one that counts is missing.
        let rows = recorded([of(&late, ana), of(&going_on[..1], bob), of(&[taken(5, Event::Completed)], bob)].concat());
        assert_eq!(journal(&plan.id.to_string(), rows), Err(NoJournal::Gap(4)));
    }
}
