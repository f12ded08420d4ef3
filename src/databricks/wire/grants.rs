//! Grants of Unity Catalog, direct and effective (databricks-api.md 6.1, 6.4).

use serde::{Deserialize, Serialize};

use super::object;

object! {
    /// Answer of `permissions` and of `effective-permissions`.
    Grants {
        privilege_assignments: Vec<PrivilegeAssignment>,
        next_page_token: String,
    }
    PrivilegeAssignment {
        principal: String,
        privileges: Vec<Privilege>,
    }
    EffectivePrivilege {
        privilege: String,
        inherited_from_type: String,
        inherited_from_name: String,
    }
}

/// A privilege: bare text when asked for direct grants, with its source when asked for effective ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Privilege {
    Direct(String),
    Effective(EffectivePrivilege),
}
