//! Pure nouns and rules: what the fleet is, said without a network, a clock or a screen.
//!
//! Nothing here reads time, environment or files, and no type's serde form is ever on Databricks' wire (the
//! simulator and the client each spell the wire on their own, so that a wrong name cannot hide in both).
//! Serde forms here serve recordings and the local store alone.

pub mod authority;
pub mod clock;
pub mod credential;
pub mod danger;
pub mod databrickscfg;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fleet;
pub mod glob;
pub mod identity;
pub mod ids;
pub mod inventory;
pub mod job;
pub mod measure;
pub mod permission;
pub mod pipeline;
pub mod proof;
pub mod request;
pub mod run;
pub mod schedule;
pub mod snapshot;
pub mod sql;
pub mod status;
pub mod text;
pub mod ulid;
pub mod units;
pub mod unity;
pub mod warehouse;
pub mod workspace;

/// An instant of world time, always UTC. Zones are applied where a person reads it.
pub type Instant = chrono::DateTime<chrono::Utc>;
