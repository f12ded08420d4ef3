//! One person's way to a ledger on the simulator's SQL engine.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use lakeshift::domain::ids::StatementId;
use lakeshift::domain::sql::{Column, Rows, SqlFailure};
use lakeshift::ledger::init::{Installation, LedgerRole, Member};
use lakeshift::ledger::sql::Ask;
use lakeshift::ledger::{Happened, Ledger, Place, Sql, SqlTrouble};
use lakeshift::sim::sql::{Begun, DataType, Engine, Parameter, Session, SqlError, StatementResult, Transaction};

/// What everybody shares: one engine, and the server's clock.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) now: DateTime<Utc>,
}

/// One person's way to the ledger.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) user: &'static str,
    /// How many of the next answers are lost after their statement has been done.
    pub(crate) losses: Arc<Mutex<u32>>,
    /// What was asked of the ledger through this way and answered.
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
}

/// A statement that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) statement: &'static str,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// A statement that has read its snapshot.
pub(crate) enum Running {
    Done(Rows),
    Pending(Box<Transaction>),
}

impl Desk {
    /// A metastore with an empty ledger, installed by its owner.
    pub(crate) fn installed() -> Self {
        let desk = Self::new();
        let members = ["ana", "bob"].map(|name| Member { principal: name.to_owned(), role: LedgerRole::Captain });
        let products = ["sales".to_owned(), "stock".to_owned()];
        let installation = Installation { place: &place(), products: &products, members: &members, procedures: false };
        for piece in installation.pieces() {
            desk.run(&piece.ask).unwrap_or_else(|error| panic!("{}: {error}", piece.what));
        }
        desk
    }

    /// A metastore with an empty catalog.
    pub(crate) fn new() -> Self {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut engine = Engine::new(1, "root", now).unwrap();
        engine.catalog_mut().create_catalog("ops", "root", now).unwrap();
        engine.catalog_mut().create_schema("ops", "default", "root", now).unwrap();
        Self {
            server: Arc::new(Mutex::new(Server { engine, now })),
            user: "root",
            losses: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// The same server as somebody else.
    pub(crate) fn of(&self, user: &'static str) -> Self {
        Self { user, losses: Arc::default(), asked: Arc::default(), ..self.clone() }
    }

    pub(crate) fn ledger(&self) -> Ledger<Self> {
        Ledger::new(self.clone(), place())
    }

    /// Lets the server's time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.server.lock().unwrap().now += TimeDelta::seconds(seconds);
    }

    /// What was asked since this was last called.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.server.lock().unwrap().now
    }

    /// SQL by hand, as a tamperer would write it.
    pub(crate) fn by_hand(&self, sql: &str) -> StatementResult {
        let mut server = self.server.lock().unwrap();
        let now = server.now;
        server.engine.execute(&mut Session::new(self.user), sql, &[], now).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub(crate) fn begin(&self, ask: &Ask) -> Result<Running, SqlTrouble> {
        let text = ask.named.sql(&ask.parts).unwrap();
        let kind = |name: &str| ask.named.parameters.iter().find(|(known, _)| *known == name).expect("declared").1;
        let parameter = |(name, value): &(&str, Option<String>)| Parameter {
            name: (*name).to_owned(),
            value: value.clone(),
            ty: DataType::parse(kind(name)).unwrap(),
        };
        let parameters: Vec<Parameter> = ask.parameters.iter().map(parameter).collect();
        let mut server = self.server.lock().unwrap();
        let now = server.now;
        match server.engine.begin(&mut Session::new(self.user), &text, &parameters, now).map_err(|e| trouble(&e))? {
            Begun::Done(result) => Ok(Running::Done(rows(&result))),
            Begun::Pending(transaction) => Ok(Running::Pending(transaction)),
        }
    }

    pub(crate) fn commit(&self, running: Running) -> Result<Rows, SqlTrouble> {
        match running {
            Running::Done(rows) => Ok(rows),
            Running::Pending(transaction) => {
                let mut server = self.server.lock().unwrap();
                let now = server.now;
                server.engine.commit(*transaction, now).map(|result| rows(&result)).map_err(|e| trouble(&e))
            }
        }
    }

    pub(crate) fn run(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        self.begin(ask).and_then(|running| self.commit(running))
    }
}

impl Sql for Desk {
    async fn execute(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        let result = self.run(ask);
        if let Ok(rows) = &result {
            let bytes = rows.cells.iter().flatten().flatten().map(String::len).sum();
            let asked = Asked { statement: ask.named.name, rows: rows.cells.len(), bytes };
            self.asked.lock().unwrap().push(asked);
        }
        let mut losses = self.losses.lock().unwrap();
        if *losses > 0 && result.is_ok() {
            *losses -= 1;
            let message = "the answer was lost".to_owned();
            return Err(SqlTrouble {
                message,
                fault: lakeshift::domain::sql::Fault::Other,
                happened: Happened::Unknown,
            });
        }
        result
    }
}

fn trouble(error: &SqlError) -> SqlTrouble {
    let failure = SqlFailure::read("BAD_REQUEST", &error.to_string(), Some(&error.sqlstate));
    let happened = if failure.changed_nothing() { Happened::No } else { Happened::Unknown };
    SqlTrouble { fault: failure.fault(), message: error.to_string(), happened }
}

fn rows(result: &StatementResult) -> Rows {
    let column = |column: &lakeshift::sim::sql::ResultColumn| Column {
        name: column.name.clone(),
        type_text: column.ty.to_string(),
    };
    Rows {
        statement: StatementId::new("s"),
        columns: result.columns.iter().map(column).collect(),
        cells: result.rendered(),
    }
}

pub(crate) fn place() -> Place {
    Place::new("ops", "release", false).unwrap()
}
