//! Entries of the audit for a file: CSV for a spreadsheet, JSON for a program, Markdown for a reader.

use std::fmt::Write as _;

use serde_json::json;

use crate::app::audit::{Entry, Known};
use crate::app::operations::Operations;
use crate::domain::Instant;
use crate::domain::text;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a spreadsheet.
    Csv,
    /// For a program.
    Json,
    /// For a reader.
    Markdown,
}

impl Form {
    /// How a file of this form ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }
}

/// The columns of an export.
const COLUMNS: [&str; 15] = [
    "at",
    "who",
    "operation_id",
    "seq",
    "entry_id",
    "event",
    "kind",
    "tier",
    "workspace",
    "target",
    "name",
    "source",
    "whole",
    "plan_sha256",
    "entry_json",
];

/// Entries, oldest first.
pub fn export(form: Form, entries: &[Entry], operations: &Operations, now: Instant) -> String {
    let known: Vec<Known<'_>> = entries.iter().rev().filter_map(|entry| entry.known(operations)).collect();
    match form {
        Form::Csv => csv(&known),
        Form::Json => documents(&known, now),
        Form::Markdown => report(&known, operations, now),
    }
}

fn moment(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn cells(known: &Known<'_>) -> [String; 15] {
    let plan = known.plan();
    let of_plan = |fact: &dyn Fn(&crate::operations::Plan) -> String| plan.map(fact).unwrap_or_default();
    let (seq, event, source, stored) = match known {
        Known::Journal { recorded, .. } => {
            let source = if known.is_in_ledger() { "journal, ledger" } else { "journal" };
            let stored = serde_json::to_string(recorded).unwrap_or_default();
            (recorded.seq.to_string(), recorded.event.name().to_owned(), source, stored)
        }
        Known::Row(row, _) => {
            let seq = row.seq.map(|seq| seq.to_string()).unwrap_or_default();
            (seq, row.verb.clone(), "ledger", row.detail.clone())
        }
    };
    [
        moment(known.at()),
        known.who().to_owned(),
        known.operation_id().map(|id| id.to_string()).unwrap_or_default(),
        seq,
        known.id(),
        event,
        of_plan(&|plan| plan.kind.name().to_owned()),
        of_plan(&|plan| plan.tier.tier().to_string()),
        of_plan(&|plan| plan.subject.workspace.to_string()),
        known.target(),
        known.name(),
        source.to_owned(),
        known.flaw().unwrap_or_else(|| "yes".to_owned()),
        known.operation().map(|operation| operation.record.digest.clone()).unwrap_or_default(),
        stored,
    ]
}

/// RFC 4180. No cell begins with what a spreadsheet takes for a formula.
fn csv(known: &[Known<'_>]) -> String {
    let mut out = COLUMNS.join(",");
    out.push_str("\r\n");
    for known in known {
        let cells: Vec<String> = cells(known).iter().map(|cell| cell_of(cell)).collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

fn documents(known: &[Known<'_>], now: Instant) -> String {
    let entries: Vec<serde_json::Value> = known
        .iter()
        .map(|known| {
            let cells = cells(known);
            let mut entry: serde_json::Map<String, serde_json::Value> =
                COLUMNS.iter().zip(&cells).map(|(name, cell)| ((*name).to_owned(), json!(text::line(cell)))).collect();
            let stored = serde_json::from_str(&cells[14]).unwrap_or(serde_json::Value::Null);
            entry.remove("entry_json");
            entry.insert("entry".to_owned(), stored);
            serde_json::Value::Object(entry)
        })
        .collect();
    let document = json!({"schema": "lakeshift.audit/1", "exported_at": moment(now), "entries": entries});
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn report(known: &[Known<'_>], operations: &Operations, now: Instant) -> String {
    let mut out = format!("# Audit\n\n{} entries, exported {}.\n\n", known.len(), moment(now));
    let page = operations.shared_record.page.as_ref();
    let proof = match page.and_then(|page| page.proof.as_ref()) {
        Some(proof) if proof.findings.is_empty() => {
            format!("Verified {}: what was sealed is what is there ({} rows).", moment(proof.at), proof.rows)
        }
        Some(proof) => {
            let found: Vec<String> = proof.findings.iter().map(|line| format!("- {}", plain(line))).collect();
            format!("**Verification failed** {}:\n\n{}", moment(proof.at), found.join("\n"))
        }
        None => "The ledger was not verified for this report.".to_owned(),
    };
    out.push_str(&proof);
    out.push_str("\n\n| at | who | what | act | object | detail | whole |\n|---|---|---|---|---|---|---|\n");
    for known in known {
        let whole = known.flaw().unwrap_or_else(|| "yes".to_owned());
        let act = known.plan().map_or("", |plan| plan.kind.words());
        let object = format!("{} {}", known.name(), known.target());
        let cells = [known.who(), &known.event(), act, &object, &known.detail(), &whole].map(plain);
        let _ = writeln!(out, "| {} | {} |", moment(known.at()), cells.join(" | "));
    }
    out
}

/// Text from outside as words of a report: no markup, no cell's end.
fn plain(raw: &str) -> String {
    let mut out = String::new();
    for letter in text::line(raw).chars() {
        if matches!(letter, '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(letter);
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
    use crate::app::audit::entries;
    use crate::app::audit::tests::operation;
    use crate::app::operations::OperationsSnapshot;
    use crate::domain::fixture::now;

    fn exported(form: Form) -> String {
        let mut operations = Operations::default();
        let records = vec![std::sync::Arc::new(operation("=HYPERLINK(\"x\"),|\u{1b}[2J"))];
        operations.observe(&OperationsSnapshot { operations: records, ..OperationsSnapshot::default() });
        export(form, &entries(&operations), &operations, now())
    }

    #[test]
    fn a_spreadsheet_gets_every_entry_and_no_formula() {
        let csv = exported(Form::Csv);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3, "{csv}");
        assert!(lines[0].starts_with("at,who,operation_id,seq"));
        assert!(lines[1].contains(",planned,run_now,2,dev,dev/job/31,\"'=HYPERLINK(\"\"x\"\"),|"), "{}", lines[1]);
        assert!(lines[2].contains(",approved,"), "oldest first: {}", lines[2]);
        assert!(!csv.contains('\u{1b}'));
    }

    #[test]
    fn a_program_gets_the_entries_as_they_are_stored() {
        let document: serde_json::Value = serde_json::from_str(&exported(Form::Json)).expect("JSON");
        assert_eq!(document["entries"][1]["entry"]["event"]["event"], "approved");
        assert_eq!(document["entries"][0]["whole"], "yes");
    }

    #[test]
    fn a_report_holds_no_markup_from_outside() {
        let report = exported(Form::Markdown);
        assert!(report.contains("The ledger was not verified"), "{report}");
        assert!(report.contains("\\|") && !report.contains('\u{1b}'), "{report}");
    }
}
