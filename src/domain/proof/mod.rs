//! Proofs: what `lakeshift doctor` has shown of a workspace and of the platform, and which features stand on it.
//!
//! The platform's documentation leaves open what some features need (domain.md 0.1). A feature whose proof failed is off
//! and says why; one that was never probed goes on and is marked as an assumption, but where being wrong would change
//! production behind a person's back: that is off until it is proven. Pure: who asks hands in proofs and time.

mod check;
mod feature;
mod judge;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use check::{Check, Fact, Spec};
pub use feature::Feature;
pub use judge::{Doubt, Failed, KEPT, Off, Standing, judge, off};

use super::Instant;
use super::workspace::Workspace;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Proven,
    /// It does not.
    Failed,
    /// It could not be tried, or gave too little to judge by.
    Undecided,
}

/// What a check was about. A proof says nothing of anything else: not of the same name at another address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// As people call it: a workspace's name, or the ledger's schema.
    pub name: String,
    /// Where it is: a workspace's address, or the way to the ledger.
    pub place: String,
}

impl Subject {
    /// A workspace.
    pub fn workspace(workspace: &Workspace) -> Self {
        Self { name: workspace.name.to_string(), place: workspace.host.clone() }
    }

    /// The shared record, and the warehouse through which it is reached.
    pub fn ledger(schema: &str, workspace: &str, warehouse: &str) -> Self {
        Self { name: schema.to_owned(), place: format!("{workspace}, warehouse {warehouse}") }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a check has shown, of what, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Which check.
    pub check: Check,
    /// Of what.
    pub subject: Subject,
    /// What it came to.
    pub verdict: Verdict,
    /// What was found, in one line. May hold text from outside.
    pub finding: String,
    /// What to do about it, where more can be said than the check's own [`Spec::fix`].
    pub fix: Option<String>,
    /// What was measured, by name with its unit last.
    pub figures: BTreeMap<String, i64>,
    /// When, in local time.
    pub at: Instant,
    /// SHA-256 of the fleet's configuration as it was then.
    pub fleet_hash: String,
}
