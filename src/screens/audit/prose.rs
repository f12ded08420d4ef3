//! One entry in words: who, what, on what, in which plan; then the entry as it is stored.

use crate::app::audit::{Known, flaw};
use crate::app::model::Shared;
use crate::app::prose::Prose;
use crate::domain::text;
use crate::domain::units::instant;

/// All that is known of an entry.
pub(super) fn of(known: &Known<'_>, shared: &Shared) -> Vec<Prose> {
    let (entry, record) = (known.recorded, &known.operation.record);
    let fact = |what: &str, value: String| Prose::plain(format!("{what:<11}{}", text::line(&value)));
    let name = entry.event.name().replace('_', " ");
    let detail = entry.event.detail();
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let mut said = vec![
        Prose::heading(text::line(&format!("{name}{detail}"))),
        fact("by", format!("{} at {}", entry.actor, instant(entry.at, shared.now, shared.zone))),
    ];
    if let Some(plan) = known.operation.plan() {
        said.push(fact("on", format!("{}  {}", plan.subject.target(), plan.subject.name)));
        said.push(fact("act", format!("{}: {}", plan.kind.words(), plan.sentence())));
        said.extend(plan.reason.clone().map(|reason| fact("because", reason)));
    }
    said.push(fact("operation", format!("{}  entry {} of {}", entry.op_id, entry.seq, record.journal.len())));
    said.push(match flaw(record) {
        None => Prose::good(format!("{:<11}plan and journal of this operation are whole", "verified")),
        Some(flaw) => Prose::danger(format!("{:<11}{flaw}", "altered")),
    });
    let configured = shared.operations.ledger.configured;
    said.push(match (configured, known.is_in_ledger()) {
        (true, true) => Prose::good(format!("{:<11}it is there as {}", "ledger", entry.event_id)),
        (true, false) => Prose::warning(format!("{:<11}not there yet", "ledger")),
        (false, _) => Prose::muted(format!("{:<11}none: this machine's journal is the only record", "ledger")),
    });
    said.push(fact("plan", record.digest.clone()));
    said.push(Prose::blank());
    let pretty = serde_json::to_string_pretty(entry).unwrap_or_default();
    said.extend(text::lines(&pretty).into_iter().map(Prose::muted));
    said
}
