//! In which order rows stand: what burns first, by default.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::FleetRow;
use crate::domain::Instant;
use crate::domain::status::Status;

/// How loudly a row asks for a person, loudest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It failed and nothing repeats it.
    Failed,
    /// A stream that is behind.
    Lagging,
    /// It repeats itself after a failure.
    Retrying,
    /// It has run for much longer than usual.
    RunningLong,
    /// It stands in a way that this version does not understand.
    Unclear,
    /// Something of it is going on.
    Active,
    /// The rest.
    Quiet,
}

impl Urgency {
    /// How loudly a status asks, given whether the active run is too long.
    pub(super) fn of(status: Status, long: bool) -> Self {
        match status {
            Status::Failed | Status::TimedOut | Status::UpstreamFailed => Self::Failed,
            Status::Lagging => Self::Lagging,
            Status::Retrying => Self::Retrying,
            Status::Unknown => Self::Unclear,
            active if active.is_active() && long => Self::RunningLong,
            active if active.is_active() => Self::Active,
            _ => Self::Quiet,
        }
    }

    /// Whether somebody should look: what the keys to the next problem stop at.
    pub fn is_problem(self) -> bool {
        self <= Self::RunningLong
    }
}

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// What burns first; production before staging before dev; then by tier.
    #[default]
    Urgency,
    /// By name.
    Name,
    /// The newest change first.
    Since,
    /// The longest first.
    Took,
    /// The most unusual first.
    Unusual,
    /// The most important tier first.
    Tier,
    /// By owner.
    Owner,
}

impl SortKey {
    /// All, in the order in which a key walks through them.
    pub const ALL: [Self; 7] =
        [Self::Urgency, Self::Name, Self::Since, Self::Took, Self::Unusual, Self::Tier, Self::Owner];

    /// What the screen calls it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Urgency => "urgency",
            Self::Name => "name",
            Self::Since => "since",
            Self::Took => "took",
            Self::Unusual => "vs usual",
            Self::Tier => "tier",
            Self::Owner => "owner",
        }
    }

    /// The one after it, round and round.
    #[must_use]
    pub fn next(self) -> Self {
        let index = Self::ALL.iter().position(|key| *key == self).unwrap_or(0);
        Self::ALL[(index + 1) % Self::ALL.len()]
    }

    /// How two rows stand to each other at `now` (the workspaces' time). Total: rows that are alike stand by name and id.
    pub fn compare(self, a: &FleetRow, b: &FleetRow, now: Instant) -> Ordering {
        let by_key = match self {
            Self::Urgency => Ordering::Equal,
            Self::Name => a.name.cmp(&b.name),
            Self::Since => Reverse(a.since).cmp(&Reverse(b.since)),
            Self::Took => Reverse(a.took_ms(now)).cmp(&Reverse(b.took_ms(now))),
            Self::Unusual => b.unusual(now).unwrap_or(1.0).total_cmp(&a.unusual(now).unwrap_or(1.0)),
            Self::Tier => tier(a).cmp(&tier(b)),
            Self::Owner => a.owner.is_none().cmp(&b.owner.is_none()).then_with(|| a.owner.cmp(&b.owner)),
        };
        by_key
            .then_with(|| a.urgency.cmp(&b.urgency))
            .then_with(|| b.environment.cmp(&a.environment))
            .then_with(|| tier(a).cmp(&tier(b)))
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.id.cmp(&b.id))
    }
}

/// Objects without a tier stand behind those of the lowest.
fn tier(row: &FleetRow) -> u8 {
    row.tier.unwrap_or(u8::MAX)
}
