//! The ledger for an auditor: rows as CSV, and a report in Markdown. What is exported is harmless to open: no cell is a
//! formula to a spreadsheet, no text steers a terminal or becomes markup.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::rows::{Recorded, earliest};
use super::seal::Report;
use super::tables::{Kind, SUFFIX, Table};
use crate::domain::Instant;
use crate::domain::text::line;

/// What a cell of a spreadsheet must not begin with, lest it be taken for a formula.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// What a report is about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The ledger's schema.
    pub place: String,
    /// Who exports, by the server's word.
    pub reader: String,
    /// When, by the server's clock.
    pub at: Instant,
    /// From when rows are told; none is from the beginning.
    pub since: Option<Instant>,
    /// Until when.
    pub until: Option<Instant>,
    /// The verification of the whole ledger.
    pub proof: &'a Report,
    /// The rows, doubles included.
    pub rows: &'a [Recorded],
}

/// An instant as exports spell it.
pub fn time(us: i64) -> String {
    Instant::from_timestamp_micros(us)
        .map_or_else(|| us.to_string(), |at| at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// One table's rows as CSV (RFC 4180), with a header.
pub fn csv(table: Table, rows: &[Recorded]) -> String {
    let columns = table.spec().columns;
    let header = columns.iter().map(|column| column.name).chain(SUFFIX);
    let mut text = header.collect::<Vec<_>>().join(",") + "\r\n";
    for row in rows.iter().filter(|row| row.table == table) {
        let values = columns.iter().map(|column| match (row.text(column.name), column.kind) {
            (None, _) => String::new(),
            (Some(value), Kind::Time) => value.parse().map_or_else(|_| cell(value), time),
            (Some(value), Kind::Number | Kind::Money | Kind::Truth) if is_plain(value) => value.to_owned(),
            (Some(value), _) => cell(value),
        });
        let suffix = [cell(&row.actor), time(row.recorded_us), cell(&row.content_hash)];
        text += &(values.chain(suffix).collect::<Vec<_>>().join(",") + "\r\n");
    }
    text
}

/// Whether a value is a number or truth value and nothing else: a tampered table may hold anything.
fn is_plain(value: &str) -> bool {
    matches!(value, "true" | "false")
        || value.strip_prefix('-').unwrap_or(value).chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// A text in a cell: harmless, quoted where it must be, and never a formula.
fn cell(raw: &str) -> String {
    let clean = line(raw);
    let guard = if raw.starts_with(FORMULA) || clean.starts_with(FORMULA) { "'" } else { "" };
    if clean.contains([',', '"', '\n', '\r', ';']) || !guard.is_empty() {
        format!("\"{guard}{}\"", clean.replace('"', "\"\""))
    } else {
        clean
    }
}

/// A text in Markdown: harmless, and no markup.
fn words(raw: &str) -> String {
    let mut text = String::new();
    for letter in line(raw).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '~' | '&') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// The report.
pub fn markdown(subject: &Subject<'_>) -> String {
    let mut page = format!("# Ledger {}\n\n", words(&subject.place));
    let bound = |at: Option<Instant>, none: &str| at.map_or_else(|| none.to_owned(), |at| time(at.timestamp_micros()));
    let _ = writeln!(
        page,
        "Exported {} by {}. Rows recorded from {} until {} (server's clock, UTC). Who and when are the server's words.\n",
        time(subject.at.timestamp_micros()),
        words(&subject.reader),
        bound(subject.since, "the beginning"),
        bound(subject.until, "now"),
    );
    proof(subject.proof, &mut page);
    let rows = earliest(subject.rows.iter().cloned());
    summary(&rows, subject.rows.len() - rows.len(), &mut page);
    approvals(&rows, &mut page);
    operations(&rows, &mut page);
    page
}

fn proof(report: &Report, page: &mut String) {
    page.push_str("## Proof\n\n");
    match &report.head {
        Some((seq, hash)) => {
            let upto = report.sealed_upto_us.map(time).unwrap_or_default();
            let _ = writeln!(
                page,
                "{} seals over {} rows, the newest number {seq} of {upto} with hash `{hash}`; {} rows are newer.\n",
                report.seals, report.sealed_rows, report.unsealed_rows
            );
        }
        None => {
            let _ = writeln!(page, "Nothing is sealed; {} rows.\n", report.unsealed_rows);
        }
    }
    if report.unseen_commits > 0 {
        let unseen = report.unseen_commits;
        let _ = writeln!(page, "{unseen} commits are older than what a history tells, and were seen by no seal.\n");
    }
    if report.findings.is_empty() {
        page.push_str("Verified: what was sealed is what is there.\n\n");
    } else {
        let _ = writeln!(page, "**Verification failed: {} findings.**\n", report.findings.len());
        for finding in &report.findings {
            let _ = writeln!(page, "- {}", words(&finding.to_string()));
        }
        page.push('\n');
    }
}

fn summary(rows: &[Recorded], doubles: usize, page: &mut String) {
    page.push_str("## Rows\n\n| table | rows |\n|---|---|\n");
    for table in Table::ALL {
        let count = rows.iter().filter(|row| row.table == *table).count();
        let _ = writeln!(page, "| {} | {count} |", table.name());
    }
    let _ = writeln!(page, "\n{doubles} doubles of deliveries are left out.\n");
}

fn approvals(rows: &[Recorded], page: &mut String) {
    let found: Vec<&Recorded> = rows.iter().filter(|row| row.table == Table::Approval).collect();
    if found.is_empty() {
        return;
    }
    page.push_str("## Decisions\n\n| when | who | release | decision | role | reason |\n|---|---|---|---|---|---|\n");
    for row in found {
        let text = |column: &str| words(row.text(column).unwrap_or_default());
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            time(row.recorded_us),
            words(&row.actor),
            text("release_id"),
            text("decision"),
            text("role"),
            text("reason")
        );
    }
    page.push('\n');
}

fn operations(rows: &[Recorded], page: &mut String) {
    let mut journals: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.table == Table::AuditEvent) {
        journals.entry(row.text("op_id").unwrap_or_default()).or_default().push(row);
    }
    page.push_str("## Operations\n\n");
    if journals.is_empty() {
        page.push_str("None.\n");
    }
    for (op_id, mut journal) in journals {
        journal.sort_by_key(|row| (row.number("seq"), row.recorded_us));
        let planned = rows.iter().find(|row| row.table == Table::Operation && row.id == op_id);
        let text = |column: &str| planned.and_then(|row| row.text(column)).map(words);
        if op_id.is_empty() {
            page.push_str("### Beside operations\n\n");
        } else {
            let _ = writeln!(page, "### {} {}\n", text("kind").unwrap_or_default(), words(op_id));
        }
        let told = [("plan", text("plan_digest")), ("reason", text("reason")), ("release", text("release_id"))];
        for (name, value) in told {
            if let Some(value) = value {
                let _ = writeln!(page, "- {name}: {value}");
            }
        }
        page.push_str("\n| when | who | what | target | outcome |\n|---|---|---|---|---|\n");
        for row in journal {
            let text = |column: &str| words(row.text(column).unwrap_or_default());
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                time(row.recorded_us),
                words(&row.actor),
                text("verb"),
                text("target"),
                text("outcome")
            );
        }
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rows::{LedgerRow, Value};
    use crate::ledger::seal::{Finding, Found};

    fn recorded(id: &str, target: &str, verb: &str) -> Recorded {
        let text = |text: &str| Value::Text(text.to_owned());
        let values = [
            ("audit_id", text(id)),
            ("op_id", text("op-1")),
            ("seq", Value::Number(-3)),
            ("verb", text(verb)),
            ("target", text(target)),
            ("outcome", text("done")),
        ];
        let row = LedgerRow::new(Table::AuditEvent, values).expect("a row");
        Recorded {
            table: row.table,
            id: row.id,
            columns: row.columns,
            actor: "=HYPERLINK(\"http://x\")".to_owned(),
            recorded_us: 1_795_348_800_000_001,
            content_hash: row.content_hash,
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_no_cell_breaks_its_row() {
        let rows = [recorded("a1", "+1+cmd|' /C calc'!A0", "@SUM(1)"), recorded("a2", "x\n-2,\"y\"", "\t=1\u{1b}[2J")];
        let text = csv(Table::AuditEvent, &rows);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].contains(",\"'@SUM(1)\",\"'+1+cmd|' /C calc'!A0\","), "{}", lines[1]);
        assert!(lines[1].contains("\"'=HYPERLINK(\"\"http://x\"\")\",2026-11-22T12:00:00.000001Z,"), "{}", lines[1]);
        assert!(lines[1].contains(",-3,"), "a number stays one: {}", lines[1]);
        assert!(lines[2].contains("\"x -2,\"\"y\"\"\""), "{}", lines[2]);
        assert!(!text.contains('\u{1b}') && lines[2].contains("\"' =1\""), "{}", lines[2]);
    }

    #[test]
    fn a_report_tells_the_findings_and_no_text_becomes_markup() {
        let finding = Finding {
            table: "audit_event".to_owned(),
            found: Found::Deleted { id: "a9".to_owned(), recorded_us: 0, seal: 3 },
        };
        let proof = Report { findings: vec![finding], seals: 3, ..Report::default() };
        let rows =
            [recorded("a1", "<script>|x", "[click](http://x)"), recorded("a1", "<script>|x", "[click](http://x)")];
        let at: Instant = "2026-11-22T12:00:00Z".parse().expect("an instant");
        let subject = Subject {
            place: "ops.release".into(),
            reader: "ana".into(),
            at,
            since: None,
            until: Some(at),
            proof: &proof,
            rows: &rows,
        };
        let page = markdown(&subject);
        assert!(page.contains("**Verification failed: 1 findings.**"), "{page}");
        assert!(page.contains("audit\\_event a9: deleted"), "{page}");
        assert!(page.contains("| \\[click\\](http://x) | \\<script\\>\\|x | done |"), "{page}");
        assert!(page.contains("1 doubles of deliveries are left out"), "{page}");
        assert_eq!(page.matches("\\[click\\]").count(), 1);
    }
}
