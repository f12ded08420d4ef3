//! Permissions of workspace objects: jobs, pipelines and warehouses have levels, not grants (databricks-api.md 6.6).

use serde::{Deserialize, Serialize};

/// The kind of an object, as the permissions API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Governed {
    /// A job.
    Job,
    /// A pipeline.
    Pipeline,
    /// A SQL warehouse.
    Warehouse,
    /// A cluster policy.
    ClusterPolicy,
}

/// Who has a level.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A user, by e-mail address.
    User(String),
    /// A group, by name.
    Group(String),
    /// A service principal, by application id.
    ServicePrincipal(String),
}

/// One level of one principal on one object. All texts are from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permission {
    /// Who has it.
    pub holder: Holder,
    /// As spelled on the wire: `CAN_VIEW`, `CAN_MANAGE_RUN`, `IS_OWNER`.
    pub level: String,
    /// The objects above from which it comes; none if it was given on the object itself.
    pub inherited_from: Vec<String>,
}

impl Governed {
    /// The levels of the kind, from the least to the most; each includes those before it.
    pub fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Job => &["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"],
            Self::Pipeline => &["CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"],
            Self::Warehouse => &["CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"],
            Self::ClusterPolicy => &["CAN_USE", "CAN_MANAGE"],
        }
    }

    /// Whether to hold `level` is enough where `needed` is asked for. A level that the kind does not have is never enough.
    pub fn suffices(self, level: &str, needed: &str) -> bool {
        let rank = |name: &str| self.levels().iter().position(|known| *known == name);
        match (rank(level), rank(needed)) {
            (Some(level), Some(needed)) => level >= needed,
            _ => false,
        }
    }
}

impl Holder {
    /// The principal's name, whatever its kind.
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Group(name) | Self::ServicePrincipal(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_includes_those_below_it() {
        let cases = [
            (Governed::Job, "CAN_MANAGE", "CAN_MANAGE_RUN", true),
            (Governed::Job, "CAN_VIEW", "CAN_MANAGE_RUN", false),
            (Governed::Job, "IS_OWNER", "CAN_MANAGE", true),
            (Governed::Pipeline, "CAN_RUN", "CAN_RUN", true),
            (Governed::Pipeline, "CAN_MANAGE_RUN", "CAN_VIEW", false),
            (Governed::Warehouse, "CAN_MONITOR", "CAN_USE", false),
        ];
        for (kind, level, needed, enough) in cases {
            assert_eq!(kind.suffices(level, needed), enough, "{kind:?} {level} for {needed}");
        }
    }
}
