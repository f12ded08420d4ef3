//! The record of who did what, as it can be checked here: every entry of every operation's journal, the ledger's rows of other
//! homes, and whether all of it is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::app::operations::{Operation, OperationRecord, Operations};
use crate::app::record::RecordRow;
use crate::domain::Instant;
use crate::domain::ulid::Ulid;
use crate::operations::journal::{Event, Recorded};
use crate::operations::plan::{OperationId, Plan};

/// One entry: of one operation's journal, or a row of the ledger that is no entry of a journal that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An entry of a journal.
    Journal {
        /// The operation.
        operation: OperationId,
        /// Its number in the operation's journal, from 1.
        seq: u64,
    },
    /// A row of the ledger alone.
    Row(Arc<str>),
}

/// An entry with what is known of it.
#[derive(Clone, Copy, Debug)]
pub enum Known<'o> {
    /// An entry of a journal.
    Journal {
        /// The operation.
        operation: &'o Operation,
        /// The entry.
        recorded: &'o Recorded,
    },
    /// A row of the ledger alone, and its operation if that is known.
    Row(&'o RecordRow, Option<&'o Operation>),
}

impl Entry {
    /// The entry itself, if it is still known.
    pub fn known<'o>(&self, operations: &'o Operations) -> Option<Known<'o>> {
        match self {
            Self::Journal { operation, seq } => {
                let operation = operations.get(*operation)?;
                let recorded = operation.record.journal.iter().find(|entry| entry.seq == *seq)?;
                Some(Known::Journal { operation, recorded })
            }
            Self::Row(id) => {
                let row = operations.shared_record.row(id)?;
                Some(Known::Row(row, row.operation.and_then(|operation| operations.get(operation))))
            }
        }
    }
}

/// All entries: of the journals of this home, of those of other homes that the ledger has, and the ledger's other rows;
/// newest first.
pub fn entries(operations: &Operations) -> Vec<Entry> {
    let mut all: Vec<(Instant, OperationId, u64, Entry)> = Vec::new();
    let mut journaled: BTreeSet<String> = BTreeSet::new();
    for operation in operations.newest_first() {
        let id = operation.record.id;
        for entry in &operation.record.journal {
            journaled.insert(entry.event_id.to_string());
            all.push((entry.at, id, entry.seq, Entry::Journal { operation: id, seq: entry.seq }));
        }
    }
    let nobody = OperationId(Ulid::new(0, 0));
    let rows = operations.shared_record.page.iter().flat_map(|page| &page.rows);
    for row in rows.filter(|row| !journaled.contains(&row.id)) {
        let entry = Entry::Row(Arc::from(row.id.as_str()));
        all.push((row.at, row.operation.unwrap_or(nobody), row.seq.unwrap_or(0), entry));
    }
    all.sort_by_key(|(at, operation, seq, _)| std::cmp::Reverse((*at, *operation, *seq)));
    all.into_iter().map(|(_, _, _, entry)| entry).collect()
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

impl<'o> Known<'o> {
    /// When it was written: by the writer's clock in a journal, else by the server's.
    pub fn at(&self) -> Instant {
        match self {
            Self::Journal { recorded, .. } => recorded.at,
            Self::Row(row, _) => row.at,
        }
    }

    /// Who was at the console. From outside, as the words that follow.
    pub fn who(&self) -> &str {
        match self {
            Self::Journal { recorded, .. } => &recorded.actor.0,
            Self::Row(row, _) => &row.by,
        }
    }

    /// What happened, in a word or two.
    pub fn event(&self) -> String {
        match self {
            Self::Journal { recorded, .. } => recorded.event.name(),
            Self::Row(row, _) => &row.verb,
        }
        .replace('_', " ")
    }

    /// More of it.
    pub fn detail(&self) -> String {
        match self {
            Self::Journal { recorded, .. } => recorded.event.detail(),
            Self::Row(row, _) => {
                let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap_or_default();
                let words = ["reason", "said", "why"].into_iter().find_map(|key| detail[key].as_str());
                words.map_or_else(|| row.outcome.clone(), str::to_owned)
            }
        }
    }

    /// The id under which the ledger has it, or would.
    pub fn id(&self) -> String {
        match self {
            Self::Journal { recorded, .. } => recorded.event_id.to_string(),
            Self::Row(row, _) => row.id.clone(),
        }
    }

    /// The operation, if it is about one.
    pub fn operation_id(&self) -> Option<OperationId> {
        match self {
            Self::Journal { recorded, .. } => Some(recorded.op_id),
            Self::Row(row, _) => row.operation,
        }
    }

    /// The operation, if it is known.
    pub fn operation(&self) -> Option<&'o Operation> {
        match self {
            Self::Journal { operation, .. } => Some(operation),
            Self::Row(_, operation) => *operation,
        }
    }

    /// Its plan, if this program understands it.
    pub fn plan(&self) -> Option<&'o Plan> {
        self.operation().and_then(Operation::plan)
    }

    /// What it is about, as the ledger names it.
    pub fn target(&self) -> String {
        match (self, self.plan()) {
            (_, Some(plan)) => plan.subject.target(),
            (Self::Row(row, _), None) => row.target.clone(),
            (Self::Journal { .. }, None) => String::new(),
        }
    }

    /// Its object's name; its operation where that has none.
    pub fn name(&self) -> String {
        match (self.plan(), self) {
            (Some(plan), _) => plan.subject.name.clone(),
            (None, Self::Journal { recorded, .. }) => recorded.op_id.to_string(),
            (None, Self::Row(row, _)) => row.target.clone(),
        }
    }

    /// Lower-case words by which a filter finds it.
    pub fn words(&self) -> String {
        let mut words = format!("{} {} {} {} {}", self.id(), self.who(), self.event(), self.detail(), self.about());
        words.extend(self.operation_id().map(|id| format!(" {id}")));
        if let Self::Row(row, _) = self {
            words = format!("{words} {} {}", row.writer, row.outcome);
        }
        words.to_lowercase()
    }

    /// Words for the act: its kind and what happened.
    pub fn act(&self) -> String {
        let kind = self.plan().map_or("", |plan| plan.kind.words());
        format!("{kind} {}", self.event())
    }

    /// Words for the object: where and what it is.
    pub fn about(&self) -> String {
        match self.plan() {
            Some(plan) => {
                let subject = &plan.subject;
                let reason = plan.reason.as_deref().unwrap_or_default();
                let (workspace, label) = (&subject.workspace, subject.environment.label());
                let (kind, tier) = (plan.kind.words(), plan.tier.tier());
                format!("{kind} tier {tier} {workspace} {label} {} {} {reason}", subject.name, subject.target())
            }
            None => self.target(),
        }
    }

    /// Whether the ledger has it.
    pub fn is_in_ledger(&self) -> bool {
        match self {
            Self::Journal { operation, recorded } => recorded.seq <= operation.record.acknowledged,
            Self::Row(..) => true,
        }
    }

    /// What is wrong with it, if it was altered since it was written.
    pub fn flaw(&self) -> Option<String> {
        match self {
            Self::Journal { operation, .. } => flaw(&operation.record),
            Self::Row(row, _) if !row.holds => Some("its content is not what its writer hashed".to_owned()),
            Self::Row(..) => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::app::act::{Ask, Wish};
    use crate::app::fixture::{plan, record};
    use crate::domain::fleet::{Object, ObjectId};
    use crate::domain::ids::JobId;

    pub(crate) fn operation(name: &str) -> OperationRecord {
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
}
