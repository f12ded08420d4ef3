//! The shared ledger of a run: its statements on the simulator's SQL engine under Delta's rules of snapshots and conflicts,
//! each in two halves with time between them, behind a network of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use lakeshift::domain::Instant;
use lakeshift::domain::clock::Clock;
use lakeshift::domain::sql::{Fault as SqlFault, Rows};
use lakeshift::ledger::init::Installation;
use lakeshift::ledger::journal::journal;
use lakeshift::ledger::sql::Ask;
use lakeshift::ledger::{Happened, Ledger, LedgerRow, Recorded, Sql, SqlTrouble, Table, statements};
use lakeshift::operations::journal::Recorded as JournalEntry;
use lakeshift::operations::plan::OperationId;
use tokio::sync::oneshot;

use super::stage::{Reach, Stage};
use crate::ledger::{Desk, place};

/// Who writes it, from which home.
pub(super) const USERS: [&str; 2] = ["ana", "bob"];

/// What an operation writes.
const TABLES: [Table; 4] = [Table::Operation, Table::OperationStep, Table::StepResult, Table::AuditEvent];

/// How late a statement can commit, in milliseconds.
const LATEST_MS: u64 = 60_000;

/// What befalls a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// The warehouse cannot be reached.
    Refused,
    /// It commits, and the answer is lost.
    LostReply,
    /// The answer is lost, and it commits later.
    Late,
}

impl Mishap {
    pub(super) const ALL: [Self; 3] = [Self::Refused, Self::LostReply, Self::Late];
}

/// A ledger with the tables that operations write, and that of leases.
pub(super) fn installed() -> Desk {
    let desk = Desk::new();
    let place = place();
    let installation = Installation { place: &place, products: &[], members: &[], procedures: false };
    let of_table = TABLES.map(|table| table.spec().create.name);
    let is_wanted = |name: &str| {
        let fixed = [&statements::CREATE_SCHEMA, &statements::CREATE_LEASE, &statements::ADD_PRODUCTS];
        of_table.contains(&name) || fixed.iter().any(|named| named.name == name)
    };
    for piece in installation.pieces().into_iter().filter(|piece| is_wanted(piece.ask.named.name)) {
        desk.run(&piece.ask).unwrap_or_else(|error| panic!("{}: {error}", piece.what));
    }
    for user in USERS {
        desk.by_hand(&format!("GRANT USE CATALOG ON CATALOG ops TO `{user}`"));
        desk.by_hand(&format!("GRANT ALL PRIVILEGES ON SCHEMA ops.release TO `{user}`"));
    }
    desk
}

/// The nonce of whoever holds the lease of what belongs to no product, if anybody does now.
pub(super) fn holder(desk: &Desk, now: Instant) -> Option<String> {
    let sql = "SELECT nonce, unix_micros(expires_at) FROM ops.release.lease WHERE nonce IS NOT NULL";
    let rows = desk.of("root").by_hand(sql).rendered();
    let [row] = rows.as_slice() else { return None };
    let expires_us: i64 = row[1].as_ref()?.parse().unwrap();
    row[0].clone().filter(|_| now.timestamp_micros() < expires_us)
}

/// A process's way to the ledger.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) stage: Arc<Stage>,
    pub(super) desk: Desk,
}

impl Sql for Way {
    async fn execute(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        let mishap = if self.is_cut_off() { Some(Mishap::Refused) } else { self.stage.mishap() };
        if let Some(mishap) = mishap {
            self.stage.answered(self.home(), false);
            self.stage.note(|| format!("{} meets {mishap:?} at the ledger", ask.named.name));
        }
        let (reply, answered) = oneshot::channel();
        let (way, ask) = (self.clone(), ask.clone());
        self.stage.deliver(async move {
            let result = way.carry_out(&ask, mishap, reply).await;
            way.stage.note(|| format!("the ledger has done {} for {}: {}", ask.named.name, way.desk.user, result));
        });
        answered.await.unwrap_or_else(|_| Err(silence(Happened::Unknown)))
    }
}

impl Way {
    async fn carry_out(
        &self,
        ask: &Ask,
        mishap: Option<Mishap>,
        reply: oneshot::Sender<Result<Rows, SqlTrouble>>,
    ) -> &'static str {
        self.travel(200).await;
        let mut reply = Some(reply);
        match mishap {
            Some(Mishap::Refused) => {
                let _ = reply.take().map(|reply| reply.send(Err(silence(Happened::No))));
                return "nothing";
            }
            Some(Mishap::Late) => {
                let _ = reply.take().map(|reply| reply.send(Err(silence(Happened::Unknown))));
                self.travel(LATEST_MS).await;
            }
            Some(Mishap::LostReply) | None => {}
        }
        self.tell_time();
        let running = self.desk.begin(ask);
        self.travel(400).await;
        self.tell_time();
        let result = running.and_then(|running| self.desk.commit(running));
        let word = if result.is_ok() { "done" } else { "refused" };
        if result.is_ok() && self.stage.is_unheard_from_the_plan_on() && self.has_a_plan() {
            self.stage.cut_off(0, Reach::Ledger, Instant::MAX_UTC);
        }
        if let Some(reply) = reply {
            let lost = mishap == Some(Mishap::LostReply);
            self.travel(200).await;
            let lost = lost || self.is_cut_off();
            self.stage.answered(self.home(), !lost);
            let _ = reply.send(if lost { Err(silence(Happened::Unknown)) } else { result });
        }
        word
    }

    async fn travel(&self, at_most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.stage.chance.between(1, at_most_ms))).await;
    }

    fn home(&self) -> usize {
        USERS.iter().position(|user| *user == self.desk.user).unwrap()
    }

    fn is_cut_off(&self) -> bool {
        self.stage.is_cut_off(self.home(), Reach::Ledger)
    }

    fn has_a_plan(&self) -> bool {
        let sql = "SELECT audit_id FROM ops.release.audit_event";
        !self.desk.of("root").by_hand(sql).rendered().is_empty()
    }

    /// The server's time is the true one.
    fn tell_time(&self) {
        self.desk.server.lock().unwrap().now = self.stage.truth.now();
    }
}

fn silence(happened: Happened) -> SqlTrouble {
    SqlTrouble { message: "the warehouse does not answer".to_owned(), fault: SqlFault::Unavailable, happened }
}

/// All that the audit has of an operation now.
pub(super) fn audit(desk: &Desk, operation: OperationId) -> Vec<Recorded> {
    let ledger: Ledger<Desk> = desk.of("root").ledger();
    let read = async { ledger.operation(&operation.to_string()).await };
    read.now_or_never().expect("the engine in memory never waits").unwrap()
}

/// The journal that the ledger tells of an operation, and for how many seconds nothing was heard of it.
pub(super) fn told(desk: &Desk, operation: OperationId, now: Instant) -> (Vec<JournalEntry>, i64) {
    let rows = audit(desk, operation);
    let heard_us = rows.iter().filter(|row| row.number("seq").is_some()).map(|row| row.recorded_us).max();
    let entries = journal(&operation.to_string(), rows).map(|found| found.journal).unwrap_or_default();
    (entries, heard_us.map_or(0, |heard_us| (now.timestamp_micros() - heard_us) / 1_000_000))
}

/// Which of these rows the ledger lacks.
pub(super) fn missing(desk: &Desk, rows: &[LedgerRow]) -> Vec<String> {
    let mut known: BTreeMap<Table, BTreeSet<String>> = BTreeMap::new();
    let mut lacks = |row: &&LedgerRow| {
        let hashes = known.entry(row.table).or_insert_with(|| {
            let sql = format!("SELECT content_hash FROM ops.release.{}", row.table.name());
            let rows = desk.of("root").by_hand(&sql).rendered();
            rows.into_iter().filter_map(|row| row[0].clone()).collect::<BTreeSet<String>>()
        });
        !hashes.contains(&row.content_hash)
    };
    rows.iter().filter(&mut lacks).map(|row| format!("{} {}", row.table.name(), row.id)).collect()
}
