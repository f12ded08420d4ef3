//! Features that stand on what the platform does.

use serde::{Deserialize, Serialize};

use super::check::Check;

/// What can be off because a proof failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Run, cancel, repair, start, stop.
    Acts,
    /// Acts of the tiers 3 and 4, which the ledger must know before they begin.
    ProductionActs,
    /// Leases: sealing, taking over, and whatever only one may do at a time.
    Leases,
    /// The ledger written through procedures.
    LedgerProcedures,
    /// Rows, backlog and expectations of flows on the Pipeline screen and in `pipelines`.
    FlowFigures,
    /// Money, and the history of runs beyond what the API keeps.
    Costs,
    /// The gates on backlog and expectations.
    EventGates,
    /// Switching published views.
    ViewSwitch,
    /// Comparing and pinning tables at a version.
    VersionPins,
    /// Switching coupled views by one route.
    PinnedRoute,
}

impl Feature {
    /// All features.
    pub const ALL: [Self; 10] = [
        Self::Acts,
        Self::ProductionActs,
        Self::Leases,
        Self::LedgerProcedures,
        Self::FlowFigures,
        Self::Costs,
        Self::EventGates,
        Self::ViewSwitch,
        Self::VersionPins,
        Self::PinnedRoute,
    ];

    /// What it is, as it follows "off:".
    pub fn words(self) -> &'static str {
        match self {
            Self::Acts => "run, cancel, repair, start, stop",
            Self::ProductionActs => "acts of tiers 3 and 4",
            Self::Leases => "leases: sealing, taking over",
            Self::LedgerProcedures => "the ledger through procedures",
            Self::FlowFigures => "rows and backlog of flows",
            Self::Costs => "money and long histories",
            Self::EventGates => "gates on backlog and expectations",
            Self::ViewSwitch => "switching published views",
            Self::VersionPins => "comparing tables at a version",
            Self::PinnedRoute => "switching by one route",
        }
    }

    /// What it stands on.
    pub fn stands_on(self) -> &'static [Check] {
        match self {
            // An operator who does not sign in has no rights either; other roles do not matter to acts.
            Self::Acts => &[Check::Connectivity, Check::Permissions],
            Self::ProductionActs => &[Check::Warehouse, Check::Permissions, Check::LedgerTables, Check::LeaseConflict],
            Self::Leases => &[Check::LeaseConflict],
            Self::LedgerProcedures => &[Check::Procedures],
            Self::FlowFigures => &[Check::PipelineEvents],
            Self::Costs => &[Check::SystemTables],
            Self::EventGates => &[Check::EventLogTables],
            Self::ViewSwitch => &[Check::LeaseConflict, Check::ViewIdentity, Check::AlterLatency],
            Self::VersionPins => &[Check::TimeTravel],
            Self::PinnedRoute => &[Check::PinnedRoute],
        }
    }

    /// Whether each use proves it anew, so that an old failure says nothing: the workspace is asked, signs in and tells the
    /// rights before every act.
    pub fn is_proven_by_use(self) -> bool {
        matches!(self, Self::Acts)
    }

    /// Whether it is off until it is proven: being wrong would change production, and nothing would show it.
    pub fn wants_proof(self) -> bool {
        matches!(self, Self::ViewSwitch | Self::PinnedRoute)
    }

    /// Whether nothing may change production state while it is off.
    pub fn carries_production(self) -> bool {
        matches!(self, Self::ProductionActs | Self::LedgerProcedures)
    }

    /// Whether it is one of each workspace rather than of the ledger and its warehouse.
    pub fn is_of_workspace(self) -> bool {
        matches!(self, Self::Acts | Self::FlowFigures)
    }
}
