//! Who a credential speaks for in a workspace.

use serde::{Deserialize, Serialize};

/// A user or a service principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The workspace's own id of the principal.
    pub id: String,
    /// An e-mail address, or a service principal's application id.
    pub user_name: String,
    /// For people; from outside.
    pub display_name: Option<String>,
    /// False when an administrator has deactivated it.
    pub active: bool,
    /// Groups of which it is a direct member; nested parents may be missing (databricks-api.md 8).
    pub groups: Vec<String>,
}

impl Identity {
    /// The name that a person recognizes. From outside.
    pub fn name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.user_name)
    }
}
