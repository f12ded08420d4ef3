//! The journal as several processes, a killed one and a later version would meet it.

use chrono::TimeDelta;

use super::*;
use crate::domain::fixture::now;
use crate::operations::fixture::{active_run, job, planning};
use crate::operations::journal::{Direction, Event};
use crate::operations::{Planning, cancel, run_now};
use crate::store::RowKey;

fn open(state: &Path, session: u128, who: &str) -> Journal {
    Journal::open(state, Ulid::new(1, session), who).expect("opens")
}

fn plan_of(id: u128) -> Plan {
    let job = job();
    let order =
        run_now::Order { job: &job, active_runs: 0, parameters: std::collections::BTreeMap::new(), only: Vec::new() };
    let planning = Planning { id: OperationId(Ulid::new(5, id)), ..planning() };
    run_now::plan(&planning, &order).expect("planned")
}

fn entry(plan: &Plan, seq: u64, event: Event) -> Recorded {
    let digest = plan.digest().expect("hashable");
    let event_id = Ulid::new(seq, u128::from_str_radix(&digest[..16], 16).expect("hexadecimal"));
    Recorded { op_id: plan.id, seq, event_id, at: now(), actor: plan.actor.clone(), event }
}

fn planned(plan: &Plan) -> Vec<Recorded> {
    vec![entry(plan, 1, Event::Planned { digest: plan.digest().expect("hashable") })]
}

fn row(plan: &Plan, id: &str, seq: u64) -> OutboxRow {
    OutboxRow {
        id: id.to_owned(),
        table: "audit_event".to_owned(),
        body: "{}".to_owned(),
        operation: Some(plan.id),
        seq: Some(seq),
    }
}

#[test]
fn every_commit_outlives_a_power_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = open(folder.path(), 1, "ana");
    let pragma = |name: &str| {
        journal
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .expect("a value")
    };
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2), "FULL");
    assert_eq!(pragma("foreign_keys"), rusqlite::types::Value::Integer(1));
}

#[test]
fn what_was_written_reads_back_as_it_was_hashed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[], now()).expect("begun");
    let approved = entry(&plan, 2, Event::Approved { how: "--yes".to_owned() });
    journal.append(plan.id, 1, std::slice::from_ref(&approved), &[], false, now()).expect("appended");
    let record = journal.record(plan.id, now()).expect("read").expect("there");
    let read = record.plan.known().expect("known");
    assert_eq!((read, read.digest().expect("hashable")), (&plan, record.digest.clone()));
    assert_eq!(record.journal, [planned(&plan), vec![approved]].concat());
    assert_eq!(record.owner.expect("owned").1, Health::Us);
}

#[test]
fn two_operations_on_one_object_exclude_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut one, mut other) = (open(folder.path(), 1, "ana"), open(folder.path(), 2, "ben"));
    let (first, second) = (plan_of(1), plan_of(2));
    one.begin(&first, &planned(&first), &[], now()).expect("begun");
    let refused = other.begin(&second, &planned(&second), &[], now()).expect_err("excluded");
    assert!(matches!(refused, Error::Collides { operation, .. } if operation == first.id), "{refused}");
    let cancel = Planning { id: OperationId(Ulid::new(5, 3)), ..planning() };
    let cancel = cancel::plan(&cancel, &active_run()).expect("planned");
    other.begin(&cancel, &planned(&cancel), &[], now()).expect("what was started may be canceled");
    one.append(first.id, 1, &[entry(&first, 2, Event::Completed)], &[], true, now()).expect("over");
    assert_eq!(one.in_hand().expect("read").len(), 1);
}

/// A newer program has begun something on the same job, in a form that this one does not carry out.
#[test]
fn an_operation_of_another_version_excludes_others_on_its_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let (first, second) = (plan_of(1), plan_of(2));
    journal.begin(&first, &planned(&first), &[], now()).expect("begun");
    let newer = "UPDATE operations SET plan = replace(plan, '\"version\":1', '\"version\":2')";
    assert_eq!(journal.connection.execute(newer, []).expect("changed"), 1);
    assert!(journal.record(first.id, now()).expect("read").expect("there").plan.known().is_none());
    let in_hand = journal.in_hand().expect("read");
    assert_eq!(in_hand.iter().map(|known| known.operation).collect::<Vec<_>>(), [first.id]);
    let refused = journal.begin(&second, &planned(&second), &[], now()).expect_err("excluded");
    assert!(matches!(refused, Error::Collides { operation, .. } if operation == first.id), "{refused}");
}

#[test]
fn a_working_owner_is_named_and_a_hung_or_gone_one_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut ana, mut ben) = (open(folder.path(), 1, "ana@laptop"), open(folder.path(), 2, "ben@desk"));
    let plan = plan_of(1);
    ana.begin(&plan, &planned(&plan), &[], now()).expect("begun");
    let refused = ben.take(plan.id, now()).expect_err("held");
    assert!(refused.to_string().contains("ana@laptop"), "{refused}");

    let later = now() + HUNG_AFTER;
    assert!(ben.take(plan.id, later).is_err(), "not yet");
    ana.beat(&[plan.id], later).expect("beaten");
    let hung = later + HUNG_AFTER + TimeDelta::milliseconds(1);
    assert_eq!(ben.record(plan.id, hung).expect("read").expect("there").owner.expect("owned").1, Health::Hung);
    assert_eq!(ben.take(plan.id, hung).expect("taken").as_deref(), Some("ana@laptop"));

    // The one that hung wakes up: it cannot write, so it cannot ask.
    let intent = entry(&plan, 2, Event::Intended { step: 0, direction: Direction::Do, attempt: 1, world_at: now() });
    let refused = ana.append(plan.id, 1, std::slice::from_ref(&intent), &[], false, hung).expect_err("lost");
    assert!(matches!(&refused, Error::NotOwner { owner: Some(owner), .. } if owner == "ben@desk"), "{refused}");
    assert_eq!(ana.record(plan.id, hung).expect("read").expect("there").journal.len(), 1, "nothing was written");
    assert_eq!(ana.beat(&[plan.id], hung).expect("beaten"), [], "its next sign of life says what it has lost");
    assert_eq!(ben.beat(&[plan.id], hung).expect("beaten"), [plan.id]);

    drop(ben);
    let state = ana.record(plan.id, hung).expect("read").expect("there");
    assert_eq!(state.owner.expect("owned").1, Health::Gone);
    assert_eq!(ana.take(plan.id, hung).expect("taken").as_deref(), Some("ben@desk"));
    ana.release(plan.id).expect("released");
    assert_eq!(ana.record(plan.id, hung).expect("read").expect("there").owner, None);
}

#[test]
fn an_entry_that_does_not_follow_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[], now()).expect("begun");
    let event = || Event::Approved { how: String::new() };
    journal.append(plan.id, 1, &[entry(&plan, 2, event())], &[], false, now()).expect("follows");
    let refused = journal.append(plan.id, 1, &[entry(&plan, 3, event())], &[], false, now()).expect_err("behind");
    assert!(matches!(refused, Error::Behind { expected: 1, found: 2, .. }), "{refused}");
}

#[test]
fn rows_for_the_ledger_stand_and_fall_with_their_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[row(&plan, "a", 1), row(&plan, "b", 1)], now()).expect("begun");
    let event = || Event::Approved { how: String::new() };
    let refused = journal.append(plan.id, 7, &[entry(&plan, 8, event())], &[row(&plan, "x", 8)], false, now());
    assert!(refused.is_err());
    journal.append(plan.id, 1, &[entry(&plan, 2, event())], &[row(&plan, "c", 2)], false, now()).expect("appended");
    let ids = |journal: &Journal| -> Vec<String> {
        journal.pending(9, &[]).expect("read").into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(&journal), ["a", "b", "c"], "in order, without the row of the entry that was refused");
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 0);
    journal.acknowledge(&keys(&["a", "never seen"]), now()).expect("noted");
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 0, "one row of the first entry is missing");
    journal.acknowledge(&keys(&["b", "a"]), now()).expect("noted twice");
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 1);
    let waiting = journal.waiting().expect("read");
    assert_eq!((waiting.rows, waiting.oldest_at), (1, Some(now())));
    let all: Vec<RowKey> = journal.pending(9, &[]).expect("read").iter().map(OutboxRow::key).collect();
    journal.acknowledge(&all, now()).expect("noted");
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 2);
    journal.post(&[OutboxRow { operation: None, seq: None, ..row(&plan, "z", 0) }], now()).expect("posted");
    assert_eq!(ids(&journal), ["z"]);
}

/// Rows of the table that tests write to.
fn keys(ids: &[&str]) -> Vec<RowKey> {
    ids.iter().map(|id| RowKey { table: "audit_event".to_owned(), id: (*id).to_owned() }).collect()
}

#[test]
fn a_row_is_known_by_its_table_and_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    let free = |table: &str| OutboxRow { table: table.to_owned(), operation: None, seq: None, ..row(&plan, "a", 0) };
    journal.post(&[free("approval"), free("release")], now()).expect("posted");
    journal.acknowledge(&[free("release").key()], now()).expect("noted");
    assert_eq!(journal.pending(9, &[]).expect("read"), [free("approval")]);
    assert!(journal.pending(9, &["approval".to_owned()]).expect("read").is_empty());
}

#[test]
fn what_is_refused_is_kept_apart_until_somebody_has_seen_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[row(&plan, "a", 1), row(&plan, "b", 1)], now()).expect("begun");
    journal.set_aside(&row(&plan, "a", 1).key(), "it fits no column").expect("set aside");
    let ids = |journal: &Journal| -> Vec<String> {
        journal.pending(9, &[]).expect("read").into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids(&journal), ["b"]);
    let waiting = journal.waiting().expect("read");
    assert_eq!((waiting.rows, waiting.set_aside, waiting.refusal.as_deref()), (2, 1, Some("it fits no column")));
    journal.acknowledge(&keys(&["b"]), now()).expect("noted");
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 0, "production still waits for it");
    journal.try_refused_again().expect("back");
    assert_eq!((ids(&journal), journal.waiting().expect("read").set_aside), (vec!["a".to_owned()], 0));
}

#[test]
fn what_the_ledger_has_is_forgotten_after_a_month_and_what_waits_never() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[row(&plan, "a", 1), row(&plan, "b", 1)], now()).expect("begun");
    journal.acknowledge(&keys(&["a"]), now()).expect("noted");
    let count = |journal: &Journal| -> i64 {
        journal.connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).expect("counted")
    };
    journal.forget_delivered(now() + TimeDelta::days(30)).expect("cleared");
    assert_eq!(count(&journal), 2);
    journal.forget_delivered(now() + TimeDelta::days(31)).expect("cleared");
    assert_eq!(count(&journal), 1);
    assert_eq!(journal.acknowledged(plan.id).expect("read"), 0, "b still waits");
    journal.acknowledge(&keys(&["b"]), now()).expect("noted");
    journal.forget_delivered(now() + TimeDelta::days(60)).expect("cleared");
    assert_eq!(
        (count(&journal), journal.acknowledged(plan.id).expect("read")),
        (0, 1),
        "and nothing is asked for anew"
    );
}

#[test]
fn a_plan_of_a_later_version_is_shown_but_never_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 1, "ana");
    let plan = plan_of(1);
    journal.begin(&plan, &planned(&plan), &[], now()).expect("begun");
    let change = |sql: &str| {
        journal.connection.execute(sql, []).expect("changed");
        journal.unfinished(now()).expect("read").remove(0)
    };
    let record = change("UPDATE operations SET plan = replace(plan, '\"version\":1', '\"version\":2')");
    assert!(matches!(record.plan, Stored::Foreign { version: Some(2), .. }));
    assert_eq!((record.journal.len(), record.entries.len()), (0, 1));
    let record = change(
        "UPDATE operations SET plan = replace(replace(plan, '\"version\":2', '\"version\":1'), 'run_now', 'teleport')",
    );
    assert!(record.plan.known().is_none(), "a kind that this program does not know");
    change("UPDATE operations SET plan = replace(plan, 'teleport', 'run_now')");
    let record = change("UPDATE journal SET entry = replace(entry, '\"planned\"', '\"dreamt\"')");
    assert!(record.plan.known().is_none(), "an event that this program does not know");
}

#[test]
fn a_journal_that_cannot_be_read_is_an_error_and_stays_where_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("operations.db");
    std::fs::write(&path, "this is no database, and it is long enough to be looked at as one").expect("written");
    let refused = Journal::open(folder.path(), Ulid::new(1, 1), "ana").expect_err("unreadable");
    assert!(matches!(refused, Error::Database { .. }), "{refused}");
    assert!(std::fs::read_to_string(&path).expect("there").starts_with("this is no database"));
}
