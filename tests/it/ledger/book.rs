//! Facts: appended at least once, read once, by every reader the same.

use lakeshift::ledger::{Follower, Ledger, LedgerRow, Recorded, Table, Value};

use super::{Desk, Running, block_on, event, place};

fn ids(rows: &[Recorded]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

#[test]
fn what_is_read_is_what_was_written_and_who_and_when_are_the_servers() {
    let desk = Desk::installed();
    let row = event("a1", "planned");
    let delivery = block_on(desk.of("ana").ledger().append(std::slice::from_ref(&row)));
    assert_eq!(delivery.acknowledged, [(Table::AuditEvent, "a1".to_owned())]);
    let [found] = &block_on(desk.ledger().operation("op-1")).unwrap()[..] else { panic!("one row") };
    assert_eq!((&found.columns, &found.content_hash), (&row.columns, &row.content_hash));
    assert_eq!((found.actor.as_str(), found.recorded_at().unwrap()), ("ana", desk.now()));
    assert!(found.content_holds());
}

#[test]
fn every_kind_of_value_comes_back_as_it_went() {
    let desk = Desk::installed();
    let at = "2026-01-02T03:04:05.000006Z".parse().unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    let release = LedgerRow::new(
        Table::Release,
        [
            ("release_id", text("r1")),
            ("product", text("sales")),
            ("kind", text("hotfix")),
            ("git_sha", text("abc")),
            ("bundle_digest", text("d")),
            ("manifest_json", text("{}")),
            ("authors", Value::Texts(vec!["a\"na".into(), "bob".into()])),
            ("sox", Value::Truth(true)),
            ("not_before", Value::Time(at)),
            ("requested_by", text("ana")),
        ],
    )
    .unwrap();
    let slice = LedgerRow::new(
        Table::BackfillSliceEvent,
        [
            ("backfill_id", text("b")),
            ("node", text("n/1")),
            ("slice", text("2026-01-01")),
            ("attempt", Value::Number(1)),
            ("event", text("succeeded")),
            ("run_id", Value::Number(9_007_199_254_740_993)),
            ("cost_usd", Value::Money(12_340_000)),
        ],
    )
    .unwrap();
    let ledger = desk.ledger();
    assert!(block_on(ledger.append(&[release.clone(), slice.clone()])).acknowledged.len() == 2);
    for row in [release, slice] {
        let version = block_on(ledger.version(row.table)).unwrap();
        let [found] = &block_on(ledger.read(row.table, version)).unwrap()[..] else { panic!("one row") };
        assert_eq!((&found.columns, &found.id), (&row.columns, &row.id));
        assert!(found.content_holds());
    }
}

#[test]
fn a_lost_answer_makes_a_double_that_no_reader_sees() {
    let desk = Desk::installed();
    *desk.losses.lock().unwrap() = 1;
    let ledger = desk.ledger();
    let rows = [event("a1", "planned"), event("a2", "intended")];
    let lost = block_on(ledger.append(&rows));
    assert!(lost.acknowledged.is_empty() && lost.trouble.is_some());
    desk.pass(60);
    assert_eq!(block_on(ledger.append(&rows)).acknowledged.len(), 2);
    let version = block_on(ledger.version(Table::AuditEvent)).unwrap();
    assert_eq!(block_on(ledger.read(Table::AuditEvent, version)).unwrap().len(), 4, "both are there");
    let found = block_on(ledger.operation("op-1")).unwrap();
    assert_eq!(ids(&found), ["a1", "a2"]);
    assert!(found.iter().all(|row| row.recorded_at().unwrap() < desk.now()), "the earlier one counts");
}

#[test]
fn a_batch_is_one_commit() {
    let desk = Desk::installed();
    let rows: Vec<LedgerRow> = (0..40).map(|n| event(&format!("a{n}"), "x")).collect();
    let ledger = desk.ledger();
    let before = block_on(ledger.version(Table::AuditEvent)).unwrap();
    block_on(ledger.append(&rows));
    assert_eq!(block_on(ledger.version(Table::AuditEvent)).unwrap(), before + 1);
    let commit = &block_on(ledger.history(Table::AuditEvent, 1)).unwrap()[0];
    assert_eq!((commit.rows, commit.user.as_deref(), commit.operation.as_str()), (Some(40), Some("root"), "WRITE"));
}

#[test]
fn a_follower_reads_only_what_is_new_and_misses_no_late_commit() {
    let desk = Desk::installed();
    let ledger = desk.ledger();
    let mut follower = Follower::default();
    // Gives how many rows the look has brought over the wire, beside the version, and all that is known after it.
    let look = |follower: &mut Follower| -> (usize, Vec<String>) {
        desk.take_asked();
        let known = block_on(follower.look(&ledger)).unwrap().iter().map(|row| row.id.clone()).collect();
        let asked = desk.take_asked();
        assert!(asked.len() <= 2 && asked[0].statement == "ledger.history.audit_event", "{asked:?}");
        (asked[1..].iter().map(|asked| asked.rows).sum(), known)
    };
    let known = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let many: Vec<LedgerRow> = (100..400).map(|n| event(&format!("a{n}"), "x")).collect();
    block_on(ledger.append(&many));
    assert_eq!(look(&mut follower).0, 300, "the first look reads what is there");
    assert_eq!(look(&mut follower), (0, many.iter().map(|row| row.id.clone()).collect()));
    desk.pass(1);
    block_on(ledger.append(&[event("b1", "x")]));
    let (read, rows) = look(&mut follower);
    assert_eq!((read, rows.len(), rows.last().unwrap().as_str()), (1, 301, "b1"));

    // A statement that has told its time and is not committed yet, while others are.
    let late = place().ask(&Table::AuditEvent.spec().append);
    let json = serde_json::Value::Array(vec![event("b2", "late").json()]);
    let Running::Pending(late) = desk.begin(&late.with("rows", &json)).unwrap() else { panic!("a change") };
    desk.pass(600);
    block_on(ledger.append(&[event("b3", "x")]));
    let (read, rows) = look(&mut follower);
    assert_eq!((read, &rows[300..]), (1, &known(&["b1", "b3"])[..]));
    desk.commit(Running::Pending(late)).unwrap();
    let (read, rows) = look(&mut follower);
    assert_eq!((read, &rows[300..]), (1, &known(&["b1", "b2", "b3"])[..]), "recorded before b3, committed after it");

    // Delivered once more: a double is no news.
    block_on(ledger.append(&[event("b3", "x")]));
    assert_eq!(look(&mut follower).1.len(), 303);
    // Altered: what is there now is shown.
    desk.by_hand("ALTER TABLE ops.release.audit_event SET TBLPROPERTIES ('delta.appendOnly' = 'false')");
    desk.by_hand("UPDATE ops.release.audit_event SET verb = 'approved' WHERE audit_id = 'b1'");
    look(&mut follower);
    let rows = block_on(follower.look(&ledger)).unwrap();
    let altered = rows.iter().find(|row| row.id == "b1").unwrap();
    assert_eq!((altered.text("verb"), altered.content_holds()), (Some("approved"), false));
}

#[test]
fn a_table_that_was_made_again_is_read_from_its_beginning() {
    let desk = Desk::installed();
    let ledger: Ledger<Desk> = desk.ledger();
    let mut follower = Follower::default();
    for n in 0..3 {
        block_on(ledger.append(&[event(&format!("a{n}"), "x")]));
    }
    assert_eq!(block_on(follower.look(&ledger)).unwrap().len(), 3);
    desk.by_hand("DROP TABLE ops.release.audit_event");
    desk.run(&place().ask(&Table::AuditEvent.spec().create)).unwrap();
    block_on(ledger.append(&[event("b1", "x")]));
    assert_eq!(ids(block_on(follower.look(&ledger)).unwrap()), ["b1"]);
}
