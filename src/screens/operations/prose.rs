//! One operation in words: what it is, how far it has come, what to do if it is stuck, its plan, its journal.

use crate::app::model::Shared;
use crate::app::operations::{Operation, OwnerHealth};
use crate::app::prose::Prose;
use crate::app::sheet_text::begun;
use crate::domain::text;
use crate::domain::units::{instant, moment, time};
use crate::operations::plan::{Object, Plan};

/// All that is known of an operation.
pub(super) fn of(operation: &Operation, shared: &Shared) -> Vec<Prose> {
    let Some(plan) = operation.plan() else { return foreign(operation) };
    let mut said = begun(operation, None, shared);
    said.extend(hands(operation, shared));
    said.extend(lease(operation, plan, shared));
    said.push(Prose::blank());
    said.extend(journal(operation, shared));
    said.push(Prose::blank());
    said.extend(planned(plan, &operation.record.digest, shared));
    said
}

/// A plan of another version is shown as it is stored, and never gone on with.
fn foreign(operation: &Operation) -> Vec<Prose> {
    let mut said = vec![
        Prose::muted(format!("operation {}", operation.record.id)),
        Prose::warning(
            "Its plan is of another version of lakeshift: it is shown as it is stored, and not gone on with here.",
        ),
    ];
    if let Some(json) = &operation.record.foreign {
        let pretty = serde_json::to_string_pretty(json).unwrap_or_default();
        said.extend(text::lines(&pretty).into_iter().map(Prose::plain));
    }
    said
}

/// Who has it in hand, and what the ledger has of it.
fn hands(operation: &Operation, shared: &Shared) -> Vec<Prose> {
    let record = &operation.record;
    let mut said = Vec::new();
    if let Some(owner) = &record.owner {
        let health = owner.health.word();
        let since = time(owner.since, shared.zone);
        let words = match owner.health {
            OwnerHealth::Elsewhere => format!("of another home: {} wrote its newest entry at {since}", owner.who),
            _ => format!("in the hands of {} since {since} {health}", owner.who),
        };
        let sound = matches!(owner.health, OwnerHealth::Us | OwnerHealth::Alive | OwnerHealth::Elsewhere);
        let words = text::line(words.trim_end());
        said.push(if sound { Prose::plain(words) } else { Prose::warning(words) });
    } else if !record.is_over {
        said.push(Prose::warning("in nobody's hands"));
    }
    let entries = record.journal.last().map_or(0, |entry| entry.seq);
    if shared.operations.ledger.configured {
        let lacks = entries.saturating_sub(record.acknowledged);
        said.push(match lacks {
            0 => Prose::muted("the ledger has all of its entries"),
            lacks => Prose::warning(format!("the ledger lacks {lacks} of {entries} entries")),
        });
    }
    said
}

/// Who holds the lease under which it changes production state: in this console as it is now, else as the ledger was read.
fn lease(operation: &Operation, plan: &Plan, shared: &Shared) -> Option<Prose> {
    let product = plan.lease().filter(|_| !operation.record.is_over)?;
    let operations = &shared.operations;
    if let Some(lease) = operations.leases.get(&operation.record.id) {
        let words = lease.words.strip_prefix("the lease is ").unwrap_or(&lease.words);
        let words = text::line(&format!("lease of {product}: {words}"));
        return Some(if lease.held { Prose::good(words) } else { Prose::warning(words) });
    }
    let read_at = operations.shared_record.read_at.map(|at| time(at, shared.zone))?;
    let Some(lease) = operations.shared_record.lease(product) else {
        return Some(Prose::muted(text::line(&format!(
            "lease of {product}: free when the ledger was read at {read_at}"
        ))));
    };
    let of = match lease.operation.as_deref() {
        Some(of) if *of == operation.record.id.to_string() => "for it".to_owned(),
        Some(of) => format!("for operation {of}"),
        None => "for no operation".to_owned(),
    };
    let (holder, fence, until) = (&lease.holder, lease.fence, time(lease.until, shared.zone));
    let words = if lease.is_over {
        format!("{holder} held it {of} until {until} and did not give it back (fence {fence}): it can be taken over")
    } else {
        format!("held by {holder} {of} until {until}, unless they renew it (fence {fence}; read at {read_at})")
    };
    Some(Prose::warning(text::line(&format!("lease of {product}: {words}"))))
}

fn journal(operation: &Operation, shared: &Shared) -> Vec<Prose> {
    let mut said = vec![Prose::heading("Journal")];
    for entry in &operation.record.journal {
        let at = moment(entry.at, shared.now, shared.zone);
        let step = entry.event.step().map(|step| format!(" step {}", step + 1)).unwrap_or_default();
        let detail = text::line(&entry.event.detail());
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        let name = entry.event.name().replace('_', " ");
        said.push(Prose::plain(format!("{:>3}  {at}  {name}{step}{detail}", entry.seq)));
    }
    said
}

fn planned(plan: &Plan, digest: &str, shared: &Shared) -> Vec<Prose> {
    let subject = &plan.subject;
    let object = match &subject.object {
        Object::Job(job) => format!("job {job}"),
        Object::Pipeline(pipeline) => format!("pipeline {pipeline}"),
    };
    let mut said = vec![Prose::heading("Plan")];
    let mut fact = |what: &str, value: String| said.push(Prose::plain(format!("{what:<11}{value}")));
    fact("what", text::line(&format!("{}: {}", plan.kind.words(), plan.sentence())));
    fact("object", text::line(&format!("{object} ({}) in {} at {}", subject.name, subject.workspace, subject.host)));
    fact("tier", format!("{} ({})", plan.tier.tier(), plan.tier.meaning()));
    fact("planned by", text::line(&format!("{} at {}", plan.actor, instant(plan.made_at, shared.now, shared.zone))));
    if let Some(reason) = &plan.reason {
        fact("because", text::line(reason));
    }
    for (what, value) in plan.observed.iter().filter(|(_, value)| !value.is_empty()) {
        fact("seen", text::line(&format!("{what} {value}")));
    }
    for (number, step) in (1..).zip(&plan.steps) {
        fact("step", format!("{number}  {}", text::line(&step.action.words())));
    }
    fact("sha256", digest.to_owned());
    said
}
