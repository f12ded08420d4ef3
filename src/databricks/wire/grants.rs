//! Grants of Unity Catalog, direct and effective (databricks-api.md 6.1, 6.4).

use serde::{Deserialize, Serialize};

use super::{object, said};
use crate::domain::unity::{Grant, Securable};

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

/// The kind of an object in a path.
pub(crate) fn securable(kind: Securable) -> &'static str {
    match kind {
        Securable::Catalog => "catalog",
        Securable::Schema => "schema",
        Securable::Table => "table",
        Securable::Volume => "volume",
        Securable::Function => "function",
    }
}

impl PrivilegeAssignment {
    /// One grant a privilege. REST writes `USE_SCHEMA` where SQL writes `USE SCHEMA`.
    pub(crate) fn into_domain(self) -> Vec<Grant> {
        let principal = self.principal.unwrap_or_default();
        let grant = |privilege: Privilege| {
            let (privilege, inherited_from) = match privilege {
                Privilege::Direct(privilege) => (Some(privilege), None),
                Privilege::Effective(found) => {
                    (found.privilege, said(found.inherited_from_type).zip(said(found.inherited_from_name)))
                }
            };
            let privilege = said(privilege)?.replace('_', " ");
            Some(Grant { principal: principal.clone(), privilege, inherited_from })
        };
        self.privileges.unwrap_or_default().into_iter().filter_map(grant).collect()
    }
}
