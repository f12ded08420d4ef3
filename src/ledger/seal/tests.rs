//! Properties of the verification: whatever was tampered with, that is named and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::chain::{GENESIS, Seal, SealBody, SealedRow, SealedTable};
use super::evidence::{Evidence, TableEvidence};
use super::finding::Found;
use super::verify::verify;
use crate::ledger::book::Commit;
use crate::ledger::rows::{LedgerRow, Recorded, Value};
use crate::ledger::tables::Table;

/// The first row's time; rows follow a second apart.
const FIRST_US: i64 = 1_795_348_800_000_000;

fn row(number: usize) -> Recorded {
    let text = |text: &str| Value::Text(text.to_owned());
    let values = [
        ("audit_id", text(&format!("a{number:03}"))),
        ("verb", text("intended")),
        ("outcome", text("noted")),
        ("seq", Value::Number(i64::try_from(number).expect("small"))),
    ];
    let row = LedgerRow::new(Table::AuditEvent, values).expect("a row");
    Recorded {
        table: row.table,
        id: row.id,
        columns: row.columns,
        actor: if number.is_multiple_of(2) { "ana" } else { "bob" }.to_owned(),
        recorded_us: FIRST_US + i64::try_from(number).expect("small") * 1_000_000,
        content_hash: row.content_hash,
    }
}

/// A ledger of one row a commit, with a seal behind each of these counts of rows.
fn honest(rows: usize, seals: &[usize]) -> Evidence {
    let rows: Vec<Recorded> = (0..rows).map(row).collect();
    let commit = |(row, version): (&Recorded, u64)| Commit {
        version,
        at_ms: Some(row.recorded_us / 1_000),
        user: Some(row.actor.clone()),
        operation: "WRITE".to_owned(),
        parameters: "{\"mode\":\"Append\"}".to_owned(),
        rows: Some(1),
    };
    let made = Commit { operation: "CREATE TABLE".to_owned(), rows: None, ..commit((&rows[0], 0)) };
    let history: Vec<Commit> = rows.iter().zip(1..).map(commit).chain([made]).collect();
    let mut chain: Vec<Seal> = Vec::new();
    let mut from = 0;
    for (to, seq) in seals.iter().zip(1..) {
        let sealed = rows[from..*to].iter().map(SealedRow::of).collect();
        let body = SealBody {
            v: 2,
            seq,
            upto_us: FIRST_US + i64::try_from(*to).expect("small") * 1_000_000,
            previous: chain.last().map(Seal::row),
            own_commits: None,
            tables: BTreeMap::from([(
                Table::AuditEvent,
                SealedTable { version: *to as u64, rows: sealed, commits: None },
            )]),
        };
        let previous = chain.last().map_or(GENESIS.to_owned(), |seal| seal.seal_hash.clone());
        chain.push(Seal::of(&format!("s{seq}"), &body, &previous, None));
        from = *to;
    }
    let unsealed = Some(rows[from..].to_vec());
    let found = TableEvidence { version: rows.len() as u64, rows, unsealed, history };
    Evidence { seals: chain, seal_history: Vec::new(), tables: BTreeMap::from([(Table::AuditEvent, found)]) }
}

fn rows_of(evidence: &mut Evidence) -> &mut Vec<Recorded> {
    &mut evidence.tables.get_mut(&Table::AuditEvent).expect("the table").rows
}

fn found(evidence: &Evidence) -> Vec<Found> {
    verify(evidence, &[], true).findings.into_iter().map(|finding| finding.found).collect()
}

/// Counts of rows, of which the first are sealed in two seals.
fn shape() -> impl Strategy<Value = (usize, usize, usize)> {
    (4_usize..30).prop_flat_map(|rows| (Just(rows), 1..rows / 2, rows / 2..rows))
}

proptest! {
    #[test]
    fn nothing_is_found_where_nothing_was_done((rows, first, second) in shape()) {
        prop_assert_eq!(found(&honest(rows, &[first, second])), Vec::new());
    }

    #[test]
    fn whichever_sealed_row_is_deleted_is_named((rows, first, second) in shape(), pick in any::<prop::sample::Index>()) {
        let mut evidence = honest(rows, &[first, second]);
        let gone = rows_of(&mut evidence).remove(pick.index(second));
        let seal = if pick.index(second) < first { 1 } else { 2 };
        let expected = Found::Deleted { id: gone.id, recorded_us: gone.recorded_us, seal };
        prop_assert_eq!(found(&evidence), vec![expected]);
    }

    #[test]
    fn whichever_row_is_edited_is_named(
        (rows, first, second) in shape(),
        pick in any::<prop::sample::Index>(),
        column in prop::sample::select(vec!["verb", "outcome", "seq", "target"]),
    ) {
        let mut evidence = honest(rows, &[first, second]);
        let at = pick.index(rows);
        let row = &mut rows_of(&mut evidence)[at];
        row.columns.insert(column.to_owned(), Some("other".to_owned()));
        let (id, recorded_us) = (row.id.clone(), row.recorded_us);
        let seal = if at < first { Some(1) } else { (at < second).then_some(2) };
        let found = found(&evidence);
        let expected = Found::Edited { id: id.clone(), recorded_us, seal };
        prop_assert!(found.contains(&expected), "{found:?}");
        let others = found.iter().filter(|other| !matches!(other, Found::Edited { id: named, .. } | Found::Added { id: named, .. } if *named == id));
        prop_assert_eq!(others.count(), 0, "{:?}", found);
    }

    #[test]
    fn whichever_two_sealed_rows_change_places_are_named(
        (rows, first, second) in shape(),
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
    ) {
        let (a, b) = (a.index(second), b.index(second));
        prop_assume!(a != b);
        let mut evidence = honest(rows, &[first, second]);
        let there = rows_of(&mut evidence);
        let times = (there[a].recorded_us, there[b].recorded_us);
        (there[a].recorded_us, there[b].recorded_us) = (times.1, times.0);
        let ids = [there[a].id.clone(), there[b].id.clone()];
        let found = found(&evidence);
        let moved: Vec<&String> =
            found.iter().filter_map(|found| if let Found::Reordered { id, .. } = found { Some(id) } else { None }).collect();
        prop_assert_eq!(moved.len(), 2, "{:?}", found);
        prop_assert!(ids.iter().all(|id| moved.contains(&id)), "{found:?}");
    }

    #[test]
    fn a_row_in_anothers_name_is_named(
        (rows, first, second) in shape(),
        forger in prop::sample::select(vec!["ana", "bob"]),
    ) {
        let mut evidence = honest(rows, &[first, second]);
        let mut forged = row(rows);
        // The commit is the forger's, whatever the row says.
        let user = if forged.actor == forger { "eve".to_owned() } else { forger.to_owned() };
        forged.id = "forged".to_owned();
        let table = evidence.tables.get_mut(&Table::AuditEvent).expect("the table");
        let version = table.version + 1;
        let at_ms = Some(forged.recorded_us / 1_000);
        table.history.insert(0, Commit { version, at_ms, user: Some(user), ..table.history[0].clone() });
        table.version = version;
        table.unsealed.as_mut().expect("known").push(forged.clone());
        table.rows.push(forged);
        let found = found(&evidence);
        prop_assert!(found.iter().any(|found| matches!(found, Found::Added { id, .. } if id == "forged")), "{found:?}");
    }

    #[test]
    fn whatever_is_changed_in_a_seal_names_that_seal(
        (rows, first, second) in shape(),
        pick in 0_usize..2,
        change in 0_usize..6,
    ) {
        let mut evidence = honest(rows, &[first, second]);
        let seal = &mut evidence.seals[pick];
        match change {
            0 => seal.tables_json = seal.tables_json.replacen("a0", "b0", 1),
            1 => seal.upto_us += 1,
            2 => seal.prev_hash = seal.prev_hash.replacen(|_: char| true, "x", 1),
            3 => seal.seal_hash = seal.seal_hash.replacen(|_: char| true, "x", 1),
            4 => seal.tables_json.push(' '),
            _ => { evidence.seals.remove(pick); }
        }
        let number = i64::try_from(pick).expect("small") + 1;
        let found = found(&evidence);
        // The last seal can be taken off unseen: only a hash that was kept elsewhere tells, or the commits.
        if change < 5 {
            let named = found.iter().any(|found| matches!(found, Found::SealAltered { seal, .. } if *seal == number));
            prop_assert!(named, "{change}: {found:?}");
        } else if pick == 0 {
            prop_assert!(found.contains(&Found::SealMissing { seal: 1 }), "{found:?}");
        }
    }
}
