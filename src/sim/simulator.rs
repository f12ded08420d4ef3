//! A running simulator: ports bound, world turning, until it is shut down.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::credentials::{self, Passes};
use super::http::{self, Deployment, Realm, RequestLog, Setting, Site};
use super::lakehouse::Lakehouse;
use super::pace::Pace;
use super::scenario::{Scenario, ScenarioError};
use super::sql::SqlError;
use super::world::{Workspace, World};
use super::{ROLES, config_out};
use crate::domain::clock::Clock;
use crate::domain::workspace::Environment;

/// The fastest world, in world seconds per wall second: a day in under ten seconds.
const FASTEST: f64 = 10_000.0;
/// How long connections have to end when the simulator is shut down.
const PATIENCE: Duration = Duration::from_secs(2);

/// The role that makes and writes the shared record.
const PUBLISHER: &str = "publisher";

/// What to simulate.
pub struct Options {
    /// A scenario by name.
    pub scenario: String,
    /// Everything that is drawn follows from it, tokens included.
    pub seed: u64,
    /// World seconds per wall second, 0 to 10,000. At 0 world time moves by jumps alone.
    pub speed: f64,
    /// The first workspace's port; the others and the admin port follow. Free ports without.
    pub port_base: Option<u16>,
    /// Where each request is written, a JSON line each. An older file is replaced.
    pub request_log: Option<PathBuf>,
    /// Whether `expires_in` of OAuth tokens is sent as text, as some servers do.
    pub oauth_expiry_as_text: bool,
    /// Whether answers bear members that no documentation names, drawn from the seed.
    pub unknown_fields: bool,
    /// A shared record that is there from the beginning, and that the configuration names.
    pub ledger: Option<Ledger>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// A shared record: which, and how the publisher makes it before anything is served.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Its catalog.
    pub catalog: String,
    /// Its schema.
    pub schema: String,
    /// SQL that makes it, in this order.
    pub statements: Vec<String>,
}

/// Where the shared record is, for the configuration.
pub(super) struct Kept {
    pub(super) workspace: String,
    pub(super) warehouse: String,
    pub(super) catalog: String,
    pub(super) schema: String,
}

impl Options {
    /// The incident at its natural pace, on free ports, without a log.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            scenario: "incident".to_owned(),
            seed: 1,
            speed: 1.0,
            port_base: None,
            request_log: None,
            oauth_expiry_as_text: false,
            unknown_fields: false,
            ledger: None,
            clock,
        }
    }
}

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such scenario, or not one.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Not a speed.
    #[error("speed {0} is not between 0 and {FASTEST}")]
    Speed(f64),
    /// Ports would run past the last one.
    #[error("port base {base} leaves no room for {ports} ports below 65536")]
    PortBase {
        /// What was asked.
        base: u16,
        /// How many ports are needed.
        ports: u16,
    },
    /// A port is taken.
    #[error("cannot listen on {address}")]
    Listen {
        /// Loopback and port; port 0 is any free one.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The metastore.
    #[error("the SQL engine did not start")]
    Engine(#[from] SqlError),
    /// The configuration, or a token beside it.
    #[error("cannot write {}", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The request log.
    #[error("cannot write the request log {}", path.display())]
    RequestLog {
        /// As given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// How to reach one workspace.
#[derive(Clone, Debug, Serialize)]
pub struct Access {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub environment: Environment,
    /// `http://127.0.0.1:PORT`.
    pub host: String,
    /// As text: the vendor's tools read it so.
    pub workspace_id: String,
    /// A personal access token for each role of [`ROLES`]. Fake, and good here alone.
    pub tokens: BTreeMap<String, String>,
    /// The application id of the ci principal.
    pub client_id: String,
    /// Its secret. Fake, and good here alone.
    pub client_secret: String,
}

/// A running simulator. Dropping it ends it at once; [`Simulator::shutdown`] lets answers finish.
pub struct Simulator {
    workspaces: Vec<Access>,
    admin: String,
    kept: Option<Kept>,
    stop: CancellationToken,
    tasks: JoinSet<io::Result<()>>,
}

impl Simulator {
    /// Builds the world, binds the ports and serves.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let Options { scenario, seed, speed, port_base, request_log, oauth_expiry_as_text, unknown_fields, .. } =
            options;
        let (ledger, clock) = (options.ledger, options.clock);
        if !(0.0..=FASTEST).contains(&speed) {
            return Err(Error::Speed(speed));
        }
        let now = clock.now();
        let world = World::new(&Scenario::named(&scenario)?, seed, now);
        let log = RequestLog::open(request_log.as_deref())
            .map_err(|source| Error::RequestLog { path: request_log.unwrap_or_default(), source })?;
        let count = world.workspaces().len();
        let mut listeners = listeners(port_base, count + 1).await?;
        let admin_listener = listeners.pop();

        let mut sites = Vec::new();
        let mut workspaces = Vec::new();
        let tell = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
        let unheard = |source| Error::Listen { address: loopback(0), source };
        for (workspace, listener) in world.workspaces().iter().zip(&listeners) {
            let host = tell(listener).map_err(unheard)?;
            let (access, passes) = admit(&world, seed, workspace, &host);
            sites.push(Site::new(workspace, host, seed, passes, oauth_expiry_as_text));
            workspaces.push(access);
        }
        let setting = Setting { scenario, seed, unknown_fields, clock };
        let mut lakehouse = Lakehouse::new(&world, seed)?;
        let kept = match &ledger {
            Some(ledger) => {
                lakehouse.make(&world, PUBLISHER, &ledger.statements)?;
                kept(&world, ledger)
            }
            None => None,
        };
        let realm = Realm { world, lakehouse };
        let deployment = Arc::new(Deployment::new(setting, realm, Pace::new(now, speed), sites, log));
        let stop = deployment.stop.clone();

        let mut tasks = JoinSet::new();
        for (site, listener) in deployment.sites().iter().zip(listeners) {
            tasks.spawn(http::serve_site(Arc::clone(&deployment), Arc::clone(site), listener));
        }
        let mut admin = String::new();
        if let Some(listener) = admin_listener {
            admin = tell(&listener).map_err(unheard)?;
            tasks.spawn(http::serve_admin(deployment, listener));
        }
        Ok(Self { workspaces, admin, kept, stop, tasks })
    }

    /// How to reach each workspace, in the order of their ports.
    pub fn workspaces(&self) -> &[Access] {
        &self.workspaces
    }

    /// The admin port: `http://127.0.0.1:PORT`.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Writes a configuration for these workspaces, and their tokens into files beside it that only their owner may
    /// read.
    ///
    /// # Errors
    /// The file that cannot be written.
    pub fn write_config(&self, path: &Path) -> Result<(), Error> {
        config_out::write(path, &self.workspaces, self.kept.as_ref())
            .map_err(|(path, source)| Error::Config { path, source })
    }

    /// Ends all: answers under way may finish, planted delays are cut short, idle connections close.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            tracing::debug!("connections that did not end were cut");
        }
    }
}

/// Where the ledger is reached: in production, through the warehouse that is kept for consoles.
fn kept(world: &World, ledger: &Ledger) -> Option<Kept> {
    let workspace = world.workspaces().iter().find(|workspace| workspace.environment == Environment::Prod)?;
    let warehouses = world.warehouses(workspace.environment);
    let warehouse = warehouses.iter().find(|warehouse| warehouse.name == "console").or_else(|| warehouses.first())?;
    Some(Kept {
        workspace: workspace.name.to_string(),
        warehouse: warehouse.id.clone(),
        catalog: ledger.catalog.clone(),
        schema: ledger.schema.clone(),
    })
}

/// Tokens and client of one workspace, for its users and for its port.
pub(super) fn admit(world: &World, seed: u64, workspace: &Workspace, host: &str) -> (Access, Passes) {
    let name = workspace.name.as_str();
    let mut passes = Passes::default();
    let mut tokens = BTreeMap::new();
    for principal in world.principals() {
        if !ROLES.contains(&principal.role) {
            continue;
        }
        let token = credentials::pat(seed, name, principal.role);
        passes.admit(token.clone(), &principal.user_name);
        tokens.insert(principal.role.to_owned(), token);
    }
    let client_id = world
        .principals()
        .iter()
        .find(|principal| principal.role == "ci")
        .map(|principal| principal.user_name.clone())
        .unwrap_or_default();
    let client_secret = credentials::client_secret(seed, name);
    passes.admit_client(&client_id, client_secret.clone());
    let access = Access {
        name: name.to_owned(),
        environment: workspace.environment,
        host: host.to_owned(),
        workspace_id: workspace.workspace_id.to_string(),
        tokens,
        client_id,
        client_secret,
    };
    (access, passes)
}

/// As many loopback listeners, from the base upwards or anywhere.
async fn listeners(base: Option<u16>, count: usize) -> Result<Vec<TcpListener>, Error> {
    let ports = u16::try_from(count).unwrap_or(u16::MAX);
    let first = match base {
        Some(base) if base == 0 || base.checked_add(ports - 1).is_none() => {
            return Err(Error::PortBase { base, ports });
        }
        other => other,
    };
    let mut listeners = Vec::with_capacity(count);
    for offset in 0..ports {
        let address = loopback(first.map_or(0, |first| first + offset));
        let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
