//! The conflict that the lease rests on, and the bug that it is there to prevent: a lock by insert-if-absent.
//!
//! Captains at once, every statement in two halves (it reads its snapshot, it commits later), in seeded order on the
//! simulator's SQL engine under Delta's rules. Who is told that one row changed believes to hold the lock.

use chrono::{DateTime, Utc};
use lakeshift::ledger::{Place, statements};
use lakeshift::sim::sql::{Begun, DataType, Engine, Parameter, Session, Transaction};

use super::chance::Chance;

/// How a lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    /// The statement of the ledger: an update of one row that is there from the beginning.
    Lease,
    /// The planted bug: a row is inserted unless there is one. By row-level rules nothing modifies the same row.
    InsertIfAbsent,
}

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn text(name: &str, value: &str, ty: &str) -> Parameter {
    Parameter { name: name.to_owned(), value: Some(value.to_owned()), ty: DataType::parse(ty).unwrap() }
}

impl Lock {
    fn engine(self) -> Engine {
        let mut engine = Engine::new(1, "root", now()).unwrap();
        engine.catalog_mut().create_catalog("ops", "root", now()).unwrap();
        engine.catalog_mut().create_schema("ops", "release", "root", now()).unwrap();
        let mut session = Session::new("root");
        let place = Place::new("ops", "release", false).unwrap();
        let made = match self {
            Self::Lease => {
                let ask = place.ask(&statements::CREATE_LEASE);
                vec![
                    ask.named.sql(&ask.parts).unwrap(),
                    "INSERT INTO ops.release.lease VALUES ('sales', NULL, NULL, 0, NULL, NULL, NULL)".to_owned(),
                ]
            }
            Self::InsertIfAbsent => vec!["CREATE TABLE ops.release.lock (product STRING, holder STRING)".to_owned()],
        };
        for sql in made {
            engine.execute(&mut session, &sql, &[], now()).unwrap();
        }
        engine
    }

    /// The statement that takes it, and its parameters.
    fn take(self, captain: usize) -> (String, Vec<Parameter>) {
        let nonce = format!("n{captain}");
        match self {
            Self::Lease => {
                let place = Place::new("ops", "release", false).unwrap();
                let ask = place.ask(&statements::LEASE_ACQUIRE);
                let parameters = vec![
                    text("product", "sales", "STRING"),
                    text("seen", "0", "BIGINT"),
                    text("nonce", &nonce, "STRING"),
                    text("op_id", "op", "STRING"),
                ];
                (ask.named.sql(&ask.parts).unwrap(), parameters)
            }
            Self::InsertIfAbsent => {
                let sql = "MERGE INTO ops.release.lock AS t USING (SELECT :product AS product, :nonce AS holder) AS s \
                    ON t.product = s.product WHEN NOT MATCHED THEN INSERT (product, holder) VALUES (s.product, s.holder)";
                (sql.to_owned(), vec![text("product", "sales", "STRING"), text("nonce", &nonce, "STRING")])
            }
        }
    }

    /// The first of so many seeds in which two captains believe to hold it.
    fn two_holders(self, seeds: u64) -> Option<u64> {
        (0..seeds).find(|seed| {
            let chance = Chance::new(*seed);
            let mut engine = self.engine();
            let mut flights: Vec<Option<Box<Transaction>>> = vec![None, None, None];
            let mut holders = 0;
            for _ in 0..12 {
                let captain = usize::try_from(chance.below(3)).unwrap();
                let affected = match flights[captain].take() {
                    Some(transaction) => engine.commit(*transaction, now()).ok().and_then(|result| result.affected()),
                    None => {
                        let (sql, parameters) = self.take(captain);
                        match engine.begin(&mut Session::new("root"), &sql, &parameters, now()) {
                            Ok(Begun::Pending(transaction)) => {
                                flights[captain] = Some(transaction);
                                None
                            }
                            Ok(Begun::Done(result)) => result.affected(),
                            Err(_) => None,
                        }
                    }
                };
                holders += u32::from(affected == Some(1));
            }
            holders > 1
        })
    }
}

#[test]
fn a_lock_by_insert_if_absent_is_found_to_have_two_holders_and_the_lease_never_has() {
    let seed = Lock::InsertIfAbsent.two_holders(20);
    println!("InsertIfAbsent: seed {seed:?}");
    assert!(seed.is_some(), "the planted bug was not found");
    assert_eq!(Lock::Lease.two_holders(60), None);
}
