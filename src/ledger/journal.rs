//! Operations in the ledger: each journal entry becomes one row of the audit, and the rows that auditors read beside it;
//! and the way back, from the audit's rows to plan and journal, by which any other home takes an operation over.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::rows::{BadRow, LedgerRow, Recorded as LedgerRecorded, Value, earliest, hash_of};
use super::tables::Table;
use crate::domain::Instant;
use crate::operations::canonical::{Unhashable, digest_of_text};
use crate::operations::journal::{Actor, Direction, Event, Recorded};
use crate::operations::plan::{Plan, Stored};

/// The version of the audit's `detail_json`.
const DETAIL_VERSION: u32 = 1;

/// The attempt of a result that was learned by looking again after the bound on late requests: whichever attempt it was.
const SETTLED_ATTEMPT: i64 = 0;

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
}

/// The ledger's rows of one journal entry. Pure: the same entry gives the same rows, so that it can be delivered twice.
///
/// # Errors
/// Never for the plans and entries that this program makes.
pub fn rows_of(plan: &Plan, entry: &Recorded) -> Result<Vec<LedgerRow>, Unwritable> {
    let mut rows = vec![audit(plan, entry)?];
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

fn audit(plan: &Plan, entry: &Recorded) -> Result<LedgerRow, Unwritable> {
    let first = matches!(entry.event, Event::Planned { .. });
    let plan_json = if first { serde_json::from_str(&plan.canonical()?).ok() } else { None };
    let detail = Detail {
        v: DETAIL_VERSION,
        op_id: plan.id.to_string(),
        seq: entry.seq,
        at: entry.at,
        by: entry.actor.clone(),
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

/// Plan and journal of an operation, from the audit's rows in any order, doubles included.
///
/// # Errors
/// When an entry is missing or unreadable, or the plan is not the one that was planned: such an operation is not taken over.
pub fn journal(op_id: &str, rows: impl IntoIterator<Item = LedgerRecorded>) -> Result<Found, NoJournal> {
    let mut rows: Vec<LedgerRecorded> = earliest(rows.into_iter().filter(|row| {
        // Beside the journal an operation may have other rows, such as a lease that was taken for it.
        row.table == Table::AuditEvent && row.text("op_id") == Some(op_id) && row.number("seq").is_some()
    }));
    rows.sort_by_key(|row| row.number("seq"));
    let mut plan_json = None;
    let mut entries = Vec::new();
    let mut writers = Vec::new();
    let mut foreign = false;
    for (row, expected) in rows.iter().zip(1_u64..) {
        let unreadable = || NoJournal::Unreadable(row.id.clone());
        let detail = row.text("detail_json").unwrap_or_default();
        let detail: Detail = serde_json::from_str(detail).map_err(|_| unreadable())?;
        if detail.v != DETAIL_VERSION || detail.op_id != op_id {
            return Err(unreadable());
        }
        if detail.seq != expected {
            return Err(NoJournal::Gap(expected));
        }
        plan_json = plan_json.or(detail.plan);
        writers.push(row.actor.clone());
        match (serde_json::from_value::<Event>(detail.event.clone()), row.id.parse(), op_id.parse()) {
            (Ok(event), Ok(event_id), Ok(op_id)) => {
                entries.push(Recorded { op_id, seq: detail.seq, event_id, at: detail.at, actor: detail.by, event });
            }
            (Err(_), _, _) => foreign = true,
            _ => return Err(unreadable()),
        }
    }
    let Some(plan) = plan_json else {
        return Err(if rows.is_empty() { NoJournal::Nothing(op_id.to_owned()) } else { NoJournal::Gap(1) });
    };
    found(&plan, entries, writers, foreign)
}

fn found(plan: &Json, entries: Vec<Recorded>, writers: Vec<String>, foreign: bool) -> Result<Found, NoJournal> {
    let canonical = crate::operations::canonical(plan).map_err(|_| NoJournal::OtherPlan)?;
    let digest = digest_of_text(&canonical);
    match entries.first().map(|entry| &entry.event) {
        Some(Event::Planned { digest: planned }) if *planned == digest => {}
        _ if foreign => {}
        _ => return Err(NoJournal::OtherPlan),
    }
    let stored = Stored::read(&canonical).map_err(|_| NoJournal::OtherPlan)?;
    let version = plan["version"].as_u64();
    let plan = if foreign { Stored::Foreign { version, json: plan.clone() } } else { stored };
    let journal = if plan.known().is_some() { entries } else { Vec::new() };
    Ok(Found { plan, digest, journal, writers })
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
        entries(plan).iter().flat_map(|entry| rows_of(plan, entry).expect("rows")).collect()
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
}
