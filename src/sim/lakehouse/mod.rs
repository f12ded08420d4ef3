//! The data of the simulated world: one metastore for all workspaces, its SQL engine, and the statements and sessions on it.
//!
//! It stands beside the world under one lock. Nothing here reads a clock: what is due by the [`Moment`] handed in
//! happens then, in the order of time.

mod fleet;
mod found;
mod outcome;
mod queue;
mod session;
mod statement;
mod system;
mod unity;
mod volume_files;

use std::collections::BTreeMap;

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::{Engine, Session, SqlError};
use crate::sim::world::World;
use fleet::FleetTables;
use queue::Queue;
use session::SqlSession;
use system::{Log, SystemTables};
use volume_files::VolumeFiles;

pub(super) use outcome::{Chunk, Output};
pub(super) use session::NewSession;
pub(super) use statement::{Disposition, End, Failure, Format, Order, State, Statement};
pub(super) use unity::{Changes, partition_index, public};
pub(super) use volume_files::{Entry, FileTrouble};

/// Now, by two clocks: the world's, and one that runs even while the world stands still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// World time.
    pub(super) at: Instant,
    /// Milliseconds since the simulator started.
    pub(super) uptime_ms: u64,
}

/// Tables, views, grants, and who works on them.
pub(super) struct Lakehouse {
    engine: Engine,
    fleet: FleetTables,
    system: SystemTables,
    log: Log,
    queue: Queue,
    sessions: BTreeMap<String, SqlSession>,
    files: VolumeFiles,
    seed: u64,
    /// How many ids were given out.
    ids: u64,
    /// The other clock, as it was last told.
    uptime_ms: u64,
}

impl Lakehouse {
    /// The metastore as it stands when the world begins.
    ///
    /// # Errors
    /// When SQLite has no memory.
    pub(super) fn new(world: &World, seed: u64) -> Result<Self, SqlError> {
        let mut engine = found::engine(world, seed)?;
        let fleet = fleet::found(&mut engine, world)?;
        let system = SystemTables::found(&mut engine, world)?;
        Ok(Self {
            engine,
            fleet,
            system,
            log: Log::default(),
            queue: Queue::default(),
            sessions: BTreeMap::new(),
            files: VolumeFiles::default(),
            seed,
            ids: 0,
            uptime_ms: 0,
        })
    }

    /// Runs statements as a principal of this role before anybody can ask for anything: what the world begins with.
    ///
    /// # Errors
    /// Of the first statement that fails.
    pub(super) fn make(&mut self, world: &World, role: &str, statements: &[String]) -> Result<(), SqlError> {
        let principal = world.principals().iter().find(|principal| principal.role == role);
        let mut session = Session::new(principal.map(|principal| principal.user_name.as_str()).unwrap_or_default());
        for statement in statements {
            self.engine.execute(&mut session, statement, &[], world.now())?;
        }
        Ok(())
    }

    /// Lets happen what is due.
    pub(super) fn advance(&mut self, world: &World, now: Moment) {
        self.engine.set_breaks(world.breaks());
        self.work(now, world);
    }

    /// How long statements take between reading and committing, from now on; none lets chance say.
    pub(super) fn set_statement_ms(&mut self, takes_ms: Option<u64>) {
        self.queue.takes_ms = takes_ms;
    }

    /// What works on a warehouse that was told to stop ends with it.
    pub(super) fn warehouse_stopped(&mut self, workspace: Environment, warehouse_id: &str, at: Instant) {
        self.queue.cancel_where(at, |order| order.workspace == workspace && order.warehouse_id == warehouse_id);
    }

    /// A new id: thirty-two digits in the form of a UUID, as statements and sessions bear.
    fn next_id(&mut self, kind: &str) -> String {
        self.ids += 1;
        let digits = crate::sim::credentials::digits(self.seed, &[kind, &self.ids.to_string()]);
        let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        // A time-based UUID of these years begins so.
        format!("01f1{}-{}-1{}-{}-{}", part(0, 4), part(4, 8), part(8, 11), part(11, 15), part(15, 27))
    }
}
