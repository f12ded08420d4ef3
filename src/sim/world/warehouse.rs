//! SQL warehouses (databricks-api.md 5.5): they take time to start and stop by themselves when nobody uses them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::Instant;
use crate::domain::workspace::Environment;

use super::World;
use super::principal::{Access, Level, Object, Principal};
use super::refusal::Refusal;
use super::time::{MINUTE, SECOND, after};

/// A SQL warehouse. Its state is a function of time: see [`Warehouse::state_at`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warehouse {
    /// Sixteen hexadecimal digits.
    pub id: String,
    /// Unique within its workspace.
    pub name: String,
    /// Such as `Small`.
    pub cluster_size: String,
    /// Fewest clusters while it runs.
    pub min_num_clusters: u32,
    /// Most clusters.
    pub max_num_clusters: u32,
    /// Minutes without use until it stops; 0 is never.
    pub auto_stop_mins: u32,
    /// Whether its compute is serverless.
    pub serverless: bool,
    /// Who created it.
    pub creator_name: String,
    /// Every other member as it was sent.
    pub extra: Map<String, Value>,
    /// The last order: when, and whether to start.
    ordered: (Instant, bool),
    /// When it was last used, or started.
    used_at: Instant,
}

/// Where a warehouse stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarehouseState {
    /// Machines come up.
    Starting,
    /// It takes statements.
    Running,
    /// Machines go.
    Stopping,
    /// A statement would start it.
    Stopped,
}

impl WarehouseState {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }
}

impl Warehouse {
    /// A warehouse that has run since `at`.
    pub(super) fn running(id: String, name: &str, size: &str, auto_stop_mins: u32, owner: &str, at: Instant) -> Self {
        Self {
            id,
            name: name.to_owned(),
            cluster_size: size.to_owned(),
            min_num_clusters: 1,
            max_num_clusters: 2,
            auto_stop_mins,
            serverless: true,
            creator_name: owner.to_owned(),
            extra: Map::new(),
            ordered: (super::time::before(at, MINUTE), true),
            used_at: at,
        }
    }

    /// How long machines take to come up: seconds where serverless, minutes where not.
    pub fn start_ms(&self) -> u64 {
        if self.serverless { 6 * SECOND } else { 4 * MINUTE }
    }

    /// When it takes statements again, if it is told to start at `now`: at once when it runs.
    pub fn ready_at(&self, now: Instant) -> Instant {
        match self.state_at(now) {
            WarehouseState::Running => now,
            WarehouseState::Starting => after(self.ordered.0, self.start_ms()),
            WarehouseState::Stopping | WarehouseState::Stopped => after(now, self.start_ms()),
        }
    }

    /// Where it stands at an instant.
    pub fn state_at(&self, now: Instant) -> WarehouseState {
        let (ordered_at, start) = self.ordered;
        if !start {
            let stopping = now < after(ordered_at, 3 * SECOND);
            return if stopping { WarehouseState::Stopping } else { WarehouseState::Stopped };
        }
        if now < after(ordered_at, self.start_ms()) {
            return WarehouseState::Starting;
        }
        let idle_ms = u64::from(self.auto_stop_mins) * MINUTE;
        if idle_ms > 0 && now >= after(self.used_at, idle_ms) {
            WarehouseState::Stopped
        } else {
            WarehouseState::Running
        }
    }

    /// Clusters that run at an instant.
    pub fn num_clusters_at(&self, now: Instant) -> u32 {
        if self.state_at(now) == WarehouseState::Running { self.min_num_clusters } else { 0 }
    }

    /// Starts it; nothing happens when it runs or comes up.
    pub(super) fn start(&mut self, now: Instant) {
        if matches!(self.state_at(now), WarehouseState::Stopped | WarehouseState::Stopping) {
            self.ordered = (now, true);
        }
        self.used_at = after(self.ordered.0, self.start_ms()).max(now);
    }

    /// Stops it; nothing happens when it is stopped.
    pub(super) fn stop(&mut self, now: Instant) {
        if matches!(self.state_at(now), WarehouseState::Running | WarehouseState::Starting) {
            self.ordered = (now, false);
        }
    }
}

/// How somebody wants a warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct WarehouseSpec {
    /// Unique within its workspace.
    pub name: Option<String>,
    /// Such as `Small`.
    pub cluster_size: Option<String>,
    /// Fewest clusters while it runs.
    pub min_num_clusters: Option<u32>,
    /// Most clusters.
    pub max_num_clusters: Option<u32>,
    /// Minutes without use until it stops; 0 is never.
    pub auto_stop_mins: Option<u32>,
    /// Whether its compute is serverless.
    pub enable_serverless_compute: Option<bool>,
    /// Every other member as it was sent.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The sizes that there are.
const SIZES: [&str; 10] =
    ["2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large", "4X-Large", "5X-Large"];

impl Warehouse {
    /// Takes on what a specification says.
    fn take_on(&mut self, spec: WarehouseSpec) {
        if let Some(name) = spec.name {
            self.name = name;
        }
        if let Some(size) = spec.cluster_size {
            self.cluster_size = size;
        }
        self.min_num_clusters = spec.min_num_clusters.unwrap_or(self.min_num_clusters);
        self.max_num_clusters = spec.max_num_clusters.unwrap_or(self.max_num_clusters).max(self.min_num_clusters);
        self.auto_stop_mins = spec.auto_stop_mins.unwrap_or(self.auto_stop_mins);
        self.serverless = spec.enable_serverless_compute.unwrap_or(self.serverless);
        self.extra.extend(spec.extra);
    }
}

impl World {
    /// Creates a SQL warehouse, which starts, and gives its id.
    ///
    /// # Errors
    /// When it has no name, no size that there is, or another's name.
    pub fn create_warehouse(
        &mut self,
        environment: Environment,
        who: &Principal,
        spec: WarehouseSpec,
    ) -> Result<String, Refusal> {
        let name = spec.name.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Refusal::Invalid("The name of a SQL warehouse must not be empty.".to_owned()))?;
        self.check_warehouse(environment, None, &spec)?;
        let now = self.now;
        let site = self.site_mut(environment);
        let count = site.warehouses.len() as u64;
        let id = format!("{:016x}", site.draw.named("warehouse").at(count).below(u64::MAX));
        let mut warehouse = Warehouse::running(id.clone(), &name, "X-Small", 120, &who.user_name, now);
        warehouse.max_num_clusters = 1;
        warehouse.take_on(spec);
        warehouse.ordered = (now, true);
        site.warehouses.push(warehouse);
        let owner = Access { grantee: who.grantee(), level: Level::Owner };
        self.set_access(environment, &Object::Warehouse(id.clone()), vec![owner]);
        Ok(id)
    }

    /// Changes a SQL warehouse: what is not said stays.
    ///
    /// # Errors
    /// As when creating it, and when there is none of that id.
    pub fn edit_warehouse(&mut self, environment: Environment, id: &str, spec: WarehouseSpec) -> Result<(), Refusal> {
        self.check_warehouse(environment, Some(id), &spec)?;
        self.warehouse_mut(environment, id)?.take_on(spec);
        Ok(())
    }

    /// Deletes a SQL warehouse.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn delete_warehouse(&mut self, environment: Environment, id: &str) -> Result<(), Refusal> {
        self.warehouse(environment, id)?;
        self.site_mut(environment).warehouses.retain(|warehouse| warehouse.id != id);
        Ok(())
    }

    fn check_warehouse(&self, environment: Environment, id: Option<&str>, spec: &WarehouseSpec) -> Result<(), Refusal> {
        if let Some(size) = spec.cluster_size.as_deref().filter(|size| !SIZES.contains(size)) {
            return Err(Refusal::Invalid(format!("'{size}' is not a cluster size: {}.", SIZES.join(", "))));
        }
        let mut others = self.warehouses(environment).iter().filter(|other| Some(other.id.as_str()) != id);
        match &spec.name {
            Some(name) if others.any(|other| other.name == *name) => {
                Err(Refusal::Invalid(format!("SQL warehouse with name `{name}` already exists")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_runs_and_stops_by_itself() {
        let mut at = Instant::UNIX_EPOCH;
        let mut warehouse = Warehouse::running("a".to_owned(), "w", "Small", 10, "ana@example.com", at);
        assert_eq!(warehouse.state_at(at), WarehouseState::Running);
        at = after(at, 10 * MINUTE);
        assert_eq!(warehouse.state_at(at), WarehouseState::Stopped, "nobody used it for ten minutes");
        assert_eq!(warehouse.ready_at(at), after(at, 6 * SECOND));
        warehouse.start(at);
        assert_eq!(warehouse.state_at(at), WarehouseState::Starting);
        warehouse.start(after(at, SECOND));
        at = after(at, 6 * SECOND);
        assert_eq!(warehouse.state_at(at), WarehouseState::Running, "a second order does not begin anew");
        warehouse.stop(at);
        assert_eq!(warehouse.state_at(at), WarehouseState::Stopping);
        assert_eq!(warehouse.state_at(after(at, 3 * SECOND)), WarehouseState::Stopped);
    }
}
