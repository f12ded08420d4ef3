//! Seals against tamperers: each kind of change is found, and what was changed is named.

use lakeshift::ledger::Table;
use lakeshift::ledger::seal::{self, Found, Report, gather, gather_within, verify};

use super::{Desk, block_on, event};

/// A ledger with two seals over six rows, and one row that is not sealed yet.
fn sealed() -> Desk {
    let desk = Desk::installed();
    let (ana, bob) = (desk.of("ana").ledger(), desk.of("bob").ledger());
    for (n, ledger) in [(1, &ana), (2, &bob), (3, &ana)] {
        assert_eq!(block_on(ledger.append(&[event(&format!("a{n}"), "intended")])).trouble, None);
        desk.pass(10);
    }
    block_on(seal::seal(&ana, "s1", None)).unwrap();
    desk.pass(900);
    block_on(bob.append(&[event("a4", "planned"), event("a5", "confirmed")]));
    desk.pass(1);
    block_on(ana.append(&[event("a6", "completed")]));
    desk.pass(5);
    block_on(seal::seal(&bob, "s2", Some("tag v7"))).unwrap();
    desk.pass(60);
    block_on(ana.append(&[event("a7", "planned")]));
    desk.pass(60);
    desk
}

fn report(desk: &Desk) -> Report {
    verify(&block_on(gather(&desk.ledger())).unwrap(), &[], true)
}

/// What was found beside the commits, which are found in each case.
fn found(desk: &Desk) -> Vec<String> {
    let findings = report(desk).findings;
    assert!(findings.iter().any(|f| matches!(f.found, Found::Commit { .. })), "the commits show it too: {findings:?}");
    findings.iter().filter(|f| !matches!(f.found, Found::Commit { .. })).map(ToString::to_string).collect()
}

fn unlock(desk: &Desk, table: &str) {
    desk.by_hand(&format!("ALTER TABLE ops.release.{table} SET TBLPROPERTIES ('delta.appendOnly' = 'false')"));
}

#[test]
fn an_honest_ledger_has_no_findings() {
    let report = report(&sealed());
    assert_eq!(report.findings, []);
    assert_eq!((report.seals, report.sealed_rows, report.unsealed_rows), (2, 6, 1));
    assert_eq!(report.head.map(|(seq, _)| seq), Some(2));
}

#[test]
fn a_deleted_row_is_named() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    desk.by_hand("DELETE FROM ops.release.audit_event WHERE audit_id = 'a2'");
    assert_eq!(found(&desk), ["audit_event a2: deleted; recorded 2026-11-22T12:00:10.000000Z, sealed by 1"]);
    let commits: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
    assert!(commits.iter().any(|c| c.contains("DELETE by root")), "{commits:?}");
    assert!(commits.iter().any(|c| c.contains("SET TBLPROPERTIES by root")), "{commits:?}");
}

#[test]
fn an_edited_row_is_named() {
    for (change, row) in [
        ("verb = 'approved'", "a4"),
        ("actor = 'eve'", "a4"),
        ("detail_json = NULL", "a1"),
        ("content_hash = 'x'", "a5"),
    ] {
        let desk = sealed();
        unlock(&desk, "audit_event");
        desk.by_hand(&format!("UPDATE ops.release.audit_event SET {change} WHERE audit_id = '{row}'"));
        let found = found(&desk);
        assert!(found[0].starts_with(&format!("audit_event {row}: ")), "{change}: {found:?}");
        assert!(found.iter().any(|f| f.contains("edited since it was sealed by")), "{change}: {found:?}");
        assert!(found.iter().all(|f| f.contains(row)), "nothing else is blamed: {found:?}");
    }
}

#[test]
fn a_row_whose_id_was_changed_is_missed_by_its_old_id() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    desk.by_hand("UPDATE ops.release.audit_event SET audit_id = 'z9' WHERE audit_id = 'a3'");
    let found = found(&desk);
    assert!(found.iter().any(|f| f.starts_with("audit_event a3: deleted")), "{found:?}");
    assert!(found.iter().any(|f| f.starts_with("audit_event z9: does not say what its writer hashed")), "{found:?}");
}

#[test]
fn reordered_rows_are_named() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    desk.by_hand(
        "UPDATE ops.release.audit_event SET recorded_at = CASE audit_id WHEN 'a1' THEN timestamp'2026-11-22T12:00:20Z' \
         ELSE timestamp'2026-11-22T12:00:00Z' END WHERE audit_id IN ('a1', 'a3')",
    );
    let found = found(&desk);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        found[0],
        "audit_event a1: reordered; recorded 2026-11-22T12:00:00.000000Z and sealed by 1, now claims \
         2026-11-22T12:00:20.000000Z"
    );
    assert!(found[1].starts_with("audit_event a3: reordered"), "{found:?}");
}

const COLUMNS: &str =
    "(audit_id, op_id, seq, verb, target, outcome, detail_json, client_version, actor, recorded_at, content_hash)";

/// A row that is right in itself, with an author and a time of the forger's choice.
fn forged(id: &str, actor: &str, at: &str) -> String {
    let row = event(id, "approved");
    let value = |name: &str| match row.columns[name].as_deref() {
        Some(text) if name == "seq" => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        None => "NULL".to_owned(),
    };
    let names = ["audit_id", "op_id", "seq", "verb", "target", "outcome", "detail_json", "client_version"];
    let values: Vec<String> = names.into_iter().map(value).collect();
    format!(
        "INSERT INTO ops.release.audit_event {COLUMNS} VALUES ({}, '{actor}', timestamp'{at}', '{}')",
        values.join(", "),
        row.content_hash
    )
}

#[test]
fn a_row_in_anothers_name_is_named_whenever_it_comes() {
    let desk = sealed();
    // An append as any other: no commit gives it away, but the wrong person made it.
    desk.of("bob").by_hand(&forged("f1", "ana", "2026-11-22T12:17:30Z"));
    let findings: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        findings,
        ["audit_event f1: added; claims 2026-11-22T12:17:30.000000Z by ana, but no commit of ana brought it"]
    );
    // Sealing it afterwards does not launder it.
    block_on(seal::seal(&desk.ledger(), "s3", None)).unwrap();
    assert_eq!(report(&desk).findings.len(), 1);
}

#[test]
fn a_backdated_row_is_named_before_and_after_it_is_sealed() {
    let desk = sealed();
    desk.pass(7_200);
    block_on(seal::seal(&desk.ledger(), "s3", None)).unwrap();
    desk.of("bob").by_hand(&forged("f1", "bob", "2026-11-22T12:00:15Z"));
    for _ in 0..2 {
        let findings: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
        assert!(findings.iter().any(|f| f.starts_with("audit_event f1: added")), "{findings:?}");
        assert!(findings.iter().all(|f| f.contains("f1")), "{findings:?}");
        block_on(seal::seal(&desk.ledger(), "s4", None)).unwrap();
    }
}

#[test]
fn a_second_story_under_one_id_is_named() {
    let desk = sealed();
    let other = event("a1", "refused");
    block_on(desk.of("ana").ledger().append(&[other]));
    let findings: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, ["audit_event a1: recorded again with other content at 2026-11-22T12:17:36.000000Z"]);
}

#[test]
fn a_double_of_a_delivery_is_no_finding() {
    let desk = sealed();
    let ledger = desk.of("ana").ledger();
    block_on(ledger.append(&[event("a7", "planned"), event("a1", "intended")]));
    assert_eq!(report(&desk).findings, []);
}

#[test]
fn a_deleted_row_that_was_not_sealed_yet_shows_in_the_commits() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    desk.by_hand("DELETE FROM ops.release.audit_event WHERE audit_id = 'a7'");
    assert!(found(&desk).is_empty());
}

#[test]
fn an_overwritten_restored_or_remade_table_is_named() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    desk.by_hand("RESTORE TABLE ops.release.audit_event TO VERSION AS OF 1");
    assert!(found(&desk).iter().any(|f| f.starts_with("audit_event a6: deleted")));

    let desk = sealed();
    desk.by_hand("DROP TABLE ops.release.audit_event");
    desk.run(&super::place().ask(&Table::AuditEvent.spec().create)).unwrap();
    let findings: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|f| f.contains("dropped and made again")), "{findings:?}");
    assert_eq!(findings.iter().filter(|f| f.contains(": deleted;")).count(), 6, "{findings:?}");
}

#[test]
fn a_seal_that_was_changed_taken_out_or_doubled_is_named() {
    let altered = |change: &str, seal: i64| {
        let desk = sealed();
        block_on(seal::seal(&desk.ledger(), "s3", None)).unwrap();
        unlock(&desk, "seal");
        desk.by_hand(&format!("UPDATE ops.release.seal SET {change} WHERE seq = {seal}"));
        found(&desk)
    };
    for change in [
        "tables_json = replace(tables_json, 'a1', 'b1')",
        "upto = timestamp'2020-01-01'",
        "anchor = 'x'",
        "actor = 'eve'",
    ] {
        let found = altered(change, 1);
        assert!(found.iter().any(|f| f.starts_with("seal 1: altered")), "{change}: {found:?}");
        assert!(!found.iter().any(|f| f.starts_with("seal 2: altered")), "{change}: {found:?}");
    }
    let found_ = altered("prev_hash = 'x'", 2);
    assert!(found_.iter().any(|f| f.starts_with("seal 2: altered; its hash does not fit")), "{found_:?}");
    // A seal that is right in itself but hangs on another past.
    let found_ = altered("seal_hash = sha2(concat(prev_hash, tables_json, 'x'), 256)", 2);
    assert!(found_.iter().any(|f| f.starts_with("seal 2: altered")), "{found_:?}");
    let found_ = altered("seq = 9", 3);
    assert!(found_.iter().any(|f| f.starts_with("seal 9: altered; it was sealed with another number")), "{found_:?}");

    let desk = sealed();
    block_on(seal::seal(&desk.ledger(), "s3", None)).unwrap();
    unlock(&desk, "seal");
    desk.by_hand("DELETE FROM ops.release.seal WHERE seq = 2");
    let found_ = found(&desk);
    assert!(found_.iter().any(|f| f == "seal 2: deleted"), "{found_:?}");

    let desk = sealed();
    desk.by_hand(
        "INSERT INTO ops.release.seal SELECT 'sx', seq, upto, tables_json, prev_hash, 'h', anchor, actor, recorded_at \
         FROM ops.release.seal WHERE seq = 1",
    );
    let findings: Vec<String> = report(&desk).findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings, ["seal 1: there are two of this number"]);
}

#[test]
fn a_row_taken_out_of_table_and_seal_together_breaks_the_chain() {
    let desk = sealed();
    unlock(&desk, "audit_event");
    unlock(&desk, "seal");
    desk.by_hand("DELETE FROM ops.release.audit_event WHERE audit_id = 'a1'");
    // The forger removes the row from the first seal and makes its hash right again.
    let first = block_on(seal::seals(&desk.ledger())).unwrap().remove(0);
    let mut body = first.body().unwrap();
    body.tables.get_mut(&Table::AuditEvent).unwrap().rows.remove(0);
    let json = serde_json::to_string(&body).unwrap();
    let hash = seal::seal_hash(&first.prev_hash, &json);
    desk.by_hand(&format!("UPDATE ops.release.seal SET tables_json = '{json}', seal_hash = '{hash}' WHERE seq = 1"));
    let found = found(&desk);
    assert_eq!(found, ["seal 1: altered; the next seal hangs on another hash"]);
}

#[test]
fn a_chain_that_was_cut_or_written_anew_is_known_by_a_hash_that_was_kept_elsewhere() {
    let desk = sealed();
    let kept = report(&desk).head.unwrap().1;
    unlock(&desk, "seal");
    desk.by_hand("DELETE FROM ops.release.seal WHERE seq = 2");
    let evidence = block_on(gather(&desk.ledger())).unwrap();
    let findings: Vec<String> =
        verify(&evidence, std::slice::from_ref(&kept), true).findings.iter().map(ToString::to_string).collect();
    assert!(
        findings.contains(&format!("no seal has the hash {kept}: the chain was cut or written anew")),
        "{findings:?}"
    );
}

#[test]
fn a_late_commit_is_sealed_and_raises_no_alarm() {
    let desk = sealed();
    let row = event("late1", "intended");
    let json = serde_json::Value::Array(vec![row.json()]);
    let append = super::place().ask(&Table::AuditEvent.spec().append).with("rows", &json);
    let ana = desk.of("ana");
    let late = ana.begin(&append).unwrap();
    desk.pass(300);
    block_on(seal::seal(&desk.ledger(), "s3", None)).unwrap();
    ana.commit(late).unwrap();
    assert_eq!(report(&desk).findings, [], "not sealed yet");
    block_on(seal::seal(&desk.ledger(), "s4", None)).unwrap();
    assert_eq!((report(&desk).findings, report(&desk).unsealed_rows), (vec![], 0));
}

#[test]
fn sealing_nothing_seals_nothing_and_a_lost_answer_seals_once() {
    let desk = sealed();
    let ledger = desk.ledger();
    *desk.losses.lock().unwrap() = 0;
    assert_eq!(block_on(seal::seal(&ledger, "s3", None)).unwrap().rows, Some(1));
    let again = block_on(seal::seal(&ledger, "s4", None)).unwrap();
    assert_eq!((again.rows, again.seal.seal_id.as_str()), (None, "s3"));

    block_on(ledger.append(&[event("a8", "planned")]));
    // Every answer is lost from the append of the seal on.
    let seals = block_on(seal::seals(&ledger)).unwrap().len();
    assert_eq!(seals, 3);
}

/// A history that is longer than one look at it: the newest commits are read, and the seals tell of the older ones.
#[test]
fn of_a_long_history_only_the_newest_commits_are_read_and_the_seals_tell_the_rest() {
    const MOST: u64 = 20;
    let desk = Desk::installed();
    let ledger = desk.ledger();
    let append = |from: usize, to: usize| {
        for n in from..to {
            block_on(ledger.append(&[event(&format!("a{n:03}"), "intended")]));
            desk.pass(1);
        }
    };
    let verified = || {
        desk.take_asked();
        let evidence = block_on(gather_within(&ledger, MOST)).unwrap();
        let most = desk.take_asked().into_iter().filter(|asked| asked.statement.starts_with("ledger.history."));
        let most = most.map(|asked| asked.rows as u64).max().unwrap();
        assert!(most <= MOST, "{most} commits were read by one statement");
        verify(&evidence, &[], true)
    };
    append(0, 30);
    let report = verified();
    assert_eq!((report.findings.as_slice(), report.unseen_commits), (&[][..], 31 - MOST), "said openly");
    // Somebody touches the table and puts it right again; a seal sees it, and then it is far back.
    unlock(&desk, "audit_event");
    desk.by_hand("ALTER TABLE ops.release.audit_event SET TBLPROPERTIES ('delta.appendOnly' = 'true')");
    append(30, 40);
    block_on(seal::seal(&ledger, "s1", None)).unwrap();
    append(40, 80);
    block_on(seal::seal(&ledger, "s2", None)).unwrap();
    append(80, 90);
    let report = verified();
    let said: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|said| said.contains("SET TBLPROPERTIES by root")), "{said:?}");
    assert_eq!((report.unseen_commits, report.sealed_rows, report.unsealed_rows), (0, 80, 10));
    // In another's name, within what was read: the author is still compared with the commit.
    desk.by_hand(
        "INSERT INTO ops.release.audit_event (audit_id, verb, outcome, actor, recorded_at, content_hash) \
         VALUES ('f1', 'approved', 'ok', 'ana', current_timestamp(), 'h')",
    );
    let said: Vec<String> = verified().findings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("f1: added") && said.contains("no commit of ana")), "{said:?}");
}

/// A ledger with many seals: the next one reads the last alone.
#[test]
fn the_next_seal_reads_the_last_one_alone() {
    let desk = Desk::installed();
    let ledger = desk.ledger();
    for n in 0..8 {
        block_on(ledger.append(&[event(&format!("a{n}"), "intended")]));
        block_on(seal::seal(&ledger, &format!("s{n}"), None)).unwrap();
        desk.pass(900);
    }
    block_on(ledger.append(&[event("b1", "intended")]));
    desk.take_asked();
    assert_eq!(block_on(seal::seal(&ledger, "s8", None)).unwrap().rows, Some(1));
    let bodies: Vec<usize> =
        desk.take_asked().iter().filter(|asked| asked.statement == "ledger.seals").map(|asked| asked.rows).collect();
    assert_eq!(bodies, [1, 1], "the last one before, and the new one read back");
    let ends = block_on(seal::ends(&ledger)).unwrap().unwrap();
    assert_eq!((ends.count, ends.last_seq), (9, 9));
    assert_eq!(report(&desk).findings, []);
    assert_eq!(block_on(seal::unsealed(&ledger, Some(&ends))).unwrap(), (0, None));
    desk.pass(60);
    block_on(ledger.append(&[event("b2", "intended")]));
    let waits_since = desk.now().timestamp_micros();
    assert_eq!(block_on(seal::unsealed(&ledger, Some(&ends))).unwrap(), (1, Some(waits_since)));
    assert!(!seal::is_overdue(waits_since, waits_since + 20 * 60_000_000));
    assert!(seal::is_overdue(waits_since, waits_since + 20 * 60_000_000 + 1));
}
