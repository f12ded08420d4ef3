//! The outbox on its way to the ledger.

use chrono::{DateTime, TimeDelta, Utc};
use lakeshift::domain::ulid::Ulid;
use lakeshift::ledger::{LedgerRow, Table};
use lakeshift::runtime::delivery::{Delivery, Turn};
use lakeshift::store::{Journal, OutboxRow};

use super::{Desk, block_on, event};

fn start() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A journal's file with rows that wait.
fn journal(folder: &tempfile::TempDir, rows: &[LedgerRow]) -> Journal {
    let mut journal = Journal::open(folder.path(), Ulid::new(1, 1), "ana@laptop").unwrap();
    let row = |row: &LedgerRow| OutboxRow {
        id: row.id.clone(),
        table: row.table.name().to_owned(),
        body: serde_json::to_string(row).unwrap(),
        operation: None,
        seq: None,
    };
    journal.post(&rows.iter().map(row).collect::<Vec<_>>(), start()).unwrap();
    journal
}

fn stored(desk: &Desk) -> Vec<String> {
    let ledger = desk.of("root").ledger();
    let version = block_on(ledger.version(Table::AuditEvent)).unwrap();
    let rows = block_on(ledger.read(Table::AuditEvent, version)).unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[test]
fn what_waits_is_delivered_in_its_order_and_acknowledged() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned"), event("a2", "approved"), event("a3", "intended")]);
    let mut delivery = Delivery::new(desk.of("ana").ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(3));
    assert_eq!((delivery.state().waiting, delivery.state().delivered_at), (0, Some(start())));
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Idle);
    assert_eq!(stored(&desk), ["a1", "a2", "a3"]);
    assert!(outbox.pending(10, &[]).unwrap().is_empty());
}

#[test]
fn while_the_ledger_does_not_answer_the_outbox_holds_and_says_so() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned")]);
    let ana = desk.of("ana");
    *ana.losses.lock().unwrap() = 8;
    let mut delivery = Delivery::new(ana.ledger());
    let mut now = start();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(block_on(delivery.turn(&mut outbox, now)).unwrap(), Turn::Failed);
        let state = delivery.state().clone();
        assert_eq!((state.waiting, state.oldest_at, state.needs_person), (1, Some(start()), false));
        assert_eq!(state.trouble.as_deref(), Some("the answer was lost"));
        let retry_at = state.retry_at.unwrap();
        pauses.push((retry_at - now).num_seconds());
        assert_eq!(block_on(delivery.turn(&mut outbox, retry_at - TimeDelta::seconds(1))).unwrap(), Turn::Waiting);
        now = retry_at;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    // Another process with the same home goes on where this one stopped; readers see the row once.
    drop(outbox);
    let mut outbox = Journal::open(folder.path(), Ulid::new(2, 2), "ana@laptop").unwrap();
    let mut delivery = Delivery::new(ana.ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, now)).unwrap(), Turn::Delivered(1));
    assert_eq!(stored(&desk).len(), 9, "every lost answer had written");
    assert_eq!(block_on(desk.ledger().operation("op-1")).unwrap().len(), 1);
}

#[test]
fn who_waits_for_the_ledger_does_not_wait_for_the_pause() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned")]);
    let ana = desk.of("ana");
    *ana.losses.lock().unwrap() = 1;
    let mut delivery = Delivery::new(ana.ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Failed);
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Waiting);
    delivery.hurry();
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(1));
    assert_eq!(delivery.state().failures, 0);
}

#[test]
fn a_clock_that_is_set_back_does_not_hold_the_outbox_up() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned")]);
    let ana = desk.of("ana");
    *ana.losses.lock().unwrap() = 1;
    let mut delivery = Delivery::new(ana.ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Failed);
    let earlier = start() - TimeDelta::hours(1);
    assert_eq!(block_on(delivery.turn(&mut outbox, earlier)).unwrap(), Turn::Delivered(1));
}

#[test]
fn a_missing_right_needs_a_person_and_is_named() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned")]);
    let mut delivery = Delivery::new(desk.of("eve").ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Failed);
    assert!(delivery.state().needs_person, "{:?}", delivery.state());
    assert!(delivery.state().trouble.as_deref().unwrap().contains("does not have"), "{:?}", delivery.state());
}

#[test]
fn a_row_of_a_newer_version_holds_up_no_other() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = journal(&folder, &[event("a1", "planned")]);
    let strange = OutboxRow {
        id: "z1".into(),
        table: "constellation".into(),
        body: "{\"table\":\"constellation\"}".into(),
        operation: None,
        seq: None,
    };
    outbox.post(&[strange], start()).unwrap();
    let mut delivery = Delivery::new(desk.of("ana").ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(1));
    let state = delivery.state();
    assert_eq!((state.waiting, state.needs_person), (1, true));
    assert!(state.trouble.as_deref().unwrap().contains("z1"), "{state:?}");
}

/// A row that no table takes, amid others.
fn unfit(id: &str) -> LedgerRow {
    let mut row = event(id, "planned");
    row.columns.insert("outcome".to_owned(), None);
    row
}

#[test]
fn a_row_that_is_refused_for_good_is_found_set_aside_and_told_and_all_others_go_on() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let mut rows: Vec<LedgerRow> = (100..180).map(|n| event(&format!("a{n}"), "planned")).collect();
    rows.insert(33, unfit("bad1"));
    rows.insert(61, unfit("bad2"));
    let mut outbox = journal(&folder, &rows);
    let mut delivery = Delivery::new(desk.of("ana").ledger());
    let mut turns = 0;
    while block_on(delivery.turn(&mut outbox, start())).unwrap() != Turn::Idle {
        turns += 1;
        assert!(turns < 40, "it comes to an end: {:?}", delivery.state());
    }
    assert_eq!(stored(&desk).len(), 80, "all others are there, each once");
    let state = delivery.state().clone();
    assert_eq!((state.waiting, state.needs_person, state.retry_at), (2, true, None), "{state:?}");
    let told = state.trouble.unwrap();
    assert!(told.starts_with("2 rows are set aside, `lakeshift ledger deliver` tries again: "), "{told}");
    // What comes later does not wait behind them, in another process neither.
    drop(outbox);
    let mut outbox = Journal::open(folder.path(), Ulid::new(2, 2), "ana@laptop").unwrap();
    let later = event("b1", "planned");
    let body = serde_json::to_string(&later).unwrap();
    let table = later.table.name().to_owned();
    outbox.post(&[OutboxRow { id: later.id, table, body, operation: None, seq: None }], start()).unwrap();
    let mut delivery = Delivery::new(desk.of("ana").ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(1));
    assert!(delivery.state().needs_person, "and they are not forgotten");
    // Nothing is lost: somebody has seen to what was wrong.
    desk.by_hand("ALTER TABLE ops.release.audit_event ALTER COLUMN outcome DROP NOT NULL");
    outbox.try_refused_again().unwrap();
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(2));
    assert_eq!((delivery.state().waiting, delivery.state().needs_person), (0, false));
}

#[test]
fn a_table_that_is_shut_to_us_holds_up_no_other_and_is_tried_again() {
    let desk = Desk::installed();
    let folder = tempfile::tempdir().unwrap();
    let text = |text: &str| lakeshift::ledger::Value::Text(text.to_owned());
    let values = [
        ("incident_id", text("i1")),
        ("event", text("opened")),
        ("happened_at", lakeshift::ledger::Value::Time(start())),
    ];
    let incident = LedgerRow::new(Table::IncidentEvent, values).unwrap();
    desk.by_hand("REVOKE MODIFY ON TABLE ops.release.incident_event FROM `ana`");
    let mut outbox = journal(&folder, &[incident, event("a1", "planned")]);
    let mut delivery = Delivery::new(desk.of("ana").ledger());
    assert_eq!(block_on(delivery.turn(&mut outbox, start())).unwrap(), Turn::Delivered(1));
    assert_eq!(stored(&desk), ["a1"]);
    let state = delivery.state();
    assert_eq!((state.waiting, state.needs_person), (1, true));
    assert!(state.trouble.as_deref().unwrap().contains("MODIFY"), "{state:?}");
    let later = start() + TimeDelta::seconds(59);
    assert_eq!(block_on(delivery.turn(&mut outbox, later)).unwrap(), Turn::Idle, "not at once");
    assert!(delivery.state().needs_person);
    desk.by_hand("GRANT MODIFY ON TABLE ops.release.incident_event TO `ana`");
    let later = start() + TimeDelta::seconds(60);
    assert_eq!(block_on(delivery.turn(&mut outbox, later)).unwrap(), Turn::Delivered(1));
    assert_eq!((delivery.state().waiting, delivery.state().needs_person), (0, false));
}
