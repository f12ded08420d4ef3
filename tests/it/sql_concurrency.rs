//! Two writers at once on one Delta table, under the rules of row-level concurrency.

use chrono::{DateTime, Utc};
use lakeshift::sim::sql::{Begun, Engine, Session, SqlError, StatementResult, Transaction};

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

struct World {
    engine: Engine,
    session: Session,
}

impl World {
    fn new(properties: &str) -> Self {
        let mut engine = Engine::new(1, "root", now()).unwrap();
        engine.catalog_mut().create_catalog("main", "root", now()).unwrap();
        engine.catalog_mut().create_schema("main", "default", "root", now()).unwrap();
        let mut world = Self { engine, session: Session::new("root") };
        world.run(&format!("CREATE TABLE lease (product STRING, holder STRING, fence BIGINT) {properties}")).unwrap();
        world.run("INSERT INTO lease VALUES ('a', NULL, 1), ('b', NULL, 1)").unwrap();
        world
    }

    fn run(&mut self, sql: &str) -> Result<StatementResult, SqlError> {
        self.engine.execute(&mut self.session, sql, &[], now())
    }

    fn begin(&mut self, sql: &str) -> Transaction {
        match self.engine.begin(&mut self.session, sql, &[], now()).unwrap() {
            Begun::Pending(transaction) => *transaction,
            Begun::Done(_) => panic!("{sql} is no row change"),
        }
    }

    /// Both statements read the same snapshot; the first commits, then the second tries.
    fn race(&mut self, first: &str, second: &str) -> Result<StatementResult, SqlError> {
        let (a, b) = (self.begin(first), self.begin(second));
        self.engine.commit(a, now()).unwrap();
        self.engine.commit(b, now())
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.run(sql).unwrap().rendered()
    }
}

const ACQUIRE_A: &str = "UPDATE lease SET holder = 'x', fence = fence + 1 WHERE product = 'a' AND holder IS NULL";

#[test]
fn two_updates_of_one_row_have_one_winner() {
    for properties in ["", "TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')"] {
        let mut world = World::new(properties);
        let error = world.race(ACQUIRE_A, &ACQUIRE_A.replace("'x'", "'y'")).unwrap_err();
        assert_eq!(
            (error.class.as_str(), error.sqlstate.as_str()),
            ("DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES", "2D521")
        );
        assert_eq!(
            world.rows("SELECT holder, fence FROM lease WHERE product = 'a'"),
            [[Some("x".into()), Some("2".into())]]
        );
    }
}

#[test]
fn one_after_the_other_the_second_changes_nothing() {
    let mut world = World::new("");
    assert_eq!(world.run(ACQUIRE_A).unwrap().affected(), Some(1));
    assert_eq!(world.run(ACQUIRE_A).unwrap().affected(), Some(0));
}

#[test]
fn updates_of_different_rows_pass() {
    let mut world = World::new("");
    let result = world.race(ACQUIRE_A, &ACQUIRE_A.replace("'a'", "'b'")).unwrap();
    assert_eq!(result.affected(), Some(1));
    assert_eq!(world.rows("SELECT count(*) FROM lease WHERE holder = 'x'"), [[Some("2".into())]]);
}

#[test]
fn without_row_level_concurrency_they_conflict() {
    let mut world = World::new("TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')");
    assert!(world.race(ACQUIRE_A, &ACQUIRE_A.replace("'a'", "'b'")).is_err());
}

#[test]
fn blind_inserts_never_conflict() {
    let mut world = World::new("TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')");
    let insert = "INSERT INTO lease VALUES ('c', NULL, 1)";
    world.race(insert, insert).unwrap();
    assert_eq!(world.rows("SELECT count(*) FROM lease WHERE product = 'c'"), [[Some("2".into())]]);
}

#[test]
fn insert_if_absent_is_no_lock() {
    let if_absent = "INSERT INTO lease SELECT 'c', NULL, 1 WHERE NOT EXISTS (SELECT 1 FROM lease WHERE product = 'c')";
    // Against a blind insert both commit by default: a duplicate key. Serializable refuses the reader.
    let mut world = World::new("");
    world.race("INSERT INTO lease VALUES ('c', NULL, 1)", if_absent).unwrap();
    assert_eq!(world.rows("SELECT count(*) FROM lease WHERE product = 'c'"), [[Some("2".into())]]);
    let mut strict = World::new("TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')");
    assert!(
        strict
            .race("INSERT INTO lease VALUES ('c', NULL, 1)", if_absent)
            .unwrap_err()
            .class
            .starts_with("DELTA_CONCURRENT_APPEND")
    );
    // Two that read the table: the later one is refused at both levels.
    assert!(World::new("").race(if_absent, if_absent).is_err());
}

#[test]
fn serializable_sees_rows_that_its_condition_covers() {
    let update = "UPDATE lease SET fence = 9 WHERE product = 'c'";
    let insert = "INSERT INTO lease VALUES ('c', NULL, 1)";
    World::new("").race(insert, update).unwrap();
    let mut strict = World::new("TBLPROPERTIES ('delta.isolationLevel' = 'Serializable')");
    assert!(strict.race(insert, update).is_err());
    assert!(strict.race(&insert.replace("'c'", "'d'"), update).is_ok());
}

#[test]
fn a_change_of_metadata_stops_every_writer() {
    let mut world = World::new("");
    let insert = world.begin("INSERT INTO lease VALUES ('c', NULL, 1)");
    world.run("ALTER TABLE lease ADD COLUMN note STRING").unwrap();
    assert_eq!(world.engine.commit(insert, now()).unwrap_err().class, "DELTA_METADATA_CHANGED");
}

#[test]
fn nothing_of_a_change_is_seen_before_its_commit() {
    let mut world = World::new("");
    let change = world.begin(ACQUIRE_A);
    assert_eq!(world.rows("SELECT fence FROM lease WHERE product = 'a'"), [[Some("1".into())]]);
    world.engine.commit(change, now()).unwrap();
    assert_eq!(world.rows("SELECT fence FROM lease WHERE product = 'a'"), [[Some("2".into())]]);
    assert_eq!(world.rows("SELECT fence FROM lease VERSION AS OF 1 WHERE product = 'a'"), [[Some("1".into())]]);
}

#[test]
fn history_tells_each_commit() {
    let mut world = World::new("");
    world.run(ACQUIRE_A).unwrap();
    let rows = world.rows("DESCRIBE HISTORY lease");
    let column = |at: usize| rows.iter().map(|row| row[at].clone().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(column(0), ["2", "1", "0"]);
    assert_eq!(column(4), ["UPDATE", "WRITE", "CREATE TABLE"]);
    assert_eq!(column(11)[..2], ["false", "true"]);
}
