//! SQL warehouses: what answers statements.

use serde::{Deserialize, Serialize};

use super::ids::WarehouseId;

/// A SQL warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    /// Unique within its workspace.
    pub id: WarehouseId,
    /// From outside.
    pub name: String,
    /// Where it stands.
    pub state: WarehouseState,
    /// As spelled on the wire: `2X-Small`, `Medium`, ...
    pub size: String,
    /// Whether it starts in seconds rather than minutes.
    pub serverless: bool,
    /// Minutes without work until it stops; 0 is never.
    pub auto_stop_min: u32,
    /// What the platform says is wrong with it, from outside; none while it is well.
    pub trouble: Option<String>,
}

/// Where a warehouse stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WarehouseState {
    /// Coming up: statements wait.
    Starting,
    /// Answers.
    Running,
    /// Going down.
    Stopping,
    /// Down; a statement starts it.
    Stopped,
    /// Gone, or going.
    Deleted,
    /// A state that this version does not know, as spelled on the wire.
    Unknown(String),
}
