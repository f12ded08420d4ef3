//! The comparison of what was sealed with what is there. Pure: the evidence is gathered before.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{GENESIS, Seal, SealBody, SealedRow, seal_hash};
use super::commits::{SeenCommits, unseen};
use super::evidence::{Evidence, TableEvidence};
use super::finding::{Finding, Found};
use crate::ledger::book::Commit;
use crate::ledger::rows::Recorded;
use crate::ledger::tables::Table;

/// How much earlier than the previous seal a row may claim to be: no statement that appends takes longer to commit.
const LATE_US: i64 = 3_600_000_000;

/// How far a commit's time may lie before the time of a row in it: engines round.
const ROUNDING_MS: i64 = 1_000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that is wrong, by table and row.
    pub findings: Vec<Finding>,
    /// How many seals there are.
    pub seals: usize,
    /// How many rows were compared with a seal.
    pub sealed_rows: usize,
    /// How many rows are newer than the last seal.
    pub unsealed_rows: usize,
    /// How many commits are older than what a look at a history tells, and were seen by no sealer.
    pub unseen_commits: u64,
    /// The newest seal: its number and hash, to be kept elsewhere.
    pub head: Option<(i64, String)>,
    /// Until when rows are sealed (server's clock).
    pub sealed_upto_us: Option<i64>,
}

/// A row that a seal lists, with the seal's number.
struct Listed {
    row: SealedRow,
    seal: i64,
}

/// Compares what was sealed with what is there.
///
/// `expected` are hashes of seals that were kept outside of the lakehouse. `direct` says that rows are written under their
/// actor's own identity, so that the commits' users must be the rows' actors.
pub fn verify(evidence: &Evidence, expected: &[String], direct: bool) -> Report {
    let mut findings = Vec::new();
    let seals = in_order(&evidence.seals, &mut findings);
    chain(&seals, &mut findings);
    for hash in expected {
        if !seals.iter().any(|seal| seal.seal_hash.eq_ignore_ascii_case(hash.trim())) {
            findings.push(Finding::of_seals(Found::AnchorMissing { hash: hash.clone() }));
        }
    }
    let bodies: Vec<(i64, SealBody)> = seals.iter().filter_map(|seal| Some((seal.seq, seal.body()?))).collect();
    let mut report = Report { seals: seals.len(), ..Report::default() };
    for (table, found) in &evidence.tables {
        let listed = listed(*table, &bodies);
        report.sealed_rows += listed.len();
        report.unsealed_rows += rows(*table, found, &listed, &bodies, &mut findings);
        let sealed = bodies.iter().filter_map(|(_, body)| body.tables.get(table)?.commits.as_ref());
        report.unseen_commits += commits(table.name(), &found.history, sealed, &mut findings);
        if direct {
            authors(*table, found, &mut findings);
        }
    }
    let sealed = bodies.iter().filter_map(|(_, body)| body.own_commits.as_ref());
    report.unseen_commits += commits("seal", &evidence.seal_history, sealed, &mut findings);
    report.head = seals.last().map(|seal| (seal.seq, seal.seal_hash.clone()));
    report.sealed_upto_us = seals.last().map(|seal| seal.upto_us);
    findings.sort();
    findings.dedup();
    report.findings = findings;
    report
}

/// Seals by number, each once: a double is the same seal delivered twice.
fn in_order(seals: &[Seal], findings: &mut Vec<Finding>) -> Vec<Seal> {
    let mut by_number: BTreeMap<i64, Seal> = BTreeMap::new();
    for seal in seals {
        match by_number.get(&seal.seq) {
            Some(first) if first.seal_hash != seal.seal_hash || first.seal_id != seal.seal_id => {
                findings.push(Finding::of_seals(Found::SealForked { seal: seal.seq }));
            }
            Some(_) => {}
            None => {
                by_number.insert(seal.seq, seal.clone());
            }
        }
    }
    by_number.into_values().collect()
}

fn chain(seals: &[Seal], findings: &mut Vec<Finding>) {
    let mut altered = |seal: i64, why: &str| {
        findings.push(Finding::of_seals(Found::SealAltered { seal, why: why.to_owned() }));
    };
    let mut missing = Vec::new();
    let mut previous: Option<&Seal> = None;
    for seal in seals {
        if seal_hash(&seal.prev_hash, &seal.tables_json) != seal.seal_hash {
            altered(seal.seq, "its hash does not fit its content");
        }
        match seal.body() {
            None => altered(seal.seq, "its content is unreadable"),
            Some(body) if body.seq != seal.seq => altered(seal.seq, "it was sealed with another number"),
            Some(body) if body.upto_us != seal.upto_us => altered(seal.seq, "it was sealed at another time"),
            Some(_) => {}
        }
        let number = previous.map_or(0, |previous| previous.seq);
        missing.extend(number + 1..seal.seq);
        if number + 1 == seal.seq {
            if previous.map_or(GENESIS, |previous| &previous.seal_hash) != seal.prev_hash {
                let why = "the next seal hangs on another hash";
                match previous {
                    Some(previous) => altered(previous.seq, why),
                    None => altered(seal.seq, "the first seal hangs on another one"),
                }
            } else if let (Some(previous), Some(body)) = (previous, seal.body())
                && body.previous.as_ref() != Some(&previous.row())
            {
                altered(previous.seq, "the next seal remembers it with another author or time");
            }
        }
        previous = Some(seal);
    }
    findings.extend(missing.into_iter().map(|seal| Finding::of_seals(Found::SealMissing { seal })));
}

fn listed(table: Table, bodies: &[(i64, SealBody)]) -> Vec<Listed> {
    let rows = bodies.iter().flat_map(|(seal, body)| {
        let rows = body.tables.get(&table).map(|sealed| sealed.rows.as_slice()).unwrap_or_default();
        rows.iter().map(|row| Listed { row: row.clone(), seal: *seal })
    });
    rows.collect()
}

/// Compares the rows of one table; tells how many are not sealed yet.
fn rows(
    table: Table,
    found: &TableEvidence,
    listed: &[Listed],
    bodies: &[(i64, SealBody)],
    findings: &mut Vec<Finding>,
) -> usize {
    let sealed_version = bodies.iter().rev().find_map(|(_, body)| body.tables.get(&table)).map(|sealed| sealed.version);
    if let Some(sealed) = sealed_version.filter(|sealed| *sealed > found.version) {
        findings.push(Finding::of(table, Found::Replaced { version: found.version, sealed }));
    }
    let known: BTreeSet<&SealedRow> = listed.iter().map(|listed| &listed.row).collect();
    let present: BTreeMap<SealedRow, &Recorded> = found.rows.iter().map(|row| (SealedRow::of(row), row)).collect();

    // Rows that are there and that no seal knows, by id: what became of the sealed ones that are gone, or what came since.
    let mut strangers: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for (sealed, row) in &present {
        if !known.contains(sealed) {
            strangers.entry(row.id.as_str()).or_default().push(row);
        }
    }
    for Listed { row: gone, seal } in listed.iter().filter(|listed| !present.contains_key(&listed.row)) {
        let SealedRow(id, recorded_us, hash) = gone.clone();
        let candidates = strangers.get_mut(id.as_str());
        let moved =
            candidates.as_ref().and_then(|rows| rows.iter().position(|row| row.row_hash_at(recorded_us) == hash));
        let edited = candidates.as_ref().and_then(|rows| rows.iter().position(|row| row.recorded_us == recorded_us));
        let replaced = candidates.and_then(|rows| {
            let at = moved.or(edited).or((!rows.is_empty()).then_some(0))?;
            Some(rows.remove(at))
        });
        let said = match replaced {
            None => Found::Deleted { id, recorded_us, seal: *seal },
            Some(row) if moved.is_some() => {
                Found::Reordered { id, recorded_us, claims_us: row.recorded_us, seal: *seal }
            }
            Some(_) => Found::Edited { id, recorded_us, seal: Some(*seal) },
        };
        findings.push(Finding::of(table, said));
    }
    let strangers: Vec<&Recorded> = strangers.into_values().flatten().collect();
    let last_upto_us = bodies.last().map(|(_, body)| body.upto_us);
    for row in &strangers {
        let came_since = found.unsealed.as_ref().is_none_or(|rows| rows.contains(row));
        let why = if sealed_version.is_some() && !came_since {
            Some("the last seal should know it and does not")
        } else if last_upto_us.is_some_and(|upto| row.recorded_us < upto - LATE_US) && sealed_version.is_some() {
            Some("it came after the last seal")
        } else {
            None
        };
        findings.extend(why.map(|why| Finding::of(table, added(row, why))));
    }
    backdated(table, bodies, &present, findings);
    contents(table, found, findings);
    strangers.len()
}

/// Rows that claim to be much older than the seal before the one that sealed them.
fn backdated(
    table: Table,
    bodies: &[(i64, SealBody)],
    present: &BTreeMap<SealedRow, &Recorded>,
    findings: &mut Vec<Finding>,
) {
    let mut previous_upto_us = None;
    for (seal, body) in bodies {
        for row in body.tables.get(&table).map(|sealed| sealed.rows.as_slice()).unwrap_or_default() {
            if previous_upto_us.is_some_and(|upto: i64| row.1 < upto - LATE_US)
                && let Some(row) = present.get(row)
            {
                let why = format!("it came between seals {} and {seal}", seal - 1);
                findings.push(Finding::of(table, added(row, &why)));
            }
        }
        if body.tables.contains_key(&table) || previous_upto_us.is_some() {
            previous_upto_us = Some(body.upto_us);
        }
    }
}

/// Rows that do not say what their writers hashed, and rows that contradict an earlier one of the same id.
fn contents(table: Table, found: &TableEvidence, findings: &mut Vec<Finding>) {
    let already = |id: &str, findings: &[Finding]| {
        findings.iter().any(|finding| {
            finding.table == table.name() && matches!(&finding.found, Found::Edited { id: known, .. } if known == id)
        })
    };
    let mut first: BTreeMap<&str, &Recorded> = BTreeMap::new();
    for row in &found.rows {
        if !row.content_holds() && !already(&row.id, findings) {
            let said = Found::Edited { id: row.id.clone(), recorded_us: row.recorded_us, seal: None };
            findings.push(Finding::of(table, said));
        }
        match first.get(row.id.as_str()) {
            Some(earlier) if earlier.columns != row.columns => {
                let said = Found::Contradicted { id: row.id.clone(), recorded_us: row.recorded_us };
                findings.push(Finding::of(table, said));
            }
            Some(_) => {}
            None => {
                first.insert(&row.id, row);
            }
        }
    }
}

fn added(row: &Recorded, why: &str) -> Found {
    Found::Added { id: row.id.clone(), recorded_us: row.recorded_us, actor: row.actor.clone(), why: why.to_owned() }
}

/// What history and seals tell of a table's commits; gives how many of them nobody has looked at.
fn commits<'b>(
    table: &str,
    history: &[Commit],
    sealed: impl Iterator<Item = &'b SeenCommits>,
    findings: &mut Vec<Finding>,
) -> u64 {
    let Some(now) = SeenCommits::of(history) else { return 0 };
    let newest = now.to;
    let seen: Vec<SeenCommits> = sealed.cloned().chain([now]).collect();
    findings.extend(seen.iter().flat_map(|seen| seen.findings(table)));
    unseen(newest, &seen)
}

/// Rows whose actor has made no commit that could have brought them. Each commit accounts for as many rows as it wrote, and
/// for those first that were recorded shortly before it.
fn authors(table: Table, found: &TableEvidence, findings: &mut Vec<Finding>) {
    // An engine that names no users proves nothing against anybody.
    let mut appends: Vec<(&str, i64, u64)> = Vec::new();
    for commit in found.history.iter().filter(|commit| commit.operation == "WRITE") {
        let (Some(user), Some(at_ms), Some(rows)) = (commit.user.as_deref(), commit.at_ms, commit.rows) else { return };
        appends.push((user, at_ms, rows));
    }
    // Of what was recorded before the oldest commit that was read, the commits are not known.
    let known_from_ms = match found.history.last() {
        Some(oldest) if oldest.version > 0 => oldest.at_ms.unwrap_or(i64::MAX),
        _ => i64::MIN,
    };
    appends.sort_by_key(|(_, at_ms, _)| *at_ms);
    let mut waiting: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for row in &found.rows {
        waiting.entry(row.actor.as_str()).or_default().push(row);
    }
    for rows in waiting.values_mut() {
        rows.sort_by_key(|row| row.recorded_us);
    }
    for (user, commit_ms, count) in appends {
        let Some(rows) = waiting.get_mut(user) else { continue };
        for _ in 0..count {
            let could = |row: &&Recorded| {
                let at_ms = row.recorded_us / 1_000;
                commit_ms >= at_ms - ROUNDING_MS && commit_ms <= at_ms + LATE_US / 1_000
            };
            match rows.iter().rposition(could) {
                Some(at) => drop(rows.remove(at)),
                None => break,
            }
        }
    }
    let must_be_known = |row: &&Recorded| row.recorded_us / 1_000 > known_from_ms.saturating_add(ROUNDING_MS);
    for row in waiting.into_values().flatten().filter(must_be_known) {
        let why = format!("no commit of {} brought it", row.actor);
        findings.push(Finding::of(table, added(row, &why)));
    }
}
