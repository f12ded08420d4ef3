//! The record of who did what, as it can be checked here: every entry of every operation's journal, and whether it is whole.

use crate::app::operations::{Operation, OperationRecord, Operations};
use crate::domain::text;
use crate::operations::journal::{Event, Recorded};
use crate::operations::plan::OperationId;

/// One entry of one operation's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The operation.
    pub operation: OperationId,
    /// Its number in the operation's journal, from 1.
    pub seq: u64,
}

/// An entry with the operation that it is of.
#[derive(Clone, Copy, Debug)]
pub struct Known<'o> {
    /// The operation.
    pub operation: &'o Operation,
    /// The entry.
    pub recorded: &'o Recorded,
}

impl Entry {
    /// The entry itself, if the operation is still known.
    pub fn known(self, operations: &Operations) -> Option<Known<'_>> {
        let operation = operations.get(self.operation)?;
        let recorded = operation.record.journal.iter().find(|entry| entry.seq == self.seq)?;
        Some(Known { operation, recorded })
    }
}

/// All entries of all operations, newest first.
pub fn entries(operations: &Operations) -> Vec<Entry> {
    let mut all: Vec<(crate::domain::Instant, Entry)> = operations
        .newest_first()
        .flat_map(|operation| {
            let id = operation.record.id;
            operation.record.journal.iter().map(move |entry| (entry.at, Entry { operation: id, seq: entry.seq }))
        })
        .collect();
    all.sort_by_key(|(at, entry)| std::cmp::Reverse((*at, entry.operation, entry.seq)));
    all.into_iter().map(|(_, entry)| entry).collect()
}

/// What is wrong with an operation's record, if it was altered since it was written; none if it is whole.
pub fn flaw(record: &OperationRecord) -> Option<String> {
    let plan = record.plan.as_ref()?;
    if plan.digest().ok().as_ref() != Some(&record.digest) {
        return Some("the plan is not the one that was planned".to_owned());
    }
    match record.journal.first().map(|entry| &entry.event) {
        Some(Event::Planned { digest }) if *digest == record.digest => {}
        Some(Event::Planned { .. }) => return Some("the first entry names another plan".to_owned()),
        _ => return Some("the first entry is missing".to_owned()),
    }
    let gap = record.journal.iter().zip(1..).find(|(entry, seq)| entry.seq != *seq);
    if let Some((_, seq)) = gap {
        return Some(format!("entry {seq} is missing"));
    }
    let stray = record.journal.iter().find(|entry| entry.op_id != record.id);
    stray.map(|entry| format!("entry {} belongs to another operation", entry.seq))
}

impl Known<'_> {
    /// Lower-case words by which a filter finds it.
    pub fn words(&self) -> String {
        let Recorded { op_id, actor, event, event_id, .. } = self.recorded;
        let mut words = format!("{op_id} {event_id} {actor} {} {}", event.name().replace('_', " "), event.detail());
        if let Some(plan) = self.operation.plan() {
            let subject = &plan.subject;
            for word in [
                plan.kind.words(),
                subject.workspace.as_str(),
                subject.environment.label(),
                &subject.name,
                &subject.target(),
                plan.reason.as_deref().unwrap_or_default(),
            ] {
                words.push(' ');
                words.push_str(word);
            }
        }
        words.to_lowercase()
    }

    /// Whether the ledger has it.
    pub fn is_in_ledger(&self) -> bool {
        self.recorded.seq <= self.operation.record.acknowledged
    }
}

/// The columns of an export.
const COLUMNS: [&str; 13] = [
    "recorded_at",
    "actor",
    "operation_id",
    "seq",
    "event_id",
    "event",
    "kind",
    "tier",
    "workspace",
    "target",
    "name",
    "plan_sha256",
    "entry_json",
];

/// Entries as CSV (RFC 4180), oldest first. No cell begins with what a spreadsheet takes for a formula.
pub fn csv(entries: &[Entry], operations: &Operations) -> String {
    let mut out = COLUMNS.join(",");
    out.push_str("\r\n");
    for known in entries.iter().rev().filter_map(|entry| entry.known(operations)) {
        let Recorded { op_id, seq, event_id, at, actor, event } = known.recorded;
        let plan = known.operation.plan();
        let of_plan = |fact: &dyn Fn(&crate::operations::Plan) -> String| plan.map(fact).unwrap_or_default();
        let cells = [
            at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            actor.to_string(),
            op_id.to_string(),
            seq.to_string(),
            event_id.to_string(),
            event.name().to_owned(),
            of_plan(&|plan| plan.kind.name().to_owned()),
            of_plan(&|plan| plan.tier.tier().to_string()),
            of_plan(&|plan| plan.subject.workspace.to_string()),
            of_plan(&|plan| plan.subject.target()),
            of_plan(&|plan| plan.subject.name.clone()),
            known.operation.record.digest.clone(),
            serde_json::to_string(known.recorded).unwrap_or_default(),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| cell_of(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn cell_of(raw: &str) -> String {
    let clean = text::line(raw);
    let formula = clean.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let safe = if formula { format!("'{clean}") } else { clean };
    if safe.contains([',', '"', '\n']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::act::{Ask, Wish};
    use crate::app::fixture::{plan, record};
    use crate::app::operations::OperationsSnapshot;
    use crate::domain::fleet::{Object, ObjectId};
    use crate::domain::ids::JobId;

    fn operation(name: &str) -> OperationRecord {
        let object = ObjectId { workspace: "dev".into(), object: Object::Job(JobId(31)) };
        let wish = Wish::RunNow { job: JobId(31), parameters: std::collections::BTreeMap::new() };
        let ask = Ask { number: 7, object, wish, reason: None, unlocked: false };
        let mut plan = plan(&ask);
        name.clone_into(&mut plan.subject.name);
        record(&plan, &[Event::Approved { how: "y, by hand".to_owned() }])
    }

    #[test]
    fn a_record_that_was_altered_is_told_from_a_whole_one() {
        let whole = operation("orders");
        assert_eq!(flaw(&whole), None);
        let mut other = whole.clone();
        other.digest = "0".repeat(64);
        assert_eq!(flaw(&other).as_deref(), Some("the plan is not the one that was planned"));
        let mut other = whole.clone();
        other.journal[0].event = Event::Planned { digest: "0".repeat(64) };
        assert_eq!(flaw(&other).as_deref(), Some("the first entry names another plan"));
        let mut other = whole.clone();
        other.journal.remove(0);
        assert_eq!(flaw(&other).as_deref(), Some("the first entry is missing"));
        let mut other = whole;
        other.journal[1].seq = 3;
        assert_eq!(flaw(&other).as_deref(), Some("entry 2 is missing"));
    }

    #[test]
    fn an_export_holds_every_entry_and_no_formula() {
        let mut operations = Operations::default();
        let records = vec![std::sync::Arc::new(operation("=HYPERLINK(\"x\"),\u{1b}[2J"))];
        operations.observe(&OperationsSnapshot { operations: records, ..OperationsSnapshot::default() });
        let csv = csv(&entries(&operations), &operations);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3, "{csv}");
        assert!(lines[0].starts_with("recorded_at,actor,operation_id,seq"));
        assert!(lines[1].contains(",planned,run_now,2,dev,dev/job/31,\"'=HYPERLINK(\"\"x\"\"),\","), "{}", lines[1]);
        assert!(lines[2].contains(",approved,"), "oldest first: {}", lines[2]);
        assert!(!csv.contains('\u{1b}'));
    }
}
