//! From the configuration to the ledger: the warehouse that runs its statements, under the credential of the role `ledger`.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::dialect::ledger::{LedgerEntry, LedgerForm};
use crate::databricks::{Client, Outcome, Statement, StatementError};
use crate::domain::authority::Need;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::WarehouseId;
use crate::domain::permission::Governed;
use crate::domain::request::Lane;
use crate::domain::sql::{BadName, QualifiedName, Rows, TextError};
use crate::domain::unity::Securable;
use crate::ledger::init::{Installation, LedgerRole, Member, Piece};
use crate::ledger::journal::rows_of;
use crate::ledger::lease::{self, Standing, Tenure, Tick};
use crate::ledger::sql::Ask;
use crate::ledger::{Happened, Ledger, LedgerRow, Place, Sql, SqlTrouble, Table};
use crate::operations::plan::Plan;
use crate::runtime::connect::{ConnectError, Link};
use crate::runtime::operator::RowsOf;
use crate::sim;
use crate::store::OutboxRow;

/// How long a statement of the ledger may take, the start of a cold warehouse included.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long the first answer may hold the connection open: the ledger's statements are short.
const WAIT: Duration = Duration::from_secs(10);

/// Why there is no ledger to speak to.
#[derive(Debug, thiserror::Error)]
pub enum NoLedger {
    /// The fleet's file has none.
    #[error("no ledger is configured")]
    NotConfigured,
    /// The workspace through which it is reached is not of the fleet.
    #[error("the fleet has no workspace {0}, through which the ledger is reached")]
    NoWorkspace(String),
    /// The workspace through which it is reached cannot be spoken to.
    #[error("the ledger's workspace {workspace} cannot be reached: {source}")]
    Unreachable {
        /// The workspace.
        workspace: String,
        /// Why.
        source: Arc<ConnectError>,
    },
    /// Its catalog or schema can be no name.
    #[error("the ledger's place: {0}")]
    Place(#[from] BadName),
}

/// A SQL warehouse as the ledger's port.
#[derive(Clone)]
pub struct Warehouse {
    client: Client,
    id: WarehouseId,
}

impl Warehouse {
    /// A warehouse, asked by a client.
    pub fn new(client: Client, id: WarehouseId) -> Self {
        Self { client, id }
    }
}

impl Sql for Warehouse {
    async fn execute(&self, ask: &Ask) -> Result<Rows, SqlTrouble> {
        let mut statement = Statement::new(ask.named, self.id.clone());
        statement.parts.clone_from(&ask.parts);
        (statement.wait, statement.patience) = (WAIT, PATIENCE);
        for (name, value) in &ask.parameters {
            statement = statement.bind(name, value.clone());
        }
        self.client.execute(&statement).await.map_err(|error| trouble(&error))
    }
}

fn trouble(error: &StatementError) -> SqlTrouble {
    let happened = match error.outcome() {
        Outcome::DidNotHappen => Happened::No,
        Outcome::Unknown => Happened::Unknown,
    };
    SqlTrouble { message: error.to_string(), fault: error.fault(), happened }
}

/// Where the ledger is.
///
/// # Errors
/// When the fleet has none, or its names can be none.
pub fn place(config: &Config) -> Result<(&LedgerEntry, Place), NoLedger> {
    let entry = config.fleet.ledger.as_ref().ok_or(NoLedger::NotConfigured)?;
    let procedures = entry.form == LedgerForm::Procedures;
    Ok((entry, Place::new(entry.catalog.as_str(), entry.schema.as_str(), procedures)?))
}

/// The ledger, through the client that one of the links has for the role `ledger`. Nothing is sent yet.
///
/// # Errors
/// When there is none, or none that can be spoken to.
pub fn open(config: &Config, links: &[Link]) -> Result<Ledger<Warehouse>, NoLedger> {
    let (entry, place) = place(config)?;
    let link = links.iter().find(|link| link.workspace().name.as_str() == entry.workspace.as_str());
    let client = link
        .ok_or_else(|| NoLedger::NoWorkspace(entry.workspace.to_string()))?
        .client(Role::Ledger)
        .map_err(|source| NoLedger::Unreachable { workspace: entry.workspace.to_string(), source })?;
    let warehouse = Warehouse::new(client.in_lane(Lane::Act), WarehouseId::new(&entry.warehouse));
    Ok(Ledger::new(warehouse, place))
}

/// The same ledger for what nobody waits for: its requests let all others go first.
pub fn in_background(ledger: &Ledger<Warehouse>) -> Ledger<Warehouse> {
    let Warehouse { client, id } = ledger.sql();
    Ledger::new(Warehouse::new(client.in_lane(Lane::Poll), id.clone()), ledger.place().clone())
}

/// A ledger for simulated workspaces, as `ledger init` would make it: with a lease for each product of theirs.
///
/// # Errors
/// Never for the statements of this program.
pub fn simulated() -> Result<sim::Ledger, SimulatedError> {
    let (catalog, schema) = ("ops", "release");
    let place = Place::new(catalog, schema, false)?;
    let products = sim::products();
    let installation = Installation { place: &place, products: &products, members: &[], procedures: false };
    let statements: Result<Vec<String>, TextError> = installation.pieces().iter().map(Piece::sql).collect();
    Ok(sim::Ledger { catalog: catalog.to_owned(), schema: schema.to_owned(), statements: statements? })
}

/// Why a simulated ledger cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum SimulatedError {
    /// A name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A statement.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Who is granted what with the ledger, as the fleet's file says.
pub fn members(entry: &LedgerEntry) -> Vec<Member> {
    let roles = &entry.roles;
    let groups = [
        (LedgerRole::Viewer, &roles.viewer),
        (LedgerRole::Operator, &roles.operator),
        (LedgerRole::Captain, &roles.captain),
        (LedgerRole::Approver, &roles.approver),
        (LedgerRole::Deployer, &roles.deployer),
    ];
    let member = |role: LedgerRole| move |name: &String| Member { principal: name.clone(), role };
    groups.into_iter().flat_map(|(role, names)| names.iter().map(member(role))).collect()
}

/// The rights that whoever acts needs on the ledger, beside those on what is acted on.
pub fn needs(entry: &LedgerEntry, place: &Place) -> Vec<Need> {
    let privilege = |kind: Securable, name: &QualifiedName, privilege: &str| Need::Privilege {
        kind,
        name: name.clone(),
        privilege: privilege.to_owned(),
    };
    let schema = place.schema();
    let id = entry.warehouse.clone();
    let mut needs = vec![Need::Level { kind: Governed::Warehouse, id, level: "CAN_USE".to_owned() }];
    needs.extend(schema.parent().map(|catalog| privilege(Securable::Catalog, &catalog, "USE CATALOG")));
    needs.push(privilege(Securable::Schema, schema, "USE SCHEMA"));
    needs.push(privilege(Securable::Schema, schema, "SELECT"));
    let tables = [Table::Operation, Table::OperationStep, Table::StepResult, Table::AuditEvent];
    for table in tables {
        let (kind, leaf, right) = if place.is_direct() {
            (Securable::Table, table.name().to_owned(), "MODIFY")
        } else {
            (Securable::Function, format!("append_{}", table.name()), "EXECUTE")
        };
        needs.extend(schema.child(&leaf).ok().map(|name| privilege(kind, &name, right)));
    }
    needs
}

/// The outbox's rows of the entries that a process writes: what the operator puts into the transaction of the entry itself.
pub fn outbox_rows() -> RowsOf {
    Arc::new(|plan, entry, taken_by| {
        let rows = rows_of(plan, entry, Some(taken_by)).unwrap_or_else(|error| {
            tracing::error!(%error, operation = %plan.id, seq = entry.seq, "an entry cannot be told to the ledger");
            Vec::new()
        });
        rows.iter().map(|row| outbox_row(row, plan, Some(entry.seq))).collect()
    })
}

/// A row on its way to the ledger, of a plan and perhaps of one entry of its journal.
pub fn outbox_row(row: &LedgerRow, plan: &Plan, seq: Option<u64>) -> OutboxRow {
    OutboxRow {
        id: row.id.clone(),
        table: row.table.name().to_owned(),
        body: serde_json::to_string(row).unwrap_or_default(),
        operation: Some(plan.id),
        seq,
    }
}

/// How long to wait for a lease that another holds before saying who has it.
const LEASE_PATIENCE: Duration = Duration::from_secs(20);

/// The shortest pause between two questions for a lease.
const LEASE_PAUSE: Duration = Duration::from_millis(100);

/// Both clocks of this machine.
pub struct Ticks {
    started: tokio::time::Instant,
    clock: Arc<dyn Clock>,
}

impl Ticks {
    /// Clocks that begin now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { started: tokio::time::Instant::now(), clock }
    }

    /// The present moment by both.
    pub fn now(&self) -> Tick {
        let elapsed = self.started.elapsed().as_millis();
        Tick { monotonic_ms: u64::try_from(elapsed).unwrap_or(u64::MAX), at: self.clock.now() }
    }
}

/// Why a lease is not held.
#[derive(Debug, thiserror::Error)]
pub enum NotHeld {
    /// Another has it.
    #[error("{product} is held by {holder}")]
    Held {
        /// The product.
        product: String,
        /// Their name, harmless to show.
        holder: String,
    },
    /// The ledger did not say so.
    #[error("the lease was not obtained: {0}")]
    Trouble(String),
}

/// Takes a lease for something short, waiting a while if another has it. The nonce must be fresh.
///
/// # Errors
/// When it is not held in the end.
pub async fn hold<S: Sql>(
    ledger: &Ledger<S>,
    product: &str,
    op_id: &str,
    nonce: &str,
    ticks: &Ticks,
) -> Result<Tenure, NotHeld> {
    let mut tenure = Tenure::new(product, op_id, nonce);
    obtain(&mut tenure, ledger, ticks).await.map(|()| tenure)
}

/// Waits until a tenure holds its lease, for a while.
///
/// # Errors
/// When it is not held in the end.
pub async fn obtain<S: Sql>(tenure: &mut Tenure, ledger: &Ledger<S>, ticks: &Ticks) -> Result<(), NotHeld> {
    let give_up = tokio::time::Instant::now() + LEASE_PATIENCE;
    loop {
        while lease::step(tenure, ledger, &|| ticks.now()).await {}
        let too_late = tokio::time::Instant::now() >= give_up;
        match tenure.standing(ticks.now()) {
            Standing::Holding { .. } => return Ok(()),
            Standing::Observing { left_ms } => tokio::time::sleep(Duration::from_millis(left_ms)).await,
            Standing::HeldBy { holder, .. } if too_late => {
                return Err(NotHeld::Held { product: tenure.product().to_owned(), holder });
            }
            Standing::Lost(_) | Standing::Released | Standing::Releasing => {
                return Err(NotHeld::Trouble("it was lost again at once".to_owned()));
            }
            Standing::Unknown { .. } | Standing::Taking if too_late => {
                return Err(NotHeld::Trouble(tenure.trouble().unwrap_or("the ledger did not answer").to_owned()));
            }
            Standing::Unknown { .. } | Standing::Taking | Standing::HeldBy { .. } => {
                let left = tenure.wake_at_ms().saturating_sub(ticks.now().monotonic_ms);
                tokio::time::sleep(Duration::from_millis(left).max(LEASE_PAUSE)).await;
            }
        }
    }
}

/// Gives a lease back, as far as the ledger answers; otherwise it ends by itself.
pub async fn give_back<S: Sql>(tenure: &mut Tenure, ledger: &Ledger<S>, ticks: &Ticks) {
    tenure.release();
    while lease::step(tenure, ledger, &|| ticks.now()).await {}
}
