//! The shared record as the fleet's file spells it: one ledger for all workspaces, reached through one of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Name, UnityName};

/// Where the shared record of operations, approvals and proofs is kept. Without it nothing changes production state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// The workspace through which it is reached.
    pub workspace: Name,
    /// The id of the SQL warehouse there that runs its statements.
    #[schemars(length(min = 1))]
    pub warehouse: String,
    /// Its catalog.
    pub catalog: UnityName,
    /// Its schema, which belongs to the ledger alone.
    pub schema: UnityName,
    /// How rows are written: directly under the caller's own identity, or through the procedures that
    /// `lakeshift ledger init --procedures` makes.
    #[serde(default)]
    pub form: LedgerForm,
    /// Who may do what with it: `lakeshift ledger init` grants accordingly.
    #[serde(default)]
    pub roles: LedgerRoles,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LedgerForm {
    /// `INSERT` and `UPDATE` by whoever acts; identity and time are the server's all the same.
    #[default]
    Direct,
    /// `CALL` of procedures with their owner's rights: who acts needs no right to modify a table.
    Procedures,
}

/// Groups and service principals by what they do. Grants go to these alone, never to a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerRoles {
    /// Reads everything: auditors, and everybody who opens the console.
    pub viewer: Vec<String>,
    /// Starts, stops, repairs, rolls back: on-call.
    pub operator: Vec<String>,
    /// Switches production: release captains.
    pub captain: Vec<String>,
    /// Approves and rejects.
    pub approver: Vec<String>,
    /// Deploys: CI's service principal.
    pub deployer: Vec<String>,
}
