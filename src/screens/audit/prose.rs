//! One entry in words: who, what, on what, in which plan; then the entry as it is stored.

use crate::app::audit::Known;
use crate::app::model::Shared;
use crate::app::prose::Prose;
use crate::domain::text;
use crate::domain::units::instant;

/// All that is known of an entry.
pub(super) fn of(known: &Known<'_>, shared: &Shared) -> Vec<Prose> {
    let fact = |what: &str, value: String| Prose::plain(format!("{what:<11}{}", text::line(&value)));
    let detail = known.detail();
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let mut said = vec![Prose::heading(text::line(&format!("{}{detail}", known.event())))];
    let at = instant(known.at(), shared.now, shared.zone);
    said.push(match known {
        Known::Journal { .. } => fact("by", format!("{} at {at}", known.who())),
        Known::Row(row, _) if row.by == row.writer => fact("by", format!("{} at {at} (server's clock)", row.writer)),
        Known::Row(row, _) => fact("by", format!("{} through {} at {at} (server's clock)", row.by, row.writer)),
    });
    match known.plan() {
        Some(plan) => {
            said.push(fact("on", format!("{}  {}", plan.subject.target(), plan.subject.name)));
            said.push(fact("act", format!("{}: {}", plan.kind.words(), plan.sentence())));
            let tier = plan.tier;
            said.push(fact("tier", format!("{}: {}, {}", tier.tier(), tier.meaning(), tier.row().audit.words())));
            said.extend(plan.reason.clone().map(|reason| fact("because", reason)));
        }
        None if !known.target().is_empty() => said.push(fact("on", known.target())),
        None => {}
    }
    if let (Known::Journal { recorded, .. }, Some(operation)) = (known, known.operation()) {
        let entries = operation.record.journal.len();
        said.push(fact("operation", format!("{}  entry {} of {entries}", recorded.op_id, recorded.seq)));
    } else {
        said.extend(known.operation_id().map(|id| fact("operation", id.to_string())));
    }
    said.push(match (known.flaw(), known) {
        (Some(flaw), _) => Prose::danger(text::line(&format!("{:<11}{flaw}", "altered"))),
        (None, Known::Journal { .. }) => {
            Prose::good(format!("{:<11}plan and journal of this operation are whole", "verified"))
        }
        (None, Known::Row(..)) => Prose::good(format!("{:<11}its content is what its writer hashed", "verified")),
    });
    said.push(match (shared.operations.ledger.configured, known.is_in_ledger()) {
        (true, true) => Prose::good(text::line(&format!("{:<11}it is there as {}", "ledger", known.id()))),
        (true, false) => Prose::warning(format!("{:<11}not there yet", "ledger")),
        (false, _) => Prose::muted(format!("{:<11}none: this machine's journal is the only record", "ledger")),
    });
    said.extend(proof(shared));
    said.extend(known.operation().map(|operation| fact("plan", operation.record.digest.clone())));
    said.push(Prose::blank());
    let pretty = match known {
        Known::Journal { recorded, .. } => serde_json::to_string_pretty(recorded).unwrap_or_default(),
        Known::Row(row, _) => match serde_json::from_str::<serde_json::Value>(&row.detail) {
            Ok(detail) => serde_json::to_string_pretty(&detail).unwrap_or_default(),
            Err(_) => row.detail.clone(),
        },
    };
    said.extend(text::lines(&pretty).into_iter().map(Prose::muted));
    said
}

/// How far the ledger is sealed, and what its last verification found.
fn proof(shared: &Shared) -> Vec<Prose> {
    let Some(page) = &shared.operations.shared_record.page else { return Vec::new() };
    let at = |at| instant(at, shared.now, shared.zone);
    let mut said = vec![match &page.sealed {
        Some(sealed) => Prose::muted(format!("{:<11}until {} by seal {}", "sealed", at(sealed.upto), sealed.seq)),
        None => Prose::muted(format!("{:<11}nothing yet: `lakeshift ledger seal` does", "sealed")),
    }];
    if let Some(unsealed) = &page.unsealed {
        let words = format!("{:<11}{} rows, the oldest {}", "unsealed", unsealed.rows, at(unsealed.oldest));
        said.push(if unsealed.overdue {
            Prose::warning(format!("{words}: overdue, `lakeshift ledger seal` does it"))
        } else {
            Prose::muted(words)
        });
    }
    if let Some(proof) = &page.proof {
        said.push(if proof.findings.is_empty() {
            Prose::good(format!("{:<11}{} rows are as they were sealed, {}", "proven", proof.rows, at(proof.at)))
        } else {
            Prose::danger(format!("{:<11}{} findings, {}", "proven", proof.findings.len(), at(proof.at)))
        });
        if proof.unseen_commits > 0 {
            let words = format!(
                "{} commits are older than what a history tells, and no seal has seen them",
                proof.unseen_commits
            );
            said.push(Prose::warning(format!("{:<11}{words}", "")));
        }
        said.extend(proof.findings.iter().map(|line| Prose::danger(text::line(&format!("{:<11}{line}", "")))));
    }
    said
}
